import { setTimeout as sleep } from 'node:timers/promises';
import { DemoError } from './demo-error.ts';

/** Far more than anything takes, also on a machine that is busy with other things. */
const LATE_MS = 90_000;

/** What ends every wait: Ctrl-C, the end of the demo, or a failure in something that runs on its own. */
export class Watch {
  readonly signal: AbortSignal;
  readonly #failure: PromiseWithResolvers<never> = Promise.withResolvers();

  constructor(signal: AbortSignal) {
    this.signal = signal;
    // Whoever waits gets it; until somebody does, it is no unhandled one.
    this.#failure.promise.catch(() => undefined);
  }

  fail(error: unknown): void {
    this.#failure.reject(error);
  }

  /** Rejects when something has failed; never resolves. */
  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  /** @throws DemoError saying `late` when it takes too long; what has failed; the reason of the signal */
  async within<T>(promise: Promise<T>, late: string): Promise<T> {
    const timer = new AbortController();
    const ends = sleep(LATE_MS, null, { signal: AbortSignal.any([this.signal, timer.signal]) }).then(
      () => {
        throw new DemoError(`${late} within ${LATE_MS / 1000} s.`);
      },
      () => this.signal.throwIfAborted(),
    );
    try {
      // The end that comes with `finally` is none.
      return await Promise.race([promise, this.failed, ends.then(() => promise)]);
    } finally {
      timer.abort();
    }
  }

  async pause(delayMs: number): Promise<void> {
    this.signal.throwIfAborted();
    const timer = new AbortController();
    const signal = AbortSignal.any([this.signal, timer.signal]);
    try {
      await Promise.race([sleep(Math.max(0, delayMs), undefined, { signal }), this.failed]);
    } finally {
      timer.abort();
    }
  }
}

/** Asks again and again until the answer is what is wanted. Ended by the signal only. */
export async function untilTrue(ask: () => Promise<boolean>, signal: AbortSignal, pauseMs = 20): Promise<void> {
  while (!signal.aborted && !(await ask())) await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
}
