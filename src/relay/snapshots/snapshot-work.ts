import { Backoff } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { isTransient } from '../../core/retry.ts';
import type { SnapshotReader } from '../../core/snapshot.ts';
import type { SnapshotMerger } from '../../core/snapshots/merger.ts';
import { SnapshotRun } from '../../core/snapshots/snapshot-run.ts';
import type { Snapshot } from '../../core/snapshots/snapshot-state.ts';
import type { LoadPause } from '../../core/snapshots/source-load.ts';
import type { Source } from '../../core/source.ts';
import type { ChangeLog } from '../log/change-log.ts';
import type { InitialTables } from './initial-tables.ts';
import type { KeptSnapshots } from './kept-snapshots.ts';
import { orAborted } from '../../base/or-aborted.ts';
import type { SeenTables } from './seen-tables.ts';
import { SnapshotRate } from './snapshot-rate.ts';

export interface SnapshotWorkOptions {
  readonly snapshots: KeptSnapshots;
  /** Null: tables get no rows by themselves. */
  readonly initial: InitialTables | null;
  readonly log: ChangeLog;
  readonly seen: SeenTables;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One that is being carried out. */
interface Running {
  readonly run: SnapshotRun;
  readonly stop: AbortController;
  readonly rate: SnapshotRate;
}

/** A long one must not keep a group's rows waiting. */
const AT_ONCE = 4;
const AGAIN = { delayMinMs: 250, delayMaxMs: 30_000 };

/** Carries a stream's snapshots out, a few at a time, while its source is read. */
export class SnapshotWork {
  readonly #options: SnapshotWorkOptions;
  readonly #running = new Map<number, Running>();
  #session: { readonly stop: AbortController; readonly ended: Promise<void> } | null = null;
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(options: SnapshotWorkOptions) {
    this.#options = options;
  }

  /** Those that are `running`, from where they are, until `end`. */
  begin(source: Source, merger: SnapshotMerger): void {
    const stop = new AbortController();
    this.#session = { stop, ended: this.#work(source, merger, stop.signal) };
  }

  async end(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    session?.stop.abort();
    await session?.ended;
  }

