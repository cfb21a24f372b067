import { afterPoint, FOUR_DIGITS, fixedDigits, TWO_DIGITS } from './digits.ts';

/**
 * Dates and times as SELECT prints them; TIMESTAMP as UTC in ISO 8601. Values that are not dates (`0000-00-00`, `2020-00-00`)
 * print as they are: every function is a plain reading of the stored fields.
 *
 * Sources: MySQL, mysys/my_time.cc, my_*_packed_from_binary() for the types since 5.6; sql-common/my_time.cc and
 * sql/field.cc (Field_newdate, Field_time, Field_datetime, Field_timestamp) for the older ones; MariaDB, sql/compat56.cc and
 * sql/field.cc (Field_*_hires) for its own sub-second types of 5.3 to 10.1.
 *
 * Strings are made from tables that fill as values occur: a date or a second of the day is formatted once, then reused.
 */

/** `-MM-DD` by month * 32 + day. */
const MONTH_DAY: readonly string[] = Array.from(
  { length: 16 * 32 },
  (_, i) => `-${TWO_DIGITS[i >> 5]}-${TWO_DIGITS[i & 31]}`,
);
/** ` HH:MM:` by hour * 64 + minute. */
const HOUR_MINUTE: readonly string[] = Array.from(
  { length: 32 * 64 },
  (_, i) => ` ${TWO_DIGITS[i >> 6]}:${TWO_DIGITS[i & 63]}:`,
);
/** ` HH:MM:SS` by (hour * 64 + minute) * 64 + second. */
const CLOCK: string[] = Array.from({ length: 32 * 64 * 64 });
/** `YYYY-MM-DDT` by days since 1970, as far as 32 bits of seconds reach. */
const UTC_DAY: string[] = Array.from({ length: 49_711 });
/** `HH:MM:SS` by second of the day. */
const UTC_CLOCK: string[] = Array.from({ length: 86_400 });

/** Recently used dates: slot (year * 512 + month * 32 + day) modulo the size, checked by the key beside it. */
const DATE_SLOTS = 4096;
const dateKeys = new Int32Array(DATE_SLOTS).fill(-1);
const dateTexts: string[] = Array.from({ length: DATE_SLOTS }, () => '');

function dateText(year: number, monthDay: number): string {
  const key = (year << 9) | monthDay;
  const slot = key & (DATE_SLOTS - 1);
  if (dateKeys[slot] === key) return dateTexts[slot] as string;
  const text = (FOUR_DIGITS[year] as string) + (MONTH_DAY[monthDay] as string);
  dateKeys[slot] = key;
  dateTexts[slot] = text;
  return text;
}

function clockText(packed: number): string {
  const known = CLOCK[packed];
  if (known !== undefined) return known;
  const text = (HOUR_MINUTE[packed >> 6] as string) + (TWO_DIGITS[packed & 63] as string);
  CLOCK[packed] = text;
  return text;
}

/** DATE, 3 bytes little-endian: year 15 bits, month 4, day 5. */
export function dateFrom3(packed: number): string {
  return dateText(packed >> 9, packed & 511);
}

/**
 * DATETIME(f) since 5.6, 5 bytes big-endian: sign 1 bit (always set), year * 13 + month 17, day 5, hour 5, minute 6, second 6.
 * `high` is the first byte, `low` the four behind it.
 */
export function datetime2(high: number, low: number): string {
  const clock = low & 0x1ffff;
  // The upper 22 bits of the 39: the date.
  const date = (high & 0x7f) * 32_768 + (low >>> 17);
  const yearMonth = date >> 5;
  const year = (yearMonth / 13) | 0;
  return dateText(year, ((yearMonth - year * 13) << 5) | (date & 31)) + clockText(clock);
}

/** `.` and `digits` (1 to 6) digits of a stored fraction: 1 byte holds two digits, 2 hold four, 3 hold six. */
export function fraction(stored: number, digits: number): string {
  return afterPoint(digits & 1 ? (stored / 10) | 0 : stored, digits);
}

/** TIMESTAMP: seconds since 1970 UTC. 0 is MySQL's zero timestamp, which is no moment: the caller handles it. */
function utcSeconds(seconds: number): string {
  const day = (seconds / 86_400) | 0;
  const second = seconds - day * 86_400;
  let date = UTC_DAY[day];
  if (date === undefined) {
    date = new Date(day * 86_400_000).toISOString().slice(0, 11);
    UTC_DAY[day] = date;
  }
  let clock = UTC_CLOCK[second];
  if (clock === undefined) {
    clock = new Date(second * 1000).toISOString().slice(11, 19);
    UTC_CLOCK[second] = clock;
  }
  return date + clock;
}

const THREE_DIGITS_Z: readonly string[] = Array.from({ length: 1000 }, (_, n) => `${String(n).padStart(3, '0')}Z`);

const ZERO_TIMESTAMP = '0000-00-00T00:00:00';

