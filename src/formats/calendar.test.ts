import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { epochDays, epochMicros, timeMicros } from './calendar.ts';

test('days and microseconds agree with the platform for every date that it knows', () => {
  const dates = fc.date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(dates, (date) => {
      const text = date.toISOString();
      expect(epochDays(text.slice(0, 10))).toBe(Math.floor(date.getTime() / 86_400_000));
      expect(epochMicros(text.slice(0, -1).replace('T', ' '))).toBe(BigInt(date.getTime()) * 1000n);
    }),
  );
});

describe('days that no calendar has', () => {
  test.each(['0000-00-00', '2026-00-10', '2026-01-00', '2026-02-30', '2025-02-29', '2026-04-31', 'nonsense'])(
    '%s',
    (text) => {
      expect(epochDays(text)).toBeNull();
      expect(epochMicros(text)).toBeNull();
    },
  );
});

test('times keep their sign and their microseconds, also beyond a day', () => {
  expect(timeMicros('838:59:59.000001')).toBe(3_020_399_000_001);
  expect(timeMicros('-838:59:59')).toBe(-3_020_399_000_000);
  expect(timeMicros('-00:00:00.5')).toBe(-500_000);
  expect(timeMicros('00:00:00')).toBe(0);
  expect(timeMicros('x')).toBeNull();
});
