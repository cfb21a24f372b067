import { describe, expect, test } from 'vitest';
import { column } from '../../../../../test/support/changes.ts';
import type { Row, Value } from '../../../../core/change.ts';
import type { Column } from '../../../../core/table-schema.ts';
import { charsetByName } from '../../charset/charset.ts';
import { COLUMN_TYPE } from '../column-types.ts';
import type { WireColumn } from '../table-map-event.ts';
import type { BoundColumn } from './bound-column.ts';
import type { ImageLayout } from './image-walk.ts';
import { compileKeys, compileRows } from './row-decoder.ts';
import { forgetWindow } from './text-window.ts';

function bound(definition: Column, wire: Partial<WireColumn> & Pick<WireColumn, 'type'>, selected = true): BoundColumn {
  const charset = definition.charset === null ? null : charsetByName(definition.charset, 'mariadb');
  return { column: definition, wire: { size: 0, scale: 0, nullable: true, ...wire }, charset, selected };
}

function all(columns: readonly BoundColumn[]): boolean[] {
  return columns.map(() => true);
}

/** Bytes between others, as an event lies between its neighbours. */
function framed(hex: string): { bytes: Buffer; view: DataView; range: { start: number; end: number } } {
  const body = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const bytes = Buffer.concat([Buffer.from('eeeeee', 'hex'), body, Buffer.alloc(16, 0xee)]);
  forgetWindow(3 + body.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes, view, range: { start: 3, end: 3 + body.length } };
}

interface Rows {
  readonly before: Row[];
  readonly after: Row[];
}

function decode(columns: readonly BoundColumn[], hex: string, layout: Partial<ImageLayout> = {}): Rows {
  const output: Rows = { before: [], after: [] };
  const full = { before: null, after: all(columns), partial: false, ...layout };
  const { bytes, view, range } = framed(hex);
  compileRows({ columns, layout: full, json: 'text' })(bytes, view, range, output);
  return output;
}

/** The value of one column of an inserted row. */
function value(
  definition: Column,
  wire: Partial<WireColumn> & Pick<WireColumn, 'type'>,
  hex: string,
): Value | undefined {
  return decode([bound(definition, wire)], `00 ${hex}`).after[0]?.[definition.name];
}

const T = COLUMN_TYPE;
const unsigned = { unsigned: true };
const utf8 = { charset: 'utf8mb4' };
const members = { charset: 'utf8mb4', members: ['a', 'b,c', 'd'] };

