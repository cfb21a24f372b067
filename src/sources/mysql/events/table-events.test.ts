import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Key } from '../../../core/plain-rows.ts';
import { silentLogger } from '../../../core/logger.ts';
import { FakeSource } from '../../../testing/fake-source.ts';
import { type FakePosition, FakeStore } from '../../../testing/fake-store.ts';
import { tableOf } from '../../../testing/tables.ts';
import type { HandlerFailure, RawEvent } from './event-types.ts';
import { TableEvents, type TableEventsOptions } from './table-events.ts';

const ORDERS = tableOf('shop.orders', { id: 'int', note: 'varchar' }, ['id']);
const SEATS = tableOf('shop.seats', { row: 'int', hall: 'varchar' }, ['hall', 'row']);
const OTHER_ORDERS = tableOf('crm.orders', { id: 'int', note: 'varchar' }, ['id']);
const KEYLESS = tableOf('shop.lines', { line: 'text' });

type Options = Partial<TableEventsOptions> & { rowsPerBatchMax?: number; endless?: boolean; from?: FakePosition };

/** Reads what is in the store, from the beginning, and ends. */
function eventsOf(store: FakeStore, { rowsPerBatchMax, endless, from: start, ...options }: Options = {}): TableEvents {
  return new TableEvents({
    tables: ['*'],
    openSource: ({ from }) =>
      new FakeSource(store, {
        from: (from as FakePosition | null) ?? start ?? 'earliest',
        until: endless === true ? undefined : store.end,
        rowsPerBatchMax,
      }),
    ...options,
  });
}

const insert = (...ids: number[]) =>
  ({ kind: 'insert', table: ORDERS, rows: ids.map((id) => ({ id, note: 'a' })) }) as const;
const update = (id: number, to = id) =>
  ({ kind: 'update', table: ORDERS, rows: [{ before: { id, note: 'a' }, after: { id: to, note: 'b' } }] }) as const;
const remove = (...ids: number[]) =>
  ({ kind: 'delete', table: ORDERS, rows: ids.map((id) => ({ id, note: 'b' })) }) as const;

async function linesOf(store: FakeStore, options: Options = {}, name = '*'): Promise<string[]> {
  const lines: string[] = [];
  const events = eventsOf(store, options);
  events.on(name as '*', (pk, event) => lines.push(`${event.name} ${String(pk)}`));
  await events.run();
  return lines;
}

