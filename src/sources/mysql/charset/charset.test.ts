import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Charset, charsetByName } from './charset.ts';

/** One line a set: bytes and the text that public code charts give for them. */
const KNOWN: readonly (readonly [charset: string, bytes: string, text: string])[] = [
  ['armscii8', '41b2b3', 'AԱա'],
  ['ascii', '007f41', '\u0000\u007fA'],
  ['big5', '41a440a4a4f9d5', 'A一中龘'],
  ['cp1250', '8a9d80', 'Šť€'],
  ['cp1251', 'c0ff88', 'Ая€'],
  ['cp1256', '81c7', '\u067e\u0627'],
  ['cp1257', 'c8f0', 'Čš'],
  ['cp850', '84d5', 'äı'],
  ['cp852', '9ca5', 'ťą'],
  ['cp866', '80f0', 'АЁ'],
  ['cp932', '82a0b18740815f5cfa40', 'あｱ①＼\\ⅰ'],
  ['dec8', 'd7a8dd', 'Œ¤Ÿ'],
  ['eucjpms', 'a4a28eb1ada1a1c0', 'あｱ①＼'],
  ['euckr', 'b0a18141c8fe', '가갂힝'],
  ['gb18030', 'b0a1814081308130903081308139ee39e3329a35', '啊丂\u0080\u{10000}㐀\u{10ffff}'],
  ['gb2312', '41b0a1d6d0', 'A啊中'],
  ['gbk', '8140b0a1d6d0', '丂啊中'],
  ['geostd8', 'c080', 'ა€'],
  ['greek', 'c1f9', 'Αω'],
  ['hebrew', 'e0fa', '\u05d0\u05ea'],
  ['hp8', 'dacc', 'Öä'],
  ['keybcs2', '808487', 'Čäč'],
  ['koi8r', 'c1e1a3', 'аАё'],
  ['koi8u', 'a4b4a6', 'єЄі'],
  ['latin1', '80e4819f', '€ä\u0081Ÿ'],
  ['latin2', 'a1b1', 'Ąą'],
  ['latin5', 'f0fd', 'ğı'],
  ['latin7', 'c0e0', 'Ąą'],
  ['macce', '8a84', 'äĄ'],
  ['macroman', '8adb', 'ä€'],
  ['sjis', '82a0b1889f815f', 'あｱ亜\\'],
  ['swe7', '415b5d40', 'AÄÅÉ'],
  ['tis620', 'a1fb', 'ก๛'],
  ['ucs2', '004165e5', 'A日'],
  ['ujis', '41a4a28eb18fb0a1b0a1', 'Aあｱ丂亜'],
  ['utf16', '0041d83ddeb2', 'A🚲'],
  ['utf16le', '41003dd8b2de', 'A🚲'],
  ['utf32', '000000410001f6b2', 'A🚲'],
  ['utf8mb3', '41c3a4e697a5', 'Aä日'],
  ['utf8mb4', '41c3a4e697a5f09f9ab2efbbbfefbfbd', 'Aä日🚲\ufeff\ufffd'],
];

