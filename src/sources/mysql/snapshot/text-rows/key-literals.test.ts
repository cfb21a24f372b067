import { describe, expect, test } from 'vitest';
import { column, table } from '../../../../../test/support/changes.ts';
import { type ResultValue, textRows } from '../../../../../test/support/rows/text-result.ts';
import type { Value } from '../../../../core/change.ts';
import type { Column, ColumnType } from '../../../../core/table-schema.ts';
import { comparison } from './key-comparison.ts';
import { literalOfValue, type ServerKind } from './key-literals.ts';
import { TextRowViews } from './text-row-batch.ts';

const MYSQL: ServerKind = { flavour: 'mysql', version: 90_700 };
const MARIADB: ServerKind = { flavour: 'mariadb', version: 101_100 };

function keyLiteral(of: Column, value: ResultValue, { server = MYSQL, number = '' } = {}): string {
  const schema = table('shop.things', [of], { key: [0] });
  const views = new TextRowViews(schema, { selected: [true], json: 'text', server, keyColumns: [0] });
  const rows = textRows([[value, ...(number === '' ? [] : [number])]]);
  return views.keyLiterals(rows, 0)[0] ?? '';
}

/** Type, what a row has, the literal, what `keys()` has, the literal of that. */
const LITERALS: readonly [ColumnType, Partial<Column>, ResultValue, string, Value, string][] = [
  ['bigint', {}, '-9223372036854775808', '-9223372036854775808', -(2n ** 63n), '-9223372036854775808'],
  ['int', { unsigned: true }, '0000000042', '42', 42, '42'],
  ['year', {}, '0000', '0', 0, '0'],
  ['bit', { length: 10 }, Buffer.from([2, 1]), '513', 513, '513'],
  ['decimal', { length: 10, scale: 2 }, '-0.50', '-0.50', '-0.50', '-0.50'],
  ['decimal', { length: 10, scale: 2 }, '00012.50', '12.50', '12.50', '12.50'],
  ['float', {}, '0.10000000149011612', '0.10000000149011612e0', 0.1, '0.10000000149011612e0'],
  ['double', {}, '5e-324', '5e-324', 5e-324, '5e-324'],
  ['double', {}, '-1', '-1e0', -1, '-1e0'],
  ['date', {}, '2026-02-31', "'2026-02-31'", '2026-02-31', "'2026-02-31'"],
  ['time', { length: 1 }, '-838:59:59.0', "'-838:59:59.0'", '-838:59:59.0', "'-838:59:59.0'"],
  ['timestamp', { length: 2 }, '2026-11-20 09:15:02.12', "'2026-11-20 09:15:02.12'", '2026-11-20T09:15:02.12Z', "'2026-11-20 09:15:02.12'"], // prettier-ignore
  ['char', { charset: 'latin1' }, Buffer.from([0xf6, 0x27]), "_latin1 X'f627'", "ö'", "_utf8mb4 X'c3b627'"], // prettier-ignore
  ['varchar', { charset: 'utf8mb4' }, '', "_utf8mb4 X''", '', "_utf8mb4 X''"],
  ['binary', { length: 2 }, Buffer.from([1, 0]), "_binary X'0100'", new Uint8Array([1, 0]), "_binary X'0100'"],
  ['uuid', {}, '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b', "'0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b'", '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b', "'0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b'"], // prettier-ignore
  ['inet6', {}, '::ffff:1.2.3.4', "'::ffff:1.2.3.4'", '::ffff:1.2.3.4', "'::ffff:1.2.3.4'"],
];

test.each(LITERALS)('a key of type %s %o that comes as %o is %s', (type, properties, text, literal, value, of) => {
  const key = column('k', type, properties);
  expect(keyLiteral(key, text)).toBe(literal);
  expect(literalOfValue(key, value, MYSQL)).toBe(of);
});

describe('ENUM and SET', () => {
  const state = column('k', 'enum', { charset: 'utf8mb4', members: ['z', 'a'] });
  const tags = column('k', 'set', { charset: 'utf8mb4', members: ['z', 'a', 'é'] });

  test('are the numbers that come beside their text', () => {
    expect(keyLiteral(state, 'a', { number: '2' })).toBe('2');
    expect(keyLiteral(tags, 'z,a', { number: '3' })).toBe('3');
  });

  test('are their numbers from their text, the error value too, and text where the definition does not show it', () => {
    expect(['', 'z', 'a'].map((value) => literalOfValue(state, value, MYSQL))).toEqual(['0', '1', '2']);
    expect(['', 'z', 'z,é'].map((value) => literalOfValue(tags, value, MYSQL))).toEqual(['0', '1', '5']);
    expect(literalOfValue(state, 'y', MYSQL)).toBe("_utf8mb4 X'79'");
  });
});

test('utf8mb3 is called as the server calls it', () => {
  const key = column('k', 'varchar', { charset: 'utf8mb3' });
  expect(keyLiteral(key, 'a')).toBe("_utf8mb3 X'61'");
  expect(keyLiteral(key, 'a', { server: { flavour: 'mysql', version: 50_744 } })).toBe("_utf8 X'61'");
  expect(keyLiteral(key, 'a', { server: { flavour: 'mariadb', version: 100_500 } })).toBe("_utf8 X'61'");
  expect(keyLiteral(key, 'a', { server: MARIADB })).toBe("_utf8mb3 X'61'");
});

