import type { Clock } from '../base/clock.ts';
import { isTidingsError, TidingsError } from '../core/errors.ts';
import { failpoint } from '../core/failpoint.ts';
import {
  type RefusedRow,
  RowsRefused,
  type Sink,
  type SinkBatch,
  type SinkCheckpoint,
  type SinkRow,
} from '../core/sink.ts';
import type { CommitOrder, Unit } from './commit-order.ts';
import type { BatchLimits } from './delivery-types.ts';
import { checkpointsOf, type LanePack } from './lane-pack.ts';
import { RowQueue } from './row-queue.ts';
import { rowSize } from './row-size.ts';
import type { WriteGate } from './write-gate.ts';

export interface LaneOptions {
  readonly lane: number | 'serial';
  /** `transaction`: batches end where transactions do, unless one is too large for a batch. */
  readonly order: 'key' | 'transaction';
  readonly sink: Sink;
  readonly gate: WriteGate;
  readonly commits: CommitOrder;
  readonly limits: BatchLimits;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly parking: Parking;
  readonly written: (what: Written) => void;
  /** Told what stops the lane for good. */
  readonly failed: (error: unknown) => void;
  /** Told when rows have left the lane: there is room again. */
  readonly drained: () => void;
}

/** Rows that are durable. */
export interface Written {
  readonly rows: number;
  /** Of the last of them; null when there are none, as all were set aside. */
  readonly last: { readonly scn: number; readonly committedAtUs: number } | null;
}

/** Where rows go that the store refuses, and those behind them. */
export interface Parking {
  /** False: no row is blocked, whatever its key. */
  readonly hasBlocked: boolean;
  /** Whether the row's key is blocked by an earlier row that was refused. */
  blocks(row: SinkRow): boolean;
  /** Sets rows aside: durable when it resolves. Null for those that are only blocked. @throws TidingsError when they must not be */
  park(rows: readonly ParkedRow[]): Promise<void>;
}

export interface ParkedRow {
  readonly row: SinkRow;
  /** Why it was refused; null: an earlier row of its key was. */
  readonly error: TidingsError | null;
}

interface Taken {
  /** So many items of the queue. */
  readonly items: number;
  readonly checkpoints: readonly SinkCheckpoint[];
  readonly endsTransaction: boolean;
}

