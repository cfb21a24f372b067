import { createHash } from 'node:crypto';
import { LONG_BYTES_MAX, putInt, putLong, putString, putUint } from '../../base/avro-bytes.ts';
import type { ChangeKind, Row } from '../../core/change.ts';
import { avroName } from '../../core/rows/avro-schema.ts';
import type { RowShape } from '../../core/rows/row-shape.ts';
import type { RowsExtent, StoredRows } from '../../core/rows/stored-rows.ts';
import type { SinkRow, SinkTarget } from '../../core/sink.ts';
import { columnClash, type MetaNames } from '../../formats/row-lines.ts';
import { eachRow, type RowOp, type TargetTruncation } from '../../formats/sink-rows.ts';
import { type Compress, compressorOf } from './compression.ts';
import { AvroOut } from './avro-out.ts';
import { BytePool, type Constant, constantOf } from './byte-out.ts';
import { type AvroRowWriter, avroRowWriter } from './avro-row-writer.ts';
import { avroStoredRow, type WriteStoredRow } from './avro-stored-rows.ts';
import { type FileColumn, fileColumns, type FileType, type ZeroDates } from './file-columns.ts';
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
  readonly #pool: BytePool = new BytePool();
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

  takesStored(target: SinkTarget, shape: RowShape): boolean {
    return this.layoutOf(target).storedRow(shape) !== null;
  }

  chunk(layout: FileLayout): Chunk {
    return new AvroChunk(layout as AvroLayout, {
      pool: this.#pool,
      compress: this.#compress,
      layoutOf: (target) => this.layoutOf(target),
    });
  }
}

class AvroLayout implements FileLayout {
  readonly id: string;
  readonly header: Buffer;
  readonly marker: Buffer;
  readonly target: SinkTarget;
  readonly columns: readonly FileColumn[];
  readonly rows: AvroRowWriter;
  readonly #storedRows: WeakMap<RowShape, WriteStoredRow | null> = new WeakMap();

  constructor(target: SinkTarget, { compression, meta, zeroDates }: AvroOptions) {
    this.target = target;
    this.columns = fileColumns(target, zeroDates);
    this.rows = avroRowWriter(this.columns, target);
    const schema = JSON.stringify(schemaOf(this.columns, { target, meta }));
    this.id = createHash('sha256').update(schema).digest('hex').slice(0, 16);
    // Told apart by the schema, which is enough: it only must not occur in the rows by chance.
    this.marker = createHash('md5').update(`${schema}\0sync`).digest();
    this.header = headerOf({ schema, codec: CODECS[compression], marker: this.marker });
  }

