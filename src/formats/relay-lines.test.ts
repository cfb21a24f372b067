import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { storedParts, type StoredPartsOptions } from '../../test/support/stored-batches.ts';
import { column, part, rowBatch, table } from '../../test/support/changes.ts';
import type { Row, Value } from '../core/change.ts';
import type { TransactionPart } from '../core/source.ts';
import type { Column, ColumnType, TableSchema } from '../core/table-schema.ts';
import { JsonEncoder } from './json.ts';
import { readBatch } from './log/batch-reader.ts';
import { ROW_OP } from './log/batch-layout.ts';
import { ShapeRegistry } from './log/shape-registry.ts';
import { type LineOutput, RelayLines, type RelayLinesOptions } from './relay-lines.ts';

/** Gives exactly the room that is asked for, in a new buffer each time, and keeps what lies behind it from being written. */
class TightOutput implements LineOutput {
  static readonly guard = 0xa5;
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = new DataView(this.bytes.buffer, 0, 0);
  at = 0;
  readonly #sealed: Buffer[] = [];
  #line = '';

  room(size: number): void {
    if (size <= this.bytes.length - this.at) return;
    this.#sealed.push(this.bytes.subarray(0, this.at));
    // Views throw behind their end, and so do these: a store that needs more room than was asked for fails the test.
    const whole = new ArrayBuffer(size);
    this.bytes = Buffer.from(whole);
    this.view = new DataView(whole);
    this.at = 0;
  }

  beginLine(): void {
    this.#line = this.text();
  }

  dropLine(): void {
    this.#sealed.splice(0, Infinity, Buffer.from(this.#line));
    this.at = 0;
  }

  text(): string {
    return Buffer.concat([...this.#sealed, this.bytes.subarray(0, this.at)]).toString();
  }
}

function decode(parts: readonly TransactionPart[], options: Partial<StoredPartsOptions>): ReturnType<typeof readBatch> {
  const { bytes } = storedParts(parts, { firstScn: 1_700_000_000_000_998, ...options });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return readBatch(bytes, view, 0, new ShapeRegistry({ json: 'text' }), { previousPosition: 'before' });
}

interface Options extends Partial<RelayLinesOptions> {
  readonly limit?: number;
  readonly batch?: Partial<StoredPartsOptions>;
}

function written(
  parts: readonly TransactionPart[],
  { limit = Infinity, batch = {}, ...options }: Options = {},
): string {
  const output = new TightOutput();
  const lines = new RelayLines({ framing: 'lines', json: 'embedded', partitions: null, ...options }, limit);
  for (const _ of lines.write(decode(parts, batch).parts, output));
  return output.text();
}

/** What the encoder of strings says of the decoded rows, and behind it what a relay knows. */
function expected(parts: readonly TransactionPart[], { partitions = null, batch = {} }: Options = {}): string {
  let text = '';
  for (const each of decode(parts, batch).parts) {
    const known = each.entries.flatMap((entry) => {
      if (entry.type !== 'rows') return [`"scn":${entry.scn}`];
      return [...entry.hashes()].map(
        (hash, row) => `"scn":${entry.scn + row}${partitions === null ? '' : `,"partition":${hash % partitions}`}`,
      );
    });
    new JsonEncoder().encode(each, (line) => (text += `${line.slice(0, -1)},${known.shift()}}\n`));
  }
  return text;
}

const orders = table('shop.orders', [
  column('id', 'bigint', { nullable: false }),
  column('status', 'varchar'),
  column('doc', 'json'),
]);

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({
    unit: fc.constantFrom('a', '"', '\\', '\n', '\u007f', '\u0085', '\u00a0', '\ud800', '\udfff', '𝄞', '€', '\u2028'),
    maxLength: 30,
  }),
  fc.integer({ min: 1000, max: 40_000 }).map((length) => 'long\u0085€'.repeat(Math.ceil(length / 6)).slice(0, length)),
);
const VALUES: Readonly<Partial<Record<ColumnType, fc.Arbitrary<Value>>>> = {
  tinyint: fc.integer({ min: -128, max: 127 }),
  int: fc.integer(),
  bigint: fc
    .oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.maxSafeInteger())
    .map((value) =>
      typeof value === 'bigint' && value >= -(2n ** 53n) + 1n && value <= 2n ** 53n - 1n ? Number(value) : value,
    ),
  float: fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => Number(Math.fround(value).toPrecision(9))),
  double: fc.double({ noNaN: true, noDefaultInfinity: true }),
  decimal: fc.tuple(fc.integer(), fc.nat(99)).map(([whole, cents]) => `${whole}.${String(cents).padStart(2, '0')}`),
  date: fc.constantFrom('2026-11-20', '0000-00-00'),
  datetime: fc.constant('2026-11-20 09:15:02.123'),
  varchar: text,
  text,
  blob: fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.uint8Array({ minLength: 1000, maxLength: 14_000, size: 'max' })),
  json: fc.oneof(
    fc.json(),
    fc.constant('{\n "a":\r\n [1,\t2], "\u0085": "\\n"}'),
    fc.integer({ min: 900, max: 30_000 }).map((length) => JSON.stringify('€"x'.repeat(length / 3))),
  ),
  vector: fc
    .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { maxLength: 300 })
    .map((values) => new Float32Array(values)),
};
const UNSIGNED = fc
  .bigInt({ min: 0n, max: 2n ** 64n - 1n })
  .map((value) => (value <= 2n ** 53n - 1n ? Number(value) : value));

