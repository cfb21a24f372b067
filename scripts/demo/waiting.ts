import { setTimeout as sleep } from 'node:timers/promises';
import { DemoError } from './demo-error.ts';

export interface Watch {
  /** Ctrl-C. */
  readonly signal: AbortSignal;
  /** Rejects when something has failed that nobody is waiting for. */
  readonly failed: Promise<never>;
}

/** What is waited for, or what ends the wait: Ctrl-C, a failure elsewhere, or a deadline, with what it says then. */
export async function within<T>(
  promise: Promise<T>,
  { maxMs, late, signal, failed }: Watch & { readonly maxMs: number; readonly late: string },
): Promise<T> {
  const timer = new AbortController();
  const ends = sleep(maxMs, null, { signal: AbortSignal.any([signal, timer.signal]) }).then(
    () => {
      throw new DemoError(`${late} after ${maxMs / 1000} s.`);
    },
    () => signal.throwIfAborted(),
  );
  try {
    const result = await Promise.race([promise, failed, ends.then(() => promise)]);
    return result;
  } finally {
    timer.abort();
  }
}

/** Asks again and again until the answer is what is wanted. Ended by the signal only. */
export async function untilTrue(ask: () => Promise<boolean>, signal: AbortSignal, pauseMs = 20): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop -- one question after the other
  while (!signal.aborted && !(await ask())) await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
}
