import type { Value } from '../change.ts';
import type { Column, TableSchema } from '../table-schema.ts';
import { FOLDED_ASCII, foldText, isSilent } from './fold-text.ts';

/**
 * The hash that puts a key into a partition: `hash % partitions`. It is part of the log's format, so it never changes.
 *
 *     h = table seed
 *     for each column of the key, in key order: h = mix of h and the value
 *     hash = finish(h), an unsigned 32-bit number
 *
 * The table seed is FNV-1a over the UTF-8 bytes of `database`, one zero byte, `table`. `mix` is FNV-1a's step over:
 *
 * - integers, YEAR, BIT: the 8 bytes of the number as a 64-bit integer, little-endian, in two steps of 32 bits;
 * - FLOAT, DOUBLE: the 8 bytes of the double, -0 as 0, in two steps;
 * - BINARY, VARBINARY, BLOB, GEOMETRY: the bytes, without the zero bytes at their end;
 * - VECTOR: each number cut to a 32-bit integer, in a step of one byte, without the zeros at the end;
 * - NULL, which a key of a source without primary keys may hold: the byte 0xfe;
 * - all others: the UTF-8 bytes of the text, folded as below, then the byte 0xff, so that ('a', 'bc') and ('ab', 'c') differ.
 *
 * Two keys that the database holds for the same must fall into the same partition (I3), whatever its collation calls equal. So text of
 * CHAR, VARCHAR and TEXT is folded, coarser than any collation: see fold-text.ts. Coarser only costs spread, never order.
 *
 * A table without a primary key, and a row whose key was not logged, has the hash of its table: all its rows share one partition.
 */
const FNV_PRIME = 0x0100_0193;
const FNV_BASIS = 0x811c_9dc5;
const NULL = 0xfe;

const scratch = new DataView(new ArrayBuffer(8));
const encoder = new TextEncoder();

const seeds = new WeakMap<TableSchema, number>();

export function tableSeed(table: TableSchema): number {
  let seed = seeds.get(table);
  if (seed === undefined) {
    seed = mixBytes(FNV_BASIS, encoder.encode(`${table.database}\0${table.name}`));
    seeds.set(table, seed);
  }
  return seed;
}

/** The hash of a table's rows that have no key. */
export function tableHash(table: TableSchema): number {
  return finish(tableSeed(table));
}

/** The hash of a key: its values in key order. */
export function keyHash(table: TableSchema, values: readonly Value[]): number {
  let h = tableSeed(table);
  table.key.forEach((index, at) => {
    h = mixValue(h, table.columns[index] as Column, values[at] ?? null);
  });
  return finish(h);
}

export function mixValue(h: number, column: Column, value: Value): number {
  if (value === null) return mix32(h, NULL);
  switch (hashKind(column)) {
    case 'integer':
      return typeof value === 'bigint' ? mixBig(h, value) : mixInteger(h, value as number);
    case 'double':
      return mixDouble(h, value as number);
    case 'bytes':
      return mixBytes(h, withoutZeros(value as Uint8Array));
    case 'text':
      return mixText(h, value as string);
    case 'folded':
      return mixFolded(h, value as string);
  }
}

export type HashKind = 'integer' | 'double' | 'bytes' | 'text' | 'folded';

/** How a column's values are mixed in. */
export function hashKind(column: Column): HashKind {
  switch (column.type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'year':
    case 'bit':
      return 'integer';
    case 'float':
    case 'double':
      return 'double';
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
    case 'vector':
      return 'bytes';
    case 'char':
    case 'varchar':
    case 'text':
      return 'folded';
    case 'enum':
    case 'set':
    case 'decimal':
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
    case 'json':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return 'text';
  }
}

/** One step over 32 bits. */
function mix32(h: number, word: number): number {
  return Math.imul(h ^ word, FNV_PRIME);
}

/** @param value a safe integer */
function mixInteger(h: number, value: number): number {
  // ToInt32 takes a number modulo 2^32, which is the low half also of a negative one.
  return mix32(mix32(h, value | 0), Math.floor(value / 4_294_967_296) | 0);
}

function mixBig(h: number, value: bigint): number {
  return mix32(mix32(h, Number(BigInt.asIntN(32, value))), Number(BigInt.asIntN(32, value >> 32n)));
}

function mixDouble(h: number, value: number): number {
  scratch.setFloat64(0, value === 0 ? 0 : value, true);
  return mix32(mix32(h, scratch.getInt32(0, true)), scratch.getInt32(4, true));
}

function mixBytes(h: number, bytes: Uint8Array): number {
  let mixed = h;
  for (let i = 0; i < bytes.length; i++) mixed = Math.imul(mixed ^ (bytes[i] as number), FNV_PRIME);
  return mixed;
}

/** Text of digits and letters that is compared as it is. */
function mixText(h: number, text: string): number {
  return mix32(mixUtf8(h, text), 0xff);
}

export function mixFolded(h: number, text: string): number {
  return mix32(mixUtf8(h, foldText(text)), 0xff);
}

/**
 * Text in its bytes, as `mixFolded` with the byte 0xff at its end; null when it is not all ASCII.
 */
export function mixFoldedBytes(
  h: number,
  bytes: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
): number | null {
  let mixed = h;
  let last = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte > 0x7f) return null;
    const unit = FOLDED_ASCII[byte] as number;
    if (unit === 0 || isSilent(unit, last)) continue;
    mixed = Math.imul(mixed ^ unit, FNV_PRIME);
    last = unit;
  }
  return mix32(mixed, 0xff);
}

function mixUtf8(h: number, text: string): number {
  let mixed = h;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return mixBytes(h, encoder.encode(text));
    mixed = Math.imul(mixed ^ code, FNV_PRIME);
  }
  return mixed;
}

/** MurmurHash3's last step: every bit of the input counts for the low ones, which choose the partition. */
export function finish(h: number): number {
  let x = h ^ (h >>> 16);
  x = Math.imul(x, 0x85eb_ca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

function withoutZeros(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}
