import { PACKED_TABLES } from './multi-byte-tables.generated.ts';
import { unpackTable } from './packed-table.ts';
import { unitsFor, unitsText } from './text-slices.ts';
import { undecodable } from './undecodable.ts';

let afterAt: Uint16Array | null = null;

/**
 * The encoding in which the servers name files after tables. MariaDB source, strings/ctype-utf8.c ("filename"):
 *
 *     NUL, 0-9, A-Z, a-z, _     themselves
 *     @ and two ASCII bytes     a letter of some alphabet, by table
 *     @@@                       NUL
 *     @ and four of 0-9a-f      any character of the BMP, by its code point
 *
 * Beyond the BMP the server drops the last digit of five; what it then stores is another character, or a surrogate, which is refused.
 */
export function decodeFilename(bytes: Buffer, start: number, end: number): string {
  afterAt ??= unpackTable(PACKED_TABLES.filenameAfterAt);
  const units = unitsFor(end - start);
  let count = 0;
  let at = start;
  while (at < end) {
    const first = bytes[at] as number;
    let length = 1;
    let unit = isPlain(first) ? first : -1;
    if (first === 0x40) {
      const [second = -1, third = -1] = [bytes[at + 1], bytes[at + 2]];
      length = 3;
      if (second === 0x40 && third === 0x40) unit = 0;
      else if (second >= 0 && second < 0x80 && third >= 0) unit = afterAt[(second << 8) | third] || -1;
      if (unit === -1) {
        length = 5;
        unit = hexUnit(bytes, at + 1);
      }
    }
    if (unit === -1 || at + length > end) throw undecodable('filename', at, start, end);
    units[count++] = unit;
    at += length;
  }
  return unitsText(units, count);
}

function isPlain(byte: number): boolean {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  const isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
  return byte === 0 || byte === 0x5f || isDigit || isLetter;
}

/** -1 unless four lower-case hexadecimal digits stand there. A surrogate is no character. */
function hexUnit(bytes: Buffer, at: number): number {
  let unit = 0;
  for (let i = at; i < at + 4; i++) {
    const digit = bytes[i] ?? 0;
    if (digit >= 0x30 && digit <= 0x39) unit = unit * 16 + digit - 0x30;
    else if (digit >= 0x61 && digit <= 0x66) unit = unit * 16 + digit - 0x61 + 10;
    else return -1;
  }
  return (unit & 0xf800) === 0xd800 ? -1 : unit;
}
