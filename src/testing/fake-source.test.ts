import { expect, test } from 'vitest';
import { FakeSource } from './fake-source.ts';
import { FakePosition, FakeStore } from './fake-store.ts';
import { tableOf } from './tables.ts';

const users = tableOf('crm.users', { id: 'int' }, ['id']);

test('while the store is held its readers wait, as if nothing had been committed', async () => {
  const store = new FakeStore();
  store.hold();
  store.commit({ kind: 'insert', table: users, rows: [{ id: 1 }] });
  const batches = new FakeSource(store, { from: 'earliest' }).batches();
  let came = false;
  const next = batches.next().then((result) => {
    came = true;
    return result;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(came).toBe(false);
  store.release();
  expect((await next).value?.parts).toHaveLength(1);
  await batches.return?.();
});

test('a row batch that is used after its batch was left behind throws, instead of showing other bytes', async () => {
  const store = new FakeStore();
  store.commit({ kind: 'insert', table: users, rows: [{ id: 1 }, { id: 2 }] });
  const batches = new FakeSource(store, { from: 'earliest', rowsPerBatchMax: 1 }).batches();
  const entry = (await batches.next()).value?.parts[0]?.entries[0];
  if (entry?.type !== 'rows') throw new Error('rows were expected');
  expect(entry.keys()).toEqual([1]);
  await batches.next();
  expect(() => entry.keys()).toThrow(/used after the next batch/u);
  await batches.return?.();
});

test('a second iteration of a source goes on at its position', async () => {
  const store = new FakeStore();
  for (const id of [1, 2, 3]) store.commit({ kind: 'insert', table: users, rows: [{ id }] });
  const source = new FakeSource(store, { from: 'earliest', rowsPerBatchMax: 1 });
  const first = source.batches();
  await first.next();
  await first.next();
  await first.return?.();
  expect(String(source.position)).toBe('fake:1');
  const second = source.batches();
  expect(String((await second.next()).value?.parts[0]?.transaction.start)).toBe('fake:1');
  await second.return?.();
});

test('positions survive as text, and nothing else is one', () => {
  expect(FakePosition.parse(String(new FakePosition(12))).index).toBe(12);
  expect(() => FakePosition.parse('12')).toThrow(TypeError);
});

test('a key column that the table does not have is refused', () => {
  expect(() => tableOf('a.b', { id: 'int' }, ['nr'])).toThrow(/key column "nr"/u);
});
