import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { column, table } from '../../../test/support/changes.ts';
import { systemClock } from '../../base/clock.ts';
import { FakeSource } from '../../testing/fake-source.ts';
import { type FakeEntry, FakePosition, FakeStore } from '../../testing/fake-store.ts';
import type { Row } from '../change.ts';
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
import { SnapshotMerger } from './merger.ts';
import { SnapshotRun } from './snapshot-run.ts';
import type { Snapshot, SnapshotPart, SnapshotStore } from './snapshot-state.ts';

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
  reads = 0;

  constructor(database: Database, { random, rows }: { random: () => number; rows: number }) {
    this.#database = database;
    this.#random = random;
    this.#rows = rows;
  }

  async tables(): Promise<readonly SnapshotTable[]> {
    return [{ database: 'shop', name: 'items', rows: 10, key: ['id'] }];
  }

  async readChunk({ after: place, onRows, since, keys }: ChunkRequest): Promise<SnapshotChunk> {
    this.reads++;
    await this.#pause();
    const after = await place();
    const from = (since as FakePosition).index;
    const seen = from + Math.floor(this.#random() * (this.#database.store.end.index - from + 1));
    const all = [...this.#database.at(seen).values()].toSorted((x, y) => x.id - y.id);
    const behind = after === null ? -Infinity : Number(after);
    const wanted = keys === undefined ? all.filter(({ id }) => id > behind) : all.filter(({ id }) => keys.includes(id));
    const rows = keys === undefined ? wanted.slice(0, this.#rows) : wanted;
    const next = keys === undefined && wanted.length > rows.length ? String(rows.at(-1)?.id) : null;
    onRows?.(next);
    await this.#pause();
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
  readonly wrong: string[] = [];
  readonly #newest = new Map<string, number>();

  apply(batch: RowBatch): void {
    for (const { kind, key, before, after, snapshot } of batch.changes()) {
      const id = key?.['id'] as number;
      if ((kind === 'upsert') !== (snapshot === true)) this.wrong.push(`a ${kind} with snapshot ${snapshot}`);
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

async function run(plan: {
  readonly images: 'full' | 'minimal';
  readonly before: readonly (readonly Step[])[];
  readonly during: readonly (readonly Step[])[];
  readonly rows: number;
  readonly seed: number;
}): Promise<{ readonly database: Database; readonly consumer: Consumer; readonly store: MemoryStore }> {
  const database = new Database(plan.images);
  for (const each of plan.before) database.commit(each);
  let state = plan.seed;
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const source = new FakeSource(database.store, { rowsPerBatchMax: 3 });
  const start = database.store.end;
  Object.assign(source, { ready: () => Promise.resolve(start) });
  const merger = new SnapshotMerger(source);
  const reader = new DatabaseReader(database, { random, rows: plan.rows });
  const store = new MemoryStore();
  const consumer = new Consumer();
  const stop = new AbortController();
  const limits = {};
  const spec = { tables: null, where: null, group: null, truncate: false, reason: 'request', limits } as const;
  const snapshot: Snapshot = { id: 1, state: 'running', spec, createdMs: 0, endedMs: null, error: null, parts: null };
  const durable = async (): Promise<void> => undefined;
  const options = { reader, merger, store, durable, clock: systemClock, log: silentLogger, signal: stop.signal };
  const snapshotting = new SnapshotRun(snapshot, options).run();
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
    'whatever is written while chunks are read, a consumer ends with the rows of the source and never gets an older value of a key (row images %s)',
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
