import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyListOf, type KeyRequest, keysOf, requestedKeys, type RowKey } from './key-list.ts';
import { SNAPSHOT_BOUNDS } from './request-bounds.ts';

const request: KeyRequest = { keys: [1, 2], tables: ['shop.orders'], where: null, truncate: false };

test('a list is kept with all digits of its integers, and bytes as base64 text', () => {
  const list = keyListOf([7, 18_446_744_073_709_551_615n, 'é"', [1.5, new Uint8Array([0, 255])], [9]]);
  expect(list).toEqual({ count: 5, json: String.raw`[7,18446744073709551615,"é\"",[1.5,"AP8="],9]` });
  expect(keysOf(list)).toEqual([7, 18_446_744_073_709_551_615n, 'é"', [1.5, 'AP8='], 9]);
});

test('whatever keys are asked for, each comes out once, and as it was', () => {
  const value = fc.oneof(fc.integer(), fc.bigInt(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string());
  const key: fc.Arbitrary<RowKey> = fc.oneof(value, fc.array(value, { minLength: 2, maxLength: 4 }));
  const normal = (each: unknown): unknown =>
    Array.isArray(each) ? each.map(normal) : typeof each === 'string' ? each : Number(each);
  fc.assert(
    fc.property(fc.array(key, { minLength: 1, maxLength: 20 }), (keys) => {
      const list = keyListOf([...keys, ...keys]);
      const back = keysOf(list);
      expect(back).toHaveLength(list.count);
      expect(new Set(back.map((each) => JSON.stringify(normal(each))))).toEqual(
        new Set(keys.map((each) => JSON.stringify(normal(each)))),
      );
      expect(keyListOf(back)).toEqual(list);
    }),
  );
});

test.each<[string, readonly unknown[], string]>([
  ['no key at all', [], 'keys'],
  ['NULL, which no key has', [1, null], 'keys.1'],
  ['NULL in a composite key', [[1, null]], 'keys.0'],
  ['a boolean', [true], 'keys.0'],
  ['an object', [{ id: 1 }], 'keys.0'],
  ['a list in a list', [[[1]]], 'keys.0'],
  ['a key without values', [1, []], 'keys.1'],
  ['more values than a key has', [Array.from({ length: 33 }, () => 1)], 'keys.0'],
  ['a number that is none', [Number.NaN], 'keys.0'],
  ['too many keys', Array.from({ length: SNAPSHOT_BOUNDS.keys + 1 }, (_, i) => i), 'keys'],
  ['too many bytes', Array.from({ length: 500 }, (_, i) => `${i}${'x'.repeat(2000)}`), 'keys'],
])('%s is refused by its place', (_name, keys, field) => {
  expect(() => keyListOf(keys)).toThrow(expect.objectContaining({ code: 'SNAPSHOT_KEYS_INVALID', details: { field } }));
});

test('as many keys as may be are taken', () => {
  expect(keyListOf(Array.from({ length: SNAPSHOT_BOUNDS.keys }, (_, i) => i)).count).toBe(SNAPSHOT_BOUNDS.keys);
});

test('what is wrong never shows a value', () => {
  const secret = { toString: (): string => 'the secret', secret: 'the secret' };
  for (const keys of [[secret], ['the secret', secret], [['the secret', null]]]) {
    expect(() => keyListOf(keys)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('secret') }));
  }
});

test('a request without keys is none of keys', () => {
  expect(requestedKeys({ ...request, keys: null, tables: null, where: '1', truncate: true })).toBeNull();
});

test('keys go with one table that is named, and with no other way to say which rows', () => {
  expect(requestedKeys(request)).toEqual({ count: 2, json: '[1,2]' });
  expect(requestedKeys({ ...request, tables: ['`my.db`.`a*b`'] })).not.toBeNull();
  const refused: readonly [Partial<KeyRequest>, string][] = [
    [{ tables: null }, 'tables'],
    [{ tables: [] }, 'tables'],
    [{ tables: ['shop.orders', 'shop.lines'] }, 'tables'],
    [{ tables: ['shop.*'] }, 'tables'],
    [{ tables: ['*.orders'] }, 'tables'],
    [{ tables: ['orders'] }, 'tables'],
    [{ tables: ['/shop[.]orders/'] }, 'tables'],
    [{ where: 'id > 5' }, 'where'],
    [{ truncate: true }, 'truncate'],
  ];
  for (const [change, field] of refused) {
    expect(() => requestedKeys({ ...request, ...change })).toThrow(
      expect.objectContaining({ code: 'SNAPSHOT_KEYS_INVALID', details: { field } }),
    );
  }
});