describe('one value', () => {
  test.each<[name: string, Column, Partial<WireColumn> & Pick<WireColumn, 'type'>, hex: string, Value]>([
    ['TINYINT', column('v', 'tinyint'), { type: T.TINY }, '80', -128],
    ['TINYINT UNSIGNED', column('v', 'tinyint', unsigned), { type: T.TINY }, 'ff', 255],
    ['SMALLINT', column('v', 'smallint'), { type: T.SHORT }, '0080', -32_768],
    ['SMALLINT UNSIGNED', column('v', 'smallint', unsigned), { type: T.SHORT }, 'ffff', 65_535],
    ['MEDIUMINT', column('v', 'mediumint'), { type: T.INT24 }, '000080', -8_388_608],
    ['MEDIUMINT UNSIGNED', column('v', 'mediumint', unsigned), { type: T.INT24 }, 'ffffff', 16_777_215],
    ['INT', column('v', 'int'), { type: T.LONG }, '00000080', -2_147_483_648],
    ['INT UNSIGNED', column('v', 'int', unsigned), { type: T.LONG }, 'ffffffff', 4_294_967_295],
    ['BIGINT 2^53 - 1', column('v', 'bigint'), { type: T.LONGLONG }, 'ffffffffffff1f00', Number.MAX_SAFE_INTEGER],
    ['BIGINT 2^53', column('v', 'bigint'), { type: T.LONGLONG }, '0000000000002000', 2n ** 53n],
    ['BIGINT -(2^53 - 1)', column('v', 'bigint'), { type: T.LONGLONG }, '010000000000e0ff', Number.MIN_SAFE_INTEGER],
    ['BIGINT -2^53', column('v', 'bigint'), { type: T.LONGLONG }, '000000000000e0ff', -(2n ** 53n)],
    ['BIGINT, the least', column('v', 'bigint'), { type: T.LONGLONG }, '0000000000000080', -(2n ** 63n)],
    [
      'BIGINT UNSIGNED, the most',
      column('v', 'bigint', unsigned),
      { type: T.LONGLONG },
      'ffffffffffffffff',
      2n ** 64n - 1n,
    ],
    ['FLOAT', column('v', 'float'), { type: T.FLOAT, size: 4 }, 'cdcccc3d', 0.1],
    ['DOUBLE', column('v', 'double'), { type: T.DOUBLE, size: 8 }, '000000000000f8bf', -1.5],
    ['YEAR', column('v', 'year'), { type: T.YEAR }, '7e', 2026],
    ['YEAR 0000', column('v', 'year'), { type: T.YEAR }, '00', 0],
    ['BIT(9)', column('v', 'bit'), { type: T.BIT, size: 9 }, '0101', 257],
    ['DECIMAL(10,2)', column('v', 'decimal'), { type: T.NEWDECIMAL, size: 10, scale: 2 }, '80000009 5a', '9.90'],
    [
      'DECIMAL(10,2) negative',
      column('v', 'decimal'),
      { type: T.NEWDECIMAL, size: 10, scale: 2 },
      '7fffffff cd',
      '-0.50',
    ],
    [
      'DECIMAL(18,9)',
      column('v', 'decimal'),
      { type: T.NEWDECIMAL, size: 18, scale: 9 },
      'bb9ac9ff 3b9ac9ff',
      '999999999.999999999',
    ],
    [
      'DECIMAL(18,9) negative',
      column('v', 'decimal'),
      { type: T.NEWDECIMAL, size: 18, scale: 9 },
      '44653600 c4653600',
      '-999999999.999999999',
    ],
    [
      'DECIMAL(20,0)',
      column('v', 'decimal'),
      { type: T.NEWDECIMAL, size: 20, scale: 0 },
      '81 00000000 00000001',
      '1000000000000000001',
    ],
    ['DATE', column('v', 'date'), { type: T.DATE }, '74d50f', '2026-11-20'],
    ['DATETIME(0)', column('v', 'datetime'), { type: T.DATETIME2, size: 0 }, '99bb6893c2', '2026-11-20 09:15:02'],
    [
      'DATETIME(3)',
      column('v', 'datetime', { length: 3 }),
      { type: T.DATETIME2, size: 3 },
      '99bb6893c2 04ce',
      '2026-11-20 09:15:02.123',
    ],
    ['TIME(2) negative', column('v', 'time', { length: 2 }), { type: T.TIME2, size: 2 }, '7fffff ff', '-00:00:00.01'],
    [
      'TIMESTAMP(6)',
      column('v', 'timestamp', { length: 6 }),
      { type: T.TIMESTAMP2, size: 6 },
      '6b000f96 01e240',
      '2026-11-20T09:15:02.123456Z',
    ],
    ['TIMESTAMP zero', column('v', 'timestamp'), { type: T.TIMESTAMP2, size: 0 }, '00000000', '0000-00-00T00:00:00Z'],
    // Before 5.6, and MariaDB with mysql56_temporal_format=OFF: little-endian decimal numbers; with digits big-endian counts.
    ['TIME before 5.6', column('v', 'time'), { type: T.TIME }, '01f6ff', '-00:25:59'],
    ['DATETIME before 5.6', column('v', 'datetime'), { type: T.DATETIME }, '6ea5dd686d120000', '2026-11-20 09:15:02'],
    ['TIMESTAMP before 5.6', column('v', 'timestamp'), { type: T.TIMESTAMP }, '960f006b', '2026-11-20T09:15:02Z'],
    ["MariaDB's TIME(1)", column('v', 'time', { length: 1 }), { type: T.TIME }, '01cce065', '00:00:00.5'],
    [
      "MariaDB's TIMESTAMP(2)",
      column('v', 'timestamp', { length: 2 }),
      { type: T.TIMESTAMP },
      '6b000f96 07',
      '2026-11-20T09:15:02.07Z',
    ],
    ['CHAR(3)', column('v', 'char', utf8), { type: T.STRING, size: 12 }, '02 c3a4', 'ä'],
    [
      'CHAR(64), whose length takes two bytes',
      column('v', 'char', utf8),
      { type: T.STRING, size: 256 },
      '0200 6162',
      'ab',
    ],
    [
      'VARCHAR(255) in one byte a character',
      column('v', 'varchar', { charset: 'latin1' }),
      { type: T.VARCHAR, size: 255 },
      '01 e4',
      'ä',
    ],
    [
      'VARCHAR(256) in one byte a character',
      column('v', 'varchar', { charset: 'latin1' }),
      { type: T.VARCHAR, size: 256 },
      '0100 e4',
      'ä',
    ],
    [
      'VARCHAR in utf16',
      column('v', 'varchar', { charset: 'utf16' }),
      { type: T.VARCHAR, size: 40 },
      '04 00410042',
      'AB',
    ],
    ['TINYTEXT', column('v', 'text', utf8), { type: T.BLOB, size: 1 }, '01 61', 'a'],
    ['TEXT', column('v', 'text', utf8), { type: T.BLOB, size: 2 }, '0100 61', 'a'],
    ['MEDIUMTEXT', column('v', 'text', utf8), { type: T.BLOB, size: 3 }, '010000 61', 'a'],
    ['LONGTEXT', column('v', 'text', utf8), { type: T.BLOB, size: 4 }, '01000000 61', 'a'],
    ['BINARY(4)', column('v', 'binary'), { type: T.STRING, size: 4 }, '02 0102', Uint8Array.of(1, 2, 0, 0)],
    ['VARBINARY', column('v', 'varbinary'), { type: T.VARCHAR, size: 4 }, '02 0102', Uint8Array.of(1, 2)],
    ['BLOB', column('v', 'blob'), { type: T.BLOB, size: 2 }, '0200 0102', Uint8Array.of(1, 2)],
    ['GEOMETRY', column('v', 'geometry'), { type: T.GEOMETRY, size: 4 }, '02000000 0102', Uint8Array.of(1, 2)],
    ['ENUM', column('v', 'enum', members), { type: T.ENUM, size: 1 }, '02', 'b,c'],
    ['ENUM in two bytes', column('v', 'enum', members), { type: T.ENUM, size: 2 }, '0300', 'd'],
    ['SET', column('v', 'set', members), { type: T.SET, size: 1 }, '05', 'a,d'],
    ['JSON', column('v', 'json'), { type: T.JSON, size: 4 }, '02000000 0401', 'true'],
    ['VECTOR', column('v', 'vector'), { type: T.VECTOR, size: 4 }, '04000000 0000803f', Float32Array.of(1)],
    [
      'UUID, its last zero bytes dropped',
      column('v', 'uuid'),
      { type: T.STRING, size: 16 },
      '01 12',
      '12000000-0000-0000-0000-000000000000',
    ],
    ['INET4', column('v', 'inet4'), { type: T.STRING, size: 4 }, '04 c0000201', '192.0.2.1'],
    [
      'VARCHAR COMPRESSED, stored as it is',
      column('v', 'varchar', utf8),
      { type: T.VARCHAR_COMPRESSED, size: 41 },
      '03 00 c3a4',
      'ä',
    ],
    ['BLOB COMPRESSED, empty', column('v', 'blob'), { type: T.BLOB_COMPRESSED, size: 2 }, '0000', new Uint8Array(0)],
  ])('%s', (_name, definition, wire, hex, expected) => {
    expect(value(definition, wire, hex)).toStrictEqual(expected);
    // Nobody asks for it: its bytes are passed over, and no more than these.
    const columns = [bound(definition, wire, false), bound(column('next', 'tinyint'), { type: T.TINY })];
    expect(decode(columns, `00 ${hex} 2a`).after).toStrictEqual([{ next: 42 }]);
  });
});

