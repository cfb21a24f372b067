import { ByteCursor } from '../../../base/byte-cursor.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';
import { type XaId, XA_PART_LENGTH_MAX } from './xa-id.ts';

export interface XaPrepareEvent {
  readonly kind: 'xa-prepare';
  /** True for XA COMMIT … ONE PHASE: the transaction is committed, not only prepared. */
  readonly onePhase: boolean;
  readonly xid: XaId;
}

const EVENT = 'XA_PREPARE';

/**
 * XA_PREPARE_LOG_EVENT: ends the group of an XA transaction that is prepared. What it changed takes effect only with the XA COMMIT
 * that a later group holds.
 *
 *     one phase     u8
 *     format id     u32 LE
 *     gtrid length  u32 LE   at most 64
 *     bqual length  u32 LE   at most 64
 *     gtrid, bqual  bytes
 *
 * (MySQL source, libs/mysql/binlog/event/control_events.cpp.)
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeXaPrepareEvent(body: Buffer): XaPrepareEvent {
  return decodeFrame(EVENT, () => {
    const cursor = new ByteCursor(body);
    const onePhase = cursor.u8('one phase') !== 0;
    const formatId = cursor.u32('format id');
    const gtridLength = partLength(cursor, 'gtrid length');
    const bqualLength = partLength(cursor, 'bqual length');
    const gtrid = Buffer.from(cursor.bytes(gtridLength, 'gtrid'));
    const bqual = Buffer.from(cursor.bytes(bqualLength, 'bqual'));
    return { kind: 'xa-prepare', onePhase, xid: { formatId, gtrid, bqual } };
  });
}

function partLength(cursor: ByteCursor, field: string): number {
  const length = cursor.u32(field);
  if (length > XA_PART_LENGTH_MAX) {
    throw corrupt(`${EVENT} event: "${field}" is ${length}, the most is ${XA_PART_LENGTH_MAX}`, {
      event: EVENT,
      field,
      length,
    });
  }
  return length;
}
