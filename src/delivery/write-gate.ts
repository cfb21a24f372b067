import { Backoff, type BackoffLimits } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../core/logger.ts';
import { isTransient } from '../core/retry.ts';
import { isFenced, RowsRefused } from '../core/sink.ts';

export interface WriteGateOptions {
  readonly backoff: BackoffLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Told of the failure that is being waited out; null: it is over. */
  readonly onWaiting: (error: unknown) => void;
  readonly random?: () => number;
}

/**
 * What all lanes of a sink go through to the store: a circuit breaker. While the store fails in a way that may pass, one attempt at a time is
 * made, after pauses that grow; the others wait for its outcome instead of adding to what the store suffers from.
 */
export class WriteGate {
  readonly #options: WriteGateOptions;
  readonly #backoff: Backoff;
  /** Resolves when the attempt that is made for all has succeeded, or has failed for good. Null: the store takes rows. */
  #broken: PromiseWithResolvers<void> | null = null;

  constructor(options: WriteGateOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, options.random);
  }

  /** @throws what the attempt throws when trying again cannot cure it, and what the signal is aborted with */
  async run<T>(attempt: () => Promise<T>): Promise<T> {
    const { signal } = this.#options;
    for (;;) {
      const others = this.#broken;
      // oxlint-disable-next-line no-await-in-loop -- until the store takes rows again
      if (others !== null) await others.promise;
      signal.throwIfAborted();
      try {
        // oxlint-disable-next-line no-await-in-loop -- attempts follow one another
        return await attempt();
      } catch (error) {
        if (!this.#mayPass(error)) throw error;
        if (this.#broken !== null) continue;
        // oxlint-disable-next-line no-await-in-loop -- as above
        return await this.#outlast(attempt, error);
      }
    }
  }

  /** Tries for all. */
  async #outlast<T>(attempt: () => Promise<T>, first: unknown): Promise<T> {
    const { clock, log, signal, onWaiting } = this.#options;
    const broken = Promise.withResolvers<void>();
    this.#broken = broken;
    let error = first;
    try {
      for (;;) {
        const delayMs = this.#backoff.nextDelayMs();
        const { failures, atCeiling } = this.#backoff;
        log[atCeiling ? 'warn' : 'info']({ error, failures, delayMs }, 'the store does not take rows now');
        onWaiting(error);
        // oxlint-disable-next-line no-await-in-loop -- the pause between two attempts
        await clock.sleep(delayMs, signal);
        try {
          // oxlint-disable-next-line no-await-in-loop -- attempts follow one another
          return await attempt();
        } catch (again) {
          if (!this.#mayPass(again)) throw again;
          error = again;
        }
      }
    } finally {
      this.#backoff.reset();
      this.#broken = null;
      onWaiting(null);
      broken.resolve();
    }
  }

  #mayPass(error: unknown): boolean {
    if (this.#options.signal.aborted || error instanceof RowsRefused) return false;
    return isTransient(error) && !isFenced(error);
  }
}
