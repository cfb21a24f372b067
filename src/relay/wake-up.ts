import type { ChangeLog } from './log/change-log.ts';

/** How often a reader that gets no changes hears how far it is. */
export const PROGRESS_MS = 5000;

/**
 * Lets a feed sleep until the log has more, something else happened to it, or a sign of life is due. One listener and one timer per
 * feed, nothing per change.
 */
export class WakeUp {
  readonly #signal: AbortSignal;
  readonly #forget: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #abort: () => void;
  #waiter: ((woken: 'more' | 'time') => void) | null = null;
  /** Something happened while nobody waited. */
  #rung = false;
  #progressedMs = performance.now();
  #closed = false;

  constructor(log: ChangeLog, signal: AbortSignal) {
    this.#signal = signal;
    this.#forget = log.onChange(() => this.#wake('more'));
    this.#timer = setInterval(() => {
      if (this.progressIsDue()) this.#wake('time');
    }, PROGRESS_MS);
    this.#abort = (): void => this.#wake('more');
    signal.addEventListener('abort', this.#abort);
  }

  /** The feed's life is over: its signal was aborted, or it was closed. */
  get stopped(): boolean {
    return this.#closed || this.#signal.aborted;
  }

  progressIsDue(): boolean {
    // A little early rather than a whole interval late.
    return performance.now() - this.#progressedMs >= PROGRESS_MS - 100;
  }

  progressed(): void {
    this.#progressedMs = performance.now();
  }

  /** Ends a wait that goes on, or the next one. */
  ring(): void {
    this.#rung = true;
    this.#wake('more');
  }

  /** Resolves at once when `more` says so. */
  wait(more: () => boolean): Promise<'more' | 'time'> | 'more' {
    if (this.#rung || this.stopped || more()) {
      this.#rung = false;
      return 'more';
    }
    return new Promise((resolve) => {
      this.#waiter = resolve;
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#signal.removeEventListener('abort', this.#abort);
    this.#forget();
    this.#wake('more');
  }

  #wake(woken: 'more' | 'time'): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    if (waiter === null) return;
    this.#rung = false;
    waiter(woken);
  }
}
