import { createHash } from 'node:crypto';
import { serialize } from 'node:v8';
import type { ParquetWriter } from 'hyparquet-writer';
import type { Row, Value } from '../../core/change.ts';
import type { SinkRow, SinkTarget } from '../../core/sink.ts';
import { columnClash, type MetaNames } from '../../formats/row-lines.ts';
import { documentText, eachRow, type RowOp, type TargetTruncation, unfit } from '../../formats/sink-rows.ts';
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

export interface ParquetOptions {
  readonly compression: 'none' | 'snappy' | 'gzip' | 'zstd';
  readonly meta: MetaNames;
  readonly zeroDates: ZeroDates;
}

export type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number];

/** With what a spool begins: all that its conversion takes to know. */
export interface SpoolHead {
  readonly table: string;
  readonly schema: readonly SchemaElement[];
  readonly compression: ParquetOptions['compression'];
}

/** The values of a column as Parquet stores them. */
export type SpoolColumn = (string | number | bigint | Uint8Array | Float32Array | null)[];

/**
 * A Parquet file is written at once, as its footer says where everything is. Until then its rows are in a spool of frames:
 *
 *     spool   frame of the head (`SpoolHead`); frames of columns (`SpoolColumn[]`), one per batch
 *     frame   u32 LE bytes; the value as V8 serializes it
 */
export class ParquetFormat implements FileFormat {
  readonly extension: string = 'parquet';
  readonly #options: ParquetOptions;
  readonly #layouts: WeakMap<SinkTarget, ParquetLayout> = new WeakMap();

  constructor(options: ParquetOptions) {
    this.#options = options;
  }

  layoutOf(target: SinkTarget): ParquetLayout {
    let layout = this.#layouts.get(target);
    if (layout === undefined) {
      layout = new ParquetLayout(target, this.#options);
      this.#layouts.set(target, layout);
    }
    return layout;
  }

  /** Columns are written, not rows: there is nothing to be copied. */
  takesStored(): boolean {
    return false;
  }

  chunk(layout: FileLayout): Chunk {
    return new ParquetChunk(layout as ParquetLayout);
  }
}

/** `_op`, `_scn`, `_time`, `_absent`. */
const META_COLUMNS = 4;

class ParquetLayout implements FileLayout {
  readonly id: string;
  readonly header: Buffer;
  readonly columns: readonly FileColumn[];

