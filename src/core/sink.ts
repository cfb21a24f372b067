import type { Clock } from '../base/clock.ts';
import type { ChangeKind, Row } from './change.ts';
import type { StreamChange } from './consumer.ts';
import { isTidingsError, type TidingsError } from './errors.ts';
import type { Logger } from './logger.ts';
import type { RowShape } from './rows/row-shape.ts';
import type { StoredRows } from './rows/stored-rows.ts';
import type { TableSchema } from './table-schema.ts';

/**
 * A sink writes rows to another data store. It knows nothing of relays, groups and mappings: it is handed batches of rows that are
 * made for it, and says when they are durable.
 *
 * Contract, checked by the conformance suite in `tidings/testing`:
 * - `write` resolves when every row of the batch is durable in the store, and not before: accepted is not durable (I2).
 * - Within a batch rows are in order, and their order per key is kept (I3). Batches of one lane are written one after the other; batches of
 *   different lanes at the same time: no key is in two lanes.
 * - Rows come again after a crash, a lost answer or a rejection (I4). Written again, they leave the store as it was; a `transactional` sink
 *   does not even do the work again, as it is never handed what its checkpoint covers.
 * - What cannot be written exactly is refused with an error that names target, column and remedy, never bent to fit (I1). Neither row values nor
 *   secrets are in errors or logs (I10).
 * - A row that is refused does no harm to others: see `RowsRefused`.
 */
export interface Sink {
  /** What holds after a crash. */
  readonly promise: SinkPromise;
  /** For sinks that write rows as they stand: how rows come to it without an object for each. Left out: they do not. */
  readonly packing?: RowPacking;
  /**
   * Connects, and looks at everything that writing needs.
   *
   * @throws TidingsError with what is missing and the remedy
   */
  open(context: SinkContext): Promise<void>;
  /**
   * Told of each target before its first row, and again when the rows' definition has changed; awaited before the first such row is written. Creates
   * or changes the target as far as the sink's schema policy lets it.
   *
   * @throws TidingsError SINK_SCHEMA_CONFLICT when the rows cannot go there
   */
  prepare(target: SinkTarget): Promise<TargetPlan>;
  /**
   * Writes a batch. Called for one batch of a lane at a time.
   *
   * @throws RowsRefused when rows can never be written as they are; TidingsError for everything else: `backoff` and `reconnect` are tried again with
   *   the same batch, all others stop the sink. After SINK_FENCED this sink object is closed, and another one claims anew
   */
  write(batch: SinkBatch): Promise<void>;
  /**
   * Empties a target, of which all rows went at once in the source. No batch is being written meanwhile. A sink with checkpoints stores the given ones
   * with the effect. When no row of the target has come yet only its name is known: it has no columns then, and was not prepared.
   */
  truncate(target: SinkTarget, checkpoints: readonly SinkCheckpoint[]): Promise<void>;
  /**
   * Takes these partitions over: from then on whoever had them before, perhaps another process, writes nothing of theirs any more. Returns all
   * checkpoints of this sink that the store has, which are kept with the data. A partition that was claimed once has some, with the SCN 0 as long as nothing of it
   * was written. Called before the first row of a partition, each time it is assigned, and with none to ask for the checkpoints alone. Required of `transactional` sinks,
   * and of them alone.
   *
   * A `write` moves a checkpoint only if the partition is still this sink's, and only from where it left it. Otherwise nothing of the batch is written, and
   * SINK_FENCED is thrown. A write whose answer was lost finds its own checkpoint there already, and is done.
   */
  claim?(partitions: readonly number[]): Promise<readonly SinkCheckpoint[]>;
  /** The rows that the store has under these keys, in their order; null where it has none. For comparing. */
  read?(target: SinkTarget, keys: readonly Row[]): Promise<readonly (Row | null)[]>;
  /** Ends what is open. What was not durable is not written. Idempotent. */
  close(): Promise<void>;
}

/**
 * - `transactional`: the checkpoint lies in the store and moves in the same transaction as the data: each effect once (I5).
 * - `versioned`: a row carries its SCN, and the store refuses older ones: whatever comes again changes nothing (I5).
 * - `at-least-once`: after a crash rows may be written again.
 */
export type SinkPromise = 'transactional' | 'versioned' | 'at-least-once';

export interface SinkContext {
  /** The sink's name in the configuration. Checkpoints in the store carry it. */
  readonly name: string;
  /** The stream that it follows. */
  readonly stream: string;
  /**
   * How changes come: `key`: lanes in parallel, in order per key; `transaction`: whole transactions of the source in commit order, in one lane.
   */
  readonly order: 'key' | 'transaction';
  /** Lanes that write at the same time, besides the serial one. */
  readonly lanes: number;
  readonly log: Logger;
  readonly clock: Clock;
  /** Aborted when the sink is to stop: what waits ends then. */
  readonly signal: AbortSignal;
}

/**
 * Where rows go, and what they look like there. The same object as long as nothing of it changes, so that a sink can keep what it has made of it
 * under the object itself.
 */
export interface SinkTarget {
  /** Its name and columns as the mapping leaves them. Rows may lack columns, never have others. Nested values are of type `json`. */
  readonly table: TableSchema;
  /** What the configuration says of this target, in the words of the sink's own schema (`index`, `topic`, …). */
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * The columns of which rows may bring parts only (`SinkRow.patches`); left out: none. A sink that cannot change a part of a document refuses such a
   * target in `prepare`.
   */
  readonly patched?: readonly string[];
  /** Rows of other definitions go there, too: a column that is not among these is no column that has gone. Left out: no. */
  readonly isShared?: boolean;
}

