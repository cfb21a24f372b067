import type { ByteCursor } from '../../../base/byte-cursor.ts';

/**
 * A transaction number below 2^63: `number` as long as that is exact, `bigint` from 2^53 on. Every value has one form only, so `===`
 * compares two of them, and `<` is exact between both forms. Arithmetic goes through the functions below.
 */
export type Gno = number | bigint;

/** MySQL's GNO_END, one past the largest number it assigns (libs/mysql/gtids, sequence_number.h). */
export const MYSQL_GNO_END: bigint = 2n ** 63n - 1n;

export function toGno(value: bigint): Gno {
  return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER ? Number(value) : value;
}

export function nextGno(gno: Gno): Gno {
  if (typeof gno === 'bigint') return gno + 1n;
  return gno < Number.MAX_SAFE_INTEGER ? gno + 1 : BigInt(gno) + 1n;
}

export function previousGno(gno: Gno): Gno {
  return typeof gno === 'bigint' ? toGno(gno - 1n) : gno - 1;
}

export function compareGno(a: Gno, b: Gno): number {
  if (a < b) return -1;
  return a > b ? 1 : 0;
}

/** Decimal digits only. Null for anything else. */
export function parseGno(text: string): Gno | null {
  return /^\d{1,20}$/.test(text) ? toGno(BigInt(text)) : null;
}

/** A u64 in little-endian order. The caller has checked that eight bytes are there. No allocation below 2^53. */
export function readGno(buffer: Buffer, offset: number): Gno {
  const high = buffer.readUInt32LE(offset + 4);
  if (high < 0x20_0000) return high * 0x1_0000_0000 + buffer.readUInt32LE(offset);
  return buffer.readBigUInt64LE(offset);
}

/** A u64 field of a frame. */
export function gnoField(cursor: ByteCursor, field: string): Gno {
  return toGno(cursor.u64(field));
}
