import { type Clock, systemClock } from '../../../src/base/clock.ts';

const LONGEST_MS = 100;

/** The system's clock, on which nobody sleeps for long once it was told to hurry: what is done every so often is done at once, and often. */
export class HastyClock implements Clock {
  readonly #hurry: AbortController = new AbortController();

  nowMs(): number {
    return systemClock.nowMs();
  }

  /** Whoever sleeps wakes up soon. */
  hurry(): void {
    this.#hurry.abort();
  }

  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    const hurry = this.#hurry.signal;
    if (!hurry.aborted) {
      try {
        await systemClock.sleep(delayMs, signal === undefined ? hurry : AbortSignal.any([signal, hurry]));
        return;
      } catch {
        signal?.throwIfAborted();
      }
    }
    await systemClock.sleep(Math.min(delayMs, LONGEST_MS), signal);
  }
}
