import { ByteCursor } from '../../../base/byte-cursor.ts';
import { decodeFrame } from './frame-errors.ts';
import { truncated } from './frame-bounds.ts';
import { type QueryStatusVariables, readQueryStatusVariables } from './query-status-variables.ts';
import { uncompressEventData } from './uncompress-event.ts';

export interface QueryEvent {
  readonly kind: 'query';
  readonly threadId: number;
  /** Seconds. */
  readonly executionTime: number;
  /** The statement's error on the server; not 0 for one that failed and yet had an effect. */
  readonly errorCode: number;
  /** The current database, by its UTF-8 name; empty when there was none. */
  readonly database: string;
  readonly variables: QueryStatusVariables;
  /**
   * The statement in the character set of `variables.clientCollation`: bytes, since only that tells what they mean. A view into the
   * event, except for a compressed one.
   */
  readonly query: Buffer;
}

/**
 * QUERY_EVENT: a statement, among them BEGIN, COMMIT, DDL, and everything while binlog_format is not ROW.
 *
 *     thread id          u32 LE
 *     execution time     u32 LE
 *     database length    u8
 *     error code         u16 LE
 *     variables length   u16 LE
 *     variables          see query-status-variables.ts
 *     database           bytes, 0
 *     query              rest, no terminator
 *
 * The query runs to the end, so a cut inside it cannot be seen here.
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function decodeQueryEvent(body: Buffer): QueryEvent {
  return decodeQuery('QUERY', { body, extraHeaderLength: 0 });
}

/**
 * QUERY_COMPRESSED_EVENT (MariaDB, `log_bin_compress`): the same with the query compressed, see uncompress-event.ts.
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeQueryCompressedEvent(body: Buffer): QueryEvent {
  const event = decodeQuery('QUERY_COMPRESSED', { body, extraHeaderLength: 0 });
  return { ...event, query: uncompressEventData(event.query, 'QUERY_COMPRESSED') };
}

/** Of QUERY and the events made after it, which have `extraHeaderLength` further bytes before the variables. */
export function decodeQuery(
  name: string,
  { body, extraHeaderLength }: { body: Buffer; extraHeaderLength: number },
): QueryEvent {
  return decodeFrame(name, () => {
    const cursor = new ByteCursor(body);
    const threadId = cursor.u32('thread id');
    const executionTime = cursor.u32('execution time');
    const databaseLength = cursor.u8('database length');
    const errorCode = cursor.u16('error code');
    const variablesLength = cursor.u16('variables length');
    cursor.skip(extraHeaderLength, 'post-header');
    const variables = readQueryStatusVariables(cursor.bytes(variablesLength, 'status variables'));
    const database = cursor.text(databaseLength, 'database');
    cursor.skip(1, 'end of database');
    const query = cursor.bytes(cursor.remaining, 'query');
    return { kind: 'query', threadId, executionTime, errorCode, database, variables, query };
  });
}

const POST_HEADER_LENGTH = 13;

/**
 * Where the statement of a QUERY event begins, without decoding the rest; it runs to `end`. Allocates nothing.
 * @throws TidingsError BINLOG_TRUNCATED
 */
export function queryTextStart(buffer: Buffer, start: number, end: number): number {
  if (end - start < POST_HEADER_LENGTH) {
    throw truncated('QUERY', { field: 'post-header', start, needed: POST_HEADER_LENGTH, end });
  }
  const variablesLength = buffer.readUInt16LE(start + 11);
  const textStart = start + POST_HEADER_LENGTH + variablesLength + buffer.readUInt8(start + 8) + 1;
  if (textStart > end) {
    throw truncated('QUERY', { field: 'database', start, needed: textStart - start, end });
  }
  return textStart;
}

/** Whether the event is the BEGIN that opens a transaction. Allocates nothing. */
export function isBeginQuery(buffer: Buffer, start: number, end: number): boolean {
  const text = queryTextStart(buffer, start, end);
  // As the servers write it: in capitals, and nothing behind it. "BEGI", "N".
  return end - text === 5 && buffer.readUInt32BE(text) === 0x42454749 && buffer[text + 4] === 0x4e;
}

/** Whether the event is the COMMIT that ends a transaction without an XID: tables of MyISAM and the like. Allocates nothing. */
export function isCommitQuery(buffer: Buffer, start: number, end: number): boolean {
  const text = queryTextStart(buffer, start, end);
  // "COMM", "IT"
  return end - text === 6 && buffer.readUInt32BE(text) === 0x434f4d4d && buffer.readUInt16BE(text + 4) === 0x4954;
}