const UNDEFINED: readonly (readonly [charset: string, bytes: string, offset: number])[] = [
  ['ascii', '4180', 1],
  ['big5', '41a3c0', 1], // well-formed, without a character
  ['big5', 'a4', 0],
  ['cp1250', '4181', 1],
  ['cp932', '81ad', 0],
  ['cp932', 'b181', 1],
  ['eucjpms', '41a1', 1],
  ['euckr', 'a2e8', 0],
  ['gb18030', '813081', 0],
  ['gb18030', 'e3329a36', 0], // what would be U+110000
  ['gb18030', '4181308130ff', 5],
  ['gb18030', '8431a530', 0], // behind the BMP's last
  ['gb2312', 'a2a1', 0],
  ['gbk', '41a140', 1],
  ['gbk', '80', 0],
  ['hebrew', 'a1', 0],
  ['sjis', '4181ad', 1],
  ['swe7', '417f', 1],
  ['ujis', '8fa1a1', 0],
  ['ujis', '8fb0', 0],
  ['ujis', '418f', 1],
  ['ucs2', '0041d83d', 2],
  ['ucs2', 'd83ddeb2', 0], // a pair is no character of ucs2
  ['ucs2', '004100', 2],
  ['utf16', '0041d83d0041', 2],
  ['utf16', 'd83ddeb2deb2', 4],
  ['utf16', '00', 0],
  ['utf16le', '41003dd8', 2],
  ['utf16le', '410041', 2],
  ['utf32', '0000004100110000', 4],
  ['utf32', '0000d83d', 0],
  ['utf32', '000000410000', 4],
  ['utf8mb3', '41f09f9ab2', 1],
  ['utf8mb3', '41ff', 1],
  ['utf8mb4', '41eda080', 1], // a surrogate
  ['utf8mb4', 'c080', 0], // overlong
  ['utf8mb4', 'e08080', 0],
  ['utf8mb4', 'f0808080', 0],
  ['utf8mb4', 'f4908080', 0], // above U+10FFFF
  ['utf8mb4', 'efbfbdc3', 3],
  ['utf8mb4', '41e697', 1],
  ['utf8mb4', '4180', 1],
  ['filename', '4120', 1],
  ['filename', '4040', 0],
  ['filename', '614030304539', 1],
  ['filename', '4064383364', 0], // @d83d, a surrogate
];

function charset(name: string): Charset {
  const found = charsetByName(name, name === 'filename' ? 'mariadb' : 'mysql');
  if (found === null) throw new Error(`no ${name}`);
  return found;
}

/** Decodes from the middle of a larger buffer, as rows are. */
function decode(name: string, bytes: Uint8Array): string {
  const around = Buffer.concat([Buffer.from([0xa4, 0x81]), bytes, Buffer.from([0xa4, 0x30, 0x81, 0x30])]);
  return charset(name).decode(around, 2, 2 + bytes.length);
}

describe('known characters', () => {
  test.each(KNOWN)('%s %s is what the code chart says', (name, bytes, text) => {
    expect(decode(name, Buffer.from(bytes, 'hex'))).toBe(text);
  });

  test('filename undoes what a server makes of a table name', () => {
    expect(decode('filename', Buffer.from('a@0p@002d@65e5@@@_9'))).toBe('aé-日\0_9');
  });

  test('binary is one character for each byte', () => {
    expect(decode('binary', Buffer.from([0, 0x41, 0x80, 0xff]))).toBe('\u0000A\u0080ÿ');
  });

  test('the empty value is the empty string in every set', () => {
    for (const [name] of KNOWN) expect(decode(name, Buffer.alloc(0))).toBe('');
  });

  test('U+FFFD comes out where the server itself stores it, and nowhere else', () => {
    expect(decode('big5', Buffer.from('a15a', 'hex'))).toBe('\ufffd');
    expect(decode('tis620', Buffer.from('a0', 'hex'))).toBe('\ufffd');
  });
});

describe('bytes without a character', () => {
  test.each(UNDEFINED)('%s %s is refused at byte %i, without a word about the bytes', (name, bytes, offset) => {
    const value = Buffer.from(bytes, 'hex');
    expect(() => decode(name, value)).toThrowError(
      expect.objectContaining({
        code: 'TEXT_UNDECODABLE',
        retry: 'operator',
        message: `text is not ${name} at byte ${offset} of ${value.length}`,
        details: { charset: name, offsetBytes: offset, lengthBytes: value.length },
      }),
    );
  });

  test('a character cut off by the end of the value never takes bytes of the next one', () => {
    for (const [name, bytes] of KNOWN) {
      const value = Buffer.from(bytes, 'hex');
      for (let length = 0; length < value.length; length++) {
        const isolated = tryDecode(() => charset(name).decode(value.subarray(0, length), 0, length));
        expect([name, tryDecode(() => charset(name).decode(value, 0, length))]).toEqual([name, isolated]);
      }
    }
  });
});