test('text that the character set lacks is nothing that a row can have', () => {
  expect(literalOfValue(column('k', 'varchar', { charset: 'latin1' }), '漢', MYSQL)).toBe('NULL');
  expect(literalOfValue(column('k', 'varchar', { charset: 'utf8mb3' }), '🚲', MYSQL)).toBe('NULL');
});

test.each<[ColumnType, Value]>([
  ['int', '1 OR 1=1'],
  ['int', 1.5],
  ['decimal', "1'"],
  ['date', "2026-01-01' OR '1"],
  ['timestamp', '2026-01-01'],
  ['uuid', "'"],
  ['double', Number.NaN],
  ['varchar', 5],
  ['binary', 'plain text'],
  ['binary', new Float32Array(1)],
  ['enum', 1],
  ['int', '5'],
  ['int', null],
  ['decimal', 1.5],
  ['date', '2026-1-1'],
  ['date', '----'],
  ['datetime', '2026-01-01'],
  ['time', '1:2:3'],
  ['timestamp', '2026-01-01 00:00:00'],
  ['uuid', '-'],
  ['inet4', '1.2.3'],
  ['inet6', 'x'],
])('a value that is no %s is refused: %o', (type, value) => {
  const key = column('k', type, { charset: 'utf8mb4', members: ['a'] });
  expect(() => literalOfValue(key, value, MYSQL)).toThrow(expect.objectContaining({ code: 'SNAPSHOT_KEYS_INVALID' }));
});

test('bytes may be base64 text, as JSON has them', () => {
  const key = column('k', 'varbinary', { length: 10 });
  expect(literalOfValue(key, '', MYSQL)).toBe("_binary X''");
  expect(literalOfValue(key, 'AP8=', MYSQL)).toBe("_binary X'00ff'");
  for (const wrong of ['AP8', 'AP8=\n', 'A P8=', '00ff"', "AP8='"]) {
    expect(() => literalOfValue(key, wrong, MYSQL)).toThrow(expect.objectContaining({ code: 'SNAPSHOT_KEYS_INVALID' }));
  }
});

test('an integer beyond every integer column is nothing that a row can have', () => {
  const key = column('k', 'bigint', { unsigned: true });
  expect(
    [2n ** 64n - 1n, 2n ** 64n, -(2n ** 63n), -(2n ** 63n) - 1n].map((value) => literalOfValue(key, value, MYSQL)),
  ).toEqual(['18446744073709551615', 'NULL', '-9223372036854775808', 'NULL']);
});

test('a double that is written as a long integer is that double', () => {
  expect(literalOfValue(column('k', 'double'), 123_456_789_012_345_680n, MYSQL)).toBe('123456789012345680e0');
});

test('a key with too many or too few values is refused', () => {
  const schema = table('shop.things', [column('a', 'int'), column('b', 'int')], { key: [0, 1] });
  const views = new TextRowViews(schema, { selected: [true, true], json: 'text', server: MYSQL, keyColumns: [0, 1] });
  expect(views.valueLiterals([1, 2])).toEqual(['1', '2']);
  for (const key of [1, [1], [1, 2, 3], []]) {
    expect(() => views.valueLiterals(key)).toThrow(expect.objectContaining({ code: 'SNAPSHOT_KEYS_INVALID' }));
  }
});

describe('a comparison', () => {
  const of = (
    type: ColumnType,
    members: readonly string[] | null,
    operator: '<' | '<=' | '=' | '>=' | '>',
    literal: string,
  ): string =>
    // prettier-ignore
    comparison({ type, members }, operator, { quoted: '`k`', literal });

  test('is just that for most types', () => {
    expect(of('bigint', null, '>=', '-5')).toBe('`k` >= -5');
    expect(of('varchar', null, '=', "_latin1 X'61'")).toBe("`k` = _latin1 X'61'");
  });

  test('of an ENUM names the numbers, the error value among them', () => {
    const members = ['a', 'b', 'c'];
    expect(of('enum', members, '>', '1')).toBe('`k` IN (2, 3)');
    expect(of('enum', members, '>=', '3')).toBe('`k` IN (3)');
    expect(of('enum', members, '<', '2')).toBe('`k` IN (0, 1)');
    expect(of('enum', members, '<=', '0')).toBe('`k` IN (0)');
    expect(of('enum', members, '>', '3')).toBe('FALSE');
    expect(of('enum', members, '<', '0')).toBe('FALSE');
    expect(of('enum', members, '=', '2')).toBe('`k` = 2');
  });

  test('of a SET converts one that is larger than a double', () => {
    const members = Array.from({ length: 64 }, (_, i) => `m${i}`);
    expect(of('set', members, '>', '18446744073709551614')).toBe('CAST(`k` AS UNSIGNED) > 18446744073709551614');
    expect(of('set', members.slice(0, 52), '>', '5')).toBe('`k` > 5');
  });

  test('of a FLOAT lets the index find a little more, and decides by the double', () => {
    expect(of('float', null, '>', '1e10')).toBe('(`k` >= 9999990000e0 AND `k` * 1e0 > 1e10)');
    expect(of('double', null, '<', '-1e0')).toBe('(`k` <= -0.999999e0 AND `k` * 1e0 < -1e0)');
    expect(of('double', null, '=', '0e0')).toBe('(`k` >= 0e0 AND `k` <= 0e0 AND `k` * 1e0 = 0e0)');
    expect(of('double', null, '>', '-1.7976931348623157e+308')).toContain('`k` >= -1.7976931348623157e+308');
  });
});
