import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { column, table } from '../../../test/support/changes.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { FakeSource } from '../../testing/fake-source.ts';
import { type FakeEntry, FakePosition, FakeStore } from '../../testing/fake-store.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import type { Row } from '../change.ts';
import { TidingsError } from '../errors.ts';
import { silentLogger } from '../logger.ts';
import { plainRowBatch } from '../plain-rows.ts';
import {
  type ChunkRequest,
  keyText,
  type SnapshotChunk,
  type SnapshotReader,
  type SnapshotTable,
} from '../snapshot.ts';
import type { RowBatch, TransactionPart } from '../source.ts';
import { keyListOf } from './key-list.ts';
import { SnapshotMerger } from './merger.ts';
import { SnapshotRun } from './snapshot-run.ts';
import type { Snapshot, SnapshotLimits, SnapshotPart, SnapshotStore } from './snapshot-state.ts';

const items = table('shop.items', [
  column('id', 'int'),
  column('serial', 'bigint'),
  column('a', 'bigint'),
  column('b', 'bigint'),
]);

/** `serial` stays with a row, also when its key moves. */
type Item = { id: number; serial: number; a: number; b: number };
type Step =
  | { readonly do: 'insert' | 'delete' | 'a' | 'b'; readonly id: number }
  | { readonly do: 'move'; readonly id: number; readonly to: number }
  | { readonly do: 'truncate' | 'cut' | 'rest' | 'ddl' };

/** The database: rows at each place of the stream's history. Each change writes a number that was never written before. */
class Database {
  readonly store: FakeStore = new FakeStore();
  readonly #history: ReadonlyMap<number, Item>[] = [new Map()];
  readonly #images: 'full' | 'minimal';
  #number = 0;

  constructor(images: 'full' | 'minimal') {
    this.#images = images;
  }

  /** Whether the row has had several keys. */
  hasMoved(serial: number): boolean {
    const ids = this.#history.flatMap((rows) => [...rows.values()].filter((item) => item.serial === serial));
    return new Set(ids.map(({ id: key }) => key)).size > 1;
  }

  at(index: number): ReadonlyMap<number, Item> {
    return this.#history[index] ?? new Map();
  }

  get now(): ReadonlyMap<number, Item> {
    return this.at(this.store.end.index);
  }

  /** In one transaction. */
  commit(steps: readonly Step[]): void {
    const rows = new Map(this.now);
    const entries = steps.flatMap((step) => this.#entry(step, rows) ?? []);
    if (entries.length === 0) return;
    this.store.commit(...entries);
    this.#history.push(rows);
  }

  #entry(step: Step, rows: Map<number, Item>): FakeEntry | null {
    switch (step.do) {
      case 'rest':
        return null;
      case 'cut':
        this.store.cut();
        return null;
      case 'truncate':
        rows.clear();
        return { type: 'truncate', database: 'shop', table: 'items', sql: 'TRUNCATE items' };
      case 'ddl':
        return { type: 'schema', database: 'shop', table: 'items', sql: 'ALTER TABLE items COMMENT = "x"' };
      default:
        return this.#rowEntry(step, rows);
    }
  }

