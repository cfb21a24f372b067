import type { Change, ChangeKind, Row, Value } from '../../core/change.ts';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import { type RowShape, rowShape } from '../../core/rows/row-shape.ts';
import type { RowTarget } from '../../core/rows/row-target.ts';
import type { DecodedRows, RowBatch } from '../../core/source.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import type { RowsAction, RowsEvent } from './binlog/rows-event.ts';
import type { ImageLayout } from './binlog/rows/image-walk.ts';
import { compileKeys, compileRows, type KeysFunction, type RowsFunction } from './binlog/rows/row-decoder.ts';
import { compileTranscoder, type TranscodeFunction } from './binlog/rows/row-transcoder.ts';
import { forgetWindow } from './binlog/rows/text-window.ts';
import type { LoggedStatement } from './stream/logged-statement.ts';
import type { TableBinding } from './schema/table-binding.ts';

/** The functions generated for one table and one pair of column bitmaps. Compiled when first asked for. */
export class RowViews {
  readonly binding: TableBinding;
  readonly action: RowsAction;
  readonly #layout: ImageLayout;
  readonly #json: 'text' | 'parsed';
  #rows: RowsFunction | null = null;
  #keys: KeysFunction | null | undefined;
  #shape: RowShape | null = null;
  #transcode: TranscodeFunction | null = null;

  constructor(
    binding: TableBinding,
    action: RowsAction,
    { layout, json }: { layout: ImageLayout; json: 'text' | 'parsed' },
  ) {
    this.binding = binding;
    this.action = action;
    this.#layout = layout;
    this.#json = json;
  }

  rows(): RowsFunction {
    this.#rows ??= compileRows({ columns: this.binding.columns, layout: this.#layout, json: this.#json });
    return this.#rows;
  }

  keys(): KeysFunction | null {
    const { columns, schema } = this.binding;
    if (this.#keys === undefined) {
      this.#keys =
        schema.key.length === 0
          ? null
          : compileKeys({ columns, layout: this.#layout, json: this.#json, key: schema.key });
    }
    return this.#keys;
  }

  shape(): RowShape {
    if (this.#shape === null) {
      const { before, after } = this.#layout;
      const { columns } = this.binding;
      const held = (logged: readonly boolean[] | null): readonly number[] | null =>
        logged === null ? null : [...columns.keys()].filter((i) => logged[i] === true && columns[i]?.selected === true);
      this.#shape = rowShape({ table: loggedTable(this.binding), before: held(before), after: held(after) });
    }
    return this.#shape;
  }

  transcode(): TranscodeFunction {
    this.#transcode ??= compileTranscoder({
      columns: this.binding.columns,
      layout: this.#layout,
      table: this.shape().table,
    });
    return this.#transcode;
  }
}

/** One for all kinds of changes, so that it is the same object. */
const loggedTables = new WeakMap<TableBinding, TableSchema>();

/** The definition, with every column nullable in which the TABLE_MAP has room for NULL: a row may hold one. */
function loggedTable(binding: TableBinding): TableSchema {
  const { schema, columns } = binding;
  if (columns.every(({ column, wire }) => column.nullable || !wire.nullable)) return schema;
  let table = loggedTables.get(binding);
  if (table === undefined) {
    const nullable = columns.map(({ column, wire }) => (wire.nullable ? { ...column, nullable: true } : column));
    table = { ...schema, columns: nullable };
    loggedTables.set(binding, table);
  }
  return table;
}

/** The rows of one rows event, in place: see the lifetime clause of `Source`. */
export class BinlogRowBatch implements RowBatch {
  readonly type = 'rows';
  readonly kind: ChangeKind;
  readonly table: TableSchema;
  readonly #statement: LoggedStatement | null;
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #start: number;
  readonly #end: number;
  readonly #views: RowViews;

  // One for each rows event: in a stream of small transactions an options object more would be felt.
  // oxlint-disable-next-line max-params
  constructor(bytes: Buffer, view: DataView, event: RowsEvent, views: RowViews, statement: LoggedStatement | null) {
    this.kind = views.action;
    this.table = views.binding.schema;
    this.#statement = statement;
    this.#bytes = bytes;
    this.#view = view;
    this.#start = event.rowsStart;
    this.#end = event.rowsEnd;
    this.#views = views;
  }

  get statement(): string | null {
    return this.#statement === null ? null : this.#statement.text;
  }

  rows(): DecodedRows {
    const before: Row[] = [];
    const after: Row[] = [];
    this.#decode(this.#views.rows(), { before, after });
    switch (this.kind) {
      case 'insert':
        return { count: after.length, before: null, after };
      case 'delete':
        return { count: before.length, before, after: null };
      default:
        return { count: after.length, before, after };
    }
  }

  keys(): readonly (Value | readonly Value[])[] | null {
    const keys = this.#views.keys();
    if (keys === null) return null;
    const output: (Value | readonly Value[])[] = [];
    this.#decode(keys, output);
    return output;
  }

  changes(): Change[] {
    const { count, before, after } = this.rows();
    const keys = this.keys();
    const names = this.table.key.map((index) => this.table.columns[index]?.name ?? '');
    const changes: Change[] = [];
    for (let i = 0; i < count; i++) {
      changes.push({
        kind: this.kind,
        table: this.table,
        scn: null,
        key: keys === null ? null : keyRow(names, keys[i]),
        before: before?.[i] ?? null,
        after: after?.[i] ?? null,
        statement: this.statement,
      });
    }
    return changes;
  }

  get shape(): RowShape {
    return this.#views.shape();
  }

  writeTo(target: RowTarget): void {
    // For what is read as a string after all.
    forgetWindow(this.#end);
    try {
      this.#views.transcode()(this.#bytes, this.#view, this.#start, this.#end, target);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  #decode<Output>(
    decoder: (bytes: Buffer, view: DataView, range: { start: number; end: number }, output: Output) => void,
    output: Output,
  ): void {
    forgetWindow(this.#end);
    try {
      decoder(this.#bytes, this.#view, { start: this.#start, end: this.#end }, output);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  /** Names the table, and turns a read past the whole buffer, which the view refuses, into what it is. */
  #explained(error: unknown): unknown {
    const table = `${this.table.database}.${this.table.name}`;
    if (error instanceof RangeError) {
      return new TidingsError('BINLOG_TRUNCATED', `${table}: a row reaches past the end of its event`, {
        cause: error,
        details: { table },
      });
    }
    if (!isTidingsError(error)) return error;
    return new TidingsError(error.code, `${table}: ${error.message}`, {
      cause: error,
      hint: error.hint,
      details: { ...error.details, table },
    });
  }
}

function keyRow(names: readonly string[], key: Value | readonly Value[] | undefined): Row {
  const values = names.length === 1 ? [key] : (key as readonly Value[]);
  return Object.fromEntries(names.map((name, i) => [name, values[i] as Value]));
}
