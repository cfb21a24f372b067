import { type Clock, systemClock } from '../../base/clock.ts';
import { TidingsError } from '../errors.ts';
import { type Logger, silentLogger } from '../logger.ts';
import type { Position } from '../position.ts';
import type { SnapshotReader } from '../snapshot.ts';
import type { ChangeBatch, Source, SourceHealth } from '../source.ts';
import { SnapshotMerger } from './merger.ts';
import { SnapshotRun } from './snapshot-run.ts';
import type { Snapshot, SnapshotLimits, SnapshotStore } from './snapshot-state.ts';

export interface SnapshottingOptions {
  /** Patterns; left out: every table that the source watches. */
  readonly tables?: readonly string[];
  readonly limits?: SnapshotLimits;
  /** The iteration ends when all rows were handed over, instead of following the stream. @default false */
  readonly endAfter?: boolean;
  readonly log?: Logger;
  readonly clock?: Clock;
}

/**
 * A source that begins with the rows that exist: it follows the other one from its start, and hands over the rows of its tables in
 * between, as upserts with `snapshot` set. Nothing of it is kept: whoever starts it again gets all rows again.
 *
 * @throws TidingsError SNAPSHOT_UNSUPPORTED when iterated, for a source that cannot read rows; what the snapshot or the source throws
 */
export class SnapshottingSource implements Source {
  readonly type: string;
  readonly #source: Source;
  readonly #options: SnapshottingOptions;

  constructor(source: Source, options: SnapshottingOptions = {}) {
    this.type = source.type;
    this.#source = source;
    this.#options = options;
  }

  get position(): Position | null {
    return this.#source.position;
  }

  async ready(): Promise<Position> {
    const start = await this.#source.ready?.();
    if (start === undefined) throw unsupported(this.type);
    return start;
  }

  health(): SourceHealth {
    return this.#source.health?.() ?? { connected: true, heardMs: null, connections: 1, error: null };
  }

  async *batches(): AsyncGenerator<ChangeBatch, void, undefined> {
    const { endAfter = false } = this.#options;
    const source = this.#source;
    if (source.openSnapshots === undefined || source.ready === undefined) throw unsupported(source.type);
    const merger = new SnapshotMerger(source);
    const stop = new AbortController();
    let failure = null as { readonly error: unknown } | null;
    let isDone = false;
    const snapshotting = (async () => {
      try {
        await this.#snapshot(merger, stop.signal);
        isDone = true;
      } catch (error) {
        failure = { error };
      }
      // An iteration that waits for the stream has nothing to wait for any more.
      if (!stop.signal.aborted && (endAfter || !isDone)) await source.close();
    })();
    try {
      for await (const batch of merger.batches()) {
        yield batch;
        if (endAfter && isDone) break;
      }
    } finally {
      stop.abort();
      await snapshotting;
    }
    // Whoever ended the source has ended its snapshot, too.
    if (failure !== null && failure.error !== stop.signal.reason) throw failure.error;
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  async #snapshot(merger: SnapshotMerger, signal: AbortSignal): Promise<void> {
    const { tables = null, limits = {}, log = silentLogger, clock = systemClock } = this.#options;
    await this.#source.ready?.();
    const reader: SnapshotReader | undefined = await this.#source.openSnapshots?.();
    if (reader === undefined) throw unsupported(this.type);
    const failed = new FailedTables();
    try {
      const snapshot: Snapshot = {
        id: 1,
        state: 'running',
        spec: { tables, where: null, group: null, truncate: false, reason: 'initial', limits },
        createdMs: clock.nowMs(),
        endedMs: null,
        error: null,
        parts: null,
      };
      const durable = (): Promise<void> => Promise.resolve();
      await new SnapshotRun(snapshot, { reader, merger, store: failed, durable, clock, log, signal }).run();
    } finally {
      await reader.close();
    }
    if (failed.first !== null) throw failed.first;
  }
}

/** Nothing is kept, but for what went wrong. */
class FailedTables implements SnapshotStore {
  first: TidingsError | null = null;

  save(): Promise<void> {
    return Promise.resolve();
  }

  savePart(_id: number, { state, error }: Parameters<SnapshotStore['savePart']>[1]): Promise<void> {
    if (state === 'failed' && error !== null) {
      this.first ??= new TidingsError(error.code, error.message, { hint: error.hint });
    }
    return Promise.resolve();
  }
}

function unsupported(type: string): TidingsError {
  return new TidingsError('SNAPSHOT_UNSUPPORTED', `a source of type ${type} cannot read existing rows`);
}
