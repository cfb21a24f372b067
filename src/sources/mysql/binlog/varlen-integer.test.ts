import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteCursor } from '../../../base/byte-cursor.ts';
import { encodeSignedVarlen, encodeUnsignedVarlen, signedVarlen, unsignedVarlen } from './varlen-integer.ts';

const unsigned = (bytes: Buffer): bigint => unsignedVarlen(new ByteCursor(bytes), 'value');
const signed = (bytes: Buffer): bigint => signedVarlen(new ByteCursor(bytes), 'value');

test('the examples of the format description are read', () => {
  expect(unsigned(Buffer.from([0b11111011, 0b11111111, 0b00000111]))).toBe(65535n);
  expect(signed(Buffer.from([0b11110011, 0b11111111, 0b00001111]))).toBe(65535n);
  expect(signed(Buffer.from([0b11101011, 0b11111111, 0b00001111]))).toBe(-65535n);
  expect(signed(Buffer.from([0b11111011, 0b11111111, 0b00001111]))).toBe(-65536n);
});

test('each length holds what it can: 7 bits a byte, and 64 in nine bytes', () => {
  for (let bits = 1n; bits <= 64n; bits++) {
    const value = 2n ** bits - 1n;
    const bytes = encodeUnsignedVarlen(value);
    expect(bytes).toHaveLength(bits > 56n ? 9 : Math.ceil(Number(bits) / 7));
    expect(unsigned(bytes)).toBe(value);
  }
  expect(encodeUnsignedVarlen(0n)).toEqual(Buffer.from([0]));
});

test('encoding and decoding gives the same number', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      expect(unsigned(encodeUnsignedVarlen(value))).toBe(value);
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(signed(encodeSignedVarlen(value))).toBe(value);
    }),
  );
});
