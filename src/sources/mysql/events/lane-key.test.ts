import { describe, expect, test } from 'vitest';
import { tableOf } from '../../../testing/tables.ts';
import { laneOfTable } from './lane-key.ts';

function laneOfText(collation: string | null): ReturnType<typeof laneOfTable> {
  return laneOfTable(tableOf('shop.words', { word: { type: 'varchar', collation } }, ['word']));
}

describe('keys that the server holds to be equal share a lane', () => {
  test.each([
    'utf8mb4_general_ci',
    'utf8mb4_0900_ai_ci',
    'utf8mb4_uca1400_ai_ci',
    'latin1_swedish_ci',
    'utf8mb4_unicode_520_ci',
  ])('under %s whatever their case and trailing spaces, and a text beyond ASCII runs alone', (collation) => {
    const lane = laneOfText(collation);
    expect(lane('Abc ')).toBe(lane('aBC'));
    expect(lane('abc')).not.toBe(lane('abd'));
    expect(lane('straße')).toBeNull();
    expect(lane('a\u0000')).toBeNull();
  });

  test('under a binary collation whatever their trailing spaces', () => {
    const lane = laneOfText('utf8mb4_bin');
    expect(lane('a ')).toBe(lane('a'));
    expect(lane('a')).not.toBe(lane('A'));
    expect(lane('straße')).not.toBe(lane('strasse'));
  });

  test.each(['utf8mb4_lithuanian_ci', 'utf8mb4_roman_ci', 'utf8mb4_da_0900_ai_ci', null])(
    'under %s, whose rules are not known here, all of them',
    (collation) => {
      const lane = laneOfText(collation);
      expect(lane('i')).toBe(lane('y'));
    },
  );

  test('also when they are numbers, big numbers or bytes; and different ones do not', () => {
    const table = tableOf('shop.things', { a: 'bigint', b: 'varbinary' }, ['a', 'b']);
    const lane = laneOfTable(table);
    expect(lane([12n, new Uint8Array([0, 255])])).toBe(lane([12n, Buffer.from([0, 255])]));
    expect(lane([12n, new Uint8Array([0, 255])])).not.toBe(lane([12n, new Uint8Array([255])]));
    expect(lane([1, Buffer.from('1')])).not.toBe(lane([11, Buffer.from('')]));
  });

  test('and tables have lanes of their own, one for all rows where there is no key', () => {
    const a = laneOfTable(tableOf('shop.a', { id: 'int' }, ['id']));
    const b = laneOfTable(tableOf('shop.b', { id: 'int' }, ['id']));
    const keyless = laneOfTable(tableOf('shop.c', { id: 'int' }));
    expect(a(1)).not.toBe(b(1));
    expect(keyless(null)).toBe(keyless(null));
  });
});
