import type { Clock } from '../../base/clock.ts';

export interface DeadlineTimerOptions {
  readonly clock: Clock;
  /** Ms from some moment on; never goes back, whatever is done to the wall clock. */
  readonly elapsedMs: () => number;
  /** @param lateMs how much after the deadline it is called */
  readonly onDue: (lateMs: number) => void;
}

/** Calls back once when a deadline has come, which may be made earlier at any time. */
export class DeadlineTimer {
  readonly #options: DeadlineTimerOptions;
  #dueAt: number | null = null;
  #sleep: AbortController | null = null;
  #wakesAt = 0;

  constructor(options: DeadlineTimerOptions) {
    this.#options = options;
  }

  /** Calls back at this time of `elapsedMs`, or before if it was to. */
  atLatest(at: number): void {
    this.#dueAt = Math.min(this.#dueAt ?? at, at);
    if (this.#sleep === null || this.#wakesAt > this.#dueAt) this.#start(this.#dueAt);
  }

  close(): void {
    this.#dueAt = null;
    this.#sleep?.abort();
    this.#sleep = null;
  }

  #start(wakesAt: number): void {
    this.#sleep?.abort();
    const sleep = new AbortController();
    this.#sleep = sleep;
    this.#wakesAt = wakesAt;
    void this.#sleepUntil(wakesAt, sleep);
  }

  async #sleepUntil(wakesAt: number, sleep: AbortController): Promise<void> {
    const { clock, elapsedMs } = this.#options;
    try {
      await clock.sleep(Math.max(0, Math.ceil(wakesAt - elapsedMs())), sleep.signal);
    } catch {
      return; // Only the signal ends a sleep early.
    }
    if (this.#sleep === sleep) this.#wake();
  }

  #wake(): void {
    this.#sleep = null;
    const dueAt = this.#dueAt;
    if (dueAt === null) return;
    const lateMs = this.#options.elapsedMs() - dueAt;
    if (lateMs < 0) {
      this.#start(dueAt);
      return;
    }
    this.#dueAt = null;
    this.#options.onDue(lateMs);
  }
}
