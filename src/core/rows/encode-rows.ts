import { isJson } from '../../base/is-json.ts';
import {
  LONG_BYTES_MAX,
  putAscii,
  putBigLong,
  putBytes,
  putDouble,
  putFloat,
  putFloats,
  putInt,
  putLong,
  putString,
  stringBytesMax,
} from '../../base/avro-bytes.ts';
import type { Row, Value } from '../change.ts';
import { TidingsError } from '../errors.ts';
import type { Column, TableSchema } from '../table-schema.ts';
import { type AvroKind, avroKind, isAsciiText } from './avro-schema.ts';
import { finish, mixValue, tableHash, tableSeed } from './key-hash.ts';
import { type RowShape, rowShape } from './row-shape.ts';
import { KEY_MOVED, MOVED_ROW_HEADER_BYTES, ROW_HEADER_BYTES, type RowTarget } from './row-target.ts';

/** The rows of one batch as objects: see `DecodedRows`. */
export interface RowObjects {
  readonly count: number;
  readonly before: readonly Row[] | null;
  readonly after: readonly Row[] | null;
}

/** One encoder, and so one shape, for all batches of a table version with the same columns. */
const encoders = new WeakMap<TableSchema, Map<string, RowEncoder>>();

/** The encoder for rows with the columns of the first one. Of no rows: for all columns. */
export function rowEncoderFor(table: TableSchema, { before, after }: RowObjects): RowEncoder {
  const images = { before: before && columnsOf(table, before[0]), after: after && columnsOf(table, after[0]) };
  const key = JSON.stringify([images.before, images.after]);
  let known = encoders.get(table);
  if (known === undefined) {
    known = new Map();
    encoders.set(table, known);
  }
  let encoder = known.get(key);
  if (encoder === undefined) {
    encoder = new RowEncoder(rowShape({ table, ...images }));
    known.set(key, encoder);
  }
  return encoder;
}

/** Indexes of the columns that the row holds. */
function columnsOf(table: TableSchema, row: Row | undefined): number[] {
  const all = table.columns.map((_, index) => index);
  return row === undefined ? all : all.filter((index) => has(row, table.columns[index]?.name ?? ''));
}

function has(row: Row, name: string): boolean {
  return Object.hasOwn(row, name) && row[name] !== undefined;
}

/** Below it a text's bytes are not counted before it is written: three times its length is asked for. */
const LONG_TEXT = 4096;

/** Writes rows that a source has as objects, in the log's form. */
export class RowEncoder {
  readonly shape: RowShape;
  readonly #before: readonly ImageColumn[] | null;
  readonly #after: readonly ImageColumn[] | null;
  /** Null: the rows have no key to tell, and share the hash of their table. */
  readonly #key: readonly KeyColumn[] | null;
  /** The most bytes that a row needs beside its texts, bytes and vectors. */
  readonly #fixedBytes: number;

  constructor(shape: RowShape) {
    const { table, before, after } = shape;
    this.shape = shape;
    this.#before = before && imageColumns(table, before);
    this.#after = after && imageColumns(table, after);
    this.#key = keyColumns(shape);
    const columns = (before?.length ?? 0) + (after?.length ?? 0);
    this.#fixedBytes = MOVED_ROW_HEADER_BYTES + columns * (LONG_BYTES_MAX + 1);
  }

  /**
   * @throws TidingsError CHANGE_COLUMNS_MIXED when a row does not have exactly the shape's columns, CHANGE_VALUE_INVALID when a value
   *   does not fit its column's type, ROW_TOO_LARGE
   */
  write(target: RowTarget, { count, before, after }: RowObjects): void {
    for (let i = 0; i < count; i++) this.#row(target, before?.[i] ?? null, after?.[i] ?? null);
  }

