import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decimalLength, decimalText } from './decimal-text.ts';

/** DECIMAL(precision, scale), the number's bytes, and what SELECT prints. */
const EXAMPLES: readonly (readonly [precision: number, scale: number, hex: string, text: string])[] = [
  // 14 digits: a group of 1 and one of 9 before the point, 4 behind: 1 | 234567890 | 1234. The sign bit is set.
  [14, 4, '810dfb38d204d2', '1234567890.1234'],
  [14, 4, '7ef204c72dfb2d', '-1234567890.1234'], // all bits inverted
  [10, 2, '8000000000', '0.00'], // 8 digits in 4 bytes, 2 in 1
  [10, 2, '7fffffffcd', '-0.50'],
  [10, 2, '85f5e0ff63', '99999999.99'],
  [2, 0, '8c', '12'],
  [1, 0, '76', '-9'],
  [1, 1, '85', '0.5'], // no integer part: the sign bit is in the fraction
  [9, 9, 'bb9ac9ff', '0.999999999'],
  [18, 9, '8000000000000001', '0.000000001'], // two groups of 9
  [18, 0, '80000001000f4240', '1001000000'], // zeros between groups stay
  [9, 0, 'bb9ac9ff', '999999999'],
  [10, 0, '8000000000', '0'],
];

describe('decimalText', () => {
  test.each(EXAMPLES)('DECIMAL(%i,%i) %s is %s', (precision, scale, hex, text) => {
    const bytes = Buffer.from(`aa${hex}bb`, 'hex');
    expect(decimalLength(precision, scale)).toBe(hex.length / 2);
    expect(decimalText(bytes, 1, { precision, scale })).toBe(text);
  });

  test('every number of every shape reads as it was written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 65 }).chain((precision) =>
          fc.integer({ min: 0, max: Math.min(30, precision) }).chain((scale) =>
            fc.record({
              precision: fc.constant(precision),
              scale: fc.constant(scale),
              digits: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: precision, maxLength: precision }),
              negative: fc.boolean(),
            }),
          ),
        ),
        ({ precision, scale, digits, negative }) => {
          const whole = digits.slice(0, precision - scale).join('');
          const behind = digits.slice(precision - scale).join('');
          const isZero = /^0*$/.test(whole + behind);
          const text = `${negative && !isZero ? '-' : ''}${whole.replace(/^0+/, '') || '0'}${scale === 0 ? '' : `.${behind}`}`;
          const bytes = encodeDecimal(whole, behind, negative && !isZero);
          expect(bytes).toHaveLength(decimalLength(precision, scale));
          expect(decimalText(bytes, 0, { precision, scale })).toBe(text);
        },
      ),
    );
  });
});

const GROUP_BYTES = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

/** The storage format, from its description: groups of nine digits, the odd group outermost, inverted when negative. */
function encodeDecimal(whole: string, behind: string, negative: boolean): Buffer {
  const groups: string[] = [];
  const odd = whole.length % 9;
  if (odd > 0) groups.push(whole.slice(0, odd));
  for (let i = odd; i < whole.length; i += 9) groups.push(whole.slice(i, i + 9));
  for (let i = 0; i < behind.length; i += 9) groups.push(behind.slice(i, i + 9));
  const bytes = Buffer.concat(
    groups.map((group) => {
      const length = GROUP_BYTES[group.length] ?? 0;
      const buffer = Buffer.alloc(length);
      buffer.writeUIntBE(Number(group), 0, length);
      return buffer;
    }),
  );
  if (negative) for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] ?? 0) ^ 0xff;
  bytes[0] = (bytes[0] ?? 0) ^ 0x80;
  return bytes;
}