describe('events', () => {
  test('are named after table and action, carry the key, and come one per row in the order of the stream', async () => {
    const store = new FakeStore();
    store.commit(insert(1));
    store.commit(insert(2, 3), update(2), remove(1, 3));
    expect(await linesOf(store)).toEqual([
      'orders_write 1',
      'orders_write 2',
      'orders_write 3',
      'orders_update 2',
      'orders_delete 1',
      'orders_delete 3',
    ]);
  });

  test('carry a composite key as a tuple in key order', async () => {
    const store = new FakeStore();
    store.commit({ kind: 'insert', table: SEATS, rows: [{ row: 4, hall: 'A' }] });
    const keys: Key[] = [];
    const events = eventsOf(store);
    events.on('seats_write', (pk) => keys.push(pk));
    await events.run();
    expect(keys).toEqual([['A', 4]]);
  });

  test('are published for the keys 0 and the empty text too', async () => {
    const store = new FakeStore();
    const names = tableOf('shop.names', { name: 'varchar' }, ['name']);
    store.commit(insert(0), { kind: 'insert', table: names, rows: [{ name: '' }] });
    expect(await linesOf(store)).toEqual(['orders_write 0', 'names_write ']);
  });

  test('of tables that share a name are told apart by database, in the name asked for and in the event', async () => {
    const store = new FakeStore();
    store.commit(insert(1), { kind: 'insert', table: OTHER_ORDERS, rows: [{ id: 2, note: '' }] });
    expect(await linesOf(store, {}, 'shop.orders_write')).toEqual(['orders_write 1']);
    expect(await linesOf(store, {}, 'crm.*')).toEqual(['orders_write 2']);
    const databases: string[] = [];
    const events = eventsOf(store);
    events.on('orders_write', (_pk, event) => databases.push(event.database));
    await events.run();
    expect(databases).toEqual(['shop', 'crm']);
  });

  test('in raw form hold both rows, the key, and the key before the change', async () => {
    const store = new FakeStore();
    store.commit(insert(1), update(1, 9), remove(9));
    const raws: RawEvent[] = [];
    const events = eventsOf(store);
    events.on('orders_*_raw', (event) => raws.push(event));
    await events.run();
    expect(raws).toMatchObject([
      { name: 'orders_write_raw', key: 1, keyBefore: null, before: null, after: { id: 1, note: 'a' } },
      { name: 'orders_update_raw', key: 9, keyBefore: 1, before: { id: 1, note: 'a' }, after: { id: 9, note: 'b' } },
      { name: 'orders_delete_raw', key: 9, keyBefore: 9, before: { id: 9, note: 'b' }, after: null },
    ]);
    expect(raws[0]?.transaction.id).toBe('t1');
    expect(raws[0]?.table).toBe(ORDERS);
  });

  test('still carry the key when the server logs nothing but the key and what changed', async () => {
    const store = new FakeStore();
    store.commit({ kind: 'update', table: ORDERS, rows: [{ before: { id: 3 }, after: { note: 'b' } }] });
    const raws: RawEvent[] = [];
    const events = eventsOf(store);
    events.on('*_raw', (event) => raws.push(event));
    await events.run();
    expect(await linesOf(store)).toEqual(['orders_update 3']);
    expect(raws).toMatchObject([{ key: 3, keyBefore: 3, before: { id: 3 }, after: { note: 'b' } }]);
  });

  test('come to the key’s listeners before the raw ones, row by row, and to each in the order of subscribing', async () => {
    const store = new FakeStore();
    store.commit(insert(1, 2));
    const calls: string[] = [];
    const events = eventsOf(store);
    events.on('orders_write_raw', ({ key }) => calls.push(`raw ${String(key)}`));
    events.on('*', (pk) => calls.push(`first ${String(pk)}`));
    events.on('orders_write', (pk) => calls.push(`second ${String(pk)}`));
    await events.run();
    expect(calls).toEqual(['first 1', 'second 1', 'raw 1', 'first 2', 'second 2', 'raw 2']);
  });

  test('of truncations and schema changes are published in their places', async () => {
    const store = new FakeStore();
    store.commit(insert(1));
    store.commit({ type: 'truncate', database: 'shop', table: 'orders', sql: 'TRUNCATE orders' });
    store.commit({ type: 'schema', database: 'shop', table: 'orders', sql: 'ALTER …' });
    store.commit(insert(1));
    const calls: string[] = [];
    const events = eventsOf(store);
    events.on('orders_write', (pk) => calls.push(`write ${String(pk)}`));
    events.on('orders_truncate', ({ name, sql }) => calls.push(`${name} ${sql}`));
    events.on('schema', ({ database, table, sql }) => calls.push(`${database}.${table} ${sql}`));
    await events.run();
    expect(calls).toEqual(['write 1', 'orders_truncate TRUNCATE orders', 'shop.orders ALTER …', 'write 1']);
  });

  test('are not decoded beyond their keys when only keys are listened to', async () => {
    const store = new FakeStore();
    store.commit(insert(1), { kind: 'insert', table: OTHER_ORDERS, rows: [{ id: 2 }] });
    const views: string[] = [];
    const events = eventsOf(store, {
      openSource: () => {
        const source = new FakeSource(store, { from: 'earliest', until: store.end });
        const { batches } = source;
        source.batches = () => spyOn(batches.call(source), views);
        return source;
      },
    });
    events.on('shop.orders_write', () => {});
    await events.run();
    expect(views).toEqual(['shop.orders keys']);
  });

  test('of a listener that was taken off stop at once, in the middle of a batch too', async () => {
    const store = new FakeStore();
    store.commit(insert(1, 2, 3));
    const seen: Key[] = [];
    const events = eventsOf(store);
    const off = events.on('orders_write', (pk) => {
      seen.push(pk);
      if (pk === 2) off();
    });
    await events.run();
    expect(seen).toEqual([1, 2]);
    const never = (): void => expect.unreachable();
    events.on('orders_write', never);
    events.off('orders_write', never);
  });

  test('of a name that is never published are refused when they are asked for', () => {
    const events = eventsOf(new FakeStore());
    // @ts-expect-error -- and by the compiler too
    expect(() => events.on('orders_insert', () => {})).toThrow(expect.objectContaining({ code: 'EVENT_NAME_INVALID' }));
  });
});