describe('UTF-8', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  /** Bytes that often look like the parts of UTF-8 sequences. */
  const byte = fc.oneof(
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(0x41, 0x80, 0xbf, 0xc3, 0xe6, 0xed, 0xa0, 0xf0, 0xf4, 0x8f),
  );

  test('any text comes back', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 });
    fc.assert(
      fc.property(text, (value) => {
        expect(decode('utf8mb4', Buffer.from(value))).toBe(value);
      }),
    );
  });

  test('any bytes are what a strict decoder makes of them, or are refused as it refuses them', () => {
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 12 }), (values) => {
        const bytes = Buffer.from(values);
        const expected = tryDecode(() => strict.decode(bytes));
        expect(tryDecode(() => decode('utf8mb4', bytes))).toBe(expected);
        const isLong = expected !== null && /[\u{10000}-\u{10ffff}]/u.test(expected);
        expect(tryDecode(() => decode('utf8mb3', bytes))).toBe(isLong ? null : expected);
      }),
      { numRuns: 2000 },
    );
  });

  test('the offset of an error is the length of the longest valid beginning', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), fc.array(byte, { maxLength: 6 }), (text, values) => {
        const bytes = Buffer.concat([Buffer.from(text), Buffer.from(values)]);
        let valid = bytes.length;
        while (tryDecode(() => strict.decode(bytes.subarray(0, valid))) === null) valid--;
        if (valid === bytes.length) return;
        const details = { charset: 'utf8mb4', offsetBytes: valid, lengthBytes: bytes.length };
        expect(() => decode('utf8mb4', bytes)).toThrowError(expect.objectContaining({ details }));
      }),
    );
  });
});

describe('UTF-16 and UTF-32', () => {
  test('any text comes back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        const littleEndian = Buffer.from(text, 'utf16le');
        expect(decode('utf16le', littleEndian)).toBe(text);
        expect(decode('utf16', Buffer.from(littleEndian).swap16())).toBe(text);
        const codePoints = Buffer.alloc(4 * Array.from(text).length);
        Array.from(text).forEach((character, at) => codePoints.writeUInt32BE(character.codePointAt(0) ?? 0, 4 * at));
        expect(decode('utf32', codePoints)).toBe(text);
      }),
    );
  });
});

describe('long texts', () => {
  test.each(KNOWN)('%s reads a text beyond every kept buffer like a short one', (name, bytes, text) => {
    const times = Math.ceil(600_000 / (bytes.length / 2));
    const long = decode(name, Buffer.alloc((times * bytes.length) / 2, Buffer.from(bytes, 'hex')));
    expect(long === text.repeat(times)).toBe(true);
    expect(decode(name, Buffer.from(bytes, 'hex'))).toBe(text);
  });
});

describe('charsetByName', () => {
  test('takes names in any case, and utf8 for utf8mb3', () => {
    expect(charsetByName('UTF8MB4', 'mysql')?.name).toBe('utf8mb4');
    expect(charsetByName('utf8', 'mariadb')?.name).toBe('utf8mb3');
  });

  test('is null for what the server does not have', () => {
    expect(charsetByName('gb18030', 'mariadb')).toBeNull();
    expect(charsetByName('filename', 'mysql')).toBeNull();
    expect(charsetByName('klingon', 'mysql')).toBeNull();
    expect(charsetByName('constructor', 'mysql')).toBeNull();
  });

  test('a set is ASCII-transparent exactly if bytes below 0x80 are ASCII also behind any other byte', () => {
    for (const name of [...KNOWN.map(([name]) => name), 'binary', 'filename']) {
      let transparent = true;
      const set = charset(name);
      for (let first = 0; first < 256; first++) {
        // The second bytes at which the sets differ: below 0x30 none has a second byte, from 0x40 on some have nearly all.
        for (const second of [0x00, 0x20, 0x30, 0x41, 0x5b, 0x61, 0x7e]) {
          const text = tryDecode(() => set.decode(Buffer.from([first, second]), 0, 2));
          if (text !== null && (text.length < 2 || text.charCodeAt(1) !== second)) transparent = false;
        }
      }
      const plain = tryDecode(() => decode(name, Buffer.from(Array.from({ length: 128 }, (_, byte) => byte))));
      if (plain === null || plain.charCodeAt(0x5b) !== 0x5b) transparent = false;
      expect([name, charset(name).asciiTransparent]).toEqual([name, transparent]);
    }
  });
});

function tryDecode(decodeIt: () => string): string | null {
  try {
    return decodeIt();
  } catch {
    return null;
  }
}
