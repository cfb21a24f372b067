import { latin1Text } from '../../charset/text-slices.ts';
import { badText } from './text-errors.ts';

/**
 * DOUBLE as the text protocol has it: the shortest decimal that is the same double, such as `-0.1`, `5e-324`, `1.7976931348623157e308`.
 * It becomes the double nearest to it, which is that one, without a string for up to seventeen digits.
 */
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
const EXPONENT = 0x45;
const LOWER_CASE = 0x20;
/** A number of seventeen digits is split into the first eight and the last nine: so their parts are exact. */
const DIGITS_MAX = 17;
const LOW_DIGITS = 9;
const BILLION = 1_000_000_000;
/** Powers of ten up to this one are doubles themselves. */
const POWER_MAX = 22;
const POWERS: Float64Array = Float64Array.from({ length: POWER_MAX + 1 }, (_, n) => Number(`1e${n}`));
/** How far the second part of a quotient may be off, relative to itself; it is 2^-51 at most. */
const DOUBT = 2 ** -46;
/** Splits a double into two halves of 26 bits. T. J. Dekker, A floating-point technique for extending the available precision, 1971. */
const SPLITTER = 134_217_729;

/** `l` bytes at `p`. @throws TidingsError PROTOCOL_VIOLATION */
export function doubleValue(b: Buffer, p: number, l: number): number {
  const end = p + l;
  let i = p;
  const negative = b[i] === MINUS;
  if (negative) i++;
  let high = 0;
  let low = 0;
  let count = 0;
  let seen = 0;
  let point = -1;
  for (; i < end; i++) {
    const byte = b[i] as number;
    const digit = byte - ZERO;
    if (digit >>> 0 <= 9) {
      seen++;
      if (count === 0 && digit === 0) continue;
      // Digits beyond those that are counted are left to the engine.
      if (count < DIGITS_MAX - LOW_DIGITS) high = high * 10 + digit;
      else low = low * 10 + digit;
      count++;
      continue;
    }
    if (byte !== POINT || point >= 0) break;
    point = i;
  }
  const decimals = point < 0 ? 0 : i - point - 1;
  const exponent = i < end ? exponentOf(b, i, end) : 0;
  if (seen === 0) throw badText('a number');
  const power = exponent - decimals;
  if (count > DIGITS_MAX || power > POWER_MAX || power < -POWER_MAX) return slowly(b, p, end);
  const magnitude = scaled(high, low, { count, power });
  if (Number.isNaN(magnitude)) return slowly(b, p, end);
  return negative ? -magnitude : magnitude;
}

function exponentOf(b: Buffer, at: number, end: number): number {
  if (((b[at] as number) & ~LOWER_CASE) !== EXPONENT) throw badText('a number');
  let i = at + 1;
  const negative = b[i] === MINUS;
  if (negative || b[i] === PLUS) i++;
  if (i >= end || end - i > 4) throw badText('a number');
  let value = 0;
  for (; i < end; i++) {
    const digit = (b[i] as number) - ZERO;
    if (digit >>> 0 > 9) throw badText('a number');
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}

/** Its form has been looked at. */
function slowly(b: Buffer, start: number, end: number): number {
  const value = Number(latin1Text(b, start, end));
  if (!Number.isFinite(value)) throw badText('a number');
  return value;
}

/** The digits times 10^power; NaN where it would take more than this to know how to round. */
function scaled(
  high: number,
  low: number,
  { count, power }: { readonly count: number; readonly power: number },
): number {
  const above = DIGITS_MAX - LOW_DIGITS;
  if (count <= above) return power < 0 ? high / (POWERS[-power] as number) : high * (POWERS[power] as number);
  // Eight digits times 10^9 at most, or fewer zeros for fewer digits: exact, since 10^9 has only 21 bits beside its twos.
  const shifted = high * (count === DIGITS_MAX ? BILLION : (POWERS[count - above] as number));
  const sum = shifted + low;
  // What the sum lost: 0 up to 2^53. Exact, for shifted is the larger one.
  const lost = low - (sum - shifted);
  if (power === 0) return sum;
  if (lost === 0 && power > 0) return sum * (POWERS[power] as number);
  if (power > 0) return Number.NaN;
  const divisor = POWERS[-power] as number;
  const quotient = sum / divisor;
  if (lost === 0) return quotient;
  // sum - quotient * divisor, exactly, and what the sum lost: what is left to divide.
  const second = (remainder(sum, quotient, divisor) + lost) / divisor;
  const least = quotient + second * (1 - DOUBT);
  // The true quotient lies between the two; where they round to different doubles it is too near to the middle.
  return least === quotient + second * (1 + DOUBT) ? least : Number.NaN;
}

/** What a division leaves, exactly: it is a double itself. */
function remainder(dividend: number, quotient: number, divisor: number): number {
  const product = quotient * divisor;
  const [q, d] = [SPLITTER * quotient, SPLITTER * divisor];
  const qHigh = q - (q - quotient);
  const dHigh = d - (d - divisor);
  const qLow = quotient - qHigh;
  const dLow = divisor - dHigh;
  const lost = qLow * dLow - (product - qHigh * dHigh - qLow * dHigh - qHigh * dLow);
  return dividend - product - lost;
}

/** At most 8 bytes. @param w a view of the target */
// oxlint-disable-next-line max-params -- called for every value
export function putDoubleText(w: DataView, o: number, b: Buffer, p: number, l: number): number {
  w.setFloat64(o, doubleValue(b, p, l), true);
  return o + 8;
}

/** FLOAT, selected as the double that it is. */
// oxlint-disable-next-line max-params -- called for every value
export function putFloatText(w: DataView, o: number, b: Buffer, p: number, l: number): number {
  w.setFloat32(o, floatValue(b, p, l), true);
  return o + 4;
}

/** The float32 as a double. */
export function floatValue(b: Buffer, p: number, l: number): number {
  const value = doubleValue(b, p, l);
  const float = Math.fround(value);
  // What is not a float32 did not come from a FLOAT column.
  if (float !== value) throw badText('a FLOAT');
  return float;
}