  #row(target: RowTarget, before: Row | null, after: Row | null): void {
    if (this.#before !== null) this.#checkColumns(before, this.#before);
    if (this.#after !== null) this.#checkColumns(after, this.#after);
    target.room(this.#fixedBytes);
    const moved = this.#keyMoved(before, after);
    const headerBytes = moved ? MOVED_ROW_HEADER_BYTES : ROW_HEADER_BYTES;
    // Offsets are told relative to the row's beginning: growing may move the row.
    let offset = target.at + headerBytes;
    if (this.#before !== null && before !== null) {
      offset = this.#image(target, before, { columns: this.#before, offset });
    }
    const beforeBytes = offset - target.at - headerBytes;
    if (this.#after !== null && after !== null) offset = this.#image(target, after, { columns: this.#after, offset });
    const { view, at } = target;
    const length = offset - at - headerBytes;
    view.setUint32(at, moved ? (length | KEY_MOVED) >>> 0 : length, true);
    view.setUint32(at + 4, this.#hash({ first: after, second: before }), true);
    if (moved) {
      view.setUint32(at + 8, this.#hash({ first: before, second: after }), true);
      view.setUint32(at + 12, beforeBytes, true);
    }
    target.at = offset;
    target.rows++;
  }

  #image(
    target: RowTarget,
    row: Row,
    { columns, offset }: { readonly columns: readonly ImageColumn[]; readonly offset: number },
  ): number {
    let p = offset;
    for (const column of columns) {
      const value = row[column.name] as Value;
      if (column.nullable) {
        target.bytes[p++] = value === null ? 0 : 2;
        if (value === null) continue;
      }
      p = this.#value(target, p, column, value);
    }
    return p;
  }

  /** The fixed bytes of all columns are asked for already; what a long value needs beyond them is asked for here. */
  // oxlint-disable-next-line max-params -- one call for every value
  #value(target: RowTarget, at: number, column: ImageColumn, value: Value): number {
    const { kind } = column;
    switch (kind) {
      case 'int':
        if (Number.isInteger(value) && (value as number) === ((value as number) | 0)) {
          return putInt(target.bytes, at, value as number);
        }
        if (typeof value === 'bigint' && BigInt.asIntN(32, value) === value) return putBigLong(target.bytes, at, value);
        throw this.#misfit(column, 'a 32-bit integer');
      case 'long':
        if (Number.isSafeInteger(value)) return putLong(target.bytes, at, value as number);
        if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return putBigLong(target.bytes, at, value);
        throw this.#misfit(column, 'a 64-bit integer');
      case 'unsigned':
        return this.#unsigned(target, at, column, value);
      case 'float':
        // What is beyond float32 would become infinite; what lies between two of them is rounded, as the column does it.
        if (typeof value !== 'number' || (Number.isFinite(value) && !Number.isFinite(Math.fround(value)))) {
          throw this.#misfit(column, 'a float32');
        }
        return putFloat(target.view, at, value);
      case 'double':
        if (typeof value !== 'number') throw this.#misfit(column, 'a number');
        return putDouble(target.view, at, value);
      case 'string':
        return this.#text(target, at, column, value);
      case 'bytes': {
        if (!(value instanceof Uint8Array)) throw this.#misfit(column, 'a Uint8Array');
        const p = this.#room(target, at, value.length);
        return putBytes(target.bytes, p, value);
      }
      case 'floats': {
        if (!(value instanceof Float32Array)) throw this.#misfit(column, 'a Float32Array');
        const p = this.#room(target, at, value.length * 4);
        return putFloats(target.bytes, target.view, p, value);
      }
    }
  }

  /** The branch of the union is written here: a nullable column's was taken for that of long. */
  // oxlint-disable-next-line max-params -- as #value
  #unsigned(target: RowTarget, at: number, column: ImageColumn, value: Value): number {
    const { bytes } = target;
    const branch = column.nullable ? at - 1 : at;
    const first = column.nullable ? 2 : 0;
    bytes[branch] = first;
    if (Number.isSafeInteger(value)) return putLong(bytes, branch + 1, value as number);
    if (typeof value !== 'bigint' || value < -(2n ** 63n) || value >= 2n ** 64n) {
      throw this.#misfit(column, 'a 64-bit integer');
    }
    if (value < 2n ** 63n) return putBigLong(bytes, branch + 1, value);
    const p = this.#room(target, branch + 1, 20);
    target.bytes[p - 1] = first + 2;
    return putAscii(target.bytes, p, value.toString());
  }

  // oxlint-disable-next-line max-params -- as #value
  #text(target: RowTarget, at: number, column: ImageColumn, value: Value): number {
    if (typeof value !== 'string') throw this.#misfit(column, column.isJson ? 'the text of a document' : 'a text');
    if (column.isAscii) {
      if (NOT_ASCII.test(value)) throw this.#misfit(column, 'in ASCII');
      const p = this.#room(target, at, value.length);
      return putAscii(target.bytes, p, value);
    }
    if (column.isJson && !isJson(value)) throw this.#misfit(column, 'the text of a document');
    // A lone surrogate takes three bytes, both for Buffer.byteLength and for putString.
    const most = value.length < LONG_TEXT ? stringBytesMax(value) : Buffer.byteLength(value);
    const p = this.#room(target, at, most);
    return putString(target.bytes, p, value);
  }

  /** Makes room for a value beyond the fixed bytes. Returns where it goes. */
  #room(target: RowTarget, at: number, size: number): number {
    const needed = size + this.#fixedBytes;
    return needed > target.end - at ? target.grow(at, needed) : at;
  }

