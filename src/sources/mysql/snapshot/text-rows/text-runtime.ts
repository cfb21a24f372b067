import { putHalves, putUint } from '../../../../base/avro-bytes.ts';
import { float32 } from '../../../../base/float32.ts';
import { asciiText, isAscii, WINDOW_VALUE_BYTES_MAX } from '../../../../base/text-window.ts';
import { TidingsError } from '../../../../core/errors.ts';
import { windowText } from '../../binlog/rows/text-window.ts';
import { transcodeRuntime } from '../../binlog/rows/transcode-runtime.ts';
import { bitValue } from '../../binlog/rows/value-runtime.ts';
import { latin1Text } from '../../charset/text-slices.ts';
import { doubleValue, floatValue, putDoubleText, putFloatText } from './text-doubles.ts';
import { badText, longRow, shortRow } from './text-errors.ts';
import {
  bigintValue,
  intValue,
  mixIntegerText,
  putIntText,
  putLongText,
  putUnsignedText,
  putYearText,
  yearValue,
} from './text-integers.ts';

/**
 * Functions that generated readers of result rows call. Values are `l` bytes at `p` of `b`, which lie inside the row; `v` and `w` are views over
 * the same bytes as `b` and `d`.
 */

const PRIME = 0x0100_0193;
const TEXT_ENDS = 0xff;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NOT_ASCII = 0x8080_8080;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;
const DATE_BYTES = 10;

/** The length behind its first byte, 252 or above. */
function longLength(v: DataView, p: number, end: number, first: number): number {
  switch (first) {
    case 252:
      if (end - p < 2) shortRow();
      return v.getUint16(p, true);
    case 253:
      if (end - p < 3) shortRow();
      return v.getUint16(p, true) | (v.getUint8(p + 2) << 16);
    case 254:
      if (end - p < 8) shortRow();
      // Longer than any row: it is compared with what is left of it.
      return v.getUint32(p + 4, true) * 4_294_967_296 + v.getUint32(p, true);
    default:
      // Behind the row's end there is no number at all.
      if (first === 255) throw badText('as long as its length says');
      return shortRow();
  }
}

function impossibleNull(column: string): never {
  throw new TidingsError('PROTOCOL_VIOLATION', `column ${column} is NULL in a result row, and is NOT NULL`, {
    details: { column },
  });
}

function checkLength(l: number, expected: number): void {
  if (l !== expected) throw badText(`of the ${expected} characters of its type`);
}

function checkBits(l: number, bits: number): void {
  if (l !== (bits + 7) >> 3) throw badText(`of ${bits} bits`);
}

/** BIT with up to 63 bits: their bytes, high ones first. */
function putBits(d: Buffer, o: number, b: Buffer, p: number, l: number): number {
  let high = 0;
  let low = 0;
  for (let i = p; i < p + l; i++) {
    high = (high << 8) | (low >>> 24);
    low = (low << 8) | (b[i] as number);
  }
  // A 64th bit would make the number negative.
  if (high < 0) throw badText('of 63 bits');
  return putHalves(d, o, high, low);
}

/** BIT(64): a union as `putUnsignedText` writes it. */
// oxlint-disable-next-line max-params -- called for every value
function putBits64(d: Buffer, o: number, b: Buffer, p: number, l: number, long: number): number {
  checkBits(l, 64);
  const value = bitValue(b, p, l);
  const digits = Buffer.from(String(value), 'latin1');
  return putUnsignedText(d, o, digits, 0, digits.length, long);
}

/** Text that is ASCII: dates, times, UUIDs. There is room for it and its length. */
// oxlint-disable-next-line max-params -- called for every value
function putAsciiText(b: Buffer, v: DataView, p: number, l: number, d: Buffer, w: DataView, o: number): number {
  const at = putUint(d, o, l);
  let all = 0;
  let i = 0;
  for (const last = l - 4; i <= last; i += 4) {
    const four = v.getInt32(p + i, true);
    w.setInt32(at + i, four, true);
    all |= four;
  }
  for (; i < l; i++) {
    const byte = b[p + i] as number;
    d[at + i] = byte;
    all |= byte;
  }
  if ((all & NOT_ASCII) !== 0) throw badText('ASCII');
  return at + l;
}

