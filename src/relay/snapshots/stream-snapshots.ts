import { Backoff } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { orAborted } from '../../base/or-aborted.ts';
import type { SchemaChange } from '../../core/change.ts';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { isTransient } from '../../core/retry.ts';
import { requestedKeys } from '../../core/snapshots/key-list.ts';
import { SNAPSHOT_BOUNDS } from '../../core/snapshots/request-bounds.ts';
import type { SnapshotMerger } from '../../core/snapshots/merger.ts';
import { SnapshotRun } from '../../core/snapshots/snapshot-run.ts';
import {
  isOver,
  type Snapshot,
  type SnapshotPart,
  type SnapshotSpec,
  type SnapshotState,
  type SnapshotStore,
} from '../../core/snapshots/snapshot-state.ts';
import { parseHours } from '../../core/snapshots/source-load.ts';
import type { SnapshotReader } from '../../core/snapshot.ts';
import type { Source } from '../../core/source.ts';
import { parseTablePattern } from '../../core/table-pattern.ts';
import type { ChangeLog } from '../log/change-log.ts';
import type { SnapshotOptions, SnapshotRequest, SnapshotStatus, StreamGroups, StreamSnapshots } from '../relay-api.ts';
import { SnapshotRate } from './snapshot-rate.ts';
import { statusOf } from './snapshot-status.ts';

export interface SnapshotServiceOptions {
  readonly stream: string;
  readonly log: ChangeLog;
  readonly groups: Pick<StreamGroups, 'get'>;
  readonly store: SnapshotStore & { load(): Promise<readonly Snapshot[]> };
  readonly options: SnapshotOptions;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One that is being carried out. */
interface Running {
  readonly run: SnapshotRun;
  readonly stop: AbortController;
  readonly rate: SnapshotRate;
}

/** Of a stream; of those that are over. Initial ones say which tables have had theirs. */
const KEPT = 20;
/** A long one must not keep a group's rows waiting. */
const AT_ONCE = 4;

const AGAIN = { delayMinMs: 250, delayMaxMs: 30_000 };

/** CREATE TABLE in the stream: the table's rows are all to come, so nobody needs a snapshot of it. */
const CREATES_TABLE = /^\s*create\s+(or\s+replace\s+)?table\b/i;

/**
 * The snapshots of one stream: kept in the relay's state, carried out a few at a time while the source is read, and gone on with
 * after whatever came in between.
 */
export class SnapshotService implements StreamSnapshots {
  readonly #options: SnapshotServiceOptions;
  readonly #snapshots = new Map<number, Snapshot>();
  /** Those that are being carried out, by number. */
  readonly #running = new Map<number, Running>();
  #session: { readonly stop: AbortController; readonly ended: Promise<void> } | null = null;
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();
  /** Whether the source can read rows at all; null before it was opened. */
  #canRead: boolean | null = null;

  private constructor(options: SnapshotServiceOptions, snapshots: readonly Snapshot[]) {
    this.#options = options;
    for (const snapshot of snapshots) this.#snapshots.set(snapshot.id, snapshot);
  }

  static async open(options: SnapshotServiceOptions): Promise<SnapshotService> {
    return new SnapshotService(options, await options.store.load());
  }

