import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasRepeatedKeys } from './repeated-keys.ts';

function isRepeated(text: string): boolean {
  return hasRepeatedKeys(text, JSON.parse(text));
}

test.each(['{"a":1,"a":1}', String.raw`{"a":1, "\u0061" : 2}`, '[[{"x":{"1":1,"1":2}}]]', String.raw`{"\"":1,"\"":2}`])(
  '%s has a key twice',
  (text) => expect(isRepeated(text)).toBe(true),
);

test('what JSON.stringify writes has none, whatever is in its texts', () => {
  const string = fc.string({ unit: fc.constantFrom('"', ':', '\\', '{', '}', ' ', 'a', '\n') });
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), fc.dictionary(string, string), (any, texts) => {
      for (const value of [any, texts, [texts, { in: texts }]]) {
        expect(isRepeated(JSON.stringify(value))).toBe(false);
        expect(isRepeated(JSON.stringify(value, null, 2))).toBe(false);
      }
    }),
  );
});

test('a text that is as deep as a body can be long is looked through', () => {
  const depth = 500_000;
  expect(isRepeated(`${'['.repeat(depth)}${']'.repeat(depth)}`)).toBe(false);
});
