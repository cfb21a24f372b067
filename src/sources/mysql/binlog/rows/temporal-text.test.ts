import { describe, expect, test } from 'vitest';
import {
  dateFrom3,
  datetime1,
  datetime2,
  datetimeHires,
  fraction,
  time1,
  time2,
  timeHires,
  timestamp2,
  timestampHires,
} from './temporal-text.ts';

const date = (year: number, month: number, day: number): number => (year << 9) | (month << 5) | day;

describe('DATE', () => {
  test.each([
    [2026, 11, 20, '2026-11-20'],
    [0, 0, 0, '0000-00-00'],
    [2026, 0, 10, '2026-00-10'],
    [2026, 2, 31, '2026-02-31'],
    [9999, 12, 31, '9999-12-31'],
    [1, 1, 1, '0001-01-01'],
  ])('%i/%i/%i is as SELECT prints it, the first time and again', (year, month, day, text) => {
    expect(dateFrom3(date(year, month, day))).toBe(text);
    expect(dateFrom3(date(year, month, day))).toBe(text);
  });

  test('dates that share a slot of the memory of recent ones do not mix', () => {
    // 4096 slots, eight years of 512.
    const dates = [0, 8, 16, 2000, 2008, 2016].map((year) => date(year, 3, 4));
    const texts = dates.map((each) => dateFrom3(each));
    expect(texts).toEqual(['0000-03-04', '0008-03-04', '0016-03-04', '2000-03-04', '2008-03-04', '2016-03-04']);
    expect(dates.toReversed().map((each) => dateFrom3(each))).toEqual(texts.toReversed());
  });
});

/** DATETIME(f) since 5.6: its 40 bits. */
function datetimeParts(fields: readonly [number, number, number, number, number, number]): [high: number, low: number] {
  const [year, month, day, hour, minute, second] = fields;
  const packed =
    (1n << 39n) | // sign
    (BigInt(year * 13 + month) << 22n) |
    (BigInt(day) << 17n) |
    (BigInt(hour) << 12n) |
    (BigInt(minute) << 6n) |
    BigInt(second);
  return [Number(packed >> 32n), Number(packed & 0xffff_ffffn)];
}

describe('DATETIME since 5.6', () => {
  test.each([
    [[2026, 11, 20, 9, 15, 2], '2026-11-20 09:15:02'],
    [[0, 0, 0, 0, 0, 0], '0000-00-00 00:00:00'],
    [[2026, 0, 10, 1, 2, 3], '2026-00-10 01:02:03'],
    [[9999, 12, 31, 23, 59, 59], '9999-12-31 23:59:59'],
  ] as const)('%j is as SELECT prints it', (fields, text) => {
    expect(datetime2(...datetimeParts(fields))).toBe(text);
  });

  test.each([
    // One byte holds two digits, two hold four, three hold six, whatever the number of digits.
    [50, 1, '.5'],
    [99, 2, '.99'],
    [7, 2, '.07'],
    [1230, 3, '.123'],
    [9999, 4, '.9999'],
    [120, 5, '.00012'],
    [1, 6, '.000001'],
    [999_999, 6, '.999999'],
  ])('a fraction stored as %i in %i digits is %s', (stored, digits, text) => {
    expect(fraction(stored, digits)).toBe(text);
  });
});

describe('TIMESTAMP', () => {
  test.each([
    [0, 0, 0, '0000-00-00T00:00:00Z'],
    [0, 0, 3, '0000-00-00T00:00:00.000Z'],
    [1, 0, 0, '1970-01-01T00:00:01Z'],
    [0, 50, 1, '1970-01-01T00:00:00.5Z'], // MariaDB has it
    [1_795_166_102, 123_456, 6, '2026-11-20T09:15:02.123456Z'],
    [2 ** 31 - 1, 9990, 3, '2038-01-19T03:14:07.999Z'],
    // MariaDB 11.5 and later read the seconds without a sign.
    [2 ** 31, 0, 0, '2038-01-19T03:14:08Z'],
    [2 ** 32 - 1, 0, 0, '2106-02-07T06:28:15Z'],
  ])('%i seconds and %i in %i digits is %s', (seconds, stored, digits, text) => {
    expect(timestamp2(seconds, stored, digits)).toBe(text);
  });

  test('of MariaDB with mysql56_temporal_format=OFF: the fraction is in units of its last digit', () => {
    expect(timestampHires(1, 5, 1)).toBe('1970-01-01T00:00:01.5Z');
    expect(timestampHires(1, 123, 5)).toBe('1970-01-01T00:00:01.00123Z');
    expect(timestampHires(0, 0, 2)).toBe('0000-00-00T00:00:00.00Z');
  });
});