describe('what cannot be published', () => {
  test('for want of a primary key is reported once per table', async () => {
    const store = new FakeStore();
    const lines = { kind: 'insert', table: KEYLESS, rows: [{ line: 'x' }] } as const;
    store.commit(lines, insert(1));
    store.commit(lines);
    const warnings: unknown[] = [];
    const calls: unknown[] = [];
    const events = eventsOf(store);
    events.on('warning', (warning) => warnings.push(warning));
    events.on('*', (pk) => calls.push(pk));
    events.on('*_raw', ({ key, table }) => calls.push(`${table.name} ${String(key)}`));
    await events.run();
    expect(warnings).toMatchObject([{ code: 'EVENT_TABLE_WITHOUT_KEY', details: { table: 'shop.lines' } }]);
    expect(calls).toEqual(['lines null', 1, 'orders 1', 'lines null']);
  });

  test('for want of a listener, like a truncation, is reported once per table', async () => {
    const store = new FakeStore();
    const truncation = { type: 'truncate', database: 'shop', table: 'orders', sql: 'TRUNCATE orders' } as const;
    store.commit(truncation);
    store.commit(truncation, { ...truncation, table: 'unheard' });
    const warnings: object[] = [];
    const events = eventsOf(store, { log: { ...silentLogger, warn: (fields) => warnings.push(fields) } });
    events.on('orders_delete', () => {});
    await events.run();
    expect(warnings).toMatchObject([{ error: { code: 'EVENT_TRUNCATE_UNHEARD' }, table: 'shop.orders' }]);
  });

  test.each([1, 4])('stops the stream when nobody would hear of it (concurrency %i)', async (concurrency) => {
    const store = new FakeStore();
    store.commit(insert(1));
    store.commit({ kind: 'insert', table: KEYLESS, rows: [{ line: 'x' }] });
    const events = eventsOf(store, { concurrency });
    events.on('*', () => {});
    await expect(events.run()).rejects.toMatchObject({ code: 'EVENT_TABLE_WITHOUT_KEY' });
    expect(String(events.position)).toBe('fake:1');
  });
});

describe('asynchronous handlers', () => {
  test('are awaited one after the other, in the order of the stream', async () => {
    const store = new FakeStore();
    store.commit(insert(1, 2));
    store.commit(insert(3));
    const calls: string[] = [];
    const events = eventsOf(store);
    events.on('orders_write', async (pk) => {
      calls.push(`+${String(pk)}`);
      await turns(pk === 1 ? 5 : 1);
      calls.push(`-${String(pk)}`);
    });
    events.on('orders_write', (pk) => calls.push(`=${String(pk)}`));
    events.on('position', (position) => calls.push(String(position)));
    await events.run();
    expect(calls).toEqual(['+1', '-1', '=1', '+2', '-2', '=2', 'fake:1', '+3', '-3', '=3', 'fake:2']);
  });
});

