/** Waits that were measured since the last look, in ms. */
export interface Lag {
  readonly medianMs: number;
  readonly maxMs: number;
}

/**
 * Time from the moment a client sends COMMIT to the moment its order reaches the follower's callback. Both are in this process, on
 * one clock, so the figure is exact; it includes the server's own time for the commit.
 */
export class LagMeter {
  readonly #sentMs = new Map<number, number>();
  #waits: number[] = [];
  readonly #all: number[] = [];

  sent(order: number): void {
    this.#sentMs.set(order, performance.now());
  }

  seen(order: number): void {
    const sentMs = this.#sentMs.get(order);
    if (sentMs === undefined) return;
    this.#sentMs.delete(order);
    const waitMs = performance.now() - sentMs;
    this.#waits.push(waitMs);
    this.#all.push(waitMs);
  }

  /** Since the last call; null when nothing came. */
  take(): Lag | null {
    const lag = summary(this.#waits);
    this.#waits = [];
    return lag;
  }

  total(): Lag | null {
    return summary(this.#all);
  }
}

function summary(waits: readonly number[]): Lag | null {
  const sorted = waits.toSorted((a, b) => a - b);
  const maxMs = sorted.at(-1);
  return maxMs === undefined ? null : { medianMs: sorted[sorted.length >> 1] ?? 0, maxMs };
}
