import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  putAscii,
  putBigLong,
  putBytes,
  putDouble,
  putFloat,
  putFloats,
  putHalves,
  putInt,
  putLong,
  putString,
  putUint,
  stringBytesMax,
  utf8Text,
} from './avro-bytes.ts';

/** What `put` writes at an offset of a buffer of other bytes. */
function written(put: (bytes: Buffer, view: DataView, at: number) => number, size = 64): Buffer {
  const bytes = Buffer.alloc(size + 8, 0xee);
  const end = put(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 5);
  expect(bytes.subarray(0, 5)).toEqual(Buffer.alloc(5, 0xee));
  return bytes.subarray(5, end);
}

/** Avro's long by its definition, digit by digit. */
function varint(value: bigint): Buffer {
  let z = value >= 0n ? value * 2n : -value * 2n - 1n;
  const bytes: number[] = [];
  for (; z > 0x7fn; z >>= 7n) bytes.push(Number(z & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(z)]);
}

const edges = [
  0n,
  1n,
  63n,
  64n,
  8191n,
  8192n,
  2n ** 20n,
  2n ** 27n,
  2n ** 30n,
  2n ** 31n,
  2n ** 32n,
  2n ** 52n,
  2n ** 53n,
]
  .concat([2n ** 34n, 2n ** 35n, 2n ** 41n, 2n ** 48n, 2n ** 55n, 2n ** 62n, 2n ** 63n - 1n])
  .flatMap((edge) => [edge - 1n, edge, edge + 1n, -edge, -edge - 1n])
  .filter((value) => BigInt.asIntN(64, value) === value);
const longs = fc.oneof(fc.constantFrom(...edges), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));

describe('integers', () => {
  test('are zig-zag varints, as the specification’s table has them', () => {
    const table: [number, string][] = [
      [0, '00'],
      [-1, '01'],
      [1, '02'],
      [-2, '03'],
      [2, '04'],
      [-64, '7f'],
      [64, '8001'],
    ];
    for (const [value, hex] of table) {
      expect(written((bytes, _, at) => putInt(bytes, at, value)).toString('hex')).toBe(hex);
    }
  });

  test('of 64 bits are exact, given as a bigint, as halves, and up to 2^53 as a number', () => {
    fc.assert(
      fc.property(longs, (value) => {
        const expected = varint(value);
        expect(written((bytes, _, at) => putBigLong(bytes, at, value))).toEqual(expected);
        const [high, low] = [Number(value >> 32n), Number(BigInt.asUintN(32, value))];
        expect(written((bytes, _, at) => putHalves(bytes, at, high, low))).toEqual(expected);
        expect(written((bytes, _, at) => putHalves(bytes, at, high >>> 0, low | 0))).toEqual(expected);
        const number = Number(value);
        if (Number.isSafeInteger(number)) {
          expect(written((bytes, _, at) => putLong(bytes, at, number))).toEqual(expected);
        }
        if (number === (number | 0)) expect(written((bytes, _, at) => putInt(bytes, at, number))).toEqual(expected);
        if (number === number >>> 0) expect(written((bytes, _, at) => putUint(bytes, at, number))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});

describe('text', () => {
  const unit = fc.constantFrom('a', 'Z', '\0', '\x7f', 'é', '漢', '🚲', '\ufffd', '\ufeff');
  const texts = fc.oneof(
    fc.string({ unit, maxLength: 70 }),
    fc
      .tuple(unit, fc.constantFrom(47, 48, 49, 63, 64, 65, 4095, 4096, 8191, 8192, 70_000))
      .map(([c, n]) => c.repeat(n)),
  );

  test('is its UTF-8 behind the number of its bytes, in no more room than was promised', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const utf8 = Buffer.from(text);
        const bytes = written((bytes, _, at) => putString(bytes, at, text), stringBytesMax(text));
        expect(bytes).toEqual(Buffer.concat([varint(BigInt(utf8.length)), utf8]));
        // With the room that the text really takes, and five bytes.
        expect(written((bytes, _, at) => putString(bytes, at, text), utf8.length + 2)).toEqual(bytes);
      }),
    );
  });

  test('of ASCII is written the same by the short cut', () => {
    for (const text of ['', '7', '2026-01-02', 'x'.repeat(48), 'x'.repeat(49), 'x'.repeat(5000)]) {
      const expected = written((bytes, _, at) => putString(bytes, at, text), stringBytesMax(text));
      expect(written((bytes, _, at) => putAscii(bytes, at, text), text.length + 5)).toEqual(expected);
    }
  });

  test('that is no Unicode text, with lone surrogates, is read back as it was', () => {
    const units = fc.constantFrom('a', 'é', '\ud800', '\udbff', '\udc00', '\udfff', '\ufffd', '🚲', '\ud7ff', '\ue000');
    fc.assert(
      fc.property(fc.array(units, { maxLength: 80 }), (list) => {
        const text = list.join('');
        const bytes = written((bytes, _, at) => putString(bytes, at, text), stringBytesMax(text));
        const head = bytes.length < 65 ? 1 : 2;
        expect(utf8Text(bytes, head, bytes.length)).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });
});

test('bytes have their number before them', () => {
  const value = Buffer.alloc(100, 7);
  const expected = Buffer.concat([varint(100n), value]);
  expect(written((bytes, _, at) => putBytes(bytes, at, value), 102)).toEqual(expected);
});

test('float and double are IEEE, little-endian, an array is one block', () => {
  expect(written((_, view, at) => putFloat(view, at, 1.5)).toString('hex')).toBe('0000c03f');
  expect(written((_, view, at) => putDouble(view, at, -2)).toString('hex')).toBe('00000000000000c0');
  const two = new Float32Array([1.5, -0]);
  expect(written((bytes, view, at) => putFloats(bytes, view, at, two)).toString('hex')).toBe('040000c03f0000008000');
  expect(written((bytes, view, at) => putFloats(bytes, view, at, new Float32Array())).toString('hex')).toBe('00');
});
