import type { FrameChunk, FrameReader } from '../client/transport.ts';
import { TidingsError } from '../core/errors.ts';
import type { BatchFilter } from '../formats/log/batch-filter.ts';
import type { FilterLane } from '../formats/log/filter-lane.ts';
import type { ChangeLog, LogChunk, LogReader } from './log/change-log.ts';
import { Backlog } from './backlog.ts';
import { ChunkSieve } from './chunk-sieve.ts';
import { controlChunk } from './control-chunk.ts';
import type { SharedReading } from './shared-outputs.ts';
import { TurnAccount } from './turns.ts';
import { PROGRESS_MS, WakeUp } from './wake-up.ts';

export interface FeedOptions {
  readonly log: ChangeLog;
  /** Read behind this SCN. */
  readonly after: number;
  readonly filter: BatchFilter;
  /** Only these slices of the keys; null: all. */
  readonly partitions: readonly number[] | null;
  /** Of what not everyone gets, what is for consumers of this name. @default none of it */
  readonly audience?: string | null;
  /** Wait for more at the end, instead of ending there. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
  /** With readers that have the same filter. Left when the feed is closed. */
  readonly shared?: SharedReading | null;
}

/**
 * What one plain reader of a stream gets, frame by frame: a greeting, then batches as they are stored or what its filter leaves of
 * them, and a sign of progress when there is nothing for it.
 *
 * It holds what the log's reader holds and one buffer of filtered bytes; whoever does not ask for the next chunk costs nothing more (I8).
 */
export class Feed implements FrameReader {
  readonly #log: ChangeLog;
  readonly #reader: LogReader;
  readonly #sieve: ChunkSieve;
  readonly #lane: FilterLane;
  readonly #follow: boolean;
  /** Where a reading that does not follow ends: what was visible when it began. */
  readonly #last: number;
  readonly #wakeUp: WakeUp;
  readonly #queue: FrameChunk[] = [];
  readonly #turn: TurnAccount = new TurnAccount();
  readonly #backlog: Backlog;
  /** The SCN that the receiver knows to have been passed. */
  #told: number;
  readonly #shared: SharedReading | null;
  #ended = false;

  constructor({ log, after, filter, partitions, audience = null, follow, signal, shared = null }: FeedOptions) {
    this.#log = log;
    this.#backlog = new Backlog(log);
    this.#lane = filter.lane({ after, partitions, audience });
    this.#shared = shared;
    this.#sieve = new ChunkSieve(log, filter, shared?.outputs);
    this.#reader = log.openReader(after);
    this.#follow = follow;
    this.#last = log.visible.last;
    this.#told = after;
    this.#wakeUp = new WakeUp(log, signal);
    this.#queue.push(hello(log, after));
  }

  canWait(): boolean {
    return this.#backlog.canWait(this.#reader);
  }

  async next(): Promise<FrameChunk | null> {
    for (;;) {
      const queued = this.#queue.shift();
      if (queued !== undefined) return queued;
      if (this.#ended || this.#wakeUp.stopped) return this.#end();
      if (this.#turn.isUsedUp) {
        // oxlint-disable-next-line no-await-in-loop -- others have their turn before the next chunk
        await this.#turn.next(this.canWait() ? this : null);
        // It may have been closed meanwhile.
        continue;
      }
      const read = this.#reader.read();
      // oxlint-disable-next-line no-await-in-loop -- a stream is read in order; no promise while the batches are in memory
      const chunk = read instanceof Promise ? await read : read;
      if (chunk !== null) this.#pass(chunk);
      else if (this.#follow) {
        // oxlint-disable-next-line no-await-in-loop -- the pause until there is more
        const woken = await this.#wakeUp.wait(() => this.#reader.after < this.#log.visible.last);
        if (woken === 'time') this.#progress();
        // Not when it is closed.
        else if (this.#reader.after < this.#log.visible.last) this.#turn.hasNews(this);
      } else this.#ended = true;
      if (!this.#follow && this.#reader.after >= this.#last) this.#ended = true;
      if (this.#ended) this.#progress();
    }
  }

  close(): void {
    this.#ended = true;
    for (const chunk of this.#queue.splice(0)) chunk.release();
    this.#wakeUp.close();
    this.#reader.close();
    this.#shared?.leave();
  }

  #pass(chunk: LogChunk): void {
    this.#turn.begin();
    const passed = this.#sieve.pass(chunk, this.#lane, this.#queue);
    this.#turn.pause();
    if (passed) this.#told = this.#reader.after;
    // A reader whose filter passes nothing must not seem stuck, nor begin far back after a lost connection.
    else if (this.#wakeUp.progressIsDue()) this.#progress();
  }

  #progress(): void {
    // Inside a transaction of which it has some of the changes the receiver must not be told that it is further (I2).
    if (this.#lane.open === 'sent') return;
    this.#told = this.#reader.after;
    this.#wakeUp.progressed();
    this.#queue.push(progress(this.#log, this.#told));
  }

  #end(): null {
    this.close();
    return null;
  }
}

/** @throws TidingsError SCN_UNKNOWN for a place that the log does not have yet */
export function checkPlace(log: ChangeLog, scn: number): void {
  const { last } = log.visible;
  if (scn <= last) return;
  throw new TidingsError('SCN_UNKNOWN', `stream ${log.name} has no change ${scn} yet: it ends at ${last}`, {
    details: { stream: log.name, scn, last },
  });
}

export function hello(log: ChangeLog, beginsAfter?: number): FrameChunk {
  const { after, last } = log.visible;
  return controlChunk({
    kind: 'hello',
    stream: log.name,
    created: log.createdMs,
    partitions: log.partitions,
    first: last > after ? after + 1 : null,
    last: last > after ? last : null,
    progressMs: PROGRESS_MS,
    ...(beginsAfter === undefined ? {} : { after: beginsAfter }),
  });
}

/** Says that everything up to `scn` was dealt with. */
export function progress(log: ChangeLog, scn: number): FrameChunk {
  const { last, lastCommitUs } = log.visible;
  return controlChunk({ kind: 'progress', scn, time: scn === last && lastCommitUs > 0 ? lastCommitUs : null });
}
