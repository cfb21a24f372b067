import { isDeepStrictEqual } from 'node:util';
import avsc from 'avsc';
import { emptyWindow } from '../../../src/base/text-window.ts';
import type { Row, Value } from '../../../src/core/change.ts';
import { avroSchema } from '../../../src/core/rows/avro-schema.ts';
import { keyHash, tableHash } from '../../../src/core/rows/key-hash.ts';
import type { RowShape } from '../../../src/core/rows/row-shape.ts';
import type { RowBatch } from '../../../src/core/source.ts';
import type { TableSchema } from '../../../src/core/table-schema.ts';
import { compileRows, type RowsFunction } from '../../../src/formats/log/row-decoder.ts';
import { RowBuffer, type WrittenRow } from './row-buffer.ts';

type Images = { readonly before: Row | null; readonly after: Row | null };

/**
 * Writes a batch's rows in the log's form and says what is wrong with them: they must decode to what `rows()` yields, by the log's
 * decoder and by avsc, lie in the partition of their key, and say when the key moved. Empty when all is well.
 */
export function wrongRows(batch: RowBatch, json: 'text' | 'parsed' = 'text'): string[] {
  const { count, before, after } = batch.rows();
  const target = new RowBuffer();
  batch.writeTo(target);
  const written = target.finish();
  const { shape } = batch;
  const problems: string[] = [];
  if (written.length !== count) return [`${written.length} rows are written, rows() has ${count}`];
  if (shape !== batch.shape) problems.push('the shape is another one each time');
  const keys = batch.keys();
  const fields = avroFields(shape);
  for (const [i, row] of written.entries()) {
    const expected = { before: before?.[i] ?? null, after: after?.[i] ?? null };
    const decoded = decodedRow(shape, row, json);
    if (!isDeepStrictEqual(decoded, expected)) problems.push(...differences('decoded', decoded, expected));
    const text = json === 'text' ? expected : decodedRow(shape, row, 'text');
    problems.push(...differences('avsc', avroRow(fields, shape, row), comparable(shape.table, text)));
    problems.push(
      ...wrongHash(shape, row, {
        ...text,
        key: keys === null ? null : [keys[i] ?? null].flat(),
      }),
    );
  }
  return problems;
}

/** The row's bytes with a header before them, as in a log. */
export function decodedRow(shape: RowShape, { avro }: WrittenRow, json: 'text' | 'parsed'): Images {
  const bytes = Buffer.alloc(8 + avro.length);
  bytes.writeUInt32LE(avro.length, 0);
  avro.copy(bytes, 8);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const output: { before: Row[]; after: Row[] } = { before: [], after: [] };
  rowsFunction(shape, json)(
    bytes,
    view,
    { start: 0, end: bytes.length, window: emptyWindow(), limit: bytes.length },
    output,
  );
  return { before: output.before[0] ?? null, after: output.after[0] ?? null };
}

const functions = new WeakMap<RowShape, Partial<Record<'text' | 'parsed', RowsFunction>>>();

function rowsFunction(shape: RowShape, json: 'text' | 'parsed'): RowsFunction {
  const known = functions.get(shape) ?? {};
  functions.set(shape, known);
  return (known[json] ??= compileRows(shape, { wanted: null, json }));
}

function differences(name: string, actual: Images, expected: Images): string[] {
  return (['before', 'after'] as const).flatMap((image) => {
    if (isDeepStrictEqual(actual[image], expected[image])) return [];
    const columns = new Set([...Object.keys(actual[image] ?? {}), ...Object.keys(expected[image] ?? {})]);
    return [...columns]
      .filter((column) => !isDeepStrictEqual(actual[image]?.[column], expected[image]?.[column]))
      .map(
        (column) =>
          `${name} ${image}.${column} is ${shown(actual[image]?.[column])}, not ${shown(expected[image]?.[column])}`,
      );
  });
}

function shown(value: unknown): string {
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value));
  return text.length < 200 ? text : `${text.slice(0, 200)}… (${text.length})`;
}

