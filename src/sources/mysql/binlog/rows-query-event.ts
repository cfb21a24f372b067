import { ByteCursor } from '../../../base/byte-cursor.ts';
import { decodeFrame } from './frame-errors.ts';

export interface RowsQueryEvent {
  readonly kind: 'rows-query';
  /** Bytes in the character set of the client that sent it, which is not logged with it. A view into the event. */
  readonly statement: Buffer;
}

/**
 * ROWS_QUERY_LOG_EVENT of MySQL (`binlog_rows_query_log_events`): the statement behind the row events that follow.
 *
 *     length     u8     of the statement, modulo 256: of no use, and ignored by the servers too
 *     statement  rest
 *
 * (MySQL source, libs/mysql/binlog/event/rows_event.cpp.)
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function decodeRowsQueryEvent(body: Buffer): RowsQueryEvent {
  return decodeFrame('ROWS_QUERY', () => {
    const cursor = new ByteCursor(body);
    cursor.u8('length');
    return { kind: 'rows-query', statement: cursor.bytes(cursor.remaining, 'statement') };
  });
}
