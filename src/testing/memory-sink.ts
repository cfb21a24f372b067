import type { Row, Value } from '../core/change.ts';
import { TidingsError } from '../core/errors.ts';
import { applyNestedPatches } from '../core/nested-patches.ts';
import { keyNames } from '../core/plain-rows.ts';
import {
  type RefusedRow,
  RowsRefused,
  type Sink,
  type SinkBatch,
  type SinkCheckpoint,
  type SinkContext,
  type SinkRow,
  type SinkTarget,
  type TargetPlan,
} from '../core/sink.ts';

/** What a `MemorySink` writes into: tables by name, rows by key, and the checkpoints with them. */
export class MemoryStore {
  readonly tables: Map<string, Map<string, Row>> = new Map();
  readonly checkpoints: Map<string, { owner: object; scn: number | null }> = new Map();
  /** The next write is durable, and then fails as if its answer were lost. */
  losesNextAnswer = false;

  /** The rows of a table, in the order in which their keys came. */
  rows(target: SinkTarget): readonly Row[] {
    return [...(this.tables.get(nameOf(target))?.values() ?? [])];
  }
}

export interface MemorySinkOptions {
  /** Why a row cannot be written; null when it can. */
  readonly refuses?: (row: SinkRow) => string | null;
}

/** A transactional sink without a database, for tests of whatever hands rows to sinks. */
export class MemorySink implements Sink {
  readonly promise = 'transactional';
  readonly #store: MemoryStore;
  readonly #refuses: (row: SinkRow) => string | null;
  readonly #owner = {};
  #name = '';
  readonly #known = new Map<string, number | null>();
  readonly #open = new Map<SinkBatch['lane'], SinkRow[]>();

  constructor(store: MemoryStore, { refuses = () => null }: MemorySinkOptions = {}) {
    this.#store = store;
    this.#refuses = refuses;
  }

  async open({ name }: SinkContext): Promise<void> {
    this.#name = name;
  }

  async prepare(target: SinkTarget): Promise<TargetPlan> {
    const name = nameOf(target);
    if (!this.#store.tables.has(name)) this.#store.tables.set(name, new Map());
    return { serial: false };
  }

  async write(batch: SinkBatch): Promise<void> {
    const refused = batch.rows.flatMap((row, index): RefusedRow[] => {
      const reason = this.#refuses(row);
      return reason === null ? [] : [{ index, error: new TidingsError('SINK_ROW_REFUSED', reason) }];
    });
    if (refused.length > 0) throw new RowsRefused(refused, { areOthersDurable: false });
    const rows = [...(this.#open.get(batch.lane) ?? []), ...batch.rows];
    if (!batch.endsTransaction) {
      this.#open.set(batch.lane, rows);
      return;
    }
    this.#open.delete(batch.lane);
    if (!this.#move(batch.checkpoints)) return;
    for (const row of rows) this.#apply(row);
    this.#answer();
  }

  async truncate(target: SinkTarget, checkpoints: readonly SinkCheckpoint[]): Promise<void> {
    if (this.#move(checkpoints)) this.#store.tables.get(nameOf(target))?.clear();
  }

  async claim(partitions: readonly number[]): Promise<readonly SinkCheckpoint[]> {
    for (const partition of partitions) {
      for (const serial of [false, true]) {
        const key = this.#keyOf({ partition, serial });
        const scn = this.#store.checkpoints.get(key)?.scn ?? null;
        this.#store.checkpoints.set(key, { owner: this.#owner, scn });
        this.#known.set(key, scn);
      }
    }
    return this.#checkpoints();
  }

  async read(target: SinkTarget, keys: readonly Row[]): Promise<readonly (Row | null)[]> {
    const table = this.#store.tables.get(nameOf(target));
    return keys.map((key) => table?.get(keyText(target, key)) ?? null);
  }

  async close(): Promise<void> {
    this.#open.clear();
  }

  /** False when they are there already. @throws TidingsError SINK_FENCED */
  #move(checkpoints: readonly SinkCheckpoint[]): boolean {
    const stored = checkpoints.map((checkpoint) => this.#store.checkpoints.get(this.#keyOf(checkpoint)));
    const isOurs = stored.every((each) => each?.owner === this.#owner);
    if (isOurs && checkpoints.length > 0 && checkpoints.every(({ scn }, i) => stored[i]?.scn === scn)) return false;
    if (!isOurs || checkpoints.some((each, i) => stored[i]?.scn !== this.#known.get(this.#keyOf(each)))) {
      throw new TidingsError('SINK_FENCED', 'another process has claimed the partitions');
    }
    for (const checkpoint of checkpoints) {
      const { scn } = checkpoint;
      this.#store.checkpoints.set(this.#keyOf(checkpoint), { owner: this.#owner, scn });
      this.#known.set(this.#keyOf(checkpoint), scn);
    }
    return true;
  }

  #apply({ target, kind, key, before, after, patches = [] }: SinkRow): void {
    const table = this.#store.tables.get(nameOf(target));
    if (table === undefined) throw new Error(`${nameOf(target)} was not prepared`);
    const text = keyText(target, key ?? after ?? before ?? {});
    if (kind === 'delete') {
      table.delete(text);
      return;
    }
    const old = before === null ? text : keyText(target, { ...key, ...before });
    const there = table.get(old);
    // What is not there has no element that could be removed.
    if (there === undefined && kind === 'update' && patches.length > 0) return;
    if (old !== text) table.delete(old);
    const row: Record<string, Value> = { ...there, ...after };
    for (const patch of patches) {
      const [column] = patch.path;
      const document = row[column];
      row[column] = applyNestedPatches(typeof document === 'string' ? document : null, [patch]);
    }
    table.set(text, row);
  }

  /** All of this sink, also of partitions of which nothing was written. */
  #checkpoints(): readonly SinkCheckpoint[] {
    return [...this.#store.checkpoints].flatMap(([key, { scn }]) => {
      const [name, partition, serial] = JSON.parse(key) as [string, number, boolean];
      return name === this.#name ? [{ partition, serial, scn: scn ?? 0 }] : [];
    });
  }

  #keyOf({ partition, serial }: Pick<SinkCheckpoint, 'partition' | 'serial'>): string {
    return JSON.stringify([this.#name, partition, serial]);
  }

  #answer(): void {
    if (!this.#store.losesNextAnswer) return;
    this.#store.losesNextAnswer = false;
    throw new TidingsError('CONNECTION_LOST', 'the answer was lost');
  }
}

function nameOf({ table }: SinkTarget): string {
  return `${table.database}.${table.name}`;
}

function keyText({ table }: SinkTarget, row: Row): string {
  return JSON.stringify(keyNames(table).map((name) => `${row[name] as string | number}`));
}
