import { createHash } from 'node:crypto';
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
  putUint,
  stringBytesMax,
} from '../../base/avro-bytes.ts';
import type { Row, Value } from '../../core/change.ts';
import { avroName } from '../../core/rows/avro-schema.ts';
import type { SinkRow, SinkTarget } from '../../core/sink.ts';
import { columnClash, type MetaNames } from '../../formats/row-lines.ts';
import { documentText, eachRow, type RowOp, type TargetTruncation, unfit } from '../../formats/sink-rows.ts';
import { type Compress, compressorOf } from './compression.ts';
import {
  absentNames,
  daysOf,
  type FileColumn,
  fileColumns,
  type FileType,
  microsOf,
  unscaled,
  valueOf,
  type ZeroDates,
} from './file-columns.ts';
import type { Chunk, FileFormat, FileLayout } from './file-format.ts';

export interface AvroOptions {
  readonly compression: 'none' | 'deflate' | 'zstd';
  readonly meta: MetaNames;
  readonly zeroDates: ZeroDates;
}

/** The names of Avro's specification. */
const CODECS = { none: 'null', deflate: 'deflate', zstd: 'zstandard' } as const;

/**
 * Avro object container files (https://avro.apache.org/docs/1.12.0/specification/#object-container-files). A record is the row as it stands; every column of the
 * table is nullable, as a delete has only the key.
 *
 *     file    "Obj" 1, metadata (a map of bytes: avro.schema, avro.codec), 16 bytes of sync marker; blocks
 *     block   long rows, long bytes, the rows (compressed), the sync marker
 */
export class AvroFormat implements FileFormat {
  readonly extension: string = 'avro';
  readonly #options: AvroOptions;
  readonly #compress: Compress;
  readonly #layouts: WeakMap<SinkTarget, AvroLayout> = new WeakMap();

  constructor(options: AvroOptions) {
    this.#options = options;
    this.#compress = compressorOf(options.compression);
  }

