/** A DATE or DATETIME as the server prints it, taken apart. */
const DATE_TIME = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?)?Z?$/;
const TIME = /^(-?)(\d{2,3}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?$/;

/** Days since 1970-01-01 in the Gregorian calendar; null for zero and partial dates and for days that no calendar has. */
export function epochDays(text: string): number | null {
  const parts = DATE_TIME.exec(text);
  return parts === null ? null : civilDays(Number(parts[1]), Number(parts[2]), { day: Number(parts[3]) });
}

/** µs since 1970-01-01 00:00:00 of the same clock; null where `epochDays` is. Exact: beyond 2^53 for years after 2255. */
export function epochMicros(text: string): bigint | null {
  const parts = DATE_TIME.exec(text);
  const day = epochDays(text);
  if (parts === null || day === null) return null;
  const [hours, minutes, seconds] = [Number(parts[4] ?? 0), Number(parts[5] ?? 0), Number(parts[6] ?? 0)];
  return BigInt(day * 86_400 + hours * 3600 + minutes * 60 + seconds) * 1_000_000n + BigInt(micros(parts[7]));
}

/** A TIME in µs, negative ones too; null when it is none. */
export function timeMicros(text: string): number | null {
  const parts = TIME.exec(text);
  if (parts === null) return null;
  const seconds = Number(parts[2]) * 3600 + Number(parts[3]) * 60 + Number(parts[4]);
  const us = seconds * 1_000_000 + micros(parts[5]);
  return parts[1] === '-' && us !== 0 ? -us : us;
}

function micros(fraction: string | undefined): number {
  return Number((fraction ?? '').padEnd(6, '0'));
}

/**
 * Days since 1970-01-01; null for a day that no calendar has, or the zero date. Counts from March 1 of year 0, so that the leap day is the last of its
 * year.
 */
export function civilDays(year: number, month: number, { day }: { day: number }): number | null {
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null;
  const y = month > 2 ? year : year - 1;
  const sinceMarch = (month + 9) % 12;
  const leaps = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return y * 365 + leaps + Math.floor((sinceMarch * 153 + 2) / 5) + day - 1 - 719_468;
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}
