import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GrowingRowTarget, viewOf } from '../../../test/support/row-target.ts';
import type { Row, Value } from '../../core/change.ts';
import type { StreamChange } from '../../core/consumer.ts';
import { plainRowBatch } from '../../core/plain-rows.ts';
import { ROW_HEADER_BYTES } from '../../core/rows/row-target.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import { compilePredicate } from '../../formats/log/row-predicate.ts';
import { parseWhere } from '../../formats/log/where-parser.ts';
import { type ColumnSketch, tableOf } from '../../testing/tables.ts';
import { conditionExpression } from '../condition.ts';
import { compileExpression } from './compile.ts';
import { parseExpression } from './parser.ts';
import { typeText } from './value-type.ts';

const TABLE = tableOf(
  'shop.orders',
  {
    id: { type: 'int', nullable: false },
    big: { type: 'bigint', unsigned: true },
    price: { type: 'decimal', length: 10, scale: 2 },
    rate: { type: 'decimal', length: 6, scale: 4 },
    ratio: 'double',
    name: { type: 'varchar', length: 20 },
    kind: { type: 'enum', members: ['a', 'bb'] },
    body: { type: 'text', length: 65_535 },
    raw: { type: 'varbinary', length: 20, charset: 'binary' },
    day: 'date',
    at: { type: 'datetime', length: 3 },
    stamp: { type: 'timestamp', length: 6 },
    took: { type: 'time', length: 0 },
    doc: 'json',
    point: 'geometry',
  },
  ['id'],
);

const ROW: Row = {
  id: 7,
  big: 18_446_744_073_709_551_615n,
  price: '9.90',
  rate: '0.1250',
  ratio: 0.5,
  name: 'Ann 🚲',
  kind: 'bb',
  body: 'some text',
  raw: Buffer.from([0, 255]),
  day: '2026-11-20',
  at: '2026-11-20 09:15:02.500',
  stamp: '2026-11-20T09:15:02.123456Z',
  took: '-01:30:00',
  doc: '{"a": {"b": [10, 12345678901234567890.10]}, "s": "x\\"y", "n": null}',
  point: Buffer.from([1]),
};

const CHANGE = { kind: 'update', scn: 42, committedAtUs: 1_763_630_102_123_456 } as StreamChange;

function value(text: string, row: Row = ROW): Value | undefined {
  return compileExpression(parseExpression(text), { table: TABLE }).evaluate(row, CHANGE);
}

function typeOf(text: string): string {
  const { type } = compileExpression(parseExpression(text), { table: TABLE });
  return type === null ? 'NULL' : typeText(type);
}

function mistake(text: string): string {
  try {
    compileExpression(parseExpression(text), { table: TABLE });
  } catch (error) {
    return (error as Error).message;
  }
  return 'no mistake';
}

function faultOf(text: string, row: Row = ROW): string {
  try {
    value(text, row);
  } catch (error) {
    return (error as Error).message;
  }
  return 'no fault';
}

