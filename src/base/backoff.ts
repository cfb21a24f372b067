/** Limits of the pause between two attempts. */
export interface BackoffLimits {
  /** The ceiling of the first pause. */
  readonly delayMinMs: number;
  /** No pause is longer, however many attempts have failed. */
  readonly delayMaxMs: number;
}

/**
 * Pauses that double their ceiling with every failure and are drawn evenly from zero to it ("full jitter"): a fleet that lost
 * the same server must not come back in step.
 */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: () => number;
  #failures = 0;

  /** `random` yields numbers in [0, 1). */
  constructor(limits: BackoffLimits, random: () => number = Math.random) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Failures since the start or the last `reset`. */
  get failures(): number {
    return this.#failures;
  }

  /** True once the pauses no longer grow: what fails has failed for a while, and a person may want to know. */
  get atCeiling(): boolean {
    return this.#ceilingMs() >= this.#limits.delayMaxMs;
  }

  /** Counts one more failure and says how long to pause before the next attempt. */
  nextDelayMs(): number {
    this.#failures++;
    return Math.round(this.#random() * this.#ceilingMs());
  }

  /** To be called when the work has got somewhere again, so that the next failure starts with a short pause. */
  reset(): void {
    this.#failures = 0;
  }

  #ceilingMs(): number {
    const { delayMinMs, delayMaxMs } = this.#limits;
    // 2 ** n becomes Infinity and never NaN, so the minimum holds for any number of failures (delayMinMs 0 apart).
    return delayMinMs === 0 ? 0 : Math.min(delayMinMs * 2 ** Math.max(this.#failures - 1, 0), delayMaxMs);
  }
}
