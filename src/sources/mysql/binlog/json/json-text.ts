import {
  JSON_TYPE,
  corruptJson,
  documentValue,
  isContainer,
  keyLength,
  keyStart,
  openContainer,
  overrunJson,
  readU16,
  readU32,
  readU8,
  valueStart,
  valueType,
  type JsonContainer,
  type JsonValue,
} from './json-layout.ts';
import { OPAQUE_TYPE, doubleText, jsonDecimalText, temporalText } from './json-scalars.ts';
import { JsonWriter } from './json-writer.ts';

const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;
/** The server breaks base64 text after this many bytes (76 characters). */
const BASE64_LINE_BYTES = 57;
/** Bytes of each numeric type; 0: no fixed size. */
const SCALAR_BYTES: readonly number[] = [0, 0, 0, 0, 1, 2, 2, 4, 4, 8, 8, 8];

/**
 * Prints binary JSON as the server's SELECT does, straight from the bytes (MySQL source, sql-common/json_dom.cc, wrapper_to_string).
 *
 * No byte is printed twice: what a document's values take together may not be more than the document has. Without this, a few
 * kilobytes of entries that all point to the same array would print for ever.
 */
export class JsonPrinter {
  readonly writer: JsonWriter = new JsonWriter();
  #bytesLeft = 0;

  /** Starts a text that is made of at most `bytes` bytes of binary JSON. */
  begin(bytes: number): void {
    this.writer.reset();
    this.#bytesLeft = bytes;
  }

  /** Appends one value; `depth` is how many containers are around it. */
  value(value: JsonValue, depth: number): void {
    if (isContainer(value.type)) this.#container(openContainer(value, depth), depth);
    else this.#scalar(value.bytes, value.type, value.at, value.limit, depth);
  }

  /** Appends object member (with its key) or array element `index`; `depth` counts the containers around the container. */
  member(container: JsonContainer, index: number, depth: number): void {
    if (container.isObject) {
      const start = keyStart(container, index);
      this.key(container.bytes, start, start + keyLength(container, index));
    }
    const type = valueType(container, index);
    const at = valueStart(container, index, type);
    if (isContainer(type)) {
      this.#container(openContainer({ bytes: container.bytes, type, at, limit: container.end }, depth + 1), depth + 1);
    } else {
      this.#scalar(container.bytes, type, at, container.end, depth + 1);
    }
  }

  key(bytes: Buffer, start: number, end: number): void {
    this.#take(end - start, start);
    this.writer.quoted(bytes, start, end);
    this.writer.pair(COLON, SPACE);
  }

  open(isObject: boolean): void {
    this.writer.char(isObject ? 0x7b : 0x5b);
  }

  separator(): void {
    this.writer.pair(COMMA, SPACE);
  }

  close(isObject: boolean): void {
    this.writer.char(isObject ? 0x7d : 0x5d);
  }

