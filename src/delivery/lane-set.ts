import type { Sink } from '../core/sink.ts';
import type { Unit } from './commit-order.ts';
import type { BatchLimits } from './delivery-types.ts';
import { Lane, type LaneOptions } from './lane.ts';
import type { LanePack } from './lane-pack.ts';

export interface LaneSetOptions extends Omit<LaneOptions, 'lane' | 'drained'> {
  readonly sink: Sink;
  /** Lanes that write at the same time, besides the serial one, which there is with `order: key`. */
  readonly count: number;
  readonly limits: BatchLimits;
}

/** How much may be on its way to the store, in batches of each lane. */
const BATCHES_AHEAD = 3;

/** The lanes of a sink, and what is to be known of all of them together. */
export class LaneSet {
  readonly lanes: readonly Lane[];
  /** Null with whole transactions. */
  readonly serial: Lane | null;
  readonly #all: readonly Lane[];
  readonly #limits: BatchLimits;
  #room: PromiseWithResolvers<void> | null = null;

  constructor({ count, ...options }: LaneSetOptions) {
    const lane = (which: number | 'serial'): Lane =>
      new Lane({ ...options, lane: which, drained: () => this.wakeUp() });
    this.#limits = options.limits;
    this.lanes = Array.from({ length: count }, (_, index) => lane(index));
    this.serial = options.order === 'key' ? lane('serial') : null;
    this.#all = this.serial === null ? this.lanes : [...this.lanes, this.serial];
  }

  /** Rows that are on their way to the store. */
  get rows(): number {
    return this.#all.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** Commit time of the oldest of them, µs. */
  get oldestUs(): number | null {
    const times = this.#all.flatMap(({ oldestUs }) => (oldestUs === null ? [] : [oldestUs]));
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Some transaction is in the store in part, or waits for the rest of it. */
  get isOpen(): boolean {
    return this.#all.some((lane) => lane.isOpen);
  }

  /** Some rows that wait are no packs. */
  get hasLooseRows(): boolean {
    return this.#all.some((lane) => lane.hasLooseRows);
  }

  /** @param packs by lane */
  pushPacks(packs: readonly (readonly LanePack[])[], unit: Unit): void {
    for (const [index, lane] of this.lanes.entries()) {
      for (const pack of packs[index] ?? []) lane.pushPack(pack, unit);
    }
  }

  /** Resolves when all are empty, or have stopped. */
  async idle(): Promise<void> {
    await Promise.all(this.#all.map((lane) => lane.idle()));
  }

  /** Waits until less is on its way, as long as that makes sense. */
  async hasRoom(isGoingOn: () => boolean): Promise<void> {
    const { rowsMax, bytesMax } = this.#limits;
    const most = this.#all.length * BATCHES_AHEAD;
    const isFull = (): boolean =>
      this.rows > most * rowsMax || this.#all.reduce((sum, { bytes }) => sum + bytes, 0) > most * bytesMax;
    while (isFull() && isGoingOn()) {
      this.#room = Promise.withResolvers();
      // oxlint-disable-next-line no-await-in-loop -- until there is room
      await this.#room.promise;
    }
  }

  /** Whoever waits for room looks again. */
  wakeUp(): void {
    this.#room?.resolve();
    this.#room = null;
  }
}