describe('a handler that fails', () => {
  const stopping = (): {
    store: FakeStore;
    seen: Key[];
    run: (options?: Options) => Promise<unknown>;
    events: () => TableEvents;
  } => {
    const store = new FakeStore();
    store.commit(insert(1));
    store.commit(insert(2, 3, 4));
    store.commit(insert(5));
    const seen: Key[] = [];
    let events: TableEvents;
    return {
      store,
      seen,
      events: () => events,
      run: async (options) => {
        events = eventsOf(store, options);
        events.on('orders_write', (pk) => {
          seen.push(pk);
          if (pk === 3) throw new Error('no');
        });
        return events.run().catch((error: unknown) => error);
      },
    };
  };

  test.each([1, 4])(
    'stops the stream, which names the event, and the position stays before its transaction (concurrency %i)',
    async (concurrency) => {
      const { run, events, seen } = stopping();
      const error = await run({ concurrency });
      expect(error).toMatchObject({
        code: 'EVENT_HANDLER_FAILED',
        retry: 'operator',
        details: { event: 'orders_write', database: 'shop', table: 'orders', outcome: 'stopped', start: 'fake:1' },
        cause: { message: 'no' },
      });
      expect(String(events().position)).toBe('fake:1');
      if (concurrency === 1) expect(seen).toEqual([1, 2, 3]);
    },
  );

  test.each([1, 4])('is reported and skipped when that was decided (concurrency %i)', async (concurrency) => {
    const { run, events, seen } = stopping();
    const warnings: object[] = [];
    expect(
      await run({ concurrency, onError: 'skip', log: { ...silentLogger, warn: (fields) => warnings.push(fields) } }),
    ).toBeUndefined();
    expect(warnings).toMatchObject([
      { error: { code: 'EVENT_HANDLER_FAILED' }, outcome: 'skipped', event: 'orders_write' },
    ]);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    expect(String(events().position)).toBe('fake:3');
  });

  test.each([1, 4])(
    'may be called again, and the decision sees what failed and how often (concurrency %i)',
    async (concurrency) => {
      const { run, events, seen } = stopping();
      const failures: HandlerFailure[] = [];
      const error = await run({
        concurrency,
        onError: async (failure) => {
          failures.push(failure);
          await turns(1);
          return failure.failures < 3 ? 'retry' : 'skip';
        },
      });
      expect(error).toBeUndefined();
      expect(failures).toMatchObject(
        [1, 2, 3].map((count) => ({ failures: count, key: 3, event: 'orders_write', table: 'orders' })),
      );
      expect(seen.filter((pk) => pk === 3)).toHaveLength(3);
      expect(String(events().position)).toBe('fake:3');
    },
  );

  test('asynchronously stops the stream too, also while it waits for changes', async () => {
    const store = new FakeStore();
    for (const concurrency of [1, 4]) {
      const events = eventsOf(store, { endless: true, concurrency, from: store.end });
      events.on('orders_write', async () => {
        await turns(10);
        throw new Error('late');
      });
      const run = events.run();
      store.commit(insert(1));
      await expect(run).rejects.toMatchObject({ code: 'EVENT_HANDLER_FAILED' });
      expect(store.connections).toBe(0);
    }
  });

  test('to store a position stops the stream', async () => {
    for (const concurrency of [1, 4]) {
      const store = new FakeStore();
      store.commit(insert(1));
      const events = eventsOf(store, { concurrency });
      events.on('position', () => Promise.reject(new Error('disk full')));
      await expect(events.run()).rejects.toMatchObject({
        code: 'EVENT_HANDLER_FAILED',
        details: { event: 'position' },
      });
    }
  });
});

describe('positions', () => {
  test('are told at the end of each transaction, in both forms, and reading goes on from each without a gap or a repetition', async () => {
    const store = new FakeStore();
    for (const ids of [[1], [2, 3, 4, 5, 6], [7, 8], [9]]) store.commit(insert(...ids));
    const positions: FakePosition[] = [];
    const texts: string[] = [];
    const seenBefore: number[] = [];
    let seen = 0;
    const events = eventsOf(store, { rowsPerBatchMax: 2 });
    events.on('orders_write', () => seen++);
    events.on('position', (position) => {
      positions.push(position as FakePosition);
      seenBefore.push(seen);
    });
    events.on('mysql_binlog_pos', (text) => texts.push(text));
    await events.run();
    expect(texts).toEqual(['fake:1', 'fake:2', 'fake:3', 'fake:4']);
    expect(seenBefore).toEqual([1, 6, 8, 9]);
    for (const [i, from] of positions.entries()) {
      const rest = await linesOf(store, { from });
      expect(rest).toEqual(
        Array.from({ length: 9 - (seenBefore[i] ?? 0) }, (_, n) => `orders_write ${(seenBefore[i] ?? 0) + n + 1}`),
      );
    }
  });

  test('move past transactions that nobody listens to', async () => {
    const store = new FakeStore();
    store.commit(insert(1));
    store.commit({ kind: 'insert', table: KEYLESS, rows: [{ line: 'x' }] });
    for (const concurrency of [1, 4]) {
      const events = eventsOf(store, { concurrency });
      events.on('orders_write', () => {});
      await events.run();
      expect(String(events.position)).toBe('fake:2');
    }
  });
});

describe('after a lost connection', () => {
  test.each([1, 4])(
    'a transaction that had begun is published again from its beginning, and says so (concurrency %i)',
    async (concurrency) => {
      const store = new FakeStore();
      store.commit(insert(1, 2, 3, 4));
      store.commit(insert(5));
      const lines: string[] = [];
      const events = eventsOf(store, { rowsPerBatchMax: 2, concurrency });
      let cut = false;
      events.on('orders_write', async (pk, { redelivered }) => {
        await turns(2);
        lines.push(`${String(pk)}${redelivered ? ' again' : ''}`);
        if (pk === 2 && !cut) {
          cut = true;
          store.cut();
        }
      });
      await events.run();
      if (concurrency === 1) expect(lines).toEqual(['1', '2', '1 again', '2 again', '3 again', '4 again', '5']);
      expect(new Set(lines.map((line) => Number.parseInt(line, 10)))).toEqual(new Set([1, 2, 3, 4, 5]));
      expect(String(events.position)).toBe('fake:2');
    },
  );
});

