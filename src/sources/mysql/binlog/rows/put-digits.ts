import { putAscii } from '../../../../base/avro-bytes.ts';
import { decimalText, shortDecimalText } from './decimal-text.ts';
import { datetime2, dateFrom3, fraction, time2, timestamp2 } from './temporal-text.ts';

/**
 * Decimals, dates and times as Avro strings, their digits written straight into the buffer. The text is the one that decimal-text.ts
 * and temporal-text.ts give, which also write what no server logs (a year above 9999, a fraction with more digits than its type).
 *
 * Every function writes at `o`, where `TEXT_BYTES_MAX` bytes are free, and returns the offset behind the text. `d` and `w` are a
 * buffer and a view over the same bytes. A length below 64 takes one byte: twice itself.
 */
export const TEXT_BYTES_MAX = 96;

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/** Two ASCII digits as a little-endian u16; up to 127, so that any seven bits have an entry. */
const TWO: Uint16Array = Uint16Array.from({ length: 128 }, (_, n) => word(String(n).padStart(2, '0').slice(-2)));
/** Four ASCII digits as a little-endian i32. */
const FOUR: Int32Array = Int32Array.from({ length: 10_000 }, (_, n) => word(String(n).padStart(4, '0')));
/** `-MM-` by month. */
const MONTH: Int32Array = Int32Array.from({ length: 16 }, (_, n) => word(`-${String(n).padStart(2, '0')}-`));
/** ` HH:` by hour. */
const HOUR: Int32Array = Int32Array.from({ length: 32 }, (_, n) => word(` ${String(n).padStart(2, '0')}:`));
/** `THH:` by hour. */
const UTC_HOUR: Int32Array = Int32Array.from({ length: 32 }, (_, n) => word(`T${String(n).padStart(2, '0')}:`));
/** `:MM:` by minute. */
const MINUTE: Int32Array = Int32Array.from({ length: 64 }, (_, n) => word(`:${String(n).padStart(2, '0')}:`));

const POWERS: Int32Array = Int32Array.from({ length: 10 }, (_, n) => 10 ** n);

function word(text: string): number {
  let value = 0;
  for (let i = text.length - 1; i >= 0; i--) value = (value << 8) | text.charCodeAt(i);
  return value;
}

/** `value`, 0 to 2^32 - 1, without leading zeros. */
function putDigits(d: Buffer, w: DataView, o: number, value: number): number {
  if (value < 10_000) return putShortDigits(d, w, o, value);
  const high = (value / 10_000) | 0;
  const low = value - high * 10_000;
  let p: number;
  if (high < 10_000) {
    p = putShortDigits(d, w, o, high);
  } else {
    const top = (high / 10_000) | 0;
    p = putShortDigits(d, w, o, top);
    w.setInt32(p, FOUR[high - top * 10_000] as number, true);
    p += 4;
  }
  w.setInt32(p, FOUR[low] as number, true);
  return p + 4;
}

/** 0 to 9999. */
function putShortDigits(d: Buffer, w: DataView, o: number, value: number): number {
  if (value < 10) {
    d[o] = ZERO + value;
    return o + 1;
  }
  if (value < 100) {
    w.setUint16(o, TWO[value] as number, true);
    return o + 2;
  }
  if (value < 1000) {
    const high = (value / 100) | 0;
    d[o] = ZERO + high;
    w.setUint16(o + 1, TWO[value - high * 100] as number, true);
    return o + 3;
  }
  w.setInt32(o, FOUR[value] as number, true);
  return o + 4;
}

/** `value`, 0 ≤ value < 10^width, in exactly `width` (1 to 9) digits. */
// oxlint-disable-next-line max-params -- called for every value
function putFixedDigits(d: Buffer, w: DataView, o: number, value: number, width: number): number {
  let p = o;
  let rest = value;
  if (width > 4) {
    const low = rest % 10_000;
    rest = (rest / 10_000) | 0;
    w.setInt32(o + width - 4, FOUR[low] as number, true);
    if (width > 8) {
      const middle = rest % 10_000;
      rest = (rest / 10_000) | 0;
      w.setInt32(o + 1, FOUR[middle] as number, true);
      d[o] = ZERO + rest;
      return o + 9;
    }
  }
  switch (((width - 1) & 3) + 1) {
    case 1:
      d[p] = ZERO + rest;
      break;
    case 2:
      w.setUint16(p, TWO[rest] as number, true);
      break;
    case 3: {
      const high = (rest / 100) | 0;
      d[p++] = ZERO + high;
      w.setUint16(p, TWO[rest - high * 100] as number, true);
      break;
    }
    default:
      w.setInt32(p, FOUR[rest] as number, true);
  }
  return o + width;
}

