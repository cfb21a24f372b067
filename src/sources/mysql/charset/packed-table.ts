import { brotliDecompressSync } from 'node:zlib';

/**
 * Unpacks a table of UTF-16 code units. Format, made for tables whose neighbours are mostly consecutive characters:
 *
 *     base64( brotli( high bytes of all entries, then low bytes of all entries ) )
 *     entry  0: no character. Else 1 + zigzag(unit − previous unit − 1), modulo 2^16; "previous" skips empty entries
 *
 * zigzag(n) is 2n for n ≥ 0 and −2n − 1 below, so that small steps either way are small numbers.
 */
export function unpackTable(packed: string): Uint16Array {
  const planes = brotliDecompressSync(Buffer.from(packed, 'base64'));
  const length = planes.length / 2;
  const units = new Uint16Array(length);
  let previous = 0;
  for (let index = 0; index < length; index++) {
    const entry = ((planes[index] as number) << 8) | (planes[length + index] as number);
    if (entry === 0) continue;
    const zigzag = entry - 1;
    previous = (previous + 1 + ((zigzag >> 1) ^ -(zigzag & 1))) & 0xffff;
    units[index] = previous;
  }
  return units;
}
