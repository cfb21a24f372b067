import { connect } from '../../../src/client/connect.ts';
import type { StreamEntry, StreamOptions } from '../../../src/core/consumer.ts';

/** What a consumer of a stream makes of it: the rows of each table by key, as `serial v<version>` or whatever `textOf` says. */
export class TableCopy implements AsyncDisposable {
  /** By `table key`. */
  readonly rows: Map<string, string>;
  /** By table: rows that a snapshot brought, and truncate entries. */
  readonly snapshotRows: Map<string, number> = new Map();
  readonly truncated: string[] = [];
  /** Of tables without a key: how many rows there are. */
  readonly withoutKey: Map<string, number> = new Map();
  readonly finished: Promise<void>;
  readonly #client: ReturnType<typeof connect>;

  /** @param options with `former`, the copy is what that one is, and goes on from there */
  constructor(url: string, stream: string, { former, ...options }: StreamOptions & { former?: TableCopy } = {}) {
    this.rows = new Map(former?.rows);
    this.#client = connect(url, { reconnect: { delayMinMs: 1, delayMaxMs: 50 } });
    this.finished = this.#read(stream, { from: 'earliest', ...options });
    this.finished.catch(() => undefined);
  }

  /** Everything that is visible when reading begins. */
  static async readAll(url: string, stream: string, options: StreamOptions = {}): Promise<TableCopy> {
    await using copy = new TableCopy(url, stream, { ...options, untilEnd: true });
    await copy.finished;
    return copy;
  }

  /** Sorted, for comparing. */
  get lines(): string[] {
    return [...this.rows].map(([key, row]) => `${key}: ${row}`).toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.finished.catch(() => undefined);
  }

  async #read(stream: string, options: StreamOptions): Promise<void> {
    for await (const batch of this.#client.stream(stream, options)) {
      for (const entry of batch.entries) this.#take(entry);
      if (options.group !== undefined || options.checkpoints !== undefined) await batch.commit();
    }
  }

  #take(entry: StreamEntry): void {
    if (!('kind' in entry)) {
      if (entry.type !== 'truncate') return;
      this.truncated.push(entry.table);
      this.withoutKey.delete(entry.table);
      for (const key of this.rows.keys()) if (key.startsWith(`${entry.table} `)) this.rows.delete(key);
      return;
    }
    const { table, before, after, snapshot } = entry;
    if (table.key.length === 0) {
      const more = (after === null ? 0 : 1) - (before === null ? 0 : 1);
      this.withoutKey.set(table.name, (this.withoutKey.get(table.name) ?? 0) + more);
    }
    if (snapshot === true) this.snapshotRows.set(table.name, (this.snapshotRows.get(table.name) ?? 0) + 1);
    if (before !== null) this.rows.delete(`${table.name} ${String(before['id'])}`);
    if (after === null) return;
    const rest = Object.entries(after).filter(([name]) => name !== 'id');
    this.rows.set(`${table.name} ${String(after['id'])}`, rest.map(([, value]) => String(value)).join(' '));
  }
}