  #rowEntry(
    step: Exclude<Step, { do: 'truncate' | 'cut' | 'rest' | 'ddl' }>,
    rows: Map<number, Item>,
  ): FakeEntry | null {
    const old = rows.get(step.id);
    const number = ++this.#number;
    if (step.do === 'insert') {
      if (old !== undefined) return null;
      const item = { id: step.id, serial: number, a: number, b: number };
      rows.set(step.id, item);
      return { table: items, kind: 'insert', rows: [item] };
    }
    if (old === undefined) return null;
    if (step.do === 'delete') {
      rows.delete(step.id);
      return { table: items, kind: 'delete', rows: [this.#images === 'full' ? old : { id: old.id }] };
    }
    if (step.do === 'move' && (step.to === step.id || rows.has(step.to))) return null;
    const changed = step.do === 'move' ? { id: step.to } : { [step.do]: number };
    const item: Item = { ...old, ...changed };
    rows.delete(old.id);
    rows.set(item.id, item);
    const update = this.#images === 'full' ? { before: old, after: item } : { before: { id: old.id }, after: changed };
    return { table: items, kind: 'update', rows: [update] };
  }
}

/** Sees the rows as of any place between the one that was asked for and the present, and says a mark behind that. */
class DatabaseReader implements SnapshotReader {
  readonly #database: Database;
  readonly #random: () => number;
  readonly #rows: number;
  /** Of all reads, so many lose the server. */
  readonly #losses: number;
  reads = 0;

  constructor(
    database: Database,
    { random, rows, losses = 0 }: { random: () => number; rows: number; losses?: number },
  ) {
    this.#database = database;
    this.#random = random;
    this.#rows = rows;
    this.#losses = losses;
  }

  async tables(): Promise<readonly SnapshotTable[]> {
    return [{ database: 'shop', name: 'items', rows: 10, key: ['id'] }];
  }

  async checkKeys(): Promise<void> {}

  async readChunk({ after: place, onRows, since, keys, among }: ChunkRequest): Promise<SnapshotChunk> {
    this.reads++;
    await this.#pause();
    const after = await place();
    const from = (since as FakePosition).index;
    const seen = from + Math.floor(this.#random() * (this.#database.store.end.index - from + 1));
    const all = [...this.#database.at(seen).values()].toSorted((x, y) => x.id - y.id);
    const behind = after === null ? -Infinity : Number(after);
    const isOneOf = (list: readonly unknown[] | undefined, key: number): boolean => list?.includes(key) ?? true;
    const wanted = all.filter(({ id }) => id > behind && isOneOf(keys, id) && isOneOf(among, id));
    const rows = wanted.slice(0, this.#rows);
    const next = wanted.length > rows.length ? String(rows.at(-1)?.id) : null;
    onRows?.(next);
    await this.#pause();
    if (this.#random() < this.#losses) throw new TidingsError('CONNECTION_LOST', 'it is gone');
    const { end } = this.#database.store;
    const mark = seen + Math.floor(this.#random() * (end.index - seen + 1));
    return {
      table: items,
      key: ['id'],
      count: rows.length,
      columns: 4,
      bytes: rows.length * 10,
      next,
      mark: new FakePosition(mark),
      readAtUs: 1,
      rows: (except): readonly RowBatch[] =>
        rows
          .filter(({ id }) => !except.has(keyText(id)))
          .map((row) => plainRowBatch({ table: items, kind: 'upsert', rows: [row], snapshot: true })),
      keys: () => rows.map(({ id }) => id),
      release: () => undefined,
    };
  }

  reached(position: FakePosition, mark: FakePosition): boolean {
    return position.index >= mark.index;
  }

  watches(): boolean {
    return true;
  }

  async threadsRunning(): Promise<number> {
    return 1;
  }

  async close(): Promise<void> {}

  /** Others go on meanwhile: none to some turns of the event loop. */
  async #pause(): Promise<void> {
    for (let turns = Math.floor(this.#random() * 4); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

class MemoryStore implements SnapshotStore {
  readonly parts = new Map<string, SnapshotPart>();
  state = 'running';

  async save({ state }: Snapshot): Promise<void> {
    this.state = state;
  }

  async savePart(_id: number, part: SnapshotPart): Promise<void> {
    this.parts.set(part.table, part);
  }
}

/** What a consumer makes of the stream, and what it finds wrong with it. */
class Consumer {
  readonly rows = new Map<number, Row>();
  /** Keys of the rows that a snapshot has brought. */
  readonly brought = new Set<number>();
  readonly wrong: string[] = [];
  readonly #newest = new Map<string, number>();

  apply(batch: RowBatch): void {
    for (const { kind, key, before, after, snapshot } of batch.changes()) {
      const id = key?.['id'] as number;
      if ((kind === 'upsert') !== (snapshot === true)) this.wrong.push(`a ${kind} with snapshot ${snapshot}`);
      if (snapshot === true) this.brought.add(id);
      if (kind === 'delete') {
        this.rows.delete(id);
        continue;
      }
      const oldId = (before?.['id'] ?? id) as number;
      const row = { ...(kind === 'update' ? this.rows.get(oldId) : {}), ...after };
      this.rows.delete(oldId);
      this.rows.set(id, row);
      for (const name of ['a', 'b']) this.#check(row, name);
    }
  }

  truncate(): void {
    this.rows.clear();
  }

  /** Where the row's beginning was not seen yet, its parts cannot be told. */
  #check(row: Row, name: string): void {
    const { serial, [name]: number } = row as { readonly [name: string]: number | undefined };
    if (serial === undefined || number === undefined) return;
    const what = `${serial} ${name}`;
    const newest = this.#newest.get(what) ?? 0;
    if (number < newest) this.wrong.push(`${what}: ${number} after ${newest}`);
    this.#newest.set(what, number);
  }

  #open = false;
  /** At the beginning of the present transaction. */
  #before: { readonly rows: ReadonlyMap<number, Row>; readonly newest: ReadonlyMap<string, number> } | null = null;

  #undo(): void {
    this.rows.clear();
    for (const [key, row] of this.#before?.rows ?? []) this.rows.set(key, row);
    this.#newest.clear();
    for (const [what, number] of this.#before?.newest ?? []) this.#newest.set(what, number);
  }

  /** Rows of a snapshot stand between transactions. */
  part({ begins, restarted, end }: TransactionPart): void {
    // What came of a transaction that begins again is undone, as the contract of sources wants it.
    if (begins && restarted) this.#undo();
    else if (begins) this.#before = { rows: new Map(this.rows), newest: new Map(this.#newest) };
    if (begins && this.#open && !restarted) this.wrong.push('something stands inside a transaction');
    this.#open = end === null;
  }
}

const id = fc.integer({ min: 0, max: 11 });
const change: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('insert' as const, 'delete' as const, 'a' as const, 'b' as const), id }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('move' as const), id, to: id }) },
);
/** Transactions, and what happens between them. */
const step: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 6, arbitrary: fc.array(change, { minLength: 1, maxLength: 8 }) },
  { weight: 3, arbitrary: fc.constant<readonly Step[]>([{ do: 'rest' }]) },
  { weight: 1, arbitrary: fc.constantFrom<readonly Step[]>([{ do: 'cut' }], [{ do: 'truncate' }], [{ do: 'ddl' }]) },
);

function snapshotOf(keys?: readonly number[]): Snapshot {
  const common = { where: null, group: null, truncate: false, reason: 'request', limits: {} } as const;
  const spec =
    keys === undefined ? { ...common, tables: null } : { ...common, tables: ['shop.items'], keys: keyListOf(keys) };
  return { id: 1, state: 'running', spec, createdMs: 0, endedMs: null, error: null, parts: null };
}

/** Nobody waits for long before reading is tried again. */
const impatientClock: Clock = {
  nowMs: () => systemClock.nowMs(),
  sleep: () => new Promise((resolve) => setImmediate(resolve)),
};

async function run(plan: {
  readonly images: 'full' | 'minimal';
  readonly before: readonly (readonly Step[])[];
  readonly during: readonly (readonly Step[])[];
  readonly rows: number;
  readonly seed: number;
  readonly keys?: readonly number[];
}): Promise<{ readonly database: Database; readonly consumer: Consumer; readonly store: MemoryStore }> {
  const database = new Database(plan.images);
  for (const each of plan.before) database.commit(each);
  let state = plan.seed;
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const source = new FakeSource(database.store, { rowsPerBatchMax: 3 });
  const start = database.store.end;
  Object.assign(source, { ready: () => Promise.resolve(start) });
  const merger = new SnapshotMerger(source);
  const reader = new DatabaseReader(database, { random, rows: plan.rows, losses: 0.25 });
  const store = new MemoryStore();
  const consumer = new Consumer();
  const stop = new AbortController();
  const durable = async (): Promise<void> => undefined;
  const options = { reader, merger, store, durable, clock: impatientClock, log: silentLogger, signal: stop.signal };
  const snapshotting = new SnapshotRun(snapshotOf(plan.keys), options).run();
  const writing = (async () => {
    for (const each of plan.during) {
      database.commit(each);
      if (each[0]?.do === 'rest') await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  let over = false;
  const ended = (async () => {
    await Promise.all([snapshotting, writing]);
    over = true;
    // So that the consumer is called once more.
    database.store.commit({ type: 'schema', database: 'other', table: null, sql: 'CREATE DATABASE other' });
  })();
  for await (const { parts, position } of merger.batches()) {
    // A stream that is behind: reads see what it has not brought yet.
    for (let turns = Math.floor(random() * 4); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const part of parts) {
      consumer.part(part);
      for (const entry of part.entries) {
        if (entry.type === 'rows') consumer.apply(entry);
        else if (entry.type === 'truncate') consumer.truncate();
      }
    }
    if (over && (position as FakePosition).index === database.store.end.index) break;
  }
  await ended;
  return { database, consumer, store };
}

describe('SnapshotMerger', () => {
  test.each(['full', 'minimal'] as const)(
    'whatever is written while chunks are read and the server is lost, a consumer ends with the rows of the source and never gets an older value of a key (row images %s)',
    async (images) => {
      const inserts = [Array.from({ length: 12 }, (_, i): Step => ({ do: 'insert', id: i }))];
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 20 }),
          fc.array(step, { maxLength: 60 }),
          fc.integer({ min: 1, max: 5 }),
          fc.integer({ min: 1, max: 1_000_000 }),
          async (before, during, rows, seed) => {
            const { database, consumer, store } = await run({
              images,
              before: [...inserts, ...before],
              during,
              rows,
              seed,
            });
            expect(consumer.wrong).toEqual([]);
            const end = database.at(database.store.end.index - 1);
            expect([...consumer.rows.entries()].toSorted(([x], [y]) => x - y)).toEqual(
              [...end.entries()].toSorted(([x], [y]) => x - y),
            );
            expect(store.state).toBe('done');
          },
        ),
        { numRuns: 500 },
      );
    },
  );
});

describe('a snapshot by keys', () => {
  test.each(['full', 'minimal'] as const)(
    'brings these rows and no others, never an older value, and all of their columns, whatever is written meanwhile (row images %s)',
    async (images) => {
      const inserts = [Array.from({ length: 12 }, (_, i): Step => ({ do: 'insert', id: i }))];
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 20 }),
          fc.array(step, { maxLength: 60 }),
          fc.integer({ min: 1, max: 5 }),
          fc.integer({ min: 1, max: 1_000_000 }),
          fc.uniqueArray(fc.integer({ min: 0, max: 14 }), { minLength: 1 }),
          async (before, during, rows, seed, keys) => {
            const plan = { images, before: [...inserts, ...before], during, rows, seed, keys };
            const { database, consumer, store } = await run(plan);
            expect(store.state).toBe('done');
            expect(consumer.wrong).toEqual([]);
            expect([...consumer.brought].filter((key) => !keys.includes(key))).toEqual([]);
            const end = database.store.end.index - 1;
            for (const key of keys) {
              const row = database.at(end).get(key);
              // Where only changed columns are logged, a row that came to the key afterwards came with those.
              if (images === 'minimal' && row !== undefined && database.hasMoved(row.serial)) continue;
              expect(consumer.rows.get(key)).toEqual(row);
            }
          },
        ),
        { numRuns: 500 },
      );
    },
  );
});

