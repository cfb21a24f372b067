import { mixFolded, mixFoldedBytes } from '../../../../core/rows/key-hash.ts';
import type { Charset } from '../../charset/charset.ts';

/** Steps of the partition hash over values as they lie in a row image; key-hash.ts defines what they must give. */
const PRIME = 0x0100_0193;

/** A 64-bit integer, by its halves. */
export function mixHalves(h: number, low: number, high: number): number {
  return Math.imul(Math.imul(h ^ low, PRIME) ^ high, PRIME);
}

/** Bytes, without the zero bytes at their end. */
export function mixTrimmed(h: number, b: Buffer, start: number, length: number): number {
  let end = start + length;
  while (end > start && b[end - 1] === 0) end--;
  let mixed = h;
  for (let i = start; i < end; i++) mixed = Math.imul(mixed ^ (b[i] as number), PRIME);
  return mixed;
}

/** Text of a character set in which the bytes below 0x80 are ASCII, folded; for others as slow as through a string. */
// oxlint-disable-next-line max-params -- called for every row
export function mixText(h: number, b: Buffer, start: number, length: number, charset: Charset): number {
  const end = start + length;
  const ascii = charset.asciiTransparent ? mixFoldedBytes(h, b, { start, end }) : null;
  return ascii ?? mixFolded(h, charset.decode(b, start, end));
}
