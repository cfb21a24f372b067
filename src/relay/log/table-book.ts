import { parseRowShape, type RowShape } from '../../core/rows/row-shape.ts';
import type { TableSchema } from '../../core/table-schema.ts';

/**
 * The latest definition of each table, as the log's entries tell it. A DDL or TRUNCATE makes what was known of a table stale, until
 * rows come again that were written with a definition.
 *
 * Changes count from `commit` on; `rollback` undoes those since then.
 */
export class TableBook {
  readonly #shapes = new Map<string, RowShape>();
  readonly #undo: { readonly key: string; readonly shape: RowShape | undefined }[] = [];

  /** Rows were written with this shape. @param key `tableKey` of its table */
  use(key: string, shape: RowShape): void {
    const known = this.#shapes.get(key);
    if (known !== undefined && known.table === shape.table) return;
    this.#set(key, shape);
  }

  /** @param table null: a statement about a whole database, or one that nobody understood: it may concern any */
  forget(database: string, table: string | null): void {
    if (table !== null) return this.#set(tableKey(database, table), undefined);
    for (const key of [...this.#shapes.keys()]) this.#set(key, undefined);
  }

  commit(): void {
    // For every transaction: nearly always there is nothing.
    if (this.#undo.length > 0) this.#undo.length = 0;
  }

  rollback(): void {
    for (let last = this.#undo.pop(); last !== undefined; last = this.#undo.pop()) {
      if (last.shape === undefined) this.#shapes.delete(last.key);
      else this.#shapes.set(last.key, last.shape);
    }
  }

  /** As of the last `commit`. */
  tables(): TableSchema[] {
    const committed = new Map(this.#shapes);
    for (const { key, shape } of this.#undo.toReversed()) {
      if (shape === undefined) committed.delete(key);
      else committed.set(key, shape);
    }
    return [...committed.values()].map(({ table }) => table);
  }

  /** With what is not committed: what an index keeps. */
  texts(): string[] {
    return [...this.#shapes.values()].map(({ text }) => text);
  }

  /** Begins with what an index keeps. */
  load(texts: readonly string[]): void {
    this.#shapes.clear();
    for (const text of texts) {
      const shape = parseRowShape(text);
      this.#shapes.set(tableKey(shape.table.database, shape.table.name), shape);
    }
    this.#undo.length = 0;
  }

  #set(key: string, shape: RowShape | undefined): void {
    const before = this.#shapes.get(key);
    if (before === undefined && shape === undefined) return;
    this.#undo.push({ key, shape: before });
    if (shape === undefined) this.#shapes.delete(key);
    else this.#shapes.set(key, shape);
  }
}

export function tableKey(database: string, table: string): string {
  return `${database}\0${table}`;
}
