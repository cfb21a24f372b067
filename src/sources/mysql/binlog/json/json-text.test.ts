import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTidingsError } from '../../../../core/errors.ts';
import { JSON_TYPE } from './json-layout.ts';
import { decodeJsonText } from './json-text.ts';

/** Fields in hexadecimal, one per line in the tests below, each with its meaning. */
function bytesOf(...fields: readonly string[]): Buffer {
  return Buffer.from(fields.join('').replaceAll(' ', ''), 'hex');
}

function textOf(...fields: readonly string[]): string {
  const bytes = bytesOf(...fields);
  return decodeJsonText(bytes, 0, bytes.length);
}

function codeOf(decode: () => unknown): string {
  try {
    decode();
    return 'no error';
  } catch (error) {
    return isTidingsError(error) ? error.code : String(error);
  }
}

describe('decodeJsonText', () => {
  test('prints a document of zero bytes as null, as the server does for a NOT NULL column that got no value', () => {
    expect(textOf()).toBe('null');
  });

  test('prints literals and integers of every width, exactly', () => {
    expect(textOf('04', '00')).toBe('null');
    expect(textOf('04', '01')).toBe('true');
    expect(textOf('04', '02')).toBe('false');
    expect(textOf('05', '0080')).toBe('-32768');
    expect(textOf('06', 'ffff')).toBe('65535');
    expect(textOf('07', '00000080')).toBe('-2147483648');
    expect(textOf('08', 'ffffffff')).toBe('4294967295');
    expect(textOf('09', '0000000000000080')).toBe('-9223372036854775808');
    expect(textOf('09', '0100000000002000')).toBe('9007199254740993');
    expect(textOf('09', 'ffffffffffffdfff')).toBe('-9007199254740993');
    expect(textOf('09', '0000000000000180')).toBe('-9223090561878065152');
    expect(textOf('0a', 'ffffffffffffffff')).toBe('18446744073709551615');
    expect(textOf('0a', '0000000000000080')).toBe('9223372036854775808');
    expect(textOf('0b', '000000000000f83f')).toBe('1.5');
  });

  test('prints a small object: keys as stored, values inlined or behind the keys', () => {
    const text = textOf(
      '00', // small object
      '0300', // count
      '2b00', // size
      '1900 0100', // key 0: offset 25, 1 byte
      '1a00 0100', // key 1: offset 26
      '1b00 0200', // key 2: offset 27, 2 bytes
      '05 ffff', // value 0: int16 -1, inlined
      '04 0100', // value 1: true, inlined
      '0c 1d00', // value 2: string at offset 29
      '61', // a
      '62', // b
      '22 09', // a quote and a tab
      '0d', // length 13
      '5c 2f 00 1f 7f 0a 0d 08 0c c3a9 26 3c', // \ / NUL US DEL LF CR BS FF é & <
    );
    expect(text).toBe('{"a": -1, "b": true, "\\"\\t": "\\\\/\\u0000\\u001f\x7f\\n\\r\\b\\fé&<"}');
  });

  test('prints a large array with inlined 32-bit integers', () => {
    const text = textOf(
      '03', // large array
      '04000000', // count
      '20000000', // size 32
      '07 feffffff', // int32 -2, inlined
      '08 ffffffff', // uint32, inlined
      '04 00000000', // null, inlined
      '02 1c000000', // small array at offset 28
      '0000 0400', // count 0, size 4
    );
    expect(text).toBe('[-2, 4294967295, null, []]');
  });

  test('prints DECIMAL, temporal and other opaque values', () => {
    expect(textOf('0f', 'f6', '07', '0a 04 80000c 04d2')).toBe('12.1234');
    expect(textOf('0f', '0a', '08', '00000000 001e9519')).toBe('"2015-01-15"');
    expect(textOf('0f', '0f', '03', '566172')).toBe('"base64:type15:VmFy"');
    expect(textOf('0f', 'fd', '03', '566172')).toBe('"Var"');
    const line = Buffer.alloc(57).toString('base64');
    expect(textOf('0f', 'fc', '39', '00'.repeat(57))).toBe(`"base64:type252:${line}"`);
    expect(textOf('0f', 'fc', '3a', '00'.repeat(58))).toBe(`"base64:type252:${line}\\nAA=="`);
  });

  // Bytes from the binlog of MySQL 9.7.4, each with the expression that was inserted.
  test.each([
    [
      `JSON_OBJECT('b', 1, 'a', true, 'long key', JSON_ARRAY(-70000, 'x"y', NULL, JSON_OBJECT(), JSON_ARRAY()))`,
      '0003004600190001001a0001001b00080004010005010002230061626c6f6e67206b65790500230007' +
        '13000c1700040000001b00021f0090eefeff037822790000040000000400',
      '{"a": true, "b": 1, "long key": [-70000, "x\\"y", null, {}, []]}',
    ],
    [
      'JSON_ARRAY(0, 65535, 65536, -32769, 4294967295, 4294967296, 9007199254740993, 18446744073709551615, -9223372036854775808)',
      '0209005300050000071f00072300072700092b00093300093b000a4300094b00ffff000000000100ff7fffff' +
        'ffffffff0000000000000000010000000100000000002000ffffffffffffffff0000000000000080',
      '[0, 65535, 65536, -32769, 4294967295, 4294967296, 9007199254740993, 18446744073709551615, -9223372036854775808]',
    ],
    [
      'JSON_ARRAY(1e0, -0e0, 1e15, 1.5e-7, 5e-324)',
      '0205003b000b13000b1b000b23000b2b000b3300000000000000f03f000000000000008000003426f56b0c43' +
        '76830df4f521843e0100000000000000',
      '[1.0, -0.0, 1e15, 0.00000015, 5e-324]',
    ],
    [
      "JSON_ARRAY(12.1234, CAST('-0.5' AS DECIMAL(65,30)), CAST(0 AS DECIMAL(9,2)))",
      '02030033000f0d000f14000f2a00f60506048c04d2f614271e7fffffffe2329afffffffffffffffffffffff6070b028000000000',
      '[12.1234, -0.500000000000000000000000000000, 0.00]',
    ],
    [
      "JSON_ARRAY(DATE'2015-01-15', TIMESTAMP'2015-01-15 23:24:25.12', CAST('-12:34:56.123456' AS TIME(6)), CAST('0000-00-00' AS DATE))",
      '02040038000f10000f1a000f24000f2e000a0800000000001e95190c08c0d40119761f95190b08c01dfe4737ffffff0a080000000000000000',
      '["2015-01-15", "2015-01-15 23:24:25.120000", "-12:34:56.123456", "0000-00-00"]',
    ],
    [
      "JSON_ARRAY(x'566172', x'', CONVERT(x'00091f7f225c2fc3a9f09f9880' USING utf8mb4))",
      '02030022000f0d000f12000c14000f035661720f000d00091f7f225c2fc3a9f09f9880',
      '["base64:type15:VmFy", "base64:type15:", "\\u0000\\t\\u001f\x7f\\"\\\\/é😀"]',
    ],
  ])('prints what MySQL stored for %s', (_, hex, text) => {
    expect(textOf(hex)).toBe(text);
  });

  test('prints strings whose length takes several bytes, and gives back the memory of a huge one', () => {
    for (const [length, field] of [
      [127, '7f'],
      [128, '8001'],
      [16_384, '808001'],
      [2_097_152, '80808001'],
    ] as const) {
      expect(textOf('0c', field, '61'.repeat(length))).toBe(`"${'a'.repeat(length)}"`);
    }
    expect(textOf('0c', '808001', '01'.repeat(16_384))).toBe(`"${'\\u0001'.repeat(16_384)}"`);
  });

  test('prints half a surrogate pair, which old servers store, as the escape that it came from', () => {
    expect(textOf('0c', '07', 'c3a9 edb080 c3a9')).toBe('"é\\udc00é"');
    expect(codeOf(() => textOf('0c', '02', 'c328'))).toBe('BINLOG_CORRUPT');
  });

  test('reads only from start to end', () => {
    const bytes = bytesOf('ffff', '05 0700', 'ffff');
    expect(decodeJsonText(bytes, 2, 5)).toBe('7');
    expect(codeOf(() => decodeJsonText(bytes, 2, 4))).toBe('BINLOG_TRUNCATED');
    expect(codeOf(() => decodeJsonText(bytes, 2, 8))).toBe('BINLOG_TRUNCATED');
  });

  test.each([
    ['an unknown type', ['0d', '00']],
    ['an unknown literal', ['04', '03']],
    ['a double that is no number', ['0b', '000000000000f87f']],
    ['a length of six bytes', ['0c', '808080808000']],
    ['more members than the size has room for', ['02', '0200', '0700', '05 0000 00']],
    ['a value before the end of the entries', ['02', '0100 0700', '02 0000']],
    ['a value behind the end', ['02', '0100 0700', '02 0800']],
    ['a nested value that is larger than what it is in', ['02', '0100 0b00', '02 0700', '0000 0500', '00']],
    ['a nested string that is longer than what it is in', ['02', '0100 0900', '0c 0700', '02 61', '61']],
    ['a key before the end of the entries', ['00', '0100 0c00', '0a00 0100', '05 0000', '61']],
    ['a key behind the end', ['00', '0100 0c00', '0b00 0200', '05 0000', '61 61']],
    ['an unknown literal, inlined', ['02', '0100 0700', '04 0300']],
  ])('refuses %s', (_, fields) => {
    expect(codeOf(() => textOf(...fields))).toBe('BINLOG_CORRUPT');
  });

  test('refuses nesting that the server could not have stored', () => {
    const nested = (levels: number): Buffer => {
      let value: Value = [];
      for (let level = 1; level < levels; level++) value = [value];
      return encode(value, () => false);
    };
    const deepest = nested(100);
    expect(decodeJsonText(deepest, 0, deepest.length)).toBe(`${'['.repeat(100)}${']'.repeat(100)}`);
    const deeper = nested(101);
    expect(codeOf(() => decodeJsonText(deeper, 0, deeper.length))).toBe('BINLOG_CORRUPT');
  });

  test('does not print for ever when entries point to the same bytes again and again', () => {
    // Arrays of 16 elements, each one of which is the next array: 16^50 elements in 4 KB.
    const levels = 50;
    const array = (level: number): string => `1000 ${u16((levels - level) * 52)}${`02 ${u16(52)}`.repeat(16)}`;
    const bytes = bytesOf('02', ...Array.from({ length: levels }, (_, level) => array(level)), '0000 0400');
    expect(codeOf(() => decodeJsonText(bytes, 0, bytes.length))).toBe('BINLOG_CORRUPT');
  });
});

