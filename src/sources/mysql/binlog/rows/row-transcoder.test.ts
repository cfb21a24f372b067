import { describe, expect, test } from 'vitest';
import { column, table } from '../../../../../test/support/changes.ts';
import { decodedRow, wrongRows } from '../../../../../test/support/rows/check-rows.ts';
import { RowBuffer } from '../../../../../test/support/rows/row-buffer.ts';
import { TidingsError } from '../../../../core/errors.ts';
import { keyHash, tableHash } from '../../../../core/rows/key-hash.ts';
import type { RowTarget } from '../../../../core/rows/row-target.ts';
import { charsetByName } from '../../charset/charset.ts';
import { BinlogRowBatch, RowViews } from '../../row-batch.ts';
import { COLUMN_TYPE } from '../column-types.ts';
import type { RowsAction } from '../rows-event.ts';
import type { WireColumn } from '../table-map-event.ts';
import type { BoundColumn } from './bound-column.ts';
import type { ImageLayout } from './image-walk.ts';

const T = COLUMN_TYPE;

interface Given {
  readonly columns: readonly BoundColumn[];
  readonly key?: readonly number[];
  readonly layout?: Partial<ImageLayout>;
}

function bound(name: string, type: 'int' | 'varchar' | 'text', wire: Partial<WireColumn> = {}): BoundColumn {
  const charset = type === 'int' ? null : 'utf8mb4';
  return {
    column: column(name, type, { charset, nullable: wire.nullable ?? false }),
    wire: {
      type: type === 'int' ? T.LONG : type === 'text' ? T.BLOB : T.VARCHAR,
      size: type === 'text' ? 4 : 100,
      scale: 0,
      nullable: false,
      ...wire,
    },
    charset: charset === null ? null : charsetByName(charset, 'mysql'),
    selected: true,
  };
}

function inCharset(of: BoundColumn, name: string): BoundColumn {
  return { ...of, column: { ...of.column, charset: name }, charset: charsetByName(name, 'mysql') };
}

