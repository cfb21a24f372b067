import type { Position } from './position.ts';
import type { TableSchema } from './table-schema.ts';

/** A JSON document as `JSON.parse` yields it. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/**
 * One column's value. What a column yields depends on its type only: docs/concepts/values.md has the table.
 * JSON columns are the server's own text (`json: 'text'`) or parsed (`json: 'parsed'`), as the source was asked.
 */
export type Value = string | number | bigint | null | Uint8Array | Float32Array | JsonValue;

/** A row, or the part of it that the source logged: a column that was not logged is absent, never null. */
export type Row = Readonly<Record<string, Value>>;

/** `upsert`: the source cannot tell an insert from an update. */
export type ChangeKind = 'insert' | 'update' | 'delete' | 'upsert';

export interface Change {
  readonly kind: ChangeKind;
  readonly table: TableSchema;
  /** System change number; null until a relay has given it one. */
  readonly scn: number | null;
  /** The primary key after the change (before it, for a delete), in key order; null when the table has none, or it was not logged. */
  readonly key: Row | null;
  /** As far as the source logged it; null for an insert. */
  readonly before: Row | null;
  /** As far as the source logged it; null for a delete. */
  readonly after: Row | null;
  /** The SQL statement that made the change, when the source logs it. */
  readonly statement: string | null;
  /** The row was read as it stands, by a snapshot. */
  readonly snapshot?: true;
  /**
   * Set where an update that moved the primary key reaches a group: as the delete of the old key (`from`) and the insert of the new
   * one (`to`), each in its own key's partition, both with the update's SCN.
   */
  readonly moved?: 'from' | 'to';
  /** The virtual partition of the key, when the change came to a group's member. */
  readonly partition?: number;
}

/** A definition changed. */
export interface SchemaChange {
  readonly type: 'schema';
  readonly database: string;
  /** Null for a statement about a whole database. */
  readonly table: string | null;
  readonly sql: string;
}

/** All rows of a table went at once; the source does not log them one by one. */
export interface Truncation {
  readonly type: 'truncate';
  readonly database: string;
  readonly table: string;
  readonly sql: string;
}

/** What is known of a transaction from its beginning. */
export interface TransactionInfo {
  /** The source's own identifier (a GTID), or null where it has none. */
  readonly id: string | null;
  /** Commit time in µs since 1970 UTC, as precise as the source logs it. */
  readonly committedAtUs: number;
  /** The server that executed it first. */
  readonly serverId: number;
  /** Resuming here yields this transaction again, whole. */
  readonly start: Position;
  /** Only consumers of this name get it (`groupAudience`, `readerAudience`). Left out: everyone does. Such a transaction has no identifier. */
  readonly audience?: string;
}

/** Rows that were read for a group. */
export function groupAudience(group: string): string {
  return `group:${group}`;
}

/** Rows that were read for one reader without a group. */
export function readerAudience(reader: string): string {
  return `reader:${reader}`;
}