export interface TargetPlan {
  /**
   * True when rows of this target must be written in commit order across its keys, as the store compares more than the key (a secondary unique key):
   * they all go through the serial lane.
   */
  readonly serial: boolean;
}

/** A row for a target, as the mapping has made it of a change. JSON columns hold the document's text. */
export interface SinkRow {
  readonly target: SinkTarget;
  /** `upsert`: whether the row is there already is not known. An `update` may have moved the key: `before` then has the old one. */
  readonly kind: ChangeKind;
  /** The target's key: after the change; before it, for a delete. Null for a target without one. */
  readonly key: Row | null;
  /** As far as it was logged; null for an insert or upsert. */
  readonly before: Row | null;
  /** As far as it was logged: a column that is absent is left as it is. Null for a delete. */
  readonly after: Row | null;
  /** Changes to parts of documents that `after` does not hold as a whole, in this order. Only in targets that say so (`SinkTarget.patched`). */
  readonly patches?: readonly NestedPatch[];
  /** A row has a higher SCN than all earlier states of its key. Two rows share one only if they came of one change. */
  readonly scn: number;
  /** The change that it was made of, for sinks that pass on more than the row. */
  readonly change: StreamChange;
}

/**
 * A change to a part of a document in a `json` column. Made twice, it leaves the document as it was. What is missing on the path is made; values are
 * JSON text.
 *
 * - `set`: the member at the path has this value; null: there is no such member.
 * - `put`: in the array at the path, the element whose members are those of `key` is this one; without such an element it comes at the end.
 * - `remove`: the array at the path has no such element.
 */
export type NestedPatch =
  | { readonly kind: 'set'; readonly path: NestedPath; readonly value: string | null }
  | { readonly kind: 'put'; readonly path: NestedPath; readonly key: NestedKey; readonly element: string }
  | { readonly kind: 'remove'; readonly path: NestedPath; readonly key: NestedKey };

/** The column, then the names of members inside its document. */
export type NestedPath = readonly [column: string, ...members: string[]];

/** Members of an element, and the JSON text of their values, that tell it from the others. */
export type NestedKey = Readonly<Record<string, string>>;

/**
 * How a sink takes rows that the mapping leaves as they are: straight from the form that the stream's log has them in (core/rows/row-target.ts) into
 * the sink's own, without a row object in between. It must come to the same as `SinkBatch.rows` would.
 *
 * It is an offer that is taken where everything allows it: with `order: key`, and for rows whose keys are not blocked. Packs are never refused in part: a row that has no
 * exact form makes `RowPack.row` throw, and all rows of that batch come one by one.
 */
export interface RowPacking {
  /** Whether rows of this shape can go so. Asked after `prepare`. */
  takes(target: SinkTarget, shape: RowShape): boolean;
  /** An empty pack. */
  begin(): RowPack;
}

/** Rows in a sink's own form, to be written as a whole. */
export interface RowPack {
  /** The rows that come next are of this run, of which `takes` was true of target and shape. */
  run(rows: StoredRows, about: { readonly target: SinkTarget; readonly committedAtUs: number }): void;
  /**
   * A row of the run.
   *
   * @param start where its images begin, behind the row's header
   * @param end behind them
   * @throws an error when it cannot go so, after which the pack is not used any more
   */
  row(scn: number, start: number, end: number): void;
}

export interface SinkBatch {
  /** 0 to `lanes` − 1, or `serial`. */
  readonly lane: number | 'serial';
  readonly rows: readonly SinkRow[];
  /** Instead of rows, what `packing` has made of them, in order. */
  readonly packs?: readonly RowPack[];
  /** To be stored with the rows by a sink that keeps checkpoints: one per partition at most. */
  readonly checkpoints: readonly SinkCheckpoint[];
  /**
   * False: the source's transaction goes on in the next batch of this lane, and what is written now must not be seen before its end. Such a batch has no
   * checkpoints. Rows that are refused in a later piece leave the earlier ones as they are; all other failures lose them, and the whole comes again to
   * another sink object. Always true with `order: key`.
   */
  readonly endsTransaction: boolean;
}

/**
 * Everything of this partition up to the SCN is in the store: of the partition's rows that go through the serial lane, or of its others. Each such pair moves
 * on its own, so that the number of lanes may change.
 */
export interface SinkCheckpoint {
  /** −1: of the whole stream, with `order: transaction`. */
  readonly partition: number;
  readonly serial: boolean;
  readonly scn: number;
}

/** Rows that the store can never take as they are. */
export class RowsRefused extends Error {
  override readonly name: string = 'RowsRefused';
  readonly rows: readonly RefusedRow[];
  /** Whether the batch's other rows are durable. When they are not, they come again, without the refused ones. */
  readonly areOthersDurable: boolean;

  constructor(rows: readonly RefusedRow[], { areOthersDurable }: { readonly areOthersDurable: boolean }) {
    super(`${rows.length} rows were refused`);
    this.rows = rows;
    this.areOthersDurable = areOthersDurable;
  }
}

/** Whether another process has taken partitions over. The same write will never pass: it takes a new claim, by a new sink object. */
export function isFenced(error: unknown): boolean {
  return isTidingsError(error) && error.code === 'SINK_FENCED';
}

export interface RefusedRow {
  /** Its index in `SinkBatch.rows`. */
  readonly index: number;
  readonly error: TidingsError;
}
