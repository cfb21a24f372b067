import { ByteCursor } from '../../../base/byte-cursor.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';

export interface PartialRowDataEvent {
  readonly kind: 'partial-row-data';
  readonly fragments: number;
  /** From 1 on. */
  readonly fragment: number;
  /** Bytes of the whole row event, with the first fragment only. */
  readonly originalLength: number | null;
  /** Its part of the row event, header included. A view into the event. */
  readonly data: Buffer;
}

const EVENT = 'PARTIAL_ROW_DATA';
const FLAG_ORIGINAL_LENGTH = 1;

/**
 * PARTIAL_ROW_DATA_EVENT of MariaDB 12.3 and later: a fragment of a row event larger than `binlog_row_event_fragment_threshold`.
 *
 *     fragments        u32 LE
 *     fragment         u32 LE    from 1 on
 *     flags            u8
 *     original length  u64 LE    with flag 1
 *     data             rest
 *
 * The data runs to the end, so a cut inside it cannot be seen here.
 * (MariaDB documentation, Replication Protocol, PARTIAL_ROW_DATA_EVENT.)
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodePartialRowDataEvent(body: Buffer): PartialRowDataEvent {
  return decodeFrame(EVENT, () => {
    const cursor = new ByteCursor(body);
    const fragments = cursor.u32('fragments');
    const fragment = cursor.u32('fragment');
    const flags = cursor.u8('flags');
    const originalLength = (flags & FLAG_ORIGINAL_LENGTH) === 0 ? null : Number(cursor.u64('original length'));
    if (fragment < 1 || fragment > fragments) {
      throw corrupt(`${EVENT} event: fragment ${fragment} of ${fragments}`, {
        event: EVENT,
        field: 'fragment',
        fragment,
        fragments,
      });
    }
    return {
      kind: 'partial-row-data',
      fragments,
      fragment,
      originalLength,
      data: cursor.bytes(cursor.remaining, 'data'),
    };
  });
}
