import { ByteCursor } from '../../../base/byte-cursor.ts';
import { decodeFrame } from './frame-errors.ts';

export interface BinlogCheckpointEvent {
  readonly kind: 'binlog-checkpoint';
  /** The oldest file that the server's crash recovery needs. */
  readonly file: string;
}

/**
 * BINLOG_CHECKPOINT_EVENT of MariaDB: for the server's own recovery.
 *
 *     length  u32 LE
 *     file    bytes
 *
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function decodeBinlogCheckpointEvent(body: Buffer): BinlogCheckpointEvent {
  return decodeFrame('BINLOG_CHECKPOINT', () => {
    const cursor = new ByteCursor(body);
    return { kind: 'binlog-checkpoint', file: cursor.text(cursor.u32('length'), 'file') };
  });
}
