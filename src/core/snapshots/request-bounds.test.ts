import fc from 'fast-check';
import { expect, test } from 'vitest';
import { areHours } from './request-bounds.ts';
import { parseHours } from './source-load.ts';

test.each(['22:00-05:30', '0:00-24:00', '9:05-09:06', '00:00-23:59', '23:59-00:00'])('%s are hours', (text) => {
  expect(areHours(text)).toBe(true);
});

test.each([
  '',
  '22-5',
  '22:00',
  '22:00-22:00',
  '5:00-05:00',
  '24:00-05:00',
  '22:60-23:00',
  '22:00-24:01',
  ' 22:00-05:30',
])('"%s" are none', (text) => {
  expect(areHours(text)).toBe(false);
});

test('whatever is let in as hours can be kept to', () => {
  const number = fc.integer({ min: 0, max: 61 });
  const digits = fc.oneof(
    number.map(String),
    number.map((value) => String(value).padStart(2, '0')),
  );
  fc.assert(
    fc.property(fc.tuple(digits, digits, digits, digits), ([h1, m1, h2, m2]) => {
      const text = `${h1}:${m1}-${h2}:${m2}`;
      if (areHours(text)) expect(() => parseHours(text)).not.toThrow();
      else expect(() => parseHours(text)).toThrow('are no hours of the day');
    }),
  );
});