  /** Null when rows of this shape have to come as objects. */
  storedRow(shape: RowShape): WriteStoredRow | null {
    let known = this.#storedRows.get(shape);
    if (known === undefined) {
      known = avroStoredRow(this.columns, this.target.table, shape);
      this.#storedRows.set(shape, known);
    }
    return known;
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
/** What a row has beside the columns. */
const META_VALUES = 5;

/** What rows are told of that were made of one change. */
interface Origin {
  readonly layout: AvroLayout;
  readonly scn: number;
  readonly atUs: number;
}

interface StoredRun {
  readonly extent: RowsExtent;
  readonly write: WriteStoredRow;
  /** What stands before the SCN, and between it and the columns. */
  readonly op: Constant;
  readonly behind: Constant;
}

const OPS: Readonly<Record<ChangeKind, Constant>> = {
  insert: stringBytes('insert'),
  update: stringBytes('update'),
  upsert: stringBytes('upsert'),
  delete: stringBytes('delete'),
};

function stringBytes(text: string): Constant {
  const bytes = Buffer.alloc(text.length + 1);
  return constantOf(bytes.subarray(0, putString(bytes, 0, text)));
}

/** The commit time, and that no column is absent. */
function timeBytes(committedAtUs: number): Constant {
  const bytes = Buffer.alloc(LONG_BYTES_MAX + 1);
  return constantOf(bytes.subarray(0, putLong(bytes, 0, committedAtUs) + 1));
}

class AvroChunk implements Chunk {
  readonly #layout: AvroLayout;
  readonly #layoutOf: (target: SinkTarget) => AvroLayout;
  readonly #compress: Compress;
  readonly #out: AvroOut;
  /** Of the stored rows that are being written. */
  #run: StoredRun | null = null;
  readonly #blocks: { readonly rows: number; readonly start: number; readonly end: number }[] = [];
  #blockStart = 0;
  #blockRows = 0;
  /** Of the rows that are being written. */
  #origin: Origin | null = null;

  constructor(
    layout: AvroLayout,
    {
      pool,
      compress,
      layoutOf,
    }: {
      readonly pool: BytePool;
      readonly compress: Compress;
      readonly layoutOf: (target: SinkTarget) => AvroLayout;
    },
  ) {
    this.#layout = layout;
    this.#out = new AvroOut(pool);
    this.#compress = compress;
    this.#layoutOf = layoutOf;
  }

  add(row: SinkRow): void {
    const { target } = row;
    // Another object for the same definition writes the same.
    const layout = target === this.#layout.target ? this.#layout : this.#layoutOf(target);
    const [start, rows] = [this.#out.at, this.#blockRows];
    try {
      this.#origin = { layout, scn: row.scn, atUs: row.change.committedAtUs };
      eachRow(row, this.#take);
    } catch (error) {
      this.#out.at = start;
      this.#blockRows = rows;
      throw error;
    }
    if (this.#out.at - this.#blockStart >= BLOCK_BYTES) this.#closeBlock();
  }

  addTruncation({ scn, atUs }: TargetTruncation): void {
    this.#origin = { layout: this.#layout, scn, atUs };
    this.#take('truncate', {});
  }

  beginRun(
    rows: StoredRows,
    { target, committedAtUs }: { readonly target: SinkTarget; readonly committedAtUs: number },
  ): void {
    const layout = target === this.#layout.target ? this.#layout : this.#layoutOf(target);
    const write = layout.storedRow(rows.shape);
    if (write === null) throw new RangeError('rows of this shape do not come as they are stored');
    this.#run = { extent: rows.extent, write, op: OPS[rows.kind], behind: timeBytes(committedAtUs) };
  }

  addStored(scn: number, start: number, end: number): void {
    const { extent, write, op, behind } = this.#run as StoredRun;
    const out = this.#out;
    out.begin(0, op.bytes.length + LONG_BYTES_MAX + behind.bytes.length);
    out.constant(op);
    out.long(scn);
    out.constant(behind);
    write(extent.bytes, extent.view, start, end, out);
    this.#blockRows++;
    if (out.at - this.#blockStart >= BLOCK_BYTES) this.#closeBlock();
  }

  async parts(): Promise<readonly Buffer[]> {
    this.#closeBlock();
    const blocks = await Promise.all(
      this.#blocks.map(async ({ rows, start, end }) => {
        const body = await this.#compress(this.#out.bytes.subarray(start, end));
        const head = Buffer.alloc(LONG_BYTES_MAX * 2);
        const headBytes = putUint(head, putUint(head, 0, rows), body.length);
        return [head.subarray(0, headBytes), body, this.#layout.marker];
      }),
    );
    return blocks.flat();
  }

  release(): void {
    this.#out.release();
  }

  #closeBlock(): void {
    if (this.#blockRows === 0) return;
    this.#blocks.push({ rows: this.#blockRows, start: this.#blockStart, end: this.#out.at });
    this.#blockStart = this.#out.at;
    this.#blockRows = 0;
  }

  readonly #take = (op: RowOp, values: Row): void => {
    const { layout, scn, atUs } = this.#origin as Origin;
    const tellsAbsent = op !== 'delete' && op !== 'truncate';
    const absent = tellsAbsent ? layout.rows.absent(values) : null;
    const out = this.#out;
    out.begin(layout.columns.length + META_VALUES, absent === null ? 0 : absent.length * 3);
    out.text(op);
    out.long(scn);
    out.long(atUs);
    out.branch(absent === null ? 0 : 1);
    if (absent !== null) out.text(absent);
    layout.rows.write(out, values);
    this.#blockRows++;
  };
}
