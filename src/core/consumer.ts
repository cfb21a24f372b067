import type { Change, ChangeKind, Row, SchemaChange, Truncation } from './change.ts';
import type { Logger } from './logger.ts';
import type { TransactionPart } from './source.ts';

/**
 * Where a consumer begins when it has no checkpoint: the oldest change that is kept, only what commits from now on, behind the change
 * with this SCN, or at the first transaction committed at or after a time.
 */
export type StartAt = 'earliest' | 'latest' | number | Date;

/**
 * Whether a group, or a reader without one, gets the rows that exist already, as upserts with `snapshot` set among the changes. `never`: it begins at
 * `from`. `auto`: when it is new, which for a reader is to have no checkpoint, and when what it would read next is no longer kept (each table then
 * begins with a truncate entry, as rows may have gone meanwhile). `always`: also each time a first member joins, or the reader starts.
 */
export type BootstrapMode = 'never' | 'auto' | 'always';

/** The SCN up to which a plain reader's effects are durable. A group's checkpoints are the relay's. */
export interface CheckpointStore {
  /** Null when there is none yet. */
  load(): Promise<number | null>;
  /** Resolves when it is durable. Called one at a time. */
  save(scn: number): Promise<void>;
}

/**
 * A store that keeps the reader's name, too: what `bootstrap` needs. The client makes the name, and the relay keeps rows under it that no other reader
 * gets. One that is lost in the middle of its snapshot leaves the rest of the rows to nobody.
 */
export interface NamedCheckpointStore extends CheckpointStore {
  /** Null when there is none yet. */
  loadName(): Promise<string | null>;
  /** Replaces the name and the checkpoint, at once: durable when it resolves, and never one without the other. `save` leaves the name as it is. */
  begin(name: string, scn: number): Promise<void>;
}

export interface StreamOptions {
  /** Share the stream with the other members of this group: each gets some of the partitions. */
  readonly group?: string;
  /** The member's name within the group. @default a random one */
  readonly member?: string;
  /** Patterns as a source takes them: `shop.orders`, `shop.*`, `/regular expression/`. @default all tables */
  readonly tables?: readonly string[];
  readonly ops?: readonly ChangeKind[];
  /** A member that was not heard of for so long is out of its group, and its partitions go to others. ms. @default 10000 */
  readonly sessionTimeoutMs?: number;
  /** The columns wanted, by table pattern. The key's columns always come along. Other columns are absent from the rows. */
  readonly columns?: Readonly<Record<string, readonly string[]>>;
  /** A condition on the row's values by table pattern: `status = 'paid' and amount >= 100`. docs/reference/filters.md has its grammar. */
  readonly where?: Readonly<Record<string, string>>;
  /** Where to begin as long as there is no checkpoint; from then on it does nothing. @default latest */
  readonly from?: StartAt;
  /**
   * Where it takes effect, `from` does nothing. A reader without a group gets rows of its `tables` only, and its `checkpoints` must be able to keep its
   * name (NamedCheckpointStore). `untilEnd` does not wait for them. @default never
   */
  readonly bootstrap?: BootstrapMode;
  /** Of a reader without a group. @default one in memory */
  readonly checkpoints?: CheckpointStore;
  /** `auto`: a batch is committed when the next one is asked for. @default manual */
  readonly commit?: 'manual' | 'auto';
  /** JSON columns as `JSON.parse` yields them, or as the database's text. @default parsed */
  readonly json?: 'parsed' | 'text';
  /** End instead of waiting once everything was read that was durable when reading began. @default false */
  readonly untilEnd?: boolean;
  /** The partitions that are this member's from now on: called before their first change comes. */
  readonly onAssigned?: (partitions: readonly number[]) => void | Promise<void>;
  /** The partitions that go to another member: called when no change of theirs is being worked on any more. */
  readonly onRevoked?: (partitions: readonly number[]) => void | Promise<void>;
  readonly log?: Logger;
  /** Ends the iteration as `close()` does. */
  readonly signal?: AbortSignal;
}

/** A change as a consumer gets it: with its SCN. `R` is the type of its rows. */
export interface StreamChange<R = Row> extends Omit<Change, 'before' | 'after' | 'scn'> {
  readonly scn: number;
  readonly before: R | null;
  readonly after: R | null;
  /** Commit time of its transaction, µs since 1970 UTC. */
  readonly committedAtUs: number;
}

export type StreamEntry<R = Row> =
  | StreamChange<R>
  | ((SchemaChange | Truncation) & { readonly scn: number; readonly committedAtUs: number });

/** A transaction, or the part of one that is in a batch. */
export interface StreamTransaction<R = Row> {
  /** The source's own identifier (a GTID), or null where it has none. */
  readonly id: string | null;
  readonly committedAtUs: number;
  /** False: more of it comes with the next batch. */
  readonly ends: boolean;
  readonly entries: readonly StreamEntry<R>[];
}

/** What one read yielded: many small transactions, or a part of a large one. */
export interface ConsumerBatch<R = Row> {
  /** The row changes in order. Made when first asked for. */
  readonly changes: readonly StreamChange<R>[];
  /** The same with the schema changes and truncations between them. */
  readonly entries: readonly StreamEntry<R>[];
  /** The same by transaction: those without an entry for this reader are left out, unless they end what an earlier batch began. */
  readonly transactions: readonly StreamTransaction<R>[];
  /** The fast form, without an object per change: see `RowBatch`. Valid until the next batch is asked for. */
  readonly parts: readonly TransactionPart[];
  /** Into how many partitions the stream is shared, where changes say theirs: the hash that a stored row has, modulo this. Null: they do not. */
  readonly partitions: number | null;
  /** The SCN of the last change the batch covers. */
  readonly scn: number;
  /** How many row changes are in it. */
  readonly count: number;
  /**
   * Says that the effects of this batch and all before it are durable. Resolves when the checkpoint is durable, too. The checkpoint
   * moves to a transaction's end only (I2): a batch that ends inside one is covered by the commit of the batch that ends it.
   *
   * In a group, partitions can have moved to another member meanwhile, or been lost while the relay was started again: the outcome names
   * them, and their changes come again where they are now. The others' checkpoints are durable.
   *
   * @throws what a CheckpointStore throws; TidingsError when the relay refuses for good, or the stream was closed before it answered
   */
  commit(): Promise<CommitOutcome>;
}

export interface CommitOutcome {
  /** Partitions of the batch that could not be committed, as they are no longer this member's. Without a group: none. */
  readonly fenced: readonly number[];
}

/** A stream being consumed. Ends cleanly on `break` and on `close()`. */
export interface ChangeStream<R = Row> extends AsyncIterable<ConsumerBatch<R>> {
  /** Ends the iteration, leaves the group. Idempotent. */
  close(): Promise<void>;
}
