import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { accepts, cutsAccepted, frame, u64 } from '../../../../test/support/frames.ts';
import { encodeUnsignedVarlen } from '../binlog/varlen-integer.ts';
import { MysqlGtidSet } from './mysql-gtid-set.ts';

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const B = '4350f323-7565-4e59-8763-4b1b83a0ce0e';
const A_BYTES = Buffer.from(A.replaceAll('-', ''), 'hex');
const B_BYTES = Buffer.from(B.replaceAll('-', ''), 'hex');

const SOURCES = [A, B, `${A}:blue`, `${A}:_red1`];

/** Small numbers, so that intervals meet, and numbers around the limit of exact doubles. */
const gno = fc.oneof(fc.integer({ min: 1, max: 24 }), fc.bigInt({ min: 2n ** 53n - 6n, max: 2n ** 53n + 6n }));
const gtid = fc.tuple(fc.constantFrom(...SOURCES), gno);

/** The naive model: each GTID as a text. */
function model(gtids: readonly (readonly [string, number | bigint])[]): Set<string> {
  return new Set(gtids.map(([source, number]) => `${source}:${number}`));
}

function build(gtids: readonly (readonly [string, number | bigint])[]): MysqlGtidSet {
  return MysqlGtidSet.parse(gtids.map(([source, number]) => `${source}:${number}`).join(','));
}

function list(set: MysqlGtidSet): Set<string> {
  const found = new Set<string>();
  for (const source of set.sources) {
    const intervals = set.intervals(source);
    for (let i = 0; i < intervals.length; i += 2) {
      for (let n = BigInt(intervals[i] ?? 0); n <= BigInt(intervals[i + 1] ?? 0); n++) found.add(`${source}:${n}`);
    }
  }
  return found;
}

function without(a: ReadonlySet<string>, b: ReadonlySet<string>): Set<string> {
  return new Set([...a].filter((each) => !b.has(each)));
}

function isSubset(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return without(a, b).size === 0;
}

describe('text', () => {
  test('is read with white space, newlines, capitals, redundant commas and intervals in any order', () => {
    const text = ` ,${A.toUpperCase()}:7-9 : 1 - 3:4:2,\n\t${B}:5,,`;
    expect(MysqlGtidSet.parse(text).toString()).toBe(`${A}:1-4:7-9,${B}:5`);
  });

  test('is printed with UUIDs and tags in order, untagged first, one entry for each UUID', () => {
    const text = `${B}:1,${A}:zeta:3-4:9:Alpha:1,${A}:5`;
    expect(MysqlGtidSet.parse(text).toString()).toBe(`${A}:5:alpha:1:zeta:3-4:9,${B}:1`);
    expect(MysqlGtidSet.parse(text).toServerText()).toBe(`${A}:5:alpha:1:zeta:3-4:9,\n${B}:1`);
  });

  test('a UUID may come in braces and without dashes, as the server takes it', () => {
    expect(MysqlGtidSet.parse(`{${A}}:1`).toString()).toBe(`${A}:1`);
    expect(MysqlGtidSet.parse(`${A.replaceAll('-', '')}:1`).toString()).toBe(`${A}:1`);
  });

  test('numbers up to 2^63-2 stay exact', () => {
    const text = `${A}:9007199254740991-9007199254740993:9223372036854775806`;
    const set = MysqlGtidSet.parse(text);
    expect(set.toString()).toBe(text);
    expect(set.containsGtid(A, 9007199254740992n)).toBe(true);
    expect(set.containsGtid(A, 9007199254740994n)).toBe(false);
  });

  test('the empty text is the empty set', () => {
    expect(MysqlGtidSet.parse(' \n').isEmpty).toBe(true);
    expect(MysqlGtidSet.EMPTY.toString()).toBe('');
  });

  test.each([
    `${A}:0`,
    `${A}:5-3`,
    `${A}:1-`,
    `${A}:-1`,
    `${A}:1-2-3`,
    `${A}:`,
    `${A}:9223372036854775807`,
    `${A}:tag-with-dash:1`,
    `${A}:tag_of_more_than_32_characters_xyz:1`,
    `${A.slice(1)}:1`,
    `{${A}:1`,
    'binlog.000001:4',
    '0-1-2',
  ])('%s is refused', (text) => {
    expect(() => MysqlGtidSet.parse(text)).toThrow(
      expect.objectContaining({ code: 'GTID_INVALID', retry: 'operator' }),
    );
  });

  test('printing and reading again gives the same set', () => {
    fc.assert(
      fc.property(fc.array(gtid), (gtids) => {
        const set = build(gtids);
        expect(MysqlGtidSet.parse(set.toString()).equals(set)).toBe(true);
        expect(MysqlGtidSet.parse(set.toServerText()).toString()).toBe(set.toString());
        expect(list(set)).toEqual(model(gtids));
      }),
    );
  });
});

