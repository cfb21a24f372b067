/** Waits that were measured since the last look, in ms. */
export interface Lag {
  readonly count: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/**
 * Time from the moment a client sends COMMIT to the moment a consumer hands its order to the demo: through the server's commit, the
 * relay's fsynced log, and two processes. Both moments are in this process, on one clock, so the figure is exact.
 *
 * What was on its way while the relay or a consumer was dead is kept apart.
 */
export class LagMeter {
  readonly #sentMs = new Map<number, number>();
  #waits: number[] = [];
  readonly #outside: number[] = [];
  /** When the last outage ended; infinite while there is one. */
  #outageEndMs = Number.NEGATIVE_INFINITY;

  sent(order: number): void {
    this.#sentMs.set(order, performance.now());
  }

  seen(order: number): void {
    const sentMs = this.#sentMs.get(order);
    if (sentMs === undefined) return;
    this.#sentMs.delete(order);
    const waitMs = performance.now() - sentMs;
    this.#waits.push(waitMs);
    if (sentMs > this.#outageEndMs) this.#outside.push(waitMs);
  }

  outageBegins(): void {
    this.#outageEndMs = Number.POSITIVE_INFINITY;
  }

  outageEnds(): void {
    this.#outageEndMs = performance.now();
  }

  /** Since the last call; null when nothing came. */
  take(): Lag | null {
    const lag = summary(this.#waits);
    this.#waits = [];
    return lag;
  }

  /** Of all that were not on their way during an outage. */
  outsideOutages(): Lag | null {
    return summary(this.#outside);
  }
}

function summary(waits: readonly number[]): Lag | null {
  const sorted = waits.toSorted((a, b) => a - b);
  const maxMs = sorted.at(-1);
  if (maxMs === undefined) return null;
  const quantile = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
  return { count: sorted.length, medianMs: quantile(0.5), p99Ms: quantile(0.99), maxMs };
}
