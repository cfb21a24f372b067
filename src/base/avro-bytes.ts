/**
 * Writes Avro's binary encoding (Avro 1.12, https://avro.apache.org/docs/1.12.0/specification/#binary-encoding) into a buffer.
 *
 * Every function writes at `at` and returns the offset behind what it wrote. None checks for room: the caller has made it, for the
 * most that the value can take, which each function states. Bytes behind the returned offset, up to that most, may be overwritten.
 *
 *     int, long   zig-zag (0, -1, 1, -2, … become 0, 1, 2, 3, …), then seven bits a byte, the low ones first; bit 7: more follow
 *     string      a long, the number of bytes; then UTF-8
 *     bytes       a long, the number of bytes; then the bytes
 *     array       blocks: a long, the number of items; then the items; the last block has none
 */

/** The most bytes of an int that `putInt` writes. */
export const INT_BYTES_MAX = 5;
export const LONG_BYTES_MAX = 10;

/** @param value a 32-bit signed integer; at most 5 bytes */
export function putInt(bytes: Uint8Array, at: number, value: number): number {
  let z = (value << 1) ^ (value >> 31);
  let p = at;
  while ((z & ~0x7f) !== 0) {
    bytes[p++] = (z & 0x7f) | 0x80;
    z >>>= 7;
  }
  bytes[p] = z;
  return p + 1;
}

/** @param value a 32-bit unsigned integer; at most 5 bytes. For counts and lengths, too */
export function putUint(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0x4000_0000) return putInt(bytes, at, value);
  return putHalves(bytes, at, 0, value);
}

/** @param value a safe integer; at most 8 bytes */
export function putLong(bytes: Uint8Array, at: number, value: number): number {
  if (value === (value | 0)) return putInt(bytes, at, value);
  // ToInt32 takes a number modulo 2^32, which is the low half also of a negative one.
  return putHalves(bytes, at, Math.floor(value / 0x1_0000_0000), value | 0);
}

/**
 * A 64-bit signed integer given by its halves; at most 10 bytes.
 *
 * @param high the upper 32 bits, signed or unsigned
 * @param low the lower 32 bits, signed or unsigned
 */
export function putHalves(bytes: Uint8Array, at: number, high: number, low: number): number {
  const sign = high >> 31;
  let lowZ = (low << 1) ^ sign;
  let highZ = ((high << 1) | (low >>> 31)) ^ sign;
  let p = at;
  while (highZ !== 0) {
    bytes[p++] = (lowZ & 0x7f) | 0x80;
    lowZ = (lowZ >>> 7) | (highZ << 25);
    highZ >>>= 7;
  }
  while ((lowZ & ~0x7f) !== 0) {
    bytes[p++] = (lowZ & 0x7f) | 0x80;
    lowZ >>>= 7;
  }
  bytes[p] = lowZ;
  return p + 1;
}

/** @param value -2^63 to 2^63 - 1; at most 10 bytes */
export function putBigLong(bytes: Uint8Array, at: number, value: bigint): number {
  return putHalves(bytes, at, Number(BigInt.asIntN(32, value >> 32n)), Number(BigInt.asIntN(32, value)));
}

/** Texts up to this length are written without leaving JavaScript, as long as they are ASCII. */
const SHORT_TEXT = 48;

/** The most bytes that `putString` may touch. */
export function stringBytesMax(text: string): number {
  return text.length * 3 + INT_BYTES_MAX;
}

/**
 * Text as UTF-8. A lone surrogate, which UTF-8 has no place for, is written as the three bytes that its code point would have
 * (WTF-8), so that nothing is lost (I1): `utf8Text` reads it back.
 *
 * At most `stringBytesMax(text)` bytes.
 */
export function putString(bytes: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length > SHORT_TEXT) return putLongString(bytes, at, text);
  bytes[at] = length << 1;
  let p = at + 1;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return putLongString(bytes, at, text);
    bytes[p++] = code;
  }
  return p;
}