  /** There may be something to do. */
  wakeUp(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** No more of this one. */
  stop(id: number): void {
    this.#running.get(id)?.stop.abort();
  }

  /** How it comes forward; null while it is not carried out. */
  progress(id: number): { readonly rate: SnapshotRate; readonly pause: LoadPause | null } | null {
    const running = this.#running.get(id);
    return running === undefined ? null : { rate: running.rate, pause: running.run.pause };
  }

  async #work(source: Source, merger: SnapshotMerger, signal: AbortSignal): Promise<void> {
    const { logger, clock, initial } = this.#options;
    const backoff = new Backoff(AGAIN);
    while (!signal.aborted) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
        await this.#serve(source, merger, { signal, works: () => backoff.reset() });
        return;
      } catch (error) {
        if (signal.aborted) return;
        const delayMs = backoff.nextDelayMs();
        const level = isTransient(error) && !backoff.atCeiling ? 'info' : 'error';
        logger[level]({ error, delayMs, initial: initial !== null }, 'snapshots of the stream cannot be read now');
        // oxlint-disable-next-line no-await-in-loop -- the pause between two attempts
        await clock.sleep(delayMs, signal).catch(() => undefined);
      }
    }
  }

  /** Carries out what there is, until the signal aborts. */
  async #serve(
    source: Source,
    merger: SnapshotMerger,
    { signal, works }: { signal: AbortSignal; works: () => void },
  ): Promise<void> {
    const { logger, initial, snapshots } = this.#options;
    if (source.openSnapshots === undefined) {
      if (initial !== null) logger.warn({}, "the stream's source cannot read existing rows");
      return;
    }
    let reader: SnapshotReader | null = null;
    const stop = new AbortController();
    const work = new Map<number, Promise<void>>();
    let failure = null as { readonly error: unknown } | null;
    const begin = (snapshot: Snapshot, from: SnapshotReader): void => {
      const done = this.#carryOut(snapshot, { reader: from, merger, signal: AbortSignal.any([signal, stop.signal]) })
        .then(works, (error: unknown) => {
          failure ??= { error };
        })
        .finally(() => {
          work.delete(snapshot.id);
          this.wakeUp();
        });
      work.set(snapshot.id, done);
    };
    try {
      for (;;) {
        signal.throwIfAborted();
        if (failure !== null) throw failure.error;
        const woken = this.#wake.promise;
        if (initial?.mayMiss === true) {
          // oxlint-disable-next-line no-await-in-loop -- at the start, and behind statements that rename
          reader ??= await openReader(source, signal);
          // oxlint-disable-next-line no-await-in-loop -- as above
          await initial.look(reader);
        }
        const waiting = snapshots.values().filter(({ id, state }) => state === 'running' && !work.has(id));
        if (waiting.length > 0 && work.size < AT_ONCE) {
          // oxlint-disable-next-line no-await-in-loop -- once for all of them
          reader ??= await openReader(source, signal);
          for (const snapshot of waiting.slice(0, AT_ONCE - work.size)) begin(snapshot, reader);
        } else if (work.size === 0) {
          // oxlint-disable-next-line no-await-in-loop -- connections are not held while there is nothing to read
          await reader?.close();
          reader = null;
        }
        // oxlint-disable-next-line no-await-in-loop -- until one is over, or there is another one
        await orAborted(woken, signal);
      }
    } finally {
      stop.abort();
      await Promise.all(work.values());
      await reader?.close();
    }
  }

  async #carryOut(
    snapshot: Snapshot,
    { reader, merger, signal }: { reader: SnapshotReader; merger: SnapshotMerger; signal: AbortSignal },
  ): Promise<void> {
    const { clock, logger, log, seen, snapshots } = this.#options;
    const { id } = snapshot;
    const stop = new AbortController();
    const end = (): void => stop.abort(signal.reason);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    const run = new SnapshotRun(snapshot, {
      reader,
      merger,
      store: {
        save: async ({ state, endedMs, error, parts }, what) => {
          // Paused or cancelled meanwhile, it keeps that state.
          stop.signal.throwIfAborted();
          const now = snapshots.get(id);
          await snapshots.save({ ...now, state, endedMs, error, parts: now.parts ?? parts }, what);
        },
        savePart: (_id, part) => snapshots.savePart(id, part),
      },
      durable: () => orAborted(log.flush(), stop.signal),
      clock,
      log: logger.child({ snapshot: id }),
      signal: stop.signal,
      formerTables: () => seen.values(),
    });
    this.#running.set(id, { run, stop, rate: new SnapshotRate(clock) });
    logger.info({ snapshot: id, reason: snapshot.spec.reason }, 'a snapshot is being read');
    try {
      await run.run();
      logger.info({ snapshot: id, state: run.snapshot.state }, 'a snapshot is over');
    } catch (error) {
      // Stopped by hand: its new state is saved by whoever did it.
      if (stop.signal.aborted) return;
      if (isTransient(error) || !isTidingsError(error)) throw error;
      const { code, message, hint } = error;
      logger.error({ snapshot: id, error }, 'a snapshot has failed');
      const endedMs = clock.nowMs();
      await snapshots.save({ ...snapshots.get(id), state: 'failed', endedMs, error: { code, message, hint } });
    } finally {
      signal.removeEventListener('abort', end);
      this.#running.delete(id);
    }
  }
}

async function openReader(source: Source, signal: AbortSignal): Promise<SnapshotReader> {
  // Only once the stream has a place can its server be compared with the reader's.
  if (source.ready !== undefined) await orAborted(source.ready(), signal);
  const opening = source.openSnapshots?.();
  if (opening === undefined) throw new TidingsError('SNAPSHOT_UNSUPPORTED', 'the source cannot read existing rows');
  return opening;
}
