import { describe, expect, test } from 'vitest';
import { OPAQUE_TYPE, doubleText, jsonDecimalText, temporalText } from './json-scalars.ts';

describe('doubleText', () => {
  // What MySQL 9.7 prints for CAST(JSON_ARRAY(…) AS CHAR); thousands more are compared with a server in test/integration/mysql.
  test.each([
    ['0.0', 0],
    ['-0.0', -0],
    ['1.0', 1],
    ['-1.5', -1.5],
    ['100.0', 100],
    ['19.99', 19.99],
    ['16777217.0', 16_777_217],
    ['0.30000000000000004', 0.1 + 0.2],
    ['100000000000000.0', 1e14],
    ['999999999999999.0', 999_999_999_999_999],
    ['999999999999999.9', 999_999_999_999_999.9],
    ['1e15', 1e15],
    ['1234567890123456.5', 1_234_567_890_123_456.5],
    ['9.007199254740992e15', 9_007_199_254_740_992],
    ['1.2345678901234568e17', 123_456_789_012_345_680],
    ['1e21', 1e21],
    ['-1.5e300', -1.5e300],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['0.000001', 1e-6],
    ['0.00000015', 1.5e-7],
    ['-0.000000000125', -1.25e-10],
    ['0.000000000000001', 1e-15],
    ['0.0000000000000012345678901234568', 1.2345678901234568e-15],
    ['9.9e-16', 9.9e-16],
    ['2.2250738585072014e-308', 2.2250738585072014e-308],
    ['5e-324', Number.MIN_VALUE],
  ])('prints %s', (text, value) => {
    expect(doubleText(value)).toBe(text);
  });
});

describe('jsonDecimalText', () => {
  const decimal = (hex: string): string => {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    return jsonDecimalText(bytes, 0, bytes.length);
  };

  test('prints all digits of the scale and no leading zeros', () => {
    // precision 10, scale 4; six digits before the point in three bytes, the first bit inverted; four behind it in two
    expect(decimal('0a 04 80 00 0c 04 d2')).toBe('12.1234');
    expect(decimal('0a 04 7f ff f3 fb 2d')).toBe('-12.1234');
    expect(decimal('0a 04 80 00 00 00 00')).toBe('0.0000');
    // precision 3, scale 3: nothing before the point
    expect(decimal('03 03 80 01')).toBe('0.001');
  });

  test('refuses an impossible precision or scale, a wrong length and digits above nine', () => {
    for (const hex of [
      '',
      '0a',
      '00 00',
      '52 00 80',
      '05 06 80 00 00',
      '0a 04 80 00 0c 04',
      '0a 04 80 00 0c 04 d2 00',
    ]) {
      expect(() => decimal(hex)).toThrow(expect.objectContaining({ code: 'BINLOG_CORRUPT' }));
    }
    expect(() => decimal('0a 04 80 00 0c ff ff')).toThrow(expect.objectContaining({ code: 'BINLOG_CORRUPT' }));
  });
});

describe('temporalText', () => {
  const temporal = (type: number, packed: bigint): string => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(packed);
    return temporalText(type, bytes, 0, 8);
  };
  const datetime = (year: number, month: number, day: number, clock = 0n): bigint =>
    (((BigInt(year * 13 + month) << 5n) | BigInt(day)) << 41n) | clock;
  const clock = (hour: number, minute: number, second: number, micros: number): bigint =>
    (((BigInt(hour) << 12n) | BigInt((minute << 6) | second)) << 24n) | BigInt(micros);

  test('prints dates and times with microseconds always, and zero and partial dates as they are', () => {
    const at = clock(23, 24, 25, 120);
    expect(temporal(OPAQUE_TYPE.date, datetime(2015, 1, 15))).toBe('2015-01-15');
    expect(temporal(OPAQUE_TYPE.datetime, datetime(2015, 1, 15, at))).toBe('2015-01-15 23:24:25.000120');
    expect(temporal(OPAQUE_TYPE.timestamp, datetime(9999, 12, 31, at))).toBe('9999-12-31 23:24:25.000120');
    expect(temporal(OPAQUE_TYPE.datetime, 0n)).toBe('0000-00-00 00:00:00.000000');
    expect(temporal(OPAQUE_TYPE.date, datetime(2015, 0, 0))).toBe('2015-00-00');
  });

  test('prints times up to 838 hours and below zero', () => {
    expect(temporal(OPAQUE_TYPE.time, 0n)).toBe('00:00:00.000000');
    expect(temporal(OPAQUE_TYPE.time, clock(838, 59, 59, 0))).toBe('838:59:59.000000');
    expect(temporal(OPAQUE_TYPE.time, -clock(0, 0, 0, 1))).toBe('-00:00:00.000001');
    expect(temporal(OPAQUE_TYPE.time, -clock(12, 34, 56, 123_456))).toBe('-12:34:56.123456');
  });

  test('refuses what no clock and no calendar has', () => {
    for (const [type, packed] of [
      [OPAQUE_TYPE.time, clock(839, 0, 0, 0)],
      [OPAQUE_TYPE.time, clock(0, 60, 0, 0)],
      [OPAQUE_TYPE.time, clock(0, 0, 60, 0)],
      [OPAQUE_TYPE.time, clock(0, 0, 0, 1_000_000)],
      [OPAQUE_TYPE.datetime, clock(24, 0, 0, 0)],
      [OPAQUE_TYPE.datetime, datetime(10_000, 1, 1)],
      [OPAQUE_TYPE.datetime, -datetime(2000, 1, 1)],
      [OPAQUE_TYPE.date, -(2n ** 63n)],
    ] as const) {
      expect(() => temporal(type, packed)).toThrow(expect.objectContaining({ code: 'BINLOG_CORRUPT' }));
    }
    expect(() => temporalText(OPAQUE_TYPE.date, Buffer.alloc(7), 0, 7)).toThrow(
      expect.objectContaining({ code: 'BINLOG_CORRUPT' }),
    );
  });
});