describe('an expression', () => {
  test.each<[expression: string, value: Value, type: string]>([
    ['id + 1', 8, 'BIGINT'],
    ['price * 3', '29.70', 'DECIMAL(11,2)'],
    ['price * rate', '1.237500', 'DECIMAL(16,6)'],
    ['price - 10', '-0.10', 'DECIMAL(11,2)'],
    ['10 / 4', '2.5000', 'DECIMAL(6,4)'],
    ['2 / 3', '0.6667', 'DECIMAL(5,4)'],
    ['-2 / 3', '-0.6667', 'DECIMAL(5,4)'],
    ['-(price)', '-9.90', 'DECIMAL(10,2)'],
    ['ratio * 3', 1.5, 'DOUBLE'],
    ['ratio + price', 10.4, 'DOUBLE'],
    ['1 + 2 * 3 - 4', 3, 'BIGINT'],
    ['(1 + 2) * 3', 9, 'BIGINT'],
    ['cast(big * big as decimal(40,0))', '340282366920938463426481119284349108225', 'DECIMAL(40,0)'],
    ['round(price * rate, 2)', '1.24', 'DECIMAL(13,2)'],
    ['round(-2.5)', -3, 'BIGINT'],
    ['floor(-2.5)', -3, 'BIGINT'],
    ['ceil(-2.5)', -2, 'BIGINT'],
    ['abs(-2.50)', '2.50', 'DECIMAL(3,2)'],
    ['abs(id - 10)', 3, 'BIGINT'],
    ['abs(id)', 7, 'BIGINT'],
    ['abs(big)', 18_446_744_073_709_551_615n, 'BIGINT UNSIGNED'],
    ['mod(-7, 3)', -1, 'BIGINT'],
    ['mod(7.5, 2)', '1.5', 'DECIMAL(3,1)'],
    ['mod(id, 0.4)', '0.2', 'DECIMAL(21,1)'],
    ['floor(big)', 18_446_744_073_709_551_615n, 'BIGINT UNSIGNED'],
    ["round(cast('12345678901234567890.5' as decimal(21,1)))", '12345678901234567891', 'DECIMAL(21,0)'],
    ["cast('9999999999' as decimal(20,0)) * big", '184467440718648772076290448385', 'DECIMAL(40,0)'],
    ["concat(name, '/', id, '/', price, '/', day)", 'Ann 🚲/7/9.90/2026-11-20', 'VARCHAR(57)'],
    ['upper(name)', 'ANN 🚲', 'VARCHAR(60)'],
    ['lower(name)', 'ann 🚲', 'VARCHAR(60)'],
    ["trim('  a ')", 'a', 'VARCHAR(4)'],
    ['length(name)', 5, 'BIGINT'],
    ['length(raw)', 2, 'BIGINT'],
    ['substring(name, 5, 1)', '🚲', 'VARCHAR(20)'],
    ['substring(name, -1)', '🚲', 'VARCHAR(20)'],
    ['substring(name, 0)', '', 'VARCHAR(20)'],
    ["replace(name, 'n', 'mm')", 'Ammmm 🚲', 'TEXT'],
    ["replace(name, 'A', '$&')", '$&nn 🚲', 'TEXT'],
    ["lpad(id, 3, '0')", '007', 'VARCHAR(3)'],
    ["lpad('12345', 3, '0')", '123', 'VARCHAR(3)'],
    ['hex(raw)', '00ff', 'VARCHAR(40)'],
    ['base64(raw)', 'AP8=', 'VARCHAR(28)'],
    ["uuid(x'00112233445566778899aabbccddeeff')", '00112233-4455-6677-8899-aabbccddeeff', 'CHAR(36)'],
    ["sha256('abc')", 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', 'CHAR(64)'],
    ["coalesce(null, name, 'x')", 'Ann 🚲', 'VARCHAR(20)'],
    ['coalesce(price, 0)', '9.90', 'DECIMAL(10,2)'],
    ['coalesce(null, 0, price)', '0.00', 'DECIMAL(10,2)'],
    ['coalesce(id, 0)', 7, 'INT'],
    ['coalesce(ratio, 0)', 0.5, 'DOUBLE'],
    ['coalesce(day, null)', '2026-11-20', 'DATE'],
    ["nullif(name, 'Ann 🚲')", null, 'VARCHAR(20)'],
    ["if(id > 5, 'many', 'few')", 'many', 'VARCHAR(4)'],
    ["case kind when 'a' then 1 when 'bb' then 2 end", 2, 'BIGINT'],
    ["case when id < 5 then 'a' when price > 9 then 'b' else 'c' end", 'b', 'VARCHAR(1)'],
    ["case when id < 5 then 'a' end", null, 'VARCHAR(1)'],
    ['year(at)', 2026, 'BIGINT'],
    ['month(day)', 11, 'BIGINT'],
    ['hour(stamp)', 9, 'BIGINT'],
    ['hour(day)', 0, 'BIGINT'],
    ['date(at)', '2026-11-20', 'DATE'],
    ["date_format(at, '%Y.%m-%d %H:%i:%s %%')", '2026.11-20 09:15:02 %', 'VARCHAR(40)'],
    ["date_format(day, '%Y%m%d%H')", '2026112000', 'VARCHAR(16)'],
    ['epoch_us(stamp)', 1_795_166_102_123_456, 'BIGINT'],
    ['from_epoch(1763630102)', '2025-11-20T09:15:02Z', 'TIMESTAMP'],
    ['from_epoch(-0.5)', '1969-12-31T23:59:59.5Z', 'TIMESTAMP(1)'],
    ["json_value(doc, 'a.b[1]')", '12345678901234567890.10', 'TEXT'],
    ["json_value(doc, '$.s')", 'x"y', 'TEXT'],
    ["json_value(doc, 'n')", null, 'TEXT'],
    ["json_value(doc, 'a.c')", null, 'TEXT'],
    ["json_get(doc, 'a.b')", '[10, 12345678901234567890.10]', 'JSON'],
    ["json_get(doc, 'n')", 'null', 'JSON'],
    ['database()', 'shop', 'VARCHAR(64)'],
    ['table()', 'orders', 'VARCHAR(64)'],
    ['scn()', 42, 'BIGINT'],
    ['op()', 'update', 'VARCHAR(6)'],
    ['committed_at()', '2025-11-20T09:15:02.123456Z', 'TIMESTAMP(6)'],
    ['id = 7 and price >= 9.9', 1, 'BOOLEAN'],
    ["name like 'Ann _' or id is null", 1, 'BOOLEAN'],
    ["id in (1, 7) and kind not in ('a')", 1, 'BOOLEAN'],
    ['7 < id', 0, 'BOOLEAN'],
    ['price between 9.90 and rate', 0, 'BOOLEAN'],
    ["at > '2026-11-20' and took < '00:00:00'", 1, 'BOOLEAN'],
    ['at = cast(stamp as datetime(6))', 0, 'BOOLEAN'],
    ["raw = x'00ff'", 1, 'BOOLEAN'],
    ['big > 18446744073709551614', 1, 'BOOLEAN'],
    ['ratio = 0.5', 1, 'BOOLEAN'],
    ['ratio < id', 1, 'BOOLEAN'],
    ['not true', 0, 'BOOLEAN'],
  ])('%s is %s, %s', (expression, expected, type) => {
    expect(value(expression)).toEqual(expected);
    expect(typeOf(expression)).toBe(type);
  });

  test.each([
    ['id + name', '"+" takes numbers, and "name" is VARCHAR(20), at character 4'],
    ['lowr(name)', 'there is no function "lowr", at character 1'],
    ['1 + nothing', 'shop.orders has no column "nothing", at character 5'],
    ['substring(name)', '"substring" takes 2 to 3 arguments, not 1, at character 1'],
    [
      'json_value(doc, name)',
      '"json_value" takes a string written out as argument 2, not "name", VARCHAR(20), at character 1',
    ],
    [
      "json_value(doc, 'a[')",
      '"json_value" takes a path such as \'a.b[0]\' as argument 2, not the literal, VARCHAR(2), at character 1',
    ],
    ['year(took)', '"year" takes a date as argument 1, not "took", TIME, at character 1'],
    ['round(ratio)', '"round" takes an integer or a DECIMAL as argument 1, not "ratio", DOUBLE, at character 1'],
    [
      "date_format(at, '%q')",
      '"date_format" takes a format of %Y, %m, %d, %H, %i, %s and %% as argument 2, not the literal, VARCHAR(2), at character 1',
    ],
    ["coalesce(id, 'x')", 'the values are INT and VARCHAR(1), at character 1'],
    ['coalesce(ratio, price)', 'the values are DOUBLE and DECIMAL(10,2), at character 1'],
    ['id and true', '"id" is INT, not a condition, at character 1'],
    ['id = null', 'nothing equals null, at character 4'],
    ["id = 'x'", '"id" is an INT column and cannot be compared with this string, at character 6'],
    ['day = at', '"day" is DATE and "at" is DATETIME(3): they cannot be compared, at character 5'],
    ["kind > 'a' and doc = 'x'", '"doc" is JSON, whose values cannot be compared, at character 20'],
    ["id like '7'", '"id" is INT, not text, at character 4'],
    ['cast(day as int)', '"day" is DATE, which is never INT, at character 1'],
    ["id + cast('x' as int)", 'the text is no INT, at character 11'],
    ['concat(raw)', '"concat" takes text as argument 1, not "raw", VARBINARY(20), at character 1'],
    ['1.000000000000000000000000000001 * 0.1', 'the product has more than 30 digits behind the point, at character 34'],
  ])('%s is a mistake that names the place', (expression, message) => {
    expect(mistake(expression)).toBe(message);
  });

  test.each([
    ['id / 0', 'division by zero'],
    ['mod(id, 0)', 'division by zero'],
    ['ratio / 0', 'division by zero'],
    ['big * big', 'the result is beyond a BIGINT: cast it to a DECIMAL'],
    ['ratio * 1e308 * 1e10', 'the result is beyond a DOUBLE'],
    ['ratio + big', 'the number is not exact as a DOUBLE'],
    ['uuid(raw)', 'a UUID has 16 bytes'],
    ["json_value('{', 'a')", 'the text is no JSON document'],
    ['epoch_us(cast(day as timestamp))', 'a zero date is no point in time'],
    ['from_epoch(big)', 'the seconds are beyond the years 1 to 9999'],
  ])('%s has no exact value, and says so without telling the value', (expression, message) => {
    expect(faultOf(expression, { ...ROW, day: '0000-00-00' })).toBe(message);
  });

  test('NULL makes NULL of everything but what asks for it', () => {
    const row: Row = { ...ROW, name: null, id: 1, price: null };
    for (const text of [
      'concat(name, id)',
      'upper(name)',
      'price + 1',
      'price / 0',
      'length(name)',
      "name = 'a'",
      "name like 'a'",
      '-price',
    ]) {
      expect([text, value(text, row)]).toEqual([text, null]);
    }
    expect(value('name is null', row)).toBe(1);
    expect(value("coalesce(name, 'x')", row)).toBe('x');
    expect(value("name = 'a' or id = 1", row)).toBe(1);
    expect(value("name = 'a' and id = 2", row)).toBe(0);
    expect(value("not (name = 'a')", row)).toBe(null);
    expect(value('id in (2, cast(price as int))', row)).toBe(null);
  });

  test('what was not logged makes everything unknown that depends on it, and nothing else', () => {
    const row: Row = { id: 1 };
    for (const text of [
      'concat(name, id)',
      'price + 1',
      'name is null',
      "name = 'a' and id = 1",
      "coalesce(name, 'x')",
      "if(name = 'a', 1, 2)",
    ]) {
      expect([text, value(text, row)]).toEqual([text, undefined]);
    }
    expect(value("name = 'a' or id = 1", row)).toBe(1);
    expect(value("name = 'a' and id = 2", row)).toBe(0);
    expect(value('coalesce(id, price)', row)).toBe('1.00');
    expect(value('concat(name, null)', row)).toBe(null);
  });

  test('is not deeper than it may be', () => {
    expect(() => parseExpression(`${'('.repeat(49)}1${')'.repeat(49)}`)).not.toThrow();
    for (const text of [
      `${'('.repeat(60)}1${')'.repeat(60)}`,
      `${'not '.repeat(60)}true`,
      `${'-'.repeat(60)}id`,
      'x'.repeat(4097),
    ]) {
      expect(() => parseExpression(text)).toThrow(expect.objectContaining({ code: 'MAPPING_INVALID' }));
    }
  });

  test('reads a column by its name, whatever the name', () => {
    const names = ['constructor', '__proto__', 'toString', 'a b', '`', 'order', 'größe'];
    const table = tableOf('a.b', Object.fromEntries(names.map((name) => [name, 'int'])));
    // An object literal cannot have an own column called __proto__, a table can.
    const row = JSON.parse(JSON.stringify(Object.fromEntries(names.map((name, i) => [name, i])))) as Row;
    const odd: TableSchema = {
      ...table,
      columns: names.map((name) => ({ ...table.columns[0], name }) as TableSchema['columns'][number]),
    };
    for (const [i, name] of names.entries()) {
      const quoted = `\`${name.replaceAll('`', '``')}\``;
      const { evaluate } = compileExpression(parseExpression(quoted), { table: odd });
      expect(evaluate(name === '__proto__' ? (JSON.parse('{"__proto__": 1}') as Row) : row, CHANGE)).toBe(i);
      expect(evaluate({}, CHANGE)).toBe(undefined);
    }
  });
});

describe('arithmetic on integers and decimals', () => {
  interface Exact {
    readonly text: string;
    /** The value times 10^30. */
    readonly units: bigint;
  }
  const UNIT = 10n ** 30n;
  const leaf: fc.Arbitrary<Exact> = fc
    .record({ value: fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), scale: fc.integer({ min: 0, max: 4 }) })
    .map(({ value: unscaled, scale }) => {
      const sign = unscaled < 0n ? '-' : '';
      const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
      const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
      return { text: `(${sign}${text})`, units: unscaled * 10n ** BigInt(30 - scale) };
    });
  const { tree } = fc.letrec<{ tree: Exact; node: Exact }>((tie) => ({
    tree: fc.oneof({ maxDepth: 2, withCrossShrink: true }, leaf, tie('node')),
    node: fc
      .record({ left: tie('tree'), right: tie('tree'), sign: fc.constantFrom('+', '-', '*') })
      .map(({ left, right, sign }) => {
        const units =
          sign === '+'
            ? left.units + right.units
            : sign === '-'
              ? left.units - right.units
              : (left.units * right.units) / UNIT;
        return { text: `(${left.text} ${sign} ${right.text})`, units };
      }),
  }));

  test('is exact, however large the numbers', () => {
    fc.assert(
      fc.property(tree, ({ text, units }) => {
        const result = value(`cast(${text} as decimal(65,16))`, ROW);
        const [whole = '', fraction = ''] = String(result).split('.');
        expect(BigInt(whole + fraction.padEnd(30, '0'))).toBe(units);
      }),
      { numRuns: 2000 },
    );
  });

  test('division rounds half away from zero', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
        fc.bigInt({ min: -1000n, max: 1000n }),
        (a, b) => {
          fc.pre(b !== 0n);
          const result = String(value(`cast(${a} as decimal(30,0)) / (${b})`));
          const scaled = BigInt(result.replace('.', ''));
          const error = a * 10_000n - scaled * b;
          const half = (b < 0n ? -b : b) / 2n;
          expect(error <= half && error >= -half).toBe(true);
          if (error * 2n === b || error * 2n === -b) expect(scaled < 0n).toBe(a * b < 0n);
        },
      ),
    );
  });
});