/** What is committed right behind the first read is in the stream before its mark. */
class LateReader extends DatabaseReader {
  readonly #late: () => FakePosition;

  constructor(database: Database, late: () => FakePosition) {
    super(database, { random: () => 0, rows: 5 });
    this.#late = late;
  }

  override async readChunk(request: ChunkRequest): Promise<SnapshotChunk> {
    const chunk = await super.readChunk(request);
    return this.reads > 1 ? chunk : { ...chunk, mark: this.#late() };
  }
}

test('a row that comes to one of the keys while they are read comes in full, and one that leaves them does not come', async () => {
  const database = new Database('minimal');
  for (const key of [1, 9]) database.commit([{ do: 'insert', id: key }]);
  const source = new FakeSource(database.store);
  const start = database.store.end;
  Object.assign(source, { ready: () => Promise.resolve(start) });
  const merger = new SnapshotMerger(source);
  const reader = new LateReader(database, () => {
    database.commit([
      { do: 'move', id: 9, to: 2 },
      { do: 'move', id: 1, to: 8 },
    ]);
    return database.store.end;
  });
  const store = new MemoryStore();
  const durable = async (): Promise<void> => undefined;
  const { signal } = new AbortController();
  const options = { reader, merger, store, durable, clock: systemClock, log: silentLogger, signal };
  const done = new SnapshotRun(snapshotOf([1, 2]), options).run();
  const consumer = new Consumer();
  // oxlint-disable-next-line promise/catch-or-return -- awaited below
  void done.then(() => database.commit([{ do: 'insert', id: 11 }]));
  for await (const { parts } of merger.batches()) {
    for (const { entries } of parts) for (const entry of entries) if (entry.type === 'rows') consumer.apply(entry);
    if (store.state === 'done') break;
  }
  await done;
  expect([...consumer.brought]).toEqual([2]);
  expect(consumer.rows.get(2)).toEqual(database.now.get(2));
});

test('a table that is changed all the time, a few columns at a time, is read to its end', async () => {
  for (const keys of [undefined, [1, 2, 3]]) {
    const database = new Database('minimal');
    for (let key = 0; key < 12; key++) database.commit([{ do: 'insert', id: key }]);
    const source = new FakeSource(database.store);
    const start = database.store.end;
    Object.assign(source, { ready: () => Promise.resolve(start) });
    const merger = new SnapshotMerger(source);
    const reader = new DatabaseReader(database, { random: () => 0, rows: 5 });
    // Another row with every chunk that is asked for, and with every batch.
    let changes = 0;
    const change = (): void => database.commit([{ do: 'a', id: changes++ % 12 }]);
    const store = new MemoryStore();
    const stop = new AbortController();
    const durable = async (): Promise<void> => undefined;
    const options = { reader, merger, store, durable, clock: systemClock, log: silentLogger, signal: stop.signal };
    const done = new SnapshotRun(snapshotOf(keys), options).run();
    change();
    for await (const { position } of merger.batches()) {
      if (store.state === 'done') break;
      expect((position as FakePosition).index).toBeLessThan(2000);
      change();
    }
    await done;
  }
});

test.each(['is made anew', 'loses the server'] as const)(
  'a row that comes to a key that was read already, while nothing is read, is whole before the next chunk counts, also where reading %s then',
  async (what) => {
    const database = new Database('minimal');
    for (let key = 1; key <= 20; key++) database.commit([{ do: 'insert', id: key }]);
    const store = new MemoryStore();
    const consumer = new Consumer();
    const reader = new DatabaseReader(database, { random: () => 0, rows: 3 });
    const { readChunk } = DatabaseReader.prototype;
    const source = new FakeSource(database.store);
    Object.assign(source, { ready: () => Promise.resolve(source.position) });
    const merger = new SnapshotMerger(source);
    const durable = async (): Promise<void> => undefined;
    const runOnce = (
      limits: SnapshotLimits,
      { clock, signal }: { clock: Clock; signal: AbortSignal },
    ): Promise<void> => {
      const parts = store.parts.size === 0 ? null : [...store.parts.values()];
      const snapshot = { ...snapshotOf(), parts };
      const spec = { ...snapshot.spec, limits };
      const options = { reader, merger, store, durable, clock, log: silentLogger, signal };
      return new SnapshotRun({ ...snapshot, spec }, options).run();
    };
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const noted = (): number => Number(store.parts.get('items')?.after ?? 0);
    const snapshotting = (async () => {
      const clock = new ManualClock();
      const stop = new AbortController();
      const first = runOnce({ rowsPerSecond: 12 }, { clock, signal: stop.signal });
      first.catch(() => undefined);
      while (noted() < 3) await turn();
      await clock.whenSleeping();
      database.commit([{ do: 'move', id: 20, to: 0 }]);
      while (!consumer.rows.has(0)) await turn();
      if (what === 'loses the server') {
        reader.readChunk = async () => {
          reader.readChunk = readChunk;
          throw new TidingsError('CONNECTION_LOST', 'it is gone');
        };
      }
      for (const before = noted(); noted() === before; clock.advance(1000)) await turn();
      stop.abort();
      await first.catch(() => undefined);
      await runOnce({}, { clock: systemClock, signal: new AbortController().signal });
      // So that there is another batch.
      database.commit([{ do: 'insert', id: 30 }]);
    })();
    for await (const { parts } of merger.batches()) {
      for (const part of parts) for (const entry of part.entries) if (entry.type === 'rows') consumer.apply(entry);
      if (store.state === 'done') break;
    }
    await snapshotting;
    expect(consumer.rows.get(0)).toEqual(database.now.get(0));
  },
);

test('a row that came to another key with as many columns as the table has since is one that came with too few', async () => {
  const database = new Database('minimal');
  database.commit([{ do: 'insert', id: 1 }]);
  const source = new FakeSource(database.store);
  const start = database.store.end;
  Object.assign(source, { ready: () => Promise.resolve(start) });
  const merger = new SnapshotMerger(source);
  const window = await merger.window('shop', 'items', { key: ['id'], onlyMoves: true });
  database.commit([{ do: 'move', id: 1, to: 2 }]);
  database.commit([{ do: 'ddl' }]);
  for await (const { position } of merger.batches()) {
    if ((position as FakePosition).index === database.store.end.index) break;
  }
  expect(window.incomplete(1).map(({ key }) => key)).toEqual([2]);
});

/** A chunk of five rows on its way into a stream. */
async function mergeOne(): Promise<{ database: Database; merger: SnapshotMerger; merging: Promise<unknown> }> {
  const database = new Database('full');
  for (let key = 0; key < 5; key++) database.commit([{ do: 'insert', id: key }]);
  const source = new FakeSource(database.store);
  const start = database.store.end;
  Object.assign(source, { ready: () => Promise.resolve(start) });
  const merger = new SnapshotMerger(source);
  const reader = new DatabaseReader(database, { random: () => 0, rows: 5 });
  const window = await merger.window('shop', 'items', { key: ['id'] });
  const request = { database: 'shop', table: 'items', after: (): null => null, rows: 5, bytes: 1, where: null };
  const chunk = await reader.readChunk({ ...request, since: window.since, signal: new AbortController().signal });
  const merging = merger.merge(window, chunk, { reader });
  merging.catch(() => undefined);
  return { database, merger, merging };
}

test('whoever stops taking batches inside a chunk fails it, and nobody waits for ever', async () => {
  const { merger, merging } = await mergeOne();
  for await (const { parts } of merger.batches()) {
    expect(parts).toHaveLength(1);
    break;
  }
  await expect(merging).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
});

test('a chunk that cannot be written fails alone: the stream goes on', async () => {
  const { database, merger, merging } = await mergeOne();
  const damaged = new Error('this row cannot be written');
  let refused = 0;
  for await (const batch of merger.batches()) {
    if (batch.refused === undefined) break;
    refused++;
    batch.refused(damaged);
    database.commit([{ do: 'a', id: 1 }]);
  }
  expect(refused).toBe(1);
  await expect(merging).rejects.toBe(damaged);
});
