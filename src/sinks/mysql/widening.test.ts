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
  { target: { type: 'enum', members: ['b'] }, source: { type: 'enum', members: ['a', 'b'] }, becomes: null },
  { target: { type: 'datetime', length: 0 }, source: { type: 'datetime', length: 6 }, becomes: { length: 6 } },
  { target: 'date', source: 'int', becomes: null },
])('$target for $source becomes $becomes', ({ target, source, becomes }) => {
  const own = column(target);
  expect(widens(own, column(source))).toEqual(becomes === null ? null : { ...own, ...becomes });
});
