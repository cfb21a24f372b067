import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MatchTooSlow, timedMatch } from './timed-match.ts';

test.each([
  /(.*.*)*x$/,
  /^(a+)+$/,
  /^(a|a)*$/,
  /^(a?){40}a{40}$/,
  /^(?:a*)*b/,
  /(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)x/,
])('%s is interrupted when it runs away, and what else there is to do goes on', (expression) => {
  const startMs = performance.now();
  const matches = timedMatch(expression);
  expect(() => {
    for (let length = 8; length < 4096; length *= 2) matches(`${'a'.repeat(length)}!`);
  }).toThrow(MatchTooSlow);
  // Without it, it would be years.
  expect(performance.now() - startMs).toBeLessThan(15_000);
  // The next one is none the worse.
  expect(timedMatch(/^(b|c)+$/)('bcb')).toBe(true);
});

test('answers are those of the expression', () => {
  const expressions = [
    /^shop\./,
    /a.c/s,
    /^(a|b)+\.c$/i,
    /^a{2}$/,
    /(\w+)\.\1/,
    /[*+?]{2}/,
    /\*\+/,
    /^(?!x).*y.*$/u,
    /a?b?c/,
  ];
  const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'A', 'x', 'y', '.', '*', '+', '\n'), maxLength: 8 });
  fc.assert(
    fc.property(fc.constantFrom(...expressions), texts, (expression, text) => {
      const matches = timedMatch(expression);
      expect([matches(text), matches(text)]).toEqual([expression.test(text), expression.test(text)]);
    }),
  );
});
