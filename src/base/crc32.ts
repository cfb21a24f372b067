import { crc32 as nativeCrc32 } from 'node:zlib';

/**
 * CRC-32 (IEEE 802.3, as zlib). Short ranges are done here, eight bytes a step ("slicing by 8"): a call into the runtime and the
 * view it needs cost more than the sum itself. Long ones go to zlib, which uses the processor's own instructions.
 */
const NATIVE_FROM_BYTES = 512;

const TABLES: Int32Array = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    tables[n] = c;
  }
  for (let n = 0; n < 256; n++) {
    let c = tables[n] as number;
    for (let slice = 1; slice < 8; slice++) {
      c = (tables[c & 0xff] as number) ^ (c >>> 8);
      tables[slice * 256 + n] = c;
    }
  }
  return tables;
}

/** The checksum of bytes `start` to `end` as a signed 32-bit integer, to be compared with `view.getInt32(end, true)`. `view` covers the same bytes. */
export function crc32(bytes: Buffer, view: DataView, start: number, end: number): number {
  if (end - start >= NATIVE_FROM_BYTES) return nativeCrc32(bytes.subarray(start, end)) | 0;
  const t = TABLES;
  let c = -1;
  let i = start;
  for (const last = end - 8; i <= last; i += 8) {
    const low = view.getInt32(i, true) ^ c;
    const high = view.getInt32(i + 4, true);
    c =
      (t[1792 + (low & 0xff)] as number) ^
      (t[1536 + ((low >>> 8) & 0xff)] as number) ^
      (t[1280 + ((low >>> 16) & 0xff)] as number) ^
      (t[1024 + (low >>> 24)] as number) ^
      (t[768 + (high & 0xff)] as number) ^
      (t[512 + ((high >>> 8) & 0xff)] as number) ^
      (t[256 + ((high >>> 16) & 0xff)] as number) ^
      (t[high >>> 24] as number);
  }
  for (; i < end; i++) c = (t[(c ^ (bytes[i] as number)) & 0xff] as number) ^ (c >>> 8);
  return ~c;
}