describe('any document', () => {
  const value = fc.letrec<{ value: Value }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'medium' },
      fc.constantFrom(null, true, false),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.integer({ min: -70_000, max: 70_000 }).map(BigInt),
      fc.string({ unit: 'binary' }),
      fc.array(tie('value')),
      fc.dictionary(fc.string({ unit: 'binary' }), tie('value')).map((members) => new Map(Object.entries(members))),
    ),
  })).value;
  const documents = fc
    .tuple(value, fc.array(fc.boolean(), { minLength: 1 }))
    .map(([content, formats]) => ({ content, bytes: encode(content, inTurn(formats)) }));

  test('prints as what was put in, in small and large formats', () => {
    fc.assert(
      fc.property(documents, ({ content, bytes }) => {
        expect(decodeJsonText(bytes, 0, bytes.length)).toBe(print(content));
      }),
    );
  });

  test('cut short anywhere is BINLOG_TRUNCATED, also when other bytes follow', () => {
    fc.assert(
      fc.property(documents, ({ bytes }) => {
        for (let end = 1; end < bytes.length; end++) {
          expect(codeOf(() => decodeJsonText(bytes, 0, end))).toBe('BINLOG_TRUNCATED');
          expect(codeOf(() => decodeJsonText(bytes.subarray(0, end), 0, end))).toBe('BINLOG_TRUNCATED');
        }
      }),
    );
  });

  test('with damaged bytes prints something or is refused, but never fails in another way', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(documents, damage, ({ bytes }, changes) => {
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        expect(codeOf(() => decodeJsonText(bytes, 0, bytes.length))).toMatch(
          /^(no error|BINLOG_CORRUPT|BINLOG_TRUNCATED)$/,
        );
      }),
      { numRuns: 2000 },
    );
  });
});

