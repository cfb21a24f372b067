import { describe, expect, test } from 'vitest';
import { changeOf, rowsOf, shown } from '../../test/support/mapped.ts';
import type { Row } from '../core/change.ts';
import { isTidingsError, type TidingsError } from '../core/errors.ts';
import type { MappedRow } from '../core/mapper.ts';
import { type ColumnSketch, tableOf } from '../testing/tables.ts';
import { createMapper } from './mapper.ts';
import type { MappingConfig, RuleConfig } from './mapping-config.ts';

const COLUMNS: Readonly<Record<string, ColumnSketch>> = {
  id: { type: 'int', nullable: false },
  status: { type: 'varchar', length: 10 },
  price: { type: 'decimal', length: 10, scale: 2 },
  quantity: 'int',
  email: { type: 'varchar', length: 50 },
  active: 'tinyint',
  raw: { type: 'binary', length: 2, charset: 'binary' },
  doc: 'json',
  vector: { type: 'vector', length: 2 },
};
const ORDERS = tableOf('shop.orders', COLUMNS, ['id']);
const ROW: Row = {
  id: 1,
  status: 'open',
  price: '9.90',
  quantity: 2,
  email: 'ann@example.com',
  active: 1,
  raw: Buffer.from([1, 2]),
  doc: '{"a": 12345678901234567890}',
  vector: new Float32Array([0.5, 0.1]),
};

function withRule(rule: RuleConfig): MappingConfig {
  return { tables: { 'shop.orders': rule } };
}

