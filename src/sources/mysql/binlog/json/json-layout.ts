import { TidingsError } from '../../../../core/errors.ts';

/**
 * MySQL's binary JSON, as a JSON column holds it and the binlog carries it (MySQL source, sql-common/json_binary.h).
 *
 *     document   type u8, value                       zero bytes: the JSON literal null
 *     object     count, size, key entries, value entries, keys, values
 *     array      count, size, value entries, values
 *     key entry    offset, length u16
 *     value entry  type u8, then the value itself when it fits (`isInlined`), otherwise its offset
 *     string     length (7 bits a byte, low bits first, high bit = more), UTF-8
 *     opaque     type u8 (a column type), length as above, bytes
 *
 * count, size and offset are u16 LE in the small format and u32 LE in the large one; size and offsets count from the first byte of the
 * object or array. Members of an object are sorted by key length, then by the key's bytes.
 */
export const JSON_TYPE = {
  smallObject: 0x00,
  largeObject: 0x01,
  smallArray: 0x02,
  largeArray: 0x03,
  literal: 0x04,
  int16: 0x05,
  uint16: 0x06,
  int32: 0x07,
  uint32: 0x08,
  int64: 0x09,
  uint64: 0x0a,
  double: 0x0b,
  string: 0x0c,
  opaque: 0x0f,
} as const;

/** The server stores no document that is nested deeper. Bounds the recursion over documents that lie. */
const JSON_DEPTH_MAX = 100;

/** A document of zero bytes (a NOT NULL column that got no value) is this one. */
const NULL_DOCUMENT = Buffer.from([JSON_TYPE.literal, 0]);

/** A value within its buffer: `type` came from a value entry or from a document's first byte. */
export interface JsonValue {
  readonly bytes: Buffer;
  readonly type: number;
  readonly at: number;
  /** No byte of the value lies at or behind it. */
  readonly limit: number;
}

/** An object or array whose header was found to lie within its size, and its size within the bytes. All positions are in `bytes`. */
export interface JsonContainer {
  readonly bytes: Buffer;
  readonly isObject: boolean;
  readonly isLarge: boolean;
  readonly count: number;
  readonly at: number;
  readonly end: number;
  /** First key entry; equal to `valuesAt` for an array. */
  readonly keysAt: number;
  readonly valuesAt: number;
  /** First byte behind the value entries: no key and no value lies before it. */
  readonly bodyAt: number;
}

/** Bytes that contradict the layout. */
export function corruptJson(what: string, offset: number): TidingsError {
  return new TidingsError('BINLOG_CORRUPT', `JSON value: ${what}`, { details: { offset } });
}

/** A field that goes on behind its limit: the whole document is cut short, or a part of it contradicts the size of what it is in. */
export function overrunJson(field: string, offset: number, depth: number): TidingsError {
  if (depth > 0) return corruptJson(`${field} reaches past the end of what contains it`, offset);
  return new TidingsError('BINLOG_TRUNCATED', `JSON value: it ends within ${field}`, { details: { offset } });
}

export function isContainer(type: number): boolean {
  return type <= JSON_TYPE.largeArray;
}

/** True when a value entry of this type holds the value instead of its offset. */
function isInlined(type: number, isLarge: boolean): boolean {
  if (type === JSON_TYPE.literal || type === JSON_TYPE.int16 || type === JSON_TYPE.uint16) return true;
  return isLarge && (type === JSON_TYPE.int32 || type === JSON_TYPE.uint32);
}

/** One byte. Its caller has checked that it is there: behind the buffer's end this is 0. */
export function readU8(bytes: Buffer, at: number): number {
  return bytes[at] ?? 0;
}

/** As readU8. */
export function readU16(bytes: Buffer, at: number): number {
  return readU8(bytes, at) | (readU8(bytes, at + 1) << 8);
}

/** As readU8. */
export function readU32(bytes: Buffer, at: number): number {
  return (readU16(bytes, at) | (readU16(bytes, at + 2) << 16)) >>> 0;
}

function readOffset(bytes: Buffer, at: number, isLarge: boolean): number {
  return isLarge ? readU32(bytes, at) : readU16(bytes, at);
}

/**
 * Reads the header of the object or array at `at`. `depth` is how many containers are around it.
 *
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function openContainer({ bytes, type, at, limit }: JsonValue, depth: number): JsonContainer {
  if (depth >= JSON_DEPTH_MAX) throw corruptJson(`nested more than ${JSON_DEPTH_MAX} levels deep`, at);
  const isLarge = (type & 1) === 1;
  const isObject = type <= JSON_TYPE.largeObject;
  const width = isLarge ? 4 : 2;
  const keysAt = at + 2 * width;
  if (keysAt > limit) throw overrunJson('a header', at, depth);
  const count = readOffset(bytes, at, isLarge);
  const end = at + readOffset(bytes, at + width, isLarge);
  if (end > limit) throw overrunJson(isObject ? 'an object' : 'an array', at, depth);
  const valuesAt = isObject ? keysAt + count * (width + 2) : keysAt;
  const bodyAt = valuesAt + count * (width + 1);
  if (bodyAt > end) throw corruptJson('more members than its size has room for', at);
  return { bytes, isObject, isLarge, count, at, end, keysAt, valuesAt, bodyAt };
}

/** Where the key of member `index` starts, checked together with its length. */
export function keyStart(container: JsonContainer, index: number): number {
  const { bytes, isLarge, at, end, keysAt, bodyAt } = container;
  const entry = keysAt + index * (isLarge ? 6 : 4);
  const start = at + readOffset(bytes, entry, isLarge);
  if (start < bodyAt || start + readU16(bytes, entry + (isLarge ? 4 : 2)) > end) {
    throw corruptJson('a key lies outside of its object', entry);
  }
  return start;
}

export function keyLength({ bytes, isLarge, keysAt }: JsonContainer, index: number): number {
  return readU16(bytes, isLarge ? keysAt + index * 6 + 4 : keysAt + index * 4 + 2);
}

export function valueType({ bytes, isLarge, valuesAt }: JsonContainer, index: number): number {
  return readU8(bytes, valuesAt + index * (isLarge ? 5 : 3));
}

/** Where value `index` starts: in its entry when it is inlined, otherwise where the entry points to, checked. */
export function valueStart(container: JsonContainer, index: number, type: number): number {
  const { bytes, isLarge, at, end, valuesAt, bodyAt } = container;
  const entry = valuesAt + index * (isLarge ? 5 : 3);
  if (isInlined(type, isLarge)) return entry + 1;
  const start = at + readOffset(bytes, entry + 1, isLarge);
  if (start < bodyAt || start > end) throw corruptJson('a value lies outside of what contains it', entry);
  return start;
}

/** Object member or array element `index`. */
export function valueAt(container: JsonContainer, index: number): JsonValue {
  const type = valueType(container, index);
  return { bytes: container.bytes, type, at: valueStart(container, index, type), limit: container.end };
}

/** The key's bytes: a view, not a copy. */
export function keyAt(container: JsonContainer, index: number): Buffer {
  const start = keyStart(container, index);
  return container.bytes.subarray(start, start + keyLength(container, index));
}

/** The value of the document in `bytes` from `start` up to `end`. */
export function documentValue(bytes: Buffer, start: number, end: number): JsonValue {
  if (end > bytes.length || start > end) throw overrunJson('a document', start, 0);
  if (start === end) return { bytes: NULL_DOCUMENT, type: JSON_TYPE.literal, at: 1, limit: 2 };
  return { bytes, type: readU8(bytes, start), at: start + 1, limit: end };
}
