import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GrowingRowTarget } from '../../../test/support/row-target.ts';
import type { Row, Value } from '../../core/change.ts';
import { plainRowBatch, type PlainRows } from '../../core/plain-rows.ts';
import { MOVED_ROW_HEADER_BYTES, ROW_HEADER_BYTES } from '../../core/rows/row-target.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import { type ColumnSketch, tableOf } from '../../testing/tables.ts';
import { compilePredicate } from './row-predicate.ts';
import { parseWhere } from './where-parser.ts';
import { checkCondition } from './where-values.ts';

/** For each of the rows: whether it passes. */
function passing(plain: PlainRows, condition: string): boolean[] {
  const batch = plainRowBatch(plain);
  const target = new GrowingRowTarget();
  batch.writeTo(target);
  const bytes = target.written();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const matches = compilePredicate(batch.shape, [parseWhere(condition)]);
  const answers: boolean[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = view.getInt32(at, true);
    const from = at + (length < 0 ? MOVED_ROW_HEADER_BYTES : ROW_HEADER_BYTES);
    at = from + (length & 0x7fff_ffff);
    answers.push(matches(bytes, view, from, at));
  }
  return answers;
}

function passes(sketch: ColumnSketch, value: Value, condition: string): boolean {
  const table = tableOf('a.b', { id: 'int', v: sketch }, ['id']);
  checkCondition(parseWhere(condition), table);
  return passing({ kind: 'insert', table, rows: [{ id: 1, v: value }] }, condition)[0] === true;
}

describe('as an SQL engine has it', () => {
  const table = tableOf('a.b', { id: 'int', i: 'int', big: 'bigint', d: 'double', s: 'varchar', bin: 'varbinary' }, [
    'id',
  ]);
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', 'A', '%', '_', '\\', 'é', '🚲', '\uff5e', ' ', '"'),
    maxLength: 5,
  });
  const integer = fc.integer({ min: -3, max: 3 });
  const big = fc.constantFrom(
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 53n - 1n,
    2n ** 62n + 1n,
    -(2n ** 63n),
    2n ** 63n - 1n,
    5n,
  );
  const double = fc.constantFrom(0, -0.5, 1, 1.5, 1e20, 0.1, -3);
  const bytes = fc.uint8Array({ max: 3, maxLength: 3 });
  const quoted = (value: string): string => `'${value.replaceAll("'", "''")}'`;
  const hex = (value: Uint8Array): string => `x'${Buffer.from(value).toString('hex')}'`;

  const number = fc.oneof(
    integer.map(String),
    fc.constantFrom(
      '0.5',
      '-0.5',
      '1.5',
      '.1',
      '2.',
      '9007199254740993',
      '-9223372036854775808',
      '1e20',
      'true',
      'FALSE',
      '1.0',
    ),
  );
  const sign = fc.constantFrom('=', '<>', '!=', '<', '<=', '>', '>=');
  const not = fc.constantFrom('', 'not ', 'NOT ');

  interface Both {
    readonly ours: string;
    readonly theirs: string;
  }
  const same = (condition: string): Both => ({ ours: condition, theirs: condition });
  const literalTests = (column: string, literal: fc.Arbitrary<string>): fc.Arbitrary<Both> =>
    fc.oneof(
      fc.tuple(sign, literal).map(([one, value]) => same(`${column} ${one} ${value}`)),
      fc
        .tuple(not, fc.array(literal, { minLength: 1, maxLength: 4 }))
        .map(([one, values]) => same(`${column} ${one}in (${values.join(', ')})`)),
      fc.tuple(not, literal, literal).map(([one, low, high]) => same(`${column} ${one}between ${low} and ${high}`)),
      not.map((one) => same(`${column} is ${one}null`)),
    );
  const like = fc
    .tuple(not, text)
    .map(([one, pattern]): [string, string] => [one, pattern])
    // What a lone backslash does differs between engines.
    .filter(([, pattern]) => !/\\(?![%_\\])/u.test(pattern.replaceAll('\\\\', '')))
    .map(([one, pattern]): Both => ({
      ours: `s ${one}like ${quoted(pattern)}`,
      theirs: `s ${one}like ${quoted(pattern)} escape '\\'`,
    }));
  const leaf = fc.oneof(
    literalTests('i', number),
    literalTests('big', number),
    literalTests('`d`', number),
    literalTests('s', text.map(quoted)),
    literalTests('bin', bytes.map(hex)),
    like,
  );
  const { condition } = fc.letrec<{ condition: Both }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc
        .tuple(tie('condition'), fc.constantFrom('and', 'or', 'AND', '\nOR\t'), tie('condition'))
        .map(([a, one, b]) => ({ ours: `${a.ours} ${one} ${b.ours}`, theirs: `${a.theirs} ${one} ${b.theirs}` })),
      tie('condition').map((a) => ({ ours: `not ${a.ours}`, theirs: `not ${a.theirs}` })),
      tie('condition').map((a) => ({ ours: `(${a.ours})`, theirs: `(${a.theirs})` })),
    ),
  }));
  const rows = fc.array(
    fc.record({
      i: fc.option(integer),
      big: fc.option(big),
      d: fc.option(double),
      s: fc.option(text),
      bin: fc.option(bytes),
    }),
    { minLength: 1, maxLength: 12 },
  );

  test('rows pass for which the engine says true, NULLs, precedence and big numbers included', () => {
    const engine = new DatabaseSync(':memory:');
    engine.exec(
      'PRAGMA case_sensitive_like = ON; CREATE TABLE b (id INTEGER PRIMARY KEY, i INTEGER, big INTEGER, d REAL, s TEXT, bin BLOB)',
    );
    const insert = engine.prepare('INSERT INTO b VALUES (?, ?, ?, ?, ?, ?)');
    const clear = engine.prepare('DELETE FROM b');
    try {
      fc.assert(
        fc.property(rows, condition, (values, { ours, theirs }) => {
          clear.run();
          const numbered = values.map((row, id): Row => ({
            id,
            ...row,
            big: row.big === null ? null : asValue(row.big),
          }));
          for (const [id, { i, big: bigValue, d, s, bin }] of values.entries()) insert.run(id, i, bigValue, d, s, bin);
          const found = engine.prepare(`SELECT id FROM b WHERE ${theirs} ORDER BY id`).all();
          const answers = passing({ kind: 'insert', table, rows: numbered }, ours);
          const own = answers.flatMap((one, id) => (one ? [id] : []));
          expect({ ours, ids: own }).toEqual({ ours, ids: found.map(({ id }) => id) });
        }),
        { numRuns: 400 },
      );
    } finally {
      engine.close();
    }
  });
});

