import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { column, table } from '../../../../../test/support/changes.ts';
import { wrongRows } from '../../../../../test/support/rows/check-rows.ts';
import { RowBuffer } from '../../../../../test/support/rows/row-buffer.ts';
import { type ResultValue, textRow, textRows } from '../../../../../test/support/rows/text-result.ts';
import type { Row, Value } from '../../../../core/change.ts';
import { isTidingsError } from '../../../../core/errors.ts';
import { plainRowBatch } from '../../../../core/plain-rows.ts';
import type { RowBatch } from '../../../../core/source.ts';
import type { Column, ColumnType, TableSchema } from '../../../../core/table-schema.ts';
import { TextRowBatch, type TextRowOptions, TextRowViews } from './text-row-batch.ts';

const MYSQL = { flavour: 'mysql', version: 90_700 } as const;

function viewsOf(schema: TableSchema, options: Partial<TextRowOptions> = {}): TextRowViews {
  const selected = schema.columns.map(() => true);
  return new TextRowViews(schema, { selected, json: 'text', server: MYSQL, keyColumns: schema.key, ...options });
}

function written(batch: RowBatch): readonly { avro: string; hash: number }[] {
  const target = new RowBuffer();
  batch.writeTo(target);
  return target.finish().map(({ avro, hash }) => ({ avro: avro.toString('hex'), hash }));
}

/** The rows must be these objects, and their bytes those that the objects have. */
function expectRows(schema: TableSchema, texts: readonly (readonly ResultValue[])[], rows: readonly Row[]): void {
  const batch = new TextRowBatch(viewsOf(schema, { keyColumns: [] }), textRows(texts), null);
  expect(batch.rows()).toEqual({ count: rows.length, before: null, after: rows });
  expect(wrongRows(batch)).toEqual([]);
  expect(written(batch)).toEqual(written(plainRowBatch({ table: schema, kind: 'upsert', rows })));
}

const TEXT = { charset: 'utf8mb4', collation: 'utf8mb4_bin' };
const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);
const inUtf16 = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

