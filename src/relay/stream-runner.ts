import { Backoff } from '../base/backoff.ts';
import { orAborted } from '../base/or-aborted.ts';
import type { Clock } from '../base/clock.ts';
import { isTidingsError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Position } from '../core/position.ts';
import { isTransient } from '../core/retry.ts';
import { SnapshotMerger } from '../core/snapshots/merger.ts';
import type { ChangeBatch, Source, TransactionPart } from '../core/source.ts';
import type { ChangeLog } from './log/change-log.ts';
import type { SnapshotService } from './snapshots/stream-snapshots.ts';
import type { StreamDefinition, StreamFailure, StreamStatus } from './relay-api.ts';
import { failureOf } from './stream-failure.ts';

export interface StreamRunnerOptions {
  readonly log: ChangeLog;
  readonly openSource: StreamDefinition['openSource'];
  readonly snapshots: SnapshotService;
  /** What becomes of a gap: see `SnapshotOptions`. */
  readonly onGap: 'stop' | 'snapshot';
  readonly logger: Logger;
  readonly clock: Clock;
  readonly paused: boolean;
}

/** The source no longer has what comes behind the log's end. */
const GAPS: readonly string[] = ['BINLOG_PURGED', 'BINLOG_RESET', 'SERVER_CHANGED'];

/** What they say is no fault of the batch that was to be written. */
const OF_THE_LOG: readonly string[] = ['DISK_ERROR', 'DISK_FULL', 'LOG_DAMAGED', 'RELAY_CLOSING'];

const REOPEN = { delayMinMs: 250, delayMaxMs: 30_000 };

/**
 * Keeps one source flowing into its log: opens it behind the log's last complete transaction, appends, and opens it again after a
 * failure that may pass.
 *
 * States: starting -> running -> (waiting -> starting)* ; any -> paused -> starting ; any -> failed, until `resume` ; any -> closed.
 * Backpressure: the source is asked for its next batch only when the log has taken the last one.
 */