/** The rows as an event between others has them. */
function batchOf(rows: Buffer, { columns, key = [0], layout = {} }: Given): BinlogRowBatch {
  const schema = table('shop.things', columns.map((each) => each.column), { key }); // prettier-ignore
  const whole = { before: null, after: columns.map(() => true), partial: false, ...layout };
  const action: RowsAction = whole.before === null ? 'insert' : whole.after === null ? 'delete' : 'update';
  const bytes = Buffer.concat([Buffer.alloc(7, 0xee), rows, Buffer.alloc(16, 0xee)]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const event = {
    tableId: 1,
    endsStatement: true,
    columnCount: columns.length,
    firstBitmap: 0,
    secondBitmap: 0,
    rowsStart: 7,
    rowsEnd: 7 + rows.length,
  };
  return new BinlogRowBatch(
    bytes,
    view,
    event,
    new RowViews({ schema, columns }, action, { layout: whole, json: 'text' }),
    null,
  );
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function varchar(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text as string);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function long(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text as string);
  return Buffer.concat([int(bytes.length), bytes]);
}

/** Row images without NULLs, of up to eight columns. */
function images(...values: readonly (readonly Buffer[])[]): Buffer {
  return Buffer.concat(values.flatMap((image) => [Buffer.from([0]), ...image]));
}

function written(batch: BinlogRowBatch): RowBuffer['written'] {
  const target = new RowBuffer();
  batch.writeTo(target);
  return target.finish() as RowBuffer['written'];
}

function failure(batch: BinlogRowBatch, target: RowTarget = new RowBuffer()): unknown {
  try {
    batch.writeTo(target);
  } catch (error) {
    return error;
  }
  throw new Error('it was written');
}

const BOTH = [true, true];
const idAndName = [bound('id', 'int'), bound('name', 'varchar')];

describe('text', () => {
  const LENGTHS = [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 63, 64, 65, 255, 256, 257, 300, 8191, 8192, 20_000];

  test.each(['utf8mb4', 'utf8mb3', 'latin1', 'gbk', 'utf16'])(
    'in %s of every length is written as it decodes',
    (name) => {
      const columns = [bound('id', 'int'), inCharset(bound('body', 'text'), name)];
      const sample = { utf16: Buffer.from([0x20, 0xac]), gbk: Buffer.from([0xd6, 0xd0]), latin1: Buffer.from([0x80]) };
      const foreign = sample[name as keyof typeof sample] ?? Buffer.from('é€');
      for (const length of LENGTHS) {
        const ascii = Buffer.from('The quick brown fox jumps'.repeat(900).slice(0, length));
        const plain = name === 'utf16' ? Buffer.from(ascii.toString(), 'utf16le').swap16() : ascii;
        for (const text of [plain, Buffer.concat([plain, foreign]), Buffer.concat([foreign, plain])]) {
          expect(wrongRows(batchOf(images([int(length), long(text)]), { columns }))).toEqual([]);
        }
      }
    },
  );

  test.each([
    ['utf8mb4', 'a lone continuation byte', '61 80 62'],
    ['utf8mb4', 'an overlong slash', 'c0 af'],
    ['utf8mb4', 'three bytes, overlong', 'e0 80 80'],
    ['utf8mb4', 'a surrogate', 'ed a0 80'],
    ['utf8mb4', 'four bytes, overlong', 'f0 80 80 80'],
    ['utf8mb4', 'above U+10FFFF', 'f4 90 80 80'],
    ['utf8mb4', 'a sequence that is cut short', '61 e2 82'],
    ['utf8mb4', 'a wrong third byte', 'e2 82 41'],
    ['utf8mb3', 'four bytes', 'f0 9f 98 80'],
    ['gbk', 'half a character', '81'],
  ])('that is not %s (%s) is refused, with the error that reading it has', (name, _what, hex) => {
    const bad = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    const columns = [bound('id', 'int'), inCharset(bound('body', 'text'), name)];
    for (const text of [
      bad,
      Buffer.concat([Buffer.alloc(60, 0x61), bad]),
      Buffer.concat([Buffer.alloc(400, 0x61), bad]),
    ]) {
      const batch = batchOf(images([int(1), long(text)]), { columns });
      const error = failure(batch);
      expect(error).toMatchObject({ code: 'TEXT_UNDECODABLE', details: { table: 'shop.things' } });
      expect(() => batch.rows()).toThrow((error as Error).message);
    }
  });

  test('in more columns than are copied in place', () => {
    const columns = [bound('id', 'int'), ...Array.from({ length: 40 }, (_, i) => bound(`c${i}`, 'varchar'))];
    const values = columns.slice(1).map((_, i) => varchar('x'.repeat(i * 2)));
    const rows = Buffer.concat([Buffer.alloc(6), int(1), ...values]);
    expect(wrongRows(batchOf(rows, { columns }))).toEqual([]);
  });
});

describe('the hash of the key', () => {
  test('counts the values in the order of the key, which need not be that of the columns', () => {
    const batch = batchOf(images([int(7), varchar('Ab c')]), { columns: idAndName, key: [1, 0] });
    expect(written(batch)[0]?.hash).toBe(keyHash(batch.table, ['AB C', 7]));
    expect(wrongRows(batch)).toEqual([]);
  });

  test('of an update is that of the image after, as far as it holds the key, and else of the one before', () => {
    const layout = { before: [true, true], after: [false, true] };
    const rows = Buffer.concat([images([int(7), varchar('old')]), images([varchar('new')])]);
    const batch = batchOf(rows, { columns: idAndName, key: [0, 1], layout });
    expect(written(batch)[0]).toMatchObject({
      hash: keyHash(batch.table, [7, 'new']),
      moved: { oldHash: keyHash(batch.table, [7, 'old']), beforeBytes: 5 },
    });
  });

  test('is there when the key is not among the columns that were asked for', () => {
    const [id, name] = idAndName as [BoundColumn, BoundColumn];
    const batch = batchOf(images([int(7), varchar('x')]), { columns: [{ ...id, selected: false }, name] });
    expect(batch.shape.after).toEqual([1]);
    expect(written(batch)[0]?.hash).toBe(keyHash(batch.table, [7]));
    expect(decodedRow(batch.shape, written(batch)[0] as RowBuffer['written'][0], 'text')).toEqual({
      before: null,
      after: { name: 'x' },
    });
  });

  test('is that of the table when the table has none, or a part of it was not logged, or nothing at all was', () => {
    const row = images([int(7), varchar('x')]);
    const keyless = batchOf(row, { columns: idAndName, key: [] });
    expect(written(keyless)[0]?.hash).toBe(tableHash(keyless.table));
    const partly = batchOf(images([varchar('x')]), {
      columns: idAndName,
      key: [0, 1],
      layout: { after: [false, true] },
    });
    expect(written(partly)[0]?.hash).toBe(tableHash(partly.table));
    const nothing = batchOf(Buffer.alloc(0), { columns: idAndName, layout: { after: [false, false] } });
    expect(written(nothing)).toMatchObject([{ hash: tableHash(nothing.table), moved: null }]);
    expect(wrongRows(nothing)).toEqual([]);
  });
});

describe('an update', () => {
  const layout = { before: BOTH, after: BOTH };

  test('says so when its key moved, also to one of the same hash', () => {
    const rows = [['a', 'b'], ['a', 'A'], ['same', 'same'], ['ab', 'a b']] as const; // prettier-ignore
    const batch = batchOf(
      Buffer.concat(rows.map(([from, to]) => images([int(1), varchar(from)], [int(2), varchar(to)]))),
      { columns: idAndName, key: [1], layout },
    );
    expect(wrongRows(batch)).toEqual([]);
    const all = written(batch);
    expect(all.map(({ moved }) => moved !== null)).toEqual([true, true, false, true]);
    expect(all[1]?.moved?.oldHash).toBe(all[1]?.hash);
    expect(all.map(({ moved }) => moved?.beforeBytes ?? null)).toEqual([3, 3, null, 4]);
  });
});

describe('room', () => {
  /** Hands out room in pieces, and remembers what was asked for. */
  class Pieces extends RowBuffer {
    readonly asked: number[] = [];

    override room(size: number): void {
      this.asked.push(size);
      super.room(size);
    }
  }

  test('is asked for row by row, however long the event is', () => {
    const columns = [bound('id', 'int'), bound('body', 'text')];
    const row = images([int(1), long('x'.repeat(1000))]);
    const batch = batchOf(Buffer.concat(Array.from({ length: 500 }, () => row)), { columns });
    const target = new Pieces();
    batch.writeTo(target);
    expect(target.finish()).toHaveLength(500);
    expect(Math.max(...target.asked)).toBeLessThan(40_000);
    const single = new Pieces();
    batchOf(images([int(1), long(Buffer.alloc(3_000_000, 0x78))]), { columns }).writeTo(single);
    expect(single.asked).toHaveLength(1);
    expect(single.asked[0]).toBeLessThan(3_001_000);
  });

  test.each([
    ['a row', 'utf8mb4', 0x78, 90_000],
    ['a text that grows', 'latin1', 0xe9, 102_000],
  ])(
    'that the target does not have, for %s, is its error with the table in it; rows before stand',
    (_what, charset, byte, roomMax) => {
      const columns = [bound('id', 'int'), inCharset(bound('body', 'text'), charset)];
      const rows = images([int(1), long('small')], [int(2), long(Buffer.alloc(100_000, byte))]);
      const target = new RowBuffer({ roomMax });
      const error = failure(batchOf(Buffer.concat([rows, rows]), { columns }), target);
      expect(error).toBeInstanceOf(TidingsError);
      expect(error).toMatchObject({
        code: 'ROW_TOO_LARGE',
        message: expect.stringContaining('shop.things'),
        details: { table: 'shop.things' },
      });
      expect(target.finish()).toHaveLength(1);
    },
  );

  test('is left as it was by a row that fails: the rows before it stand', () => {
    const rows = images([int(1), varchar('good')], [int(2), varchar(Buffer.from([0xff]))], [int(3), varchar('never')]);
    const target = new RowBuffer();
    const error = failure(batchOf(rows, { columns: idAndName }), target);
    expect(error).toMatchObject({ code: 'TEXT_UNDECODABLE' });
    expect(target.finish()).toHaveLength(1);
  });
});

test('a column in which the TABLE_MAP has room for NULL is nullable in the shape, whatever the definition says', () => {
  const name = bound('name', 'varchar', { nullable: true });
  const columns = [bound('id', 'int'), { ...name, column: { ...name.column, nullable: false } }];
  const batch = batchOf(Buffer.concat([Buffer.from([0b10]), int(1), images([int(2), varchar('x')])]), { columns });
  expect(batch.shape.table.columns.map(({ nullable }) => nullable)).toEqual([false, true]);
  expect(wrongRows(batch)).toEqual([]);
});
