import { isUtf8 } from 'node:buffer';
import { INT_BYTES_MAX, putString, putUint, stringBytesMax } from '../../../../base/avro-bytes.ts';
import type { RowTarget } from '../../../../core/rows/row-target.ts';
import type { Charset } from '../../charset/charset.ts';
import { undecodable } from '../../charset/undecodable.ts';

/**
 * Text and bytes of a row image as Avro strings and bytes: `l` bytes at `p` of `b` go to `o` in `d`. `v` and `w` are views over the
 * same bytes as `b` and `d`. Where nothing else is said there is room for `l` bytes and INT_BYTES_MAX more.
 */

/** Up to this length eight bytes at a time are faster than a call into the runtime. */
const LOOP_BYTES_MAX = 256;
const LONG_TEXT = 16_384;

/** Copies, and returns something other than 0 when some byte is not ASCII. */
// oxlint-disable-next-line max-params -- called for every text
function copyShort(b: Buffer, v: DataView, p: number, l: number, d: Buffer, w: DataView, o: number): number {
  if (l < 8) {
    if (l < 4) {
      let all = 0;
      for (let i = 0; i < l; i++) {
        const byte = b[p + i] as number;
        d[o + i] = byte;
        all |= byte;
      }
      return all & 0x80;
    }
    const first = v.getInt32(p, true);
    const last = v.getInt32(p + l - 4, true);
    w.setInt32(o, first, true);
    w.setInt32(o + l - 4, last, true);
    return (first | last) & 0x80808080;
  }
  // The last eight overlap the ones before: no loop over single bytes.
  const tail = l - 8;
  let low = v.getInt32(p + tail, true);
  let high = v.getInt32(p + tail + 4, true);
  w.setInt32(o + tail, low, true);
  w.setInt32(o + tail + 4, high, true);
  let all = low | high;
  for (let i = 0; i < tail; i += 8) {
    low = v.getInt32(p + i, true);
    high = v.getInt32(p + i + 4, true);
    w.setInt32(o + i, low, true);
    w.setInt32(o + i + 4, high, true);
    all |= low | high;
  }
  return all & 0x80808080;
}

/**
 * Text in utf8mb3 or utf8mb4.
 *
 * @throws TidingsError TEXT_UNDECODABLE
 */
// oxlint-disable-next-line max-params -- called for every text
export function putUtf8(
  b: Buffer,
  v: DataView,
  p: number,
  l: number,
  d: Buffer,
  w: DataView,
  o: number,
  charset: Charset,
): number {
  let at = o + 1;
  if (l < 64) d[o] = l << 1;
  else at = putUint(d, o, l);
  if (l <= LOOP_BYTES_MAX) {
    if (copyShort(b, v, p, l, d, w, at) !== 0) checkUtf8(b, p, l, charset);
  } else {
    b.copy(d, at, p, p + l);
    if (!isLongUtf8(b.subarray(p, p + l), charset.bytesPerCharMax)) refuse(b, p, l, charset);
  }
  return at + l;
}

/** For text that was copied already: it is not ASCII. @throws TidingsError TEXT_UNDECODABLE */
export function checkUtf8(b: Buffer, p: number, l: number, charset: Charset): void {
  if (!isShortUtf8(b, p, p + l, charset.bytesPerCharMax)) refuse(b, p, l, charset);
}

/** RFC 3629, section 4; sequences of up to `longest` bytes. */
function isShortUtf8(b: Buffer, start: number, end: number, longest: number): boolean {
  let i = start;
  while (i < end) {
    const lead = b[i] as number;
    if (lead < 0x80) {
      i++;
      continue;
    }
    const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead < 0xc2 || lead > 0xf4 || length > longest || i + length > end) return false;
    const second = b[i + 1] as number;
    // The second byte of e0 and f0 must not be overlong, of ed no surrogate, of f4 not above U+10FFFF.
    if (
      second < (lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80) ||
      second > (lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf)
    ) {
      return false;
    }
    if (length > 2 && ((b[i + 2] as number) & 0xc0) !== 0x80) return false;
    if (length > 3 && ((b[i + 3] as number) & 0xc0) !== 0x80) return false;
    i += length;
  }
  return true;
}

function isLongUtf8(bytes: Buffer, longest: number): boolean {
  if (!isUtf8(bytes)) return false;
  if (longest < 4) for (let i = 0; i < bytes.length; i++) if ((bytes[i] as number) >= 0xf0) return false;
  return true;
}

/** With the error that the decoder has for it. */
function refuse(b: Buffer, p: number, l: number, charset: Charset): never {
  charset.decode(b, p, p + l);
  throw undecodable(charset.name, p, p, p + l);
}

/**
 * Text in any other character set. Asks for room if it needs more, so that `reserve` bytes are free behind it; the target's buffer may
 * be another one then.
 *
 * @throws TidingsError TEXT_UNDECODABLE, ROW_TOO_LARGE
 */
// oxlint-disable-next-line max-params -- called for every text
export function putOtherText(
  t: RowTarget,
  o: number,
  b: Buffer,
  v: DataView,
  p: number,
  l: number,
  charset: Charset,
  reserve: number,
): number {
  if (charset.asciiTransparent && l <= LOOP_BYTES_MAX) {
    const d = t.bytes;
    const at = putUint(d, o, l);
    if (copyShort(b, v, p, l, d, t.view, at) === 0) return at + l;
  }
  return putAnyString(t, o, charset.decode(b, p, p + l), reserve);
}

/** Text that may be longer than what the event has of it. @throws TidingsError ROW_TOO_LARGE */
export function putAnyString(t: RowTarget, o: number, text: string, reserve: number): number {
  // A character takes three bytes at most: in a long text it is worth counting them.
  const counted = text.length > LONG_TEXT && text.isWellFormed();
  const length = counted ? Buffer.byteLength(text) : 0;
  const room = (counted ? length + INT_BYTES_MAX : stringBytesMax(text)) + reserve;
  let at = t.end - o < room ? t.grow(o, room) : o;
  if (!counted) return putString(t.bytes, at, text);
  at = putUint(t.bytes, at, length);
  return at + t.bytes.write(text, at, length, 'utf8');
}

/** Bytes as they are. */
// oxlint-disable-next-line max-params -- called for every value
export function putBlob(b: Buffer, v: DataView, p: number, l: number, d: Buffer, w: DataView, o: number): number {
  const at = putUint(d, o, l);
  if (l <= LOOP_BYTES_MAX) copyShort(b, v, p, l, d, w, at);
  else b.copy(d, at, p, p + l);
  return at + l;
}

/** BINARY(size): the log drops trailing zero bytes, SELECT shows them. Room for `size` bytes more. */
// oxlint-disable-next-line max-params -- called for every value
export function putBinary(
  b: Buffer,
  v: DataView,
  p: number,
  l: number,
  d: Buffer,
  w: DataView,
  o: number,
  size: number,
): number {
  const length = l < size ? size : l;
  const at = putUint(d, o, length);
  if (l <= LOOP_BYTES_MAX) copyShort(b, v, p, l, d, w, at);
  else b.copy(d, at, p, p + l);
  for (let i = l; i < length; i++) d[at + i] = 0;
  return at + length;
}
