import { decimalLength, decimalText } from '../rows/decimal-text.ts';
import { corruptJson } from './json-layout.ts';

/** What the server's decimal library can hold, more than a column can (65). */
const DECIMAL_PRECISION_MAX = 81;
const DECIMAL_SCALE_MAX = 30;

/** Column types (MySQL source, include/field_types.h) that an opaque value may name and that are not printed as base64. */
export const OPAQUE_TYPE = {
  timestamp: 7,
  date: 10,
  time: 11,
  datetime: 12,
  decimal: 246,
  varString: 253,
} as const;

/**
 * A double as the server prints it in JSON: the shortest digits that give the same double, plain as long as the point is at most 15 digits
 * to the right or 14 zeros to the left of the first one (or there are digits behind it), otherwise `d.ddde-N`; `.0` marks a plain integer.
 * (MySQL source, strings/dtoa.cc, my_gcvt, with the width of 34 that JSON gives it.)
 *
 *     100000000000000.0   1e15   1.2345678901234568e17   0.00001   0.000000000000001   1e-16   -0.0
 *
 * JavaScript makes the same digits but changes to an exponent at other places.
 */
export function doubleText(value: number): string {
  const magnitude = Math.abs(value);
  const text = String(value);
  if (magnitude >= 1e-6 && magnitude < 1e15) return Number.isInteger(value) ? `${text}.0` : text;
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  if (magnitude >= 1e15) return Number.isInteger(value) ? value.toExponential().replace('e+', 'e') : text;
  if (magnitude < 1e-15) return value.toExponential();
  const [digits = '', exponent = ''] = magnitude.toExponential().split('e-');
  return `${value < 0 ? '-' : ''}0.${'0'.repeat(Number(exponent) - 1)}${digits.replace('.', '')}`;
}

/**
 * A DECIMAL inside JSON, with all its digits (MySQL source, sql-common/json_dom.cc, Json_decimal).
 *
 *     precision  u8
 *     scale      u8
 *     digits     rest     as in a DECIMAL column
 */
export function jsonDecimalText(bytes: Buffer, at: number, length: number): string {
  const precision = length < 2 ? -1 : bytes.readUInt8(at);
  const scale = length < 2 ? 0 : bytes.readUInt8(at + 1);
  if (precision < 1 || precision > DECIMAL_PRECISION_MAX || scale > DECIMAL_SCALE_MAX || scale > precision) {
    throw corruptJson('a DECIMAL with an impossible precision', at);
  }
  if (decimalLength(precision, scale) !== length - 2) throw corruptJson('a DECIMAL of the wrong length', at);
  const text = decimalText(bytes, at + 2, { precision, scale });
  // A group of digits above its limit prints with a digit too many.
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  if (fraction.length !== scale || whole.length > Math.max(1, precision - scale)) {
    throw corruptJson('a DECIMAL with a digit above nine', at);
  }
  return text;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

/**
 * A DATE, TIME, DATETIME or TIMESTAMP inside JSON: eight bytes, signed, little-endian, always with microseconds
 * (MySQL source, mysys/my_time.cc, TIME_from_longlong_packed). The absolute value is, from the lowest bits:
 *
 *     24 bits microseconds, 6 seconds, 6 minutes, then
 *     TIME:     10 hours
 *     others:    5 hours, 5 day, the rest year * 13 + month
 *
 * The text has no quotes. Zero and partial dates are kept.
 */
export function temporalText(opaqueType: number, bytes: Buffer, at: number, length: number): string {
  if (length !== 8) throw corruptJson('a temporal value of the wrong length', at);
  const packed = bytes.readBigInt64LE(at);
  const magnitude = packed < 0n ? -packed : packed;
  const micros = Number(magnitude & 0xff_ffffn);
  const rest = Number(magnitude >> 24n);
  const second = rest % 64;
  const minute = Math.floor(rest / 64) % 64;
  const hours = Math.floor(rest / 4096);
  if (micros > 999_999 || second > 59 || minute > 59) throw corruptJson('an impossible time of day', at);
  const tail = `${two(minute)}:${two(second)}.${String(micros).padStart(6, '0')}`;

  if (opaqueType === OPAQUE_TYPE.time) {
    if (hours > 838) throw corruptJson('a TIME out of range', at);
    return `${packed < 0n ? '-' : ''}${two(hours)}:${tail}`;
  }
  const hour = hours % 32;
  const day = Math.floor(hours / 32) % 32;
  const month = Math.floor(hours / 1024) % 13;
  const year = Math.floor(hours / 13_312);
  if (packed < 0n || hour > 23 || year > 9999) throw corruptJson('a date out of range', at);
  const date = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
  return opaqueType === OPAQUE_TYPE.date ? date : `${date} ${two(hour)}:${tail}`;
}
