import { ByteCursor } from '../../../base/byte-cursor.ts';
import { decodeFrame } from './frame-errors.ts';
import { truncated } from './frame-bounds.ts';

export interface XidEvent {
  readonly kind: 'xid';
  /** The storage engines' number of the transaction, of use only to the server that wrote it. */
  readonly xid: bigint;
}

/**
 * XID_EVENT: the transaction is committed.
 *
 *     xid  u64, in the byte order of the server's machine
 *
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function decodeXidEvent(body: Buffer): XidEvent {
  return decodeFrame('XID', () => ({ kind: 'xid', xid: new ByteCursor(body).u64('xid') }));
}

/** For the hot path, which does not need the number: throws what `decodeXidEvent` would. */
export function checkXidEvent(start: number, end: number): void {
  if (end - start < 8) throw truncated('XID', { field: 'xid', start, needed: 8, end });
}
