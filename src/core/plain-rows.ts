import type { Change, ChangeKind, Row, Value } from './change.ts';
import { TidingsError } from './errors.ts';
import { type RowEncoder, rowEncoderFor } from './rows/encode-rows.ts';
import type { RowShape } from './rows/row-shape.ts';
import type { RowTarget } from './rows/row-target.ts';
import type { DecodedRows, RowBatch } from './source.ts';
import type { TableSchema } from './table-schema.ts';

/** A primary key as `RowBatch.keys()` gives it: the bare value of a single-column key, a tuple in key order of a composite one. */
export type Key = Value | readonly Value[];

export interface PlainUpdate {
  readonly before: Row;
  readonly after: Row;
}

/** What a source that has its rows as objects (a poll, an ORM, a test) knows of some consecutive changes of one table. */
export type PlainRows = {
  readonly table: TableSchema;
  /** The SQL behind the rows, when it is known. */
  readonly statement?: string | null;
  /** They were read as they stand: upserts. */
  readonly snapshot?: boolean;
} & (
  | { readonly kind: 'insert' | 'upsert' | 'delete'; readonly rows: readonly Row[] }
  | { readonly kind: 'update'; readonly rows: readonly PlainUpdate[] }
);

/**
 * A row batch over plain objects, so that a source without bytes obeys the same contract as one with them.
 *
 * The rows may be partial (a column that is not known is absent, never null), but the key's columns must be there: `keys()` and
 * `changes()` throw CHANGE_KEY_MISSING otherwise.
 *
 * To go into a log, all rows of a batch must have the columns of the first one (`writeTo` throws CHANGE_COLUMNS_MIXED otherwise): a
 * source whose rows differ makes a batch for each run of rows that are alike. JSON columns hold the document's text.
 */
export function plainRowBatch(plain: PlainRows): RowBatch {
  return new PlainRowBatch(plain);
}

class PlainRowBatch implements RowBatch {
  readonly type = 'rows';
  readonly kind: ChangeKind;
  readonly table: TableSchema;
  readonly statement: string | null;
  readonly snapshot: boolean;
  readonly #rows: DecodedRows;
  #encoder: RowEncoder | null = null;

  constructor(plain: PlainRows) {
    this.kind = plain.kind;
    this.table = plain.table;
    this.statement = plain.statement ?? null;
    this.snapshot = plain.snapshot ?? false;
    this.#rows = decodedRows(plain);
  }

  rows(): DecodedRows {
    return this.#rows;
  }

  keys(): readonly Key[] | null {
    const names = keyNames(this.table);
    if (names.length === 0) return null;
    const [single] = names;
    const keys: Key[] = [];
    for (let i = 0; i < this.#rows.count; i++) {
      if (names.length === 1 && single !== undefined) keys.push(this.#keyValue(i, single));
      else keys.push(names.map((name) => this.#keyValue(i, name)));
    }
    return keys;
  }

  changes(): Change[] {
    const names = keyNames(this.table);
    const { count, before, after } = this.#rows;
    return Array.from({ length: count }, (_, i) => ({
      kind: this.kind,
      table: this.table,
      scn: null,
      key: names.length === 0 ? null : Object.fromEntries(names.map((name) => [name, this.#keyValue(i, name)])),
      before: before?.[i] ?? null,
      after: after?.[i] ?? null,
      statement: this.statement,
      ...(this.snapshot ? { snapshot: true } : {}),
    }));
  }

  get shape(): RowShape {
    return this.#encoding.shape;
  }

  writeTo(target: RowTarget): void {
    this.#encoding.write(target, this.#rows);
  }

  get #encoding(): RowEncoder {
    this.#encoder ??= rowEncoderFor(this.table, this.#rows);
    return this.#encoder;
  }

  /** The row after the change decides; a column that it does not hold was not changed and stands in the row before. */
  #keyValue(i: number, name: string): Value {
    const after = this.#rows.after?.[i];
    if (after !== undefined && Object.hasOwn(after, name)) return after[name] ?? null;
    const before = this.#rows.before?.[i];
    if (before !== undefined && Object.hasOwn(before, name)) return before[name] ?? null;
    const { database, name: table } = this.table;
    throw new TidingsError(
      'CHANGE_KEY_MISSING',
      `a row of ${database}.${table} has no value for "${name}" of its primary key`,
      {
        details: { database, table, column: name, kind: this.kind },
      },
    );
  }
}

function decodedRows(plain: PlainRows): DecodedRows {
  const count = plain.rows.length;
  switch (plain.kind) {
    case 'insert':
    case 'upsert':
      return { count, before: null, after: plain.rows };
    case 'delete':
      return { count, before: plain.rows, after: null };
    case 'update':
      return { count, before: plain.rows.map((row) => row.before), after: plain.rows.map((row) => row.after) };
  }
}

/** The names of the primary key's columns, in key order. */
export function keyNames(table: TableSchema): string[] {
  return table.key.map((index) => {
    const column = table.columns[index];
    if (column === undefined) {
      throw new RangeError(`key of ${table.database}.${table.name} names column ${index} of ${table.columns.length}`);
    }
    return column.name;
  });
}
