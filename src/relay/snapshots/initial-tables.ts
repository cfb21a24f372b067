import type { SchemaChange } from '../../core/change.ts';
import { dropsTable } from '../../core/snapshots/dropped-tables.ts';
import type { SnapshotReader } from '../../core/snapshot.ts';
import type { Snapshot, SnapshotLimits, SnapshotPart } from '../../core/snapshots/snapshot-state.ts';
import { type KeptSnapshots, nameOf } from './kept-snapshots.ts';

type TableName = Pick<SnapshotPart, 'database' | 'table'>;

/** All rows of such a table are to come in the stream, so nobody needs a snapshot of it. */
const CREATES_TABLE = /^\s*create\s+(or\s+replace\s+)?table\b/i;
/** This one proves nothing of a table that may have been there. */
const CREATES_IF_MISSING = /^\s*create\s+table\s+if\s+not\s+exists\b/i;
/** A table, or something in it. */
const RENAMES = /\brename\b/i;

/**
 * Which tables of a stream have had their initial rows: those that a part of an initial snapshot stands for, unless that part is `gone`. A table
 * that was dropped, was given another name, or is watched no more is gone, and needs its rows when there is one of its name again; but for
 * one whose creation the stream has brought.
 */
export class InitialTables {
  readonly #snapshots: KeptSnapshots;
  readonly #limits: SnapshotLimits;
  /** The tables that were there when the source was opened are covered. */
  #isListed = false;
  #renames = 0;
  #renamesListed = 0;

  /** @param limits of the snapshots that are made of it */
  constructor(snapshots: KeptSnapshots, limits: SnapshotLimits) {
    this.#snapshots = snapshots;
    this.#limits = limits;
  }

  /** Whether a table may have come that nobody has looked for. */
  get mayMiss(): boolean {
    return !this.#isListed || this.#renames !== this.#renamesListed;
  }

  /** The source is about to be read, with this selection: what that leaves out is gone. Resolves when it is durable. */
  async begin(reader: Pick<SnapshotReader, 'watches'>): Promise<void> {
    this.#isListed = false;
    await this.#gone(({ database, table }) => !reader.watches(database, table));
  }

  /** Has read what is missing: everything, the first time; then tables that have come since. Of one that is back consumers may have rows that have vanished. */
  async look(reader: Pick<SnapshotReader, 'tables'>): Promise<void> {
    const renames = this.#renames;
    const tables = (await reader.tables()).map(({ database, name }) => ({ database, table: name }));
    const there = new Set(tables.map(nameOf));
    await this.#gone((part) => part.state === 'done' && !there.has(nameOf(part)));
    if (this.#initial().length === 0) await this.#read(null, false);
    const isCovered = this.#coverage();
    const missing = tables.filter((table) => !isCovered(table));
    const known = new Set(this.#initial().flatMap(({ parts }) => parts?.map(nameOf) ?? []));
    for (const truncate of [true, false]) {
      const some = missing.filter((table) => known.has(nameOf(table)) === truncate).map(patternOf);
      // oxlint-disable-next-line no-await-in-loop -- each has its number
      if (some.length > 0) await this.#read(some, truncate);
    }
    this.#isListed = true;
    this.#renamesListed = renames;
  }

  /** The stream has brought it. Resolves when what is to be noted of it is durable. */
  async note(change: SchemaChange): Promise<void> {
    const { database, table, sql } = change;
    if (table !== null && CREATES_TABLE.test(sql)) await this.#created({ database, table }, sql);
    else if (RENAMES.test(sql)) this.#renames++;
    // What is being read finds out by itself.
    else await this.#gone((part) => part.state === 'done' && dropsTable(change, part));
  }

  async #created(table: TableName, sql: string): Promise<void> {
    if (this.#coverage()(table) || (CREATES_IF_MISSING.test(sql) && !this.#isListed)) return;
    const holder = this.#initial().findLast((snapshot) => partOf(snapshot, table) !== null);
    const gone = holder === undefined ? null : partOf(holder, table);
    if (holder !== undefined && gone !== null) {
      await this.#snapshots.savePart(holder.id, { ...gone, state: 'done' });
      return;
    }
    const last = this.#initial().findLast(({ parts }) => parts !== null);
    if (last === undefined) return;
    const part: SnapshotPart = { ...table, state: 'done', after: null, rows: 0, estimate: 0, error: null };
    await this.#snapshots.addPart(last.id, part);
  }

  async #gone(which: (part: SnapshotPart) => boolean): Promise<void> {
    await Promise.all(
      this.#initial().map(async ({ id, parts }) => {
        const gone = (parts ?? []).filter((part) => part.state !== 'gone' && which(part));
        const saved = gone.map((part) => ({ ...part, state: 'gone', after: null }) as const);
        await this.#snapshots.saveParts(id, saved);
      }),
    );
  }

  /** Tells of a table whether its rows have come, are to come, or need not. */
  #coverage(): (table: TableName) => boolean {
    const initial = this.#initial();
    const parts = initial.flatMap((snapshot) => snapshot.parts ?? []);
    const covered = new Set(parts.filter(({ state }) => state !== 'gone').map(nameOf));
    // Without a plan a snapshot is to take in what there is, of the tables that it is of.
    const unplanned = initial.filter((snapshot) => snapshot.parts === null);
    const patterns = new Set(unplanned.flatMap(({ spec }) => spec.tables ?? []));
    const takesAll = unplanned.some(({ spec }) => spec.tables === null);
    return (table) => takesAll || covered.has(nameOf(table)) || patterns.has(patternOf(table));
  }

  async #read(tables: readonly string[] | null, truncate: boolean): Promise<void> {
    const spec = { tables, where: null, group: null, truncate, reason: 'initial', limits: this.#limits } as const;
    await this.#snapshots.add(spec, 'running');
  }

  #initial(): readonly Snapshot[] {
    return this.#snapshots.values().filter(({ spec }) => spec.reason === 'initial');
  }
}

function partOf({ parts }: Snapshot, table: TableName): SnapshotPart | null {
  return parts?.find((part) => nameOf(part) === nameOf(table)) ?? null;
}

function patternOf({ database, table }: TableName): string {
  return `${quoted(database)}.${quoted(table)}`;
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
