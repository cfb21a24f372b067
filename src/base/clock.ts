import { setTimeout as sleepMs } from 'node:timers/promises';

/** Time, injected wherever something waits, so that tests neither wait nor flake (`ManualClock` in `tidings/testing`). */
export interface Clock {
  /** Milliseconds since 1970 UTC. */
  nowMs(): number;
  /** Resolves after `delayMs`; rejects with the signal's reason as soon as the signal aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  async sleep(delayMs, signal) {
    if (signal === undefined) {
      await sleepMs(delayMs);
      return;
    }
    signal.throwIfAborted();
    try {
      await sleepMs(delayMs, undefined, { signal });
    } catch (error) {
      // The timer rejects with an AbortError of its own; whoever aborted gave a better reason.
      signal.throwIfAborted();
      throw error;
    }
  },
};
