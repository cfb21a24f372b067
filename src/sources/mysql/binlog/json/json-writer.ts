import { isUtf8 } from 'node:buffer';
import { TidingsError } from '../../../../core/errors.ts';
import { corruptJson, readU8 } from './json-layout.ts';

const SCRATCH_BYTES = 64 * 1024;
/** A larger scratch buffer is given back after the document that needed it. */
const SCRATCH_KEPT_MAX_BYTES = 1024 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HEX = Buffer.from('0123456789abcdef');
/** The letter behind the backslash for the control characters that have one; 0: `\u00XX`. */
const SHORT_ESCAPE = Buffer.alloc(0x20);
SHORT_ESCAPE[0x08] = 0x62; // b
SHORT_ESCAPE[0x09] = 0x74; // t
SHORT_ESCAPE[0x0a] = 0x6e; // n
SHORT_ESCAPE[0x0c] = 0x66; // f
SHORT_ESCAPE[0x0d] = 0x72; // r

/** Collects JSON text as UTF-8 in one growing buffer and makes it a string once, at the end. */
export class JsonWriter {
  #out: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #length = 0;
  /** All bytes taken from strings or-ed: below 0x80 as long as they are ASCII. */
  #seen = 0;

  /** Forgets what a document that failed has left. */
  reset(): void {
    this.#length = 0;
    this.#seen = 0;
    if (this.#out.length > SCRATCH_KEPT_MAX_BYTES) this.#out = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  }

  /** One ASCII character. */
  char(code: number): void {
    if (this.#length === this.#out.length) this.#reserve(1);
    this.#out[this.#length++] = code;
  }

  /** Two ASCII characters. */
  pair(first: number, second: number): void {
    this.#reserve(2);
    const at = this.#length;
    this.#out[at] = first;
    this.#out[at + 1] = second;
    this.#length = at + 2;
  }

  /** ASCII only, short, not escaped. */
  ascii(text: string): void {
    this.#reserve(text.length);
    const out = this.#out;
    let at = this.#length;
    for (let index = 0; index < text.length; index++) out[at++] = text.charCodeAt(index);
    this.#length = at;
  }

  /** A safe integer in decimal. */
  integer(value: number): void {
    if (value > 0x7fff_ffff || value < -0x7fff_ffff) {
      this.ascii(String(value));
      return;
    }
    this.#reserve(11);
    if (value < 0) this.char(0x2d);
    let rest = Math.abs(value);
    let digits = 1;
    for (let limit = 10; rest >= limit; limit *= 10) digits++;
    const out = this.#out;
    let at = this.#length + digits;
    this.#length = at;
    do {
      const next = (rest / 10) | 0;
      out[--at] = 0x30 + rest - next * 10;
      rest = next;
    } while (rest !== 0);
  }

  /** UTF-8 from `start` up to `end`, quoted and escaped as the server does: `"`, `\`, and below 0x20; nothing else, not even 0x7f. */
  quoted(bytes: Buffer, start: number, end: number): void {
    this.#reserve(end - start + 2);
    this.#out[this.#length++] = QUOTE;
    let from = start;
    for (;;) {
      from = this.#plain(bytes, from, end);
      if (from === end) break;
      // With room for what is left of the string and the quote behind it.
      this.#reserve(end - from + 7);
      this.#escaped(readU8(bytes, from++));
    }
    this.#out[this.#length++] = QUOTE;
  }

  /** Copies up to the first byte that needs an escape, and returns where that is. The room is there. */
  #plain(bytes: Buffer, start: number, end: number): number {
    const out = this.#out;
    const shift = this.#length - start;
    let seen = 0;
    let index = start;
    for (; index < end; index++) {
      const byte = readU8(bytes, index);
      if (byte < 0x20 || byte === QUOTE || byte === BACKSLASH) break;
      out[index + shift] = byte;
      seen |= byte;
    }
    this.#length = index + shift;
    this.#seen |= seen;
    return index;
  }

  #escaped(byte: number): void {
    const out = this.#out;
    let at = this.#length;
    out[at++] = BACKSLASH;
    const escape = byte >= 0x20 ? byte : readU8(SHORT_ESCAPE, byte);
    if (escape !== 0) {
      out[at++] = escape;
    } else {
      out[at++] = 0x75; // u
      out[at++] = 0x30;
      out[at++] = 0x30;
      out[at++] = readU8(HEX, byte >> 4);
      out[at++] = readU8(HEX, byte & 15);
    }
    this.#length = at;
  }

  /**
   * The text.
   *
   * @throws TidingsError BINLOG_CORRUPT when a string is not UTF-8, VALUE_TOO_LONG when the text is longer than a string can be
   */
  finish(): string {
    const length = this.#length;
    try {
      if (this.#seen < 0x80) return this.#out.toString('latin1', 0, length);
      const written = this.#out.subarray(0, length);
      return isUtf8(written) ? written.toString('utf8') : withEscapedSurrogates(written);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ERR_STRING_TOO_LONG')) throw error;
      throw new TidingsError('VALUE_TOO_LONG', 'JSON value: its text is longer than a string can be', {
        cause: error,
        details: { bytes: length },
      });
    } finally {
      this.reset();
    }
  }

  /** How many bytes of UTF-8 the text takes; null when some string in it is none, which `finish` deals with. */
  utf8Length(): number | null {
    return this.#seen < 0x80 || isUtf8(this.#out.subarray(0, this.#length)) ? this.#length : null;
  }

  /** Copies the text, where `utf8Length` has told its length, and ends it. */
  finishInto(target: Buffer, at: number): void {
    this.#out.copy(target, at, 0, this.#length);
    this.reset();
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#out.length * 2));
    this.#out.copy(larger, 0, 0, this.#length);
    this.#out = larger;
  }
}

/**
 * Servers before 8.0 let half a surrogate pair (`"\udc00"`) into a document and store it as three bytes that no UTF-8 has.
 * Written as the escape that it came from, the text stays exact; decoded, it would silently become U+FFFD.
 */
function withEscapedSurrogates(written: Buffer): string {
  let text = '';
  let from = 0;
  for (let at = written.indexOf(0xed); at !== -1; at = written.indexOf(0xed, at + 1)) {
    const second = written[at + 1] ?? 0;
    const third = written[at + 2] ?? 0;
    if (second < 0xa0 || second > 0xbf || third < 0x80 || third > 0xbf) continue;
    text += utf8(written.subarray(from, at));
    text += `\\u${(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f)).toString(16)}`;
    from = at + 3;
  }
  return text + utf8(written.subarray(from));
}

function utf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw corruptJson('a string that is not UTF-8', 0);
  return bytes.toString('utf8');
}
