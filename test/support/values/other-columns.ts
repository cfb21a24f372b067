import { type ColumnType, type ServerFacts, ascii, fromHex, hexed, plain, utf8 } from './column-spec.ts';
import type { Dice } from './dice.ts';
import { randomText, textLiteral } from './texts.ts';

function jsonDocument(dice: Dice, depth: number): unknown {
  const kind = dice.between(0, depth > 2 ? 5 : 8);
  if (kind === 0) return dice.pick([null, true, false]);
  if (kind === 1) return dice.between(-70_000, 70_000);
  if (kind === 2) return dice.pick([0.5, -1.25e-7, 1e300, 123_456_789_012]);
  if (kind <= 5) return randomText(dice, dice.pick([0, 1, 5, 130])).replaceAll('\u0000', '');
  if (kind <= 7) {
    return Object.fromEntries(
      dice.list(dice.between(0, 5), (i) => [randomText(dice, 2) + String(i), jsonDocument(dice, depth + 1)]),
    );
  }
  return dice.list(dice.between(0, 4), () => jsonDocument(dice, depth + 1));
}

/** MySQL's; MariaDB's is a LONGTEXT by another name. */
export function jsonColumn(): ColumnType {
  return {
    sql: 'JSON',
    value: (dice) => {
      if (dice.oneIn(6)) {
        return dice.pick([
          'JSON_ARRAY(18446744073709551615, -9223372036854775808, 1.50, 1e3)',
          "CAST(CAST('2026-11-20 09:15:02.123456' AS DATETIME(6)) AS JSON)",
          "JSON_OBJECT('d', CAST('12.340' AS DECIMAL(10,3)), 't', CAST('-10:00:00.5' AS TIME(1)), 'x', x'00ff')",
          "JSON_OBJECT('a', JSON_ARRAY(), 'b', JSON_OBJECT(), '', 1)",
        ]);
      }
      return `CAST(${textLiteral(JSON.stringify(jsonDocument(dice, 0)))} AS JSON)`;
    },
    // What PARTIAL_JSON logs as differences.
    change: (column, dice) => {
      const value = dice.pick([
        '1',
        "'x'",
        'NULL',
        'true',
        "JSON_ARRAY(1, 'two')",
        `CAST(${textLiteral(JSON.stringify(jsonDocument(dice, 2)))} AS JSON)`,
      ]);
      const path = dice.pick(["'$.added'", "'$[0]'", "'$[1]'", "'$.a'", "'$.b.c'", "'$[2].x'", "'$'"]);
      const call = dice.pick(['JSON_SET', 'JSON_REPLACE', 'JSON_SET']);
      const changed = `${call}(${column}, ${path}, ${value})`;
      return dice.oneIn(3)
        ? `JSON_REMOVE(${changed}, ${dice.pick(["'$.a'", "'$[0]'", "'$[1]'", "'$.added'"])})`
        : changed;
    },
    select: plain,
    expected: utf8,
    key: 'no',
    rowBytes: 12,
    blob: true,
  };
}

/** MariaDB's JSON: a LONGTEXT with a check. */
export function jsonAliasColumn(): ColumnType {
  return {
    sql: 'JSON',
    value: (dice) => textLiteral(JSON.stringify(jsonDocument(dice, 0))),
    select: plain,
    expected: utf8,
    key: 'no',
    rowBytes: 12,
    blob: true,
  };
}

const SHAPES: Readonly<Record<string, readonly string[]>> = {
  POINT: ['POINT(1 2)', 'POINT(-0.5 1e10)', 'POINT(0 0)'],
  LINESTRING: ['LINESTRING(0 0,1 1,2 3)'],
  POLYGON: ['POLYGON((0 0,10 0,10 10,0 10,0 0),(2 2,4 2,4 4,2 2))'],
  MULTIPOINT: ['MULTIPOINT(1 1,2 2)'],
  MULTILINESTRING: ['MULTILINESTRING((0 0,1 1),(2 2,3 3))'],
  MULTIPOLYGON: ['MULTIPOLYGON(((0 0,1 0,1 1,0 0)))'],
  GEOMETRYCOLLECTION: ['GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))'],
};

