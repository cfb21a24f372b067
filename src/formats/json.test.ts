import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { column, COMMITTED_AT_US, part, position, rowBatch, table } from '../../test/support/changes.ts';
import type { Row, Value } from '../core/change.ts';
import type { TransactionPart } from '../core/source.ts';
import type { Column } from '../core/table-schema.ts';
import { JsonEncoder } from './json.ts';

function lines(...parts: readonly TransactionPart[]): string[] {
  const encoder = new JsonEncoder();
  const all: string[] = [];
  for (const each of parts) encoder.encode(each, (line) => all.push(line));
  return all;
}

const orders = table('shop.orders', [column('id', 'bigint'), column('status', 'varchar'), column('total', 'decimal')]);

describe('golden lines', () => {
  test('an insert, an update and a delete are written as docs/formats/change-event.md shows them', () => {
    const entries = [
      rowBatch(orders, 'insert', { after: [{ id: 7, status: 'new', total: '9.90' }] }),
      rowBatch(orders, 'update', {
        before: [{ id: 7, status: 'new', total: '9.90' }],
        after: [{ id: 7, status: 'paid', total: '9.90' }],
      }),
      rowBatch(orders, 'delete', { before: [{ id: 7, status: 'paid', total: '9.90' }] }),
    ];
    expect(lines(part(entries))).toEqual([
      '{"op":"insert","db":"shop","table":"orders","key":{"id":7},"before":null,"after":{"id":7,"status":"new","total":"9.90"},"ts":"2026-11-20T09:15:02.123456Z","tx":"0-1-42","pos":"mysql-bin.000003:154"}',
      '{"op":"update","db":"shop","table":"orders","key":{"id":7},"before":{"id":7,"status":"new","total":"9.90"},"after":{"id":7,"status":"paid","total":"9.90"},"ts":"2026-11-20T09:15:02.123456Z","tx":"0-1-42","pos":"mysql-bin.000003:154"}',
      '{"op":"delete","db":"shop","table":"orders","key":{"id":7},"before":{"id":7,"status":"paid","total":"9.90"},"after":null,"ts":"2026-11-20T09:15:02.123456Z","tx":"0-1-42","pos":"mysql-bin.000003:484"}',
    ]);
  });

  test('a schema change and a truncation carry their statement', () => {
    const entries = [
      { type: 'schema', database: 'shop', table: 'orders', sql: 'ALTER TABLE orders ADD note TEXT' },
      { type: 'schema', database: 'shop', table: null, sql: 'CREATE DATABASE "x"' },
      { type: 'truncate', database: 'shop', table: 'orders', sql: 'TRUNCATE orders' },
    ] as const;
    expect(lines(part(entries, { transaction: { id: null } }))).toEqual([
      '{"op":"schema","db":"shop","table":"orders","sql":"ALTER TABLE orders ADD note TEXT","ts":"2026-11-20T09:15:02.123456Z","tx":null,"pos":"mysql-bin.000003:154"}',
      '{"op":"schema","db":"shop","table":null,"sql":"CREATE DATABASE \\"x\\"","ts":"2026-11-20T09:15:02.123456Z","tx":null,"pos":"mysql-bin.000003:154"}',
      '{"op":"truncate","db":"shop","table":"orders","sql":"TRUNCATE orders","ts":"2026-11-20T09:15:02.123456Z","tx":null,"pos":"mysql-bin.000003:484"}',
    ]);
  });

  test('every type has the form of the table in docs/concepts/values.md', () => {
    const columns = [
      column('i', 'int'),
      column('big', 'bigint', { unsigned: true }),
      column('y', 'year'),
      column('bits', 'bit', { length: 64 }),
      column('d', 'decimal'),
      column('f', 'float'),
      column('dbl', 'double'),
      column('minus', 'double'),
      column('day', 'date'),
      column('dt', 'datetime'),
      column('ts', 'timestamp'),
      column('t', 'time'),
      column('txt', 'text'),
      column('bin', 'binary'),
      column('geo', 'geometry'),
      column('e', 'enum'),
      column('s', 'set'),
      column('doc', 'json'),
      column('vec', 'vector'),
      column('u', 'uuid'),
      column('n', 'int'),
    ];
    const row: Row = {
      i: -1,
      big: 18446744073709551615n,
      y: 2026,
      bits: 0x8000000000000001n,
      d: '-0.50',
      f: 0.1,
      dbl: 1e300,
      minus: -0,
      day: '0000-00-00',
      dt: '2026-00-10 00:00:00.5',
      ts: '0000-00-00T00:00:00Z',
      t: '-838:59:59.000001',
      txt: 'a"b\\c\n\u0000\u009b[31m\ud800 é 🎉',
      bin: new Uint8Array([0, 255, 16]),
      geo: new Uint8Array([0, 0, 0, 0]),
      e: '',
      s: 'a,b',
      doc: '{"a": [1, 2.50, 12345678901234567890]}',
      vec: new Float32Array([0.1, -1.5, 3.4028234663852886e38, 1e-45]),
      u: '123e4567-e89b-12d3-a456-426614174000',
      n: null,
    };
    const [line] = lines(part([rowBatch(table('a.b', columns, { key: [] }), 'insert', { after: [row] })]));
    expect(line?.slice(line.indexOf('"after":'), line.indexOf(',"ts":"2026'))).toBe(
      '"after":{"i":-1,"big":18446744073709551615,"y":2026,"bits":9223372036854775809,"d":"-0.50","f":0.1,"dbl":1e+300,"minus":-0,' +
        '"day":"0000-00-00","dt":"2026-00-10 00:00:00.5","ts":"0000-00-00T00:00:00Z","t":"-838:59:59.000001",' +
        '"txt":"a\\"b\\\\c\\n\\u0000\\u009b[31m\\ud800 é 🎉","bin":"AP8Q","geo":"AAAAAA==","e":"","s":"a,b",' +
        '"doc":{"a": [1, 2.50, 12345678901234567890]},"vec":[0.1,-1.5,3.4028235e+38,1e-45],' +
        '"u":"123e4567-e89b-12d3-a456-426614174000","n":null}',
    );
    expect(line).toContain('"key":null');
  });
});

