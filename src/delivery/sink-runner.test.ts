import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { FakeRelay } from '../../test/support/delivery/fake-relay.ts';
import {
  MemoryStore,
  type MemoryStoreOptions,
  type StoreFault,
  targetName,
} from '../../test/support/delivery/memory-store.ts';
import { PlainMapper } from '../../test/support/delivery/plain-mapper.ts';
import type { StreamChange, StreamEntry } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import { silentLogger } from '../core/logger.ts';
import type { MappedChange, MappedRow } from '../core/mapper.ts';
import type { Sink } from '../core/sink.ts';
import { keyHash } from '../core/rows/key-hash.ts';
import { tableOf } from '../testing/tables.ts';
import { DeadLetterStore } from './dead-letter-store.ts';
import type { SinkDefinition } from './delivery-types.ts';
import { SinkRunner } from './sink-runner.ts';

const orders = tableOf('shop.orders', { id: 'int', total: 'int' }, ['id']);
const PARTITIONS = 8;

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-delivery-'));
  folders.push(folder);
  return folder;
}

interface Step {
  readonly id: number;
  readonly kind: 'upsert' | 'delete';
}

/** Transactions of steps, with SCNs that count up; a row's value is its SCN. */
function transactionsOf(steps: readonly (readonly Step[])[]): StreamEntry[][] {
  let scn = 100;
  return steps.map((each) => each.map((step) => changeOf(step, ++scn)));
}

function changeOf({ id, kind }: Step, scn: number): StreamChange {
  const row = { id, total: scn };
  return {
    kind,
    table: orders,
    scn,
    key: { id },
    before: kind === 'delete' ? row : null,
    after: kind === 'delete' ? null : row,
    statement: null,
    // Some follow one another in one transaction.
    committedAtUs: Math.ceil(scn / 5) * 5,
    partition: keyHash(orders, [id]) % PARTITIONS,
  };
}

interface Setup {
  readonly relay: FakeRelay;
  readonly store: MemoryStore;
  readonly letters: DeadLetterStore;
  readonly runner: SinkRunner;
}

function setUp(
  transactions: readonly (readonly StreamEntry[])[],
  {
    definition = {},
    batchEntries = 5,
    stored = false,
    directory = newFolder(),
    mapper = () => new PlainMapper(),
    ...storeOptions
  }: {
    readonly definition?: Partial<SinkDefinition>;
    readonly batchEntries?: number;
    readonly stored?: boolean;
    readonly directory?: string;
    readonly mapper?: () => PlainMapper;
  } & MemoryStoreOptions = {},
): Setup {
  const store = new MemoryStore({ packs: stored, ...storeOptions });
  const relay = new FakeRelay(transactions, { partitions: PARTITIONS, batchEntries, stored });
  const letters = new DeadLetterStore(directory);
  return { relay, store, letters, runner: runnerOf({ relay, store, letters }, definition, mapper) };
}

function runnerOf(
  { relay, store, letters }: Pick<Setup, 'relay' | 'store' | 'letters'>,
  definition: Partial<SinkDefinition> = {},
  mapper: () => PlainMapper = () => new PlainMapper(),
): SinkRunner {
  const failure = Promise.withResolvers<never>();
  // Most tests do not look.
  failure.promise.catch(() => {});
  const log = { ...silentLogger, error: (_: object, message: string) => failure.reject(new Error(message)) };
  const runner = new SinkRunner({
    definition: {
      name: 'copy',
      type: 'memory',
      stream: 'shop',
      makeSink: () => store.sink(),
      makeMapper: mapper,
      order: 'key',
      lanes: 3,
      batch: { rowsMax: 4, bytesMax: 1000, delayMs: 0 },
      onRowError: 'park',
      parkedMax: 1000,
      bootstrap: 'never',
      backoff: { delayMinMs: 1, delayMaxMs: 2 },
      ...definition,
    },
    stream: relay,
    store: letters,
    // What is set aside is told as an error, too.
    log: {
      ...log,
      error: (fields, message) => message.startsWith('the sink has failed') && log.error(fields, message),
    },
  });
  failures.set(runner, failure.promise);
  return runner;
}

/** Everything was committed. @throws when the sink has failed */
async function arrival({ relay, runner }: Pick<Setup, 'relay' | 'runner'>): Promise<void> {
  await Promise.race([relay.allCommitted(), failures.get(runner)]);
}