/** TIME(f) since 5.6: the number in its bytes. `ticks` is the fraction as stored; all of it is subtracted from zero when negative. */
function timeNumber(
  negative: boolean,
  [hour, minute, second]: readonly [number, number, number],
  { ticks = 0, bytes = 0 } = {},
): number {
  const magnitude = ((hour << 12) | (minute << 6) | second) * 256 ** bytes + ticks;
  return 0x80_0000 * 256 ** bytes + (negative ? -magnitude : magnitude);
}

describe('TIME since 5.6', () => {
  test.each([
    [timeNumber(false, [0, 0, 0]), 0, '00:00:00'],
    [timeNumber(false, [838, 59, 59]), 0, '838:59:59'],
    [timeNumber(true, [838, 59, 59]), 0, '-838:59:59'],
    [timeNumber(true, [0, 0, 0], { ticks: 1, bytes: 3 }), 6, '-00:00:00.000001'],
    [timeNumber(true, [0, 0, 1], { ticks: 999_999, bytes: 3 }), 6, '-00:00:01.999999'],
    [timeNumber(true, [12, 0, 0], { ticks: 50, bytes: 1 }), 1, '-12:00:00.5'],
    [timeNumber(false, [99, 59, 59], { ticks: 9990, bytes: 2 }), 3, '99:59:59.999'],
    [timeNumber(false, [100, 0, 0], { ticks: 0, bytes: 2 }), 4, '100:00:00.0000'],
  ])('%i with %i digits is %s', (value, digits, text) => {
    expect(time2(value, digits)).toBe(text);
  });
});

describe('types before 5.6', () => {
  test.each([
    [0, '00:00:00'],
    [91_502, '09:15:02'], // the decimal number HHMMSS
    [8_385_959, '838:59:59'],
    [-8_385_959, '-838:59:59'],
    [-1, '-00:00:01'],
  ])('TIME %i is %s', (value, text) => {
    expect(time1(value)).toBe(text);
  });

  test.each([
    [0, '0000-00-00 00:00:00'],
    [20_261_120_091_502, '2026-11-20 09:15:02'], // YYYYMMDDHHMMSS
    [99_991_231_235_959, '9999-12-31 23:59:59'],
    [20_260_010_000_000, '2026-00-10 00:00:00'],
  ])('DATETIME %i is %s', (value, text) => {
    expect(datetime1(value)).toBe(text);
  });
});

describe("MariaDB's types of mysql56_temporal_format=OFF", () => {
  const ZERO_SECONDS = 839n * 3600n;

  test.each([
    [1, 0n, '00:00:00.0'],
    [3, -1n, '-00:00:00.001'],
    [5, 1n, '00:00:00.00001'],
    [6, 3_020_399_999_999n, '838:59:59.999999'],
    [6, -3_020_399_999_999n, '-838:59:59.999999'],
    [2, -99n, '-00:00:00.99'],
  ])('TIME(%i) is counted from -839:00:00: %i is %s', (digits, ticks, text) => {
    expect(timeHires(ZERO_SECONDS * 10n ** BigInt(digits) + ticks, digits)).toBe(text);
  });

  test.each([
    [1, [2026, 11, 20, 9, 15, 2], 5n, '2026-11-20 09:15:02.5'],
    [6, [9999, 12, 31, 23, 59, 59], 999_999n, '9999-12-31 23:59:59.999999'],
    [3, [0, 0, 0, 0, 0, 0], 0n, '0000-00-00 00:00:00.000'],
    [4, [2026, 0, 31, 0, 0, 0], 1n, '2026-00-31 00:00:00.0001'],
  ] as const)('DATETIME(%i) %j and %i is %s', (digits, [year, month, day, hour, minute, second], ticks, text) => {
    const seconds =
      ((((BigInt(year) * 13n + BigInt(month)) * 32n + BigInt(day)) * 24n + BigInt(hour)) * 60n + BigInt(minute)) * 60n +
      BigInt(second);
    expect(datetimeHires(seconds * 10n ** BigInt(digits) + ticks, digits)).toBe(text);
  });
});
