import { isUtf8 } from 'node:buffer';
import type { Charset } from './charset.ts';
import { unitsFor, unitsText, utf16leText, utf8Text } from './text-slices.ts';
import { undecodable } from './undecodable.ts';

/**
 * The Unicode encodings, strictly: no lone surrogates in any of them, nothing overlong, nothing above U+10FFFF.
 *
 * The servers are laxer in places. MariaDB stores surrogates in utf8mb3 and utf8mb4 (ed a0 80), both store them in ucs2, and SELECT
 * then sends bytes that are not utf8mb4. There is no text that such a value could be decoded to.
 */
export const UNICODE_CHARSETS: readonly Charset[] = [
  { name: 'utf8mb3', asciiTransparent: true, bytesPerCharMax: 3, bytesPerCharMin: 1, decode: decodeUtf8mb3 },
  { name: 'utf8mb4', asciiTransparent: true, bytesPerCharMax: 4, bytesPerCharMin: 1, decode: decodeUtf8mb4 },
  { name: 'ucs2', asciiTransparent: false, bytesPerCharMax: 2, bytesPerCharMin: 2, decode: decodeUcs2 },
  { name: 'utf16', asciiTransparent: false, bytesPerCharMax: 4, bytesPerCharMin: 2, decode: decodeUtf16 },
  { name: 'utf16le', asciiTransparent: false, bytesPerCharMax: 4, bytesPerCharMin: 2, decode: decodeUtf16le },
  { name: 'utf32', asciiTransparent: false, bytesPerCharMax: 4, bytesPerCharMin: 4, decode: decodeUtf32 },
];

function decodeUtf8mb4(bytes: Buffer, start: number, end: number): string {
  return decodeUtf8('utf8mb4', bytes, start, end);
}

function decodeUtf8mb3(bytes: Buffer, start: number, end: number): string {
  const text = decodeUtf8('utf8mb3', bytes, start, end);
  if (text.length === end - start) return text; // one byte a character: ASCII
  for (let i = start; i < end; i++) if ((bytes[i] as number) >= 0xf0) throw undecodable('utf8mb3', i, start, end);
  return text;
}

/** Node puts U+FFFD where the bytes are wrong, so only a text that contains one needs a second look. */
function decodeUtf8(name: string, bytes: Buffer, start: number, end: number): string {
  const text = utf8Text(bytes, start, end);
  if (!text.includes('\ufffd') || isUtf8(bytes.subarray(start, end))) return text;
  throw undecodable(name, invalidUtf8At(bytes, start, end), start, end);
}

/** Where the first sequence starts that is not UTF-8 (RFC 3629, section 4), or `end`. For errors only. */
function invalidUtf8At(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const lead = bytes[at] as number;
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length > 1) {
      // The second byte of e0 and f0 must not be overlong, of ed no surrogate, of f4 not above U+10FFFF.
      const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
      const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
      const second = bytes[at + 1] ?? 0;
      if (lead < 0xc2 || lead > 0xf4 || at + length > end || second < lowest || second > highest) return at;
      for (let i = at + 2; i < at + length; i++) if (((bytes[i] as number) & 0xc0) !== 0x80) return at;
    }
    at += length;
  }
  return end;
}

function decodeUcs2(bytes: Buffer, start: number, end: number): string {
  const text = decodeBigEndianUnits('ucs2', bytes, start, end);
  const length = end - start;
  for (let i = 0; i < length; i += 2) {
    if (((bytes[start + i] as number) & 0xf8) === 0xd8) throw undecodable('ucs2', start + i, start, end);
  }
  return text;
}

function decodeUtf16(bytes: Buffer, start: number, end: number): string {
  return requireWellFormed('utf16', decodeBigEndianUnits('utf16', bytes, start, end), start, end);
}

function decodeUtf16le(bytes: Buffer, start: number, end: number): string {
  if (((end - start) & 1) !== 0) throw undecodable('utf16le', end - 1, start, end);
  return requireWellFormed('utf16le', utf16leText(bytes, start, end), start, end);
}

function decodeBigEndianUnits(name: string, bytes: Buffer, start: number, end: number): string {
  if (((end - start) & 1) !== 0) throw undecodable(name, end - 1, start, end);
  const count = (end - start) >> 1;
  const units = unitsFor(count);
  for (let i = 0, at = start; i < count; i++, at += 2) {
    units[i] = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  }
  return unitsText(units, count);
}

function requireWellFormed(name: string, text: string, start: number, end: number): string {
  if (text.isWellFormed()) return text;
  // Without pairs only lone surrogates are left; each pair is replaced by two units of something else to keep the offsets.
  const at = text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, '--').search(/[\ud800-\udfff]/);
  throw undecodable(name, start + 2 * at, start, end);
}

function decodeUtf32(bytes: Buffer, start: number, end: number): string {
  if (((end - start) & 3) !== 0) throw undecodable('utf32', end - ((end - start) & 3), start, end);
  const units = unitsFor((end - start) >> 1);
  let count = 0;
  for (let at = start; at < end; at += 4) {
    const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    const low = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
    if (high > 0x10 || (high === 0 && (low & 0xf800) === 0xd800)) throw undecodable('utf32', at, start, end);
    if (high === 0) units[count++] = low;
    else {
      units[count++] = 0xd800 | ((high - 1) << 6) | (low >> 10);
      units[count++] = 0xdc00 | (low & 0x3ff);
    }
  }
  return unitsText(units, count);
}
