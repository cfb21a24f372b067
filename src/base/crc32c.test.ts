import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CRC32C_DISTANCES, crc32c } from './crc32c.ts';

const POLYNOMIAL = 0x82f6_3b78;

/** Bit by bit, as the definition has it. */
function byDefinition(bytes: Uint8Array): number {
  let register = -1;
  for (const byte of bytes) {
    register ^= byte;
    for (let bit = 0; bit < 8; bit++) register = register & 1 ? (register >>> 1) ^ POLYNOMIAL : register >>> 1;
  }
  return ~register >>> 0;
}

test('the checksum of "123456789" is the one that the catalogue of CRCs gives', () => {
  expect(crc32c(Buffer.from('123456789'), 0, 9)).toBe(0xe306_9283);
});

test.each([
  ['zeros', Buffer.alloc(32), 0x8a91_36aa],
  ['ones', Buffer.alloc(32, 0xff), 0x62a8_ab43],
  ['ascending bytes', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd_794e],
])('the checksum of 32 %s is the one of RFC 3720', (_, bytes, sum) => {
  expect(crc32c(bytes, 0, 32)).toBe(sum);
});

test('any range of any bytes has the checksum of the definition, short or long', () => {
  const length = fc.oneof(fc.nat(300), fc.integer({ min: 1900, max: 2600 }), fc.nat(100_000));
  fc.assert(
    fc.property(length, fc.nat(20), fc.nat(), (bytesLength, before, seed) => {
      const bytes = Buffer.alloc(before + bytesLength + 7);
      let state = seed | 1;
      for (let i = 0; i < bytes.length; i++) {
        state = Math.imul(state, 0x0019_660d) + 0x3c6e_f35f;
        bytes[i] = state >>> 24;
      }
      const end = before + bytesLength;
      expect(crc32c(bytes, before, end)).toBe(byDefinition(bytes.subarray(before, end)));
      // In two steps it is the same sum.
      const middle = before + (seed % (bytesLength + 1));
      expect(crc32c(bytes, middle, end, crc32c(bytes, before, middle))).toBe(crc32c(bytes, before, end));
    }),
    { numRuns: 60 },
  );
});

test('the polynomial that long ranges are divided by is a multiple of that of the CRC', () => {
  // x^(8n) modulo the polynomial, in the reflected order of bits: the sum of the terms leaves no remainder.
  const powers: number[] = [0x8000_0000];
  for (let n = 1; n <= 209; n++) {
    let power = powers[n - 1] as number;
    for (let bit = 0; bit < 8; bit++) power = power & 1 ? (power >>> 1) ^ POLYNOMIAL : power >>> 1;
    powers.push(power >>> 0);
  }
  const degree = Math.max(...CRC32C_DISTANCES);
  const exponents = [degree, ...CRC32C_DISTANCES.map((distance) => degree - distance)];
  expect(exponents.reduce((sum, exponent) => sum ^ (powers[exponent] as number), 0)).toBe(0);
});

test('a single changed bit changes the checksum, wherever it is', () => {
  const bytes = Buffer.alloc(5000, 'some text');
  const sum = crc32c(bytes, 0, bytes.length);
  for (let bit = 0; bit < bytes.length * 8; bit += 13) {
    const mask = 1 << (bit & 7);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ mask;
    expect(crc32c(bytes, 0, bytes.length)).not.toBe(sum);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ mask;
  }
});
