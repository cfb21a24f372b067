import { expect, test } from 'vitest';
import { bytesText, countText, partitionsText, secondsText, textTable } from './text-table.ts';

test('columns are as wide as their widest cell, and no cell can break the terminal', () => {
  const table = textTable(
    [{ title: 'NAME' }, { title: 'N', align: 'right' }, { title: 'X' }],
    [
      ['a\u001b[2J', '5', ''],
      ['日本', '1000', 'x'],
    ],
  );
  expect(table).toBe('NAME           N  X\na\\u{1b}[2J     5\n日本        1000  x\n');
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [200 * 1024 ** 2, '200 MiB'],
  [5 * 1024 ** 5, '5120 TiB'],
])('%d bytes are %s', (bytes, text) => expect(bytesText(bytes)).toBe(text));

test.each([
  [0, '0 s'],
  [0.0001, '1 ms'],
  [0.25, '250 ms'],
  [90, '90 s'],
  [600, '10 min'],
  [86_400, '24 h'],
  [864_000, '10 d'],
])('%d seconds are %s', (seconds, text) => expect(secondsText(seconds)).toBe(text));

test('counts and partitions are short and exact', () => {
  expect(countText(1_234_567)).toBe('1 234 567');
  expect(partitionsText([3, 0, 1, 2, 20, 22, 23])).toBe('0-3,20,22-23');
  expect(partitionsText([])).toBe('');
});
