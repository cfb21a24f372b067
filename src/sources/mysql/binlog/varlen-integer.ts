import type { ByteCursor } from '../../../base/byte-cursor.ts';

/**
 * Integers of MySQL's serialization library (MySQL source, libs/mysql/serialization, readme.md, "Variable-length integers"):
 * one to nine bytes. The trailing one-bits of the first byte say how many bytes follow; after them comes a zero bit (not in
 * the nine byte form), then the value, least significant bits first.
 */
export function unsignedVarlen(cursor: ByteCursor, field: string): bigint {
  const first = cursor.u8(field);
  const trailingOnes = countTrailingOnes(first);
  let rest = 0n;
  for (let i = 0; i < trailingOnes; i++) rest |= BigInt(cursor.u8(field)) << BigInt(8 * i);
  if (trailingOnes >= 8) return rest;
  const bitsInFirst = 7 - trailingOnes;
  return (rest << BigInt(bitsInFirst)) | BigInt(first >>> (trailingOnes + 1));
}

/** The same with the sign in the lowest bit; negative numbers count from −1 down. */
export function signedVarlen(cursor: ByteCursor, field: string): bigint {
  const value = unsignedVarlen(cursor, field);
  return (value & 1n) === 0n ? value >> 1n : -(value >> 1n) - 1n;
}

/** The shortest form. `value` is in 0 … 2^64−1. */
export function encodeUnsignedVarlen(value: bigint): Buffer {
  let length = 1;
  while (length < 9 && value >= 1n << BigInt(7 * length)) length++;
  const bytes = Buffer.alloc(length);
  const marked = length === 9 ? value : (value << BigInt(length)) | ((1n << BigInt(length - 1)) - 1n);
  if (length === 9) bytes[0] = 0xff;
  for (let i = length === 9 ? 1 : 0; i < length; i++) {
    bytes[i] = Number((marked >> BigInt(8 * (length === 9 ? i - 1 : i))) & 0xffn);
  }
  return bytes;
}

/** The shortest form. `value` is in −2^63 … 2^63−1. */
export function encodeSignedVarlen(value: bigint): Buffer {
  return encodeUnsignedVarlen(value >= 0n ? value << 1n : (-(value + 1n) << 1n) | 1n);
}

function countTrailingOnes(byte: number): number {
  return 31 - Math.clz32(~byte & (byte + 1)); // the lowest zero bit, alone; bit 8 for 0xff
}