/** What the column is, what comes, what it is. */
const VALUES: readonly [ColumnType, Partial<Column>, ResultValue, Value][] = [
  ['tinyint', {}, '-128', -128],
  ['tinyint', { unsigned: true }, '255', 255],
  ['smallint', {}, '-32768', -32_768],
  ['mediumint', {}, '8388607', 8_388_607],
  ['mediumint', { unsigned: true }, '00000005', 5],
  ['int', {}, '-2147483648', -(2 ** 31)],
  ['int', { unsigned: true }, '4294967295', 2 ** 32 - 1],
  ['int', { unsigned: true }, `${'0'.repeat(250)}77777`, 77_777],
  ['bigint', {}, '-9223372036854775808', -(2n ** 63n)],
  ['bigint', {}, '9007199254740991', 2 ** 53 - 1],
  ['bigint', {}, '9007199254740992', 2n ** 53n],
  ['bigint', { unsigned: true }, '18446744073709551615', 2n ** 64n - 1n],
  ['bigint', { unsigned: true }, '9223372036854775807', 2n ** 63n - 1n],
  ['bigint', { unsigned: true }, '0', 0],
  ['year', {}, '0000', 0],
  ['year', {}, '2026', 2026],
  ['bit', { length: 1 }, Buffer.from([1]), 1],
  ['bit', { length: 10 }, Buffer.from([3, 0xff]), 1023],
  ['bit', { length: 63 }, Buffer.from('7fffffffffffffff', 'hex'), 2n ** 63n - 1n],
  ['bit', { length: 64 }, Buffer.from('ffffffffffffffff', 'hex'), 2n ** 64n - 1n],
  ['bit', { length: 64 }, Buffer.from('0000000000000005', 'hex'), 5],
  ['bit', { length: 40 }, Buffer.from('8000000001', 'hex'), 2 ** 39 + 1],
  ['decimal', { length: 10, scale: 2 }, '-0.50', '-0.50'],
  ['decimal', { length: 10, scale: 2 }, '00000012.50', '12.50'],
  ['decimal', { length: 10, scale: 2 }, '00000000.05', '0.05'],
  ['decimal', { length: 5, scale: 0 }, '00000', '0'],
  [
    'decimal',
    { length: 65, scale: 30 },
    `-${'9'.repeat(35)}.${'9'.repeat(30)}`,
    `-${'9'.repeat(35)}.${'9'.repeat(30)}`,
  ],
  ['float', {}, '0.10000000149011612', 0.1],
  ['float', {}, '1.401298464324817e-45', 1e-45],
  ['double', {}, '1.7976931348623157e308', Number.MAX_VALUE],
  ['double', {}, '-0', -0],
  ['date', {}, '0000-00-00', '0000-00-00'],
  ['date', {}, '2026-02-31', '2026-02-31'],
  ['datetime', { length: 0 }, '9999-12-31 23:59:59', '9999-12-31 23:59:59'],
  ['datetime', { length: 3 }, '2026-11-20 09:15:02.120', '2026-11-20 09:15:02.120'],
  ['timestamp', { length: 0 }, '0000-00-00 00:00:00', '0000-00-00T00:00:00Z'],
  ['timestamp', { length: 6 }, '2026-11-20 09:15:02.123456', '2026-11-20T09:15:02.123456Z'],
  ['time', { length: 0 }, '-838:59:59', '-838:59:59'],
  ['time', { length: 1 }, '00:00:00.5', '00:00:00.5'],
  ['char', TEXT, '', ''],
  ['varchar', TEXT, 'Größe 漢字 🚲', 'Größe 漢字 🚲'],
  ['varchar', { charset: 'latin1' }, Buffer.from([0x47, 0xf6, 0x80]), 'Gö€'],
  ['varchar', { charset: 'utf16' }, inUtf16('漢 x'), '漢 x'],
  ['char', { charset: 'gbk' }, Buffer.from([0xd6, 0xd0]), '中'],
  ['text', TEXT, 'x'.repeat(251), 'x'.repeat(251)],
  ['text', TEXT, 'é'.repeat(35_000), 'é'.repeat(35_000)],
  ['text', { charset: 'latin1' }, Buffer.alloc(70_000, 0xe9), 'é'.repeat(70_000)],
  ['enum', { charset: 'utf8mb3', members: ['ä', 'b'] }, 'ä', 'ä'],
  ['enum', { charset: 'utf8mb3', members: ['ä', 'b'] }, '', ''],
  ['enum', { charset: 'binary', members: ['\u00ff'] }, Buffer.from([0xff]), '\u00ff'],
  ['set', { charset: 'utf8mb4', members: ['a', 'b'] }, 'a,b', 'a,b'],
  ['binary', { length: 4 }, Buffer.from([1, 2, 0, 0]), bytes(1, 2, 0, 0)],
  ['varbinary', { length: 4 }, Buffer.from([0xfb, 0xff]), bytes(0xfb, 0xff)],
  ['blob', { length: 65_535 }, Buffer.alloc(300, 7), new Uint8Array(300).fill(7)],
  ['geometry', {}, Buffer.from([0, 0, 0, 0, 1]), bytes(0, 0, 0, 0, 1)],
  ['vector', { length: 2 }, Buffer.from([0, 0, 0xc0, 0x3f, 0, 0, 0, 0x80]), new Float32Array([1.5, -0])],
  ['json', {}, '{"a": [1, 2.50, "é"]}', '{"a": [1, 2.50, "é"]}'],
  ['uuid', {}, '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b', '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b'],
  ['inet4', {}, '192.0.2.1', '192.0.2.1'],
  ['inet6', {}, '::ffff:192.0.2.1', '::ffff:192.0.2.1'],
];