/**
 * As `shortDecimalText`, with numbers of 32 bits: they are passed without being put on the heap.
 *
 * @param integer the integer group less the inverted sign bit: -1 - n for a negative number
 * @param decimals the other group, as a signed number when it has 4 bytes
 * @param decimalsMax all its bits: -1 when it has 4 bytes
 */
// oxlint-disable-next-line max-params -- called for every value
export function putShortDecimal(
  d: Buffer,
  w: DataView,
  o: number,
  integer: number,
  decimals: number,
  decimalsMax: number,
  scale: number,
): number {
  let p = o + 1;
  let whole = integer;
  let part = decimals;
  if (integer < 0) {
    d[p++] = MINUS;
    whole = -1 - integer;
    part = decimalsMax - decimals;
  }
  // Not <, >=: what was read behind the buffer's end is no number.
  if (!(part >= 0 && part < (POWERS[scale] as number))) {
    return putAscii(d, o, shortDecimalText(integer, 0, decimals >>> 0, decimalsMax >>> 0, scale));
  }
  p = putDigits(d, w, p, whole);
  if (scale > 0) {
    d[p] = POINT;
    p = putFixedDigits(d, w, p + 1, part, scale);
  }
  d[o] = (p - o - 1) << 1;
  return p;
}

/** The most digits of a decimal whose text is always shorter than 64 characters. */
export const DECIMAL_PRECISION_MAX = 60;

/** As `decimalText`, up to DECIMAL_PRECISION_MAX digits. */
// oxlint-disable-next-line max-params -- called for every value
export function putDecimal(
  d: Buffer,
  w: DataView,
  o: number,
  b: Buffer,
  start: number,
  type: { readonly precision: number; readonly scale: number },
): number {
  const { precision, scale } = type;
  const negative = ((b[start] as number) & 0x80) === 0;
  const flip = negative ? 0xff : 0;
  const integer = precision - scale;
  let at = start;
  let p = o + 1;
  if (negative) d[p++] = MINUS;
  const begin = p;
  let first = 0x80; // The inverted sign bit sits in the very first byte, whichever group that is in.
  const leading = integer % 9;
  if (leading > 0) {
    const length = (leading + 1) >> 1;
    const value = group(b, at, length, flip, first);
    if (!(value < (POWERS[leading] as number))) return putAscii(d, o, decimalText(b, start, type));
    if (value > 0) p = putDigits(d, w, p, value);
    at += length;
    first = 0;
  }
  for (let groups = (integer - leading) / 9; groups > 0; groups--) {
    const value = group(b, at, 4, flip, first);
    if (!(value < 1_000_000_000)) return putAscii(d, o, decimalText(b, start, type));
    if (p > begin) p = putFixedDigits(d, w, p, value, 9);
    else if (value > 0) p = putDigits(d, w, p, value);
    at += 4;
    first = 0;
  }
  if (p === begin) d[p++] = ZERO;
  if (scale > 0) d[p++] = POINT;
  for (let digits = scale; digits > 0; digits -= 9) {
    const width = digits < 9 ? digits : 9;
    const length = width === 9 ? 4 : (width + 1) >> 1;
    const value = group(b, at, length, flip, first);
    if (!(value < (POWERS[width] as number))) return putAscii(d, o, decimalText(b, start, type));
    p = putFixedDigits(d, w, p, value, width);
    at += length;
    first = 0;
  }
  d[o] = (p - o - 1) << 1;
  return p;
}

// oxlint-disable-next-line max-params -- called for every value
function group(b: Buffer, start: number, length: number, flip: number, first: number): number {
  let value = (b[start] as number) ^ flip ^ first;
  for (let i = 1; i < length; i++) value = value * 256 + ((b[start + i] as number) ^ flip);
  return value;
}

/** `YYYY-MM-DD`; year up to 9999. */
function putDay(w: DataView, o: number, year: number, monthDay: number): void {
  w.setInt32(o, FOUR[year] as number, true);
  w.setInt32(o + 4, MONTH[monthDay >> 5] as number, true);
  w.setUint16(o + 8, TWO[monthDay & 31] as number, true);
}

/** As `dateFrom3`. */
export function putDate(d: Buffer, w: DataView, o: number, packed: number): number {
  const year = packed >> 9;
  if (year > 9999) return putAscii(d, o, dateFrom3(packed));
  d[o] = 20;
  putDay(w, o + 1, year, packed & 511);
  return o + 11;
}

