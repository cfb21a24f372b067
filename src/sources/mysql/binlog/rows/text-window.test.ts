import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Charset, charsetByName } from '../../charset/charset.ts';
import { forgetWindow, windowText } from './text-window.ts';

function charset(name: string): Charset {
  const found = charsetByName(name, 'mariadb');
  if (found === null) throw new Error(name);
  return found;
}

function read(bytes: Buffer, start: number, end: number, name = 'utf8mb4'): string {
  return windowText(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), start, end, charset(name));
}

test('values of any length, in any order, read as by themselves', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'Z', '7', ' ', 'é', '漢', '🚲'), minLength: 1, maxLength: 4000 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(300)), { maxLength: 30 }),
      (text, places) => {
        const bytes = Buffer.from(text);
        forgetWindow(bytes.length);
        for (const [at, length] of places) {
          const start = boundary(bytes, at % (bytes.length + 1));
          const end = boundary(bytes, Math.min(bytes.length, start + length));
          expect(read(bytes, start, Math.max(start, end))).toBe(bytes.toString('utf8', start, end));
        }
      },
    ),
  );
});

/** The start of the character at `index`. */
function boundary(bytes: Buffer, index: number): number {
  let at = index;
  while (at < bytes.length && ((bytes[at] ?? 0) & 0xc0) === 0x80) at--;
  return at;
}

test('after forgetting, the same place of the same buffer reads what is there now', () => {
  const bytes = Buffer.from('first value');
  forgetWindow(bytes.length);
  expect(read(bytes, 0, 5)).toBe('first');
  bytes.write('other value');
  forgetWindow(bytes.length);
  expect(read(bytes, 0, 5)).toBe('other');
});

test('one byte above 0x7f anywhere in the value takes it to the character set', () => {
  for (const length of [1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 127, 128, 129]) {
    for (let at = 0; at < length; at++) {
      const bytes = Buffer.alloc(length, 'a');
      bytes[at] = 0xe4; // ä in latin1
      forgetWindow(length);
      const text = read(bytes, 0, length, 'latin1');
      expect(text).toBe(`${'a'.repeat(at)}ä${'a'.repeat(length - at - 1)}`);
    }
  }
});

test('bytes that are no text of the character set are refused, beside ASCII that is read from the window', () => {
  const bytes = Buffer.from([0x61, 0xff, 0x62]);
  forgetWindow(bytes.length);
  expect(read(bytes, 0, 1)).toBe('a');
  expect(() => read(bytes, 0, 3)).toThrow(expect.objectContaining({ code: 'TEXT_UNDECODABLE' }) as Error);
  expect(read(bytes, 2, 3)).toBe('b');
});

test('an empty value is the empty string wherever it stands', () => {
  const bytes = Buffer.from('abc');
  forgetWindow(3);
  expect([0, 1, 3].map((at) => read(bytes, at, at))).toEqual(['', '', '']);
});