describe('a condition', () => {
  const COLUMNS: Readonly<Record<string, ColumnSketch>> = {
    i: 'int',
    u: { type: 'bigint', unsigned: true },
    d: { type: 'decimal', length: 12, scale: 3 },
    f: 'float',
    x: 'double',
    s: { type: 'varchar', length: 20 },
    e: { type: 'enum', members: ['a', 'b', ''] },
    b: 'varbinary',
    day: 'date',
    at: { type: 'datetime', length: 2 },
    stamp: { type: 'timestamp', length: 0 },
    took: { type: 'time', length: 1 },
    id: 'uuid',
    doc: 'json',
  };
  const table = tableOf('a.t', COLUMNS);
  const text = fc.string({ unit: fc.constantFrom('a', 'A', '%', '_', 'é', '🚲', '\uff5e', ' ', "'"), maxLength: 4 });
  const quoted = (raw: string): string => `'${raw.replaceAll("'", "''")}'`;
  const numbers = fc.constantFrom(
    '0',
    '1',
    '-1',
    '1.5',
    '2.000',
    '+3',
    '1e2',
    '-0.001',
    '18446744073709551615',
    '9007199254740993',
    '.5',
    '1e30',
  );
  const days = fc.constantFrom('2026-11-20', '2026-11-21', '0000-00-00', '2026-00-10');
  const times = fc.constantFrom('09:15:02', '00:00:00', '23:59:59');
  const values: Readonly<Record<string, fc.Arbitrary<Value>>> = {
    i: fc.integer({ min: -3, max: 100 }),
    u: fc.constantFrom<Value>(0, 1, 9_007_199_254_740_993n, 18_446_744_073_709_551_615n),
    d: fc.constantFrom('0.000', '1.500', '-0.001', '100.000', '999999999.999'),
    f: fc.constantFrom(0, 1.5, 0.1, -1),
    x: fc.constantFrom(0, 1.5, 0.1, 1e30, 100),
    s: text,
    e: fc.constantFrom('a', 'b', ''),
    b: fc.uint8Array({ max: 2, maxLength: 2 }),
    day: days,
    at: fc.tuple(days, times).map(([day, time]) => `${day} ${time}.50`),
    stamp: fc.tuple(days, times).map(([day, time]) => `${day}T${time}Z`),
    took: fc.constantFrom('-01:30:00.0', '00:00:00.5', '838:59:59.0'),
    id: fc.constantFrom('00112233-4455-6677-8899-aabbccddeeff', '00000000-0000-0000-0000-000000000000'),
    doc: fc.constantFrom('{}', 'null'),
  };
  const literals: Readonly<Record<string, fc.Arbitrary<string>>> = {
    ...Object.fromEntries(['i', 'u', 'd', 'f', 'x'].map((name) => [name, numbers])),
    s: text.map(quoted),
    e: fc.constantFrom("'a'", "'b'", "''"),
    b: fc.constantFrom("x''", "x'01'", "x'0100'"),
    day: days.map(quoted),
    at: fc
      .tuple(days, times, fc.constantFrom('', '.5'))
      .map(([day, time, fraction]) => quoted(`${day} ${time}${fraction}`)),
    stamp: fc.tuple(days, times).map(([day, time]) => quoted(`${day} ${time}Z`)),
    took: fc.constantFrom("'-01:30'", "'00:00:00.5'", "'100:00:00'"),
    id: fc.constantFrom("'00112233-4455-6677-8899-AABBCCDDEEFF'"),
  };
  const signs = (name: string): readonly string[] => (name === 'id' ? ['=', '<>'] : ['=', '<>', '<', '<=', '>', '>=']);
  const check = fc.constantFrom(...Object.keys(COLUMNS)).chain((name) => {
    const isNull = fc.constantFrom(`${name} is null`, `${name} is not null`);
    const literal = literals[name];
    if (literal === undefined) return isNull;
    const comparison = fc
      .tuple(fc.constantFrom(...signs(name)), literal)
      .map(([sign, right]) => `${name} ${sign} ${right}`);
    const within = fc.array(literal, { minLength: 1, maxLength: 3 }).map((list) => `${name} in (${list.join(', ')})`);
    const like = ['s', 'e', 'day', 'took', 'id'].includes(name)
      ? [text.map((pattern) => `${name} like ${quoted(pattern)}`)]
      : [];
    return fc.oneof(isNull, comparison, within, ...like);
  });
  const { condition } = fc.letrec<{ condition: string; both: string; inverse: string }>((tie) => ({
    condition: fc.oneof({ maxDepth: 3 }, check, tie('both'), tie('inverse')),
    both: fc
      .tuple(tie('condition'), fc.constantFrom('and', 'or'), tie('condition'))
      .map(([a, word, b]) => `(${a} ${word} ${b})`),
    inverse: tie('condition').map((inner) => `not (${inner})`),
  }));
  const rows = fc.record(
    Object.fromEntries(Object.entries(values).map(([name, any]) => [name, fc.option(any, { freq: 4 })])),
  ) as fc.Arbitrary<Row>;

  test('on a row passes exactly when it passes in the stream', () => {
    fc.assert(
      fc.property(condition, rows, (where, row) => {
        const parsed = parseWhere(where);
        const { evaluate } = compileExpression(conditionExpression(parsed), { table });
        const batch = plainRowBatch({ kind: 'insert', table, rows: [row] });
        const target = new GrowingRowTarget();
        batch.writeTo(target);
        const bytes = target.written();
        const passes = compilePredicate(batch.shape, [parsed])(bytes, viewOf(bytes), ROW_HEADER_BYTES, bytes.length);
        expect(evaluate(row, CHANGE) === 1).toBe(passes);
      }),
      { numRuns: 5000 },
    );
  });
});