/** Rejects when the runner waits for a person. */
const failures = new WeakMap<SinkRunner, Promise<never>>();

/** A store without faults, in which something happens before that write. */
function onWrite(number: number, act: () => void): () => null {
  let count = 0;
  return () => {
    if (++count === number) act();
    return null;
  };
}

function nextOf(faults: fc.Stream<StoreFault | null>): StoreFault | null {
  const [fault = null] = faults.take(1);
  return fault;
}

/** What the target has once all was written, and in which order each key went through its states. */
function expectExact(
  { store }: Pick<Setup, 'store'>,
  entries: readonly StreamEntry[],
  { once }: { once: boolean },
): void {
  const last = new Map<string, number>();
  const rows: Record<string, unknown> = {};
  for (const entry of entries) {
    if (!('kind' in entry)) continue;
    const name = `n${String(entry.key?.['id'])}`;
    if (entry.kind === 'delete') delete rows[name];
    else rows[name] = entry.after;
  }
  expect(store.values('shop.orders')).toEqual(rows);
  for (const { key, scn } of store.history) {
    const name = String(key?.['id']);
    if (once) expect(scn).toBeGreaterThan(last.get(name) ?? 0);
    last.set(name, scn);
  }
  if (once) expect(store.history.length).toBe(entries.length);
}

const steps: fc.Arbitrary<readonly (readonly Step[])[]> = fc.array(
  fc.array(
    fc.record({ id: fc.nat(12), kind: fc.constantFrom('upsert' as const, 'upsert' as const, 'delete' as const) }),
    {
      minLength: 1,
      maxLength: 12,
    },
  ),
  { minLength: 1, maxLength: 20 },
);