  #container(container: JsonContainer, depth: number): void {
    this.#take(container.bodyAt - container.at, container.at);
    this.open(container.isObject);
    for (let index = 0; index < container.count; index++) {
      if (index > 0) this.separator();
      this.member(container, index, depth);
    }
    this.close(container.isObject);
  }

  #scalar(bytes: Buffer, type: number, at: number, limit: number, depth: number): void {
    const size = SCALAR_BYTES[type] ?? 0;
    if (at + size > limit) throw overrunJson('a number or literal', at, depth);
    const { writer } = this;
    switch (type) {
      case JSON_TYPE.literal:
        writer.ascii(literalText(bytes, at));
        return;
      case JSON_TYPE.int16:
        writer.integer((readU16(bytes, at) << 16) >> 16);
        return;
      case JSON_TYPE.uint16:
        writer.integer(readU16(bytes, at));
        return;
      case JSON_TYPE.int32:
        writer.integer(readU32(bytes, at) | 0);
        return;
      case JSON_TYPE.uint32:
        writer.integer(readU32(bytes, at));
        return;
      case JSON_TYPE.int64:
      case JSON_TYPE.uint64: {
        this.#take(size, at);
        const low = readU32(bytes, at);
        const high = readU32(bytes, at + 4) | 0;
        // Within ±2^53 a number is exact, and cheaper than a bigint.
        if (high >= -0x20_0000 && high < 0x20_0000 && (high >= 0 || type === JSON_TYPE.int64)) {
          writer.integer(high * 0x1_0000_0000 + low);
        } else {
          writer.ascii(String(type === JSON_TYPE.int64 ? bytes.readBigInt64LE(at) : bytes.readBigUInt64LE(at)));
        }
        return;
      }
      case JSON_TYPE.double: {
        this.#take(size, at);
        const value = bytes.readDoubleLE(at);
        if (!Number.isFinite(value)) throw corruptJson('a double that is no number', at);
        writer.ascii(doubleText(value));
        return;
      }
      case JSON_TYPE.string:
        this.#string(bytes, at, limit, depth);
        return;
      case JSON_TYPE.opaque:
        this.#opaque(bytes, at, limit, depth);
        return;
      default:
        throw corruptJson('an unknown type of value', at);
    }
  }

  #string(bytes: Buffer, at: number, limit: number, depth: number): void {
    const start = lengthEnd(bytes, at, limit, depth);
    const length = readLength(bytes, at, start);
    if (start + length > limit) throw overrunJson('a string', at, depth);
    this.#take(start + length - at, at);
    this.writer.quoted(bytes, start, start + length);
  }

  #opaque(bytes: Buffer, at: number, limit: number, depth: number): void {
    if (at >= limit) throw overrunJson('an opaque value', at, depth);
    const opaqueType = readU8(bytes, at);
    const start = lengthEnd(bytes, at + 1, limit, depth);
    const length = readLength(bytes, at + 1, start);
    if (start + length > limit) throw overrunJson('an opaque value', at, depth);
    this.#take(start + length - at, at);
    switch (opaqueType) {
      case OPAQUE_TYPE.decimal:
        this.writer.ascii(jsonDecimalText(bytes, start, length));
        return;
      case OPAQUE_TYPE.date:
      case OPAQUE_TYPE.time:
      case OPAQUE_TYPE.datetime:
      case OPAQUE_TYPE.timestamp:
        this.writer.ascii(`"${temporalText(opaqueType, bytes, start, length)}"`);
        return;
      case OPAQUE_TYPE.varString:
        this.writer.quoted(bytes, start, start + length);
        return;
      default:
        this.#base64(opaqueType, bytes, start, start + length);
    }
  }

  /** Any other opaque value: `"base64:type15:VmFy"`, with an escaped newline between lines of 76 characters. */
  #base64(opaqueType: number, bytes: Buffer, start: number, end: number): void {
    this.writer.ascii(`"base64:type${opaqueType}:`);
    for (let at = start; at < end; at += BASE64_LINE_BYTES) {
      if (at > start) this.writer.ascii('\\n');
      this.writer.ascii(bytes.toString('base64', at, Math.min(end, at + BASE64_LINE_BYTES)));
    }
    this.writer.ascii('"');
  }

  #take(bytes: number, at: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) throw corruptJson('values that overlap', at);
  }
}

function literalText(bytes: Buffer, at: number): string {
  switch (bytes[at]) {
    case 0:
      return 'null';
    case 1:
      return 'true';
    case 2:
      return 'false';
    default:
      throw corruptJson('an unknown literal', at);
  }
}

/** Where the length field at `at` ends: behind its first byte without the high bit, at most five bytes on. */
function lengthEnd(bytes: Buffer, at: number, limit: number, depth: number): number {
  for (let index = at; index < at + 5; index++) {
    if (index >= limit) throw overrunJson('a length', at, depth);
    if (readU8(bytes, index) < 0x80) return index + 1;
  }
  throw corruptJson('a length of more than five bytes', at);
}

function readLength(bytes: Buffer, at: number, end: number): number {
  let length = 0;
  for (let index = end - 1; index >= at; index--) length = length * 128 + (readU8(bytes, index) & 0x7f);
  return length;
}

// Printing never calls back and never waits, so that one printer (and one scratch buffer) serves all.
const printer = new JsonPrinter();

/**
 * The text that the server's SELECT shows for the document in `bytes` from `start` up to `end`.
 * Bytes behind the document's own end are not looked at, as the server doesn't.
 *
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT, VALUE_TOO_LONG
 */
export function decodeJsonText(bytes: Buffer, start: number, end: number): string {
  return printJson(bytes, start, end).finish();
}

/** The same, not made a string yet: valid until the next document is printed. @throws TidingsError as `decodeJsonText` */
export function printJson(bytes: Buffer, start: number, end: number): JsonWriter {
  const document = documentValue(bytes, start, end);
  printer.begin(document.limit - document.at);
  printer.value(document, 0);
  return printer.writer;
}
