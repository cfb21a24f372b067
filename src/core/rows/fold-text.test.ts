import { expect, test } from 'vitest';
import { foldText } from './fold-text.ts';

// Equal under some collation of MySQL or MariaDB: test/integration/mysql/collations.test.ts asks the servers for all of them.
const ALIKE: readonly (readonly string[])[] = [
  ['a', 'A', 'á', 'Ä', 'ä', 'ae', 'æ', 'Å', 'aa', 'a ', ' a', 'ａ', 'Ⓐ', 'ª', '𝐀'],
  ['straße', 'strasse', 'STRASSE', 'strase', 'STRAẞE'],
  ['ü', 'u', 'ue', 'y', 'Ű'],
  ['ö', 'ø', 'o', 'oe', 'œ'],
  ['i', 'I', 'ı', 'İ', 'j', 'y', 'ĳ'],
  ['v', 'w', 'u'],
  ['þ', 'th', 'TH'],
  ['c', 'ch', 'ç'],
  ['đ', 'ð', 'd', 'Ď'],
  ['σ', 'ς', 'Σ'],
  ['ᾳ', 'α', 'Α', 'ά'],
  ['й', 'и', 'И'],
  ['ё', 'е', 'Е'],
  ['か', 'カ', 'ｶ', 'が', 'ガ', 'ｶﾞ', 'ヵ'],
  ['つ', 'っ', 'ッ', 'ｯ'],
  ['한', '\u1112\u1161\u11ab'],
  ['⺒', '巳'],
  ['١٦', '16', '⑯', '⓰', '१६'],
  ['\u0000a\u0009b', 'ab', 'a\u0301b', 'a\u200bb', 'A-B'],
  ['🚲', '😀', '\u{10ffff}', ''],
];

test.each(ALIKE.map((texts) => [texts.join(' '), texts] as const))('%s fold alike', (_, texts) => {
  expect(new Set(texts.map(foldText))).toEqual(new Set([foldText(texts[0] ?? '')]));
});

test('what tells keys apart stays: digits, letters of other sounds, other scripts', () => {
  const texts = [
    '1',
    '11',
    '12',
    'b',
    'c',
    'd',
    'bc',
    'cb',
    'б',
    'в',
    '漢',
    '字',
    '漢字',
    'か',
    'き',
    '한',
    '국',
    'ب',
    'ת',
  ];
  expect(new Set(texts.map(foldText)).size).toBe(texts.length);
});

test('a text folds as its parts do: what is equal in another text’s place stays equal', () => {
  const pieces = ALIKE.map((texts) => texts.slice(0, 4));
  for (const before of ['', 'a', 'e', 's', 'o1']) {
    for (const behind of ['', 'e', 'h', 'ae', 's1']) {
      for (const texts of pieces) {
        expect(new Set(texts.map((text) => foldText(before + text + behind))).size).toBe(1);
      }
    }
  }
});
