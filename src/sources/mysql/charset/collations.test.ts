import { expect, test } from 'vitest';
import { charsetByName } from './charset.ts';
import { charsetOfCollation, charsetOfCollationName, collationName, defaultCollationOf } from './collations.ts';

test('ids that both servers have always had mean the same on both', () => {
  for (const flavour of ['mysql', 'mariadb'] as const) {
    expect(charsetOfCollation(8, flavour)).toBe('latin1');
    expect(charsetOfCollation(33, flavour)).toBe('utf8mb3');
    expect(charsetOfCollation(45, flavour)).toBe('utf8mb4');
    expect(charsetOfCollation(63, flavour)).toBe('binary');
    expect(charsetOfCollation(17, flavour)).toBe('filename');
    expect(collationName(46, flavour)).toBe('utf8mb4_bin');
  }
});

test('ids above 255 are those of their own server', () => {
  expect(collationName(255, 'mysql')).toBe('utf8mb4_0900_ai_ci');
  expect(collationName(309, 'mysql')).toBe('utf8mb4_0900_bin');
  expect(charsetOfCollation(249, 'mysql')).toBe('gb18030');
  expect(charsetOfCollation(249, 'mariadb')).toBeNull();
  expect(collationName(1032, 'mariadb')).toBe('latin1_swedish_nopad_ci');
  expect(charsetOfCollation(1032, 'mysql')).toBeNull();
  expect(collationName(245, 'mysql')).toBe('utf8mb4_croatian_ci');
  expect(collationName(245, 'mariadb')).toBe('utf8mb4_croatian_mysql561_ci');
});

test("MariaDB's uca1400 collations follow from their ids", () => {
  expect(collationName(2048, 'mariadb')).toBe('utf8mb3_uca1400_ai_ci');
  expect(collationName(2308, 'mariadb')).toBe('utf8mb4_uca1400_nopad_ai_ci');
  expect(collationName(2316, 'mariadb')).toBe('utf8mb4_uca1400_icelandic_nopad_ai_ci');
  expect(collationName(3271, 'mariadb')).toBe('utf32_uca1400_croatian_nopad_as_cs');
  expect(charsetOfCollation(2560, 'mariadb')).toBe('ucs2');
  expect(charsetOfCollation(3272, 'mariadb')).toBeNull();
  expect(charsetOfCollation(2048, 'mysql')).toBeNull();
});

test("MySQL's 0900 collations, which MariaDB from 11.4.5 on takes too, are utf8mb4 there as well", () => {
  for (let id = 255; id <= 308; id++) expect(charsetOfCollation(id, 'mariadb')).toBe(charsetOfCollation(id, 'mysql'));
  expect(collationName(278, 'mariadb')).toBe('utf8mb4_0900_as_cs');
});

test('an id that no server has is null', () => {
  for (const id of [0, -1, 1.5, 100, 65_535]) expect(charsetOfCollation(id, 'mysql')).toBeNull();
});

test('every collation belongs to a character set that can be decoded', () => {
  for (const flavour of ['mysql', 'mariadb'] as const) {
    for (let id = 1; id < 4096; id++) {
      const name = collationName(id, flavour);
      if (name === null || name === 'filename') continue;
      const charset = charsetOfCollation(id, flavour);
      expect(charsetOfCollationName(name)).toBe(charset);
      expect([name, charset === null ? null : charsetByName(charset, flavour)?.name]).toEqual([name, charset]);
    }
  }
});

test('a name says its character set in any case and in the spelling of older servers', () => {
  expect(charsetOfCollationName('LATIN1_Swedish_CI')).toBe('latin1');
  expect(charsetOfCollationName('utf8_general_ci')).toBe('utf8mb3');
  expect(charsetOfCollationName('binary')).toBe('binary');
});

test('a name that goes with several character sets says none', () => {
  expect(charsetOfCollationName('uca1400_ai_ci')).toBeNull();
  expect(charsetOfCollationName('')).toBeNull();
  expect(charsetOfCollationName('nonsense')).toBeNull();
});

test('defaults are those of the flavour', () => {
  expect(defaultCollationOf('utf8mb4', 'mysql')).toBe('utf8mb4_0900_ai_ci');
  expect(defaultCollationOf('utf8mb4', 'mariadb')).toBe('utf8mb4_general_ci');
  expect(defaultCollationOf('UTF8', 'mysql')).toBe('utf8mb3_general_ci');
  expect(defaultCollationOf('binary', 'mysql')).toBe('binary');
  expect(defaultCollationOf('gb18030', 'mariadb')).toBeNull();
});
