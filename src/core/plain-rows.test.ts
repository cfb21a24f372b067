import { expect, test } from 'vitest';
import { tableOf } from '../testing/tables.ts';
import { plainRowBatch } from './plain-rows.ts';

const users = tableOf('crm.users', { id: 'int', name: 'varchar' }, ['id']);
const seats = tableOf('crm.seats', { row: 'int', hall: 'varchar', taken: 'tinyint' }, ['hall', 'row']);

test('a single-column key is bare, a composite one a tuple in key order, and a table without a key has none', () => {
  expect(plainRowBatch({ kind: 'insert', table: users, rows: [{ id: 0 }, { id: 7 }] }).keys()).toEqual([0, 7]);
  expect(plainRowBatch({ kind: 'delete', table: seats, rows: [{ row: 4, hall: 'A', taken: 0 }] }).keys()).toEqual([
    ['A', 4],
  ]);
  const log = tableOf('crm.log', { line: 'text' });
  expect(plainRowBatch({ kind: 'insert', table: log, rows: [{ line: 'x' }] }).keys()).toBeNull();
  expect(plainRowBatch({ kind: 'insert', table: log, rows: [{ line: 'x' }] }).changes()[0]?.key).toBeNull();
});

test('an update gives the key after the change, and takes from the row before what the row after does not hold', () => {
  const batch = plainRowBatch({
    kind: 'update',
    table: seats,
    rows: [
      { before: { row: 4, hall: 'A', taken: 0 }, after: { row: 5 } },
      { before: { row: 6, hall: 'B' }, after: { taken: 1 } },
    ],
  });
  expect(batch.keys()).toEqual([
    ['A', 5],
    ['B', 6],
  ]);
  expect(batch.changes().map(({ key }) => key)).toEqual([
    { hall: 'A', row: 5 },
    { hall: 'B', row: 6 },
  ]);
  // A column that was not logged stays absent.
  expect(batch.rows()).toEqual({
    count: 2,
    before: [
      { row: 4, hall: 'A', taken: 0 },
      { row: 6, hall: 'B' },
    ],
    after: [{ row: 5 }, { taken: 1 }],
  });
});

test('rows and changes are null where the kind has nothing to show', () => {
  const inserted = plainRowBatch({ kind: 'insert', table: users, rows: [{ id: 1, name: 'a' }], statement: 'INSERT …' });
  expect(inserted.rows()).toEqual({ count: 1, before: null, after: [{ id: 1, name: 'a' }] });
  expect(inserted.changes()).toEqual([
    {
      kind: 'insert',
      table: users,
      scn: null,
      key: { id: 1 },
      before: null,
      after: { id: 1, name: 'a' },
      statement: 'INSERT …',
    },
  ]);
  expect(plainRowBatch({ kind: 'delete', table: users, rows: [{ id: 1 }] }).changes()[0]).toMatchObject({
    before: { id: 1 },
    after: null,
    statement: null,
  });
});

test('a row without a value for its key is refused by column, without the row’s values in the error', () => {
  const batch = plainRowBatch({ kind: 'insert', table: users, rows: [{ name: 'secret' }] });
  for (const read of [() => batch.keys(), () => batch.changes()]) {
    expect(read).toThrow(
      expect.objectContaining({ code: 'CHANGE_KEY_MISSING', details: expect.objectContaining({ column: 'id' }) }),
    );
    expect(read).not.toThrow(/secret/u);
  }
});
