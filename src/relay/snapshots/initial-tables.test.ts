import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import type { PartState, Snapshot, SnapshotPart, SnapshotStore } from '../../core/snapshots/snapshot-state.ts';
import { InitialTables } from './initial-tables.ts';
import { KeptSnapshots } from './kept-snapshots.ts';

/** As the relay's state keeps it, over a restart. */
class StateFile implements SnapshotStore {
  readonly #snapshots = new Map<number, Snapshot>();

  async load(): Promise<readonly Snapshot[]> {
    return [...this.#snapshots.values()];
  }

  async save(snapshot: Snapshot, { parts }: { readonly parts: boolean }): Promise<void> {
    const known = this.#snapshots.get(snapshot.id)?.parts ?? null;
    const more = parts ? (snapshot.parts ?? []) : [];
    const all = snapshot.parts === null ? known : [...(known ?? []), ...more];
    this.#snapshots.set(snapshot.id, { ...snapshot, parts: all });
  }

  async savePart(id: number, part: SnapshotPart): Promise<void> {
    const snapshot = this.#snapshots.get(id);
    const has = snapshot?.parts?.some(({ table }) => table === part.table) === true;
    if (snapshot === undefined || !has) throw new Error(`no ${part.table} in ${id}`);
    const parts = snapshot.parts?.map((each) => (each.table === part.table ? part : each)) ?? null;
    this.#snapshots.set(id, { ...snapshot, parts });
  }
}

const state = { file: new StateFile() };
let snapshots: KeptSnapshots;
let initial: InitialTables;

async function startRelay(): Promise<void> {
  snapshots = await KeptSnapshots.load({ stream: 'shop', store: state.file, clock: systemClock });
  initial = new InitialTables(snapshots, {});
}

/** The source is opened with this selection, and has these tables. */
async function opened(tables: readonly string[], watched: readonly string[] = tables): Promise<void> {
  await initial.begin({ watches: (_, table) => watched.includes(table) });
  await look(tables);
}

async function look(tables: readonly string[]): Promise<void> {
  const there = tables.map((name) => ({ database: 'shop', name, rows: 1, key: ['id'] }));
  await initial.look({ tables: async () => there });
}

/** Carries out what is to be read: each table ends so. */
async function readAll(ends: Readonly<Record<string, PartState>>): Promise<void> {
  for (const snapshot of snapshots.values()) {
    if (snapshot.state !== 'running') continue;
    const named = snapshot.spec.tables?.map((pattern) => pattern.slice('`shop`.`'.length, -1)) ?? Object.keys(ends);
    const parts = named.map((table) => partOf(table, ends[table] ?? 'done'));
    await snapshots.save({ ...snapshot, parts }, { parts: true });
    await snapshots.save({ ...snapshots.get(snapshot.id), state: 'done', endedMs: 1 });
  }
}

function partOf(table: string, of: PartState): SnapshotPart {
  return { database: 'shop', table, state: of, after: null, rows: 1, estimate: 1, error: null };
}

/** What is to be read, and was not yet. */
function wanted(): readonly object[] {
  return snapshots
    .values()
    .filter(({ parts }) => parts === null)
    .map(({ spec: { tables, truncate } }) => ({ tables, truncate }));
}

async function comes(sql: string, table: string): Promise<void> {
  await initial.note({ type: 'schema', database: 'shop', table, sql });
}

beforeEach(async () => {
  state.file = new StateFile();
  await startRelay();
  await opened(['a', 'b']);
});

describe('initial rows', () => {
  test('are those of all tables the first time, and then of tables that come into the selection', async () => {
    expect(wanted()).toEqual([{ tables: null, truncate: false }]);
    await readAll({ a: 'done', b: 'done' });
    await startRelay();
    await opened(['a', 'b', 'c']);
    expect(wanted()).toEqual([{ tables: ['`shop`.`c`'], truncate: false }]);
    // Also when nothing was read of it before the relay is started again, and another one has come.
    await startRelay();
    await opened(['a', 'b', 'c', 'd']);
    expect(wanted()).toEqual([
      { tables: ['`shop`.`c`'], truncate: false },
      { tables: ['`shop`.`d`'], truncate: false },
    ]);
  });

  test('are not read of a table whose creation the stream has brought', async () => {
    await readAll({ a: 'done', b: 'done' });
    await comes('CREATE TABLE made (id INT)', 'made');
    await comes('create or replace table again (id INT)', 'again');
    await comes('CREATE TABLE IF NOT EXISTS perhaps (id INT)', 'perhaps');
    await startRelay();
    await opened(['a', 'again', 'b', 'made', 'perhaps']);
    expect(wanted()).toEqual([]);
  });

  test('are read of a table that was there before it was watched, whatever statement would have made it if it had not', async () => {
    await readAll({ a: 'done', b: 'done' });
    await startRelay();
    await initial.begin({ watches: () => true });
    // What was committed while the relay was stopped comes before anybody has asked which tables there are.
    await comes('CREATE TABLE IF NOT EXISTS old (id INT)', 'old');
    await look(['a', 'b', 'old']);
    expect(wanted()).toEqual([{ tables: ['`shop`.`old`'], truncate: false }]);
  });

  test('are read anew, behind a truncate entry, of a table that was watched no more for a while', async () => {
    await readAll({ a: 'done', b: 'failed' });
    await startRelay();
    await opened([], []);
    await startRelay();
    await opened(['a', 'b']);
    expect(wanted()).toEqual([{ tables: ['`shop`.`a`', '`shop`.`b`'], truncate: true }]);
    await readAll({});
    await startRelay();
    await opened(['a', 'b']);
    expect(wanted()).toEqual([]);
  });

  test('are not read of a table that was dropped and made again before the eyes of the stream', async () => {
    // While it was read, and long after.
    await readAll({ a: 'gone', b: 'done' });
    await comes('CREATE TABLE a (id INT)', 'a');
    await comes('DROP TABLE `b` /* generated by server */', 'b');
    await comes('CREATE TABLE b (id INT)', 'b');
    await startRelay();
    await opened(['a', 'b']);
    expect(wanted()).toEqual([]);
  });

  test('are read anew of a table that was dropped, when another one is given its name', async () => {
    await readAll({ a: 'gone', b: 'done' });
    await comes('DROP TABLE b', 'b');
    expect(initial.mayMiss).toBe(false);
    await comes('RENAME TABLE x TO a, y TO b', 'a');
    expect(initial.mayMiss).toBe(true);
    await look(['a', 'b']);
    expect(initial.mayMiss).toBe(false);
    expect(wanted()).toEqual([{ tables: ['`shop`.`a`', '`shop`.`b`'], truncate: true }]);
  });

  test('are read of a table under its other name, and again when it is given back the first one', async () => {
    await readAll({ a: 'done', b: 'done' });
    await comes('ALTER TABLE a RENAME TO c', 'c');
    await look(['b', 'c']);
    expect(wanted()).toEqual([{ tables: ['`shop`.`c`'], truncate: false }]);
    await readAll({});
    await comes('ALTER TABLE c RENAME TO a', 'a');
    await look(['a', 'b']);
    expect(wanted()).toEqual([{ tables: ['`shop`.`a`'], truncate: true }]);
  });

  test('are looked for once more when a table is renamed while the server is asked which there are', async () => {
    await readAll({ a: 'done', b: 'done' });
    await comes('RENAME TABLE x TO y', 'y');
    const looking = look(['a', 'b']);
    await comes('RENAME TABLE y TO z', 'z');
    await looking;
    expect(initial.mayMiss).toBe(true);
    await look(['a', 'b', 'z']);
    expect(wanted()).toEqual([{ tables: ['`shop`.`z`'], truncate: false }]);
  });
});