  constructor(target: SinkTarget, { compression, meta, zeroDates }: ParquetOptions) {
    const { table } = target;
    this.columns = fileColumns(target, zeroDates);
    const clash = this.columns.find(({ name }) => Object.values(meta).includes(name));
    if (clash !== undefined) throw columnClash(`${table.database}.${table.name}`, clash.name);
    const elements = this.columns.flatMap(({ name, type }) => elementsOf(name, type));
    const schema: SchemaElement[] = [
      { name: 'row', num_children: META_COLUMNS + this.columns.length },
      { name: meta.op, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
      { name: meta.scn, type: 'INT64', repetition_type: 'REQUIRED' },
      { name: meta.time, ...TIMESTAMP_UTC, repetition_type: 'REQUIRED' },
      { name: meta.absent, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      ...elements,
    ];
    const head: SpoolHead = { table: `${table.database}.${table.name}`, schema, compression };
    this.header = frame(head);
    this.id = createHash('sha256').update(this.header).digest('hex').slice(0, 16);
  }
}

const TIMESTAMP_UTC = {
  type: 'INT64',
  logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
} as const;

/** The schema of a nullable column: https://github.com/apache/parquet-format/blob/master/LogicalTypes.md */
function elementsOf(name: string, type: FileType): SchemaElement[] {
  const element = (rest: Omit<SchemaElement, 'name'>): SchemaElement[] => [
    { name, repetition_type: 'OPTIONAL', ...rest },
  ];
  switch (type.kind) {
    case 'int':
      return element({ type: 'INT32' });
    case 'long':
      return element({ type: 'INT64' });
    case 'ulong':
      return element({ type: 'INT64', converted_type: 'UINT_64' });
    case 'float':
      return element({ type: 'FLOAT' });
    case 'double':
      return element({ type: 'DOUBLE' });
    case 'decimal':
      return element({
        ...decimalBytes(type.precision),
        converted_type: 'DECIMAL',
        precision: type.precision,
        scale: type.scale,
      });
    case 'date':
      return element({ type: 'INT32', converted_type: 'DATE' });
    case 'instant':
      return element(TIMESTAMP_UTC);
    case 'datetime':
      return element({ type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' } });
    case 'string':
    case 'json':
      return element({ type: 'BYTE_ARRAY', converted_type: 'UTF8' });
    case 'bytes':
      return element({ type: 'BYTE_ARRAY' });
    case 'floats':
      return [
        { name, repetition_type: 'OPTIONAL', converted_type: 'LIST', num_children: 1 },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', repetition_type: 'REQUIRED', type: 'FLOAT' },
      ];
  }
}

/** The digits that 32 and 64 bits have room for; then as many bytes as it takes. */
function decimalBytes(precision: number): Pick<SchemaElement, 'type' | 'type_length'> {
  if (precision <= 9) return { type: 'INT32' };
  if (precision <= 18) return { type: 'INT64' };
  return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: Math.ceil((Math.log2(10) * precision + 1) / 8) };
}

function frame(value: unknown): Buffer {
  const body = serialize(value);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  return Buffer.concat([head, body]);
}

class ParquetChunk implements Chunk {
  readonly #layout: ParquetLayout;
  readonly #columns: SpoolColumn[];
  #rows = 0;

  constructor(layout: ParquetLayout) {
    this.#layout = layout;
    this.#columns = Array.from({ length: META_COLUMNS + layout.columns.length }, () => []);
  }

  add(row: SinkRow): void {
    const rows = this.#rows;
    try {
      eachRow(row, (op, values) =>
        this.#push(op, values, { target: row.target, scn: row.scn, atUs: row.change.committedAtUs }),
      );
    } catch (error) {
      this.#rows = rows;
      for (const column of this.#columns) column.length = rows;
      throw error;
    }
  }

  addTruncation({ target, scn, atUs }: TargetTruncation): void {
    this.#push('truncate', {}, { target, scn, atUs });
  }

  beginRun(): never {
    throw new RangeError('rows do not come as they are stored');
  }

  addStored(): never {
    return this.beginRun();
  }

  release(): void {}

  parts(): Promise<readonly Buffer[]> {
    return Promise.resolve([frame(this.#columns)]);
  }

  #push(op: RowOp, values: Row, { target, scn, atUs }: TargetTruncation): void {
    const { columns } = this.#layout;
    const tellsAbsent = op !== 'delete' && op !== 'truncate';
    this.#columns[0]?.push(op);
    this.#columns[1]?.push(BigInt(scn));
    this.#columns[2]?.push(BigInt(atUs));
    this.#columns[3]?.push(tellsAbsent ? absentNames(columns, values) : null);
    for (let i = 0; i < columns.length; i++) {
      const each = columns[i] as FileColumn;
      const value = valueOf(values, each) ?? null;
      this.#columns[META_COLUMNS + i]?.push(value === null ? null : stored(value, each, target));
    }
    this.#rows++;
  }
}

/** @throws TidingsError SINK_ROW_REFUSED */
function stored(
  value: NonNullable<Value>,
  { type, column }: FileColumn,
  target: SinkTarget,
): NonNullable<SpoolColumn[number]> {
  switch (type.kind) {
    case 'int':
      if (Number.isInteger(value) && (value as number) === ((value as number) | 0)) return value as number;
      throw unfit(target, column, 'a 32-bit integer');
    case 'long':
      if (Number.isSafeInteger(value)) return BigInt(value as number);
      if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return value;
      throw unfit(target, column, 'a 64-bit integer');
    case 'ulong':
      if (Number.isSafeInteger(value) && (value as number) >= 0) return BigInt(value as number);
      if (typeof value === 'bigint' && BigInt.asUintN(64, value) === value) return value;
      throw unfit(target, column, 'an unsigned 64-bit integer');
    case 'float':
      if (typeof value === 'number' && (!Number.isFinite(value) || Number.isFinite(Math.fround(value)))) return value;
      throw unfit(target, column, 'a float32');
    case 'double':
      if (typeof value === 'number') return value;
      throw unfit(target, column, 'a number');
    case 'decimal': {
      const number = unscaled(value, type.precision, type.scale);
      if (number !== null) return number;
      throw unfit(target, column, `a decimal of ${type.precision} digits, ${type.scale} of them behind the point`);
    }
    case 'date': {
      const days = daysOf(value);
      if (days !== null) return days;
      throw unfit(target, column, 'a date of the calendar');
    }
    case 'instant':
    case 'datetime': {
      const micros = microsOf(value);
      if (micros !== null) return BigInt(micros);
      throw unfit(target, column, 'a date of the calendar');
    }
    case 'string':
      if (typeof value === 'string' && value.isWellFormed()) return value;
      throw unfit(target, column, 'a Unicode text');
    case 'json': {
      const text = documentText(value);
      if (text?.isWellFormed() === true) return text;
      throw unfit(target, column, 'a JSON document in Unicode');
    }
    case 'bytes':
      if (value instanceof Uint8Array) return value;
      throw unfit(target, column, 'a Uint8Array');
    case 'floats':
      if (value instanceof Float32Array) return value;
      throw unfit(target, column, 'a Float32Array');
  }
}
