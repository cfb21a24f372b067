import type { Row } from '../change.ts';
import type { Key } from '../plain-rows.ts';
import type { Position } from '../position.ts';
import { keyText } from '../snapshot.ts';
import { dropsTable } from './dropped-tables.ts';
import type { Entry, RowBatch } from '../source.ts';
import type { TableSchema } from '../table-schema.ts';

/** A row of which the stream has brought some columns only (row images that are not FULL), from the opening of a window on. */
export interface IncompleteRow {
  readonly key: Key;
  /** `keyText` of the key. */
  readonly text: string;
  /** The same of the key that it had when the window was opened; null: it was inserted since. */
  readonly origin: string | null;
}

/** What may become of a chunk. */
export interface MergeOutcome {
  /** False: the table's definition changed, it was truncated, or the stream was interrupted. The chunk must be read again. */
  readonly merged: boolean;
  /** Rows that went into the stream. */
  readonly rows: number;
  /** Rows of the table that may be among those that were left out: they are to be read once more, so that nobody misses their other columns. */
  readonly incomplete: readonly IncompleteRow[];
}

/**
 * What the stream changes in one table from a place (`since`) on, while a chunk of that table is read: the stream's rows are newer
 * than the chunk's, or the same.
 */
export class MergeWindow {
  readonly database: string;
  readonly table: string;
  /** The chunk's read must see everything up to here. */
  readonly since: Position;
  /** How many connections the source had made when it was opened. */
  readonly connections: number;
  /** Names of the chunk key's columns; null: there is no key, and whatever changes a row may concern any. */
  readonly #key: readonly string[] | null;
  readonly #touched = new Set<string>();
  /** Rows that were changed, by the text of their present key: with how many columns the last change came. */
  readonly #columns = new Map<string, IncompleteRow & { readonly columns: number }>();
  /** Only rows that came to another key are noted, for as long as the whole table is read. */
  readonly #onlyMoves: boolean;
  #stale = false;
  #dropped = false;

  constructor({
    database,
    table,
    key,
    since,
    connections,
    onlyMoves = false,
  }: {
    database: string;
    table: string;
    key: readonly string[] | null;
    since: Position;
    connections: number;
    onlyMoves?: boolean;
  }) {
    this.database = database;
    this.table = table;
    this.since = since;
    this.connections = connections;
    this.#onlyMoves = onlyMoves;
    this.#key = key;
  }

  /** Nothing of the chunk may be used. */
  get isStale(): boolean {
    return this.#stale;
  }

  /** The table came to its end since. There may be another one of its name. */
  get isDropped(): boolean {
    return this.#dropped;
  }

  /** Keys that the chunk's rows must not have. */
  get touched(): ReadonlySet<string> {
    return this.#touched;
  }

  /** Rows that the stream has changed, and brought with fewer columns than so many. */
  incomplete(columns: number): readonly IncompleteRow[] {
    return [...this.#columns.values()].filter((change) => change.columns < columns);
  }

  /** These, of `incomplete`, are in the stream in full, but for those that were changed since. */
  settled(rows: readonly IncompleteRow[]): void {
    for (const row of rows) if (this.#columns.get(row.text) === row) this.#columns.delete(row.text);
  }

  invalidate(): void {
    this.#stale = true;
  }

  /** Something that the stream has brought, of whatever table. */
  note(entry: Entry): void {
    if (entry.type !== 'rows') {
      if (entry.database === this.database && (entry.table ?? this.table) === this.table) this.#redefine();
      if (dropsTable(entry, this)) this.#dropped = true;
      return;
    }
    if (this.#stale && !this.#onlyMoves) return;
    const { database, name } = entry.table;
    if (database !== this.database || name !== this.table || entry.snapshot === true) return;
    if (this.#key === null) this.#stale = true;
    else this.#rows(entry, this.#key);
  }

  /** How many columns a change came with says nothing of the table as it is from now on. */
  #redefine(): void {
    this.#stale = true;
    for (const [text, row] of this.#columns) this.#columns.set(text, { ...row, columns: 0 });
  }

  #rows(batch: RowBatch, names: readonly string[]): void {
    const columns = batch.shape.after?.length ?? 0;
    if (batch.kind !== 'update' && isPrimaryKey(batch.table, names)) {
      const keys = batch.keys();
      if (keys === null) this.#stale = true;
      else if (batch.kind === 'delete') for (const key of keys) this.#change(key, null, columns);
      else for (const key of keys) this.#change(null, key, columns);
      return;
    }
    const { before, after, count } = batch.rows();
    for (let i = 0; i < count; i++) {
      const old = before?.[i] ?? null;
      const now = after?.[i] ?? null;
      const oldKey = old === null ? null : keyOf(names, old, null);
      const newKey = now === null ? null : keyOf(names, now, old);
      if ((old !== null && oldKey === null) || (now !== null && newKey === null)) {
        // A key that was not logged may be any row's.
        this.#stale = true;
        return;
      }
      this.#change(oldKey, newKey, columns);
    }
  }

  /** A row has left one key, and come to another or the same. */
  #change(oldKey: Key | null, newKey: Key | null, columns: number): void {
    const old = oldKey === null ? null : keyText(oldKey);
    const now = newKey === null ? null : keyText(newKey);
    // A row that was moved before, and changes where it is, is still one that was moved.
    if (this.#onlyMoves && old === now) return;
    let origin = old;
    if (old !== null) {
      if (!this.#onlyMoves) this.#touched.add(old);
      const before = this.#columns.get(old);
      if (before !== undefined) ({ origin } = before);
      this.#columns.delete(old);
    }
    if (now === null || newKey === null || (this.#onlyMoves && old === null)) return;
    if (!this.#onlyMoves) this.#touched.add(now);
    this.#columns.set(now, { key: newKey, text: now, origin, columns });
  }
}

function isPrimaryKey({ key, columns }: TableSchema, names: readonly string[]): boolean {
  return key.length === names.length && key.every((index, i) => columns[index]?.name === names[i]);
}

function keyOf(names: readonly string[], row: Row, unchanged: Row | null): Key | null {
  const values: Row[string][] = [];
  for (const name of names) {
    const value = Object.hasOwn(row, name) ? row[name] : unchanged?.[name];
    if (value === undefined) return null;
    values.push(value);
  }
  const [single] = values;
  return values.length === 1 && single !== undefined ? single : values;
}
