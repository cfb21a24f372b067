import type { ChangeKind } from '../../core/change.ts';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import type { RowShape } from '../../core/rows/row-shape.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import { damagedBatch } from './batch-header.ts';
import {
  ENTRY,
  FLAG,
  ROW_OP,
  RUN_BYTES,
  SHAPE_ENTRY_BYTES,
  STATEMENT_ENTRY_BYTES,
  TRANSACTION_BYTES,
  TRANSACTION_FLAG,
} from './batch-layout.ts';
import { FilterLane, PartitionSet } from './filter-lane.ts';
import type { FilterOutput } from './filter-output.ts';
import { FilteredBatch, type StoredRun } from './filtered-batch.ts';
import { DamagedRow } from './row-runtime.ts';
import { RowSelection } from './row-selection.ts';
import { selectRows } from './select-rows.ts';
import { ShapeList, type ShapePlan } from './shape-plan.ts';
import { openStoredBatch, type StoredBatch } from './stored-batch.ts';

/** What a reader wants of a stream. docs/reference/filters.md */
export interface FilterOptions {
  /** Table patterns: core/table-pattern.ts. None: all tables. */
  readonly tables?: readonly string[] | undefined;
  /** Kinds of row changes. Of an update that moved its key, `update` counts, also when it comes in halves. None: all. */
  readonly ops?: readonly ChangeKind[] | undefined;
  /** The columns wanted, by table pattern; the key's columns stay in any case. */
  readonly columns?: Readonly<Record<string, readonly string[]>> | undefined;
  /** A condition by table pattern. */
  readonly where?: Readonly<Record<string, string>> | undefined;
}

/** One stored batch to be filtered. */
export interface FilterCall {
  readonly start: number;
  readonly lane: FilterLane;
  readonly output: FilterOutput;
  /** Whether shapes that the receiver was not told of are written before the batch. @default true */
  readonly tell?: boolean;
}

/** Where shapes and tables are known: the log. */
export interface ShapeLookup {
  /** @throws TidingsError LOG_DAMAGED for a shape that it does not know */
  shape(fingerprint: string): RowShape;
  /** The latest definitions, against which column names are checked at once. */
  tables(): readonly TableSchema[];
}

/**
 * Chooses what of stored batches one receiver gets, on their bytes. What a run needs is decided once per shape and remembered, so that
 * per row there is neither decoding nor a comparison of names, unless a `where` asks for values.
 *
 * What is written (FilterOutput) are batches with FLAG.filtered, uncompressed and without a checksum, that cover the same SCNs as the stored
 * ones, and before them, where needed, a control frame with the shapes that the receiver was not told of yet.
 *
 *     const filter = new BatchFilter({ tables: ['shop.*'], partitionCount: log.partitions, shapes: log });
 *     const lane = filter.lane({ after, partitions: [3, 4] });
 *     if (!filter.filter(chunk.bytes, view, { start, lane, output })) … // nothing of this batch is for this reader
 */