const id = bound(column('id', 'int'), { type: T.LONG, nullable: false });
const name = bound(column('name', 'varchar', utf8), { type: T.VARCHAR, size: 80 });
const small = bound(column('small', 'tinyint'), { type: T.TINY });

describe('a row', () => {
  test('has NULL where its bitmap says so, and no bytes for it', () => {
    // 00000010: the second is NULL
    expect(decode([id, name, small], '02 07000000 01').after).toEqual([{ id: 7, name: null, small: 1 }]);
  });

  test('has a bitmap of as many bytes as its columns need', () => {
    const columns = Array.from({ length: 17 }, (_, i) => bound(column(`c${i}`, 'tinyint'), { type: T.TINY }));
    const row = decode(columns, 'ffff 00 2a').after[0]; // sixteen NULLs, one value
    expect(Object.keys(row ?? {})).toHaveLength(17);
    expect(row?.['c16']).toBe(42);
    expect(row?.['c15']).toBeNull();
  });

  test('with NULL where the TABLE_MAP says NOT NULL is corrupt', () => {
    expect(() => decode([id, name], '01 00')).toThrow(expect.objectContaining({ code: 'BINLOG_CORRUPT' }) as Error);
  });

  test('lacks the columns that are not logged; the bitmap counts only those that are', () => {
    const { before, after } = decode([id, name, small], '00 07000000  01', {
      before: [true, false, false],
      after: [false, true, false],
    });
    expect(before).toEqual([{ id: 7 }]);
    expect(after).toEqual([{ name: null }]);
  });

  test('of which nothing is logged is one row, empty', () => {
    expect(decode([id], '', { after: [false] }).after).toEqual([{}]);
    expect(() => decode([id], '00', { after: [false] })).toThrow(
      expect.objectContaining({ code: 'BINLOG_CORRUPT' }) as Error,
    );
  });

  test('lacks the columns that nobody asked for', () => {
    const columns = [id, { ...name, selected: false }, small];
    expect(decode(columns, '00 07000000 0161 05').after).toEqual([{ id: 7, small: 5 }]);
  });

  test.each(['__proto__', 'constructor', 'a"b', "it's", 'a`b', 'back\\slash', '${x}', '\u2028', ''])(
    'has a column called %j as an ordinary property',
    (odd) => {
      const row = decode([bound(column(odd, 'tinyint'), { type: T.TINY })], '00 01').after[0] ?? {};
      expect(Object.keys(row)).toEqual([odd]);
      expect(Object.getOwnPropertyDescriptor(row, odd)?.value).toBe(1);
    },
  );

  test('follows a row, until the event ends', () => {
    expect(decode([id, small], '00 01000000 0a  02 02000000  00 03000000 0c').after).toEqual([
      { id: 1, small: 10 },
      { id: 2, small: null },
      { id: 3, small: 12 },
    ]);
  });
});