const COLUMNS: readonly { readonly column: Column; readonly value: fc.Arbitrary<Value> }[] = [
  ...Object.entries(VALUES).flatMap(([type, value]) => [
    { column: column(`${type} null`, type as ColumnType), value: fc.option<Value>(value) },
    { column: column(type, type as ColumnType, { nullable: false }), value },
  ]),
  { column: column('big', 'bigint', { unsigned: true }), value: fc.option(UNSIGNED) as fc.Arbitrary<Value> },
  { column: column('"é\\\n', 'int'), value: fc.integer() },
];

interface Case {
  readonly schema: TableSchema;
  readonly parts: TransactionPart[];
}

/** Some of the columns in any order, some of them the key, and rows of them. */
const cases: fc.Arbitrary<Case> = fc.shuffledSubarray([...COLUMNS], { minLength: 1, maxLength: 7 }).chain((chosen) => {
  const row = fc.record(
    Object.fromEntries(chosen.map(({ column: { name }, value }) => [name, value])),
  ) as fc.Arbitrary<Row>;
  const key = fc.shuffledSubarray([...chosen.keys()], { maxLength: Math.min(3, chosen.length) });
  const rows = fc.array(fc.tuple(row, row), { minLength: 1, maxLength: 4 });
  return fc
    .tuple(key, rows, fc.constantFrom('insert', 'update', 'delete', 'upsert'), fc.boolean())
    .map(([keys, pairs, kind, ends]) => {
      const schema = table(
        'shop.o"rders',
        chosen.map((each) => each.column),
        { key: keys },
      );
      const entry = rowBatch(schema, kind, { before: pairs.map(([old]) => old), after: pairs.map(([, now]) => now) });
      return { schema, parts: [part([entry]), part([entry], ends ? {} : { end: null })] };
    });
});

test('lines written from the bytes are those that the decoded rows give, whatever the columns and values are', () => {
  fc.assert(
    fc.property(cases, fc.constantFrom(null, 1, 16), ({ parts }, partitions) => {
      expect(written(parts, { partitions })).toBe(expected(parts, { partitions }));
    }),
    { numRuns: 150 },
  );
});

const insert = (...ids: readonly number[]): ReturnType<typeof rowBatch> =>
  rowBatch(orders, 'insert', { after: ids.map((id) => ({ id, status: 'new', doc: '{"a": 1}' })) });