function wrongHash(
  { table, before: columnsBefore, after: columnsAfter }: RowShape,
  { hash, moved, avro }: WrittenRow,
  { before, after, key }: Images & { readonly key: readonly Value[] | null },
): string[] {
  const expected = key === null ? tableHash(table) : keyHash(table, key);
  const problems = hash === expected ? [] : [`the hash is ${hash}, not ${expected}`];
  // Without the key's columns among the selected ones there is nothing to compare.
  const has = (columns: readonly number[] | null): boolean =>
    table.key.every((index) => columns?.includes(index) === true);
  if (!has(columnsBefore) || !has(columnsAfter) || key === null) return problems;
  const [old, now] = [keyOf(table, before), keyOf(table, after)];
  if (isDeepStrictEqual(old, now) !== (moved === null)) {
    problems.push(`the key ${moved === null ? 'moved' : 'did not move'}`);
  }
  if (moved !== null && moved.oldHash !== keyHash(table, old)) problems.push('the old hash is wrong');
  if (moved !== null && !(moved.beforeBytes >= 0 && moved.beforeBytes <= avro.length)) {
    problems.push('beforeBytes is wrong');
  }
  return problems;
}

function keyOf(table: TableSchema, row: Row | null): Value[] {
  return table.key.map((index) => row?.[table.columns[index]?.name ?? ''] ?? null);
}

interface AvroImages {
  readonly type: avsc.Type;
  /** By column of the table: the name of its field. */
  readonly names: Readonly<Record<'before' | 'after', readonly string[] | null>>;
}

const parsed = new WeakMap<RowShape, AvroImages>();

function avroFields(shape: RowShape): AvroImages {
  let known = parsed.get(shape);
  if (known === undefined) {
    const schema = avroSchema(shape);
    const type = avsc.Type.forSchema(schema as avsc.Schema, {
      registry: { long: longType },
      wrapUnions: true,
    });
    known = { type, names: { before: fieldNames(schema, 'before'), after: fieldNames(schema, 'after') } };
    parsed.set(shape, known);
  }
  return known;
}

function fieldNames(schema: unknown, image: string): readonly string[] | null {
  const record = schema as { fields: { name: string; type: { fields: { name: string }[] } }[] };
  return record.fields.find(({ name }) => name === image)?.type.fields.map(({ name }) => name) ?? null;
}

/** avsc's own has no integers beyond 2^53. */
// oxlint-disable-next-line no-underscore-dangle -- its name there
const longType = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

function avroRow({ type, names }: AvroImages, shape: RowShape, { avro }: WrittenRow): Images {
  const record = type.fromBuffer(avro) as Record<string, Record<string, unknown>>;
  const image = (name: 'before' | 'after'): Row | null =>
    shape[name] === null
      ? null
      : Object.fromEntries(
          shape[name].map((index, at) => [
            shape.table.columns[index]?.name ?? '',
            unwrapped(record[name]?.[names[name]?.[at] ?? '']) as Value,
          ]),
        );
  return comparable(shape.table, { before: image('before'), after: image('after') });
}

/** `{ long: 1n }` is 1n: each of these unions has at most one branch of a type. */
function unwrapped(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value) || Array.isArray(value)) return value;
  return Object.values(value)[0];
}

function comparable({ columns }: TableSchema, { before, after }: Images): Images {
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  const image = (row: Row | null): Row | null =>
    row === null
      ? null
      : Object.fromEntries(
          Object.entries(row).map(([name, value]) => [name, comparableValue(value, types.get(name) === 'float')]),
        );
  return { before: image(before), after: image(after) };
}

/** What both sides have in common: the digits of integers, float32 as such, bytes in hexadecimal. */
function comparableValue(value: unknown, isFloat: boolean): Value {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') {
    if (isFloat) return Math.fround(value);
    return Number.isInteger(value) && !Object.is(value, -0) ? String(BigInt(value)) : value;
  }
  if (value instanceof Float32Array) return [...value];
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return value as Value;
}