describe('position', () => {
  const insert = (id: number): ReturnType<typeof rowBatch> =>
    rowBatch(orders, 'insert', { after: [{ id, status: 'new', total: '1' }] });
  const positions = (...parts: readonly TransactionPart[]): string[] =>
    lines(...parts).map((line) => (JSON.parse(line) as { pos: string }).pos);

  test('only the last line of a transaction in parts has its end', () => {
    const first = part([insert(1), insert(2)], { end: null });
    const last = part([insert(3), insert(4)], { begins: false });
    expect(positions(first, last)).toEqual([
      'mysql-bin.000003:154',
      'mysql-bin.000003:154',
      'mysql-bin.000003:154',
      'mysql-bin.000003:484',
    ]);
  });

  test('a transaction whose last part has no entries leaves the start on all its lines', () => {
    expect(positions(part([insert(1)], { end: null }), part([], { begins: false }))).toEqual(['mysql-bin.000003:154']);
  });

  test('of several rows in the last entry only the last has the end', () => {
    const rows = rowBatch(orders, 'delete', { before: [{ id: 1 }, { id: 2 }] });
    expect(positions(part([rows], { end: position('0-1-43') }))).toEqual(['mysql-bin.000003:154', '0-1-43']);
  });
});

describe('partial rows', () => {
  const inherited = table(
    'a.b',
    [column('id', 'int'), column('constructor', 'int'), column('__proto__', 'varchar'), column('toString', 'int')],
    { key: [0] },
  );

  test('a column that was not logged is absent, also when every object inherits its name', () => {
    const [line] = lines(part([rowBatch(inherited, 'insert', { after: [{ id: 1 }] })]));
    expect(line).toContain('"after":{"id":1}');
  });

  test('columns with inherited names are written when they are there', () => {
    const row = Object.fromEntries([
      ['id', 1],
      ['constructor', 2],
      ['__proto__', 'x'],
      ['toString', null],
    ]) as Row;
    const [line] = lines(part([rowBatch(inherited, 'insert', { after: [row] })]));
    expect(line).toContain('"after":{"id":1,"constructor":2,"__proto__":"x","toString":null}');
  });

  test('a key that the after image leaves out is taken from the before image', () => {
    const [line] = lines(part([rowBatch(orders, 'update', { before: [{ id: 7 }], after: [{ status: 'paid' }] })]));
    expect(line).toContain('"key":{"id":7},"before":{"id":7},"after":{"status":"paid"}');
  });

  test('the key is there also when its columns were not asked for', () => {
    const whole = rowBatch(orders, 'update', {
      before: [{ id: 7 }, { id: 8 }],
      after: [
        { id: 7, status: 'a' },
        { id: 8, status: 'b' },
      ],
    });
    const selected = { before: [{}, {}], after: [{ status: 'a' }, { status: 'b' }], count: 2 };
    const [first, second] = lines(
      part([
        {
          type: 'rows',
          kind: 'update',
          table: orders,
          statement: null,
          rows: () => selected,
          keys: () => whole.keys(),
          changes: () => [],
          shape: whole.shape,
          writeTo: (target) => whole.writeTo(target),
        },
      ]),
    );
    expect(first).toContain('"key":{"id":7},"before":{},"after":{"status":"a"}');
    expect(second).toContain('"key":{"id":8},"before":{},"after":{"status":"b"}');
  });

  test('a composite key is in key order', () => {
    const lineItems = table('shop.items', [column('no', 'int'), column('order', 'int'), column('sku', 'char')], {
      key: [1, 0],
    });
    const [line] = lines(part([rowBatch(lineItems, 'delete', { before: [{ no: 1, order: 2, sku: 'x' }] })]));
    expect(line).toContain('"key":{"order":2,"no":1}');
  });
});

