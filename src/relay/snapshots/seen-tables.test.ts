import { expect, test } from 'vitest';
import { column, table } from '../../../test/support/changes.ts';
import { plainRowBatch } from '../../core/plain-rows.ts';
import type { RowBatch, TransactionPart } from '../../core/source.ts';
import { FakePosition } from '../../testing/fake-store.ts';
import { SeenTables, type TableName, type TableNameStore } from './seen-tables.ts';

/** The state's file, with a disk that may be full. */
class Names implements TableNameStore {
  readonly kept: string[] = [];
  isFull = false;

  async load(): Promise<readonly TableName[]> {
    return this.kept.map((name) => ({ database: 'shop', name }));
  }

  async add(tables: readonly TableName[]): Promise<void> {
    if (this.isFull) throw new Error('the disk is full');
    this.kept.push(...tables.map(({ name }) => name));
  }
}

function rows(name: string): RowBatch {
  return plainRowBatch({ table: table(`shop.${name}`, [column('id', 'int')]), kind: 'insert', rows: [{ id: 1 }] });
}

function part(...entries: readonly RowBatch[]): TransactionPart {
  const transaction = { id: null, committedAtUs: 0, serverId: 1, start: new FakePosition(0) };
  return { transaction, begins: true, restarted: false, entries, end: null };
}

test('a table is noted with its first rows, before they go on, and never again', async () => {
  const names = new Names();
  const seen = await SeenTables.load(names, []);
  const orders = rows('orders');
  await seen.note([part(orders, rows('lines')), part(orders)]);
  expect(names.kept).toEqual(['orders', 'lines']);
  for (const again of [orders, rows('orders')]) expect(seen.note([part(again)])).toBe(null);
  expect((await SeenTables.load(names, [])).note([part(rows('lines'))])).toBe(null);
});

test('a table that could not be noted is not known', async () => {
  const names = new Names();
  const seen = await SeenTables.load(names, []);
  names.isFull = true;
  await expect(seen.note([part(rows('orders'))])).rejects.toThrow('full');
  expect(seen.values()).toEqual([]);
  names.isFull = false;
  await seen.note([part(rows('orders'))]);
  expect(names.kept).toEqual(['orders']);
});

test('what the log knows of is noted, too', async () => {
  const names = new Names();
  names.kept.push('orders');
  const seen = await SeenTables.load(names, [
    { database: 'shop', name: 'orders' },
    { database: 'shop', name: 'lines' },
  ]);
  expect(names.kept).toEqual(['orders', 'lines']);
  expect(seen.values()).toEqual([
    { database: 'shop', name: 'orders' },
    { database: 'shop', name: 'lines' },
  ]);
});
