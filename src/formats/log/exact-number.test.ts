import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareExactNumbers, type ExactNumber, parseExactNumber } from './exact-number.ts';

function parsed(text: string): ExactNumber {
  const number = parseExactNumber(text);
  if (number === null) throw new Error(`${text} is no number`);
  return number;
}

/** An integer times 10^-20, written with any number of zeros, and sometimes with an exponent. */
const numbers = fc
  .record({
    value: fc.oneof(
      fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
      fc.bigInt({ min: -200n, max: 200n }).map((small) => small * 10n ** 18n),
    ),
    zeros: fc.nat(3),
    exponent: fc.integer({ min: -20, max: 25 }),
  })
  .map(({ value, zeros, exponent }) => {
    const sign = value < 0n ? '-' : '';
    const digits = String(value < 0n ? -value : value).padStart(60, '0');
    const point = 40 - exponent;
    const text = `${sign}${digits.slice(0, point)}.${digits.slice(point)}${'0'.repeat(zeros)}${exponent === 0 ? '' : `e${exponent}`}`;
    return { value, text };
  });

test('numbers compare as the integers that they are multiples of', () => {
  fc.assert(
    fc.property(numbers, numbers, (a, b) => {
      const expected = a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
      expect(Math.sign(compareExactNumbers(parsed(a.text), parsed(b.text)))).toBe(expected);
      expect(compareExactNumbers(parsed(a.text), parsed(a.text))).toBe(0);
    }),
  );
});

test('zero is one number, whatever its sign', () => {
  for (const zero of ['0', '-0', '+0.00', '-.0', '0e5']) expect(compareExactNumbers(parsed(zero), parsed('0'))).toBe(0);
});

test.each(['', '.', '-', 'e5', '1e', '1e9999', '0x1', '1_000', ' 1', '1,5', 'Infinity'])(
  '"%s" is no number',
  (text) => {
    expect(parseExactNumber(text)).toBeNull();
  },
);