describe('the stream', () => {
  test('publishes what is committed after start has resolved, until it is closed', async () => {
    const store = new FakeStore();
    store.commit(insert(1));
    const events = eventsOf(store, { endless: true, from: store.end });
    const second = Promise.withResolvers<Key>();
    events.on('orders_write', (pk) => second.resolve(pk));
    await events.start();
    store.commit(insert(2));
    expect(await second.promise).toBe(2);
    await events.close();
    await events.finished();
    expect(store.connections).toBe(0);
  });

  test('waits, when it is closed, for the handler at work; starts no other, and keeps the position before what was left undone', async () => {
    for (const concurrency of [1, 2]) {
      const store = new FakeStore();
      store.commit(insert(1));
      store.commit(insert(2, 3, 4, 5));
      const entered = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      const done: Key[] = [];
      const events = eventsOf(store, { endless: true, concurrency });
      events.on('orders_write', async (pk) => {
        if (pk === 2) entered.resolve();
        if (pk !== 1) await gate.promise;
        done.push(pk);
      });
      const run = events.run();
      await entered.promise;
      let closed = false;
      const closing = events.close().then(() => (closed = true));
      await turns(20);
      expect(closed).toBe(false);
      gate.resolve();
      await closing;
      await run;
      expect(done).toEqual(concurrency === 1 ? [1, 2] : [1, 2, 3]);
      expect(String(events.position)).toBe('fake:1');
      expect(store.connections).toBe(0);
    }
  });

  test('may be stopped by a handler, behind the transaction that it has just finished', async () => {
    const store = new FakeStore();
    store.commit(insert(1));
    store.commit(insert(2));
    store.commit(insert(3));
    for (const concurrency of [1, 4]) {
      const events = eventsOf(store, { endless: true, concurrency, rowsPerBatchMax: 1 });
      events.on('orders_write', (pk) => {
        if (pk === 2) events.stop();
      });
      await events.run();
      expect(String(events.position)).toBe('fake:2');
    }
  });

  test('ends by an abort signal without an error, also one that was given too late', async () => {
    const store = new FakeStore();
    const controller = new AbortController();
    const events = eventsOf(store, { endless: true, signal: controller.signal });
    const run = events.run();
    controller.abort();
    await run;
    await eventsOf(store, { endless: true, signal: controller.signal }).run();
    expect(store.connections).toBe(0);
  });

  test('is closed at the end of its scope', async () => {
    const store = new FakeStore();
    {
      await using events = eventsOf(store, { endless: true });
      await events.start();
      expect(store.connections).toBe(1);
    }
    expect(store.connections).toBe(0);
  });

  test('is started once', async () => {
    const events = eventsOf(new FakeStore());
    await events.run();
    await expect(events.run()).rejects.toMatchObject({ code: 'EVENTS_STARTED_TWICE' });
    const closed = eventsOf(new FakeStore());
    await closed.close();
    await closed.run();
  });

  test('tells an error of the source to run, finished and the error listeners', async () => {
    const store = new FakeStore();
    store.commit(insert(1));
    const error = new Error('scripted');
    store.failAt(store.end, error);
    const heard: unknown[] = [];
    const events = eventsOf(store, { endless: true });
    events.on('error', (thrown) => heard.push(thrown));
    await expect(events.run()).rejects.toBe(error);
    await expect(events.finished()).rejects.toBe(error);
    expect(heard).toEqual([error]);
    expect(String(events.position)).toBe('fake:1');

    const background = eventsOf(store, { endless: true });
    const told = Promise.withResolvers<unknown>();
    background.on('error', told.resolve);
    await background.start();
    expect(await told.promise).toBe(error);
    await background.close();
  });

  test('that fails with nobody to hear of it ends the process, instead of standing still without a word', async () => {
    const program = `
      import { TableEvents } from ${JSON.stringify(new URL('table-events.ts', import.meta.url).href)};
      import { FakeSource } from ${JSON.stringify(new URL('../../../testing/fake-source.ts', import.meta.url).href)};
      import { FakeStore } from ${JSON.stringify(new URL('../../../testing/fake-store.ts', import.meta.url).href)};
      const store = new FakeStore();
      store.failAt(store.end, new Error('scripted'));
      const events = new TableEvents({ tables: ['*'], openSource: () => new FakeSource(store) });
      await events.start();
      setInterval(() => {}, 1000);`;
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
    await expect(run).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('Error: scripted') as string });
  });

  test('whose source cannot be made rejects start', async () => {
    const error = new Error('no such host');
    const events = eventsOf(new FakeStore(), {
      openSource: () => {
        throw error;
      },
    });
    await expect(events.start()).rejects.toBe(error);
  });

  test('takes in more tables while it runs, and misses and repeats nothing', async () => {
    for (const concurrency of [1, 4]) {
      const store = new FakeStore();
      const requests: { tables: readonly string[]; from: string }[] = [];
      const seen: Key[] = [];
      const events = eventsOf(store, {
        concurrency,
        tables: ['orders'],
        openSource: ({ tables, from }) => {
          requests.push({ tables, from: String(from) });
          return new FakeSource(store, { from: (from as FakePosition | null) ?? 'earliest', rowsPerBatchMax: 2 });
        },
      });
      const all = Promise.withResolvers<void>();
      events.on('orders_write', (pk) => {
        seen.push(pk);
        // In the middle of a transaction that comes in several batches.
        if (pk === 4) events.addTables(['users']);
        if (seen.length === 9) all.resolve();
      });
      await events.start();
      store.commit(insert(1, 2, 3, 4, 5, 6, 7));
      store.commit(insert(8));
      store.commit(insert(9));
      await all.promise;
      // And while it waits.
      events.addTables(['crm.*']);
      store.commit(insert(10));
      await expect.poll(() => seen.length).toBe(10);
      await events.close();
      expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      expect(requests.map(({ tables }) => tables)).toEqual([
        ['orders'],
        ['orders', 'users'],
        ['orders', 'users', 'crm.*'],
      ]);
      expect(requests[1]?.from).toBe('fake:1');
    }
  });
});

