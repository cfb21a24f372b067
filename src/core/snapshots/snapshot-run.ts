import { Backoff } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { groupAudience, readerAudience } from '../change.ts';
import { isTidingsError, TidingsError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { isTransient } from '../retry.ts';
import type { SnapshotReader, SnapshotTable } from '../snapshot.ts';
import { parseTablePattern } from '../table-pattern.ts';
import { keysOf } from './key-list.ts';
import { KeyRun } from './key-run.ts';
import type { SnapshotMerger } from './merger.ts';
import { MovedRows } from './moved-rows.ts';
import type { Snapshot, SnapshotFailure, SnapshotPart, SnapshotStore } from './snapshot-state.ts';
import { type LoadPause, SourceLoad } from './source-load.ts';
import { TableRun } from './table-run.ts';
import { readWithoutKey } from './whole-run.ts';

export interface SnapshotRunOptions {
  readonly reader: SnapshotReader;
  readonly merger: SnapshotMerger;
  readonly store: SnapshotStore;
  /** Resolves when everything that went into the stream is durable. */
  readonly durable: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Tables that the stream has had, and of which a consumer that is told to empty tables may have rows, though they are gone. */
  readonly formerTables?: () => readonly { readonly database: string; readonly name: string }[];
}

const PARALLEL = 2;
/** A table's key is not changed so often. */
const ATTEMPTS_MAX = 5;
const AGAIN = { delayMinMs: 200, delayMaxMs: 10_000 };

/**
 * Carries one snapshot out, from where it is to its end or until the signal aborts; another run may go on then, in another process.
 */
export class SnapshotRun {
  readonly #options: SnapshotRunOptions;
  readonly #load: SourceLoad;
  #snapshot: Snapshot;
  #keys = new Map<string, readonly string[] | null>();

  /** @throws TidingsError SNAPSHOT_INVALID */
  constructor(snapshot: Snapshot, options: SnapshotRunOptions) {
    this.#snapshot = snapshot;
    this.#options = options;
    this.#load = new SourceLoad(snapshot.spec.limits, options);
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Why nothing is read at this moment, if there is a reason. */
  get pause(): LoadPause | null {
    return this.#load.pause;
  }

  /**
   * @throws what the signal was aborted with, what the store or the stream throws, and failures that another connection may cure; a
   *   table that cannot be read fails alone
   */
  async run(): Promise<void> {
    this.#load.check(this.#options.reader);
    await this.#plan();
    const { parallel = PARALLEL } = this.#snapshot.spec.limits;
    const lanes = Array.from({ length: Math.max(1, parallel) }, () => this.#lane());
    // One that fails must not leave others at work behind it.
    const outcomes = await Promise.allSettled(lanes);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    const failed = this.#parts.some(({ state }) => state === 'failed');
    await this.#save({ ...this.#snapshot, state: failed ? 'failed' : 'done', endedMs: this.#options.clock.nowMs() });
  }

  readonly #taken = new Set<string>();

  get #audience(): string | null {
    const { group, reader } = this.#snapshot.spec;
    if (reader !== undefined) return readerAudience(reader.name);
    return group === null ? null : groupAudience(group);
  }

  get #parts(): readonly SnapshotPart[] {
    return this.#snapshot.parts ?? [];
  }

  /** Which tables there are, the first time; and by which key each is read. */
  async #plan(): Promise<void> {
    const { reader, formerTables } = this.#options;
    const tables = await this.#patiently(() => reader.tables());
    this.#keys = new Map(tables.map((table) => [nameOf(table.database, table.name), table.key]));
    if (this.#snapshot.parts !== null) return;
    const { spec } = this.#snapshot;
    const patterns =
      spec.tables?.map((text) => ({ text, pattern: parseTablePattern(text, { database: null }) })) ?? null;
    const isWanted = (database: string, name: string): boolean =>
      patterns === null || patterns.some(({ pattern }) => pattern.matches(database, name));
    const wanted = tables.filter(({ database, name }) => isWanted(database, name));
    const { keys } = spec;
    const parts = wanted.map((table) => newPart(keys === undefined ? table : { ...table, rows: keys.count }));
    if (spec.truncate) {
      for (const { database, name } of formerTables?.() ?? []) {
        // What is watched no more is nobody's business here: its rows stay where they are.
        if (!isWanted(database, name) || !reader.watches(database, name)) continue;
        if (this.#keys.has(nameOf(database, name))) continue;
        parts.push(newPart({ database, name, rows: 0 }));
      }
    }
    // Whoever asks by name means what is there; what the relay asks for by itself may have gone by now.
    const unknown = (patterns ?? []).filter(
      ({ pattern }) => !parts.some((part) => pattern.matches(part.database, part.table)),
    );
    if (spec.reason === 'request' && unknown.length > 0) throw notWatched(unknown.map(({ text }) => text));
    this.#snapshot = { ...this.#snapshot, parts };
    await this.#options.store.save(this.#snapshot, { parts: true });
  }

  /** Takes table after table until there is none left. */
  async #lane(): Promise<void> {
    for (;;) {
      const part = this.#parts.find(
        ({ state, database, table }) =>
          (state === 'waiting' || state === 'reading') && !this.#taken.has(nameOf(database, table)),
      );
      if (part === undefined) return;
      this.#taken.add(nameOf(part.database, part.table));
      // oxlint-disable-next-line no-await-in-loop -- a lane has one table at a time
      await this.#table(part);
    }
  }

  async #table(part: SnapshotPart): Promise<void> {
    const { database, table } = part;
    let present = part;
    if (!this.#options.reader.watches(database, table)) {
      // The selection was narrowed since the snapshot was planned.
      await this.#savePart({ ...part, state: 'gone' });
      return;
    }
    if (present.state === 'waiting') {
      if (this.#snapshot.spec.truncate) await this.#tellToTruncate(database, table);
      present = await this.#savePart({ ...present, state: 'reading' });
    }
    const moved = new MovedRows(this.#options.merger, { database, table });
    try {
      await this.#patiently(async () => {
        // A table that ended while it was read may have been followed by another one of its name, of which nothing is known.
        await this.#read(this.#partOf(database, table) ?? present, { moved });
        while (moved.isTableDropped) {
          // oxlint-disable-next-line no-await-in-loop -- once for each time that the table is dropped meanwhile
          await this.#read(await this.#beginAnew(present, moved), { moved });
        }
        // At once, before it can be dropped: what is done is looked after by whoever has asked for it.
        await this.#savePart({ ...(this.#partOf(database, table) ?? present), state: 'done', after: null });
      });
    } catch (error) {
      const { signal, log } = this.#options;
      signal.throwIfAborted();
      if (!isTidingsError(error)) throw error;
      const last = this.#partOf(database, table) ?? present;
      if (error.code === 'SNAPSHOT_TABLE_GONE') {
        await this.#savePart({ ...last, state: 'gone' });
        return;
      }
      if (isTransient(error)) throw error;
      log.error({ error, database, table }, 'a table cannot be read by the snapshot');
      await this.#savePart({ ...last, state: 'failed', error: failureOf(error) });
    } finally {
      moved.close();
    }
  }

  async #read(part: SnapshotPart, { moved, attempt = 1 }: { moved: MovedRows; attempt?: number }): Promise<void> {
    const { database, table } = part;
    const { reader, merger, clock, signal } = this.#options;
    const { where, keys } = this.#snapshot.spec;
    let { rows } = part;
    const key = this.#keys.get(nameOf(database, table)) ?? null;
    const common = {
      database,
      table,
      where,
      audience: this.#audience,
      reader,
      merger,
      load: this.#load,
      clock,
      signal,
    };
    const merged = async (next: string | null, count: number, left?: number): Promise<void> => {
      rows += count;
      await this.#options.durable();
      const now = this.#partOf(database, table) ?? part;
      await this.#savePart({ ...now, after: next, rows, ...(left === undefined ? {} : { estimate: rows + left }) });
    };
    if (keys !== undefined) {
      if (!this.#keys.has(nameOf(database, table))) throw notWatched([`${database}.${table}`]);
      if (key === null) throw keyMissing(part);
      await new KeyRun({ ...common, key, keys: keysOf(keys), merged }).run(part.after);
      return;
    }
    if (key === null && this.#keys.has(nameOf(database, table))) {
      rows = 0;
      await merged(null, await readWithoutKey(common));
      return;
    }
    const run = new TableRun({ ...common, key: key ?? [], moved, merged });
    try {
      await run.run(part.after);
    } catch (error) {
      const isOtherKey =
        isTidingsError(error) && (error.code === 'SNAPSHOT_CURSOR_INVALID' || error.code === 'SNAPSHOT_KEY_MISSING');
      if (!isOtherKey || attempt === ATTEMPTS_MAX) throw error;
      // What was read by the former key says nothing about where to go on.
      this.#options.log.warn({ database, table }, 'the key of a table was changed: its snapshot begins anew');
      await this.#read(await this.#beginAnew(part, moved), { moved, attempt: attempt + 1 });
    }
  }

  /** Nothing of the table counts as read, and its key may be another one. */
  async #beginAnew(part: SnapshotPart, moved: MovedRows): Promise<SnapshotPart> {
    const anew = await this.#savePart({ ...part, state: 'reading', after: null, rows: 0 });
    if (moved.isTableDropped) moved.close();
    const tables = await this.#options.reader.tables();
    this.#keys = new Map(tables.map((each) => [nameOf(each.database, each.name), each.key]));
    return anew;
  }

  /** Its rows are all that the consumer shall have: what it knows of the table goes. */
  async #tellToTruncate(database: string, table: string): Promise<void> {
    const { merger, clock, durable } = this.#options;
    const options = { atUs: clock.nowMs() * 1000, audience: this.#audience };
    await merger.insert([{ type: 'truncate', database, table, sql: '' }], options);
    await durable();
  }

  /** While the server or the way to it is gone for a while. The stream waits for it as well. */
  async #patiently<T>(attempt: () => Promise<T>): Promise<T> {
    const { signal, clock, log } = this.#options;
    const backoff = new Backoff(AGAIN);
    for (;;) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- attempts follow one another
        return await attempt();
      } catch (error) {
        signal.throwIfAborted();
        if (!isTransient(error)) throw error;
        const delayMs = backoff.nextDelayMs();
        log.info({ error, delayMs }, 'the snapshot waits for the server');
        // oxlint-disable-next-line no-await-in-loop -- the pause between two of them
        await clock.sleep(delayMs, signal);
      }
    }
  }

  #partOf(database: string, table: string): SnapshotPart | null {
    return this.#parts.find((part) => part.database === database && part.table === table) ?? null;
  }

  async #savePart(part: SnapshotPart): Promise<SnapshotPart> {
    await this.#options.store.savePart(this.#snapshot.id, part);
    const isIt = ({ database, table }: SnapshotPart): boolean => database === part.database && table === part.table;
    this.#snapshot = { ...this.#snapshot, parts: this.#parts.map((each) => (isIt(each) ? part : each)) };
    return part;
  }

  async #save(snapshot: Snapshot): Promise<void> {
    await this.#options.store.save(snapshot, { parts: false });
    this.#snapshot = snapshot;
  }
}

function newPart({ database, name, rows }: Pick<SnapshotTable, 'database' | 'name' | 'rows'>): SnapshotPart {
  return { database, table: name, state: 'waiting', after: null, rows: 0, estimate: rows, error: null };
}

function notWatched(tables: readonly string[]): TidingsError {
  return new TidingsError('SNAPSHOT_TABLE_GONE', `there is no table ${tables.join()} that the stream watches`, {
    hint: 'Check its name, and the `tables` of the source; upper and lower case differ.',
  });
}

function keyMissing({ database, table }: SnapshotPart): TidingsError {
  return new TidingsError('SNAPSHOT_KEY_MISSING', `${database}.${table} has no key to find its rows by`, {
    details: { table: `${database}.${table}` },
  });
}

function nameOf(database: string, table: string): string {
  return `${database}\0${table}`;
}

function failureOf({
  code,
  message,
  hint,
}: {
  code: SnapshotFailure['code'];
  message: string;
  hint: string;
}): SnapshotFailure {
  return { code, message, hint };
}
