import type { Row } from '../change.ts';
import type { Key } from '../plain-rows.ts';
import type { Position } from '../position.ts';
import { keyText } from '../snapshot.ts';
import type { Entry, RowBatch } from '../source.ts';

/** What may become of a chunk. */
export interface MergeOutcome {
  /** False: the table's definition changed, it was truncated, or the stream was interrupted. The chunk must be read again. */
  readonly merged: boolean;
  /** Rows that went into the stream. */
  readonly rows: number;
  /**
   * Keys of rows that were left out, and of which the stream has brought only some columns (row images that are not FULL): they are to be
   * read once more, so that nobody misses the others.
   */
  readonly incomplete: readonly Key[];
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
  /** Keys of rows whose last change came with fewer columns than a table has, perhaps: with how many. */
  readonly #columns = new Map<string, { readonly key: Key; readonly columns: number }>();
  /** Only rows that came to another key are noted, for as long as the whole table is read. */
  readonly #onlyMoves: boolean;
  #stale = false;

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

  /** Keys that the chunk's rows must not have. */
  get touched(): ReadonlySet<string> {
    return this.#touched;
  }

  /**
   * Keys that the stream has changed, and whose rows it has brought with fewer columns than so many.
   */
  incomplete(columns: number): readonly Key[] {
    return [...this.#columns.values()].filter((change) => change.columns < columns).map(({ key }) => key);
  }

  invalidate(): void {
    this.#stale = true;
  }

  /** Something that the stream has brought, of whatever table. */
  note(entry: Entry): void {
    if (entry.type !== 'rows') {
      if (entry.database === this.database && (entry.table ?? this.table) === this.table) this.#stale = true;
      return;
    }
    if (this.#stale && !this.#onlyMoves) return;
    const { database, name } = entry.table;
    if (database !== this.database || name !== this.table || entry.snapshot === true) return;
    if (this.#key === null) this.#stale = true;
    else this.#rows(entry, this.#key);
  }

  #rows(batch: RowBatch, names: readonly string[]): void {
    if (batch.kind === 'delete' && this.#noteDeleted(batch, names)) return;
    if (batch.kind === 'insert' && this.#onlyMoves) return;
    const { before, after, count } = batch.rows();
    const columns = batch.shape.after?.length ?? 0;
    for (let i = 0; i < count; i++) {
      const old = before?.[i] ?? null;
      const now = after?.[i] ?? null;
      if (!this.#noteOld(old, names) || !this.#noteNew(now, { old, columns, names })) {
        // A key that was not logged may be any row's.
        this.#stale = true;
        return;
      }
    }
  }

  #noteOld(old: Row | null, names: readonly string[]): boolean {
    if (old === null) return true;
    const key = keyOf(names, old, null);
    if (key !== null) this.#gone(key);
    return key !== null;
  }

  #noteNew(
    now: Row | null,
    { old, columns, names }: { old: Row | null; columns: number; names: readonly string[] },
  ): boolean {
    if (now === null) return true;
    const key = keyOf(names, now, old);
    if (key === null) return false;
    const text = keyText(key);
    if (this.#onlyMoves) {
      const oldKey = old === null ? null : keyOf(names, old, null);
      if (oldKey === null || keyText(oldKey) === text) return true;
    } else {
      this.#touched.add(text);
    }
    this.#columns.set(text, { key, columns });
    return true;
  }

  #gone(key: Key): void {
    const text = keyText(key);
    if (!this.#onlyMoves) this.#touched.add(text);
    this.#columns.delete(text);
  }

  /** True: all is noted. Cheaper than the rows, where the primary key says all. */
  #noteDeleted(batch: RowBatch, names: readonly string[]): boolean {
    const { table } = batch;
    if (table.key.length !== names.length) return false;
    if (table.key.some((index, i) => table.columns[index]?.name !== names[i])) return false;
    const keys = batch.keys();
    if (keys === null) this.#stale = true;
    else for (const key of keys) this.#gone(key);
    return true;
  }
}

/** Null: a column of it was not logged. */
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
