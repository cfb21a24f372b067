import type { Row, TransactionInfo } from '../../../core/change.ts';
import type { TidingsError } from '../../../core/errors.ts';
import type { Key } from '../../../core/plain-rows.ts';
import type { Position } from '../../../core/position.ts';
import type { TableSchema } from '../../../core/table-schema.ts';

/** What happened to a row, by Meepo's names: `write` is an insert. */
export type RowAction = 'write' | 'update' | 'delete';

/** What is common to all rows that one statement changed in one table. One object for all of them: it costs nothing per row. */
export interface KeyEvent {
  /** The event's own name, also for a wildcard listener: `orders_write`. */
  readonly name: string;
  readonly action: RowAction;
  readonly database: string;
  readonly table: TableSchema;
  readonly transaction: TransactionInfo;
  /** True when a lost connection made this transaction begin again: its first events have been published before. */
  readonly redelivered: boolean;
  /** The SQL statement behind the rows, when the server logs it. */
  readonly statement: string | null;
  /** The rows were read as they stand (`snapshot: true` of `mysqlEvents`), and did not change now. */
  readonly snapshot?: true;
}

/** One row. A column that the server did not log is absent from `before` and `after`, never null. */
export interface RawEvent extends KeyEvent {
  /** `orders_write_raw` */
  readonly name: string;
  /** The primary key after the change (before it, for a delete); null when the table has none. */
  readonly key: Key | null;
  /** The primary key before the change; differs from `key` when an update changed it. Null for a write. */
  readonly keyBefore: Key | null;
  /** Null for a write. */
  readonly before: Row | null;
  /** Null for a delete. */
  readonly after: Row | null;
}

export interface TruncateEvent {
  /** `orders_truncate` */
  readonly name: string;
  readonly database: string;
  readonly table: string;
  readonly sql: string;
  readonly transaction: TransactionInfo;
  readonly redelivered: boolean;
}

export interface SchemaEvent {
  readonly name: 'schema';
  readonly database: string;
  /** Null for a statement about a whole database. */
  readonly table: string | null;
  readonly sql: string;
  readonly transaction: TransactionInfo;
  readonly redelivered: boolean;
}

/** A handler that threw, as `onError` is asked about it. */
export interface HandlerFailure {
  /** What the handler threw. */
  readonly error: unknown;
  /** The event's own name. */
  readonly event: string;
  /** Null for a position. */
  readonly database: string | null;
  readonly table: string | null;
  /** Null for an event that is not about one row. */
  readonly key: Key | null;
  /** Null for a position that no published transaction ends at. */
  readonly transaction: TransactionInfo | null;
  /** How often this handler has failed for this very event: 1 at first, then counting `retry` decisions. */
  readonly failures: number;
}

/**
 * `stop`: the stream ends with EVENT_HANDLER_FAILED, its position before this transaction. `skip`: report it and go on.
 * `retry`: call the handler again with the same arguments.
 */
export type FailureDecision = 'stop' | 'skip' | 'retry';

/**
 * Whether a listener's promise is awaited is decided by what it returns, so any return type will do. The parameters are
 * bivariant: who knows that a key is a number may declare `(pk: number) => …`.
 */
type Listener<P extends readonly unknown[]> = { listen(...parameters: P): unknown }['listen'];

export type KeyListener = Listener<[pk: Key, event: KeyEvent]>;
export type RawListener = Listener<[event: RawEvent]>;
export type TruncateListener = Listener<[event: TruncateEvent]>;
export type SchemaListener = Listener<[event: SchemaEvent]>;
export type PositionListener = Listener<[position: Position, transaction: TransactionInfo | null]>;
/** Meepo's form: the position as text. */
export type TextPositionListener = Listener<[position: string, transaction: TransactionInfo | null]>;
export type ErrorListener = Listener<[error: TidingsError]>;
/** Accepted under a name that is only known at run time. */
export type AnyListener = (...parameters: never[]) => unknown;

/** In place of a listener: the name is not one that is ever published. */
export interface NoSuchEvent<Name extends string> {
  readonly noSuchEvent: Name;
}

/** What a listener is called with, by the name of the event. */
export type ListenerOf<Name extends string> = string extends Name
  ? AnyListener
  : Name extends 'position'
    ? PositionListener
    : Name extends 'mysql_binlog_pos'
      ? TextPositionListener
      : Name extends 'schema'
        ? SchemaListener
        : Name extends 'warning'
          ? ErrorListener
          : Name extends 'error'
            ? Listener<[error: unknown]>
            : Name extends `${string}_truncate`
              ? TruncateListener
              : Name extends '*_raw' | `${string}_${RowAction | '*'}_raw` | `${string}.*_raw`
                ? RawListener
                : Name extends '*' | `${string}_${RowAction | '*'}` | `${string}.*`
                  ? KeyListener
                  : NoSuchEvent<Name>;