type Value = null | boolean | bigint | string | Value[] | Map<string, Value>;

/** Yields the choices one after the other, for ever. */
function inTurn(choices: readonly boolean[]): () => boolean {
  let next = 0;
  return () => choices[next++ % choices.length] ?? false;
}

function u16(value: number): string {
  return Buffer.from([value & 0xff, value >> 8]).toString('hex');
}

/** What the server would print. */
function print(value: Value): string {
  if (Array.isArray(value)) return `[${value.map(print).join(', ')}]`;
  if (value instanceof Map) {
    return `{${[...value].map(([key, member]) => `${quote(key)}: ${print(member)}`).join(', ')}}`;
  }
  return typeof value === 'string' ? quote(value) : String(value);
}

function quote(text: string): string {
  return JSON.stringify(text.toWellFormed());
}

/** Binary JSON, as the layout in json-layout.ts has it; `isLarge` decides for each object and array anew. */
function encode(value: Value, isLarge: () => boolean): Buffer {
  const { type, bytes } = encodeValue(value, isLarge);
  return Buffer.concat([Buffer.from([type]), bytes]);
}

function encodeValue(value: Value, isLarge: () => boolean): { type: number; bytes: Buffer } {
  if (value === null) return { type: JSON_TYPE.literal, bytes: Buffer.from([0]) };
  if (typeof value === 'boolean') return { type: JSON_TYPE.literal, bytes: Buffer.from([value ? 1 : 2]) };
  if (typeof value === 'bigint') return encodeInteger(value);
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    const length = text.length < 128 ? [text.length] : [(text.length & 0x7f) | 0x80, text.length >> 7];
    return { type: JSON_TYPE.string, bytes: Buffer.concat([Buffer.from(length), text]) };
  }
  return encodeContainer(value, isLarge);
}