/** Text that is known to be ASCII, such as digits: as `putString`, at most 5 bytes more than its length. */
export function putAscii(bytes: Buffer, at: number, text: string): number {
  const { length } = text;
  const start = putUint(bytes, at, length);
  if (length > SHORT_TEXT) return start + (bytes as NativeWrites).latin1Write(text, start, length);
  for (let i = 0; i < length; i++) bytes[start + i] = text.charCodeAt(i);
  return start + length;
}

/** What `write(text, 'utf8')` calls after its checks of arguments; part of Buffer since its first versions. */
type NativeWrites = Buffer & {
  utf8Write(text: string, offset: number, length: number): number;
  latin1Write(text: string, offset: number, length: number): number;
};

function putLongString(bytes: Buffer, at: number, text: string): number {
  // The length field is as long as the bytes' number asks for, so it is written behind them: where ASCII would begin, as a guess.
  const guess = at + varintBytes(text.length);
  const written = text.isWellFormed()
    ? (bytes as NativeWrites).utf8Write(text, guess, Math.min(text.length * 3, bytes.length - guess))
    : putWtf8(bytes, guess, text);
  const start = at + varintBytes(written);
  if (start !== guess) bytes.copyWithin(start, guess, guess + written);
  putUint(bytes, at, written);
  return start + written;
}

/** Bytes of a length as a zig-zag varint. */
function varintBytes(length: number): number {
  if (length < 0x40) return 1;
  if (length < 0x2000) return 2;
  if (length < 0x10_0000) return 3;
  return length < 0x800_0000 ? 4 : 5;
}

function putWtf8(bytes: Buffer, at: number, text: string): number {
  let p = at;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xd800 && code <= 0xdfff) {
      bytes[p++] = 0xe0 | (code >> 12);
      bytes[p++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[p++] = 0x80 | (code & 0x3f);
    } else {
      p += bytes.write(character, p);
    }
  }
  return p - at;
}

/** At most 10 bytes more than there are. */
export function putBytes(bytes: Buffer, at: number, value: Uint8Array): number {
  const start = putUint(bytes, at, value.length);
  bytes.set(value, start);
  return start + value.length;
}

/** 4 bytes. @param view over the same bytes, with the same offsets */
export function putFloat(view: DataView, at: number, value: number): number {
  view.setFloat32(at, value, true);
  return at + 4;
}

/** 8 bytes. */
export function putDouble(view: DataView, at: number, value: number): number {
  view.setFloat64(at, value, true);
  return at + 8;
}

/** An array of float in one block; at most 4 bytes an element and 6 more. */
export function putFloats(bytes: Uint8Array, view: DataView, at: number, values: Float32Array): number {
  let p = at;
  if (values.length > 0) {
    p = putUint(bytes, p, values.length);
    for (let i = 0; i < values.length; i++) {
      view.setFloat32(p, values[i] as number, true);
      p += 4;
    }
  }
  bytes[p] = 0;
  return p + 1;
}

const REPLACEMENT = '\ufffd';

/** Bytes `start` to `end` as text: what `putString` wrote. */
export function utf8Text(bytes: Buffer, start: number, end: number): string {
  const text = (bytes as Buffer & { utf8Slice(start: number, end: number): string }).utf8Slice(start, end);
  return text.includes(REPLACEMENT) ? wtf8Text(bytes, start, end) : text;
}

/** U+FFFD was in the text, or stands for bytes that are not UTF-8: those of lone surrogates are taken for what they are. */
function wtf8Text(bytes: Buffer, start: number, end: number): string {
  let text = '';
  let from = start;
  for (let i = start; i + 2 < end; i++) {
    const second = bytes[i + 1] as number;
    const third = bytes[i + 2] as number;
    if (bytes[i] !== 0xed || second < 0xa0 || second > 0xbf || third < 0x80 || third > 0xbf) continue;
    text += bytes.toString('utf8', from, i) + String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f));
    from = i + 3;
    i += 2;
  }
  return text + bytes.toString('utf8', from, end);
}
