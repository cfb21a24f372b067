import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTidingsError } from '../../../../core/errors.ts';
import { applyJsonDiffs } from './json-diff.ts';

/** Fields in hexadecimal; a path or other text stands in quotes. */
function bytesOf(...fields: readonly string[]): Buffer {
  return Buffer.concat(
    fields.map((field) =>
      field.startsWith("'") ? Buffer.from(field.slice(1, -1)) : Buffer.from(field.replaceAll(' ', ''), 'hex'),
    ),
  );
}

function codeOf(decode: () => unknown): string {
  try {
    decode();
    return 'no error';
  } catch (error) {
    return isTidingsError(error) ? error.code : String(error);
  }
}

// {"a": [1, 2, 3], "b": {"x y": 1}}, as MySQL 9.7.4 writes it
const BEFORE = bytesOf(
  '00', // small object
  '0200 2f00', // count 2, size 47
  '1200 0100', // key 0: offset 18, 1 byte
  '1300 0100', // key 1: offset 19
  '02 1400', // value 0: small array at offset 20
  '00 2100', // value 1: small object at offset 33
  "'ab'",
  '0300 0d00', // count 3, size 13
  '05 0100 05 0200 05 0300', // int16 1, 2, 3, inlined
  '0100 0e00', // count 1, size 14
  '0b00 0300', // key: offset 11, 3 bytes
  '05 0100', // int16 1, inlined
  "'x y'",
);

describe('applyJsonDiffs', () => {
  test('leaves the document as it was when there are no diffs', () => {
    expect(applyJsonDiffs(BEFORE, Buffer.alloc(0))).toBe('{"a": [1, 2, 3], "b": {"x y": 1}}');
  });

  test('replaces an element and a member, several in a row', () => {
    const diffs = bytesOf(
      '00', // replace
      '06', // path length
      "'$.a[1]'",
      '05', // value length
      '0c 03', // string of 3 bytes
      "'two'",
      '00', // replace
      '09', // path length
      `'$.b."x y"'`,
      '07', // value length
      '0f', // opaque
      'f6 04 02 01 81 05', // DECIMAL, 4 bytes: precision 2, scale 1, 1.5
    );
    expect(applyJsonDiffs(BEFORE, diffs)).toBe('{"a": [1, "two", 3], "b": {"x y": 1.5}}');
  });

  test('inserts members in their sorted place and elements behind the end', () => {
    const diffs = bytesOf(
      '01', // insert
      '06',
      "'$.a[9]'",
      '03',
      '05 0400', // int16 4
      '01',
      '03',
      "'$.c'",
      '02',
      '04 01', // true
      '01',
      '0a',
      `'$.b."q\\"t"'`,
      '02',
      '04 00', // null
      '01',
      '04',
      `'$.""'`,
      '00', // a value of zero bytes: null
    );
    expect(applyJsonDiffs(BEFORE, diffs)).toBe(
      '{"": null, "a": [1, 2, 3, 4], "b": {"q\\"t": null, "x y": 1}, "c": true}',
    );
  });

  test('inserts before an element, and at the start when counted from the end beyond it', () => {
    expect(applyJsonDiffs(BEFORE, bytesOf('01', '06', "'$.a[1]'", '03', '05 0900'))).toContain('[1, 9, 2, 3]');
    expect(applyJsonDiffs(BEFORE, bytesOf('01', '0b', "'$.a[last-9]'", '03', '05 0900'))).toContain('[9, 1, 2, 3]');
    expect(applyJsonDiffs(BEFORE, bytesOf('01', '0b', "'$.a[last-1]'", '03', '05 0900'))).toContain('[1, 9, 2, 3]');
  });

  test('removes elements and members', () => {
    const diffs = bytesOf('02', '06', "'$.a[0]'", '02', '09', "'$.a[last]'", '02', '09', `'$.b."x y"'`);
    expect(applyJsonDiffs(BEFORE, diffs)).toBe('{"a": [2], "b": {}}');
  });

  test('changes what an earlier diff has put in', () => {
    const diffs = bytesOf(
      '00', // replace $.a[0] by {"k": 1}
      '06',
      "'$.a[0]'",
      '0d',
      '00 0100 0c00 0b00 0100 05 0100', // small object, count 1, size 12, key at 11, int16 1
      "'k'",
      '00', // replace
      '08',
      "'$.a[0].k'",
      '03',
      '05 0200',
      '01', // insert
      '08',
      "'$.a[0].n'",
      '03',
      '05 0300',
    );
    expect(applyJsonDiffs(BEFORE, diffs)).toBe('{"a": [{"k": 2, "n": 3}, 2, 3], "b": {"x y": 1}}');
  });

  test.each([
    ['an unknown operation', ['03', '03', "'$.a'"]],
    ['the whole document', ['00', '01', "'$'", '02', '04 00']],
    ['a path that is none', ['02', '02', "'a.'"]],
    ['a member that is not there', ['00', '03', "'$.z'", '02', '04 00']],
    ['an element that is not there', ['02', '06', "'$.a[3]'"]],
    ['an element before the first', ['02', '0b', "'$.a[last-3]'"]],
    ['a member that is there already', ['01', '03', "'$.a'", '02', '04 00']],
    ['a member of an array', ['01', '05', "'$.a.b'", '02', '04 00']],
    ['an element of an object', ['01', '04', "'$[0]'", '02', '04 00']],
    ['something within a number', ['01', '08', "'$.a[0].b'", '02', '04 00']],
  ])('refuses a diff of %s', (_, fields) => {
    expect(codeOf(() => applyJsonDiffs(BEFORE, bytesOf(...fields)))).toBe('BINLOG_CORRUPT');
  });

  test('cut short anywhere but between two diffs is BINLOG_TRUNCATED', () => {
    const first = bytesOf('00', '06', "'$.a[1]'", '05', '0c 03', "'two'");
    const diffs = Buffer.concat([first, bytesOf('02', '03', "'$.b'")]);
    for (let end = 1; end < diffs.length; end++) {
      const code = codeOf(() => applyJsonDiffs(BEFORE, diffs.subarray(0, end)));
      expect(code, `cut at ${end}`).toBe(end === first.length ? 'no error' : 'BINLOG_TRUNCATED');
    }
    for (let end = 1; end < BEFORE.length; end++) {
      expect(codeOf(() => applyJsonDiffs(BEFORE.subarray(0, end), diffs))).toBe('BINLOG_TRUNCATED');
    }
  });

  test('with damaged bytes gives a text or is refused, but never fails in another way', () => {
    const valid = bytesOf(
      '00',
      '06',
      "'$.a[1]'",
      '05',
      '0c 03',
      "'two'",
      '01',
      '03',
      "'$.c'",
      '02',
      '04 01',
      '02',
      '03',
      "'$.b'",
    );
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
    const damaged = (bytes: Buffer, changes: readonly (readonly [number, number])[]): Buffer => {
      const copy = Buffer.from(bytes);
      for (const [at, byte] of changes) copy[at % copy.length] = byte;
      return copy;
    };
    fc.assert(
      fc.property(damage, damage, fc.boolean(), (inBefore, inDiffs, both) => {
        const before = both ? damaged(BEFORE, inBefore) : BEFORE;
        const code = codeOf(() => applyJsonDiffs(before, damaged(valid, inDiffs)));
        expect(code).toMatch(/^(no error|BINLOG_CORRUPT|BINLOG_TRUNCATED)$/);
      }),
      { numRuns: 3000 },
    );
  });
});
