import { serverNumber, asBusy, isGone } from './chunk-errors.ts';
import type { TableName } from './names.ts';
import { type KnownTable, readTable, type ReadTableOptions, tableGone } from './read-table.ts';
import type { SnapshotConnection } from './snapshot-connection.ts';

/** The tables that are being read, as they were last. */
export class TableCache {
  readonly #options: ReadTableOptions;
  readonly #tables = new Map<string, KnownTable>();

  constructor(options: ReadTableOptions) {
    this.#options = options;
  }

  /** @throws TidingsError SNAPSHOT_TABLE_GONE, SCHEMA_UNKNOWN, CONFIG_INVALID */
  async get(connection: SnapshotConnection, table: TableName): Promise<KnownTable> {
    const name = keyOf(table);
    let known = this.#tables.get(name);
    if (known === undefined) {
      try {
        known = await readTable(connection, table, this.#options);
      } catch (error) {
        throw isGone(serverNumber(error)) ? tableGone(table) : asBusy(error);
      }
      this.#tables.set(name, known);
    }
    return known;
  }

  has(table: TableName): boolean {
    return this.#tables.has(keyOf(table));
  }

  forget(table: TableName): void {
    this.#tables.delete(keyOf(table));
  }

  clear(): void {
    this.#tables.clear();
  }
}

function keyOf({ database, table }: TableName): string {
  return `${database}\0${table}`;
}
