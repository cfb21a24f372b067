import { expect, test } from 'vitest';
import { jsonLiteral } from './json-literal.ts';

const quoted = (text: string): string => `'${text}'`;

test('a document without DECIMAL values is passed on as text', () => {
  for (const text of [
    '{"a": [1, -2.5, 1e300, true, null, "1.10"]}',
    '18446744073709551615',
    '-0.0',
    '"12.340"',
    '0.1',
    '{}',
  ]) {
    expect(jsonLiteral(text, quoted)).toBe(`'${text}'`);
  }
});

test('numbers that would lose digits as doubles are built as DECIMAL, wherever they stand', () => {
  expect(jsonLiteral('12.340', quoted)).toBe('CAST(CAST(12.340 AS DECIMAL(5,3)) AS JSON)');
  expect(jsonLiteral('18446744073709551616', quoted)).toBe('CAST(CAST(18446744073709551616 AS DECIMAL(20,0)) AS JSON)');
  expect(jsonLiteral('{"a\\"b": [1, {"c": -0.10}], "d": "x"}', quoted)).toBe(
    `JSON_OBJECT('a"b',JSON_ARRAY(CAST('1' AS JSON),JSON_OBJECT('c',CAST(CAST(-0.10 AS DECIMAL(3,2)) AS JSON))),'d',CAST('"x"' AS JSON))`,
  );
});
