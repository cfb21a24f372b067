import type { RowShape } from '../../core/rows/row-shape.ts';
import type { TransactionPart } from '../../core/source.ts';
import type { TableSchema } from '../../core/table-schema.ts';

/** A table by its name. */
export type TableName = Pick<TableSchema, 'database' | 'name'>;

/** Where the names of one stream's tables are kept. A promise of a write resolves when it is durable. */
export interface TableNameStore {
  load(): Promise<readonly TableName[]>;
  /** Those that are kept already change nothing. */
  add(tables: readonly TableName[]): Promise<void>;
}

/**
 * Every table of which a stream has ever had rows. A consumer may still have them when the table is long gone, and the log keeps nothing that
 * would tell of it.
 */
export class SeenTables {
  readonly #store: TableNameStore;
  readonly #names = new Map<string, TableName>();
  /** Those whose tables are among them: all rows of a table's version have the same. */
  readonly #shapes = new WeakSet<RowShape>();

  private constructor(store: TableNameStore) {
    this.#store = store;
  }

  /** @param logged what the log knows of: it may be older than the store */
  static async load(store: TableNameStore, logged: readonly TableName[]): Promise<SeenTables> {
    const seen = new SeenTables(store);
    for (const table of await store.load()) seen.#names.set(keyOf(table), table);
    const unknown = logged.filter((table) => !seen.#names.has(keyOf(table)));
    if (unknown.length > 0) await seen.#add(unknown);
    return seen;
  }

  values(): readonly TableName[] {
    return [...this.#names.values()];
  }

  /** These are about to go into the log. Null: their tables are known; else it resolves when they are, durably. */
  note(parts: readonly TransactionPart[]): Promise<void> | null {
    let unknown: TableName[] | null = null;
    for (const { entries } of parts) {
      for (const entry of entries) {
        if (entry.type !== 'rows' || this.#shapes.has(entry.shape)) continue;
        if (this.#names.has(keyOf(entry.table))) this.#shapes.add(entry.shape);
        else (unknown ??= []).push(entry.table);
      }
    }
    return unknown === null ? null : this.#add(unknown);
  }

  async #add(tables: readonly TableName[]): Promise<void> {
    const names = new Map(tables.map(({ database, name }) => [keyOf({ database, name }), { database, name }]));
    await this.#store.add([...names.values()]);
    for (const [key, table] of names) this.#names.set(key, table);
  }
}

function keyOf({ database, name }: TableName): string {
  return `${database}\0${name}`;
}
