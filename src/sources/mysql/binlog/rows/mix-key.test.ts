import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { column } from '../../../../../test/support/changes.ts';
import { mixValue } from '../../../../core/rows/key-hash.ts';
import type { Charset } from '../../charset/charset.ts';
import { charsetByName } from '../../charset/charset.ts';
import { mixHalves, mixText, mixTrimmed } from './mix-key.ts';

const seed = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
/** Between other bytes. */
function framed(value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0x41, 0]), value, Buffer.from([0x42, 0])]);
}

describe('a value of a row image is mixed into the hash as the value that it decodes to', () => {
  test('integers by their halves', () => {
    fc.assert(
      fc.property(seed, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (h, value) => {
        const [low, high] = [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
        expect(mixHalves(h, low, high)).toBe(mixValue(h, column('k', 'bigint'), value));
        const safe = BigInt.asIntN(54, value);
        const halves = [Number(BigInt.asIntN(32, safe)), Number(safe >> 32n)] as const;
        expect(mixHalves(h, ...halves)).toBe(mixValue(h, column('k', 'bigint'), Number(safe)));
      }),
    );
  });

  test('bytes, whatever zeros stand at their end', () => {
    fc.assert(
      fc.property(seed, fc.uint8Array({ maxLength: 40 }), fc.nat(5), (h, value, zeros) => {
        const padded = Buffer.concat([value, Buffer.alloc(zeros)]);
        expect(mixTrimmed(h, framed(padded), 2, padded.length)).toBe(mixValue(h, column('k', 'binary'), value));
      }),
    );
  });

  test.each(['utf8mb4', 'utf8mb3', 'latin1', 'ascii', 'gbk', 'cp1251', 'swe7', 'sjis', 'utf16', 'ucs2', 'utf32'])(
    'text in %s',
    (name) => {
      const charset = charsetByName(name, 'mariadb') as Charset;
      const ascii = fc.string({ unit: 'binary-ascii' }).map((text) => Buffer.from(text));
      const points = fc.oneof(fc.nat(0x2ff), fc.nat(0xd7ff), fc.integer({ min: 0xe000, max: 0x10ffff }));
      const utf8 = fc.array(points).map((list) => Buffer.from(String.fromCodePoint(...list)));
      const any = fc.uint8Array().map((array) => Buffer.from(array));
      fc.assert(
        fc.property(seed, fc.oneof(ascii, utf8, any), (h, value) => {
          const bytes = framed(value);
          let text: string;
          try {
            text = charset.decode(bytes, 2, 2 + value.length);
          } catch {
            return; // No row with it gets as far as this.
          }
          expect(mixText(h, bytes, 2, value.length, charset)).toBe(mixValue(h, column('k', 'varchar'), text));
        }),
      );
    },
  );
});