function asValue(value: bigint): Value {
  return BigInt.asIntN(54, value) === value &&
    value <= BigInt(Number.MAX_SAFE_INTEGER) &&
    value >= BigInt(Number.MIN_SAFE_INTEGER)
    ? Number(value)
    : value;
}

describe('values compare', () => {
  const decimal: ColumnSketch = { type: 'decimal', length: 30, scale: 10 };
  const unsigned: ColumnSketch = { type: 'bigint', unsigned: true };
  const members: ColumnSketch = { type: 'enum', members: ['new', 'paid'] };
  test.each<[string, ColumnSketch, Value, string, boolean]>([
    [
      'DECIMAL with all its digits',
      decimal,
      '12345678901234567890.1234567890',
      'v = 12345678901234567890.123456789',
      true,
    ],
    [
      'DECIMAL with all its digits',
      decimal,
      '12345678901234567890.1234567890',
      'v < 12345678901234567890.1234567891',
      true,
    ],
    ['DECIMAL by value, not by text', decimal, '9.90', 'v < 10', true],
    ['DECIMAL below zero', decimal, '-9.90', 'v > -10 and v < -9.8', true],
    ['DECIMAL zero without a sign', decimal, '-0.00', 'v = 0', true],
    ['DECIMAL with exponents', decimal, '1500.00', 'v = 1.5e3 and v <> 15E-1', true],
    ['BIGINT UNSIGNED to its end', unsigned, 18_446_744_073_709_551_615n, 'v = 18446744073709551615', true],
    ['BIGINT UNSIGNED to its end', unsigned, 18_446_744_073_709_551_614n, 'v >= 18446744073709551614.5', false],
    ['BIGINT beyond 2^53', 'bigint', 9_007_199_254_740_993n, 'v > 9007199254740992.5 and v < 9007199254740993.5', true],
    [
      'BIGINT below -2^53',
      'bigint',
      -9_007_199_254_740_993n,
      'v < -9007199254740992.5 and v = -9007199254740993',
      true,
    ],
    ['BIGINT UNSIGNED when it is small', unsigned, 7, 'v in (5, 7)', true],
    ['BIT(64) as a number', { type: 'bit', length: 64 }, 2n ** 63n, 'v > 9223372036854775807', true],
    ['BIT(1) with true', { type: 'bit', length: 1 }, 1, 'v = true', true],
    ['FLOAT as it is shown', 'float', 0.1, 'v = 0.1', true],
    ['DOUBLE as it is', 'double', 0.1, 'v = 0.1 and v < 0.10000000000000002', true],
    ['ENUM as text', members, 'paid', "v = 'paid' and v > 'new'", true],
    ['SET as text', { type: 'set', members: ['a', 'b'] }, 'a,b', "v like '%b%' and v <> 'a'", true],
    ['text with case and accents', 'varchar', 'É', "v = 'é' or v = 'E'", false],
    ['text by code points', 'varchar', '🚲', "v > '\uffee'", true],
    ['DATE in time', 'date', '2026-11-20', "v between '2026-11-01' and '2026-11-30'", true],
    ['DATE with zeros', 'date', '0000-00-00', "v < '1000-01-01' and v = '0000-00-00'", true],
    ['DATE by its text', 'date', '2026-11-20', "v like '2026-11-%'", true],
    ['DATETIME with a date', 'datetime', '2026-11-20 00:00:00', "v = '2026-11-20' and v <= '2026-11-20'", true],
    [
      'DATETIME with fewer digits',
      { type: 'datetime', length: 6 },
      '2026-11-20 09:15:02.500000',
      "v = '2026-11-20T09:15:02.5'",
      true,
    ],
    [
      'DATETIME with more digits',
      { type: 'datetime', length: 1 },
      '2026-11-20 09:15:02.5',
      "v < '2026-11-20 09:15:02.501'",
      true,
    ],
    [
      'TIMESTAMP with its Z',
      'timestamp',
      '2026-11-20T09:15:02Z',
      "v = '2026-11-20T09:15:02Z' and v < '2026-11-20 09:15:02.1'",
      true,
    ],
    ['TIMESTAMP without it', 'timestamp', '2026-11-20T09:15:02.120Z', "v = '2026-11-20 09:15:02.12'", true],
    ['TIME beyond a day', 'time', '100:00:00', "v > '99:59:59'", true],
    ['TIME below zero', 'time', '-01:30:00.500000', "v < '-01:30:00' and v > '-01:30:01' and v = '-1:30:00.5'", true],
    ['TIME as minutes', 'time', '09:15:00', "v = '09:15'", true],
    [
      'UUID in either case',
      'uuid',
      '0016d3cc-2fa1-11d2-883f-0016d3ccf427',
      "v = '0016D3CC-2FA1-11D2-883F-0016D3CCF427'",
      true,
    ],
    [
      'UUID without its hyphens',
      'uuid',
      '0016d3cc-2fa1-11d2-883f-0016d3ccf427',
      "v in ('0016d3cc2fa111d2883f0016d3ccf427')",
      true,
    ],
    ['INET6 however it is written', 'inet6', 'fe80::a0:1', "v = 'FE80:0::00A0:1' and not v <> 'fe80::0.160.0.1'", true],
    ['INET4 as text', 'inet4', '10.0.0.1', "v in ('10.0.0.1') and v like '10.%'", true],
    ['BINARY by its bytes', 'binary', Uint8Array.of(0, 255), "v = x'00FF' and v > x'00'", true],
    ['JSON as NULL or not', 'json', '{"a": 1}', 'v is not null', true],
    ['VECTOR as NULL or not', 'vector', Float32Array.of(1, 2), 'v is null', false],
  ])('%s', (_, sketch, value, condition, answer) => {
    expect(passes(sketch, value, condition)).toBe(answer);
    expect(passes(sketch, value, `not (${condition})`)).toBe(!answer);
    // The same in a column that cannot be NULL, whose bytes differ.
    const given = typeof sketch === 'string' ? { type: sketch } : sketch;
    expect(passes({ ...given, nullable: false }, value, condition)).toBe(answer);
    if (!condition.includes('null')) expect(passes(sketch, null, condition)).toBe(false);
    if (!condition.includes('null')) expect(passes(sketch, null, `not (${condition})`)).toBe(false);
  });

  test('names in backticks may be anything', () => {
    const table = tableOf('a.b', { 'a`b': 'int', and: 'int', größe: 'int' }, ['and']);
    expect(
      passing(
        { kind: 'insert', table, rows: [{ 'a`b': 1, and: 2, größe: 3 }] },
        '`a``b` = 1 and `and` = 2 and größe = 3',
      ),
    ).toEqual([true]);
  });
});