describe('a value is what the stream has of it, in the log byte for byte', () => {
  test.each(VALUES)('%s %o', (type, properties, text, value) => {
    for (const nullable of [true, false]) {
      const columns = [column('id', 'int', { nullable: false }), column('v', type, { nullable, ...properties })];
      const rows = [[`7`, text], ...(nullable ? [['8', null]] : []), ['9', text]];
      const objects = rows.map(([id, each]) => ({ id: Number(id), v: each === null ? null : value }));
      expectRows(table('shop.things', columns), rows, objects);
    }
  });

  test.each(VALUES.filter(([type]) => type !== 'json' && type !== 'geometry' && type !== 'vector'))(
    'in the partition of its key: %s %o',
    (type, properties, text, value) => {
      const columns = [column('v', type, { nullable: false, ...properties }), column('id', 'int')];
      expectRows(table('shop.things', columns, { key: [1, 0] }), [[text, '7'], [text, null]], [{ v: value, id: 7 }, { v: value, id: null }]); // prettier-ignore
      const views = viewsOf(table('shop.things', columns, { key: [0] }));
      // What tells the order of these comes behind all columns.
      const number = type === 'enum' || type === 'set' ? ['1'] : [];
      const rows = textRows([[text, '7', ...number]]);
      expect(views.keys(rows)).toEqual([value]);
      expect(views.chunkKeys(rows)).toEqual([value]);
    },
  );

  test('all of them together, NULL anywhere', () => {
    const columns = VALUES.map(([type, properties], i) => column(`c${i}`, type, properties));
    const schema = table('shop.wide', columns, { key: [] });
    fc.assert(
      fc.property(fc.array(fc.array(fc.boolean(), { minLength: VALUES.length, maxLength: VALUES.length })), (masks) => {
        const texts = masks.map((mask) => VALUES.map(([, , text], i) => (mask[i] === true ? null : text)));
        const rows = masks.map((mask) =>
          Object.fromEntries(VALUES.map(([, , , value], i) => [`c${i}`, mask[i] === true ? null : value])),
        );
        expectRows(schema, texts, rows);
      }),
      { numRuns: 20 },
    );
  });

  test('JSON parsed, when it is asked for', () => {
    const schema = table('shop.things', [column('v', 'json')], { key: [] });
    const batch = new TextRowBatch(viewsOf(schema, { json: 'parsed' }), textRows([['{"a": [1, null]}'], [null]]), null);
    expect(batch.rows().after).toEqual([{ v: { a: [1, null] } }, { v: null }]);
    expect(wrongRows(batch, 'parsed')).toEqual([]);
  });

  test('with a name of every kind', () => {
    const names = ['__proto__', 'constructor', "it's", 'a`b', '"q"', 'a\\b', '\u2028', '0'];
    const schema = table('shop.things', names.map((name) => column(name, 'int'))); // prettier-ignore
    const batch = new TextRowBatch(viewsOf(schema), textRows([names.map((_, i) => String(i))]), null);
    const [row] = batch.rows().after ?? [];
    expect(new Map(Object.entries(row ?? {}))).toEqual(new Map(names.map((name, i) => [name, i])));
    expect(batch.changes()[0]?.key).toEqual(Object.fromEntries([['__proto__', 0]]));
  });
});

const orders = table(
  'shop.orders',
  [
    column('note', 'text', TEXT),
    column('id', 'bigint', { nullable: false }),
    column('state', 'enum', { charset: 'utf8mb4', members: ['new', 'paid'], nullable: false }),
  ],
  { key: [1] },
);
const ROWS = [
  ['one', '1', 'new'],
  [null, '2', 'paid'],
  ['three', '3', 'new'],
] as const;

describe('the batch', () => {
  const batch = (left: Uint32Array | null): TextRowBatch => new TextRowBatch(viewsOf(orders), textRows(ROWS), left);

  test('is of upserts that a snapshot read', () => {
    const all = batch(null);
    expect(all).toMatchObject({ type: 'rows', kind: 'upsert', snapshot: true, statement: null, table: orders });
    expect(all.changes()[1]).toEqual({
      kind: 'upsert',
      table: orders,
      scn: null,
      key: { id: 2 },
      before: null,
      after: { note: null, id: 2, state: 'paid' },
      statement: null,
      snapshot: true,
    });
  });

  test('has the rows that are left, and no others', () => {
    const some = batch(Uint32Array.of(0, 2));
    expect(some.rows()).toMatchObject({ count: 2, after: [{ id: 1 }, { id: 3 }] });
    expect(some.keys()).toEqual([1, 3]);
    expect(some.changes().map(({ key }) => key)).toEqual([{ id: 1 }, { id: 3 }]);
    expect(wrongRows(some)).toEqual([]);
    expect(written(some)).toEqual([0, 2].map((i) => written(batch(null))[i]));
    expect(batch(new Uint32Array(0)).rows()).toEqual({ count: 0, before: null, after: [] });
    expect(written(batch(new Uint32Array(0)))).toEqual([]);
  });

  test('has one shape for all chunks of a table', () => {
    const views = viewsOf(orders);
    const shapes = [null, Uint32Array.of(1)].map((left) => new TextRowBatch(views, textRows(ROWS), left).shape);
    expect(shapes[0]).toBe(shapes[1]);
    expect(shapes[0]).toMatchObject({ table: orders, before: null, after: [0, 1, 2] });
  });

  test('of a table without a key has none, and lies in the partition of its table', () => {
    const schema = { ...orders, key: [] };
    const without = new TextRowBatch(viewsOf(schema), textRows(ROWS), null);
    expect(without.keys()).toBeNull();
    expect(without.changes()[0]?.key).toBeNull();
    expect(wrongRows(without)).toEqual([]);
  });

  test('holds the selected columns, and has the key and the partition of the row all the same', () => {
    const views = viewsOf(orders, { selected: [true, false, false], keyColumns: [2, 1] });
    expect(views.selectList).toBe('`note`, `state`, `id`, CAST(`state` AS UNSIGNED)');
    const rows = textRows(ROWS.map(([note, id, state], i) => [note, state, id, String((i % 2) + 1)]));
    const some = new TextRowBatch(views, rows, null);
    expect(some.rows().after).toEqual([{ note: 'one' }, { note: null }, { note: 'three' }]);
    expect(some.keys()).toEqual([1, 2, 3]);
    expect(views.chunkKeys(rows)).toEqual([['new', 1], ['paid', 2], ['new', 3]]); // prettier-ignore
    expect(views.keyLiterals(rows, 1)).toEqual(['2', '2']);
    expect(wrongRows(some)).toEqual([]);
    expect(written(some).map(({ hash }) => hash)).toEqual(written(batch(null)).map(({ hash }) => hash));
  });

  test('of no column at all has rows all the same', () => {
    const views = viewsOf({ ...orders, key: [] }, { selected: [false, false, false] });
    expect(views.selectList).toBe('NULL');
    const none = new TextRowBatch(views, textRows([[null], [null]]), null);
    expect(none.rows().after).toEqual([{}, {}]);
    expect(written(none)).toHaveLength(2);
  });
});

