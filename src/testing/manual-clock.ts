import type { Clock } from '../base/clock.ts';

interface Sleeper {
  readonly wakeAtMs: number;
  readonly wake: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #sleepers = new Set<Sleeper>();
  readonly #arrivals: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** How many calls of `sleep` wait at present. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const abort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        wakeAtMs: this.#nowMs + delayMs,
        wake: () => {
          signal?.removeEventListener('abort', abort);
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#sleepers.add(sleeper);
      for (const arrival of this.#arrivals.splice(0)) {
        if (this.sleeping >= arrival.count) arrival.resolve();
        else this.#arrivals.push(arrival);
      }
    });
  }

  /** Resolves as soon as `count` sleepers wait, so that a test advances the clock after the code under test has gone to sleep. */
  whenSleeping(count = 1): Promise<void> {
    if (this.sleeping >= count) return Promise.resolve();
    return new Promise((resolve) => this.#arrivals.push({ count, resolve }));
  }

  /** Moves the clock and wakes whoever is due, earliest first. */
  advance(byMs: number): void {
    this.#nowMs += byMs;
    const due = [...this.#sleepers].filter((sleeper) => sleeper.wakeAtMs <= this.#nowMs);
    for (const sleeper of due.toSorted((a, b) => a.wakeAtMs - b.wakeAtMs)) sleeper.wake();
  }
}
