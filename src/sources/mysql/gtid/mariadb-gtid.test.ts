import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MariadbGtidPosition, parseMariadbGtid } from './mariadb-gtid.ts';

const number = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }));
const gtid = fc.record({
  domain: fc.constantFrom(0, 1, 7, 4294967295),
  server: fc.constantFrom(1, 2, 4294967295),
  sequence: number,
});

describe('text', () => {
  test('is read with white space and printed by domain', () => {
    expect(MariadbGtidPosition.parse(' 2-1-7 ,0-3-15\n').toString()).toBe('0-3-15,2-1-7');
    expect(MariadbGtidPosition.parse('').isEmpty).toBe(true);
    expect(MariadbGtidPosition.EMPTY.toString()).toBe('');
  });

  test('numbers up to 2^64-1 stay exact', () => {
    expect(MariadbGtidPosition.parse('0-1-18446744073709551615').toString()).toBe('0-1-18446744073709551615');
    expect(parseMariadbGtid('0-1-9007199254740993').sequence).toBe(9007199254740993n);
  });

  test.each([
    '0-1',
    '0-1-2-3',
    '0-1-2,',
    '0-1-2,0-2-3',
    '4294967296-1-1',
    '0-4294967296-1',
    '0-1-18446744073709551616',
    '0--1-2',
    '0-1-x',
    '3e11fa47-71ca-11e1-9e33-c80aa9429562:1',
  ])('%s is refused', (text) => {
    expect(() => MariadbGtidPosition.parse(text)).toThrow(expect.objectContaining({ code: 'GTID_INVALID' }));
  });
});

test('every position of a stream still tells the last GTID of each domain as it was then', () => {
  fc.assert(
    fc.property(fc.array(gtid, { maxLength: 100 }), (gtids) => {
      let position = MariadbGtidPosition.parse('7-1-1');
      const model = new Map<number, string>([[7, '7-1-1']]);
      const seen: [MariadbGtidPosition, string][] = [];
      for (const { domain, server, sequence } of gtids) {
        position = position.with(domain, server, sequence);
        model.set(domain, `${domain}-${server}-${sequence}`);
        const expected = [...model].toSorted(([a], [b]) => a - b).map(([, text]) => text);
        seen.push([position, expected.join(',')]);
      }
      for (const [then, text] of seen) {
        expect(then.toString()).toBe(text);
        expect(MariadbGtidPosition.parse(text).equals(then)).toBe(true);
        for (const each of then.gtids()) expect(then.get(each.domain)).toEqual(each);
      }
      expect(position.get(12345)).toBeNull();
    }),
  );
});

test('many domains are kept, whatever their number', () => {
  let position = MariadbGtidPosition.EMPTY;
  for (let i = 0; i < 1000; i++) position = position.with(i % 100, 1, i);
  expect(position.gtids()).toHaveLength(100);
  expect(position.get(42)).toEqual({ domain: 42, server: 1, sequence: 942 });
});

test('of a list that names a domain twice, the last counts', () => {
  const gtids = [parseMariadbGtid('0-1-5'), parseMariadbGtid('1-1-1'), parseMariadbGtid('0-2-3')];
  expect(MariadbGtidPosition.of(gtids).toString()).toBe('0-2-3,1-1-1');
});

test('a position covers another when it is as far in each of its domains, whatever server got there', () => {
  const position = MariadbGtidPosition.parse('0-1-10,1-1-5');
  const relation = (text: string): readonly unknown[] => {
    const other = MariadbGtidPosition.parse(text);
    return [position.covers(other), other.covers(position), position.compare(other)];
  };
  expect(relation('0-2-10')).toEqual([true, false, 1]);
  expect(relation('0-1-10,1-9-5')).toEqual([true, true, 0]);
  expect(relation('0-1-11')).toEqual([false, false, null]);
  expect(relation('0-1-11,1-1-5,2-1-1')).toEqual([false, true, -1]);
  expect(relation('')).toEqual([true, false, 1]);
});
