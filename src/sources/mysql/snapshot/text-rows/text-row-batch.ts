import type { Change, Row, Value } from '../../../../core/change.ts';
import { isTidingsError, TidingsError } from '../../../../core/errors.ts';
import type { Key } from '../../../../core/plain-rows.ts';
import { type RowShape, rowShape } from '../../../../core/rows/row-shape.ts';
import type { RowTarget } from '../../../../core/rows/row-target.ts';
import type { DecodedRows, RowBatch } from '../../../../core/source.ts';
import type { Column, TableSchema } from '../../../../core/table-schema.ts';
import { forgetWindow } from '../../binlog/rows/text-window.ts';
import { literalOfText, literalOfValue, type ServerKind } from './key-literals.ts';
import { type ResultColumns, resultColumns } from './text-columns.ts';
import { readRow } from './text-row.ts';
import { compileTextKeys, compileTextRows, compileTextTranscoder, type TextFunction } from './text-functions.ts';

/** Payloads of row packets of a text result set, in place. Row i lies from starts[i] to ends[i]. */
export interface TextRows {
  readonly bytes: Buffer;
  /** Over the same bytes, with the same offsets. */
  readonly view: DataView;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly count: number;
}

export interface TextRowOptions {
  /** By column of the table: whether rows hold it. */
  readonly selected: readonly boolean[];
  readonly json: 'text' | 'parsed';
  readonly server: ServerKind;
  /** Indexes of the columns of the chunk key, in its order; empty: none. */
  readonly keyColumns: readonly number[];
}

/** What is generated once for one table definition and selection of columns. */
export class TextRowViews {
  readonly table: TableSchema;
  /**
   * The expressions to select, separated by commas, in the order in which rows are expected: the selected columns, then those of the keys that
   * are not selected, then what tells the order of ENUM and SET columns of the chunk key.
   */
  readonly selectList: string;
  readonly #result: ResultColumns;
  readonly #options: TextRowOptions;
  #rows: TextFunction<Row[]> | null = null;
  #keys: TextFunction<Key[]> | null = null;
  #chunkKeys: TextFunction<Key[]> | null = null;
  #transcode: TextFunction<RowTarget> | null = null;
  #shape: RowShape | null = null;

  constructor(table: TableSchema, options: TextRowOptions) {
    const { selected, keyColumns, server } = options;
    this.table = table;
    this.#options = options;
    this.#result = resultColumns(table, { selected, keyColumns, flavour: server.flavour });
    this.selectList = this.#result.selectList;
  }

