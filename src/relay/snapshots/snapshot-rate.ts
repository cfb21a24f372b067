import type { Clock } from '../../base/clock.ts';

/** Over so long the rate is taken. */
const WINDOW_MS = 10_000;

/** How fast a snapshot comes forward, as far as one can say. */
export class SnapshotRate {
  readonly #clock: Clock;
  #from: { readonly ms: number; readonly rows: number } | null = null;
  #next: { readonly ms: number; readonly rows: number } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Told at each look how many rows were read by now. Null: it cannot be said yet. */
  perSecond(rows: number): number | null {
    const now = { ms: this.#clock.nowMs(), rows };
    this.#from ??= now;
    this.#next ??= now;
    if (now.ms - this.#next.ms >= WINDOW_MS) {
      this.#from = this.#next;
      this.#next = now;
    }
    const ms = now.ms - this.#from.ms;
    return ms < 500 ? null : ((rows - this.#from.rows) * 1000) / ms;
  }
}