  layoutOf(target: SinkTarget): AvroLayout {
    let layout = this.#layouts.get(target);
    if (layout === undefined) {
      layout = new AvroLayout(target, this.#options);
      this.#layouts.set(target, layout);
    }
    return layout;
  }

  chunk(layout: FileLayout): Chunk {
    return new AvroChunk(layout as AvroLayout, this.#compress, (target) => this.layoutOf(target));
  }
}

class AvroLayout implements FileLayout {
  readonly id: string;
  readonly header: Buffer;
  readonly marker: Buffer;
  readonly target: SinkTarget;
  readonly columns: readonly FileColumn[];

  constructor(target: SinkTarget, { compression, meta, zeroDates }: AvroOptions) {
    this.target = target;
    this.columns = fileColumns(target, zeroDates);
    const schema = JSON.stringify(schemaOf(this.columns, { target, meta }));
    this.id = createHash('sha256').update(schema).digest('hex').slice(0, 16);
    // Told apart by the schema, which is enough: it only must not occur in the rows by chance.
    this.marker = createHash('md5').update(`${schema}\0sync`).digest();
    this.header = headerOf({ schema, codec: CODECS[compression], marker: this.marker });
  }
}

function schemaOf(
  columns: readonly FileColumn[],
  { target, meta }: { readonly target: SinkTarget; readonly meta: MetaNames },
): object {
  const { database, name } = target.table;
  const metaFields = [
    { name: meta.op, type: 'string' },
    { name: meta.scn, type: 'long' },
    { name: meta.time, type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: meta.absent, type: ['null', 'string'], default: null },
  ];
  const used = new Set<string>(metaFields.map((field) => field.name));
  const fields = columns.map(({ column, type }) => {
    if (Object.values(meta).includes(column.name)) throw columnClash(`${database}.${name}`, column.name);
    let field = avroName(column.name);
    while (used.has(field)) field += '_';
    used.add(field);
    return { name: field, type: ['null', avroType(type)], default: null, column: column.name, columnType: column.type };
  });
  return {
    type: 'record',
    name: 'Row',
    namespace: [database, name].map(avroName).join('.'),
    fields: [...metaFields, ...fields],
  };
}

function avroType(type: FileType): unknown {
  switch (type.kind) {
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'string':
    case 'bytes':
      return type.kind;
    case 'json':
      return 'string';
    case 'ulong':
      return { type: 'bytes', logicalType: 'decimal', precision: 20, scale: 0 };
    case 'decimal':
      return { type: 'bytes', logicalType: 'decimal', precision: type.precision, scale: type.scale };
    case 'date':
      return { type: 'int', logicalType: 'date' };
    case 'instant':
      return { type: 'long', logicalType: 'timestamp-micros' };
    case 'datetime':
      return { type: 'long', logicalType: 'local-timestamp-micros' };
    case 'floats':
      return { type: 'array', items: 'float' };
  }
}

function headerOf({ schema, codec, marker }: { schema: string; codec: string; marker: Buffer }): Buffer {
  const bytes = Buffer.alloc(schema.length * 3 + 128);
  let at = bytes.write('Obj\u0001', 'latin1');
  at = putInt(bytes, at, 2);
  at = putString(bytes, at, 'avro.schema');
  at = putString(bytes, at, schema);
  at = putString(bytes, at, 'avro.codec');
  at = putString(bytes, at, codec);
  at = putInt(bytes, at, 0);
  return Buffer.concat([bytes.subarray(0, at), marker]);
}

/** A block is closed when its rows have so many bytes. */
const BLOCK_BYTES = 1 << 16;
const FIRST_BYTES = 1 << 16;
/** What a value takes beside its text, bytes or numbers: the branch of its union, a length. */
const VALUE_BYTES = LONG_BYTES_MAX + 2;

/** What rows are told of that were made of one change. */
interface Origin {
  readonly columns: readonly FileColumn[];
  readonly target: SinkTarget;
  readonly scn: number;
  readonly atUs: number;
}

class AvroChunk implements Chunk {
  readonly #layout: AvroLayout;
  readonly #layoutOf: (target: SinkTarget) => AvroLayout;
  readonly #compress: Compress;
  readonly #blocks: { readonly rows: number; readonly start: number; readonly end: number }[] = [];
  #bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #view: DataView = viewOf(this.#bytes);
  #at = 0;
  #blockStart = 0;
  #blockRows = 0;
  /** Of the rows that are being written. */
  #origin: Origin | null = null;

  constructor(layout: AvroLayout, compress: Compress, layoutOf: (target: SinkTarget) => AvroLayout) {
    this.#layout = layout;
    this.#compress = compress;
    this.#layoutOf = layoutOf;
  }

  add(row: SinkRow): void {
    const { target } = row;
    // Another object for the same definition writes the same.
    const { columns } = target === this.#layout.target ? this.#layout : this.#layoutOf(target);
    const [start, rows] = [this.#at, this.#blockRows];
    try {
      this.#origin = { columns, target, scn: row.scn, atUs: row.change.committedAtUs };
      eachRow(row, this.#take);
    } catch (error) {
      this.#at = start;
      this.#blockRows = rows;
      throw error;
    }
    if (this.#at - this.#blockStart >= BLOCK_BYTES) this.#closeBlock();
  }

  addTruncation({ target, scn, atUs }: TargetTruncation): void {
    this.#origin = { columns: this.#layout.columns, target, scn, atUs };
    this.#take('truncate', {});
  }

  async bytes(): Promise<Buffer> {
    this.#closeBlock();
    const blocks = await Promise.all(
      this.#blocks.map(async ({ rows, start, end }) => {
        const body = await this.#compress(this.#bytes.subarray(start, end));
        const head = Buffer.alloc(LONG_BYTES_MAX * 2);
        const headBytes = putUint(head, putUint(head, 0, rows), body.length);
        return [head.subarray(0, headBytes), body, this.#layout.marker];
      }),
    );
    return Buffer.concat(blocks.flat());
  }

  #closeBlock(): void {
    if (this.#blockRows === 0) return;
    this.#blocks.push({ rows: this.#blockRows, start: this.#blockStart, end: this.#at });
    this.#blockStart = this.#at;
    this.#blockRows = 0;
  }

  readonly #take = (op: RowOp, values: Row): void => {
    const { columns, target, scn, atUs } = this.#origin as Origin;
    const tellsAbsent = op !== 'delete' && op !== 'truncate';
    const absent = tellsAbsent ? absentNames(columns, values) : null;
    this.#room((columns.length + 5) * VALUE_BYTES + (absent === null ? 0 : absent.length * 3));
    let p = putAscii(this.#bytes, this.#at, op);
    p = putLong(this.#bytes, p, scn);
    p = putLong(this.#bytes, p, atUs);
    this.#bytes[p++] = absent === null ? 0 : 2;
    this.#at = absent === null ? p : putString(this.#bytes, p, absent);
    for (const each of columns) {
      const value = valueOf(values, each);
      if (value === null || value === undefined) {
        this.#bytes[this.#at++] = 0;
        continue;
      }
      this.#bytes[this.#at++] = 2;
      this.#value(value, each, target);
    }
    this.#blockRows++;
  };

  /** There is room for all values but for what their texts and bytes take. */
  #value(value: NonNullable<Value>, { column, type }: FileColumn, target: SinkTarget): void {
    switch (type.kind) {
      case 'int':
        if (!Number.isInteger(value) || (value as number) !== ((value as number) | 0)) {
          throw unfit(target, column, 'a 32-bit integer');
        }
        this.#at = putInt(this.#bytes, this.#at, value as number);
        return;
      case 'long':
        if (Number.isSafeInteger(value)) this.#at = putLong(this.#bytes, this.#at, value as number);
        else if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) {
          this.#at = putBigLong(this.#bytes, this.#at, value);
        } else throw unfit(target, column, 'a 64-bit integer');
        return;
      case 'ulong':
        if (Number.isSafeInteger(value) && (value as number) >= 0) this.#decimal(value as number);
        else if (typeof value === 'bigint' && BigInt.asUintN(64, value) === value) this.#decimal(value);
        else throw unfit(target, column, 'an unsigned 64-bit integer');
        return;
      case 'decimal': {
        const number = shortUnscaled(value, type) ?? unscaled(value, type.precision, type.scale);
        if (number === null) {
          throw unfit(target, column, `a decimal of ${type.precision} digits, ${type.scale} of them behind the point`);
        }
        this.#decimal(number);
        return;
      }
      case 'float':
        if (typeof value !== 'number' || (Number.isFinite(value) && !Number.isFinite(Math.fround(value)))) {
          throw unfit(target, column, 'a float32');
        }
        this.#at = putFloat(this.#view, this.#at, value);
        return;
      case 'double':
        if (typeof value !== 'number') throw unfit(target, column, 'a number');
        this.#at = putDouble(this.#view, this.#at, value);
        return;
      case 'date': {
        const days = daysOf(value);
        if (days === null) throw unfit(target, column, 'a date of the calendar');
        this.#at = putInt(this.#bytes, this.#at, days);
        return;
      }
      case 'instant':
      case 'datetime': {
        const micros = microsOf(value);
        if (micros === null) throw unfit(target, column, 'a date of the calendar');
        this.#at =
          typeof micros === 'number'
            ? putLong(this.#bytes, this.#at, micros)
            : putBigLong(this.#bytes, this.#at, micros);
        return;
      }
      case 'string':
        if (typeof value !== 'string' || !value.isWellFormed()) throw unfit(target, column, 'a Unicode text');
        this.#text(value);
        return;
      case 'json': {
        const text = documentText(value);
        if (text === null || !text.isWellFormed()) throw unfit(target, column, 'a JSON document in Unicode');
        this.#text(text);
        return;
      }
      case 'bytes':
        if (!(value instanceof Uint8Array)) throw unfit(target, column, 'a Uint8Array');
        this.#more(value.length);
        this.#at = putBytes(this.#bytes, this.#at, value);
        return;
      case 'floats':
        if (!(value instanceof Float32Array)) throw unfit(target, column, 'a Float32Array');
        this.#more(value.length * 4);
        this.#at = putFloats(this.#bytes, this.#view, this.#at, value);
        return;
    }
  }

  #text(text: string): void {
    this.#more(stringBytesMax(text));
    this.#at = putString(this.#bytes, this.#at, text);
  }

  /** The bytes of Avro's decimal: a length, then two's complement, the highest byte first and no more than are needed. */
  #decimal(value: number | bigint): void {
    let p = this.#at + 1;
    if (typeof value === 'number' && value === (value | 0)) {
      for (let shift = byteCount(value) * 8 - 8; shift >= 0; shift -= 8) this.#bytes[p++] = value >> shift;
    } else {
      const big = BigInt(value);
      let shift = 0n;
      while (BigInt.asIntN(Number(shift) + 8, big) !== big) shift += 8n;
      this.#more(Number(shift >> 3n));
      for (; shift >= 0n; shift -= 8n) this.#bytes[p++] = Number((big >> shift) & 0xffn);
    }
    // The largest DECIMAL takes 28 bytes, so that the length is one.
    this.#bytes[this.#at] = (p - this.#at - 1) << 1;
    this.#at = p;
  }

  /** Makes room for a row. */
  #room(size: number): void {
    this.#reserved = size;
    if (this.#bytes.length - this.#at < size) this.#grow(size);
  }

  #reserved = 0;

  /** Makes room for a value beside the row's. */
  #more(size: number): void {
    const needed = size + this.#reserved;
    if (this.#bytes.length - this.#at < needed) this.#grow(needed);
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + size));
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function byteCount(value: number): number {
  if (value === (value << 24) >> 24) return 1;
  if (value === (value << 16) >> 16) return 2;
  return value === (value << 8) >> 8 ? 3 : 4;
}

/** Digits that every number has. */
const SHORT_DIGITS = 15;
const ZERO = 0x30;
const POINT = 0x2e;
const MINUS = 0x2d;

/** `unscaled` for texts of the type's own form that are short; null for others. */
function shortUnscaled(
  value: Value,
  { precision, scale }: { readonly precision: number; readonly scale: number },
): number | null {
  if (typeof value !== 'string') return null;
  const { length } = value;
  const start = value.charCodeAt(0) === MINUS ? 1 : 0;
  const digits = length - start - (scale === 0 ? 0 : 1);
  if (digits <= scale || digits > precision || digits > SHORT_DIGITS) return null;
  const point = scale === 0 ? length : length - scale - 1;
  if (scale !== 0 && value.charCodeAt(point) !== POINT) return null;
  let number = 0;
  for (let i = start; i < length; i++) {
    if (i === point) continue;
    const digit = value.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return null;
    number = number * 10 + digit;
  }
  return start === 1 ? -number : number;
}
