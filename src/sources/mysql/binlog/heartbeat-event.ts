import { ByteCursor } from '../../../base/byte-cursor.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';

export interface HeartbeatEvent {
  readonly kind: 'heartbeat';
  readonly file: string;
  /** The end of what the server has sent or passed over. Null when only the event header's `nextPosition` tells, modulo 2^32. */
  readonly position: number | null;
}

/**
 * HEARTBEAT_LOG_EVENT: nothing has happened, and the connection is alive. Sent only, in no file.
 *
 *     position  u64 LE   MariaDB only, and only when the header's next position is 0: it did not fit there
 *     file      rest     no terminator
 *
 * The name runs to the end, so a cut inside it cannot be seen here; an empty one is refused.
 * (MariaDB source, sql/sql_repl.cc, send_heartbeat_event.)
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeHeartbeatEvent(
  body: Buffer,
  { hasPosition }: { hasPosition: boolean } = { hasPosition: false },
): HeartbeatEvent {
  return decodeFrame('HEARTBEAT', () => {
    const cursor = new ByteCursor(body);
    const position = hasPosition ? safePosition(Number(cursor.u64('position'))) : null;
    return { kind: 'heartbeat', file: cursor.text(Math.max(1, cursor.remaining), 'file'), position };
  });
}

const END = 0;
const FILE = 1;
const POSITION = 2;

/**
 * HEARTBEAT_LOG_EVENT_V2 of MySQL, sent to replicas that ask for it: the same with a position of any size. Fields of type, length
 * and value, each number length-encoded:
 *
 *     1  file      length bytes
 *     2  position  a length-encoded number
 *     0            the end, without length
 *
 * Other types are passed over. (MySQL source, libs/mysql/binlog/event/codecs/binary.cpp.)
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeHeartbeatV2Event(body: Buffer): HeartbeatEvent {
  return decodeFrame('HEARTBEAT_V2', () => {
    const cursor = new ByteCursor(body);
    let file = '';
    let position: number | null = null;
    for (;;) {
      const type = cursor.lengthEncoded('field type');
      if (type === END) break;
      const length = cursor.lengthEncoded('field length');
      if (type === FILE) file = cursor.text(length, 'file');
      else if (type === POSITION) position = safePosition(cursor.lengthEncoded('position'));
      else cursor.skip(length, 'unknown field');
    }
    if (file === '') throw corrupt('HEARTBEAT_V2 event: there is no file', { event: 'HEARTBEAT_V2', field: 'file' });
    return { kind: 'heartbeat', file, position };
  });
}

function safePosition(position: number): number {
  if (Number.isSafeInteger(position)) return position;
  throw corrupt('HEARTBEAT event: the position is beyond any file', { event: 'HEARTBEAT', field: 'position' });
}