describe('a change with two images', () => {
  const table: TableSchema = tableOf('a.b', { id: 'int', status: 'varchar', note: 'varchar' }, ['id']);
  const update = (before: Row, after: Row, condition: string): boolean | undefined =>
    passing({ kind: 'update', table, rows: [{ before, after }] }, condition)[0];

  test('passes when either satisfies the condition, so that a row is seen to leave', () => {
    const [open, closed] = [
      { id: 1, status: 'open', note: null },
      { id: 1, status: 'closed', note: null },
    ];
    expect(update(open, closed, "status = 'open'")).toBe(true);
    expect(update(closed, open, "status = 'open'")).toBe(true);
    expect(update(closed, closed, "status = 'open'")).toBe(false);
    // One image must satisfy all of it.
    expect(
      update(
        { id: 1, status: 'open', note: 'a' },
        { id: 1, status: 'closed', note: 'b' },
        "status = 'open' and note = 'b'",
      ),
    ).toBe(false);
  });

  test('takes what the image after does not hold from the image before', () => {
    expect(update({ id: 1, status: 'open', note: 'x' }, { note: 'y' }, "status = 'open' and note = 'y'")).toBe(true);
    expect(update({ id: 1, status: 'shut', note: 'x' }, { note: 'y' }, "status = 'open'")).toBe(false);
  });

  test('passes when a column that decides was not logged', () => {
    expect(update({ id: 1 }, { note: 'y' }, "status = 'open'")).toBe(true);
    expect(update({ id: 1 }, { note: 'y' }, "not status = 'open'")).toBe(true);
    expect(update({ id: 1 }, { note: 'y' }, 'status is null')).toBe(true);
    expect(update({ id: 1 }, { note: 'y' }, 'status is not null or id = 2')).toBe(true);
    expect(update({ id: 1 }, { note: 'y' }, "status = 'open' and id = 2")).toBe(false);
    expect(update({ id: 1 }, { id: 1, note: null }, "status = 'open' or note = 'y' and id = 1")).toBe(true);
    // Of the image before, the note is not known.
    expect(update({ id: 1 }, { note: 'y' }, "note = 'z'")).toBe(true);
    expect(passing({ kind: 'delete', table, rows: [{ id: 1 }] }, "gone = 'z'")).toEqual([true]);
  });

  test('a condition that does not go with this version’s type lets the row pass', () => {
    expect(passing({ kind: 'insert', table, rows: [{ id: 1, status: 'x', note: null }] }, 'status > 5')).toEqual([
      true,
    ]);
  });
});