describe('algebra, against sets of texts', () => {
  test('union, subtract, contains, equals and isEmpty agree with the model', () => {
    fc.assert(
      fc.property(fc.array(gtid), fc.array(gtid), (left, right) => {
        const [a, b] = [build(left), build(right)];
        const [modelA, modelB] = [model(left), model(right)];
        expect(list(a.union(b))).toEqual(new Set([...modelA, ...modelB]));
        expect(list(a.subtract(b))).toEqual(without(modelA, modelB));
        expect(a.contains(b)).toBe(isSubset(modelB, modelA));
        expect(a.equals(b)).toBe(isSubset(modelA, modelB) && isSubset(modelB, modelA));
        expect(a.union(b).equals(b.union(a))).toBe(true);
        expect(a.subtract(b).union(b).equals(a.union(b))).toBe(true);
        expect(a.subtract(a).isEmpty).toBe(true);
        expect(a.isEmpty).toBe(modelA.size === 0);
        for (const [source, number] of right) {
          expect(a.containsGtid(source, number)).toBe(modelA.has(`${source}:${number}`));
        }
      }),
    );
  });

  test('whole intervals are taken apart and joined like their numbers', () => {
    const interval = fc
      .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 15 }))
      .map(([first, length]) => ({ source: A, first, last: first + length }));
    fc.assert(
      fc.property(fc.array(interval), fc.array(interval), (left, right) => {
        const [a, b] = [MysqlGtidSet.of(left), MysqlGtidSet.of(right)];
        expect(list(a.subtract(b))).toEqual(without(list(a), list(b)));
        expect(list(a.union(b))).toEqual(new Set([...list(a), ...list(b)]));
        expect(a.contains(b)).toBe(isSubset(list(b), list(a)));
      }),
    );
  });
});

describe('bytes', () => {
  test('a set without tags has the form that every server understands', () => {
    const bytes = frame(
      u64(2), // sources; byte 7 is the format, 0
      A_BYTES,
      u64(2), // intervals
      u64(1), // first
      u64(6), // last + 1
      u64(9),
      u64(10),
      B_BYTES,
      u64(1),
      u64(3),
      u64(4),
    );
    expect(MysqlGtidSet.parse(`${A}:1-5:9,${B}:3`).encode()).toEqual(bytes);
    expect(MysqlGtidSet.decode(bytes).toString()).toBe(`${A}:1-5:9,${B}:3`);
    expect(cutsAccepted((body) => MysqlGtidSet.decode(body), bytes)).toEqual([]);
  });

  test('a set with tags has the tagged form', () => {
    const bytes = frame(
      [1, 2, 0, 0, 0, 0, 0, 1], // format, sources u48, format
      A_BYTES,
      [0], // tag: none
      u64(1),
      u64(1),
      u64(6),
      A_BYTES,
      [4 << 1], // length of the tag, varlen
      'blue',
      u64(1),
      u64(2),
      u64(3),
    );
    expect(MysqlGtidSet.parse(`${A}:1-5:blue:2`).encode()).toEqual(bytes);
    expect(MysqlGtidSet.decode(bytes).toString()).toBe(`${A}:1-5:blue:2`);
    expect(cutsAccepted((body) => MysqlGtidSet.decode(body), bytes)).toEqual([]);
  });

  test('the compact form of MySQL 9.6 is understood', () => {
    const varlen = (value: number): Buffer => encodeUnsignedVarlen(BigInt(value));
    const bytes = frame(
      [2, 3, 0, 0, 0, 0, 0, 2], // format, sources u48, format
      varlen(2), // tags
      varlen(0),
      varlen(4),
      'blue',
      varlen(0 * 2 + 1), // no tag, a uuid follows
      A_BYTES,
      varlen(3), // boundaries stored; odd: the first, 1, is left out
      varlen(6 - 1 - 1), // last + 1 of 1-5
      varlen(9 - 6 - 1),
      varlen(10 - 9 - 1),
      varlen(1 * 2), // blue, the same uuid
      varlen(2),
      varlen(2 - 1 - 1),
      varlen(3 - 2 - 1),
      varlen(0 * 2 + 1),
      B_BYTES,
      varlen(1),
      varlen(100 - 1 - 1),
    );
    expect(MysqlGtidSet.decode(bytes).toString()).toBe(`${A}:1-5:9:blue:2,${B}:1-99`);
    expect(cutsAccepted((body) => MysqlGtidSet.decode(body), bytes)).toEqual([]);
  });

  test.each([
    ['an unknown format', frame([3, 0, 0, 0, 0, 0, 0, 3])],
    ['two formats', frame([1, 0, 0, 0, 0, 0, 0, 2])],
    ['an empty interval', frame(u64(1), A_BYTES, u64(1), u64(5), u64(5))],
    ['a number of 0', frame(u64(1), A_BYTES, u64(1), u64(0), u64(5))],
    ['a number beyond the last', frame(u64(1), A_BYTES, u64(1), u64(1), u64(2n ** 63n))],
    ['a tag of 33 characters', frame([1, 1, 0, 0, 0, 0, 0, 1], A_BYTES, [33 << 1], 'a'.repeat(33), u64(0))],
    ['a tag with a dash', frame([1, 1, 0, 0, 0, 0, 0, 1], A_BYTES, [3 << 1], 'a-b', u64(0))],
    ['bytes behind the end', frame(u64(0), [0])],
    ['more sources than bytes', frame([255, 255, 255, 255, 255, 255, 255, 0])],
  ])('%s is refused', (_, bytes) => {
    expect(accepts((body) => MysqlGtidSet.decode(body), bytes)).toBe(false);
  });

  test('encoding and decoding gives the same set, and every cut of it is refused', () => {
    fc.assert(
      fc.property(fc.array(gtid, { maxLength: 12 }), (gtids) => {
        const set = build(gtids);
        expect(MysqlGtidSet.decode(set.encode()).equals(set)).toBe(true);
        expect(cutsAccepted((body) => MysqlGtidSet.decode(body), set.encode())).toEqual([]);
      }),
    );
  });

  test('random bytes are refused in the right way or read, never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(0, 1, 2), (random, format) => {
        const header = format === 0 ? [1, 0, 0, 0, 0, 0, 0, 0] : [format, 1, 0, 0, 0, 0, 0, format];
        accepts((body) => MysqlGtidSet.decode(body), frame(header, Buffer.from(random)));
      }),
    );
  });
});
