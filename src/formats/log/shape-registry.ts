import type { Row, Value } from '../../core/change.ts';
import { TidingsError } from '../../core/errors.ts';
import { type AvroKind, avroKind } from '../../core/rows/avro-schema.ts';
import { fingerprintOf, parseRowShape, type RowShape } from '../../core/rows/row-shape.ts';
import type { Column, TableSchema } from '../../core/table-schema.ts';
import { compileKeys, compileRows, keyPlaces, type KeysFunction, type RowsFunction } from './row-decoder.ts';

export interface ShapeRegistryOptions {
  /** JSON columns as `JSON.parse` yields them, or as the database's text. @default parsed */
  readonly json?: 'parsed' | 'text';
  /**
   * The names of the columns wanted of a table; null: all. The key's columns always come along. Asked once per shape.
   *
   * @default all columns of all tables
   */
  readonly columns?: (table: TableSchema) => ReadonlySet<string> | null;
}

/**
 * The row shapes that a reader has met, by fingerprint, each with the functions that decode its rows: compiled when first asked for.
 * One entry per version of a table and kind of change that was met; nothing is ever forgotten, as a stream names a shape once.
 */
export class ShapeRegistry {
  readonly #options: Required<ShapeRegistryOptions>;
  readonly #known = new Map<string, KnownShape>();

  constructor({ json = 'parsed', columns = () => null }: ShapeRegistryOptions = {}) {
    this.#options = { json, columns };
  }

  /**
   * @param text a shape as the log keeps it: `RowShape.text`
   * @throws TidingsError LOG_DAMAGED, LOG_VERSION_UNKNOWN
   */
  learn(text: string): void {
    // A log repeats its shapes, segment by segment.
    if (!this.#known.has(fingerprintOf(text))) this.add(parsedShape(text));
  }

  add(shape: RowShape): void {
    if (!this.#known.has(shape.fingerprint)) this.#known.set(shape.fingerprint, new KnownShape(shape, this.#options));
  }

  get(fingerprint: string): KnownShape | undefined {
    return this.#known.get(fingerprint);
  }
}

/** A shape and the functions generated for it. */
export class KnownShape {
  readonly shape: RowShape;
  readonly #options: Required<ShapeRegistryOptions>;
  #rows: RowsFunction | null = null;
  #keys: KeysFunction | null | undefined;
  #keyRow: KeyRowFunction | null | undefined;

  constructor(shape: RowShape, options: Required<ShapeRegistryOptions>) {
    this.shape = shape;
    this.#options = options;
  }

  get rows(): RowsFunction {
    this.#rows ??= compileRows(this.shape, { wanted: this.#wanted(), json: this.#options.json });
    return this.#rows;
  }

  /** Null when the rows have no key to tell. */
  get keys(): KeysFunction | null {
    if (this.#keys === undefined) this.#keys = compileKeys(this.shape, this.#options.json);
    return this.#keys;
  }

  /** The key of a row as `Change.key` has it; null when the rows have none to tell. */
  get keyRow(): KeyRowFunction | null {
    if (this.#keyRow === undefined) this.#keyRow = keyRowFunction(this.shape);
    return this.#keyRow;
  }

  #wanted(): boolean[] | null {
    const { table } = this.shape;
    const names = this.#options.columns(table);
    if (names === null) return null;
    return table.columns.map(({ name }, index) => names.has(name) || table.key.includes(index));
  }
}

export type KeyRowFunction = (before: Row | null, after: Row | null) => Row;

/** The key of a row, from its images; null when its shape has none. */
export function keyRowFunction(shape: RowShape): KeyRowFunction | null {
  const places = keyPlaces(shape)?.map(({ image, index }) => ({
    name: shape.table.columns[index]?.name ?? '',
    isAfter: image === 'after',
  }));
  if (places === undefined) return null;
  return (before, after) => {
    const key: Record<string, Value> = {};
    for (const { name, isAfter } of places) {
      const value = (isAfter ? after : before)?.[name] ?? null;
      if (name === '__proto__') Object.defineProperty(key, name, { value, enumerable: true });
      else key[name] = value;
    }
    return key;
  };
}

function parsedShape(text: string): RowShape {
  let shape: RowShape;
  try {
    shape = parseRowShape(text);
  } catch (cause) {
    throw new TidingsError('LOG_DAMAGED', 'the description of a table’s rows in the log is no JSON', { cause });
  }
  if (!isWellFormed(shape)) {
    throw new TidingsError('LOG_DAMAGED', 'the description of a table’s rows in the log contradicts itself', {
      details: { fingerprint: shape.fingerprint },
    });
  }
  for (const column of shape.table.columns) {
    // A type that this version does not know has no code that reads it: its bytes must not be passed over (I1).
    if ((avroKind(column) as AvroKind | undefined) !== undefined) continue;
    throw new TidingsError(
      'LOG_VERSION_UNKNOWN',
      `a column of the log has the type "${column.type}", which is not known`,
      {
        details: { column: column.name, columnType: column.type, fingerprint: shape.fingerprint },
      },
    );
  }
  return shape;
}

/** Checked as far as generated code relies on it: the text is the log's, but the log may lie behind a network. */
function isWellFormed({ table, before, after }: RowShape): boolean {
  if (typeof table !== 'object' || table === null || !Array.isArray(table.columns) || !Array.isArray(table.key)) {
    return false;
  }
  const isColumn = (index: unknown): boolean =>
    typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < table.columns.length;
  const columns: readonly Partial<Column>[] = table.columns;
  const isImage = (image: readonly number[] | null): boolean =>
    image === null || (Array.isArray(image) && image.every(isColumn));
  return (
    isImage(before) &&
    isImage(after) &&
    table.key.every(isColumn) &&
    columns.every(({ name, type }) => typeof name === 'string' && typeof type === 'string')
  );
}
