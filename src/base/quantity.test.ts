import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DURATION_PATTERN, formatDuration, formatSize, parseDuration, parseSize, SIZE_PATTERN } from './quantity.ts';

test.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['1.5h', 5_400_000],
  ['7d', 604_800_000],
  ['2w', 1_209_600_000],
  ['0s', 0],
])('%s is a duration', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  ['1B', 1],
  ['10MB', 10_000_000],
  ['64GiB', 68_719_476_736],
  ['0.5KiB', 512],
  ['1KB', 1000],
])('%s is a size', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['', '5', 's', '5 s', '-5s', '5S', '5min', '.5s', '1e3s', '5sec', '5toString', '99999999999999w'])(
  'what is no duration is never taken for one: %j',
  (text) => {
    expect(parseDuration(text)).toBeNull();
  },
);

test.each(['64gib', '64 GiB', '1G', '1e9B', '-1B'])('what is no size is never taken for one: %j', (text) => {
  expect(parseSize(text)).toBeNull();
});

test('what is written is read back as the same value, and fits the pattern that editors check', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      expect(parseDuration(formatDuration(value))).toBe(value);
      expect(parseSize(formatSize(value))).toBe(value);
      expect(formatDuration(value)).toMatch(new RegExp(DURATION_PATTERN));
      expect(formatSize(value)).toMatch(new RegExp(SIZE_PATTERN));
    }),
  );
});
