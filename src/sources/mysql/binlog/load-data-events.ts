import { ByteCursor } from '../../../base/byte-cursor.ts';
import { corrupt, decodeFrame } from './frame-errors.ts';
import { type QueryEvent, decodeQuery } from './query-event.ts';

/** A piece of the file of a LOAD DATA that is logged as a statement. Never with row events. */
export interface LoadBlockEvent {
  readonly kind: 'begin-load-query' | 'append-block';
  readonly fileId: number;
  /** A view into the event. */
  readonly block: Buffer;
}

/**
 * BEGIN_LOAD_QUERY_EVENT, the first piece, and APPEND_BLOCK_EVENT, one more:
 *
 *     file id  u32 LE
 *     block    rest
 *
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function decodeLoadBlockEvent(body: Buffer, kind: LoadBlockEvent['kind']): LoadBlockEvent {
  return decodeFrame(kind === 'begin-load-query' ? 'BEGIN_LOAD_QUERY' : 'APPEND_BLOCK', () => {
    const cursor = new ByteCursor(body);
    const fileId = cursor.u32('file id');
    return { kind, fileId, block: cursor.bytes(cursor.remaining, 'block') };
  });
}

export interface DeleteFileEvent {
  readonly kind: 'delete-file';
  readonly fileId: number;
}

/**
 * DELETE_FILE_EVENT: the LOAD DATA failed, its pieces are void.
 *
 *     file id  u32 LE
 *
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function decodeDeleteFileEvent(body: Buffer): DeleteFileEvent {
  return decodeFrame('DELETE_FILE', () => ({ kind: 'delete-file', fileId: new ByteCursor(body).u32('file id') }));
}

export interface ExecuteLoadQueryEvent extends Omit<QueryEvent, 'kind'> {
  readonly kind: 'execute-load-query';
  readonly fileId: number;
  /** In `query`: the bytes of the file's name, which a replica replaces. */
  readonly fileNameStart: number;
  readonly fileNameEnd: number;
  readonly duplicates: 'error' | 'ignore' | 'replace';
}

const EVENT = 'EXECUTE_LOAD_QUERY';
const DUPLICATES = ['error', 'ignore', 'replace'] as const;

/**
 * EXECUTE_LOAD_QUERY_EVENT: the LOAD DATA statement itself. As QUERY_EVENT, with more post-header before the variables:
 *
 *     (post-header of QUERY_EVENT, 13 bytes)
 *     file id          u32 LE
 *     file name start  u32 LE   in the query
 *     file name end    u32 LE
 *     duplicates       u8       0 error, 1 ignore, 2 replace
 *     (variables, database and query as QUERY_EVENT)
 *
 * (MySQL source, libs/mysql/binlog/event/load_data_events.cpp.)
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeExecuteLoadQueryEvent(body: Buffer): ExecuteLoadQueryEvent {
  return decodeFrame(EVENT, () => {
    const query = decodeQuery(EVENT, { body, extraHeaderLength: 13 });
    const cursor = new ByteCursor(body);
    cursor.skip(13, 'post-header');
    const fileId = cursor.u32('file id');
    const fileNameStart = cursor.u32('file name start');
    const fileNameEnd = cursor.u32('file name end');
    const duplicates = DUPLICATES[cursor.u8('duplicates')];
    if (duplicates === undefined || fileNameStart > fileNameEnd || fileNameEnd > query.query.length) {
      throw corrupt(`${EVENT} event: the file's name lies outside the statement`, {
        event: EVENT,
        field: 'file name end',
      });
    }
    return { ...query, kind: 'execute-load-query', fileId, fileNameStart, fileNameEnd, duplicates };
  });
}
