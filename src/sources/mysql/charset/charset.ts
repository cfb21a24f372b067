import { MULTI_BYTE_CHARSETS } from './multi-byte.ts';
import { SINGLE_BYTE_CHARSETS } from './single-byte.ts';
import { UNICODE_CHARSETS } from './unicode.ts';

/** A character set of the server: how a column's bytes become text, exactly as SELECT shows it over a utf8mb4 connection. */
export interface Charset {
  /** As a current server spells it: `utf8mb3`, not `utf8`. */
  readonly name: string;
  /** Every byte below 0x80 is that ASCII character and never part of a longer one. */
  readonly asciiTransparent: boolean;
  readonly bytesPerCharMax: number;
  readonly bytesPerCharMin: number;
  /**
   * The text of bytes `start` to `end`. Never '?' or U+FFFD in place of something else: U+FFFD comes out only where the server
   * itself stores it under these bytes (big5 a15a and six more, nine bytes of tis620, and of course the Unicode encodings).
   *
   * @throws TidingsError TEXT_UNDECODABLE when the character set has no character for some of the bytes
   */
  decode(bytes: Buffer, start: number, end: number): string;
}

const CHARSETS: ReadonlyMap<string, Charset> = new Map(
  [...UNICODE_CHARSETS, ...SINGLE_BYTE_CHARSETS, ...MULTI_BYTE_CHARSETS].map((charset) => [charset.name, charset]),
);

/**
 * The character set of this name, in any case, or null when the server has none of that name.
 *
 * `utf8` is utf8mb3, as SHOW CREATE TABLE and information_schema of MySQL up to 5.7 and MariaDB up to 10.5 mean it. In the text of
 * a DDL statement on MariaDB from 10.6 it can mean utf8mb4 (`old_mode`): whoever reads DDL decides that before asking here.
 *
 * `filename` is MariaDB's own encoding of names as file names; there, unlike in MySQL, a column can have it.
 * `binary` is no text: its "decoding" has one character for each byte, U+0000 to U+00FF.
 */
export function charsetByName(name: string, flavour: 'mysql' | 'mariadb'): Charset | null {
  const lower = name.toLowerCase();
  if (lower === 'gb18030' && flavour === 'mariadb') return null;
  if (lower === 'filename' && flavour === 'mysql') return null;
  return CHARSETS.get(lower === 'utf8' ? 'utf8mb3' : lower) ?? null;
}
