import { expect, test } from 'vitest';
import type { Value } from '../../core/change.ts';
import type { Column } from '../../core/table-schema.ts';
import { tableOf } from '../../testing/tables.ts';
import { exactnessOf } from './exact-values.ts';

function column(type: Column['type'], more: Partial<Column> = {}): Column {
  return tableOf('shop.t', { c: { type, ...more } }).columns[0] as Column;
}

const decimal = (scale: number): Column => column('decimal', { length: 20, scale });
const members = (type: 'enum' | 'set'): Column => column(type, { members: ['a', 'b', '2'] });
const fraction = (type: 'datetime' | 'time', length: number): Column => column(type, { length });

test.for<readonly [string, Column, Column, readonly Value[], readonly Value[]]>([
  ['decimal into int', decimal(2), column('int'), ['1.00', '-7'], ['1.50', '0.01']],
  ['double into bigint', column('double'), column('bigint'), [2, -0], [2.5, 1e-7]],
  ['decimal into one with fewer digits', decimal(4), decimal(2), ['1.5000', '1.25'], ['1.2345']],
  ['double into decimal', column('double'), decimal(2), [1.25, 3], [1.239, 1e-7]],
  ['bigint into float', column('bigint'), column('float'), [16_777_216], [16_777_217]],
  ['double into float', column('double'), column('float'), [0.5, 1.1], [1.123456789012]],
  [
    'decimal into double',
    decimal(20),
    column('double'),
    ['1.50', '0.1', '-0.0000001', '100.00', '0.00', '1000000000000000000000'],
    ['1.23456789012345678901', '9007199254740993'],
  ],
  ['text into int', column('varchar'), column('int'), ['0', '-12'], ['007', '01', '1.0', ' 1', '-0', 'x']],
  ['bytes into int', column('varbinary'), column('int'), [], [new Uint8Array([49])]],
  ['text into decimal', column('varchar'), decimal(2), ['1.50'], ['1.5', '01.50', '-0.00']],
  ['text into enum', column('varchar'), members('enum'), ['a', '2', ''], ['A', '1', 'c', 'a ']],
  ['text into set', column('varchar'), members('set'), ['', 'a,b', 'a,2'], ['b,a', 'a,a', '1', 'c']],
  ['number into enum', column('int'), members('enum'), [], [1]],
  ['varchar into char', column('varchar'), column('char'), ['a', ' a'], ['a ']],
  ['char that keeps spaces into char', column('char', { charset: 'filename' }), column('char'), ['a', ' a'], ['a ']],
  [
    'varbinary into binary',
    column('varbinary'),
    column('binary', { length: 2 }),
    [new Uint8Array(2)],
    [new Uint8Array(1)],
  ],
  [
    'fractions of seconds',
    fraction('datetime', 6),
    fraction('datetime', 3),
    ['2026-01-01 00:00:00.120000'],
    ['2026-01-01 00:00:00.120001'],
  ],
  ['datetime into date', fraction('datetime', 0), column('date'), ['2026-01-01 00:00:00'], ['2026-01-01 00:00:01']],
  ['time into datetime', fraction('time', 0), fraction('datetime', 0), [], ['10:00:00']],
  ['int into year', column('int'), column('year'), [2026, 0], [26]],
])('%s: what loses nothing, and what would lose something', ([, source, target, exact, bent]) => {
  const isExact = exactnessOf(source, target);
  expect(exact.filter((value) => isExact?.(value) !== true)).toEqual([]);
  expect(bent.filter((value) => isExact?.(value) !== false)).toEqual([]);
});

test.for(['int', 'decimal', 'float', 'double', 'year', 'char', 'binary', 'enum', 'set', 'datetime', 'json'] as const)(
  '%s into the same type is not looked at',
  (type) => {
    const same = column(type, { length: 3, scale: type === 'decimal' ? 2 : null, members: ['a'] });
    expect(exactnessOf(same, same)).toBeNull();
  },
);
