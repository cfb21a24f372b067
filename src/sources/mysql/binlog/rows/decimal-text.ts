import { afterPoint, fixedDigits, plainDigits } from './digits.ts';

/**
 * NEWDECIMAL: a fixed-point number in base 10^9, big-endian, as many bytes as the digits need.
 *
 *     integer part   a first group of (digits % 9) digits in 0–4 bytes, then groups of 9 digits in 4 bytes
 *     fraction       groups of 9 digits in 4 bytes, then a last group of (scale % 9) digits in 0–4 bytes
 *
 * The first bit is inverted, so that bytes sort as numbers do; a negative number has all bits inverted.
 *
 * Source: MySQL, strings/decimal.cc, decimal2bin().
 */
export function decimalLength(precision: number, scale: number): number {
  const integer = precision - scale;
  return Math.trunc(integer / 9) * 4 + groupBytes(integer % 9) + Math.trunc(scale / 9) * 4 + groupBytes(scale % 9);
}

/** Bytes that hold a group of 0 to 9 digits. */
export function groupBytes(digits: number): number {
  return digits === 9 ? 4 : (digits + 1) >> 1;
}

/** The number's text as SELECT prints it: no leading zeros, all `scale` digits. */
export function decimalText(
  bytes: Buffer,
  start: number,
  { precision, scale }: { precision: number; scale: number },
): string {
  const negative = (byte(bytes, start) & 0x80) === 0;
  const flip = negative ? 0xff : 0;
  let offset = start;
  let text = '';

  const integer = precision - scale;
  const leading = integer % 9;
  let first = 0x80; // The inverted sign bit sits in the very first byte, whichever group that is in.
  if (leading > 0) {
    const value = group(bytes, offset, { length: groupBytes(leading), flip, first });
    if (value > 0) text = String(value);
    offset += groupBytes(leading);
    first = 0;
  }
  for (let groups = (integer - leading) / 9; groups > 0; groups--) {
    const value = group(bytes, offset, { length: 4, flip, first });
    if (text !== '') text += fixedDigits(value, 9);
    else if (value > 0) text = String(value);
    offset += 4;
    first = 0;
  }
  if (text === '') text = '0';
  if (negative) text = `-${text}`;

  if (scale === 0) return text;
  text += '.';
  for (let groups = Math.trunc(scale / 9); groups > 0; groups--) {
    text += fixedDigits(group(bytes, offset, { length: 4, flip, first }), 9);
    offset += 4;
    first = 0;
  }
  const trailing = scale % 9;
  if (trailing > 0) text += fixedDigits(group(bytes, offset, { length: groupBytes(trailing), flip, first }), trailing);
  return text;
}

/**
 * The same for 1 to 9 integer digits and 0 to 9 decimals, which is nearly every DECIMAL in use: one group on each side, each read as
 * an unsigned number. `half` is the inverted sign bit, 2^(bits of the integer group - 1); `fractionMax` all bits of the other group.
 */
// oxlint-disable-next-line max-params -- called for every value
export function shortDecimalText(
  integer: number,
  half: number,
  fraction: number,
  fractionMax: number,
  scale: number,
): string {
  if (integer >= half) {
    const text = plainDigits(integer - half);
    return scale === 0 ? text : text + afterPoint(fraction, scale);
  }
  const text = `-${plainDigits(half - 1 - integer)}`;
  return scale === 0 ? text : text + afterPoint(fractionMax - fraction, scale);
}

function group(
  bytes: Buffer,
  start: number,
  { length, flip, first }: { length: number; flip: number; first: number },
): number {
  let value = byte(bytes, start) ^ flip ^ first;
  for (let i = 1; i < length; i++) value = value * 256 + (byte(bytes, start + i) ^ flip);
  return value;
}

function byte(bytes: Buffer, index: number): number {
  // Past the buffer's end this is 0: the row decoder finds the row too short and throws before anyone sees the text.
  return bytes[index] ?? 0;
}