describe('a condition that cannot be', () => {
  test.each([
    ['', /expected the name of a column, found the end, at character 1 /],
    ['a', /expected a comparison: .*, found the end, at character 2 /],
    ['a = ', /expected a value, found the end, at character 5 /],
    ['a = b', /a column stands where a value is expected, at character 5 /],
    ['1 = a', /expected the name of a column, found a number, at character 1 /],
    ['a = 1 b', /expected "and", "or" or the end, found "b", at character 7 /],
    ['a = null', /nothing equals null, at character 5 /],
    ['a is 5', /expected "null", found a number, at character 6 /],
    ['a not = 5', /expected "in", "like" or "between", found "=", at character 7 /],
    ['a in ()', /expected a value, found "\)", at character 7 /],
    ['a in 5', /expected "\(", found a number/],
    ['a between 1 or 2', /expected "and" and the upper bound, found "or"/],
    ['(a = 1', /expected "\)", found the end/],
    ['a = "x"', /""" is not understood, at character 5 /],
    ["a = 'x", /"'" is not understood, at character 5 /],
    ["a = x'abc'", /a column stands where a value is expected/],
    ['a.b = 1', /"\." is not understood, at character 2 /],
    ['a = 1;', /";" is not understood/],
    ['and = 1', /expected the name of a column, found "and"/],
    ['a = 1e999', /a number is out of range/],
  ])('%s: is refused with the place', (condition, message) => {
    const table = tableOf('a.b', { a: 'int' });
    expect(() => checkCondition(parseWhere(condition), table)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }),
    );
  });

  test.each<[ColumnSketch, string, RegExp, RegExp]>([
    ['int', "v = '5'", /"v" is an INT column and cannot be compared with this string, at character 5 /, /a number/],
    ['varchar', 'v = 5', /"v" is a VARCHAR column and cannot be compared with this number/, /a string/],
    ['date', "v = '2026-13-01'", /a DATE column/, /'2026-11-20'/],
    ['date', "v = '2026-11-20 10:00:00'", /a DATE column/, /a date/],
    ['datetime', "v = '2026-11-20T09:15:02Z'", /a DATETIME column/, /with or without time/],
    ['timestamp', "v > 'yesterday'", /a TIMESTAMP column/, /in UTC/],
    ['time', "v > '25 hours'", /a TIME column/, /-01:30/],
    ['blob', "v = 'abc'", /a BLOB column/, /x'00ff'/],
    ['json', "v like '%a%'", /a JSON column, whose values cannot be compared/, /is null/],
    ['geometry', "v = x'00'", /a GEOMETRY column, whose values cannot be compared/, /is null/],
    ['set', "v > 'a'", /a SET column, whose values have no order/, /like/],
    ['inet6', "v = '10.0.0.1'", /an INET6 column/, /an address/],
    ['inet4', "v in ('::1')", /an INET4 column/, /an address/],
    ['uuid', "v = 'none'", /a UUID column/, /a UUID/],
    ['inet6', "v between 'a' and 'b'", /an INET6 column, whose values have no order/, /like/],
    ['int', "v like '5%'", /an INT column, not text/, /./],
    ['varchar', 'v like 5', /"like" takes a string, at character 8 /, /./],
    ['int', "not (id = 1 or (v in (1, 'a')))", /at character 26 /, /a number/],
  ])('%o: %s is refused with the place', (sketch, condition, message, hint) => {
    expect(() => passes(sketch, null, condition)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(message),
        hint: expect.stringMatching(hint),
      }),
    );
  });

  test('never shows the values that it compares with', () => {
    const table = tableOf('a.b', { v: 'int' });
    for (const condition of ["v = 'secret'", "v = 1 'secret'", "'secret' = v", "v in ('secret' v)"]) {
      expect(() => checkCondition(parseWhere(condition), table)).not.toThrow(/secret/u);
      expect(() => checkCondition(parseWhere(condition), table)).toThrow(/at character/u);
    }
  });

  test('is refused when it is too long, too deep, or has too long a list', () => {
    const refused = expect.objectContaining({ code: 'CONFIG_INVALID' });
    expect(() => parseWhere(`a = '${'é'.repeat(2050)}'`)).toThrow(refused);
    expect(() => parseWhere(`${'('.repeat(60)}a = 1${')'.repeat(60)}`)).toThrow(refused);
    expect(() => parseWhere(`${'not '.repeat(60)}a = 1`)).toThrow(refused);
    expect(() => parseWhere(`a in (${Array(1001).fill('1').join(',')})`)).toThrow(refused);
    expect(parseWhere(`a in (${Array(1000).fill('1').join(',')})`).kind).toBe('in');
    expect(parseWhere(`${'('.repeat(49)}a = 1${')'.repeat(49)}`).kind).toBe('compare');
  });
});

test('no pattern of LIKE and no text take long together', () => {
  const text = 'a'.repeat(200_000);
  for (const pattern of [
    '%a%a%a%a%a%b',
    `${'%a'.repeat(1000)}%b`,
    `%${'_'.repeat(900)}b%`,
    `%${'a_'.repeat(500)}b%`,
    `%${'a'.repeat(1500)}b%`,
  ]) {
    const begun = performance.now();
    expect(passes('text', text, `v like '${pattern}'`)).toBe(false);
    expect(performance.now() - begun).toBeLessThan(2000);
  }
});
