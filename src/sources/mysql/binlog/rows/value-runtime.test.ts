import { deflateRawSync, deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  bigSigned,
  bitValue,
  blob,
  enumMember,
  inet4,
  inet6,
  paddedBinary,
  setMembers,
  uncompressColumn,
  uuid,
  vector,
} from './value-runtime.ts';

const corrupt = expect.objectContaining({ code: 'BINLOG_CORRUPT' }) as Error;
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('integers', () => {
  test('beyond 2^53 they come from their halves', () => {
    expect(bigSigned(-0x8000_0000, 0)).toBe(-(2n ** 63n));
    expect(bigSigned(0x7fff_ffff, 0xffff_ffff)).toBe(2n ** 63n - 1n);
    expect(bigSigned(0xffff_ffff, 0xffff_ffff)).toBe(2n ** 64n - 1n);
    expect(bigSigned(-1, 0xffff_ffff)).toBe(-1n);
  });

  test.each([
    ['01', 1, 1],
    ['ffffffffffff', 6, 2 ** 48 - 1],
    ['1fffffffffffff', 7, Number.MAX_SAFE_INTEGER],
    ['20000000000000', 7, 2n ** 53n],
    ['ffffffffffffff', 7, 2n ** 56n - 1n],
    ['001fffffffffffff', 8, Number.MAX_SAFE_INTEGER],
    ['ffffffffffffffff', 8, 2n ** 64n - 1n],
  ])('the bits %s in %i bytes are %s, whatever stands before them', (bits, length, value) => {
    expect(bitValue(hex(`ff${bits}ff`), 1, length)).toBe(value);
  });
});

describe('bytes', () => {
  test.each([0, 1, 64, 65, 1000])('a BLOB of %i bytes is a copy', (length) => {
    const bytes = Buffer.alloc(length + 2, 7);
    const copy = blob(bytes, 1, length + 1);
    bytes.fill(0);
    expect(copy).toEqual(new Uint8Array(length).fill(7));
    expect(copy.buffer.byteLength).toBe(length);
  });

  test('BINARY gets back the zero bytes that the log drops', () => {
    expect(paddedBinary(hex('aa0102bb'), { start: 1, end: 3, size: 4 })).toEqual(Uint8Array.of(1, 2, 0, 0));
    expect(paddedBinary(hex(''), { start: 0, end: 0, size: 0 })).toEqual(new Uint8Array(0));
  });

  test('VECTOR: float32 little-endian; half a float is corrupt', () => {
    expect(vector(hex('ff 0000803f 000000c0'), 1, 9)).toEqual(Float32Array.of(1, -2));
    expect(() => vector(hex('0000803f00'), 0, 5)).toThrow(corrupt);
  });
});

describe('ENUM and SET', () => {
  test('a member by its number, the empty string for the error value, and no other', () => {
    expect(enumMember(2, ['a', 'b'])).toBe('b');
    expect(enumMember(0, ['a', 'b'])).toBe('');
    expect(() => enumMember(3, ['a', 'b'])).toThrow(corrupt);
  });

  test('members by their bits, over all eight bytes', () => {
    const members = Array.from({ length: 64 }, (_, i) => `m${i}`);
    const set = (bits: string, length: number): string =>
      setMembers(hex(bits), 0, { length, members, cache: new Map() });
    expect(set('05', 1)).toBe('m0,m2');
    expect(set('00', 1)).toBe('');
    expect(set('000080', 3)).toBe('m23');
    expect(set('00000080', 4)).toBe('m31');
    expect(set('0000000001000080', 8)).toBe('m32,m63');
    expect(set('ffffffffffffffff', 8)).toBe(members.join());
  });

  test('the same low bits with other high ones are not taken from memory', () => {
    const members = Array.from({ length: 64 }, (_, i) => `m${i}`);
    const options = { length: 8, members, cache: new Map<number, string>() };
    expect(setMembers(hex('0100000000000000'), 0, options)).toBe('m0');
    expect(setMembers(hex('0100000001000000'), 0, options)).toBe('m0,m32');
    expect(setMembers(hex('0100000000000000'), 0, options)).toBe('m0');
  });

  test('a bit without a member is corrupt', () => {
    expect(() => setMembers(hex('04'), 0, { length: 1, members: ['a', 'b'], cache: new Map() })).toThrow(corrupt);
  });
});

describe("MariaDB's types", () => {
  test.each([
    // header: 8 is the method, 1 the bytes of the length, which is big-endian
    ['zlib', (data: Buffer): Buffer => Buffer.concat([hex('82'), hex('012c'), deflateSync(data)])],
    ['raw deflate', (data: Buffer): Buffer => Buffer.concat([hex('8a'), hex('012c'), deflateRawSync(data)])],
    ['nothing', (data: Buffer): Buffer => Buffer.concat([hex('00'), data])],
  ])('a COMPRESSED value stored with %s', (_method, store) => {
    const data = Buffer.alloc(300, 'compress me ');
    const stored = store(data);
    const bytes = Buffer.concat([hex('ff'), stored, hex('ff')]);
    expect(uncompressColumn(bytes, 1, 1 + stored.length)).toEqual(data);
  });

  test('an empty COMPRESSED value has no header', () => {
    expect(uncompressColumn(hex('ff'), 0, 0)).toHaveLength(0);
  });

  test.each([
    ['an unknown method', hex('91 05 00')],
    ['no length', hex('80 00')],
    ['a length of five bytes', hex('85 0000000001 00')],
    ['a header that is cut', hex('83 00')],
    ['data that is cut', Buffer.concat([hex('81 64'), deflateSync(Buffer.alloc(100)).subarray(0, 5)])],
    ['a value shorter than it says', Buffer.concat([hex('81 64'), deflateSync(Buffer.alloc(99))])],
    ['a value longer than it says', Buffer.concat([hex('81 64'), deflateSync(Buffer.alloc(101))])],
  ])('a COMPRESSED value with %s is corrupt', (_what, bytes) => {
    expect(() => uncompressColumn(bytes, 0, bytes.length)).toThrow(corrupt);
  });

  test.each([
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['00000000000000000000ffffc0000201', '::ffff:192.0.2.1'],
    ['000000000000000000000000c0000201', '::192.0.2.1'],
    ['20010db8000000000000000000000001', '2001:db8::1'],
    ['20010db8000000000000000000000000', '2001:db8::'],
    ['00010000000000020000000000000003', '1:0:0:2::3'], // the longest run
    ['00010000000000020000000000030004', '1::2:0:0:3:4'], // the first of equals
    ['00010002000300000005000600070008', '1:2:3::5:6:7:8'], // be it a single group
    ['fe800000000000000000fffe01020304', 'fe80::fffe:102:304'],
  ])('INET6 %s is %s', (bytes, text) => {
    expect(inet6(hex(`ff${bytes}`), 1)).toBe(text);
  });

  test('INET4 and UUID', () => {
    expect(inet4(hex('c0000201'), 0)).toBe('192.0.2.1');
    expect(uuid(hex('123e4567e89b12d3a456426614174000'), 0)).toBe('123e4567-e89b-12d3-a456-426614174000');
  });
});