/**
 * One writer of a sink: rows wait here in order, and go to the store batch by batch, each when the one before it is durable. What comes while
 * the store is at work makes the next batch, so that batches are as large as the store is slow.
 *
 * What leads to a refused row never overtakes it: rows of its key are looked for when a batch is made, right before it is written (I3). A pack cannot be
 * parted: it is never behind rows, which may yet be refused.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #queue = new RowQueue();
  /** Before everything that is in the queue. */
  #packs: { readonly pack: LanePack; readonly unit: Unit }[] = [];
  #packedRows = 0;
  #packedBytes = 0;
  #isOpen = false;
  #lastScn = 0;
  #work: Promise<void> | null = null;
  /** Something was pushed since the last look. */
  #isTold = false;
  #stopped = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Rows that are not durable yet. */
  get rows(): number {
    return this.#packedRows + this.#queue.rows;
  }

  /** What they take up, roughly. */
  get bytes(): number {
    return this.#packedBytes + this.#queue.bytes;
  }

  /** Rows that are no pack. */
  get hasLooseRows(): boolean {
    return this.#queue.length > 0;
  }

  /** Pieces of a transaction are in the store, or wait here for the others. */
  get isOpen(): boolean {
    return this.#isOpen || (this.#options.order === 'transaction' && this.#queue.length > 0);
  }

  /** Commit time of the oldest of them, µs; null: there is none. */
  get oldestUs(): number | null {
    return this.#packs[0]?.pack.firstUs ?? this.#queue.first?.change.committedAtUs ?? null;
  }

  /** Of what was pushed last. */
  get lastScn(): number {
    return this.#lastScn;
  }

  push(row: SinkRow, partition: number, unit: Unit): void {
    this.#queue.push(row, { partition, bytes: rowSize(row), unit });
    unit.pending++;
    this.#lastScn = row.scn;
    this.#start();
  }

  /** Only while there are no loose rows. */
  pushPack(pack: LanePack, unit: Unit): void {
    this.#packs.push({ pack, unit });
    this.#packedRows += pack.rows;
    this.#packedBytes += pack.bytes;
    unit.pending++;
    this.#lastScn = pack.lastScn;
    this.#start();
  }

  /** The source's transaction, of which the last rows were pushed, is whole. */
  endTransaction(scn: number, partition: number, unit: Unit | null): void {
    this.#queue.pushEnd(scn, { partition, unit });
    this.#lastScn = scn;
    if (unit !== null) unit.pending++;
    this.#start();
  }

  /** Resolves when everything that was pushed is durable or set aside, or the lane has stopped. */
  async idle(): Promise<void> {
    while (this.#work !== null) {
      // oxlint-disable-next-line no-await-in-loop -- new rows may have come meanwhile
      await this.#work;
    }
  }

  #start(): void {
    this.#isTold = true;
    if (this.#work !== null || this.#stopped) return;
    this.#work = this.#run()
      .catch((error: unknown) => {
        this.#stopped = true;
        this.#options.failed(error);
      })
      .finally(() => {
        this.#work = null;
        // It came after the last look, and before this.
        if (this.#isTold) this.#start();
      });
  }

  async #run(): Promise<void> {
    const { clock, limits, signal } = this.#options;
    // So that what is pushed in the same turn of the event loop goes along.
    if (limits.delayMs > 0) await clock.sleep(limits.delayMs, signal);
    else await Promise.resolve();
    for (;;) {
      signal.throwIfAborted();
      this.#isTold = false;
      if (this.#packs.length > 0) {
        // oxlint-disable-next-line no-await-in-loop -- a lane writes one batch after the other
        await this.#writePacks();
        continue;
      }
      const next = this.#take();
      if (next === null) return;
      // oxlint-disable-next-line no-await-in-loop -- a lane writes one batch after the other
      await this.#write(next);
      this.#isOpen = !next.endsTransaction;
      this.#remove(next.items);
    }
  }

  #remove(items: number): void {
    const { commits, drained } = this.#options;
    this.#queue.remove(items, (unit, count) => commits.done(unit, count));
    drained();
  }

  async #writePacks(): Promise<void> {
    const { gate, sink, lane, written, commits, drained } = this.#options;
    const taken = this.#packs.slice(0, this.#packsThatFit());
    const packs = taken.map(({ pack }) => pack);
    const batch: SinkBatch = {
      lane,
      rows: [],
      packs: packs.map(({ pack }) => pack),
      checkpoints: checkpointsOf(packs),
      endsTransaction: true,
    };
    failpoint('sink-write');
    await gate.run(() => sink.write(batch));
    failpoint('sink-written');
    const last = packs.at(-1) as LanePack;
    const [rows, bytes] = [sum(packs, ({ rows }) => rows), sum(packs, ({ bytes }) => bytes)];
    written({ rows, last: { scn: last.lastScn, committedAtUs: last.lastUs } });
    this.#packs = this.#packs.slice(taken.length);
    this.#packedRows -= rows;
    this.#packedBytes -= bytes;
    for (const { unit } of taken) commits.done(unit);
    drained();
  }

  /** At least one. */
  #packsThatFit(): number {
    const { rowsMax, bytesMax } = this.#options.limits;
    let [rows, bytes] = [0, 0];
    const end = this.#packs.findIndex(({ pack }, index) => {
      rows += pack.rows;
      bytes += pack.bytes;
      return index > 0 && (rows > rowsMax || bytes > bytesMax);
    });
    return end < 0 ? this.#packs.length : end;
  }

  /** Null: there is nothing to write yet. */
  #take(): Taken | null {
    const { order, limits, lane } = this.#options;
    const queue = this.#queue;
    const span = queue.span(limits);
    if (span === null) return null;
    const { items, isFull } = span;
    if (order === 'key') {
      return { items, checkpoints: queue.checkpointsOf(items, lane === 'serial'), endsTransaction: true };
    }
    const whole = queue.wholeTransactions(items);
    if (whole > 0) return { items: whole, checkpoints: [queue.lastCheckpoint(whole)], endsTransaction: true };
    // The rest of the transaction is still to come; only when it is too large for one batch it goes over in pieces.
    return isFull ? { items, checkpoints: [], endsTransaction: false } : null;
  }

  async #write({ items, checkpoints, endsTransaction }: Taken): Promise<void> {
    const { gate, sink, parking, written, lane } = this.#options;
    let rows = this.#queue.rowsOf(items);
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- each attempt is made without the rows that the one before has shown to be refused
      rows = await this.#withoutBlocked(rows);
      const batch: SinkBatch = { lane, rows, checkpoints, endsTransaction };
      try {
        failpoint('sink-write');
        // What was lost with the earlier pieces of a transaction cannot be made good with this one: all of it has to be read again.
        // oxlint-disable-next-line no-await-in-loop -- as above
        await (this.#isOpen ? sink.write(batch) : gate.run(() => sink.write(batch)));
        failpoint('sink-written');
        written(whatOf(rows));
        return;
      } catch (error) {
        if (!(error instanceof RowsRefused)) throw error;
        // oxlint-disable-next-line no-await-in-loop -- set aside before anything passes them
        await parking.park(error.rows.map((refused) => parkedRow(rows, refused)));
        const refused = new Set(error.rows.map(({ index }) => index));
        rows = rows.filter((_, index) => !refused.has(index));
        if (!error.areOthersDurable) continue;
        written(whatOf(rows));
        return;
      }
    }
  }

  async #withoutBlocked(rows: SinkRow[]): Promise<SinkRow[]> {
    const { parking } = this.#options;
    if (!parking.hasBlocked) return rows;
    const blocked = rows.filter((row) => parking.blocks(row));
    if (blocked.length === 0) return rows;
    await parking.park(blocked.map((row) => ({ row, error: null })));
    const set = new Set(blocked);
    return rows.filter((row) => !set.has(row));
  }
}

function whatOf(rows: readonly SinkRow[]): Written {
  const last = rows.at(-1);
  return {
    rows: rows.length,
    last: last === undefined ? null : { scn: last.scn, committedAtUs: last.change.committedAtUs },
  };
}

function sum(packs: readonly LanePack[], of: (pack: LanePack) => number): number {
  return packs.reduce((total, pack) => total + of(pack), 0);
}

function parkedRow(rows: readonly SinkRow[], { index, error }: RefusedRow): ParkedRow {
  const row = rows[index];
  if (row !== undefined && isTidingsError(error)) return { row, error };
  throw new TidingsError('INTERNAL_ERROR', `a sink has refused row ${index} of ${rows.length}`);
}
