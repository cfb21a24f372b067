import type { Clock } from '../../base/clock.ts';
import type { SchemaChange } from '../../core/change.ts';
import { TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { requestedKeys } from '../../core/snapshots/key-list.ts';
import { dropsTable } from '../../core/snapshots/dropped-tables.ts';
import type { SnapshotMerger } from '../../core/snapshots/merger.ts';
import {
  isOver,
  type Snapshot,
  type SnapshotSpec,
  type SnapshotState,
  type SnapshotStore,
} from '../../core/snapshots/snapshot-state.ts';
import { parseHours } from '../../core/snapshots/source-load.ts';
import type { Source, TransactionPart } from '../../core/source.ts';
import { parseTablePattern } from '../../core/table-pattern.ts';
import type { ChangeLog } from '../log/change-log.ts';
import type { SnapshotOptions, SnapshotRequest, SnapshotStatus, StreamGroups, StreamSnapshots } from '../relay-api.ts';
import { InitialTables } from './initial-tables.ts';
import { KeptSnapshots } from './kept-snapshots.ts';
import { SeenTables, type TableNameStore } from './seen-tables.ts';
import { statusOf } from './snapshot-status.ts';
import { SnapshotWork } from './snapshot-work.ts';

export interface SnapshotServiceOptions {
  readonly stream: string;
  readonly log: ChangeLog;
  readonly groups: Pick<StreamGroups, 'get'>;
  readonly store: SnapshotStore & { load(): Promise<readonly Snapshot[]> };
  readonly tables: TableNameStore;
  readonly options: SnapshotOptions;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The snapshots of one stream: kept in the relay's state, carried out a few at a time while the source is read, and gone on with
 * after whatever came in between.
 */
export class SnapshotService implements StreamSnapshots {
  readonly #options: SnapshotServiceOptions;
  readonly #snapshots: KeptSnapshots;
  readonly #seen: SeenTables;
  readonly #initial: InitialTables | null;
  readonly #work: SnapshotWork;
  /** Whether the source can read rows at all; null before it was opened. */
  #canRead: boolean | null = null;

  private constructor(
    options: SnapshotServiceOptions,
    { snapshots, seen }: { readonly snapshots: KeptSnapshots; readonly seen: SeenTables },
  ) {
    this.#options = options;
    this.#snapshots = snapshots;
    this.#seen = seen;
    const { initial = false, limits = {} } = options.options;
    this.#initial = initial ? new InitialTables(snapshots, limits) : null;
    this.#work = new SnapshotWork({ ...options, snapshots, seen, initial: this.#initial });
  }

  static async open(options: SnapshotServiceOptions): Promise<SnapshotService> {
    const snapshots = await KeptSnapshots.load(options);
    const seen = await SeenTables.load(options.tables, options.log.tables());
    return new SnapshotService(options, { snapshots, seen });
  }

  list(): readonly SnapshotStatus[] {
    return this.#snapshots.values().map((snapshot) => this.#status(snapshot));
  }

  get(id: number): SnapshotStatus | null {
    return this.#snapshots.has(id) ? this.#status(this.#snapshots.get(id)) : null;
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
    this.#snapshots.checkRoom();
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
    const snapshot = this.#snapshots.get(id);
    if (snapshot.state === 'failed') {
      this.#snapshots.checkRoom();
      await this.#tryAgain(snapshot);
    } else if (this.#open(id).state === 'paused') await this.#snapshots.save({ ...snapshot, state: 'running' });
    this.#work.wakeUp();
  }

  async cancel(id: number): Promise<void> {
    const snapshot = this.#snapshots.get(id);
    // One that has failed is not tried again then.
    if (snapshot.state !== 'failed') this.#open(id);
    await this.#stopAs({ ...snapshot, state: 'cancelled', endedMs: this.#options.clock.nowMs() });
  }

  /** The binlog behind the stream's end is gone: what came in between is made good by all rows anew. Durable when it resolves. */
  async repair(): Promise<void> {
    const waiting = this.#snapshots
      .values()
      .some(({ state, spec, parts }) => state === 'running' && spec.reason === 'gap' && parts === null);
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
    const snapshot = this.#snapshots.get(id);
    await this.#snapshots.save({ ...snapshot, spec: { ...snapshot.spec, placed: true } });
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
    this.#snapshots.checkRoom();
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
    return this.#snapshots.values().find(
      ({ state, spec, parts }) =>
        state === 'paused' &&
        parts === null &&
        spec.reason === 'bootstrap' &&
        spec.group === group &&
        // One that was paused by hand waits for whoever paused it: its group reads on meanwhile.
        spec.placed !== true,
    );
  }

  /** The source is about to be read: snapshots may be, until `detach`. What has failed of those that the relay makes by itself is tried again. */
  async attach(source: Source, merger: SnapshotMerger): Promise<void> {
    this.#canRead = source.openSnapshots !== undefined;
    if (this.#initial !== null) {
      const reader = await source.openSnapshots?.();
      if (reader !== undefined) await this.#initial.begin(reader);
      await reader?.close();
    }
    for (const snapshot of this.#snapshots.values()) {
      // oxlint-disable-next-line no-await-in-loop -- seldom, and few of them
      if (snapshot.state === 'failed' && snapshot.spec.reason !== 'request') await this.#tryAgain(snapshot);
    }
    this.#work.begin(source, merger);
  }

  async detach(): Promise<void> {
    await this.#work.end();
  }

  /** They are about to go into the log. Null: at once; else when it resolves. */
  noteRows(parts: readonly TransactionPart[]): Promise<void> | null {
    return this.#seen.note(parts);
  }

  /** The stream has brought it. */
  noteSchema(change: SchemaChange): void {
    const noted = Promise.all([this.#initial?.note(change), this.#noteDrop(change)]);
    noted.catch((error: unknown) => {
      const { database, table } = change;
      this.#options.logger.warn({ error, database, table }, 'what became of a table could not be noted');
    });
    if (this.#initial?.mayMiss === true) this.#work.wakeUp();
  }

  /** Of a table that ended while its snapshot stands still nothing was read. One that is being read finds out by itself. */
  async #noteDrop(change: SchemaChange): Promise<void> {
    const standing = this.#snapshots.values().filter(({ id, state }) => {
      return state !== 'done' && state !== 'cancelled' && this.#work.progress(id) === null;
    });
    for (const { id, parts } of standing) {
      const begun = (parts ?? []).filter((part) => part.after !== null && dropsTable(change, part));
      // oxlint-disable-next-line no-await-in-loop -- seldom, and few of them
      await this.#snapshots.saveParts(
        id,
        begun.map((part) => ({ ...part, after: null, rows: 0 })),
      );
    }
  }

  /** The tables that could not be read go on where they were. */
  async #tryAgain({ id, parts }: Snapshot): Promise<void> {
    const failed = (parts ?? []).filter(({ state }) => state === 'failed');
    await this.#snapshots.saveParts(
      id,
      failed.map((part) => ({ ...part, state: 'reading', error: null })),
    );
    await this.#snapshots.save({ ...this.#snapshots.get(id), state: 'running', endedMs: null, error: null });
  }

  #specOf(reason: 'gap' | 'bootstrap'): SnapshotSpec {
    const { limits = {} } = this.#options.options;
    return { tables: null, where: null, group: null, truncate: reason === 'gap', reason, limits };
  }

  async #add(spec: SnapshotSpec, state: SnapshotState = 'running'): Promise<Snapshot> {
    const snapshot = await this.#snapshots.add(spec, state);
    this.#work.wakeUp();
    return snapshot;
  }

  async #stopAs(snapshot: Snapshot): Promise<void> {
    const saved = this.#snapshots.save(snapshot);
    this.#work.stop(snapshot.id);
    await saved;
  }

  /** @throws TidingsError SNAPSHOT_UNKNOWN, SNAPSHOT_INVALID when it is over */
  #open(id: number): Snapshot {
    const snapshot = this.#snapshots.get(id);
    if (!isOver(snapshot)) return snapshot;
    throw new TidingsError('SNAPSHOT_INVALID', `snapshot ${id} is over: ${snapshot.state}`, {
      details: { stream: this.#options.stream, snapshot: id, state: snapshot.state },
    });
  }

  #status(snapshot: Snapshot): SnapshotStatus {
    return statusOf(snapshot, this.#work.progress(snapshot.id));
  }

  #unsupported(): TidingsError {
    const { stream } = this.#options;
    return new TidingsError('SNAPSHOT_UNSUPPORTED', `the source of stream ${stream} cannot read existing rows`, {
      details: { stream },
    });
  }
}