/** Lets this many turns of the microtask queue pass. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

/** Notes which views of the row batches are asked for. */
function spyOn(batches: ReturnType<FakeSource['batches']>, views: string[]): ReturnType<FakeSource['batches']> {
  const note = <T extends object>(rows: T, table: string): T =>
    new Proxy(rows, {
      get(target, name) {
        if (name === 'rows' || name === 'keys' || name === 'changes') views.push(`${table} ${name}`);
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const result = await batches.next();
      if (result.done === true) return result;
      const parts = result.value.parts.map((part) => ({
        ...part,
        entries: part.entries.map((entry) =>
          entry.type === 'rows' ? note(entry, `${entry.table.database}.${entry.table.name}`) : entry,
        ),
      }));
      return { done: false, value: { ...result.value, parts } };
    },
    return: async () => batches.return?.() ?? { done: true, value: undefined },
  };
}

describe('starting by itself', () => {
  test('begins behind the code that adds the listeners, so that all of them hear the first event', async () => {
    const store = new FakeStore();
    store.commit(insert(1));
    const events = eventsOf(store, { autoStart: true });
    const heard: string[] = [];
    const done = Promise.withResolvers<void>();
    events.on('orders_write', (pk) => heard.push(`first ${String(pk)}`));
    events.on('orders_write', (pk) => {
      heard.push(`second ${String(pk)}`);
      done.resolve();
    });
    await done.promise;
    expect(heard).toEqual(['first 1', 'second 1']);
    await events.close();
  });

  test('lets `run` join in afterwards, which tells of the end', async () => {
    const store = new FakeStore();
    store.commit(insert(1), insert(2));
    const events = eventsOf(store, { autoStart: true });
    const keys: unknown[] = [];
    events.on('*', (pk) => keys.push(pk));
    await new Promise((resolve) => setImmediate(resolve));
    await events.run();
    expect(keys).toEqual([1, 2]);
  });

  test('tells an error listener of a start that fails', async () => {
    const failed = Promise.withResolvers<unknown>();
    const events = new TableEvents({
      tables: ['*'],
      openSource: () => {
        throw new Error('no source');
      },
      autoStart: true,
    });
    events.on('orders_write', () => undefined);
    events.on('error', (error) => failed.resolve(error));
    expect(await failed.promise).toMatchObject({ message: 'no source' });
  });
});