function encodeInteger(value: bigint): { type: number; bytes: Buffer } {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  for (const [type, signed, bits] of [
    [JSON_TYPE.int16, true, 16],
    [JSON_TYPE.uint16, false, 16],
    [JSON_TYPE.int32, true, 32],
    [JSON_TYPE.uint32, false, 32],
    [JSON_TYPE.int64, true, 64],
  ] as const) {
    if ((signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)) === value) {
      return { type, bytes: bytes.subarray(0, bits / 8) };
    }
  }
  return { type: JSON_TYPE.uint64, bytes };
}

function encodeContainer(value: Value[] | Map<string, Value>, isLarge: () => boolean): { type: number; bytes: Buffer } {
  const large = isLarge();
  const width = large ? 4 : 2;
  const offset = (number: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(number);
    return bytes.subarray(0, width);
  };
  const keys = Array.isArray(value) ? [] : [...value.keys()].map((key) => Buffer.from(key));
  const count = Array.isArray(value) ? value.length : value.size;
  const entries: Buffer[] = [];
  const body: Buffer[] = [];
  let at = 2 * width + keys.length * (width + 2) + count * (width + 1);
  for (const key of keys) {
    entries.push(offset(at), Buffer.from([key.length & 0xff, key.length >> 8]));
    body.push(key);
    at += key.length;
  }
  for (const child of value.values()) {
    const { type, bytes } = encodeValue(child, isLarge);
    const inlined = [JSON_TYPE.literal, JSON_TYPE.int16, JSON_TYPE.uint16].some((known) => known === type);
    entries.push(Buffer.from([type]));
    if (inlined || (large && (type === JSON_TYPE.int32 || type === JSON_TYPE.uint32))) {
      entries.push(Buffer.concat([bytes, Buffer.alloc(4)]).subarray(0, width));
    } else {
      entries.push(offset(at));
      body.push(bytes);
      at += bytes.length;
    }
  }
  const format = (Array.isArray(value) ? JSON_TYPE.smallArray : JSON_TYPE.smallObject) + (large ? 1 : 0);
  return { type: format, bytes: Buffer.concat([offset(count), offset(at), ...entries, ...body]) };
}