/** As `datetime2`, and `fraction` where there are digits. */
// oxlint-disable-next-line max-params -- called for every value
export function putDatetime(
  d: Buffer,
  w: DataView,
  o: number,
  high: number,
  low: number,
  stored: number,
  digits: number,
): number {
  const date = (high & 0x7f) * 32_768 + (low >>> 17);
  const yearMonth = date >> 5;
  const year = (yearMonth / 13) | 0;
  const part = digits & 1 ? (stored / 10) | 0 : stored;
  if (year > 9999 || !(part < (POWERS[digits] as number))) {
    return putAscii(d, o, datetime2(high, low) + (digits === 0 ? '' : fraction(stored, digits)));
  }
  putDay(w, o + 1, year, ((yearMonth - year * 13) << 5) | (date & 31));
  w.setInt32(o + 11, HOUR[(low >> 12) & 31] as number, true);
  w.setInt32(o + 14, MINUTE[(low >> 6) & 63] as number, true);
  w.setUint16(o + 18, TWO[low & 63] as number, true);
  if (digits === 0) {
    d[o] = 38;
    return o + 20;
  }
  d[o] = 40 + (digits << 1);
  d[o + 20] = POINT;
  return putFixedDigits(d, w, o + 21, part, digits);
}

/** Year << 9 | month << 5 | day by days since 1970, as far as 32 bits of seconds reach; 0: not asked for yet. */
const UTC_DAYS: Int32Array = new Int32Array(49_711);

function utcDay(day: number): number {
  let packed = UTC_DAYS[day] as number;
  if (packed === 0) {
    const date = new Date(day * 86_400_000);
    packed = (date.getUTCFullYear() << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate();
    UTC_DAYS[day] = packed;
  }
  return packed;
}

/** As `timestamp2`. @param stamp the seconds, as a signed number */
// oxlint-disable-next-line max-params -- called for every value
export function putTimestamp(d: Buffer, w: DataView, o: number, stamp: number, stored: number, digits: number): number {
  const seconds = stamp >>> 0;
  const part = digits & 1 ? (stored / 10) | 0 : stored;
  // MySQL's zero timestamp is no moment.
  if (seconds === 0 || !(part < (POWERS[digits] as number))) {
    return putAscii(d, o, timestamp2(seconds, stored, digits));
  }
  const day = (seconds / 86_400) | 0;
  const second = seconds - day * 86_400;
  const date = utcDay(day);
  putDay(w, o + 1, date >> 9, date & 511);
  const minutes = (second / 60) | 0;
  const hour = (minutes / 60) | 0;
  w.setInt32(o + 11, UTC_HOUR[hour] as number, true);
  w.setInt32(o + 14, MINUTE[minutes - hour * 60] as number, true);
  w.setUint16(o + 18, TWO[second - minutes * 60] as number, true);
  let p = o + 20;
  if (digits > 0) {
    d[p] = POINT;
    p = putFixedDigits(d, w, p + 1, part, digits);
  }
  d[p] = 0x5a; // Z
  d[o] = (p - o) << 1;
  return p + 1;
}

/** As `time2`; `bias` is the number that stands for 0, `unit` what one second counts. */
// oxlint-disable-next-line max-params -- called for every value
export function putTime(
  d: Buffer,
  w: DataView,
  o: number,
  value: number,
  bias: number,
  unit: number,
  digits: number,
): number {
  const magnitude = Math.abs(value - bias);
  const whole = Math.floor(magnitude / unit);
  const stored = magnitude - whole * unit;
  const part = digits & 1 ? (stored / 10) | 0 : stored;
  if (!(part < (POWERS[digits] as number))) return putAscii(d, o, time2(value, digits));
  let p = o + 1;
  if (value < bias) d[p++] = MINUS;
  const hour = (whole >> 12) & 1023;
  if (hour < 100) {
    w.setUint16(p, TWO[hour] as number, true);
    p += 2;
  } else {
    p = putShortDigits(d, w, p, hour);
  }
  w.setInt32(p, MINUTE[(whole >> 6) & 63] as number, true);
  w.setUint16(p + 4, TWO[whole & 63] as number, true);
  p += 6;
  if (digits > 0) {
    d[p] = POINT;
    p = putFixedDigits(d, w, p + 1, part, digits);
  }
  d[o] = (p - o - 1) << 1;
  return p;
}
