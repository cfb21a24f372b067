import { putAscii, putHalves, putInt } from '../../../../base/avro-bytes.ts';
import { bigSigned } from '../../binlog/rows/value-runtime.ts';
import { mixHalves } from '../../binlog/rows/mix-key.ts';
import { badText } from './text-errors.ts';

/**
 * Integers as the text protocol has them: digits, a minus before them, zeros in front where the column is ZEROFILL. `l` bytes at `p`
 * of `b`, of which none was looked at.
 */

const MINUS = 0x2d;
const ZERO = 0x30;
/** So many digits always fit into 32 bits with a sign. */
const SHORT_DIGITS = 9;
const BILLION = 1_000_000_000;
/** So many digits are always a safe integer. */
const SAFE_DIGITS = 15;
/** 2^64 - 1 has so many. */
const DIGITS_MAX = 20;
const TWO_16 = 65_536;
const TWO_32 = 4_294_967_296;
const TWO_31 = 2_147_483_648;

/** What `readHalves` found: the low 32 bits, the high 32 bits. */
const halves = new Int32Array(2);

/** Digits from `start` to `end`, at most fifteen. */
function digits(b: Buffer, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (b[i] as number) - ZERO;
    // Also what is below '0': as an unsigned number it is large.
    if (digit >>> 0 > 9) throw badText('an integer');
    value = value * 10 + digit;
  }
  return value;
}

/** Where the digits that count begin. */
function firstDigit(b: Buffer, p: number, l: number): number {
  const end = p + l;
  let i = b[p] === MINUS ? p + 1 : p;
  if (end <= i) throw badText('an integer');
  while (end - i > 1 && b[i] === ZERO) i++;
  if (end - i > DIGITS_MAX) throw badText('an integer of 64 bits');
  return i;
}

/** Leaves the value's halves in `halves`. */
function readHalves(b: Buffer, p: number, l: number, signed: boolean): void {
  const end = p + l;
  const start = firstDigit(b, p, l);
  const negative = b[p] === MINUS;
  let low: number;
  let high: number;
  if (end - start <= SHORT_DIGITS) {
    low = digits(b, start, end);
    high = 0;
  } else {
    // top * 10^9 + bottom, in steps of which none passes 2^53. `top` has eleven digits at most.
    const bottom = digits(b, end - SHORT_DIGITS, end);
    const top = digits(b, start, end - SHORT_DIGITS);
    const upper = Math.floor(top / TWO_16);
    const middle = upper * BILLION;
    const carried = Math.floor(middle / TWO_16);
    const rest = (middle - carried * TWO_16) * TWO_16 + (top - upper * TWO_16) * BILLION + bottom;
    const over = Math.floor(rest / TWO_32);
    high = carried + over;
    low = rest - over * TWO_32;
    const fits = signed ? high < TWO_31 || (negative && high === TWO_31 && low === 0) : high < TWO_32;
    if (!fits) throw badText('an integer of 64 bits');
  }
  if (negative) {
    if (!signed && (low !== 0 || high !== 0)) throw badText('an integer without a sign');
    halves[0] = -low | 0;
    halves[1] = low === 0 ? -high | 0 : ~(high | 0);
  } else {
    halves[0] = low | 0;
    halves[1] = high | 0;
  }
}

/** TINYINT to INT. */
export function intValue(b: Buffer, p: number, l: number): number {
  const end = p + l;
  const negative = b[p] === MINUS;
  const start = firstDigit(b, p, l);
  // Ten digits may pass 32 bits by little: whoever writes them as an int looks.
  if (end - start > SHORT_DIGITS + 1) throw badText('an integer of 32 bits');
  const value = digits(b, start, end);
  return negative && value !== 0 ? -value : value;
}

export function putIntText(d: Buffer, o: number, b: Buffer, p: number, l: number): number {
  const value = intValue(b, p, l);
  if (value !== (value | 0)) throw badText('an integer of 32 bits');
  return putInt(d, o, value);
}

/** INT UNSIGNED and BIGINT, as a long. */
export function putLongText(d: Buffer, o: number, b: Buffer, p: number, l: number): number {
  if (l <= SHORT_DIGITS) return putInt(d, o, intValue(b, p, l));
  readHalves(b, p, l, true);
  return putHalves(d, o, halves[1] as number, halves[0] as number);
}

/** BIGINT UNSIGNED: a long, or above 2^63 - 1 a string of digits, each behind its branch of the union. */
// oxlint-disable-next-line max-params -- called for every value
export function putUnsignedText(d: Buffer, o: number, b: Buffer, p: number, l: number, long: number): number {
  readHalves(b, p, l, false);
  const [low, high] = [halves[0] as number, halves[1] as number];
  d[o] = high >= 0 ? long : long + 2;
  if (high >= 0) return putHalves(d, o + 1, high, low);
  return putAscii(d, o + 1, String(bigSigned(high >>> 0, low >>> 0)));
}

/** BIGINT: a number, or beyond 2^53 - 1 a bigint. */
export function bigintValue(b: Buffer, p: number, l: number, unsigned: boolean): number | bigint {
  if (l <= SAFE_DIGITS) {
    const value = digits(b, firstDigit(b, p, l), p + l);
    if (b[p] !== MINUS || value === 0) return value;
    if (unsigned) throw badText('an integer without a sign');
    return -value;
  }
  readHalves(b, p, l, !unsigned);
  const low = (halves[0] as number) >>> 0;
  const high = unsigned ? (halves[1] as number) >>> 0 : (halves[1] as number);
  // 2^53 - 1 has the high half 2^21 - 1; -(2^53 - 1) has -2^21 with a low half above 0.
  const safe = high <= 2_097_151 && (high > -2_097_152 || (high === -2_097_152 && low > 0));
  return safe ? high * TWO_32 + low : bigSigned(high, low);
}

/** Every integer type. */
// oxlint-disable-next-line max-params -- called for every row
export function mixIntegerText(h: number, b: Buffer, p: number, l: number, unsigned: boolean): number {
  readHalves(b, p, l, !unsigned);
  return mixHalves(h, halves[0] as number, halves[1] as number);
}

const YEAR_DIGITS = 2;

/** YEAR; of MariaDB's YEAR(2) SELECT shows the last two digits: 70 to 69 are 1970 to 2069. */
export function yearValue(b: Buffer, p: number, l: number): number {
  const value = intValue(b, p, l);
  return l === YEAR_DIGITS ? value + (value < 70 ? 2000 : 1900) : value;
}

export function putYearText(d: Buffer, o: number, b: Buffer, p: number, l: number): number {
  return putInt(d, o, yearValue(b, p, l));
}