describe('an event that ends inside a row', () => {
  const columns = [id, name, small, bound(column('text', 'text', utf8), { type: T.BLOB, size: 4 })];
  const row = '00 07000000 0161 05 02000000 6162'.replaceAll(' ', '');

  test.each([true, false])(
    'is refused wherever it ends, also at the very end of the buffer (columns wanted: %s)',
    (selected) => {
      const wanted = columns.map((each) => ({ ...each, selected }));
      const decoder = compileRows({
        columns: wanted,
        layout: { before: null, after: all(columns), partial: false },
        json: 'text',
      });
      for (let length = 1; length < row.length / 2; length++) {
        for (const padding of [0, 3, 100]) {
          const bytes = Buffer.concat([Buffer.from(row, 'hex').subarray(0, length), Buffer.alloc(padding, 1)]);
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
          forgetWindow(length);
          const output: Rows = { before: [], after: [] };
          let thrown: unknown = null;
          try {
            decoder(bytes, view, { start: 0, end: length }, output);
          } catch (error) {
            thrown = error;
          }
          // RangeError: the view refused to read behind the buffer. Who calls the decoder makes a TidingsError of it.
          expect(
            thrown instanceof RangeError || (thrown as { code?: string } | null)?.code === 'BINLOG_TRUNCATED',
          ).toBe(true);
          expect(output.after).toEqual([]);
        }
      }
    },
  );
});

describe('keys', () => {
  const keys = (columns: readonly BoundColumn[], key: readonly number[], layout: ImageLayout, hex: string): unknown => {
    const decoder = compileKeys({ columns, layout, json: 'text', key });
    if (decoder === null) return null;
    const output: (Value | readonly Value[])[] = [];
    const { bytes, view, range } = framed(hex);
    decoder(bytes, view, range, output);
    return output;
  };
  const columns = [small, id, name];
  const full = all(columns);

  test('are bare values of one column, tuples in key order of several', () => {
    const insert = { before: null, after: full, partial: false };
    expect(keys(columns, [1], insert, '00 05 07000000 0161')).toEqual([7]);
    expect(keys(columns, [2, 0], insert, '00 05 07000000 0161')).toEqual([['a', 5]]);
  });

  test('come from the after image, and from the before image where that lacks them', () => {
    const update = { before: full, after: [true, false, false], partial: false };
    expect(keys(columns, [0, 1], update, '00 05 07000000 0161  00 06')).toEqual([[6, 7]]);
  });

  test('are not known when no image has them', () => {
    expect(keys(columns, [1], { before: null, after: [true, false, true], partial: false }, '00 05 0161')).toBeNull();
  });

  test('do not depend on which columns are wanted', () => {
    const unwanted = columns.map((each) => ({ ...each, selected: false }));
    expect(keys(unwanted, [1], { before: null, after: full, partial: false }, '00 05 07000000 0161')).toEqual([7]);
  });
});
