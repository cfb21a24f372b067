import { expect, test } from 'vitest';
import { FakeSource, type FakeSourceOptions } from '../testing/fake-source.ts';
import { FakeStore } from '../testing/fake-store.ts';
import { tableOf } from '../testing/tables.ts';
import { transactionsOf } from './transactions-of.ts';

const users = tableOf('crm.users', { id: 'int' }, ['id']);

function storeOf(...transactions: readonly (readonly number[])[]): FakeStore {
  const store = new FakeStore();
  for (const ids of transactions) store.commit({ kind: 'insert', table: users, rows: ids.map((id) => ({ id })) });
  return store;
}

function sourceOf(store: FakeStore, options: FakeSourceOptions = {}): FakeSource {
  return new FakeSource(store, { from: 'earliest', until: store.end, ...options });
}

async function idsOf(changes: AsyncIterable<unknown>): Promise<unknown[]> {
  const ids = [];
  for await (const change of changes) ids.push((change as { key: { id: number } }).key.id);
  return ids;
}

test('each transaction gives its changes in order, and its end once they have been read', async () => {
  const store = storeOf([1, 2, 3, 4, 5], [6], [7, 8]);
  const seen = [];
  for await (const transaction of transactionsOf(sourceOf(store, { rowsPerBatchMax: 2 }).batches())) {
    expect(transaction.end).toBeNull();
    const ids = await idsOf(transaction.changes);
    seen.push({ id: transaction.id, ids, start: String(transaction.start), end: String(transaction.end) });
  }
  expect(seen).toEqual([
    { id: 't1', ids: [1, 2, 3, 4, 5], start: 'fake:0', end: 'fake:1' },
    { id: 't2', ids: [6], start: 'fake:1', end: 'fake:2' },
    { id: 't3', ids: [7, 8], start: 'fake:2', end: 'fake:3' },
  ]);
});

test('what is left unread of a transaction is skipped over when the next one is asked for', async () => {
  const store = storeOf([1, 2, 3, 4, 5], [6], [7, 8]);
  const firsts = [];
  for await (const transaction of transactionsOf(sourceOf(store, { rowsPerBatchMax: 2 }).batches())) {
    for await (const change of transaction.changes) {
      firsts.push('key' in change ? change.key : change);
      break;
    }
  }
  expect(firsts).toEqual([{ id: 1 }, { id: 6 }, { id: 7 }]);
  const ids = [];
  for await (const transaction of transactionsOf(sourceOf(store).batches())) ids.push(transaction.id);
  expect(ids).toEqual(['t1', 't2', 't3']);
});

test('schema changes and truncations stand among the changes, in their places', async () => {
  const store = new FakeStore();
  const truncation = { type: 'truncate', database: 'crm', table: 'users', sql: 'TRUNCATE users' } as const;
  store.commit({ kind: 'insert', table: users, rows: [{ id: 1 }] }, truncation, {
    kind: 'insert',
    table: users,
    rows: [{ id: 1 }],
  });
  for await (const transaction of transactionsOf(sourceOf(store).batches())) {
    const kinds = [];
    for await (const change of transaction.changes) kinds.push('type' in change ? change.type : change.kind);
    expect(kinds).toEqual(['insert', 'truncate', 'insert']);
  }
});

test('a transaction cut in two throws where its changes are read, has no end, and comes again marked as restarted', async () => {
  const store = storeOf([1, 2, 3, 4, 5], [6]);
  const transactions = transactionsOf(sourceOf(store, { rowsPerBatchMax: 2 }).batches());
  const torn = (await transactions.next()).value;
  const changes = torn?.changes;
  await changes?.next();
  store.cut();
  await changes?.next();
  await expect(changes?.next()).rejects.toMatchObject({ code: 'TRANSACTION_RESTARTED', retry: 'reconnect' });
  expect(torn?.end).toBeNull();

  const whole = (await transactions.next()).value;
  expect(whole).toMatchObject({ id: 't1', restarted: true });
  expect(await idsOf(whole?.changes ?? fail())).toEqual([1, 2, 3, 4, 5]);
  expect(String(whole?.end)).toBe('fake:1');
  expect((await transactions.next()).value).toMatchObject({ id: 't2', restarted: false });
  await transactions.return();
});

test('a transaction that was cut in two while it was skipped over comes again too', async () => {
  const store = storeOf([1, 2, 3, 4, 5], [6]);
  const transactions = transactionsOf(sourceOf(store, { rowsPerBatchMax: 2 }).batches());
  await transactions.next();
  store.cut();
  expect((await transactions.next()).value).toMatchObject({ id: 't1', restarted: true });
  await transactions.return();
});

test('leaving the loop closes the source, and its errors come out of the loop', async () => {
  const store = storeOf([1, 2, 3], [4]);
  for await (const transaction of transactionsOf(sourceOf(store).batches())) {
    expect(store.connections).toBe(1);
    if (transaction.id === 't1') break;
  }
  expect(store.connections).toBe(0);

  const error = new Error('scripted');
  store.failAt(store.end, error);
  const read = async (): Promise<void> => {
    for await (const transaction of transactionsOf(new FakeSource(store, { from: 'earliest' }).batches())) {
      await idsOf(transaction.changes);
    }
  };
  await expect(read()).rejects.toBe(error);
  expect(store.connections).toBe(0);
});

function fail(): never {
  throw new Error('there is no transaction');
}
