import type { SchemaChange, TransactionInfo, Truncation } from '../../core/change.ts';
import { TidingsError } from '../../core/errors.ts';
import { writeLong } from '../../formats/log/batch-header.ts';
import {
  ENTRY,
  RUN_BYTES,
  SHAPE_ENTRY_BYTES,
  STATEMENT_ENTRY_BYTES,
  TRANSACTION_BYTES,
  TRANSACTION_FLAG,
} from '../../formats/log/batch-layout.ts';

/** Writing the entries of a batch's body, as `batch-layout.ts` lays them out. Whoever writes has made room. */
export interface EntryBuffer {
  readonly bytes: Buffer;
  /** Over the same bytes, with the same offsets. */
  readonly view: DataView;
}

const FLAG_TABLE = 1;
/** Of a transaction's identifier: a few times what any source has. */
const ID_LENGTH_MAX = 16 * 1024;
/** Per UTF-16 unit. */
const UTF8_BYTES_MAX = 3;
/** A row's length has 31 bits, and a batch is one buffer. */
const ROW_BYTES_MAX = 0x7ff0_0000;

/** The most bytes that the transaction's entry can have. @throws TidingsError POSITION_INVALID */
export function transactionBytesMax({ id: own, audience }: TransactionInfo): number {
  const id = audience ?? own;
  if (id === null) return TRANSACTION_BYTES;
  if (id.length > ID_LENGTH_MAX) {
    throw new TidingsError('POSITION_INVALID', `a transaction's identifier has ${id.length} characters`, {
      hint: `The log keeps up to ${ID_LENGTH_MAX}.`,
    });
  }
  return TRANSACTION_BYTES + id.length * UTF8_BYTES_MAX;
}

/** @returns the offset behind it */
export function putTransaction(
  { bytes, view }: EntryBuffer,
  at: number,
  { transaction, continued }: { readonly transaction: TransactionInfo; readonly continued: boolean },
): number {
  const { committedAtUs, serverId, audience } = transaction;
  const id = audience ?? transaction.id;
  const addressed = audience === undefined ? 0 : TRANSACTION_FLAG.addressed;
  const idBytes = id === null ? 0 : bytes.write(id, at + TRANSACTION_BYTES);
  view.setUint8(at, ENTRY.transaction);
  view.setUint8(at + 1, (continued ? TRANSACTION_FLAG.continued : 0) | addressed);
  view.setUint16(at + 2, idBytes, true);
  view.setUint32(at + 4, serverId, true);
  writeLong(view, at + 8, committedAtUs);
  return at + TRANSACTION_BYTES + idBytes;
}

export interface RunHead {
  readonly kind: number;
  readonly shape: number;
  readonly scnOffset: number;
  readonly statement: Buffer;
}

/** What stands before the rows of a run; how many there are comes last: see `finishRun`. @returns the offset behind it */
export function putRun(
  { bytes, view }: EntryBuffer,
  at: number,
  { kind, shape, scnOffset, statement }: RunHead,
): number {
  view.setUint8(at, ENTRY.rows);
  view.setUint8(at + 1, kind);
  view.setUint16(at + 2, shape, true);
  view.setUint32(at + 4, scnOffset, true);
  view.setUint32(at + 16, statement.length, true);
  if (statement.length > 0) statement.copy(bytes, at + RUN_BYTES);
  return at + RUN_BYTES + statement.length;
}

export function finishRun(view: DataView, at: number, { rows, bytes }: { rows: number; bytes: number }): void {
  view.setUint32(at + 8, rows, true);
  view.setUint32(at + 12, bytes, true);
}

/** The most bytes that a shape's entry with this text can have. */
export function shapeBytesMax(text: string): number {
  return SHAPE_ENTRY_BYTES + text.length * UTF8_BYTES_MAX;
}

/** @returns the offset behind it */
export function putShape({ bytes, view }: EntryBuffer, at: number, text: string): number {
  const size = bytes.write(text, at + SHAPE_ENTRY_BYTES);
  view.setUint8(at, ENTRY.shape);
  view.setUint8(at + 1, 0);
  view.setUint16(at + 2, 0, true);
  view.setUint32(at + 4, size, true);
  return at + SHAPE_ENTRY_BYTES + size;
}

/** A schema change or a truncation on its way into a body. */
export interface EncodedStatement {
  readonly type: 'schema' | 'truncate';
  readonly database: Buffer;
  /** Null: of a whole database. */
  readonly table: Buffer | null;
  readonly sql: Buffer;
  readonly size: number;
}

/** @throws TidingsError ROW_TOO_LARGE */
export function encodeStatement(change: SchemaChange | Truncation): EncodedStatement {
  const database = Buffer.from(change.database);
  const table = change.table === null ? null : Buffer.from(change.table);
  const sql = Buffer.from(change.sql);
  const size = STATEMENT_ENTRY_BYTES + database.length + (table?.length ?? 0) + sql.length;
  checkEntryBytes(size);
  return { type: change.type, database, table, sql, size };
}

/** @returns the offset behind it */
export function putStatement(
  { bytes, view }: EntryBuffer,
  at: number,
  { statement, scnOffset }: { readonly statement: EncodedStatement; readonly scnOffset: number },
): number {
  const { type, database, table, sql, size } = statement;
  view.setUint8(at, type === 'schema' ? ENTRY.schema : ENTRY.truncate);
  view.setUint8(at + 1, table === null ? 0 : FLAG_TABLE);
  view.setUint16(at + 2, database.length, true);
  view.setUint32(at + 4, scnOffset, true);
  view.setUint16(at + 8, table?.length ?? 0, true);
  view.setUint16(at + 10, 0, true);
  view.setUint32(at + 12, sql.length, true);
  let to = at + STATEMENT_ENTRY_BYTES;
  to += database.copy(bytes, to);
  if (table !== null) to += table.copy(bytes, to);
  sql.copy(bytes, to);
  return at + size;
}

/** @throws TidingsError ROW_TOO_LARGE */
export function checkEntryBytes(size: number): void {
  if (size <= ROW_BYTES_MAX) return;
  throw new TidingsError('ROW_TOO_LARGE', `a row takes ${size} bytes in the log, which keeps up to ${ROW_BYTES_MAX}`, {
    details: { bytes: size, bytesMax: ROW_BYTES_MAX },
  });
}