describe('a sink that fails, loses answers and is begun again', () => {
  test.each(['key', 'transaction'] as const)('has each change once and in order, with order: %s', async (order) => {
    let packed = 0;
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.infiniteStream(fc.constantFrom<StoreFault | null>(null, null, null, 'fail', 'lost')),
        fc.boolean(),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (history, faults, serial, batchEntries, stored) => {
          const transactions = transactionsOf(history).map((entries) =>
            order === 'key' ? entries : entries.map((entry) => ({ ...entry, partition: undefined })),
          ) as StreamEntry[][];
          const setup = setUp(transactions, {
            fault: () => nextOf(faults),
            serial: () => serial,
            batchEntries,
            stored,
            definition: { order },
          });
          const { relay, store, runner, letters } = setup;
          relay.onCommit = () => {
            // I2: what is committed is in the store.
            const highest = transactions.flat()[relay.committed - 1]?.scn ?? 0;
            const written = new Set(store.history.map(({ scn }) => scn));
            for (const { scn } of transactions.flat()) if (scn <= highest) expect(written).toContain(scn);
          };
          runner.start();
          await arrival({ relay, runner });
          expectExact(setup, transactions.flat(), { once: true });
          packed += store.packed;
          await runner.close();
          letters.close();
        },
      ),
      { numRuns: 60 },
    );
    expect(packed > 0).toBe(order === 'key');
  });

  test('without checkpoints in the store repeats, and never leaves out or goes back for good', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.infiniteStream(fc.constantFrom<StoreFault | null>(null, null, 'fail', 'lost')),
        async (history, faults) => {
          const transactions = transactionsOf(history);
          const setup = setUp(transactions, { promise: 'at-least-once', fault: () => nextOf(faults) });
          setup.runner.start();
          await arrival(setup);
          expectExact(setup, transactions.flat(), { once: false });
          await setup.runner.close();
          setup.letters.close();
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('a row that the store refuses', () => {
  test('blocks its key only, and what is redriven comes in order before what comes later', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(12), fc.boolean(), fc.boolean(), async (history, poisoned, serial, stored) => {
        const transactions = transactionsOf(history);
        const entries = transactions.flat();
        const isPoisoned = (entry: StreamEntry): boolean => 'kind' in entry && entry.key?.['id'] === poisoned;
        const setup = setUp(transactions, {
          refuses: ({ key }) => key?.['id'] === poisoned,
          serial: () => serial,
          stored,
        });
        const { relay, store, runner, letters } = setup;
        runner.start();
        await arrival({ relay, runner });
        expectExact(
          setup,
          entries.filter((entry) => !isPoisoned(entry)),
          { once: true },
        );
        const parked = entries.filter(isPoisoned);
        expect(runner.deadLetters().map(({ change }) => change.scn)).toEqual(parked.map(({ scn }) => scn));
        expect(runner.status()).toMatchObject({ parked: parked.length, parkedKeys: parked.length > 0 ? 1 : 0 });
        if (parked.length > 0) {
          expect(await runner.redrive(null)).toMatchObject({ written: 0, left: parked.length });
          expect(runner.deadLetters()[0]).toMatchObject({ attempts: 2, reason: { code: 'SINK_ROW_REFUSED' } });
        }
        store.refuses = () => false;
        expect(await runner.redrive(null)).toEqual({ written: parked.length, left: 0, refused: [] });
        expectExact(setup, entries, { once: true });
        expect(runner.status()).toMatchObject({ parked: 0, parkedKeys: 0 });
        await runner.close();
        letters.close();
      }),
      { numRuns: 30 },
    );
  });

  test('is still blocked after a restart of the process', async () => {
    const first = transactionsOf([
      [
        { id: 1, kind: 'upsert' },
        { id: 2, kind: 'upsert' },
      ],
    ]);
    const directory = newFolder();
    const setup = setUp(first, { directory, refuses: ({ key, scn }) => key?.['id'] === 1 && scn === 101 });
    setup.runner.start();
    await arrival(setup);
    await setup.runner.close();
    setup.letters.close();
    const letters = new DeadLetterStore(directory);
    const later = [changeOf({ id: 1, kind: 'upsert' }, 200), changeOf({ id: 2, kind: 'upsert' }, 201)];
    const relay = new FakeRelay([later]);
    const runner = runnerOf({ relay, store: setup.store, letters });
    runner.start();
    await arrival({ relay, runner });
    expect(setup.store.values('shop.orders')).toEqual({ n2: { id: 2, total: 201 } });
    expect(runner.deadLetters().map(({ change, reason }) => [change.scn, reason?.code])).toEqual([
      [101, 'SINK_ROW_REFUSED'],
      [200, undefined],
    ]);
    runner.drop(1);
    expect(runner.status().parkedKeys).toBe(1);
    expect(await runner.redrive(2)).toEqual({ written: 1, left: 0, refused: [] });
    expect(setup.store.values('shop.orders')).toEqual({ n1: { id: 1, total: 200 }, n2: { id: 2, total: 201 } });
    await runner.close();
    letters.close();
  });

  test('stops the sink with `onRowError: stop`, and when more is set aside than may be', async () => {
    for (const definition of [{ onRowError: 'stop' as const }, { parkedMax: 1 }]) {
      const transactions = transactionsOf([[1, 1, 2].map((id) => ({ id, kind: 'upsert' as const }))]);
      const { runner, store, letters } = setUp(transactions, { definition, refuses: ({ key }) => key?.['id'] === 1 });
      runner.start();
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await expect.poll(() => runner.status().state).toBe('failed');
      const code = definition.parkedMax === 1 ? 'DEAD_LETTERS_FULL' : 'SINK_ROW_REFUSED';
      expect(runner.status().error).toMatchObject({ code, retry: 'operator' });
      store.refuses = () => false;
      // oxlint-disable-next-line no-await-in-loop -- as above
      expect((await runner.redrive(null)).written).toBe(definition.parkedMax === 1 ? 1 : 0);
      // oxlint-disable-next-line no-await-in-loop -- as above
      await runner.resume();
      // oxlint-disable-next-line no-await-in-loop -- as above
      await expect.poll(() => runner.status()).toMatchObject({ state: 'running', pending: 0, error: null });
      // oxlint-disable-next-line no-await-in-loop -- as above
      await runner.close();
      letters.close();
    }
  });
});

test('a change that cannot be mapped blocks the later ones of its key, and what is redriven is mapped again', async () => {
  let broken = true;
  class Mapper extends PlainMapper {
    override map(change: StreamChange): readonly MappedRow[] {
      if (broken && change.scn === 101) throw new TidingsError('MAPPING_FAILED', 'a row cannot be mapped');
      return super.map(change);
    }
  }
  const transactions = transactionsOf([[1, 2, 1].map((id) => ({ id, kind: 'upsert' as const }))]);
  const setup = setUp(transactions, { mapper: () => new Mapper() });
  setup.runner.start();
  await arrival(setup);
  expect(setup.store.values('shop.orders')).toEqual({ n2: { id: 2, total: 102 } });
  expect(setup.runner.deadLetters().map(({ target, change }) => [target, change.scn])).toEqual([
    [null, 101],
    [null, 103],
  ]);
  broken = false;
  const [first] = setup.runner.deadLetters();
  setup.runner.edit(first?.id ?? 0, { ...changeOf({ id: 1, kind: 'upsert' }, 101), after: { id: 1, total: -1 } });
  await setup.runner.redrive(null);
  expect(setup.store.history.map(({ after }) => after?.['total'])).toEqual([102, -1, 103]);
  await setup.runner.close();
  setup.letters.close();
});