export class StreamRunner {
  readonly #options: StreamRunnerOptions;
  #state: 'starting' | 'running' | 'paused' | 'waiting' | 'failed' | 'closed';
  #failure: StreamFailure | null = null;
  #source: Source | null = null;
  #heardMs: number | null = null;
  #opened = 0;
  /** When the present source was opened. */
  #openedMs = 0;
  #transactions = 0;
  #sourceBytes = 0;
  readonly #firstScn: number;
  /** Ends the present run: its source is closed and its pauses end. */
  #stop: AbortController = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: StreamRunnerOptions) {
    this.#options = options;
    this.#firstScn = options.log.visible.last;
    this.#state = options.paused ? 'paused' : 'starting';
    if (!options.paused) this.#start();
  }

  status(): StreamStatus {
    const { log } = this.#options;
    const health = this.#source?.health?.();
    const heardMs = later(health?.heardMs ?? null, this.#heardMs);
    const lost = this.#state === 'running' && health?.connected === false;
    // Being connected to for the first time, it has not gone away.
    const ofSource = !lost ? this.#state : health.connections === 0 && health.error === null ? 'starting' : 'waiting';
    return {
      state: log.stalled !== null && this.#state === 'running' ? 'stalled' : ofSource,
      error: lost && health.error !== null ? failureOf(health.error, heardMs ?? this.#openedMs) : this.#failure,
      stall: log.stalled,
      heardMs,
      connections: health?.connections ?? this.#opened,
      changes: log.visible.last - this.#firstScn,
      transactions: this.#transactions,
      sourceBytes: this.#sourceBytes,
    };
  }

  /** Resolves when the source is closed. */
  async pause(): Promise<void> {
    await this.#halt('paused');
  }

  /** Also after a failure that a person has cured. */
  resume(): void {
    if (this.#state !== 'paused' && this.#state !== 'failed') return;
    this.#state = 'starting';
    this.#start();
  }

  async close(): Promise<void> {
    await this.#halt('closed');
  }

  async #halt(state: 'paused' | 'closed'): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = state;
    this.#failure = null;
    this.#stop.abort();
    await this.#source?.close();
    await this.#running;
  }

  #start(): void {
    this.#failure = null;
    this.#stop = new AbortController();
    const former = this.#running;
    this.#running = this.#run(former, this.#stop.signal);
  }

  async #run(former: Promise<void>, signal: AbortSignal): Promise<void> {
    await former;
    const { logger, clock } = this.#options;
    const backoff = new Backoff(REOPEN);
    let anew = false;
    while (!signal.aborted) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one source at a time
        await this.#follow(signal, {
          anew,
          // The log has a place behind the gap: whatever comes now goes on from there, and another gap is another one.
          begun: () => (anew = false),
          works: () => backoff.reset(),
        });
        if (signal.aborted) return;
        // A source that ends by itself has nothing more to say.
        this.#state = 'closed';
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#failure = failureOf(error, clock.nowMs());
        if (!anew && this.#options.onGap === 'snapshot' && isTidingsError(error) && GAPS.includes(error.code)) {
          logger.warn(
            { error },
            'changes of the source are lost to the stream: a snapshot of all tables makes it good',
          );
          // Durable before the source begins anew: otherwise a crash would leave the gap as it is.
          // oxlint-disable-next-line no-await-in-loop
          anew = await this.#repair();
          if (anew) continue;
        }
        if (!isTransient(error)) {
          this.#state = 'failed';
          logger.error({ error }, 'the stream has stopped and needs a person');
          return;
        }
        this.#state = 'waiting';
        const delayMs = backoff.nextDelayMs();
        logger[backoff.atCeiling ? 'warn' : 'info']({ error, delayMs }, 'the source failed and is opened again');
        // oxlint-disable-next-line no-await-in-loop -- the pause between two attempts
        await clock.sleep(delayMs, signal).catch(() => undefined);
      }
    }
  }

  async #repair(): Promise<boolean> {
    try {
      await this.#options.snapshots.repair();
      return true;
    } catch (error) {
      this.#options.logger.error({ error }, 'the snapshot that would close a gap cannot be kept');
      return false;
    }
  }

  async #follow(
    signal: AbortSignal,
    { anew, begun: hasBegun, works }: { anew: boolean; begun: () => void; works: () => void },
  ): Promise<void> {
    const { log, openSource, clock, snapshots } = this.#options;
    this.#state = 'starting';
    // What is still on its way to the disk belongs to the position that the source resumes at.
    await orAborted(log.flush(), signal);
    const source = await openSource({ position: log.position, tables: log.tables(), ...(anew ? { anew } : {}) });
    this.#source = source;
    this.#opened++;
    this.#openedMs = clock.nowMs();
    try {
      if (signal.aborted) return;
      this.#state = 'running';
      let begun = log.position !== null && !anew;
      // A new stream that dies before its first change must begin at the same place again, not at another "now" (I4).
      const begin = (position: Position): void => {
        if (begun || signal.aborted) return;
        void log.append({ parts: [], position, bytes: 0 });
        begun = true;
        hasBegun();
      };
      // Why it cannot be written is told again when there is a batch.
      if (!begun) {
        source
          .ready?.()
          .then(begin)
          .catch(() => undefined);
      }
      const merger = new SnapshotMerger(source);
      await snapshots.attach(source, merger);
      if (signal.aborted) return;
      for await (const batch of merger.batches()) {
        this.#heardMs = clock.nowMs();
        this.#failure = null;
        this.#count(batch.parts, batch.bytes);
        const noted = snapshots.noteRows(batch.parts);
        if (noted !== null) await noted;
        const full = this.#append(batch);
        begun = true;
        hasBegun();
        // The log has the batch already: a disk that is full keeps nobody from stopping or pausing the stream.
        if (full !== null) await orAborted(full, signal);
        this.#noteSchemas(batch.parts);
        works();
        if (signal.aborted) return;
      }
    } finally {
      this.#source = null;
      await snapshots.detach();
      await source.close();
    }
  }

  /** @throws TidingsError what of the source's batch cannot be written: it stops the stream */
  #append(batch: ChangeBatch): Promise<void> | null {
    try {
      return this.#options.log.append(batch);
    } catch (error) {
      if (batch.refused === undefined || (isTidingsError(error) && OF_THE_LOG.includes(error.code))) throw error;
      batch.refused(error);
      return null;
    }
  }

  #noteSchemas(parts: readonly TransactionPart[]): void {
    for (const { entries } of parts) {
      for (const entry of entries) if (entry.type === 'schema') this.#options.snapshots.noteSchema(entry);
    }
  }

  #count(parts: readonly { readonly begins: boolean }[], bytes: number): void {
    for (const part of parts) if (part.begins) this.#transactions++;
    this.#sourceBytes += bytes;
  }
}

function later(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