test('names that would be code if they were not quoted do no harm', () => {
  const name = '"]; throw new Error("run"); //`${1}\u2028\n';
  const [line] = lines(part([rowBatch(table('a.b', [column(name, 'int')]), 'insert', { after: [{ [name]: 5 }] })]));
  expect(JSON.parse(line ?? '')).toMatchObject({ key: { [name]: 5 }, after: { [name]: 5 } });
});

test('a number that JSON cannot write stops the encoder and names the column, not the value', () => {
  const broken = rowBatch(table('a.b', [column('x', 'double')], { key: [] }), 'insert', { after: [{ x: Number.NaN }] });
  expect(() => lines(part([broken]))).toThrow('a value of a.b.x (double) has no exact form in this format');
});

// Every type with arbitrary values of it, and how its JSON reads back.
const float32 = fc.float({ noNaN: true, noDefaultInfinity: true });
const TYPES: readonly {
  readonly column: Column;
  readonly values: fc.Arbitrary<Value>;
  readonly back: (value: Value) => unknown;
}[] = [
  { column: column('int', 'int'), values: fc.integer(), back: Number },
  { column: column('big', 'bigint'), values: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), back: String },
  { column: column('dbl', 'double'), values: fc.double({ noNaN: true, noDefaultInfinity: true }), back: Number },
  { column: column('txt', 'text'), values: fc.string({ unit: 'binary' }), back: String },
  { column: column('utf16', 'varchar'), values: fc.string({ unit: 'binary-ascii' }), back: String },
  {
    column: column('bin', 'blob'),
    values: fc.uint8Array(),
    back: (value) => Buffer.from(value as Uint8Array).toString('base64'),
  },
  {
    column: column('doc', 'json'),
    values: fc.json(),
    back: (value) => JSON.parse(value as string) as unknown,
  },
  {
    column: column('vec', 'vector'),
    values: fc.array(float32).map((values) => new Float32Array(values)),
    back: (value) => [...(value as Float32Array)],
  },
];
const rowArbitrary: fc.Arbitrary<Row> = fc.record(
  Object.fromEntries(TYPES.map(({ column: { name }, values }) => [name, fc.option(values)])),
  { requiredKeys: ['int'] },
) as fc.Arbitrary<Row>;
const all = table(
  'p.q',
  TYPES.map((type) => type.column),
  { key: [0] },
);

/** Integers beyond 2^53 as their digits: JSON.parse hands the source text to its reviver. */
const reviver = (_name: string, value: unknown, context?: { source?: string }): unknown =>
  typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
    ? context?.source
    : value;

function expectSame(read: Record<string, unknown>, row: Row): void {
  expect(Object.keys(read)).toEqual(TYPES.map((type) => type.column.name).filter((name) => Object.hasOwn(row, name)));
  for (const {
    column: { name, type },
    back,
  } of TYPES) {
    if (!Object.hasOwn(row, name)) continue;
    const value = row[name] ?? null;
    if (value === null) expect(read[name]).toBeNull();
    else if (type === 'bigint') expect(String(read[name])).toBe(back(value));
    else if (type === 'vector') expect((read[name] as number[]).map(Math.fround)).toEqual(back(value));
    else expect(read[name]).toEqual(back(value));
  }
}

test('a line parses back to the same values, whatever they are', () => {
  fc.assert(
    fc.property(rowArbitrary, rowArbitrary, (before, after) => {
      const [line = ''] = lines(part([rowBatch(all, 'update', { before: [before], after: [after] })]));
      // oxlint-disable-next-line no-control-regex
      expect(line).not.toMatch(/[\u0000-\u001f]/);
      const plain = JSON.parse(line, reviver) as Record<'before' | 'after', Record<string, unknown>>;
      // A document's own numbers are read as JSON.parse reads them, so it is compared without the reviver.
      const documents = JSON.parse(line) as Record<'before' | 'after', Record<string, unknown>>;
      for (const [side, row] of [
        ['before', before],
        ['after', after],
      ] as const) {
        const read = { ...plain[side] };
        if ('doc' in read) read['doc'] = documents[side]['doc'];
        if ('dbl' in read) read['dbl'] = documents[side]['dbl'];
        if ('vec' in read) read['vec'] = documents[side]['vec'];
        expectSame(read, row);
      }
    }),
    { numRuns: 500 },
  );
});

test('the commit time keeps its microseconds', () => {
  const [line] = lines(
    part([rowBatch(orders, 'delete', { before: [{ id: 1 }] })], {
      transaction: { committedAtUs: COMMITTED_AT_US - 123_455 },
    }),
  );
  expect(line).toContain('"ts":"2026-11-20T09:15:02.000001Z"');
});
