import { INT_BYTES_MAX, putAscii, putHalves, putInt, putString, putUint } from '../../../../base/avro-bytes.ts';
import { finish, mixValue } from '../../../../core/rows/key-hash.ts';
import {
  KEY_MOVED,
  MOVED_ROW_HEADER_BYTES,
  ROW_HEADER_BYTES,
  type RowTarget,
} from '../../../../core/rows/row-target.ts';
import type { Charset } from '../../charset/charset.ts';
import { corrupt } from '../frame-errors.ts';
import { printJson } from '../json/json-text.ts';
import { mixHalves, mixText, mixTrimmed } from './mix-key.ts';
import { putDate, putDatetime, putDecimal, putShortDecimal, putTime, putTimestamp } from './put-digits.ts';
import { checkUtf8, putAnyString, putBinary, putBlob, putOtherText, putUtf8 } from './put-text.ts';
import { rowRuntime } from './row-runtime.ts';
import { bigSigned, enumMember, uncompressColumn } from './value-runtime.ts';

function unsignedDigits(high: number, low: number): string {
  return String(bigSigned(high >>> 0, low >>> 0));
}

function bitsBeyondType(bits: number): never {
  throw corrupt(`a BIT(${bits}) value has more bits than its type`, { bits });
}

interface Members {
  readonly members: readonly string[];
  /** By index, each with its length before it, as far as they have occurred. */
  readonly written: (Buffer | undefined)[];
}

/** ENUM. */
function putMember(d: Buffer, o: number, index: number, { members, written }: Members): number {
  let bytes = written[index];
  if (bytes === undefined) {
    const member = enumMember(index, members);
    const room = Buffer.alloc(member.length * 3 + INT_BYTES_MAX);
    bytes = room.subarray(0, putString(room, 0, member));
    written[index] = bytes;
  }
  const { length } = bytes;
  for (let i = 0; i < length; i++) d[o + i] = bytes[i] as number;
  return o + length;
}

/** VECTOR: an array of float in one block, and the empty block that ends it. */
// oxlint-disable-next-line max-params -- as its neighbours
function putVector(b: Buffer, v: DataView, p: number, l: number, d: Buffer, w: DataView, o: number): number {
  if (l % 4 !== 0) throw corrupt('a VECTOR value is not a whole number of float32', { length: l });
  let at = o;
  if (l > 0) {
    at = putUint(d, at, l / 4);
    b.copy(d, at, p, p + l);
    at += l;
  }
  d[at] = 0;
  return at + 1;
}

/** The server's own text of a JSON document. */
// oxlint-disable-next-line max-params -- as its neighbours
function putJson(t: RowTarget, o: number, b: Buffer, start: number, end: number, reserve: number): number {
  const writer = printJson(b, start, end);
  const length = writer.utf8Length();
  if (length === null) return putAnyString(t, o, writer.finish(), reserve);
  const room = length + INT_BYTES_MAX + reserve;
  let at = t.end - o < room ? t.grow(o, room) : o;
  at = putUint(t.bytes, at, length);
  writer.finishInto(t.bytes, at);
  return at + length;
}

/** A value of a MariaDB COMPRESSED column. */
// oxlint-disable-next-line max-params -- as its neighbours
function putCompressed(
  t: RowTarget,
  o: number,
  b: Buffer,
  start: number,
  end: number,
  charset: Charset | null,
  reserve: number,
): number {
  const value = uncompressColumn(b, start, end);
  const { length } = value;
  const room = length + INT_BYTES_MAX + reserve;
  let at = t.end - o < room ? t.grow(o, room) : o;
  if (charset !== null) {
    const view = new DataView(value.buffer, value.byteOffset, length);
    return charset.name === 'utf8mb4' || charset.name === 'utf8mb3'
      ? putUtf8(value, view, 0, length, t.bytes, t.view, at, charset)
      : putOtherText(t, at, value, view, 0, length, charset, reserve);
  }
  at = putUint(t.bytes, at, length);
  value.copy(t.bytes, at);
  return at + length;
}

/** Whether two ranges of a row hold other bytes. */
// oxlint-disable-next-line max-params -- called for every row
function differ(b: Buffer, firstStart: number, firstEnd: number, secondStart: number, secondEnd: number): boolean {
  const length = firstEnd - firstStart;
  if (secondEnd - secondStart !== length) return true;
  for (let i = 0; i < length; i++) if (b[firstStart + i] !== b[secondStart + i]) return true;
  return false;
}

/**
 * Completes a row whose key moved: the row behind `t.at`, written up to `o` behind a short header, gets the long one.
 *
 * @param beforeBytes how much of it the image before takes
 */
// oxlint-disable-next-line max-params -- called for every such row
function moved(t: RowTarget, o: number, beforeBytes: number, hash: number, oldHash: number): number {
  const { at, bytes, view } = t;
  bytes.copyWithin(at + MOVED_ROW_HEADER_BYTES, at + ROW_HEADER_BYTES, o);
  view.setInt32(at, (o - at - ROW_HEADER_BYTES) | KEY_MOVED, true);
  view.setInt32(at + 4, hash, true);
  view.setInt32(at + 8, oldHash, true);
  view.setInt32(at + 12, beforeBytes, true);
  return o + MOVED_ROW_HEADER_BYTES - ROW_HEADER_BYTES;
}

/** A row of which nothing is logged. */
function emptyRow(t: RowTarget, hash: number): void {
  if (t.end - t.at < ROW_HEADER_BYTES) t.room(ROW_HEADER_BYTES);
  t.view.setInt32(t.at, 0, true);
  t.view.setInt32(t.at + 4, hash, true);
  t.at += ROW_HEADER_BYTES;
  t.rows++;
}

/** Everything that generated transcoders call, as `r`: what the decoders call, too, for the rarer types. */
export const transcodeRuntime: Readonly<Record<string, unknown>> = {
  ...rowRuntime,
  bitsBeyondType,
  checkUtf8,
  differ,
  emptyRow,
  finish,
  mixHalves,
  mixText,
  mixTrimmed,
  mixValue,
  moved,
  putAnyString,
  putAscii,
  putBinary,
  putBlob,
  putCompressed,
  putDate,
  putDatetime,
  putDecimal,
  putHalves,
  putInt,
  putJson,
  putMember,
  putOtherText,
  putShortDecimal,
  putTime,
  putTimestamp,
  putUint,
  putUtf8,
  putVector,
  unsignedDigits,
};
