import { float32 } from '../base/float32.ts';
import { copyBytes } from './log/copy-bytes.ts';
import { base64, jsonNumber, vectorText } from './json-text.ts';

/** Where JSON is written as bytes. Room is asked for before writing: `room` may change all three fields. */
export interface JsonOutput {
  bytes: Buffer;
  /** Over the same bytes, with the same offsets. */
  view: DataView;
  at: number;
  /** Makes at least `size` bytes behind `at`. What is written so far may be sealed by it. */
  room(size: number): void;
}

/** What a byte of text can become: `\u0000`. */
export const TEXT_FACTOR = 6;
/** The most bytes of a number: `-9007199254740991`, `18446744073709551615`, `-1.7976931348623157e+308`. */
export const NUMBER_BYTES_MAX = 26;
/** Functions may write up to so many bytes beyond what they return as the end. */
export const OVERSHOOT = 8;

/** Longer values are written piece by piece, each with its own room. */
export const SHORT_VALUE_MAX = 1024;
const PIECE_BYTES = 12 * 1024;

/** A value has no exact form in JSON: NaN or an infinity. Whoever encodes turns it into an error that names the table. */
export class NoJsonForm extends Error {
  override readonly name: string = 'NoJsonForm';
}

const ONES = 0x0101_0101;
const HIGHS = 0x8080_8080 | 0;
const QUOTES = 0x2222_2222;
const BACKSLASHES = 0x5c5c_5c5c;
const DELETES = 0x7f7f_7f7f;
const SPACES = 0x2020_2020;
const LINE_FEEDS = 0x0a0a_0a0a;
const RETURNS = 0x0d0d_0d0d;
/** First bytes of what WTF-8 writes for lone surrogates. */
const SURROGATE_LEADS = 0xeded_eded | 0;

const HEX = Buffer.from('0123456789abcdef');
/** The letter behind the backslash, where JSON has one. */
const ESCAPES: Uint8Array = new Uint8Array(128);
for (const [code, letter] of Object.entries({ 8: 'b', 9: 't', 10: 'n', 12: 'f', 13: 'r', 34: '"', 92: '\\' })) {
  ESCAPES[Number(code)] = letter.charCodeAt(0);
}

/**
 * The inside of a string literal, as `jsonString` makes it, from UTF-8. At most TEXT_FACTOR times as many bytes.
 *
 * @returns the offset behind what was written
 */
// Called for every text: an options object would cost more than the copying. The same holds below.
// oxlint-disable-next-line max-params -- called for every value: a range, and where it goes
function text(b: Buffer, v: DataView, from: number, end: number, w: Buffer, wv: DataView, to: number): number {
  let p = from;
  let a = to;
  while (p < end) {
    if (p + 8 <= end) {
      const x = v.getInt32(p, true);
      const y = v.getInt32(p + 4, true);
      // A byte's high bit is set where a byte needs a look. A byte above such a one may be marked without need.
      if (((mark(x) | mark(y)) & HIGHS) === 0) {
        wv.setInt32(a, x, true);
        wv.setInt32(a + 4, y, true);
        p += 8;
        a += 8;
        continue;
      }
    }
    for (const stop = Math.min(end, p + 8); p < stop;) {
      const c = b[p] as number;
      if (c >= 0x20 && c < 0x7f && c !== 0x22 && c !== 0x5c) {
        w[a++] = c;
        p++;
      } else if (c < 0x80) {
        a = escaped(c, w, a);
        p++;
      } else if (c === 0xc2 && (b[p + 1] as number) < 0xa0) {
        a = unicode(b[p + 1] as number, w, a);
        p += 2;
      } else if (c === 0xed && (b[p + 1] as number) > 0x9f) {
        a = unicode(surrogate(b, p), w, a);
        p += 3;
      } else {
        w[a++] = c;
        p++;
      }
    }
  }
  return a;
}

/** Of four bytes: the high bit of those that are controls, a quote, a backslash, DEL or not ASCII. */
function mark(x: number): number {
  const quote = x ^ QUOTES;
  const slash = x ^ BACKSLASHES;
  const del = x ^ DELETES;
  return x | ((x - SPACES) & ~x) | ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) | ((del - ONES) & ~del);
}

/** A JSON document as `embeddedJson` makes it: one line, and lone surrogates, which UTF-8 has no place for, as escapes. */
// oxlint-disable-next-line max-params -- called for every value: a range, and where it goes
function document(b: Buffer, v: DataView, from: number, end: number, w: Buffer, wv: DataView, to: number): number {
  let p = from;
  let a = to;
  while (p < end) {
    if (p + 4 <= end) {
      const x = v.getInt32(p, true);
      const feed = x ^ LINE_FEEDS;
      const carriage = x ^ RETURNS;
      const lead = x ^ SURROGATE_LEADS;
      const special = ((feed - ONES) & ~feed) | ((carriage - ONES) & ~carriage) | ((lead - ONES) & ~lead);
      if ((special & HIGHS) === 0) {
        wv.setInt32(a, x, true);
        p += 4;
        a += 4;
        continue;
      }
    }
    const c = b[p] as number;
    if (c === 0xed && (b[p + 1] as number) > 0x9f) {
      a = unicode(surrogate(b, p), w, a);
      p += 3;
    } else {
      w[a++] = c === 0x0a || c === 0x0d ? 0x20 : c;
      p++;
    }
  }
  return a;
}

