import { expect, test } from 'vitest';
import type { Column } from '../../core/table-schema.ts';
import { type ColumnSketch, tableOf } from '../../testing/tables.ts';
import { widens } from './widening.ts';

function column(sketch: ColumnSketch): Column {
  const [made] = tableOf('a.b', { c: sketch }).columns;
  if (made === undefined) throw new Error('no column');
  return made;
}

const decimal = (length: number, scale: number): ColumnSketch => ({ type: 'decimal', length, scale });

test.each<{ readonly target: ColumnSketch; readonly source: ColumnSketch; readonly becomes: Partial<Column> | null }>([
  { target: 'smallint', source: 'bigint', becomes: { type: 'bigint' } },
  { target: 'bigint', source: 'smallint', becomes: null },
  { target: { type: 'int', unsigned: true }, source: 'int', becomes: { type: 'bigint', unsigned: false } },
  { target: 'int', source: { type: 'int', unsigned: true }, becomes: { type: 'bigint', unsigned: false } },
  { target: { type: 'varchar', length: 5 }, source: { type: 'varchar', length: 9 }, becomes: { length: 9 } },
  { target: { type: 'varchar', length: 9 }, source: { type: 'varchar', length: 5 }, becomes: null },
  {
    target: { type: 'varchar', length: 9 },
    source: { type: 'text', length: 65_535 },
    becomes: { type: 'text', length: 65_535 },
  },
  { target: decimal(5, 2), source: decimal(8, 4), becomes: { length: 8, scale: 4 } },
  { target: decimal(10, 2), source: decimal(8, 4), becomes: { length: 12, scale: 4 } },
  { target: decimal(10, 4), source: decimal(8, 2), becomes: null },
  {
    target: { type: 'enum', members: ['a'] },
    source: { type: 'enum', members: ['a', 'b'] },
    becomes: { members: ['a', 'b'] },
  },
  {
    target: { type: 'enum', members: ['b', 'old'] },
    source: { type: 'enum', members: ['a', 'b'] },
    becomes: { members: ['a', 'b', 'old'] },
  },
  { target: { type: 'enum', members: ['b', 'a'] }, source: { type: 'enum', members: ['a', 'b'] }, becomes: null },
  { target: { type: 'enum', members: ['A'] }, source: { type: 'enum', members: ['a', 'b'] }, becomes: null },
  {
    target: { type: 'set', members: ['b'] },
    source: { type: 'set', members: ['a', 'b'] },
    becomes: { members: ['a', 'b'] },
  },
  {
    target: { type: 'enum', members: ['a', 'long one'] },
    source: { type: 'varchar', length: 3 },
    becomes: { type: 'varchar', length: 8, members: null },
  },
  {
    target: { type: 'set', members: ['a', 'bc'] },
    source: { type: 'text', length: 255 },
    becomes: { type: 'text', length: 255, members: null },
  },
  { target: 'int', source: { type: 'bigint', unsigned: true }, becomes: { type: 'bigint' } },
  { target: 'bigint', source: { type: 'bigint', unsigned: true }, becomes: null },
  {
    target: { type: 'smallint', unsigned: true },
    source: { type: 'int', unsigned: true },
    becomes: { type: 'int' },
  },
  {
    target: { type: 'int', unsigned: true },
    source: 'smallint',
    becomes: { type: 'bigint', unsigned: false },
  },
  { target: { type: 'int', unsigned: true }, source: { type: 'smallint', unsigned: true }, becomes: null },
  {
    target: { type: 'char', length: 9 },
    source: { type: 'varchar', length: 5 },
    becomes: { type: 'varchar', length: 9 },
  },
  { target: { type: 'varchar', length: 5 }, source: { type: 'char', length: 9 }, becomes: { length: 9 } },
  { target: { type: 'text', length: 255 }, source: { type: 'varchar', length: 64 }, becomes: { length: 65_535 } },
  { target: { type: 'text', length: 65_535 }, source: { type: 'varchar', length: 64 }, becomes: null },
  {
    target: { type: 'varchar', length: 100 },
    source: { type: 'text', length: 255 },
    becomes: { type: 'text', length: 65_535 },
  },
  {
    target: { type: 'binary', length: 4 },
    source: { type: 'binary', length: 9 },
    becomes: { type: 'varbinary', length: 9 },
  },
  {
    target: { type: 'varbinary', length: 300 },
    source: { type: 'blob', length: 255 },
    becomes: { type: 'blob', length: 65_535 },
  },
  { target: 'int', source: decimal(6, 2), becomes: { type: 'decimal', length: 12, scale: 2 } },
  { target: decimal(4, 2), source: 'int', becomes: { length: 12 } },
  { target: decimal(12, 2), source: 'int', becomes: null },
  { target: decimal(15, 2), source: 'double', becomes: { type: 'double', length: null, scale: null } },
  { target: decimal(16, 2), source: 'double', becomes: null },
  { target: 'int', source: 'float', becomes: { type: 'double' } },
  { target: 'bigint', source: 'double', becomes: null },
  { target: 'double', source: 'int', becomes: null },
  { target: { type: 'datetime', length: 0 }, source: { type: 'datetime', length: 6 }, becomes: { length: 6 } },
  { target: 'date', source: 'int', becomes: null },
])('$target for $source becomes $becomes', ({ target, source, becomes }) => {
  const own = column(target);
  expect(widens(own, column(source), false)).toEqual(becomes === null ? null : { ...own, ...becomes });
});

test('a column that numbers its rows remains a whole number', () => {
  expect(widens(column('int'), column(decimal(6, 2)), true)).toBeNull();
  expect(widens(column('int'), column('bigint'), true)).toMatchObject({ type: 'bigint' });
});
