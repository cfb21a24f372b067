import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { putBigLong } from '../../../../base/avro-bytes.ts';
import { mixHalves } from '../../binlog/rows/mix-key.ts';
import {
  bigintValue,
  intValue,
  mixIntegerText,
  putIntText,
  putLongText,
  putUnsignedText,
  putYearText,
  yearValue,
} from './text-integers.ts';

/** The text between others, where no other byte may be read. */
function at<T>(text: string, read: (b: Buffer, p: number, l: number) => T): T {
  return read(Buffer.from(`9${text}9`), 1, text.length);
}

function written(put: (d: Buffer) => number): string {
  const d = Buffer.alloc(40, 0xee);
  return d.toString('hex', 0, put(d));
}

const zeros = fc.nat({ max: 30 }).map((count) => '0'.repeat(count));
/** Of every length alike. */
const signed = fc
  .tuple(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.nat({ max: 63 }))
  .map(([value, bits]) => value >> BigInt(bits));
const unsigned = fc
  .tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat({ max: 63 }))
  .map(([value, bits]) => value >> BigInt(bits));
const EDGES = [0n, -1n, 127n, -128n, 2n ** 31n - 1n, -(2n ** 31n), 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n) + 1n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n), 999_999_999n, 1_000_000_000n, -999_999_999n, 10n ** 18n]; // prettier-ignore

function padded(value: bigint, padding: string): string {
  return value < 0n ? String(value) : `${padding}${value}`;
}

function modelValue(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

function expectSigned(value: bigint, padding: string): void {
  const text = padded(value, padding);
  expect(at(text, (b, p, l) => bigintValue(b, p, l, false))).toBe(modelValue(value));
  expect(at(text, (b, p, l) => written((d) => putLongText(d, 0, b, p, l)))).toBe(
    written((d) => putBigLong(d, 0, value)),
  );
  const halves = [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))] as const;
  expect(at(text, (b, p, l) => mixIntegerText(7, b, p, l, false))).toBe(mixHalves(7, ...halves));
}

describe('BIGINT', () => {
  test.each(EDGES)('of %d is that number, and its bytes and its hash are', (value) => {
    expectSigned(value, '');
    expectSigned(value, '000');
  });

  test('of every value is that number, and its bytes and its hash are', () => {
    fc.assert(fc.property(signed, zeros, expectSigned), { numRuns: 2000 });
  });

  test('without a sign goes to 2^64 - 1, the upper half as digits', () => {
    const check = (value: bigint, padding: string): void => {
      const text = padded(value, padding);
      expect(at(text, (b, p, l) => bigintValue(b, p, l, true))).toBe(modelValue(value));
      const bytes = at(text, (b, p, l) => written((d) => putUnsignedText(d, 0, b, p, l, 2)));
      const digits = Buffer.from(String(value));
      expect(bytes).toBe(
        value < 2n ** 63n
          ? `02${written((d) => putBigLong(d, 0, value))}`
          : `04${(digits.length * 2).toString(16)}${digits.toString('hex')}`,
      );
      const halves = [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))] as const;
      expect(at(text, (b, p, l) => mixIntegerText(7, b, p, l, true))).toBe(mixHalves(7, ...halves));
    };
    fc.assert(fc.property(unsigned, zeros, check), { numRuns: 2000 });
    for (const value of [0n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]) check(value, '');
  });
});

test('INT is read as it is, and written as an int', () => {
  const check = (value: number, padding: string): void => {
    const text = padded(BigInt(value), padding);
    expect(at(text, intValue)).toBe(value);
    expect(at(text, (b, p, l) => written((d) => putIntText(d, 0, b, p, l)))).toBe(
      written((d) => putBigLong(d, 0, BigInt(value))),
    );
  };
  fc.assert(fc.property(fc.integer(), zeros, check));
  for (const value of [-(2 ** 31), 2 ** 31 - 1, 0, 1_000_000_000, -1]) check(value, '');
  expect(at('4294967295', intValue)).toBe(4_294_967_295);
});

test.each([
  ['0000', 0],
  ['1901', 1901],
  ['2155', 2155],
  ['70', 1970],
  ['99', 1999],
  ['00', 2000],
  ['69', 2069],
])('the year %s is %d', (text, year) => {
  expect(at(text, yearValue)).toBe(year);
  expect(at(text, (b, p, l) => written((d) => putYearText(d, 0, b, p, l)))).toBe(
    written((d) => putBigLong(d, 0, BigInt(year))),
  );
});

describe('what is no integer is refused:', () => {
  const violation = expect.objectContaining({ code: 'PROTOCOL_VIOLATION' }) as Error;

  test.each(['', '-', '1.5', '1e3', ' 1', '+1', '--1', '1-', '0x1', '१', '-1 ', '12345678901x', 'x12345678901'])(
    '%o',
    (text) => {
      const bytes = Buffer.from(`9${text}9`);
      const l = bytes.length - 2;
      const d = Buffer.alloc(64);
      for (const read of [
        () => intValue(bytes, 1, l),
        () => bigintValue(bytes, 1, l, false),
        () => bigintValue(bytes, 1, l, true),
        () => putIntText(d, 0, bytes, 1, l),
        () => putLongText(d, 0, bytes, 1, l),
        () => putUnsignedText(d, 0, bytes, 1, l, 0),
        () => mixIntegerText(0, bytes, 1, l, false),
      ]) {
        expect(read).toThrow(violation);
      }
    },
  );

  test.each(['9223372036854775808', '-9223372036854775809', '99999999999999999999', '123456789012345678901'])(
    '%s is beyond a signed one',
    (text) => {
      expect(() => at(text, (b, p, l) => bigintValue(b, p, l, false))).toThrow(violation);
      expect(() => at(text, (b, p, l) => putLongText(Buffer.alloc(64), 0, b, p, l))).toThrow(violation);
    },
  );

  test.each(['18446744073709551616', '99999999999999999999', '-1', '-18446744073709551615'])(
    '%s is beyond an unsigned one',
    (text) => {
      expect(() => at(text, (b, p, l) => bigintValue(b, p, l, true))).toThrow(violation);
      expect(() => at(text, (b, p, l) => putUnsignedText(Buffer.alloc(64), 0, b, p, l, 0))).toThrow(violation);
    },
  );

  test.each(['2147483648', '-2147483649', '99999999999'])('%s is beyond 32 bits', (text) => {
    expect(() => at(text, (b, p, l) => putIntText(Buffer.alloc(64), 0, b, p, l))).toThrow(violation);
  });
});
