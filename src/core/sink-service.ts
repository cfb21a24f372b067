import type { StreamChange } from './consumer.ts';
import type { RetryDirective } from './errors.ts';
import type { SinkPromise } from './sink.ts';

/** The sinks that run in a process, as those see them who watch and steer them: the HTTP API, the command. */
export interface SinkService {
  /** By name. */
  readonly all: ReadonlyMap<string, SinkControl>;
}

/** One sink of a process. What it changes is durable when the promise resolves. */
export interface SinkControl {
  status(): SinkStatus;
  /** Writes what is on its way, and nothing more until `resume`, also over a restart of the process. */
  pause(): Promise<void>;
  /** Goes on where it was: paused, or failed. */
  resume(): Promise<void>;
  /** In the order of their numbers. */
  deadLetters(options?: { readonly after?: number; readonly limit?: number }): readonly DeadLetter[];
  /** @throws TidingsError DEAD_LETTER_UNKNOWN */
  deadLetter(id: number): DeadLetter;
  /** What is redriven in its place. Its key stays the one that it was set aside under. @throws TidingsError DEAD_LETTER_UNKNOWN */
  edit(id: number, change: StreamChange): DeadLetter;
  /** Forgets a change; its key flows again when it was the last of it. @throws TidingsError DEAD_LETTER_UNKNOWN */
  drop(id: number): void;
  /**
   * Writes what is set aside: the changes of this dead letter's key, or all of them; each key's in order, up to the first change that is refused again. A key of which
   * nothing is left flows again.
   *
   * @throws TidingsError DEAD_LETTER_UNKNOWN, SINK_NOT_RUNNING, and what the store fails with
   */
  redrive(id: number | null): Promise<RedriveOutcome>;
}

export interface RedriveOutcome {
  /** Changes that were written. */
  readonly written: number;
  /** Changes that are still set aside, of the keys that were asked for. */
  readonly left: number;
  /** The first change of each key that was refused again. */
  readonly refused: readonly number[];
}

/** A change that was set aside, with the reason. */
export interface DeadLetter {
  readonly id: number;
  readonly sink: string;
  /** The blocked key: changes of one chain are redriven in order. */
  readonly chain: string;
  /** Where its row was to go (`database.table`); null: no row could be made of the change. */
  readonly target: string | null;
  readonly change: StreamChange;
  /** Null: it was not refused itself, an earlier change of its key was. */
  readonly reason: DeadLetterReason | null;
  /** How often it was tried. */
  readonly attempts: number;
  /** ms since 1970 UTC */
  readonly parkedMs: number;
  readonly triedMs: number | null;
  /** The change was edited by hand. */
  readonly edited: boolean;
}

export interface DeadLetterReason {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/**
 * `waiting`: for the store or the relay to be reachable, or to take rows again; `failed`: for a person. `stopped`: closed.
 */
export type SinkState = 'starting' | 'running' | 'waiting' | 'paused' | 'failed' | 'stopped';

export interface SinkStatus {
  readonly name: string;
  readonly type: string;
  readonly stream: string;
  readonly order: 'key' | 'transaction';
  /** Null until the sink was made. */
  readonly promise: SinkPromise | null;
  readonly state: SinkState;
  /** Why it waits or has failed. */
  readonly error: SinkFailure | null;
  /** Since the process started. */
  readonly rows: number;
  readonly batches: number;
  /** Rows that are on their way to the store. */
  readonly pending: number;
  /** How long ago the oldest of those was committed in the source; 0 when there is none. ms */
  readonly lagMs: number;
  /** The commit time of the last row that was written, µs since 1970 UTC; null: none yet. */
  readonly writtenUs: number | null;
  /** Changes that are set aside, and keys that they block. */
  readonly parked: number;
  readonly parkedKeys: number;
}

export interface SinkFailure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly retry: RetryDirective;
  readonly sinceMs: number;
}