  /**
   * The chunk key of one row as SQL literals: see key-literals.ts.
   *
   * @throws TidingsError PROTOCOL_VIOLATION
   */
  keyLiterals(rows: TextRows, index: number): readonly string[] {
    const { columns, numbers, more } = this.#result;
    const { server, keyColumns } = this.#options;
    return this.explained(() => {
      const values = readRow(rows, index, columns.length + more);
      return keyColumns.map((at) => {
        const place = numbers.get(at) ?? columns.findIndex((text) => text.index === at);
        const value = values[place] ?? null;
        return value === null ? 'NULL' : literalOfText(this.#column(at), value, server);
      });
    });
  }

  /**
   * The same of a key that is at hand as values, in the chunk key's order.
   *
   * @throws TidingsError SNAPSHOT_KEYS_INVALID when it is none of this table
   */
  valueLiterals(key: Key): readonly string[] {
    const { server, keyColumns } = this.#options;
    const values = Array.isArray(key) ? (key as readonly Value[]) : [key as Value];
    if (values.length !== keyColumns.length) {
      const names = keyColumns.map((index) => this.#column(index).name).join(', ');
      throw new TidingsError(
        'SNAPSHOT_KEYS_INVALID',
        `a key of ${this.#name} is (${names}), not ${values.length} ${values.length === 1 ? 'value' : 'values'}`,
        { details: { table: this.#name } },
      );
    }
    return keyColumns.map((index, at) => literalOfValue(this.#column(index), values[at] ?? null, server));
  }

  /** The primary keys as `RowBatch.keys()` gives them; null when the table has none. */
  keys(rows: TextRows): readonly Key[] | null {
    return this.keysOf(rows, null, rows.count);
  }

  /** The chunk keys of all rows, in the form of `keys`; null when there is none. Where it is the primary key, they are the same. */
  chunkKeys(rows: TextRows): readonly Key[] | null {
    const { keyColumns, json } = this.#options;
    if (keyColumns.length === 0) return null;
    this.#chunkKeys ??= compileTextKeys({ result: this.#result, json, key: keyColumns });
    const output: Key[] = [];
    this.#read(this.#chunkKeys, rows, { left: null, count: rows.count, output });
    return output;
  }

  keysOf(rows: TextRows, left: Uint32Array | null, count: number): readonly Key[] | null {
    const { key } = this.table;
    if (key.length === 0) return null;
    this.#keys ??= compileTextKeys({ result: this.#result, json: this.#options.json, key });
    const output: Key[] = [];
    this.#read(this.#keys, rows, { left, count, output });
    return output;
  }

  rowsOf(rows: TextRows, left: Uint32Array | null, count: number): Row[] {
    this.#rows ??= compileTextRows({ table: this.table, result: this.#result, json: this.#options.json });
    const output: Row[] = [];
    this.#read(this.#rows, rows, { left, count, output });
    return output;
  }

  writeRows(rows: TextRows, left: Uint32Array | null, { count, target }: { count: number; target: RowTarget }): void {
    this.#transcode ??= compileTextTranscoder({ table: this.table, result: this.#result });
    this.#read(this.#transcode, rows, { left, count, output: target });
  }

  get shape(): RowShape {
    this.#shape ??= rowShape({
      table: this.table,
      before: null,
      after: this.#result.columns.filter(({ selected }) => selected).map(({ index }) => index),
    });
    return this.#shape;
  }

  #read<Output>(
    read: TextFunction<Output>,
    rows: TextRows,
    { left, count, output }: { readonly left: Uint32Array | null; readonly count: number; readonly output: Output },
  ): void {
    // What is read as a string after all comes from a window, which must not reach into bytes that others write.
    forgetWindow(rows.count === 0 ? 0 : (rows.ends[rows.count - 1] ?? 0));
    this.explained(() => read(rows.bytes, rows.view, rows, left, count, output));
  }

  /** Names the table, and turns what the stream's functions call corrupt, or a view refuses, into what it is here. */
  explained<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      const table = this.#name;
      // The engine's message quotes what is no JSON (I10).
      if (error instanceof SyntaxError) {
        throw new TidingsError('PROTOCOL_VIOLATION', `${table}: a document of a result row is not JSON`, {
          details: { table },
        });
      }
      if (error instanceof RangeError) {
        throw new TidingsError('PROTOCOL_VIOLATION', `${table}: a result row ends inside a value`, {
          cause: error,
          details: { table },
        });
      }
      if (!isTidingsError(error)) throw error;
      throw new TidingsError(
        error.code === 'BINLOG_CORRUPT' ? 'PROTOCOL_VIOLATION' : error.code,
        `${table}: ${error.message}`,
        { cause: error, hint: error.hint, details: { ...error.details, table } },
      );
    }
  }

  get #name(): string {
    return `${this.table.database}.${this.table.name}`;
  }

  #column(index: number): Column {
    return this.table.columns[index] as Column;
  }
}

/** The rows of a chunk that are left, in place: valid as long as their bytes are. */
export class TextRowBatch implements RowBatch {
  readonly type = 'rows';
  readonly kind = 'upsert';
  readonly snapshot = true;
  readonly statement = null;
  readonly table: TableSchema;
  readonly count: number;
  readonly #views: TextRowViews;
  readonly #rows: TextRows;
  readonly #left: Uint32Array | null;

  /** @param left indexes of the rows that are left, ascending; null: all */
  constructor(views: TextRowViews, rows: TextRows, left: Uint32Array | null) {
    this.table = views.table;
    this.count = left === null ? rows.count : left.length;
    this.#views = views;
    this.#rows = rows;
    this.#left = left;
  }

  rows(): DecodedRows {
    const after = this.#views.rowsOf(this.#rows, this.#left, this.count);
    return { count: after.length, before: null, after };
  }

  keys(): readonly Key[] | null {
    return this.#views.keysOf(this.#rows, this.#left, this.count);
  }

  changes(): Change[] {
    const { after } = this.rows();
    const keys = this.keys();
    const names = this.table.key.map((index) => this.table.columns[index]?.name ?? '');
    return (after ?? []).map((row, i): Change => ({
      kind: 'upsert',
      table: this.table,
      scn: null,
      key: keys === null ? null : keyRow(names, keys[i]),
      before: null,
      after: row,
      statement: null,
      snapshot: true,
    }));
  }

  get shape(): RowShape {
    return this.#views.shape;
  }

  writeTo(target: RowTarget): void {
    this.#views.writeRows(this.#rows, this.#left, { count: this.count, target });
  }
}

function keyRow(names: readonly string[], key: Key | undefined): Row {
  const values = names.length === 1 ? [key] : (key as readonly Value[]);
  return Object.fromEntries(names.map((name, i) => [name, values[i] as Value]));
}
