import { ByteCursor } from '../../../base/byte-cursor.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';

export interface RotateEvent {
  readonly kind: 'rotate';
  /** Of the first event in the new file. */
  readonly position: number;
  readonly file: string;
}

/**
 * ROTATE_EVENT: the server moves on to the next binlog file; also sent, as an artificial event, at the start of every dump and at the
 * start of every file of it.
 *
 *     position  u64 LE     where the next event starts in the new file
 *     file      rest       its name, no terminator
 *
 * The name runs to the end, so a cut inside it cannot be seen here; an empty one is refused.
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeRotateEvent(body: Buffer): RotateEvent {
  return decodeFrame('ROTATE', () => {
    const cursor = new ByteCursor(body);
    const position = Number(cursor.u64('position'));
    if (!Number.isSafeInteger(position)) {
      throw corrupt('ROTATE event: the position is beyond any file', { event: 'ROTATE', field: 'position' });
    }
    const file = cursor.text(Math.max(1, cursor.remaining), 'file');
    return { kind: 'rotate', position, file };
  });
}
