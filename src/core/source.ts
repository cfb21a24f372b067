import type { Change, ChangeKind, Row, SchemaChange, TransactionInfo, Truncation, Value } from './change.ts';
import type { Position } from './position.ts';
import type { RowShape } from './rows/row-shape.ts';
import type { RowTarget } from './rows/row-target.ts';
import type { SnapshotReader } from './snapshot.ts';
import type { TableSchema } from './table-schema.ts';

/**
 * A source watches one data store and hands over its committed changes in commit order.
 *
 * The unit handed over is a batch: what one read of the socket (or one poll) yielded, be it a thousand small transactions or a
 * piece of a huge one. That keeps memory bounded whatever a transaction's size (I7), and costs no promise per row or transaction.
 *
 * Contract, checked by the conformance suite in `tidings/testing`:
 * - Order: batches, parts, entries and rows come in commit order (I3). A transaction's parts are never interleaved with another's.
 * - `ChangeBatch.position` and `TransactionPart.end` lie at transaction ends only (I2). Resuming there yields everything after it
 *   and nothing before it; resuming at `TransactionInfo.start` yields that transaction again, whole.
 * - Pull: the source reads on only when the consumer asks for the next batch. There is no other queue.
 * - Lifetime: a batch, its parts and row batches are valid until the next batch is asked for; the bytes behind them are reused
 *   then. Rows, keys and positions taken out of it are values of their own and stay valid.
 * - After a lost connection the source resumes by itself. A transaction that was handed over in part comes again from its
 *   beginning, with `restarted` set on its first part: what was applied of it must be undone or overwritten (I4).
 * - What it cannot decode exactly stops it with a TidingsError (I1): the iterator throws, and `position` still tells where to resume.
 */
export interface Source {
  /** The type name it is registered under: `mysql`. */
  readonly type: string;
  /**
   * The end of the last transaction that was handed over whole and that the consumer has left behind (by asking for the next
   * batch). Null before the start position is known.
   */
  readonly position: Position | null;
  /** Starts reading. At most one iteration at a time; ending it (return, break) closes the connection. */
  batches(): AsyncIterableIterator<ChangeBatch, void, undefined>;
  /** Ends a running iteration, also one that waits for the server. Resolves when sockets and timers are gone. Idempotent. */
  close(): Promise<void>;
  /**
   * Resolves with the start position once it is fixed: everything committed from then on will be handed over. For whoever must not
   * begin anywhere else after a crash, although nothing was handed over yet. A source that cannot tell leaves it out.
   */
  ready?(): Promise<Position>;
  /** Opens what reads the rows that exist already, which connects when it is to read. A source that cannot leaves it out. */
  openSnapshots?(): Promise<SnapshotReader>;
  /**
   * While true, positions are handed over as soon as they move, in batches without changes if need be: somebody waits for the stream to come to
   * a place. A source whose every batch says its position leaves it out.
   */
  hurry?(on: boolean): void;
  /** How it is, for those who watch it. A source that cannot tell leaves it out. */
  health?(): SourceHealth;
}

export interface SourceHealth {
  /** False while a connection is being made or was lost. */
  readonly connected: boolean;
  /** When anything last came from the server, a sign of life included; ms since 1970 UTC, null: not yet. */
  readonly heardMs: number | null;
  /** Connections made since the source was opened. */
  readonly connections: number;
  /** Why there is no connection, if there is none. */
  readonly error: unknown;
}

export interface ChangeBatch {
  readonly parts: readonly TransactionPart[];
  /** Where to resume once this batch is durable: the end of the last complete transaction in or before it. */
  readonly position: Position;
  /** Bytes of the source's log that this batch covers. */
  readonly bytes: number;
  /**
   * Set where the batch came from elsewhere than the source's log (rows that a snapshot has read): told what cannot be written of it. The
   * stream goes on without it then.
   */
  readonly refused?: (error: unknown) => void;
}

export interface TransactionPart {
  readonly transaction: TransactionInfo;
  /** True on the first part of a transaction. */
  readonly begins: boolean;
  /** True when a reconnect made this transaction begin again after parts of it had been handed over. */
  readonly restarted: boolean;
  readonly entries: readonly Entry[];
  /** The position behind the transaction; null while more parts follow. */
  readonly end: Position | null;
}

export type Entry = RowBatch | SchemaChange | Truncation;

/**
 * Consecutive rows of one table, changed in the same way by one statement. JavaScript objects are one view of it; keys another.
 * Each view is produced by functions generated for the table, on demand and in one pass over the bytes.
 */
export interface RowBatch {
  readonly type: 'rows';
  readonly kind: ChangeKind;
  readonly table: TableSchema;
  /** The SQL statement behind the rows, when the source logs it. */
  readonly statement: string | null;
  /** The rows were read as they stand, and did not change now: upserts. */
  readonly snapshot?: boolean;
  /** All rows as objects. `before[i]` and `after[i]` belong together; null where the kind has none. */
  rows(): DecodedRows;
  /**
   * The primary key of each row after the change (before it, for a delete): the bare value of a single-column key, a tuple in key
   * order of a composite one. Null when the table has no primary key, or when the source did not log it (MariaDB's row image MINIMAL
   * leaves out a key that is its column's default). Nothing but the key is decoded.
   */
  keys(): readonly (Value | readonly Value[])[] | null;
  /** All rows as changes, for consumers that handle them one by one. */
  changes(): Change[];
  /** What the bytes that `writeTo` writes mean. The same object for all batches of a table version with the same columns. */
  readonly shape: RowShape;
  /** Writes all rows in the log's form, straight from the source's bytes where it has such. @throws TidingsError ROW_TOO_LARGE */
  writeTo(target: RowTarget): void;
}

export interface DecodedRows {
  readonly count: number;
  readonly before: readonly Row[] | null;
  readonly after: readonly Row[] | null;
}