function errorOf(make: () => unknown): TidingsError {
  try {
    make();
  } catch (error) {
    if (isTidingsError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a target', () => {
  const copies = (): ReturnType<typeof tableOf> => tableOf('shop.orders', COLUMNS, ['id']);

  test('is the same object as long as nothing of it changes, whatever object the definition comes as', () => {
    const mapper = createMapper({ mapping: withRule({ to: 'copy.orders', rename: 'upper' }), sink: 's' });
    const targetOf = (table: ReturnType<typeof tableOf>): unknown =>
      (mapper.map(changeOf(table, { after: ROW })) as readonly MappedRow[])[0]?.target;
    const first = targetOf(copies());
    expect(targetOf(copies())).toBe(first);
    const wider = tableOf('shop.orders', { ...COLUMNS, note: 'text' }, ['id']);
    expect(targetOf(wider)).not.toBe(first);
    expect(targetOf(copies())).toBe(first);
    // What the target does not show does not change it.
    const narrow = createMapper({ mapping: withRule({ include: ['id'] }), sink: 's' });
    const of = (table: ReturnType<typeof tableOf>): unknown =>
      (narrow.map(changeOf(table, { after: ROW })) as readonly MappedRow[])[0]?.target;
    expect(of(wider)).toBe(of(copies()));
  });

  test('has what the source computes as ordinary columns', () => {
    const table = tableOf('shop.orders', { ...COLUMNS, twice: { type: 'bigint', generated: 'virtual' } }, ['id']);
    const [row] = rowsOf({}, changeOf(table, { after: { ...ROW, twice: 4 } }));
    expect(row?.after?.['twice']).toBe(4);
    expect(row?.target.table.columns.find(({ name }) => name === 'twice')).toMatchObject({
      type: 'bigint',
      generated: null,
    });
  });

  test('has its options from rule, database and sink, the nearest first', () => {
    const mapping: MappingConfig = {
      options: { a: 1, b: 1, c: 1 },
      databases: { shop: { options: { b: 2, c: 2 } } },
      tables: { '*': { options: { c: 3 } } },
    };
    expect(rowsOf(mapping, changeOf(ORDERS, { after: ROW }))[0]?.target.options).toEqual({ a: 1, b: 2, c: 3 });
  });

  test('is named by template: the renamed names of the source, values, expressions', () => {
    const name = (mapping: MappingConfig): unknown =>
      shown(rowsOf(mapping, changeOf(ORDERS, { after: ROW }))).map((row) => (row as { to: string }).to);
    expect(name({ to: 'topic-{status}' })).toEqual(['shop.topic-open']);
    expect(name({ to: '{database}_copy.{lower(table())}_{quantity}' })).toEqual(['shop_copy.orders_2']);
    expect(
      name({ rename: { databases: { shop: 'store' }, tables: { '/^(.*)s$/': '$1' } }, to: '{database}.{table}.v1' }),
    ).toEqual(['store.order.v1']);
    expect(name({ to: "{{{coalesce(status, '}')}}}" })).toEqual(['shop.{open}']);
    expect(
      errorOf(() => rowsOf({ to: 't_{status}' }, changeOf(ORDERS, { after: { ...ROW, status: null } }))).message,
    ).toContain('depends on "status", which is NULL');
    expect(
      errorOf(() => rowsOf({ to: '{status}' }, changeOf(ORDERS, { after: { ...ROW, status: '' } }))).message,
    ).toContain("the target's name is empty");
  });

  test('is not shared by two tables unless the rules say so', () => {
    const other = tableOf('shop.orders_2', COLUMNS, ['id']);
    const twice = (rule: RuleConfig): unknown[] => {
      const mapper = createMapper({
        mapping: { tables: { 'shop.orders*': { to: 'all_orders', ...rule } } },
        sink: 's',
      });
      return [ORDERS, other].flatMap((table) => mapper.map(changeOf(table, { after: ROW })) as unknown[]);
    };
    expect(errorOf(() => twice({}))).toMatchObject({
      code: 'MAPPING_INVALID',
      message: expect.stringContaining('rows of shop.orders and shop.orders_2 go to one target, shop.all_orders'),
    });
    expect(twice({ merge: 'disjoint' })).toMatchObject([
      { keepsKey: true, kind: 'insert' },
      { keepsKey: true, kind: 'insert' },
    ]);
    expect(twice({ merge: 'any' })).toMatchObject([
      { keepsKey: false, kind: 'upsert' },
      { keepsKey: false, kind: 'upsert' },
    ]);
  });

  test('that several tables share has the last change of a key, whichever table it is of', () => {
    const mapping = withRule({ merge: 'any' });
    const change = changeOf(ORDERS, { before: ROW, after: { ...ROW, status: 'paid' } });
    expect(rowsOf(mapping, change)).toMatchObject([{ kind: 'upsert', before: null, after: { status: 'paid' } }]);
    expect(rowsOf(mapping, changeOf(ORDERS, { before: ROW, after: { ...ROW, id: 2 } }))).toMatchObject([
      { kind: 'update', before: { id: 1 }, key: { id: 2 } },
    ]);
    expect(rowsOf(mapping, changeOf(ORDERS, { before: { id: 1 }, after: { status: 'paid' } }))).toMatchObject([
      { kind: 'update' },
    ]);
  });

  test('is not shared by two rules of one table unless their keys never meet', () => {
    const twice = (rule: RuleConfig, other: RuleConfig): readonly MappedRow[] =>
      rowsOf(
        {
          tables: {
            'shop.orders': [
              { to: 'x', ...rule },
              { to: 'x', ...other },
            ],
          },
        },
        changeOf(ORDERS, { after: ROW }),
      );
    const open: RuleConfig = { where: "status = 'open'" };
    expect(errorOf(() => twice(open, {})).message).toContain(
      'rows of shop.orders by two rules go to one target, shop.x',
    );
    expect(errorOf(() => twice({ ...open, merge: 'any' }, { merge: 'any' })).message).toContain(
      'two rules of one table go to one target, shop.x',
    );
    const part = (kind: string): RuleConfig => ({
      merge: 'disjoint',
      include: ['id'],
      key: ['kind', 'id'],
      columns: { kind: { value: kind } },
    });
    expect(twice(part('home'), part('work')).map(({ key }) => key)).toEqual([
      { kind: 'home', id: 1 },
      { kind: 'work', id: 1 },
    ]);
  });

  test.each<[rule: RuleConfig, keepsKey: boolean]>([
    [{}, true],
    [{ rename: 'upper' }, true],
    [{ columns: { id: { cast: 'varchar(20)' } } }, true],
    [{ columns: { id: { hash: 'sha256' } } }, true],
    [{ key: ['kind', 'id'], columns: { kind: { value: 'order' } } }, true],
    [{ to: 'orders_{status}' }, true],
    [{ key: ['email'] }, false],
    [{ key: ['id', 'status'] }, false],
  ])("%j: its key follows from the table's alone: %s", (rule, keepsKey) => {
    expect(rowsOf(withRule(rule), changeOf(ORDERS, { after: ROW }))[0]?.keepsKey).toBe(keepsKey);
  });

  test('without a key gets rows as they come', () => {
    const log = tableOf('shop.log', { at: 'datetime', text: 'text' });
    const row = { at: '2026-11-20 09:15:02', text: 'x' };
    const mapping: MappingConfig = { tables: { 'shop.log': { where: "text <> 'y'" } } };
    const update = changeOf(log, { before: { ...row, text: 'y' }, after: row });
    expect(shown(rowsOf(mapping, update))).toEqual([{ to: 'shop.log', kind: 'insert', key: null, after: row }]);
    expect(shown(rowsOf(mapping, changeOf(log, { before: row, after: { ...row, text: 'y' } })))).toEqual([
      { to: 'shop.log', kind: 'delete', key: null, before: row },
    ]);
    // Whether it was there cannot be known, and without a key there could be two of it.
    const partial = changeOf(log, { before: { at: row.at }, after: { text: 'x' } });
    expect(errorOf(() => rowsOf(mapping, partial)).message).toContain(
      'the condition depends on a column that was not logged',
    );
  });
});

describe('a truncation', () => {
  const emptied = (rule: RuleConfig, seen = true): readonly unknown[] => {
    const mapper = createMapper({ mapping: { tables: { 'shop.orders*': rule } }, sink: 's' });
    if (seen) void mapper.map(changeOf(ORDERS, { after: ROW }));
    return mapper
      .targetsOf('shop', 'orders')
      .map(({ table }) => `${table.database}.${table.name}:${table.columns.length}`);
  };

  test('empties the target of the table alone, known or not by its rows', () => {
    expect(emptied({ to: 'copy.orders' })).toEqual([`copy.orders:${ORDERS.columns.length}`]);
    expect(emptied({ to: 'copy.{table}' }, false)).toEqual(['copy.orders:0']);
    expect(emptied({ merge: 'disjoint', truncate: 'empty', to: 'all' }, false)).toEqual(['shop.all:0']);
  });

  test('does nothing where nothing is deleted, or the rule says so', () => {
    expect(emptied({ delete: 'ignore' })).toEqual([]);
    expect(emptied({ truncate: 'ignore', merge: 'any' })).toEqual([]);
    expect(createMapper({ mapping: { tables: { 'a.b': {} } }, sink: 's' }).targetsOf('shop', 'orders')).toEqual([]);
  });

  test.each<[rule: RuleConfig, why: string]>([
    [{ merge: 'any' }, "other tables' rows are in its target, too"],
    [{ delete: { soft: { gone: true } } }, 'its rows are marked, not deleted'],
    [{ to: 'orders_{status}' }, 'its rows are in targets that depend on their values'],
  ])('stops the sink where rows cannot be told apart: %j', (rule, why) => {
    expect(errorOf(() => emptied(rule))).toMatchObject({
      code: 'MAPPING_INVALID',
      message: `shop.orders was truncated, and ${why} (rule shop.orders*)`,
    });
  });
});

describe('what is asked of the stream', () => {
  const asked = (mapping: MappingConfig): unknown => {
    const { tables, columns } = createMapper({ mapping, sink: 's' });
    return { tables, columns };
  };

  test('are the tables that have rules, and the columns that they look at', () => {
    expect(asked({})).toEqual({ tables: ['*'], columns: null });
    const narrow: RuleConfig = {
      include: ['id'],
      where: 'a > 1',
      to: 'x_{b}',
      columns: { c: { expr: 'd + e' } },
      delete: { soft: { gone: { expr: 'f' } } },
    };
    expect(asked({ tables: { 'shop.a': narrow, 'shop.tmp_*': 'skip', 'shop.b': {} } })).toEqual({
      tables: ['shop.a', 'shop.b'],
      columns: { 'shop.a': ['id', 'd', 'e', 'a', 'b', 'f'] },
    });
  });

  test('are all columns where an earlier pattern wants them of the same table', () => {
    const narrow: RuleConfig = { include: ['id'] };
    expect(asked({ tables: { 'shop.*': {}, 'shop.a': narrow, 'crm.a': narrow, '*.a': narrow } })).toMatchObject({
      columns: { 'crm.a': ['id'] },
    });
    expect(asked({ tables: { 'shop.*': narrow } })).toMatchObject({ columns: null });
    expect(asked({ tables: { 'shop.a': narrow, 'shop.*': {} } })).toMatchObject({ columns: { 'shop.a': ['id'] } });
    expect(asked({ tables: { 'shop.a': [narrow, {}] } })).toMatchObject({ columns: null });
    expect(asked({ tables: { 'shop.a': { include: ['i*'] } } })).toMatchObject({ columns: null });
    expect(asked({ tables: { 'shop.a': { include: ['id'], columns: { x: { default: 1 } } } } })).toMatchObject({
      columns: null,
    });
  });
});
