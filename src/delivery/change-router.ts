import type { StreamChange, StreamEntry } from '../core/consumer.ts';
import { isTidingsError } from '../core/errors.ts';
import type { MappedChange, MappedRow, Mapper } from '../core/mapper.ts';
import type { SinkTarget, TargetPlan } from '../core/sink.ts';
import type { Unit } from './commit-order.ts';
import { WHOLE_STREAM } from './delivery-types.ts';
import type { Lane } from './lane.ts';
import type { ParkedKeys } from './parked-keys.ts';
import type { StoredScns } from './stored-scns.ts';

export interface ChangeRouterOptions {
  readonly mapper: Mapper;
  readonly parked: ParkedKeys;
  readonly stored: StoredScns;
  readonly lanes: readonly Lane[];
  /** Null with whole transactions. */
  readonly serial: Lane | null;
  /** The plans of targets that were asked for. */
  readonly plans: ReadonlyMap<SinkTarget, TargetPlan>;
  /** Asks for one more: nothing of the target is written before. */
  readonly plan: (target: SinkTarget) => Promise<TargetPlan>;
}

/** So many changes are given to hooks that work on many at a time. */
const BATCH_MAX = 1000;

/** Makes rows of changes, and gives each to the lane that its partition has, or to the serial one. */
export class ChangeRouter {
  readonly #options: ChangeRouterOptions;
  /** Rows that follow one another mostly have the same target. */
  #lastTarget: SinkTarget | null = null;
  #lastIsSerial = false;

  constructor(options: ChangeRouterOptions) {
    this.#options = options;
  }

  /**
   * All rows of one change go to the lanes at once: a checkpoint says that all of them are there. A change comes in halves when it has moved its key.
   *
   * @param changes entries of the stream of which those from `from` to before `to` are changes
   */
  async route(
    changes: readonly StreamEntry[],
    { from, to, unit }: { readonly from: number; readonly to: number; readonly unit: Unit },
  ): Promise<void> {
    if (this.#options.mapper.mapBatch !== undefined) {
      await this.#routeBatches(changes.slice(from, to) as StreamChange[], unit);
      return;
    }
    for (let at = from; at < to;) {
      const change = changes[at] as StreamChange;
      const end = endOfChange(changes, at, to);
      // No promise for a change that takes none.
      const work =
        end === at + 1 ? this.#one(change, unit) : this.#halves(changes.slice(at, end) as StreamChange[], unit);
      // oxlint-disable-next-line no-await-in-loop -- changes are in order
      if (work !== null) await work;
      at = end;
    }
  }

  #one(change: StreamChange, unit: Unit): Promise<void> | null {
    const rows = this.#mapped(change);
    if (rows === null) return null;
    if (rows instanceof Promise || !this.#areKnown(rows)) return this.#later([change], rows, unit);
    for (let i = 0; i < rows.length; i++) this.#push(rows[i] as MappedRow, change, unit);
    return null;
  }

  #halves(halves: readonly StreamChange[], unit: Unit): Promise<void> | null {
    const ready: PlacedRow[] = [];
    for (const [index, change] of halves.entries()) {
      const rows = this.#mapped(change);
      if (rows === null) continue;
      if (rows instanceof Promise || !this.#areKnown(rows)) return this.#later(halves.slice(index), rows, unit, ready);
      for (const row of rows) ready.push({ row, change });
    }
    for (const { row, change } of ready) this.#push(row, change, unit);
    return null;
  }

