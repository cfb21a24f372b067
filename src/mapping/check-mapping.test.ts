import { expect, test } from 'vitest';
import { tableOf } from '../testing/tables.ts';
import { checkMapping } from './check-mapping.ts';
import type { MappingConfig } from './mapping-config.ts';

const ORDERS = tableOf('shop.orders', { id: { type: 'int', nullable: false }, status: 'varchar', total: 'date' }, [
  'id',
]);
const LOG = tableOf('shop.log', { text: 'text' });
const tables = [ORDERS, LOG];

function found(mapping: MappingConfig, options = {}): string[] {
  return checkMapping(mapping, { tables, ...options }).map(
    ({ level, code, message, cure }) => `${level} ${code} ${message}${cure === null ? '' : ` → ${cure}`}`,
  );
}

test('a mapping that goes with its tables is told to do so', () => {
  expect(found({})).toEqual(['ok MAPPING 2 of 2 tables are mapped']);
  expect(found({ tables: { 'shop.log': 'skip', 'shop.*': {} } })).toEqual(['ok MAPPING 1 of 2 tables are mapped']);
});

test('everything that does not go with them is told, of every rule', () => {
  const mapping: MappingConfig = {
    tables: {
      'shop.orders': [
        { columns: { a: 'stauts', b: { from: 'total', cast: 'int' } }, where: 'x = 1' },
        { to: 'y', exclude: ['id'] },
      ],
    },
  };
  expect(found(mapping)).toEqual([
    'error MAPPING_INVALID shop.orders, rule shop.orders[0]: column "a": shop.orders has no column "stauts", at character 1 → Did you mean "status"? Its columns are id, status, total.',
    'error MAPPING_INVALID shop.orders, rule shop.orders[0]: column "b": "total" is DATE, which is never INT → Correct the rule that the message names; docs/mapping.md describes what a rule takes.',
    'error MAPPING_INVALID shop.orders, rule shop.orders[0]: shop.orders has no column "x", at character 1 → Its columns are id, status, total.',
    expect.stringContaining(
      'error MAPPING_INVALID shop.orders, rule shop.orders[1]: column "id": "id" of the table\'s key is not in the target',
    ),
  ]);
});

test('what is wrong in itself comes first', () => {
  expect(found({ tables: { 'shop.orders': { where: 'x' } } })).toEqual([
    expect.stringMatching(/^error MAPPING_INVALID tables\.shop\.orders\.where: /),
  ]);
});

test('patterns that nothing comes of, rows in one lane and truncations that cannot be done are warnings', () => {
  const mapping: MappingConfig = {
    tables: { 'shop.orders': { key: ['status'], to: 'orders_{status}' }, 'shop.*': {}, 'shop.log': {}, 'crm.*': {} },
  };
  expect(found(mapping)).toEqual([
    'warning MAPPING_SHADOWED every table that shop.log matches is matched by a pattern before it, whose rules count → Put the narrower pattern first.',
    'warning MAPPING_UNMATCHED crm.* matches no table that is known',
    "warning MAPPING_SERIAL rows of shop.orders (rule shop.orders) are written one after the other: the target's key does not follow from the table's alone",
    'warning MAPPING_TRUNCATE a truncation of shop.orders will stop the sink (rule shop.orders): its rows are in targets that depend on their values → truncate: ignore',
  ]);
});

test('an exclusion that names no column is told: the column that was meant would pass on', () => {
  expect(found({ tables: { 'shop.*': { exclude: ['stauts', 'text', 'secret_*'] } } })).toEqual([
    'warning MAPPING_UNMATCHED rule shop.* excludes "stauts", and none of its tables has such a column',
  ]);
});

test('two tables for one target are found before their first rows meet there', () => {
  expect(found({ to: 'all' })).toEqual([
    expect.stringMatching(
      /^error MAPPING_INVALID shop\.log, rule \*: rows of shop\.orders and shop\.log go to one target, shop\.all → /,
    ),
  ]);
});

test('what hooks add is known, and what they declare is checked', () => {
  const mapping: MappingConfig = {
    tables: { 'shop.orders': { columns: { double: { expr: 'score * 2' } } }, '*': 'skip' },
  };
  expect(found(mapping)).toEqual([expect.stringContaining('has no column "score"')]);
  expect(
    found(mapping, { hooks: { before: (change: unknown) => change, adds: { 'shop.orders': { score: 'int' } } } }),
  ).toEqual(['ok MAPPING 1 of 2 tables are mapped']);
  expect(found({}, { hooks: { adds: { 'shop.orders': { score: 'nit' } } } })).toEqual([
    expect.stringMatching(/^error MAPPING_INVALID hooks: "nit" is no type/),
  ]);
});
