import { epochMicros } from '../../formats/calendar.ts';
import { fault } from '../faults.ts';
import { narrow, type Scaled } from './scaled-number.ts';

/** Where the parts of a DATE, DATETIME or TIMESTAMP stand in its text. */
export const DATE_PARTS: Readonly<Record<string, readonly [from: number, to: number]>> = {
  year: [0, 4],
  month: [5, 7],
  day: [8, 10],
  hour: [11, 13],
  minute: [14, 16],
  second: [17, 19],
};

const TOKENS: Readonly<Record<string, string>> = {
  Y: 'year',
  m: 'month',
  d: 'day',
  H: 'hour',
  i: 'minute',
  s: 'second',
};

/** `%Y-%m-%d`, with the letters of SQL's DATE_FORMAT. Null when it has others. */
export function compileDateFormat(format: string): ((text: string) => string) | null {
  const pieces: (string | readonly [from: number, to: number])[] = [];
  for (let at = 0; at < format.length; at++) {
    if (format[at] !== '%') {
      pieces.push(format[at] as string);
      continue;
    }
    at += 1;
    const letter = format[at] ?? '';
    const part = DATE_PARTS[TOKENS[letter] ?? ''];
    if (part !== undefined) pieces.push(part);
    else if (letter === '%') pieces.push('%');
    else return null;
  }
  return (text) => {
    let formatted = '';
    // A date has no time: that of its midnight.
    for (const piece of pieces) formatted += typeof piece === 'string' ? piece : text.slice(...piece) || '00';
    return formatted;
  };
}

/** µs since 1970 UTC. */
export function epochMicrosOf(timestamp: string): Scaled {
  return narrow(epochMicros(timestamp) ?? fault('a zero date is no point in time'));
}

const SECONDS_MIN = -62_135_596_800n; // 0001-01-01
const SECONDS_MAX = 253_402_300_799n; // 9999-12-31

/** The TIMESTAMP of seconds since 1970 UTC, which have `digits` digits behind the point. */
export function timestampOf(scaled: Scaled, digits: number): string {
  const unit = 10n ** BigInt(digits);
  const value = BigInt(scaled);
  const seconds = value / unit - (value < 0n && value % unit !== 0n ? 1n : 0n);
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) fault('the seconds are beyond the years 1 to 9999');
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  if (digits === 0) return `${text}Z`;
  return `${text}.${String(value - seconds * unit).padStart(digits, '0')}Z`;
}