test('hooks that work on many changes at a time get them together, and a change that they cannot map blocks its key from there on', async () => {
  const asked: number[][] = [];
  let broken = true;
  class Mapper extends PlainMapper {
    readonly mapBatch = (changes: readonly StreamChange[]): Promise<readonly MappedChange[]> => {
      asked.push(changes.map(({ scn }) => scn));
      return Promise.resolve(
        changes.map((change) =>
          broken && change.scn === 102
            ? { rows: null, error: new TidingsError('MAPPING_FAILED', 'a row cannot be mapped') }
            : { rows: super.map(change), error: null },
        ),
      );
    };
  }
  const ids = [1, 2, 3, 2, 1, 2].map((id) => ({ id, kind: 'upsert' as const }));
  const setup = setUp(transactionsOf([ids, ids]), { mapper: () => new Mapper(), batchEntries: 6 });
  setup.runner.start();
  await arrival(setup);
  // What is blocked when a batch begins is not asked about.
  expect(asked).toEqual([
    [101, 102, 103, 104, 105, 106],
    [107, 109, 111],
  ]);
  expect(setup.store.values('shop.orders')).toEqual({ n1: { id: 1, total: 111 }, n3: { id: 3, total: 109 } });
  expect(setup.runner.deadLetters().map(({ change, reason }) => [change.scn, reason?.code])).toEqual([
    [102, 'MAPPING_FAILED'],
    [104, undefined],
    [106, undefined],
    [108, undefined],
    [110, undefined],
    [112, undefined],
  ]);
  broken = false;
  await setup.runner.redrive(null);
  expect(setup.store.values('shop.orders')).toMatchObject({ n2: { id: 2, total: 112 } });
  await setup.runner.close();
  setup.letters.close();
});

test('rows that the mapping leaves as they are come as bytes; behind rows that came one by one only once those have gone on', async () => {
  const ids = (from: number, count: number): StreamEntry[] =>
    Array.from({ length: count }, (_, i) => changeOf({ id: i % 12, kind: 'upsert' }, from + i));
  // The first row cannot be packed, and is not refused when it comes by itself.
  let isFirst = true;
  const setup = setUp([ids(101, 300)], {
    stored: true,
    refuses: ({ scn }) => {
      const refused = isFirst && scn === 101;
      if (refused) isFirst = false;
      return refused;
    },
  });
  setup.runner.start();
  await arrival(setup);
  expectExact(setup, ids(101, 300), { once: true });
  expect(setup.store.packed).toBeGreaterThan(100);
  expect(setup.store.packed).toBeLessThanOrEqual(295);
  expect(setup.runner.status()).toMatchObject({ rows: 300, pending: 0, parked: 0, writtenUs: 400 });
  await setup.runner.close();
  setup.letters.close();
});

test('a truncation empties the target between what comes before it and what comes after, and frees its blocked keys', async () => {
  const upserts = (from: number): StreamEntry[] =>
    Array.from({ length: 20 }, (_, i) => changeOf({ id: i, kind: 'upsert' }, from + i));
  const truncate = {
    type: 'truncate' as const,
    database: 'shop',
    table: 'orders',
    sql: '',
    scn: 150,
    committedAtUs: 1,
  };
  const setup = setUp([upserts(101), [truncate], upserts(151).slice(0, 5)], {
    refuses: ({ key, scn }) => key?.['id'] === 3 && scn < 150,
    fault: (
      (count) => () =>
        ++count % 5 === 0 ? 'lost' : null
    )(0),
  });
  setup.runner.start();
  await arrival(setup);
  expect(Object.keys(setup.store.values('shop.orders')).toSorted()).toEqual(['n0', 'n1', 'n2', 'n3', 'n4']);
  expect(setup.runner.status().parked).toBe(0);
  await setup.runner.close();
  setup.letters.close();
});

