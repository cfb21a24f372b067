import { inflateRawSync, inflateSync } from 'node:zlib';
import { corrupt } from '../frame-errors.ts';

/** Functions that generated row decoders call for the types whose values take more than reading an integer. */

/** BIGINT beyond 2^53, signed; `high` and `low` are its 32-bit halves. */
export function bigSigned(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

/** BIT(n): `length` bytes big-endian; a number up to 2^53 - 1, beyond it a bigint. */
export function bitValue(bytes: Buffer, start: number, length: number): number | bigint {
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + (bytes[start + i] ?? 0);
  if (value <= Number.MAX_SAFE_INTEGER) return value;
  // 7 or 8 bytes: BIT(54) to BIT(64).
  const high = length === 8 ? bytes.readUInt32BE(start) : bytes.readUIntBE(start, 3);
  return (BigInt(high) << 32n) | BigInt(bytes.readUInt32BE(start + length - 4));
}

/** A copy: a view would hold the whole read buffer, and change with it. */
export function blob(bytes: Buffer, start: number, end: number): Uint8Array {
  const length = end - start;
  const copy = new Uint8Array(length);
  if (length > 64) copy.set(bytes.subarray(start, end));
  else for (let i = 0; i < length; i++) copy[i] = bytes[start + i] as number;
  return copy;
}

/** BINARY(size): the log drops trailing zero bytes, SELECT shows them. */
export function paddedBinary(
  bytes: Buffer,
  { start, end, size }: { start: number; end: number; size: number },
): Uint8Array {
  const padded = new Uint8Array(Math.max(size, end - start));
  padded.set(bytes.subarray(start, end));
  return padded;
}

/** ENUM: 1-based index into the members; 0 is the empty string that MySQL stores for an invalid value. */
export function enumMember(index: number, members: readonly string[]): string {
  if (index === 0) return '';
  const member = members[index - 1];
  if (member === undefined) {
    throw corrupt(`an ENUM value is member ${index}, the column is known with ${members.length} members`, {
      members: members.length,
      index,
    });
  }
  return member;
}

/** SET: `length` bytes little-endian, one bit a member. `cache` keeps the text of combinations seen, up to a limit. */
export function setMembers(
  bytes: Buffer,
  start: number,
  { length, members, cache }: { length: number; members: readonly string[]; cache: Map<number, string> },
): string {
  let low = 0;
  let high = 0;
  for (let i = length - 1; i >= 4; i--) high = high * 256 + (bytes[start + i] ?? 0);
  for (let i = Math.min(length, 4) - 1; i >= 0; i--) low = low * 256 + (bytes[start + i] ?? 0);
  const known = high === 0 ? cache.get(low) : undefined;
  if (known !== undefined) return known;
  const chosen: string[] = [];
  for (let bit = 0; bit < length * 8; bit++) {
    const half = bit < 32 ? low : high;
    if (((half >>> (bit & 31)) & 1) === 0) continue;
    const member = members[bit];
    if (member === undefined) {
      throw corrupt(`a SET value has member ${bit + 1}, the column is known with ${members.length} members`, {
        members: members.length,
        bit,
      });
    }
    chosen.push(member);
  }
  const text = chosen.join(',');
  if (high === 0 && cache.size < 1024) cache.set(low, text);
  return text;
}

/** VECTOR: float32 values, little-endian, as many as fit. */
export function vector(bytes: Buffer, start: number, end: number): Float32Array {
  if ((end - start) % 4 !== 0) {
    throw corrupt('a VECTOR value is not a whole number of float32', { length: end - start });
  }
  const values = new Float32Array((end - start) / 4);
  for (let i = 0; i < values.length; i++) values[i] = bytes.readFloatLE(start + i * 4);
  return values;
}

/**
 * A value of a MariaDB COMPRESSED column.
 *
 *     header     u8: 0 is uncompressed; else method in the high 4 bits (8: deflate), bit 3 set: raw deflate, low 3 bits: length bytes
 *     length     1 to 4 bytes big-endian, of the uncompressed value
 *     data       rest
 *
 * A value that does not become shorter is stored uncompressed; the empty one has no header.
 *
 * Source: MariaDB, sql/field_comp.cc; sql/field.cc, Field_longstr::uncompress().
 */
export function uncompressColumn(bytes: Buffer, start: number, end: number): Buffer {
  if (start === end) return bytes.subarray(start, end);
  const header = bytes.readUInt8(start);
  if (header === 0) return bytes.subarray(start + 1, end);
  const lengthBytes = header & 7;
  if (header >> 4 !== 8 || lengthBytes === 0 || lengthBytes > 4) {
    throw corrupt('a compressed column has an unknown compression header', { header });
  }
  const data = start + 1 + lengthBytes;
  if (data > end) throw corrupt('a compressed column ends inside its header', { length: end - start });
  const length = bytes.readUIntBE(start + 1, lengthBytes);
  // One byte more than promised: a value that is longer than it says must be noticed, not cut.
  const options = { maxOutputLength: length + 1 };
  let value: Buffer;
  try {
    value =
      (header & 8) === 0
        ? inflateSync(bytes.subarray(data, end), options)
        : inflateRawSync(bytes.subarray(data, end), options);
  } catch (error) {
    throw corrupt(`a compressed column cannot be inflated: ${error instanceof Error ? error.message : 'unknown'}`, {
      length,
    });
  }
  if (value.length !== length) throw corrupt('a compressed column has another length than it says', { length });
  return value;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0'));

function hex(bytes: Buffer, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += HEX[bytes[i] ?? 0];
  return text;
}

/** IPv4 address, 4 bytes. */
export function inet4(bytes: Buffer, start: number): string {
  return `${bytes[start]}.${bytes[start + 1]}.${bytes[start + 2]}.${bytes[start + 3]}`;
}

/**
 * IPv6 address, 16 bytes, as MariaDB prints it: the longest run of zero groups becomes `::` (the first of equals, and be it a single one),
 * and IPv4-compatible and -mapped addresses end in dotted form. Source: MariaDB, sql/sql_type_inet.cc, Inet6::to_string.
 */
export function inet6(bytes: Buffer, start: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 8; i++) groups.push(((bytes[start + i * 2] ?? 0) << 8) | (bytes[start + i * 2 + 1] ?? 0));
  let gap = -1;
  let gapLength = 0;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > gapLength) {
      gap = i;
      gapLength = length;
    }
    i += length;
  }
  const dotted = gap === 0 && (gapLength === 6 || (gapLength === 5 && groups[5] === 0xffff));
  const last = dotted ? 6 : 8;
  let text = '';
  for (let i = 0; i < last; i++) {
    if (i === gap) {
      text += '::';
      i += gapLength - 1;
      continue;
    }
    if (text !== '' && !text.endsWith(':')) text += ':';
    text += (groups[i] as number).toString(16);
  }
  if (!dotted) return text;
  return `${text}${text.endsWith(':') ? '' : ':'}${inet4(bytes, start + 12)}`;
}

/** MariaDB's UUID, 16 bytes in the order of the text (the row image, unlike an index, does not swap the segments). */
export function uuid(bytes: Buffer, start: number): string {
  return [
    hex(bytes, start, start + 4),
    hex(bytes, start + 4, start + 6),
    hex(bytes, start + 6, start + 8),
    hex(bytes, start + 8, start + 10),
    hex(bytes, start + 10, start + 16),
  ].join('-');
}
