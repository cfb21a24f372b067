import { Backoff, type BackoffLimits } from '../base/backoff.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { isTidingsError, type RetryDirective } from './errors.ts';
import type { Logger } from './logger.ts';

export interface RetryOptions {
  readonly backoff: BackoffLimits;
  /** Ends the loop: a running attempt gets it as its argument, a pause ends at once. */
  readonly signal?: AbortSignal;
  readonly log?: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Which failures are tried again. @default isTransient */
  readonly mayPass?: (error: unknown) => boolean;
}

/** What may cure this failure. What nobody classified is a person's business: it is never retried for ever. */
export function retryDirectiveOf(error: unknown): RetryDirective {
  return isTidingsError(error) ? error.retry : 'operator';
}

/** True when trying again, on the same or on a new connection, may cure the failure. */
export function isTransient(error: unknown): boolean {
  const directive = retryDirectiveOf(error);
  switch (directive) {
    case 'backoff':
    case 'reconnect':
      return true;
    case 'operator':
    case 'never':
      return false;
    default:
      // A directive of a newer copy of the package: as with every unknown failure, stop and ask.
      directive satisfies never;
      return false;
  }
}

/**
 * Runs `attempt` until it succeeds, the signal aborts, or it fails in a way that trying again cannot cure; then throws what the
 * attempt threw, or the signal's reason. A `reconnect` failure is retried like a `backoff` one: `attempt` opens what it needs.
 */
export async function retry<T>(
  attempt: (signal: AbortSignal | undefined) => Promise<T>,
  { backoff: limits, signal, log, clock = systemClock, random = Math.random, mayPass = isTransient }: RetryOptions,
): Promise<T> {
  const backoff = new Backoff(limits, random);
  for (;;) {
    signal?.throwIfAborted();
    try {
      // oxlint-disable-next-line no-await-in-loop -- attempts follow one another by definition
      return await attempt(signal);
    } catch (error) {
      // An attempt that fails because it was told to stop is not retried, whatever it threw.
      signal?.throwIfAborted();
      if (!mayPass(error)) throw error;
      const delayMs = backoff.nextDelayMs();
      log?.[backoff.atCeiling ? 'warn' : 'info'](
        { error, failures: backoff.failures, delayMs },
        'attempt failed, retrying',
      );
      // oxlint-disable-next-line no-await-in-loop
      await clock.sleep(delayMs, signal);
    }
  }
}
