import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tableOf } from '../../testing/tables.ts';
import type { Value } from '../change.ts';
import type { ColumnType, TableSchema } from '../table-schema.ts';
import { keyHash, mixFolded, mixFoldedBytes, tableHash } from './key-hash.ts';

function keyed(...types: ColumnType[]): TableSchema {
  const names = types.map((_, i) => `c${i}`);
  return tableOf('shop.orders', Object.fromEntries(types.map((type, i) => [`c${i}`, type])), names);
}

/** Computed from the description in key-hash.ts by other means, in another language. */
const GOLDEN: readonly [ColumnType[], Value[], number][] = [
  [['int'], [0], 1759634539],
  [['int'], [1], 4233339649],
  [['int'], [-1], 81895899],
  [['bigint'], [2 ** 53 - 1], 1433783391],
  [['bigint'], [2n ** 63n], 4129056042],
  [['bigint'], [-(2n ** 63n)], 4129056042],
  [['double'], [0.1], 2800895802],
  [['varchar'], ['Straße 7'], 642695263],
  [['varchar'], [''], 142956362],
  [['char'], ['漢字'], 2764451762],
  [['enum'], ['Straße 7'], 4104289760],
  [['decimal'], ['12.50'], 315863391],
  [['uuid'], ['0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b'], 1948669387],
  [['binary'], [new Uint8Array([1, 2, 0, 255])], 2950721220],
  [['int', 'varchar'], [7, 'x'], 3666037006],
  [['int'], [null], 3838491348],
];

test.each(GOLDEN)('%o of %o has the hash that every log has of it', (types, values, hash) => {
  expect(keyHash(keyed(...types), values)).toBe(hash);
});

test('a table without a key has one hash, and tables differ, also when their names run together', () => {
  const hashes = ['a.bc', 'ab.c', 'a.b'].map((name) => tableHash(tableOf(name, { x: 'int' })));
  expect(new Set(hashes).size).toBe(3);
  expect(tableHash(tableOf('shop.orders', { x: 'int' }))).toBe(1735276489);
});

describe('equal keys have equal hashes', () => {
  test('a number and a bigint', () => {
    const table = keyed('bigint');
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(keyHash(table, [value])).toBe(keyHash(table, [BigInt(value)]));
      }),
    );
  });

  test('texts that a collation may hold for equal, and only in columns that have one', () => {
    const text = (type: ColumnType, value: string): number => keyHash(keyed(type), [value]);
    expect(text('varchar', 'ÄRGER ')).toBe(text('varchar', 'arger'));
    expect(text('enum', 'A')).not.toBe(text('enum', 'a'));
  });

  test('zero and minus zero, and bytes with and without the zeros at their end', () => {
    expect(keyHash(keyed('double'), [-0])).toBe(keyHash(keyed('double'), [0]));
    const binary = (...bytes: number[]): number => keyHash(keyed('binary'), [new Uint8Array(bytes)]);
    expect(binary(1, 0, 0)).toBe(binary(1));
    expect(binary(0, 1)).not.toBe(binary(1));
  });

  test('folded text, from its bytes as from the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), fc.integer(), (text, h) => {
        const bytes = Buffer.from(`é${text}é`);
        expect(mixFoldedBytes(h, bytes, { start: 2, end: bytes.length - 2 })).toBe(mixFolded(h, text));
        expect(mixFoldedBytes(h, bytes, { start: 2, end: bytes.length })).toBeNull();
      }),
    );
  });
});

test('the parts of a composite key do not run together', () => {
  const table = keyed('varchar', 'varchar');
  expect(keyHash(table, ['b', 'cd'])).not.toBe(keyHash(table, ['bc', 'd']));
  expect(keyHash(table, ['', 'b'])).not.toBe(keyHash(table, ['b', '']));
});

test.each<[string, ColumnType, (i: number) => Value]>([
  ['ids', 'bigint', (i) => i],
  ['ids in steps of 64', 'bigint', (i) => i * 64],
  ['ids in µs', 'bigint', (i) => 1_700_000_000_000_000 + i * 1000],
  ['text', 'varchar', (i) => `customer-${i}`],
  ['hexadecimal text', 'char', (i) => (i * 2_654_435_761).toString(16)],
  ['bytes', 'binary', (i) => new Uint8Array([i, i >> 8, 7, 0])],
])('%s spread over the partitions', (_, type, value) => {
  const table = keyed(type);
  const counts = Array.from({ length: 64 }, () => 0);
  for (let i = 0; i < 6400; i++) {
    const partition = keyHash(table, [value(i)]) % 64;
    counts[partition] = (counts[partition] ?? 0) + 1;
  }
  // 100 each would be even; so far off a fair die never falls.
  expect(Math.min(...counts)).toBeGreaterThan(50);
  expect(Math.max(...counts)).toBeLessThan(170);
});
