import assert from 'node:assert/strict';
import { brotliCompressSync, constants } from 'node:zlib';
import { unpackTable } from '../../src/sources/mysql/charset/packed-table.ts';

/** The inverse of `unpackTable`, which explains the format. */
export function packTable(units: Uint16Array): string {
  const planes = Buffer.alloc(units.length * 2);
  let previous = 0;
  for (const [index, unit] of units.entries()) {
    if (unit === 0) continue;
    const delta = ((unit - previous - 1) << 16) >> 16; // the shorter way round, modulo 2^16
    const zigzag = ((delta << 1) ^ (delta >> 31)) + 1;
    assert(zigzag > 0 && zigzag < 0x10000, `a step of ${delta} does not fit`);
    planes[index] = zigzag >> 8;
    planes[units.length + index] = zigzag & 0xff;
    previous = unit;
  }
  const packed = brotliCompressSync(planes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: planes.length },
  }).toString('base64');
  assert.deepEqual(unpackTable(packed), units);
  return packed;
}