export class BatchFilter {
  /** Stored bytes can go out as they are, as long as no partitions are asked for and no SCN lies inside the batch. */
  readonly passesAll: boolean;
  readonly #partitionCount: number;
  readonly #selection: RowSelection;
  readonly #shapes: ShapeLookup;
  /** Fingerprints of the shapes that the receiver was told of. */
  readonly #told = new Set<string>();
  /** What the batch that was written last refers to. */
  #written: ShapeList | null = null;
  readonly #plans = new Map<string, ShapePlan | null>();
  readonly #lists = new Map<string, ShapeList>();
  readonly #run: StoredRun = {
    op: 0,
    scnOffset: 0,
    count: 0,
    statementFrom: 0,
    statementBytes: 0,
    rowsFrom: 0,
    rowsTo: 0,
    told: false,
  };

  /** @throws TidingsError CONFIG_INVALID naming the pattern, the column with those that are near, or the place in the condition */
  constructor(options: FilterOptions & { readonly partitionCount: number; readonly shapes: ShapeLookup }) {
    this.#selection = new RowSelection(options);
    this.#shapes = options.shapes;
    this.#partitionCount = options.partitionCount;
    this.passesAll = this.#selection.selectsAll;
    this.#selection.validate(options.shapes.tables());
  }

  /** @throws TidingsError CONFIG_INVALID naming a partition that the stream does not have */
  lane(options: {
    readonly after: number;
    readonly partitions: Iterable<number> | null;
    readonly afterOf?: Float64Array | null;
    readonly audience?: string | null;
  }): FilterLane {
    const { after, afterOf = null, audience = null } = options;
    const partitions = options.partitions === null ? null : this.partitionSet(options.partitions);
    return new FilterLane({ after, partitions, afterOf, audience });
  }

  /** For a lane whose partitions change. @throws as `lane` */
  partitionSet(partitions: Iterable<number>): PartitionSet {
    return new PartitionSet(this.#partitionCount, partitions);
  }

  /**
   * Writes what the lane's reader gets of the stored batch that begins at `start` behind what is in the output.
   *
   * False when that is nothing: then the output is as it was. The reader has all the same got past the batch, and may be told so, but for
   * one case: while `lane.open` is `sent`, that would be a place inside a transaction of which it has some of the changes.
   *
   * @throws TidingsError LOG_DAMAGED
   */
  filter(bytes: Buffer, view: DataView, { start, lane, output, tell = true }: FilterCall): boolean {
    const writtenBefore = output.at;
    try {
      return this.#filter(openStoredBatch(bytes, view, start), { lane, output, tell });
    } catch (error) {
      output.at = writtenBefore;
      if (isTidingsError(error)) throw error;
      if (!(error instanceof DamagedRow) && !(error instanceof RangeError)) throw error;
      throw new TidingsError('LOG_DAMAGED', 'the rows of a batch contradict their shape', {
        cause: error,
        details: { offset: start },
      });
    }
  }

  /** The shapes that the batch refers to which was written last. */
  writtenShapes(): RowShape[] {
    return this.#written === null ? [] : this.#written.outputs.map(({ shape }) => shape);
  }

  #filter(stored: StoredBatch, { lane, output, tell }: Omit<Required<FilterCall>, 'start'>): boolean {
    const continues = (stored.flags & FLAG.continues) !== 0;
    const ends = (stored.flags & FLAG.open) === 0;
    if (!continues) lane.open = 'none';
    else if (lane.open === 'none') lane.open = 'joined';
    const list = this.#listOf(stored);
    const written = new FilteredBatch(stored, list, { output, clearBegan: lane.open === 'unsent' });
    this.#walk(stored, written, list, lane);
    if (continues && ends && lane.open === 'sent') written.writeTransaction();
    const isEmpty = written.isEmpty;
    if (isEmpty) written.discard();
    else written.finish(tell ? this.#told : null);
    this.#written = isEmpty ? null : list;
    if (ends) lane.open = 'none';
    else if (!isEmpty) lane.open = 'sent';
    else if (!continues) lane.open = 'unsent';
    return !isEmpty;
  }

  #walk(stored: StoredBatch, written: FilteredBatch, list: ShapeList, lane: FilterLane): void {
    const { body, bodyView, bodyFrom, bodyTo } = stored;
    let at = bodyFrom;
    /** The present transaction is for others. */
    let hidden = false;
    while (at < bodyTo) {
      switch (body[at]) {
        case ENTRY.transaction: {
          const end = at + entryBytes(stored, at, TRANSACTION_BYTES);
          hidden = isForOthers(stored, lane, at, end);
          written.transaction(at, end);
          at = end;
          break;
        }
        case ENTRY.rows: {
          const end = at + entryBytes(stored, at, RUN_BYTES);
          if (!hidden) this.#rows(stored, written, { list, lane, at });
          at = end;
          break;
        }
        case ENTRY.schema:
        case ENTRY.truncate: {
          const end = at + entryBytes(stored, at, STATEMENT_ENTRY_BYTES);
          const scn = stored.firstScn + bodyView.getUint32(at + 4, true);
          if (!hidden && scn > lane.after && this.#wantsStatement(stored, at)) written.entry(at, end);
          at = end;
          break;
        }
        // The receiver learns of shapes by control frames, and only of those that it gets rows of.
        case ENTRY.shape:
          at += entryBytes(stored, at, SHAPE_ENTRY_BYTES);
          break;
        default:
          throw damagedEntry(stored, at);
      }
    }
  }

  #rows(
    stored: StoredBatch,
    written: FilteredBatch,
    { list, lane, at }: { readonly list: ShapeList; readonly lane: FilterLane; readonly at: number },
  ): void {
    const { body, bodyView, firstScn } = stored;
    const plan = list.plans[bodyView.getUint16(at + 2, true)];
    if (plan === undefined) throw damagedEntry(stored, at);
    const op = body[at + 1] as number;
    if (plan === null || (this.#selection.kinds & (1 << (op & ROW_OP.kindMask))) === 0) return;
    const run = this.#run;
    run.op = op;
    run.scnOffset = bodyView.getUint32(at + 4, true);
    run.count = bodyView.getUint32(at + 8, true);
    run.statementFrom = at + RUN_BYTES;
    run.statementBytes = bodyView.getUint32(at + 16, true);
    run.rowsFrom = run.statementFrom + run.statementBytes;
    run.rowsTo = run.rowsFrom + bodyView.getUint32(at + 12, true);
    run.told = false;
    const isWhole =
      lane.partitions === null &&
      plan.matches === null &&
      firstScn + run.scnOffset > lane.after &&
      plan.output.project === null;
    if (isWhole) written.wholeRun(at, run, plan.output);
    else selectRows(stored, written, { run, plan, lane });
  }

  /** Of a schema or truncate entry: the ops say nothing about them. */
  #wantsStatement({ body, bodyView }: StoredBatch, at: number): boolean {
    if (this.#selection.selectsAllTables) return true;
    const tableFrom = at + STATEMENT_ENTRY_BYTES + bodyView.getUint16(at + 2, true);
    const tableTo = tableFrom + bodyView.getUint16(at + 8, true);
    const database = body.toString('utf8', at + STATEMENT_ENTRY_BYTES, tableFrom);
    if (((body[at + 1] as number) & HAS_TABLE) === 0) return this.#selection.touches(database);
    return this.#selection.watches(database, body.toString('utf8', tableFrom, tableTo));
  }

  #listOf({ bytes, shapesFrom, shapesTo }: StoredBatch): ShapeList {
    const key = bytes.toString('latin1', shapesFrom, shapesTo);
    let list = this.#lists.get(key);
    if (list === undefined) {
      const plans: (ShapePlan | null)[] = [];
      for (let at = shapesFrom; at < shapesTo; at += 8) plans.push(this.#planOf(bytes.toString('hex', at, at + 8)));
      list = new ShapeList(plans);
      if (this.#lists.size >= LISTS_MAX) this.#lists.clear();
      this.#lists.set(key, list);
    }
    return list;
  }

  #planOf(fingerprint: string): ShapePlan | null {
    let plan = this.#plans.get(fingerprint);
    if (plan === undefined) {
      plan = this.#selection.plan(this.#shapes.shape(fingerprint));
      if (this.#plans.size >= PLANS_MAX) this.#plans.clear();
      this.#plans.set(fingerprint, plan);
    }
    return plan;
  }
}

/** Remembered before all are decided anew: by fingerprint, and by list of fingerprints. */
const PLANS_MAX = 16_384;
const LISTS_MAX = 256;

// oxlint-disable-next-line max-params -- one for each transaction: an options object more would be felt
function isForOthers({ body }: StoredBatch, { audience }: FilterLane, at: number, end: number): boolean {
  if (((body[at + 1] as number) & TRANSACTION_FLAG.addressed) === 0) return false;
  return audience === null || audience.compare(body, at + TRANSACTION_BYTES, end) !== 0;
}

/** Bit 0 of a statement entry's flags. */
const HAS_TABLE = 1;

/**
 * The length of an entry with its variable parts, checked to lie within the body.
 *
 * @param fixed the bytes before them
 */
function entryBytes(stored: StoredBatch, at: number, fixed: number): number {
  const { body, bodyView, bodyTo } = stored;
  if (bodyTo - at < fixed) throw damagedEntry(stored, at);
  const length = fixed + variableBytes(body[at] as number, bodyView, at);
  if (length > bodyTo - at) throw damagedEntry(stored, at);
  return length;
}

function variableBytes(type: number, view: DataView, at: number): number {
  switch (type) {
    case ENTRY.transaction:
      return view.getUint16(at + 2, true);
    case ENTRY.rows:
      return view.getUint32(at + 12, true) + view.getUint32(at + 16, true);
    case ENTRY.shape:
      return view.getUint32(at + 4, true);
    default:
      return view.getUint16(at + 2, true) + view.getUint16(at + 8, true) + view.getUint32(at + 12, true);
  }
}

function damagedEntry({ start, firstScn, bodyFrom }: StoredBatch, at: number): TidingsError {
  return damagedBatch('an entry does not fit into it, or is of an unknown kind', {
    start,
    firstScn,
    bodyOffset: at - bodyFrom,
  });
}