describe('what a relay knows', () => {
  test('each line has its SCN, also statements, and one more than the line before', () => {
    const sql = 'ALTER TABLE orders ADD note TEXT';
    const lines = written([
      part([insert(1, 2), { type: 'schema', database: 'shop', table: 'orders', sql }]),
      part([insert(3)]),
    ])
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { op: string; scn: number; sql?: string });
    expect(lines.map(({ scn }) => scn)).toEqual([
      1_700_000_000_000_998, 1_700_000_000_000_999, 1_700_000_000_001_000, 1_700_000_000_001_001,
    ]);
    expect(lines[2]).toMatchObject({ op: 'schema', sql });
  });

  test('SCN digits are counted over every carry', () => {
    const ids = Array.from({ length: 250 }, (_, id) => id);
    const scns = (firstScn: number): number[] =>
      written([part([insert(...ids)])], { batch: { firstScn } })
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { scn: number }).scn);
    expect(scns(9)).toEqual(ids.map((id) => 9 + id));
    expect(scns(999_999_999_900)).toEqual(ids.map((id) => 999_999_999_900 + id));
  });

  test('halves of an update and rows of a snapshot say so', () => {
    const line = (op: number): string => written([part([insert(1)])], { batch: { op } });
    expect(line(ROW_OP.movedTo)).toMatch(/,"scn":1700000000000998,"moved":"to"}\n$/);
    expect(line(ROW_OP.snapshot)).toMatch(/,"scn":1700000000000998,"snapshot":true}\n$/);
    expect(line(0)).toMatch(/,"scn":1700000000000998}\n$/);
  });

  test('only the last line of a transaction has its end as position, the others have where it begins', () => {
    const positions = written([part([insert(1, 2)]), part([insert(3)])])
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { pos: string }).pos);
    expect(positions).toEqual(['before', 'before', 'mysql-bin.000003:484']);
  });
});

describe('limits and framing', () => {
  test('no more lines are written than are wanted', () => {
    const ids = Array.from({ length: 100 }, (_, id) => id);
    expect(written([part([insert(...ids)]), part([insert(7)])], { limit: 70 }).split('\n')).toHaveLength(71);
    expect(written([part([insert(1)]), part([insert(7)])], { limit: 0 })).toBe('');
  });

  test('an event has the SCN as its id and the operation as its name', () => {
    const [line = ''] = written([part([insert(1)])]).split('\n');
    const sql = 'TRUNCATE orders';
    const truncate = { type: 'truncate', database: 'shop', table: 'orders', sql } as const;
    const events = written([part([insert(1)]), part([truncate])], { framing: 'events' }).split('\n\n');
    expect(events[0]).toBe(
      `id: 1700000000000998\nevent: insert\ndata: ${line.replace('"mysql-bin.000003:484"', '"before"')}`,
    );
    expect(events[1]).toMatch(/^id: 1700000000000999\nevent: truncate\ndata: \{"op":"truncate".*\}$/);
    expect(events[2]).toBe('');
  });

  test('JSON columns are strings when text is asked for', () => {
    expect(written([part([insert(1)])], { json: 'text' })).toContain('"doc":"{\\"a\\": 1}"');
  });
});

test('a number that JSON cannot write stops the lines and names the table, not the value', () => {
  const schema = table('a.b', [column('x', 'double')], { key: [] });
  const broken = rowBatch(schema, 'insert', { after: [{ x: Number.NaN }] });
  expect(() => written([part([broken])])).toThrow('a number of a.b has no exact form in JSON');
  const [good, output] = [rowBatch(schema, 'insert', { after: [{ x: 1 }] }), new TightOutput()];
  const lines = new RelayLines({ framing: 'lines', json: 'text', partitions: null }, 10);
  expect(() => [...lines.write(decode([part([good, broken])], {}).parts, output)]).toThrow('no exact form');
  // What was written before is whole lines, for the one that says what is wrong to follow.
  expect(output.text().split('\n').slice(0, -1)).toEqual([expect.stringMatching(/^\{.*"scn":1700000000000998\}$/)]);
});

test('a row whose bytes were changed is never written as if it were right, nor read beyond its run', () => {
  const { bytes } = storedParts([part([insert(1, 2, 3)])], { firstScn: 1 });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // Behind the shape's text, where the run's rows are.
  const from = bytes.length - 90;
  for (let at = from; at < bytes.length; at++) {
    for (const value of [0x00, 0x7f, 0x80, 0xff]) {
      const kept = bytes[at] ?? 0;
      bytes[at] = value;
      const output = new TightOutput();
      try {
        const { parts } = readBatch(bytes, view, 0, new ShapeRegistry({ json: 'text' }));
        for (const _ of new RelayLines({ framing: 'lines', json: 'text', partitions: 4 }, 100).write(parts, output));
      } catch (error) {
        expect(error).toMatchObject({ code: 'LOG_DAMAGED' });
      }
      bytes[at] = kept;
      for (const line of output.text().split('\n').slice(0, -1)) JSON.parse(line);
    }
  }
});
