import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exactJsonInteger, numberText, parseExactJson, parseJsonDigits } from './exact-json.ts';

test('integers keep all their digits, at any depth', () => {
  const text = '{"a":[18446744073709551615,-9223372036854775808,9007199254740991,[9007199254740993]]}';
  expect(parseExactJson(text)).toEqual({
    a: [18_446_744_073_709_551_615n, -9_223_372_036_854_775_808n, 9_007_199_254_740_991, [9_007_199_254_740_993n]],
  });
});

test('everything else is what JSON.parse makes of it', () => {
  for (const value of ['[0.1234567890123456789,1e400,12345678901234567.5]', '"9007199254740993"', '{"x":null}']) {
    expect(parseExactJson(value)).toEqual(JSON.parse(value));
  }
  fc.assert(
    fc.property(fc.json(), (text) => {
      const rounded = JSON.stringify(parseExactJson(text), (_key, value: unknown) =>
        typeof value === 'bigint' ? Number(value) : value,
      );
      expect(rounded).toBe(JSON.stringify(JSON.parse(text)));
    }),
  );
});

test('what is no JSON is refused, with many digits and without', () => {
  for (const text of ['', '[1', '[9007199254740993']) expect(() => parseExactJson(text)).toThrow(SyntaxError);
});

test('an integer that is written comes back as it was', () => {
  fc.assert(
    fc.property(fc.bigInt(), (value) => {
      const text = JSON.stringify([exactJsonInteger(value)]);
      expect(text).toBe(`[${value}]`);
      const [back] = parseExactJson(text) as [number | bigint];
      expect(BigInt(back)).toBe(value);
    }),
  );
});

test('a document that is only looked at keeps each number as it was written', () => {
  const text =
    '{"a":[18446744073709551615,-0,1.0,0.1234567890123456789,1e400,12.50,7],"b":{"c":"9007199254740993","d":null}}';
  const document = parseJsonDigits(text) as { readonly a: readonly unknown[] };
  expect(JSON.stringify(document)).toBe(text);
  expect(document.a.map(numberText).join()).toBe('18446744073709551615,-0,1.0,0.1234567890123456789,1e400,12.50,7');
  for (const value of ['7', null, true, [7], { rawJSON: '7' }, 7n]) expect(numberText(value)).toBeNull();
  expect(() => parseJsonDigits('{"a":1')).toThrow(SyntaxError);
});

test('a document of any values comes back as JSON.stringify writes it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      expect(JSON.stringify(parseJsonDigits(text))).toBe(text);
    }),
  );
});