  /** @param first the rows of the first of the changes */
  async #later(
    halves: readonly StreamChange[],
    first: readonly MappedRow[] | Promise<readonly MappedRow[]>,
    unit: Unit,
    ready: PlacedRow[] = [],
  ): Promise<void> {
    for (const [index, change] of halves.entries()) {
      let rows: readonly MappedRow[] | null;
      try {
        // oxlint-disable-next-line no-await-in-loop -- rows are in order
        rows = await (index === 0 ? first : this.#mapped(change));
      } catch (error) {
        this.#unmapped(change, error);
        continue;
      }
      // oxlint-disable-next-line no-await-in-loop -- as above
      await this.#know(rows ?? []);
      for (const row of rows ?? []) ready.push({ row, change });
    }
    for (const { row, change } of ready) this.#push(row, change, unit);
  }

  async #routeBatches(changes: readonly StreamChange[], unit: Unit): Promise<void> {
    const wanted = changes.filter((change) => !this.#isDone(change));
    for (let at = 0; at < wanted.length;) {
      let end = Math.min(at + BATCH_MAX, wanted.length);
      // Halves of one change stay together.
      while (end < wanted.length && wanted[end]?.scn === wanted[end - 1]?.scn) end++;
      // oxlint-disable-next-line no-await-in-loop -- changes are in order
      await this.#routeBatch(wanted.slice(at, end), unit);
      at = end;
    }
  }

  async #routeBatch(changes: readonly StreamChange[], unit: Unit): Promise<void> {
    const { parked, mapper } = this.#options;
    // Hooks are not asked about what is blocked already.
    const free = changes.filter((change) => !parked.blocksChange(change));
    const mapped = new Map<StreamChange, MappedChange>();
    const answers = free.length === 0 ? [] : ((await mapper.mapBatch?.(free)) ?? []);
    for (const [index, answer] of answers.entries()) mapped.set(free[index] as StreamChange, answer);
    for (let at = 0; at < changes.length;) {
      const end = endOfChange(changes, at, changes.length);
      const ready: PlacedRow[] = [];
      for (const change of changes.slice(at, end)) {
        const answer = mapped.get(change);
        // By one of the same batch, perhaps.
        if (answer === undefined || parked.blocksChange(change)) parked.parkChange(change, null);
        else if (answer.rows === null) this.#unmapped(change, answer.error);
        else {
          // oxlint-disable-next-line no-await-in-loop -- rows are in order
          await this.#know(answer.rows);
          for (const row of answer.rows) ready.push({ row, change });
        }
      }
      for (const { row, change } of ready) this.#push(row, change, unit);
      at = end;
    }
  }

  /** Null when nothing is to be written of the change. */
  #mapped(change: StreamChange): readonly MappedRow[] | Promise<readonly MappedRow[]> | null {
    const { parked, mapper } = this.#options;
    if (this.#isDone(change)) return null;
    if (parked.blocksChange(change)) {
      parked.parkChange(change, null);
      return null;
    }
    try {
      return mapper.map(change);
    } catch (error) {
      this.#unmapped(change, error);
      return null;
    }
  }

  /** Whether neither lane has anything to do. */
  #isDone(change: StreamChange): boolean {
    const { stored } = this.#options;
    const partition = change.partition ?? WHOLE_STREAM;
    return stored.has(partition, change.scn, false) && stored.has(partition, change.scn, true);
  }

  /** @throws what is not about the row */
  #unmapped(change: StreamChange, error: unknown): void {
    const isOfRow =
      isTidingsError(error) && error.code.startsWith('MAPPING_') && error.code !== ('MAPPING_INVALID' as string);
    if (!isOfRow) throw error;
    this.#options.parked.parkChange(change, error);
  }

  #areKnown(rows: readonly MappedRow[]): boolean {
    for (let i = 0; i < rows.length; i++) {
      const { target } = rows[i] as MappedRow;
      if (target !== this.#lastTarget && !this.#options.plans.has(target)) return false;
    }
    return true;
  }

  async #know(rows: readonly MappedRow[]): Promise<void> {
    for (const { target } of rows) {
      // oxlint-disable-next-line no-await-in-loop -- rows are in order
      if (!this.#options.plans.has(target)) await this.#options.plan(target);
    }
  }

  #push(row: MappedRow, change: StreamChange, unit: Unit): void {
    const { stored, lanes, serial } = this.#options;
    const partition = change.partition ?? WHOLE_STREAM;
    const isSerial = serial !== null && (!row.keepsKey || this.#isSerial(row.target));
    if (stored.has(partition, row.scn, isSerial)) return;
    const lane = isSerial ? serial : lanes[Math.max(partition, 0) % lanes.length];
    lane?.push(row, partition, unit);
  }

  #isSerial(target: SinkTarget): boolean {
    if (target !== this.#lastTarget) {
      this.#lastTarget = target;
      this.#lastIsSerial = this.#options.plans.get(target)?.serial === true;
    }
    return this.#lastIsSerial;
  }
}

interface PlacedRow {
  readonly row: MappedRow;
  readonly change: StreamChange;
}

/** Behind the entries that came of the same change as the one there. */
function endOfChange(entries: readonly StreamEntry[], at: number, to: number): number {
  const { scn } = entries[at] as StreamEntry;
  let end = at + 1;
  while (end < to && entries[end]?.scn === scn) end++;
  return end;
}