describe('a row that is not what its columns promise', () => {
  const columns = VALUES.map(([type, properties], i) => column(`c${i}`, type, { ...properties, nullable: false }));
  const short = columns.map((each) => (each.type === 'text' ? { ...each, type: 'varchar' as const } : each));
  const schema = table('shop.wide', short, { key: [7, 20] });
  const row = textRow(VALUES.map(([, , text]) => (text !== null && text.length > 1000 ? 'x' : text)));

  function failures(bytes: Buffer, of: TableSchema): unknown[] {
    const views = viewsOf(of);
    const rows = textRows([bytes]);
    const batch = new TextRowBatch(views, rows, null);
    const reads = [
      () => batch.writeTo(new RowBuffer()),
      () => batch.rows(),
      () => batch.keys(),
      () => views.keyLiterals(rows, 0),
    ];
    return reads.flatMap((read) => {
      try {
        read();
        return [];
      } catch (error) {
        return [error];
      }
    });
  }

  test('because it ends before its end is refused, wherever that is', () => {
    for (let length = 0; length < row.length; length++) {
      const errors = failures(row.subarray(0, length), schema);
      expect(errors.map((error) => isTidingsError(error) && error.code)).toEqual(Array(4).fill('PROTOCOL_VIOLATION'));
    }
    expect(failures(row, schema)).toEqual([]);
  });

  test('because something follows is refused', () => {
    for (const more of [[0], [0xfb], [1, 0x31]]) {
      expect(failures(Buffer.concat([row, Buffer.from(more)]), schema)).toHaveLength(4);
    }
  });

  test('because bytes of it are others is read or refused, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(row.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (damage) => {
        const bytes = Buffer.from(row);
        for (const [at, byte] of damage) bytes[at] = byte;
        for (const error of failures(bytes, schema)) {
          expect(isTidingsError(error) && error.code).toMatch(/^(PROTOCOL_VIOLATION|TEXT_UNDECODABLE)$/);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test.each<[string, ResultValue[]]>([
    ['NULL where none can be', ['x', null, 'new']],
    ['text for a number', ['x', 'x', 'new']],
    ['too few columns', ['x', '1']],
    ['too many columns', ['x', '1', 'new', '1', '2']],
  ])('is refused with the name of its table: %s', (_, values) => {
    const [error] = failures(textRow(values), orders);
    expect(error).toMatchObject({ code: 'PROTOCOL_VIOLATION', details: { table: 'shop.orders' } });
    expect((error as Error).message).toMatch(/^shop\.orders: /);
  });

  test('shows nothing of its values in the error', () => {
    const parsed = viewsOf(table('shop.docs', [column('doc', 'json')], { key: [] }), { json: 'parsed' });
    const secret = 'secretvalue';
    const cases: [TextRowViews, ResultValue[]][] = [
      [parsed, [secret]],
      [viewsOf(table('shop.docs', [column('n', 'int')], { key: [] })), [secret]],
      [viewsOf(table('shop.docs', [column('n', 'decimal')], { key: [] })), [secret]],
    ];
    for (const [views, values] of cases) {
      let shown = '';
      try {
        new TextRowBatch(views, textRows([values]), null).rows();
      } catch (error) {
        shown = `${(error as Error).stack} ${JSON.stringify(error)} ${String((error as Error).cause)}`;
      }
      expect(shown).toContain('PROTOCOL_VIOLATION');
      expect(shown).not.toContain(secret);
    }
  });
});