  #keyMoved(before: Row | null, after: Row | null): boolean {
    if (this.#key === null || before === null || after === null) return false;
    // A column that one of the images does not hold is the same in both.
    return this.#key.some(
      ({ column: { name }, inBefore, inAfter }) =>
        inBefore && inAfter && !isSame(before[name] as Value, after[name] as Value),
    );
  }

  /** Of the key in the first image; a column that it does not hold is taken from the second, where it is the same. */
  #hash({ first, second }: { readonly first: Row | null; readonly second: Row | null }): number {
    const { table } = this.shape;
    if (this.#key === null) return tableHash(table);
    let h = tableSeed(table);
    for (const { column } of this.#key) {
      const { name } = column;
      h = mixValue(h, column, (first !== null && has(first, name) ? first : second)?.[name] ?? null);
    }
    return finish(h);
  }

  #checkColumns(row: Row | null, columns: readonly ImageColumn[]): void {
    if (row !== null && columns.every(({ name }) => has(row, name))) {
      const names = Object.keys(row);
      if (names.length === columns.length) return;
      if (names.filter((name) => row[name] !== undefined).length === columns.length) return;
    }
    const { database, name: table } = this.shape.table;
    const other = columns.find(({ name }) => row === null || !has(row, name))?.name;
    throw new TidingsError(
      'CHANGE_COLUMNS_MIXED',
      other === undefined
        ? `a row of ${database}.${table} has more columns than the first one, or some that the table does not have`
        : `a row of ${database}.${table} has no "${other}", the first one has it`,
      { details: { database, table, ...(other === undefined ? {} : { column: other }) } },
    );
  }

  #misfit({ name, type }: ImageColumn, wanted: string): TidingsError {
    const { database, name: table } = this.shape.table;
    return new TidingsError(
      'CHANGE_VALUE_INVALID',
      `a value of ${database}.${table}.${name} (${type}) is not ${wanted}`,
      {
        details: { database, table, column: name, columnType: type },
      },
    );
  }
}

/** What writing a value takes to know of its column. */
interface ImageColumn {
  readonly name: string;
  readonly type: Column['type'];
  readonly kind: AvroKind;
  readonly nullable: boolean;
  readonly isJson: boolean;
  /** Readers take the text for ASCII without looking. */
  readonly isAscii: boolean;
}

function imageColumns(table: TableSchema, image: readonly number[]): ImageColumn[] {
  return image.map((index) => {
    const column = columnAt(table, index);
    const { name, type, nullable } = column;
    return { name, type, kind: avroKind(column), nullable, isJson: type === 'json', isAscii: isAsciiText(column) };
  });
}

interface KeyColumn {
  readonly column: Column;
  readonly inBefore: boolean;
  readonly inAfter: boolean;
}

function keyColumns({ table, before, after }: RowShape): KeyColumn[] | null {
  const columns = table.key.map((index) => ({
    column: columnAt(table, index),
    inBefore: before?.includes(index) === true,
    inAfter: after?.includes(index) === true,
  }));
  return columns.length > 0 && columns.every(({ inBefore, inAfter }) => inBefore || inAfter) ? columns : null;
}

function columnAt(table: TableSchema, index: number): Column {
  const column = table.columns[index];
  if (column !== undefined) return column;
  throw new RangeError(`${table.database}.${table.name} has no column ${index}`);
}

const NOT_ASCII = /[^\0-\x7f]/;

function isSame(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (a instanceof Float32Array && b instanceof Float32Array) return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
  // 7 and 7n are one value of a BIGINT column.
  return isInteger(a) && isInteger(b) && BigInt(a) === BigInt(b);
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function isInteger(value: Value): value is number | bigint {
  return typeof value === 'bigint' || Number.isInteger(value);
}
