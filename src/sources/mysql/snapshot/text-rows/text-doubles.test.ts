import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { doubleValue, floatValue, putDoubleText, putFloatText } from './text-doubles.ts';

function read(text: string): number {
  const bytes = Buffer.from(`9${text}9`);
  return doubleValue(bytes, 1, bytes.length - 2);
}

const violation = expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }) as Error;

/** As the servers print it: no sign in front of a positive exponent. */
function printed(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value).replace('e+', 'e');
}

describe('a DOUBLE is the very one that the server has', () => {
  test.each([
    0,
    -0,
    1,
    -1,
    0.1,
    0.3,
    1 / 3,
    2 / 3,
    1e15,
    1e16,
    1e22,
    1e23,
    5e-324,
    1.797_693_134_862_315_7e308,
    2.225_073_858_507_201_4e-308,
    0.000_001,
    1.5e-7,
    4.35,
    0.1 + 0.2,
  ])('%d', (value) => {
    expect(read(printed(value))).toBe(value);
  });

  test('whatever it is', () => {
    const any = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(any, (value) => {
        expect(read(printed(value))).toBe(value);
      }),
      { numRuns: 3000 },
    );
  });

  test('with up to twenty digits, and the point anywhere, as near as a double comes', () => {
    const number = fc
      .tuple(fc.bigInt({ min: 0n, max: 10n ** 20n - 1n }), fc.nat({ max: 20 }), fc.nat({ max: 25 }), fc.boolean())
      .map(([value, cut, point, negative]) => {
        const digits = String(value / 10n ** BigInt(cut)).padStart(point + 1, '0');
        return `${negative ? '-' : ''}${digits.slice(0, digits.length - point)}${point === 0 ? '' : '.'}${digits.slice(digits.length - point)}`;
      });
    fc.assert(
      fc.property(number, (text) => {
        expect(read(text)).toBe(Number(text));
      }),
      { numRuns: 5000 },
    );
  });

  test('also where the digits lie in the middle between two doubles', () => {
    // 2^53 + 1 and its like: halfway, rounded to the even one.
    for (let i = 0n; i < 2000n; i++) {
      const middle = 2n ** 53n + 1n + 2n * i * 7919n;
      for (const text of [
        `${middle}`,
        `${middle}.0`,
        `0.${middle}`,
        `${middle / 1000n}.${String(middle % 1000n).padStart(3, '0')}`,
      ]) {
        expect(read(text)).toBe(Number(text));
      }
    }
  });
});

test('a FLOAT is the float32 of the double', () => {
  const float = fc.float({ noNaN: true, noDefaultInfinity: true });
  const d = new DataView(new ArrayBuffer(8));
  fc.assert(
    fc.property(float, (value) => {
      const bytes = Buffer.from(printed(value));
      expect(floatValue(bytes, 0, bytes.length)).toBe(value);
      expect(putFloatText(d, 1, bytes, 0, bytes.length)).toBe(5);
      expect(d.getFloat32(1, true)).toBe(value);
      expect(putDoubleText(d, 0, bytes, 0, bytes.length)).toBe(8);
      expect(d.getFloat64(0, true)).toBe(value);
    }),
  );
});

test('a FLOAT that was rounded on its way is refused', () => {
  expect(() => floatValue(Buffer.from('0.1'), 0, 3)).toThrow(violation);
});

test.each([
  '',
  '-',
  '.',
  '-.',
  'e5',
  '1e',
  '1e-',
  '1e+',
  '1.2.3',
  '1e5.0',
  'nan',
  'inf',
  'Infinity',
  '0x10',
  ' 1',
  '1 ',
  '1e99999',
  '1e999',
  '--1',
  '1,5',
])('%o is no number', (text) => {
  expect(() => read(text)).toThrow(violation);
});