/** TIMESTAMP(f) since 5.6: seconds, then the stored fraction (see `fraction`); `digits` 0 has none. */
export function timestamp2(seconds: number, stored: number, digits: number): string {
  const text = seconds === 0 && stored === 0 ? ZERO_TIMESTAMP : utcSeconds(seconds);
  if (digits === 6) {
    // One short string with the Z in it, so that the whole takes two concatenations.
    const high = (stored / 1000) | 0;
    return text + (afterPoint(high, 3) + (THREE_DIGITS_Z[stored - high * 1000] ?? ''));
  }
  return digits === 0 ? `${text}Z` : `${text}${fraction(stored, digits)}Z`;
}

/**
 * TIME(f) since 5.6: sign 1 bit (set: not negative), 1 unused, hour 10, minute 6, second 6, then the fraction; a negative time
 * is the whole number, fraction included, subtracted from zero.
 * `value` is the number read big-endian from 3 bytes plus those of the fraction.
 */
export function time2(value: number, digits: number): string {
  const fractionBits = ((digits + 1) >> 1) * 8;
  const offset = 0x80_0000 * 2 ** fractionBits;
  const magnitude = Math.abs(value - offset);
  const whole = Math.floor(magnitude / 2 ** fractionBits);
  const text = clock(value < offset, { hour: (whole >> 12) & 1023, minute: (whole >> 6) & 63, second: whole & 63 });
  return digits === 0 ? text : text + fraction(magnitude - whole * 2 ** fractionBits, digits);
}

function clock(negative: boolean, { hour, minute, second }: { hour: number; minute: number; second: number }): string {
  const hours = hour < 100 ? (TWO_DIGITS[hour] as string) : String(hour);
  return `${negative ? '-' : ''}${hours}:${TWO_DIGITS[minute]}:${TWO_DIGITS[second]}`;
}

/** TIME before 5.6, 3 bytes little-endian signed: the decimal number HHMMSS. */
export function time1(value: number): string {
  const magnitude = Math.abs(value);
  return clock(value < 0, {
    hour: Math.trunc(magnitude / 10_000),
    minute: Math.trunc(magnitude / 100) % 100,
    second: magnitude % 100,
  });
}

/** DATETIME before 5.6, 8 bytes little-endian: the decimal number YYYYMMDDHHMMSS (below 2^53). */
export function datetime1(value: number): string {
  const date = Math.trunc(value / 1_000_000);
  const time = value - date * 1_000_000;
  const text = fixedDigits(Math.trunc(date / 10_000), 4);
  const monthDay = `-${fixedDigits(Math.trunc(date / 100) % 100, 2)}-${fixedDigits(date % 100, 2)}`;
  return `${text}${monthDay} ${fixedDigits(Math.trunc(time / 10_000), 2)}:${fixedDigits(Math.trunc(time / 100) % 100, 2)}:${fixedDigits(time % 100, 2)}`;
}

/** Bytes of MariaDB's own sub-second types by digits of the fraction: `mysql56_temporal_format=OFF`. */
export const HIRES_BYTES: Readonly<Record<'time' | 'datetime' | 'timestamp', readonly number[]>> = {
  time: [3, 4, 4, 5, 5, 5, 6],
  datetime: [8, 6, 6, 7, 7, 7, 8],
  timestamp: [4, 5, 5, 6, 6, 7, 7],
};

/**
 * MariaDB's TIME(f) of `mysql56_temporal_format=OFF`, f > 0, big-endian: the count of 10^-f seconds since -839:00:00.
 */
export function timeHires(value: bigint, digits: number): string {
  const unit = 10n ** BigInt(digits);
  const ticks = value - 3_020_400n * unit;
  const magnitude = ticks < 0n ? -ticks : ticks;
  const seconds = Number(magnitude / unit);
  const text = clock(ticks < 0n, {
    hour: Math.trunc(seconds / 3600),
    minute: Math.trunc(seconds / 60) % 60,
    second: seconds % 60,
  });
  return `${text}.${String(magnitude % unit).padStart(digits, '0')}`;
}

/** MariaDB's DATETIME(f) of the same setting, f > 0: ((((year * 13 + month) * 32 + day) * 24 + hour) * 60 + minute) * 60 + second, then 10^f. */
export function datetimeHires(value: bigint, digits: number): string {
  const unit = 10n ** BigInt(digits);
  let rest = value / unit;
  const take = (base: bigint): number => {
    const part = Number(rest % base);
    rest /= base;
    return part;
  };
  const second = take(60n);
  const minute = take(60n);
  const hour = take(24n);
  const day = take(32n);
  const month = take(13n);
  const date = `${fixedDigits(Number(rest), 4)}-${fixedDigits(month, 2)}-${fixedDigits(day, 2)}`;
  return `${date} ${clock(false, { hour, minute, second })}.${String(value % unit).padStart(digits, '0')}`;
}

/** MariaDB's TIMESTAMP(f) of the same setting, f > 0: seconds in 4 bytes, then the fraction in units of 10^-f. */
export function timestampHires(seconds: number, stored: number, digits: number): string {
  const text = seconds === 0 && stored === 0 ? ZERO_TIMESTAMP : utcSeconds(seconds);
  return `${text}.${fixedDigits(stored, digits)}Z`;
}