function escaped(code: number, w: Buffer, at: number): number {
  const letter = ESCAPES[code] as number;
  if (letter === 0) return unicode(code, w, at);
  w[at] = 0x5c;
  w[at + 1] = letter;
  return at + 2;
}

function unicode(code: number, w: Buffer, at: number): number {
  w[at] = 0x5c;
  w[at + 1] = 0x75;
  w[at + 2] = HEX[code >> 12] as number;
  w[at + 3] = HEX[(code >> 8) & 15] as number;
  w[at + 4] = HEX[(code >> 4) & 15] as number;
  w[at + 5] = HEX[code & 15] as number;
  return at + 6;
}

function surrogate(b: Buffer, at: number): number {
  return 0xd000 | (((b[at + 1] as number) & 0x3f) << 6) | ((b[at + 2] as number) & 0x3f);
}

type Write = typeof text;

/** A long value, in pieces that end where a character does. @param rest room to be left for what follows */
// oxlint-disable-next-line max-params -- called for every value: a range, and where it goes
function inPieces(write: Write, o: JsonOutput, b: Buffer, v: DataView, from: number, end: number, rest: number): void {
  for (let p = from; p < end;) {
    let next = Math.min(end, p + PIECE_BYTES);
    while (next < end && next > p + 1 && ((b[next] as number) & 0xc0) === 0x80) next--;
    o.room((next - p) * TEXT_FACTOR + OVERSHOOT);
    o.at = write(b, v, p, next, o.bytes, o.view, o.at);
    p = next;
  }
  o.room(rest);
}

// oxlint-disable-next-line max-params -- called for every value: a range, and where it goes
function longText(o: JsonOutput, b: Buffer, v: DataView, from: number, end: number, rest: number): void {
  inPieces(text, o, b, v, from, end, rest);
}

// oxlint-disable-next-line max-params -- called for every value: a range, and where it goes
function longDocument(o: JsonOutput, b: Buffer, v: DataView, from: number, end: number, rest: number): void {
  inPieces(document, o, b, v, from, end, rest);
}

/** The inside of a string literal that holds bytes. */
// oxlint-disable-next-line max-params -- called for every value: a range, and where it goes
function bytes(o: JsonOutput, b: Buffer, from: number, end: number, rest: number): void {
  // A multiple of three, so that only the last piece is padded.
  for (let p = from; p < end; p += PIECE_BYTES) {
    const piece = base64(b.subarray(p, Math.min(end, p + PIECE_BYTES)));
    o.room(piece.length);
    o.at += o.bytes.write(piece, o.at, 'latin1');
  }
  o.room(rest);
}

function vector(o: JsonOutput, values: Float32Array, rest: number): void {
  const array = vectorText(values);
  if (array === undefined) throw new NoJsonForm();
  o.room(array.length + rest);
  o.at += o.bytes.write(array, o.at, 'latin1');
}

/** At most 10 bytes. @param value 0 to 2^31 - 1 */
function digits(w: Buffer, at: number, value: number): number {
  let n = value;
  const count = n < 10 ? 1 : n < 100 ? 2 : n < 1000 ? 3 : n < 10_000 ? 4 : n < 100_000 ? 5 : digitsAbove5(n);
  for (let p = at + count - 1; p > at; p--) {
    const tenth = (n / 10) | 0;
    w[p] = 48 + n - tenth * 10;
    n = tenth;
  }
  w[at] = 48 + n;
  return at + count;
}

function digitsAbove5(n: number): number {
  return n < 1_000_000 ? 6 : n < 10_000_000 ? 7 : n < 100_000_000 ? 8 : n < 1_000_000_000 ? 9 : 10;
}

/** At most NUMBER_BYTES_MAX bytes. @param value a safe integer, or a bigint */
function integer(w: Buffer, at: number, value: number | bigint): number {
  if (typeof value === 'bigint') return ascii(w, at, String(value));
  let n = value;
  let a = at;
  if (n < 0) {
    w[a++] = 0x2d;
    n = -n;
  }
  if (n <= 0x7fff_ffff) return digits(w, a, n | 0);
  const high = Math.floor(n / 1e9);
  let low = (n - high * 1e9) | 0;
  a = digits(w, a, high);
  for (let p = a + 8; p >= a; p--) {
    const tenth = (low / 10) | 0;
    w[p] = 48 + low - tenth * 10;
    low = tenth;
  }
  return a + 9;
}

/** A FLOAT or DOUBLE as `jsonNumber` writes it. At most NUMBER_BYTES_MAX bytes. */
function number(w: Buffer, at: number, value: number): number {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return integer(w, at, value);
  const exact = jsonNumber(value);
  if (exact === undefined) throw new NoJsonForm();
  return ascii(w, at, exact);
}

function ascii(w: Buffer, at: number, value: string): number {
  for (let i = 0; i < value.length; i++) w[at + i] = value.charCodeAt(i);
  return at + value.length;
}

/** What generated encoders call. */
export const jsonRuntime: {
  readonly text: typeof text;
  readonly document: typeof document;
  readonly copy: typeof copyBytes;
  readonly longText: typeof longText;
  readonly longDocument: typeof longDocument;
  readonly bytes: typeof bytes;
  readonly vector: typeof vector;
  readonly digits: typeof digits;
  readonly integer: typeof integer;
  readonly number: typeof number;
  readonly float32: typeof float32;
} = { text, document, copy: copyBytes, longText, longDocument, bytes, vector, digits, integer, number, float32 };