export function geometryColumn(dice: Dice): ColumnType {
  const name = dice.pick([...Object.keys(SHAPES), 'GEOMETRY', 'POINT']);
  const shapes = SHAPES[name] ?? Object.values(SHAPES).flat();
  return {
    sql: name,
    value: (dice) => `ST_GeomFromText('${dice.pick(shapes)}'${dice.oneIn(3) ? ', 3857' : ''})`,
    select: hexed,
    expected: fromHex,
    key: 'no',
    rowBytes: 12,
    blob: true,
    nullableOnly: true,
  };
}

export function vectorColumn(dice: Dice, { vectors }: ServerFacts): ColumnType {
  const most = dice.pick([1, 2, 3, 16, 64, 300]);
  return {
    sql: `VECTOR(${most})`,
    value: (dice) => {
      const count = vectors === 'whole' ? most : dice.pick([1, most, dice.between(1, most)]);
      const large = vectors === 'whole' ? -1e18 : -3.4e38;
      return `STRING_TO_VECTOR('[${dice.list(count, () => dice.pick([0, -0, 1.5, large, 0.1, dice.between(-1e6, 1e6) / 1e3])).join(',')}]')`;
    },
    select: hexed,
    expected: floats,
    key: 'no',
    rowBytes: 12,
    blob: true,
    nullableOnly: true,
  };
}

/** MariaDB takes so many elements as the column has, no more and no fewer, of which the sum of the squares is a finite float. */
export function mariadbVectorColumn(dice: Dice): ColumnType {
  const count = dice.pick([1, 2, 3, 16, 64, 300]);
  const elements = [0, '-0', 1.5, 1e18, 0.1];
  return {
    sql: `VECTOR(${count})`,
    value: (dice) =>
      `VEC_FromText('[${dice.list(count, () => dice.pick([...elements, dice.between(-1e6, 1e6) / 1e3])).join(',')}]')`,
    select: hexed,
    expected: floats,
    key: 'no',
    rowBytes: count * 4 + 2,
  };
}

function floats(raw: Buffer): Float32Array {
  const bytes = Buffer.from(raw.toString('latin1'), 'hex');
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
}

export function uuidColumn(): ColumnType {
  return {
    sql: 'UUID',
    value: (dice) => {
      const hex = dice.pick([
        '0'.repeat(32),
        'f'.repeat(32),
        dice.bytes(16).toString('hex'),
        dice.bytes(16).toString('hex'),
      ]);
      const version = dice.pick([
        hex,
        `${hex.slice(0, 12)}${dice.between(1, 8)}${hex.slice(13, 16)}${dice.pick(['8', 'b', '0', 'c'])}${hex.slice(17)}`,
      ]);
      const zeros = dice.oneIn(4) ? version.slice(0, 20) + '0'.repeat(12) : version;
      return `'${zeros.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')}'`;
    },
    select: plain,
    expected: ascii,
    key: 'whole',
    rowBytes: 16,
  };
}

export function inet4Column(): ColumnType {
  return {
    sql: 'INET4',
    value: (dice) =>
      `'${dice.pick(['0.0.0.0', '255.255.255.255', '10.0.0.0', '192.0.2.1', [...dice.bytes(4)].join('.')])}'`,
    select: plain,
    expected: ascii,
    key: 'whole',
    rowBytes: 4,
  };
}

const INET6 = [
  '::',
  '::1',
  '::ffff:192.0.2.1',
  '::ffff:0.0.0.0',
  '::192.0.2.1',
  '::0.0.1.0',
  '::1:0',
  '2001:db8::',
  '2001:db8::1',
  'fe80::1:0:0:1',
  '1:0:0:2:0:0:0:3',
  '1:0:0:2:0:0:3:4',
  '0:1::',
  '1::',
  '::ffff:0:0:0',
  '::fffe:1.2.3.4',
  '0:0:0:0:0:ffff:0:0',
];

export function inet6Column(): ColumnType {
  return {
    sql: 'INET6',
    value: (dice) => {
      const groups = dice.list(8, () => (dice.oneIn(2) ? '0' : dice.bytes(dice.between(1, 2)).toString('hex')));
      return `'${dice.pick([...INET6, groups.join(':'), groups.join(':'), groups.join(':'), groups.join(':')])}'`;
    },
    select: plain,
    expected: ascii,
    key: 'whole',
    rowBytes: 16,
  };
}
