import type { BackoffLimits } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { StreamBatch } from './stream-batch.ts';

/** What `createChangeStream` wraps: a plain reader or a group's member. Asked by one caller, one batch at a time. */
export interface ConsumerEngine<R> {
  /** The batch before is dealt with when this is called. Null when there will be no more. */
  next(): Promise<StreamBatch<R> | null>;
  /** The consumer has left the last batch behind without asking for another. */
  finished(): void;
  /** Ends a `next` that waits; what was committed is stored, what was opened is closed. Idempotent, does not fail. */
  close(): Promise<void>;
}

/** How reconnecting is paced, and what tests put in the place of time and chance. */
export interface ConsumerTiming {
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Pauses between two attempts to reach the relay. @default 100 ms to 10 s */
  readonly backoff?: BackoffLimits;
}

export interface ConsumerInternals extends ConsumerTiming {
  /** Called once, when the stream has ended. */
  readonly onClose?: () => void;
}

/** Batches of one chunk are handed over together up to about so many bytes. */
export const JOIN_BYTES: number = 1024 * 1024;