// oxlint-disable-next-line max-params -- called for every value
function putDateText(v: DataView, p: number, l: number, d: Buffer, w: DataView, o: number): number {
  checkLength(l, DATE_BYTES);
  const first = v.getInt32(p, true);
  const second = v.getInt32(p + 4, true);
  const third = v.getUint16(p + 8, true);
  if (((first | second | third) & NOT_ASCII) !== 0) throw badText('ASCII');
  d[o] = DATE_BYTES << 1;
  w.setInt32(o + 1, first, true);
  w.setInt32(o + 5, second, true);
  w.setUint16(o + 9, third, true);
  return o + DATE_BYTES + 1;
}

/** `2026-11-20 09:15:02.5`, of a session in UTC, as `2026-11-20T09:15:02.5Z`. */
// oxlint-disable-next-line max-params -- called for every value
function putTimestampText(b: Buffer, v: DataView, p: number, l: number, d: Buffer, w: DataView, o: number): number {
  const end = putAsciiText(b, v, p, l, d, w, o);
  d[o] = (l + 1) << 1;
  d[o + 1 + DATE_BYTES] = LETTER_T;
  d[end] = LETTER_Z;
  return end + 1;
}

/** How many zeros ZEROFILL has put in front. */
function padding(b: Buffer, p: number, l: number): number {
  let i = p;
  const end = p + l - 1;
  while (i < end && b[i] === ZERO && b[i + 1] !== POINT) i++;
  return i - p;
}

/** DECIMAL. ZEROFILL, which has no negative numbers, is display only. */
// oxlint-disable-next-line max-params -- called for every value
function putDecimalText(b: Buffer, v: DataView, p: number, l: number, d: Buffer, w: DataView, o: number): number {
  const zeros = b[p] === ZERO ? padding(b, p, l) : 0;
  checkDecimal(b, p, l);
  return putAsciiText(b, v, p + zeros, l - zeros, d, w, o);
}

function checkDecimal(b: Buffer, p: number, l: number): void {
  let i = b[p] === MINUS ? 1 : 0;
  if (i === l) throw badText('a DECIMAL');
  let points = 0;
  for (; i < l; i++) {
    const byte = b[p + i] as number;
    if ((byte - ZERO) >>> 0 <= 9) continue;
    if (byte !== POINT || points++ > 0) throw badText('a DECIMAL');
  }
}

function decimalValue(b: Buffer, v: DataView, p: number, l: number): string {
  checkDecimal(b, p, l);
  const zeros = padding(b, p, l);
  return asciiValue(b, v, p + zeros, l - zeros);
}

function asciiValue(b: Buffer, v: DataView, p: number, l: number): string {
  if (!isAscii(b, v, p, p + l)) throw badText('ASCII');
  return l > WINDOW_VALUE_BYTES_MAX ? latin1Text(b, p, p + l) : asciiText(b, p, p + l);
}

function timestampValue(b: Buffer, v: DataView, p: number, l: number): string {
  const text = asciiValue(b, v, p, l);
  return `${text.slice(0, DATE_BYTES)}T${text.slice(DATE_BYTES + 1)}Z`;
}

/** Text that is ASCII and compared as it is: see key-hash.ts. */
function mixAsciiText(h: number, b: Buffer, p: number, l: number): number {
  let mixed = h;
  for (let i = p; i < p + l; i++) mixed = Math.imul(mixed ^ (b[i] as number), PRIME);
  return Math.imul(mixed ^ TEXT_ENDS, PRIME);
}

/** Everything that generated readers call, as `r`: for bytes and text what the stream's call, too. */
export const textRuntime: Readonly<Record<string, unknown>> = {
  ...transcodeRuntime,
  asciiValue,
  bigintValue,
  checkBits,
  checkLength,
  decimalValue,
  doubleValue,
  float32,
  floatValue,
  impossibleNull,
  intValue,
  longLength,
  longRow,
  mixAsciiText,
  mixIntegerText,
  putAsciiText,
  putBits,
  putBits64,
  putDateText,
  putDecimalText,
  putDoubleText,
  putFloatText,
  putIntText,
  putLongText,
  putTimestampText,
  putUnsignedText,
  putYearText,
  shortRow,
  timestampValue,
  windowText,
  yearValue,
};