test('a truncation before the first row empties the target by its name, which the store was not told of as a table without columns', async () => {
  const truncate = {
    type: 'truncate' as const,
    database: 'shop',
    table: 'orders',
    sql: '',
    scn: 100,
    committedAtUs: 1,
  };
  const nameOnly = { table: tableOf('shop.orders', {}, []), options: {} };
  const mapper = new PlainMapper();
  mapper.targetsOf = () => [nameOnly];
  const setup = setUp([[truncate], [changeOf({ id: 1, kind: 'upsert' }, 101)]], { mapper: () => mapper });
  setup.runner.start();
  await arrival(setup);
  expect(setup.store.prepared).toEqual(['shop.orders']);
  expect(Object.keys(setup.store.values('shop.orders'))).toEqual(['n1']);
  await setup.runner.close();
  setup.letters.close();
});

test('with order: transaction batches end where transactions do, and only a large one goes over in pieces', async () => {
  const transactions = transactionsOf(
    [2, 1, 11, 3].map((rows) => Array.from({ length: rows }, (_, id) => ({ id, kind: 'upsert' as const }))),
  );
  const setup = setUp(transactions, { definition: { order: 'transaction' } });
  const visible: number[] = [];
  const { apply } = setup.store;
  setup.store.apply = function (rows) {
    visible.push(rows.length);
    apply.call(this, rows);
  };
  setup.runner.start();
  await arrival(setup);
  let sum = 0;
  const ends = [2, 3, 14, 17];
  for (const rows of visible) {
    sum += rows;
    if (rows > 0) expect(ends).toContain(sum);
  }
  expect(sum).toBe(17);
  await setup.runner.close();
  setup.letters.close();
});

test('a sink that cannot keep a checkpoint with its data refuses order: transaction', async () => {
  const { runner, letters } = setUp([], { promise: 'versioned', definition: { order: 'transaction' } });
  runner.start();
  await expect.poll(() => runner.status().error?.code).toBe('SINK_ORDER_UNSUPPORTED');
  await runner.close();
  letters.close();
});

test('a store that was emptied is filled anew, or named when that is not wanted', async () => {
  const setup = setUp([], {});
  setup.relay.group = 'sink-copy';
  setup.runner.start();
  await expect.poll(() => setup.runner.status().error?.code).toBe('SINK_EMPTY');
  await setup.runner.close();
  const runner = runnerOf(setup, { bootstrap: 'auto' });
  runner.start();
  await expect.poll(() => runner.status().state).toBe('running');
  expect(setup.relay.opened.at(-1)).toMatchObject({ bootstrap: 'always' });
  await runner.close();
  setup.letters.close();
});

test('a sink that was lost between joining its group and the first claim goes on; emptied later, the store is named', async () => {
  const transactions = transactionsOf([[{ id: 1, kind: 'upsert' }]]);
  const setup = setUp(transactions, {});
  const { relay, store, letters } = setup;
  let isLost = true;
  const makeSink = (): Sink => {
    const sink = store.sink();
    const claim = sink.claim?.bind(sink);
    return Object.assign(sink, {
      claim: async (partitions: readonly number[]) => {
        if (isLost && partitions.length > 0) throw new TidingsError('INTERNAL_ERROR', 'the process dies here');
        return (await claim?.(partitions)) ?? [];
      },
    });
  };
  const lost = runnerOf(setup, { makeSink });
  lost.start();
  await expect.poll(() => lost.status().state).toBe('failed');
  await lost.close();
  expect(relay.group).toBe('sink-copy');
  isLost = false;
  const runner = runnerOf(setup, { makeSink });
  runner.start();
  await arrival({ relay, runner });
  expectExact(setup, transactions.flat(), { once: true });
  await runner.close();
  store.checkpoints.clear();
  const third = runnerOf(setup, { makeSink });
  third.start();
  await expect.poll(() => third.status().error?.code).toBe('SINK_EMPTY');
  await third.close();
  letters.close();
});

