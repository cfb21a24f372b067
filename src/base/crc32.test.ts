import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32 } from './crc32.ts';

test('the checksum of any range equals zlib’s, whatever its length and alignment', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 1200 }), fc.nat(16), (bytes, skip) => {
      const buffer = Buffer.from(bytes);
      const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
      const start = Math.min(skip, buffer.length);
      expect(crc32(buffer, view, start, buffer.length) >>> 0).toBe(zlibCrc32(buffer.subarray(start)));
    }),
  );
});
