import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { mappingSchema, refineMapping } from './config.ts';

function mistakes(config: unknown, schema: z.ZodType = mappingSchema()): string[] {
  const { error } = schema.safeParse(config);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('a mapping that says everything is taken, with its default', () => {
  const config = {
    to: 'copy.{table}',
    exclude: ['secret_*', '/^tmp/'],
    rename: { databases: { shop: 'store' }, tables: ['snake', { '/s$/': '' }], columns: 'camel' },
    databases: { shop: { exclude: ['internal'], rename: { columns: 'upper' }, delete: 'ignore', nulls: 'omit' } },
    hooks: './my-map.ts',
    tables: {
      'shop.orders': [
        {
          to: 'orders-{region}',
          where: "status <> 'x' and total >= 1.5",
          columns: {
            id: 'order_id',
            total: { expr: 'price * quantity', cast: 'decimal(12,2)' },
            'customer.email': { from: 'email', mask: { start: 1, with: '#' } },
            'lines[].sku': 'sku',
            phone: { hash: { key: 'k' }, truncate: 10, default: null },
            tags: { value: ['a', { b: 1 }] },
          },
          include: ['a', 'b_*'],
          exclude: ['b_c'],
          rename: { '/^f_(.*)$/': '$1' },
          key: ['id'],
          delete: { soft: { gone: true, gone_at: { expr: 'committed_at()' } } },
          nulls: 'keep',
          missing: 'fail',
          merge: 'disjoint',
          truncate: 'ignore',
          options: { refresh: true },
        },
        {},
      ],
      'shop.lines': { to: 'orders', into: 'items[]', key: { id: 'order_id' }, elementKey: ['line'] },
      'shop.log': 'skip',
      'shop.*': null,
    },
  };
  expect(mistakes(config)).toEqual([]);
  expect(mappingSchema().parse(config)).toEqual({
    ...config,
    hookTimeout: 30_000,
    tables: { ...config.tables, 'shop.*': {} },
  });
  expect(mappingSchema().parse({})).toEqual({ hookTimeout: 30_000 });
});

test('everything that is wrong is told at once, with its path and the place in the text', () => {
  expect(
    mistakes({
      to: 'x.{',
      exclude: ['/(/'],
      databases: { shop: { nulls: 'never', foo: 1 } },
      tables: {
        'a.b.c': {},
        'shop.a': {
          where: 'x >',
          columns: {
            a: { expr: '1 +' },
            b: { cast: 'varchr(3)', truncat: 1 },
            c: 5,
            'd.': 'x',
            e: { mask: 'some' },
            f: { hash: {} },
          },
          key: 7,
          delete: 'no',
          rename: 'camle',
          include: 'a',
        },
        'shop.b': [{}, { where: 5, merge: 'maybe' }],
        'shop.c': 5,
      },
    }),
  ).toEqual([
    'to: "{" has no end, at character 3. A plain brace is doubled: {{.',
    'exclude.0: "/(/" is no regular expression. It has at most 1000 characters between slashes, with flags behind it.',
    'databases.shop.nulls: Invalid option: expected one of "keep"|"omit"',
    'databases.shop: Unrecognized key: "foo"',
    'tables.a.b.c: Invalid key in record',
    'tables.shop.a.delete: found "no"; allowed: delete, ignore, or soft with columns',
    "tables.shop.a.where: expected a value, found the end, at character 4 of the condition. A condition looks like this: status = 'paid' and (amount >= 100 or note is null).",
    'tables.shop.a.columns.a.expr: expected a value, a column or a function, found the end, at character 4. Correct the rule that the message names; docs/mapping.md describes what a rule takes.',
    expect.stringContaining(
      'tables.shop.a.columns.b.cast: "varchr(3)" is no type, at character 1. Did you mean varchar?',
    ),
    'tables.shop.a.columns.b.truncat: there is no such key; did you mean truncate?',
    'tables.shop.a.columns.c: found 5; allowed: the name of a source column, or a map with from, value or expr',
    'tables.shop.a.columns.d.: it is no column and no place in a document, at character 3. Write total, address.city, items[].sku or tags[0]; a name with points or brackets stands in backticks.',
    'tables.shop.a.columns.e.mask: found "some"; allowed: all, or a map with start, end and with',
    'tables.shop.a.columns.f.hash.key: is no text',
    'tables.shop.a.include: found "a"; allowed: a list',
    'tables.shop.a.rename: found "camle"; allowed: camel, pascal, snake, lower, upper, a map of names or /patterns/, or a list of these; did you mean camel?',
    'tables.shop.a.key: found 7; allowed: a list of columns of the target, or a map of columns as under columns',
    'tables.shop.b.1.where: found 5; allowed: text',
    'tables.shop.b.1.merge: found "maybe"; allowed: any, disjoint',
    'tables.shop.c: found 5; allowed: a rule, a list of rules, or skip',
  ]);
});

describe('what contradicts itself', () => {
  test.each<[rule: Record<string, unknown>, message: string]>([
    [
      { columns: { a: { from: 'x', expr: 'y' } } },
      'columns.a: a value has one origin. Give one of from, value and expr.',
    ],
    [
      { columns: { 'a.b': { cast: 'int' } } },
      'columns.a.b: a place in a document needs an origin. Give one of from, value and expr.',
    ],
    [
      { columns: { a: 'x', 'a.b': 'y' } },
      'columns.a.b: does not go with a: one would be inside the other, or be both a member and an element',
    ],
    [
      { columns: { 'a[]': 'x', 'a.b': 'y' } },
      'columns.a.b: does not go with a[]: one would be inside the other, or be both a member and an element',
    ],
    [
      { columns: { 'a[]': 'x', 'a[0]': 'y' } },
      'columns.a[0]: does not go with a[]: one would be inside the other, or be both a member and an element',
    ],
    [{ columns: { 'a[1]': 'x' } }, 'columns.a[1]: is an element whose predecessor nothing is said of'],
    [
      { to: 'x_{op()}' },
      "to: the target's name depends on scn(), committed_at() or op(), which differ from change to change. Use values of the row.",
    ],
    [{ to: 'x_{blah(1)}' }, 'to: there is no function "blah", at character 4. docs/mapping.md lists the functions.'],
    [{ delete: { soft: {} } }, 'delete.soft: names no column: a row that is no more must be told from the others'],
    [{ elementKey: ['a'] }, 'elementKey: goes with into alone'],
    [{ into: 'a[]' }, 'key: an element needs the key of its document, as a map: { id: order_id }'],
    [{ into: 'a.b', key: { id: 'x' } }, 'into: "a.b" is no list. Write items[] or a.items[].'],
    [{ into: 'a[]', key: { id: 'x' }, merge: 'any' }, 'merge: does not go with into'],
  ])('%j', (rule, message) => {
    expect(mistakes({ tables: { t: rule } })).toEqual([`tables.t.${message}`]);
  });
});

test('a key of a hash is never shown', () => {
  expect(mistakes({ tables: { t: { columns: { a: { hash: 'my-secret' } } } } })).toEqual([
    'tables.t.columns.a.hash: is no hash; allowed: sha256, or a map with key',
  ]);
  expect(mistakes({ tables: { t: { columns: { a: { hash: { key: 12_345 } } } } } }).join()).not.toContain('12345');
});

test("its keys can stand among those of a sink, and the options of a target are the sink's own", () => {
  const sink = z
    .strictObject({ type: z.literal('kafka'), ...mappingSchema(z.strictObject({ topic: z.string() })).shape })
    .superRefine(refineMapping);
  expect(mistakes({ type: 'kafka', tables: { a: { options: { topic: 'x' } } } }, sink)).toEqual([]);
  expect(mistakes({ type: 'kafka', tables: { a: { options: { topik: 'x' } } } }, sink)).toEqual([
    'tables.a.options.topic: is missing; it takes text',
    'tables.a.options.topik: there is no such key',
  ]);
  expect(mistakes({ type: 'kafka', tables: { a: { to: '{op()}' } } }, sink)).toHaveLength(1);
});

test('what may stand at a place is in the JSON schema for editors, and every key is described', () => {
  const schema = z.toJSONSchema(mappingSchema(), { io: 'input', unrepresentable: 'any' }) as {
    readonly properties: Readonly<Record<string, { readonly description?: string }>>;
  };
  for (const [key, node] of Object.entries(schema.properties)) {
    expect([key, node.description]).toEqual([key, expect.stringMatching(/\.$/)]);
  }
  const text = JSON.stringify(schema);
  for (const key of ['where', 'columns', 'elementKey', 'merge', 'cast', 'mask']) expect(text).toContain(`"${key}":{`);
});