test('a store that has less than it had is named, and written anew once its group is set back', async () => {
  const transactions = transactionsOf(Array.from({ length: 40 }, (_, id) => [{ id, kind: 'upsert' }]));
  const setup = setUp(transactions, { definition: { bootstrap: 'auto' } });
  setup.runner.start();
  await arrival(setup);
  await setup.runner.close();
  const { store, relay } = setup;
  // A backup of the time when each partition had its first rows only.
  store.rows.clear();
  store.apply(store.history.splice(0).filter(({ scn }) => scn <= 110));
  for (const [name, checkpoint] of store.checkpoints) {
    store.checkpoints.set(name, { ...checkpoint, scn: Math.min(checkpoint.scn, 103 + checkpoint.partition) });
  }
  const runner = runnerOf(setup);
  runner.start();
  await expect.poll(() => runner.status().error?.code).toBe('SINK_BEHIND');
  expect(runner.status()).toMatchObject({ state: 'failed', rows: 0 });
  relay.committed = 0;
  await runner.resume();
  await expect.poll(() => Object.keys(store.values('shop.orders')).length).toBe(40);
  await runner.close();
  // It is no longer known to have been further.
  const again = runnerOf(setup);
  again.start();
  await expect.poll(() => again.status().state).toBe('running');
  await again.close();
  setup.letters.close();
});

test('a file of dead letters of the first version is taken over', () => {
  const folder = newFolder();
  const old = new DatabaseSync(join(folder, 'sinks.db'));
  old.exec(`
    CREATE TABLE letters (
      id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, chain TEXT NOT NULL, target TEXT, scn INTEGER NOT NULL, half TEXT NOT NULL,
      change BLOB NOT NULL, reason TEXT, attempts INTEGER NOT NULL, parked_ms INTEGER NOT NULL, tried_ms INTEGER, edited INTEGER NOT NULL,
      UNIQUE (sink, chain, scn, half)
    ) STRICT;
    CREATE TABLE sinks (name TEXT NOT NULL PRIMARY KEY, paused INTEGER NOT NULL DEFAULT 0, reader TEXT) STRICT, WITHOUT ROWID;
    INSERT INTO sinks (name, paused) VALUES ('copy', 1);
    PRAGMA application_id = 1413760836;
    PRAGMA user_version = 1;
  `);
  old.close();
  const letters = new DeadLetterStore(folder);
  expect([letters.isPaused('copy'), letters.written('copy')]).toEqual([true, 0]);
  letters.setWritten('copy', 17);
  letters.close();
  const again = new DeadLetterStore(folder);
  expect([again.isPaused('copy'), again.written('copy')]).toEqual([true, 17]);
  again.close();
});

test('another process that takes the sink over goes on, and the first one writes nothing any more', async () => {
  const transactions = transactionsOf(Array.from({ length: 40 }, (_, id) => [{ id, kind: 'upsert' }]));
  const fourth = Promise.withResolvers<void>();
  const setup = setUp(transactions, { fault: onWrite(4, fourth.resolve) });
  setup.runner.start();
  await fourth.promise;
  const other = runnerOf({ ...setup, letters: new DeadLetterStore(newFolder()) });
  other.start();
  await arrival(setup);
  expectExact(setup, transactions.flat(), { once: true });
  await Promise.all([setup.runner.close(), other.close()]);
  setup.letters.close();
});

test('a sink whose partitions were taken claims them anew, instead of writing the same batch for ever', async () => {
  const transactions = transactionsOf(Array.from({ length: 40 }, (_, id) => [{ id, kind: 'upsert' }]));
  const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  const setup = setUp(transactions, { fault: onWrite(4, () => void setup.store.sink().claim?.(all)) });
  setup.runner.start();
  await arrival(setup);
  expectExact(setup, transactions.flat(), { once: true });
  expect(setup.relay.opened.length).toBe(2);
  await setup.runner.close();
  setup.letters.close();
});

test('pausing writes what is on its way and commits it; it stays paused over a restart, and goes on where it was', async () => {
  const transactions = transactionsOf(Array.from({ length: 40 }, (_, id) => [{ id: id % 5, kind: 'upsert' }]));
  const setup = setUp(transactions);
  setup.runner.start();
  await expect.poll(() => setup.store.history.length).toBeGreaterThan(3);
  await setup.runner.pause();
  const { length } = setup.store.history;
  expect(setup.relay.committed).toBe(length);
  expect(setup.runner.status()).toMatchObject({ state: 'paused', pending: 0 });
  const again = runnerOf(setup);
  again.start();
  expect(again.status().state).toBe('paused');
  await again.resume();
  await arrival(setup);
  expectExact(setup, transactions.flat(), { once: true });
  expect(targetName({ table: orders, options: {} })).toBe('shop.orders');
  await again.close();
  setup.letters.close();
});
