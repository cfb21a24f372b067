import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8Text } from '../../../../base/avro-bytes.ts';
import { decimalLength, decimalText, groupBytes, shortDecimalText } from './decimal-text.ts';
import {
  DECIMAL_PRECISION_MAX,
  putDate,
  putDatetime,
  putDecimal,
  putShortDecimal,
  putTime,
  putTimestamp,
  TEXT_BYTES_MAX,
} from './put-digits.ts';
import { dateFrom3, datetime2, fraction, time2, timestamp2 } from './temporal-text.ts';

const START = 5;
const bytes = Buffer.alloc(START + TEXT_BYTES_MAX + 8);
const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

const isOther = (byte: number): boolean => byte !== 0xee;

/** What is written; it throws when anything lies outside the room. */
function written(put: (d: Buffer, w: DataView, o: number) => number): string {
  bytes.fill(0xee);
  const end = put(bytes, view, START);
  if (bytes.subarray(0, START).some(isOther) || bytes.subarray(START + TEXT_BYTES_MAX).some(isOther)) {
    throw new Error('bytes were written beyond the room');
  }
  const first = bytes[START] as number;
  const [start, length] =
    first < 0x80 ? [START + 1, first >> 1] : [START + 2, ((first & 0x7f) | ((bytes[START + 1] as number) << 7)) >> 1];
  if (start + length !== end) throw new Error(`the length is ${length}, the text ends at ${end} of ${start}`);
  return utf8Text(bytes, start, end);
}

/** Any bits, and those that servers write. */
function near(most: number, likely: fc.Arbitrary<number>): fc.Arbitrary<number> {
  return fc.oneof(likely, fc.integer({ min: 0, max: most }), fc.constantFrom(0, 1, most));
}

const U32 = 2 ** 32 - 1;
const digits = fc.integer({ min: 0, max: 6 });

function storedOf(count: number): fc.Arbitrary<number> {
  const storedDigits = count + (count & 1);
  return near(256 ** ((count + 1) >> 1) - 1, fc.integer({ min: 0, max: 10 ** storedDigits - 1 }));
}

describe('digits are written as the text functions print them, whatever the stored bits', () => {
  test('DATE', () => {
    fc.assert(
      fc.property(near(0xff_ffff, fc.nat(9999 * 512 + 511)), (packed) => {
        expect(written((d, w, o) => putDate(d, w, o, packed))).toBe(dateFrom3(packed));
      }),
    );
  });

  test('DATETIME', () => {
    const parts = digits.chain((count) =>
      fc.tuple(fc.nat(255), near(U32, fc.nat(U32)), storedOf(count), fc.constant(count)),
    );
    fc.assert(
      fc.property(parts, ([high, low, stored, count]) => {
        const text = datetime2(high, low) + (count === 0 ? '' : fraction(stored, count));
        expect(written((d, w, o) => putDatetime(d, w, o, high, low | 0, stored, count))).toBe(text);
      }),
    );
  });

  test('TIMESTAMP', () => {
    const parts = digits.chain((count) => fc.tuple(near(U32, fc.nat(U32)), storedOf(count), fc.constant(count)));
    fc.assert(
      fc.property(parts, ([seconds, stored, count]) => {
        expect(written((d, w, o) => putTimestamp(d, w, o, seconds | 0, stored, count))).toBe(
          timestamp2(seconds, stored, count),
        );
      }),
    );
  });

  test('TIME', () => {
    const parts = digits.chain((count) => {
      const unit = 256 ** ((count + 1) >> 1);
      const bias = 0x80_0000 * unit;
      const likely = fc.integer({ min: bias - 3_432_187 * unit, max: bias + 3_432_187 * unit });
      return fc.tuple(near(0x100_0000 * unit - 1, likely), fc.constant(bias), fc.constant(unit), fc.constant(count));
    });
    fc.assert(
      fc.property(parts, ([value, bias, unit, count]) => {
        expect(written((d, w, o) => putTime(d, w, o, value, bias, unit, count))).toBe(time2(value, count));
      }),
    );
  });
});

describe('a decimal', () => {
  /** Bytes that a server may have written for some number, or any. */
  function decimal(precisionMax: number): fc.Arbitrary<{ precision: number; scale: number; stored: Buffer }> {
    return fc
      .integer({ min: 1, max: precisionMax })
      .chain((precision) => fc.tuple(fc.constant(precision), fc.integer({ min: 0, max: Math.min(30, precision) })))
      .chain(([precision, scale]) => {
        const length = decimalLength(precision, scale);
        const any = fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));
        const real = fc
          .tuple(
            fc.array(fc.nat(9), { minLength: precision, maxLength: precision }).map((list) => list.join('')),
            fc.boolean(),
          )
          .map(([text, negative]) => storedDecimal(text, scale, negative));
        return fc.oneof(real, any).map((stored) => ({ precision, scale, stored }));
      });
  }

  function storedDecimal(text: string, scale: number, negative: boolean): Buffer {
    const integer = text.slice(0, text.length - scale);
    const leading = integer.length % 9;
    const part = text.slice(text.length - scale);
    const groups = [
      ...(leading === 0 ? [] : [integer.slice(0, leading)]),
      ...(integer.slice(leading).match(/.{9}/g) ?? []),
      ...(part.match(/.{1,9}/g) ?? []),
    ];
    const whole = Buffer.concat(
      groups.map((group) => {
        const out = Buffer.alloc(groupBytes(group.length));
        out.writeUIntBE(Number(group), 0, out.length);
        return out;
      }),
    );
    if (negative) for (let i = 0; i < whole.length; i++) whole[i] = (whole[i] as number) ^ 0xff;
    whole[0] = (whole[0] as number) ^ 0x80;
    return whole;
  }

  test('of any precision is written as its text', () => {
    fc.assert(
      fc.property(decimal(DECIMAL_PRECISION_MAX), ({ precision, scale, stored }) => {
        const type = { precision, scale };
        expect(written((d, w, o) => putDecimal(d, w, o, stored, 0, type))).toBe(decimalText(stored, 0, type));
      }),
      { numRuns: 500 },
    );
  });

  test('of one group before the point and one behind it is written as its text', () => {
    fc.assert(
      fc.property(
        decimal(18).filter(({ precision, scale }) => scale <= 9 && precision - scale >= 1 && precision - scale <= 9),
        ({ precision, scale, stored }) => {
          const [before, after] = [groupBytes(precision - scale), groupBytes(scale)];
          const half = 2 ** (before * 8 - 1);
          const integer = stored.readUIntBE(0, before);
          const part = after === 0 ? 0 : stored.readUIntBE(before, after);
          const most = 256 ** after - 1;
          // A group of four bytes is read as a signed number.
          const signed = after === 4 ? ([part | 0, -1] as const) : ([part, most] as const);
          expect(written((d, w, o) => putShortDecimal(d, w, o, integer - half, ...signed, scale))).toBe(
            shortDecimalText(integer, half, part, most, scale),
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});