  list(): readonly SnapshotStatus[] {
    return [...this.#snapshots.keys()].map((id) => this.#status(this.#get(id)));
  }

  get(id: number): SnapshotStatus | null {
    return this.#snapshots.has(id) ? this.#status(this.#get(id)) : null;
  }

  async start(request: SnapshotRequest): Promise<SnapshotStatus> {
    const { tables = null, where = null, keys = null, group = null, truncate = false, limits = {} } = request;
    for (const text of tables ?? []) parseTablePattern(text, { database: null });
    if (limits.hours !== undefined) parseHours(limits.hours);
    if (truncate && where !== null) {
      throw new TidingsError('SNAPSHOT_INVALID', 'a snapshot of some rows cannot empty the tables of its consumers', {
        hint: 'Leave out the condition, or the marker.',
      });
    }
    const list = requestedKeys({ keys, tables, where, truncate });
    if (this.#canRead === false) throw this.#unsupported();
    this.#checkRoom();
    const { groups, stream } = this.#options;
    if (group !== null && groups.get(group) === null) {
      throw new TidingsError('GROUP_UNKNOWN', `stream ${stream} has no group ${group}`, {
        hint: 'A group comes into being with its first member; or give it a checkpoint.',
        details: { stream, group },
      });
    }
    const spec: SnapshotSpec = { tables, where, group, truncate, reason: 'request', limits };
    return this.#status(await this.#add(list === null ? spec : { ...spec, keys: list }));
  }

  async pause(id: number): Promise<void> {
    const snapshot = this.#open(id);
    if (snapshot.state === 'running') await this.#stopAs({ ...snapshot, state: 'paused' });
  }

  async resume(id: number): Promise<void> {
    const snapshot = this.#open(id);
    if (snapshot.state !== 'paused') return;
    await this.#save({ ...snapshot, state: 'running' });
    this.#wakeUp();
  }

  async cancel(id: number): Promise<void> {
    const snapshot = this.#open(id);
    await this.#stopAs({ ...snapshot, state: 'cancelled', endedMs: this.#options.clock.nowMs() });
  }

  /** The binlog behind the stream's end is gone: what came in between is made good by all rows anew. Durable when it resolves. */
  async repair(): Promise<void> {
    const waiting = [...this.#snapshots.values()].some(
      ({ state, spec, parts }) => state === 'running' && spec.reason === 'gap' && parts === null,
    );
    if (!waiting) await this.#add(this.#specOf('gap'));
  }

  /** Rows for a group were asked for, and its place in the log is perhaps not set yet. */
  isBootstrapPlanned(group: string): boolean {
    return this.#planned(group) !== undefined;
  }

  /**
   * All rows for one group. `place` sets where the group reads on: durable before the first chunk is read, and behind the durable
   * intent, so that a crash in between leaves neither rows that nobody waits for nor a group that waits in vain.
   */
  async bootstrap(group: string, { truncate }: { truncate: boolean }, place: () => Promise<void>): Promise<void> {
    if (this.#canRead === false) throw this.#unsupported();
    const spec = { ...this.#specOf('bootstrap'), group, truncate };
    const { id } = this.#planned(group) ?? (await this.#add(spec, 'paused'));
    await place();
    await this.resume(id);
  }

  /**
   * All rows for one reader without a group, or those of its tables. It is to read behind `after`, which is before the first of them. Asked again under
   * the same name it is the same snapshot.
   */
  async bootstrapReader(
    name: string,
    { tables = null, truncate }: { tables?: readonly string[] | null; truncate: boolean },
  ): Promise<{ readonly id: number; readonly after: number }> {
    const found = this.#ofReader(name);
    if (found?.state === 'cancelled') {
      const { stream } = this.#options;
      throw new TidingsError('SNAPSHOT_INVALID', `the snapshot for reader ${name} was cancelled`, {
        hint: 'Begin under another name.',
        details: { stream, snapshot: found.id },
      });
    }
    if (found?.spec.reader !== undefined) return { id: found.id, after: found.spec.reader.after };
    for (const text of tables ?? []) parseTablePattern(text, { database: null });
    if (this.#canRead === false) throw this.#unsupported();
    this.#checkRoom();
    const { last: after } = this.#options.log.visible;
    const { id } = await this.#add({ ...this.#specOf('bootstrap'), tables, truncate, reader: { name, after } });
    return { id, after };
  }

  /** Ends what is read for it, if that is not over. */
  async cancelOfReader(name: string): Promise<void> {
    const found = this.#ofReader(name);
    if (found !== undefined && !isOver(found)) await this.cancel(found.id);
  }

  #ofReader(name: string): Snapshot | undefined {
    return [...this.#snapshots.values()].find(({ spec }) => spec.reader?.name === name);
  }

  #planned(group: string): Snapshot | undefined {
    return [...this.#snapshots.values()].find(
      ({ state, spec, parts }) =>
        state === 'paused' && parts === null && spec.reason === 'bootstrap' && spec.group === group,
    );
  }

  /** The source is being read: snapshots may be, until `detach`. */
  attach(source: Source, merger: SnapshotMerger): void {
    this.#canRead = source.openSnapshots !== undefined;
    const stop = new AbortController();
    const ended = this.#work(source, merger, stop.signal);
    this.#session = { stop, ended };
  }

  async detach(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    session?.stop.abort();
    await session?.ended;
  }

  /** The stream has brought it. A table whose creation it has seen needs no snapshot. */
  noteSchema({ database, table, sql }: SchemaChange): void {
    if (table === null || !CREATES_TABLE.test(sql)) return;
    const kept = [...this.#snapshots.values()].findLast(({ spec }) => spec.reason === 'initial');
    const initial = kept === undefined ? null : this.#get(kept.id);
    if (initial === null || initial.parts === null) return;
    if (this.#isCovered(database, table)) return;
    const part: SnapshotPart = { database, table, state: 'done', after: null, rows: 0, estimate: 0, error: null };
    const { store, logger } = this.#options;
    this.#snapshots.set(initial.id, { ...initial, parts: [...initial.parts, part] });
    store.save({ ...initial, parts: [part] }, { parts: true }).catch((error: unknown) => {
      logger.warn({ error, database, table }, 'that a new table needs no snapshot could not be noted');
    });
  }

  async #work(source: Source, merger: SnapshotMerger, signal: AbortSignal): Promise<void> {
    const { logger, clock, options } = this.#options;
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
        logger[level]({ error, delayMs, initial: options.initial }, 'snapshots of the stream cannot be read now');
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
    const { logger, options } = this.#options;
    if (source.openSnapshots === undefined) {
      if (options.initial === true) logger.warn({}, "the stream's source cannot read existing rows");
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
          this.#wakeUp();
        });
      work.set(snapshot.id, done);
    };
    try {
      if (options.initial === true) {
        reader = await this.#openReader(source, signal);
        await this.#addInitial(reader);
      }
      for (;;) {
        signal.throwIfAborted();
        if (failure !== null) throw failure.error;
        const woken = this.#wake.promise;
        const waiting = [...this.#snapshots.values()].filter(({ id, state }) => state === 'running' && !work.has(id));
        if (waiting.length > 0 && work.size < AT_ONCE) {
          // oxlint-disable-next-line no-await-in-loop -- once for all of them
          reader ??= await this.#openReader(source, signal);
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
    const { clock, logger, log, store } = this.#options;
    const stop = new AbortController();
    const end = (): void => stop.abort(signal.reason);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    const run = new SnapshotRun(snapshot, {
      reader,
      merger,
      store,
      durable: () => orAborted(log.flush(), stop.signal),
      clock,
      log: logger.child({ snapshot: snapshot.id }),
      signal: stop.signal,
      formerTables: () => log.tables(),
    });
    this.#running.set(snapshot.id, { run, stop, rate: new SnapshotRate(clock) });
    logger.info({ snapshot: snapshot.id, reason: snapshot.spec.reason }, 'a snapshot is being read');
    try {
      await run.run();
      logger.info({ snapshot: snapshot.id, state: run.snapshot.state }, 'a snapshot is over');
    } catch (error) {
      // Stopped by hand: its new state is saved by whoever did it.
      if (stop.signal.aborted) return;
      if (isTransient(error) || !isTidingsError(error)) throw error;
      const { code, message, hint } = error;
      logger.error({ snapshot: snapshot.id, error }, 'a snapshot has failed');
      await this.#save({ ...run.snapshot, state: 'failed', endedMs: clock.nowMs(), error: { code, message, hint } });
    } finally {
      signal.removeEventListener('abort', end);
      const now = this.#snapshots.get(snapshot.id);
      // Paused or cancelled meanwhile, it keeps that state; how far it is comes of the run.
      const after = now === undefined || now.state === 'running' ? run.snapshot : { ...run.snapshot, ...stateOf(now) };
      this.#snapshots.set(snapshot.id, withPartsOf(after, now));
      this.#running.delete(snapshot.id);
    }
  }

  /** The first one of all tables, or one of those that have come into the stream's selection since. */
  async #addInitial(reader: SnapshotReader): Promise<void> {
    const had = [...this.#snapshots.values()].filter(({ spec }) => spec.reason === 'initial');
    if (had.length === 0) {
      await this.#add(this.#specOf('initial'));
      return;
    }
    // One that has no plan yet takes in what there is.
    if (had.some(({ parts }) => parts === null)) return;
    const missing = (await reader.tables()).filter(({ database, name }) => !this.#isCovered(database, name));
    if (missing.length === 0) return;
    const tables = missing.map(({ database, name }) => `${quoted(database)}.${quoted(name)}`);
    await this.#add({ ...this.#specOf('initial'), tables });
  }

  #isCovered(database: string, table: string): boolean {
    return [...this.#snapshots.values()].some(
      ({ spec, parts }) =>
        spec.reason === 'initial' && parts?.some((part) => part.database === database && part.table === table) === true,
    );
  }

  #specOf(reason: 'initial' | 'gap' | 'bootstrap'): SnapshotSpec {
    const { limits = {} } = this.#options.options;
    return { tables: null, where: null, group: null, truncate: reason === 'gap', reason, limits };
  }

  async #add(spec: SnapshotSpec, state: SnapshotState = 'running'): Promise<Snapshot> {
    const id = Math.max(0, ...this.#snapshots.keys()) + 1;
    const createdMs = this.#options.clock.nowMs();
    const snapshot: Snapshot = { id, state, spec, createdMs, endedMs: null, error: null, parts: null };
    // At once, so that the number is taken.
    this.#snapshots.set(id, snapshot);
    try {
      await this.#options.store.save(snapshot, { parts: false });
    } catch (error) {
      this.#snapshots.delete(id);
      throw error;
    }
    this.#forgetOld();
    this.#wakeUp();
    return snapshot;
  }

  async #stopAs(snapshot: Snapshot): Promise<void> {
    this.#snapshots.set(snapshot.id, snapshot);
    this.#running.get(snapshot.id)?.stop.abort();
    await this.#options.store.save(snapshot, { parts: false });
  }

  async #save(snapshot: Snapshot): Promise<void> {
    await this.#options.store.save(snapshot, { parts: false });
    this.#snapshots.set(snapshot.id, snapshot);
  }

  async #openReader(source: Source, signal: AbortSignal): Promise<SnapshotReader> {
    // Only once the stream has a place can its server be compared with the reader's.
    if (source.ready !== undefined) await orAborted(source.ready(), signal);
    const opening = source.openSnapshots?.();
    if (opening === undefined) throw this.#unsupported();
    return opening;
  }

  /** @throws TidingsError SNAPSHOT_INVALID */
  #checkRoom(): void {
    const open = [...this.#snapshots.values()].filter((snapshot) => !isOver(snapshot)).length;
    if (open < SNAPSHOT_BOUNDS.open) return;
    throw new TidingsError(
      'SNAPSHOT_INVALID',
      `stream ${this.#options.stream} has ${open} snapshots that are not over`,
      {
        hint: 'Wait for some of them, or cancel them.',
        details: { stream: this.#options.stream, open },
      },
    );
  }

  /** As the store does. */
  #forgetOld(): void {
    const newest = Math.max(...this.#snapshots.keys());
    for (const [id, snapshot] of this.#snapshots) {
      if (isOver(snapshot) && snapshot.spec.reason !== 'initial' && id <= newest - KEPT) this.#snapshots.delete(id);
    }
  }

  #wakeUp(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  #get(id: number): Snapshot {
    const running = this.#running.get(id)?.run.snapshot;
    const kept = this.#snapshots.get(id);
    if (kept === undefined) {
      throw new TidingsError('SNAPSHOT_UNKNOWN', `stream ${this.#options.stream} has no snapshot ${id}`, {
        details: { stream: this.#options.stream, snapshot: id },
      });
    }
    return running === undefined ? kept : { ...running, ...stateOf(kept) };
  }

  /** @throws TidingsError SNAPSHOT_UNKNOWN, SNAPSHOT_INVALID when it is over */
  #open(id: number): Snapshot {
    const snapshot = this.#get(id);
    if (!isOver(snapshot)) return snapshot;
    throw new TidingsError('SNAPSHOT_INVALID', `snapshot ${id} is over: ${snapshot.state}`, {
      details: { stream: this.#options.stream, snapshot: id, state: snapshot.state },
    });
  }

  #status(snapshot: Snapshot): SnapshotStatus {
    const running = this.#running.get(snapshot.id);
    return statusOf(snapshot, running === undefined ? null : { rate: running.rate, pause: running.run.pause });
  }

  #unsupported(): TidingsError {
    const { stream } = this.#options;
    return new TidingsError('SNAPSHOT_UNSUPPORTED', `the source of stream ${stream} cannot read existing rows`, {
      details: { stream },
    });
  }
}

/** Tables that were noted while it was carried out. */
function withPartsOf(snapshot: Snapshot, noted: Snapshot | undefined): Snapshot {
  const { parts } = snapshot;
  const others = (noted?.parts ?? []).filter(
    ({ database, table }) => parts?.some((part) => part.database === database && part.table === table) !== true,
  );
  return parts === null || others.length === 0 ? snapshot : { ...snapshot, parts: [...parts, ...others] };
}

function stateOf({ state, endedMs, error }: Snapshot): Pick<Snapshot, 'state' | 'endedMs' | 'error'> {
  return { state, endedMs, error };
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
