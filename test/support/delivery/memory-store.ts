import { emptyWindow } from '../../../src/base/text-window.ts';
import type { Row, Value } from '../../../src/core/change.ts';
import { TidingsError } from '../../../src/core/errors.ts';
import { keyNames } from '../../../src/core/plain-rows.ts';
import { ROW_HEADER_BYTES } from '../../../src/core/rows/row-target.ts';
import type { StoredRows } from '../../../src/core/rows/stored-rows.ts';
import { keyText } from '../../../src/core/snapshot.ts';
import {
  type RowPack,
  type RowPacking,
  RowsRefused,
  type Sink,
  type SinkBatch,
  type SinkCheckpoint,
  type SinkPromise,
  type SinkRow,
  type SinkTarget,
  type TargetPlan,
} from '../../../src/core/sink.ts';
import { compileRows } from '../../../src/formats/log/row-decoder.ts';

/** What a store does next instead of writing. `lost`: it writes, and its answer does not come. */
export type StoreFault = 'fail' | 'lost';

export interface MemoryStoreOptions {
  readonly promise?: SinkPromise;
  /** Rows that it refuses. */
  readonly refuses?: (row: SinkRow) => boolean;
  /** Targets whose rows go through the serial lane. */
  readonly serial?: (target: SinkTarget) => boolean;
  /** Whether it takes rows as bytes. */
  readonly packs?: boolean;
  /** Asked before each write. */
  readonly fault?: () => StoreFault | null;
}

/** Rows by target and key, with checkpoints beside them, as a transactional database has them. Outlives the sinks that write to it. */
export class MemoryStore {
  readonly rows: Map<string, Map<string, SinkRow>> = new Map();
  /** All rows that became visible, in order. */
  readonly history: SinkRow[] = [];
  readonly checkpoints: Map<string, SinkCheckpoint & { owner: number }> = new Map();
  readonly options: MemoryStoreOptions;
  readonly prepared: string[] = [];
  /** Rows that came as bytes. */
  packed = 0;
  refuses: (row: SinkRow) => boolean;
  #owners = 0;

  constructor(options: MemoryStoreOptions = {}) {
    this.options = options;
    this.refuses = options.refuses ?? (() => false);
  }

  sink(): Sink {
    return new MemorySink(this, ++this.#owners);
  }

  /** The values of a target's rows, by key. */
  values(target: string): Record<string, unknown> {
    const rows = this.rows.get(target) ?? new Map<string, SinkRow>();
    return Object.fromEntries([...rows].map(([key, { after }]) => [key, after]));
  }

  apply(rows: readonly SinkRow[]): void {
    for (const row of rows) {
      const name = targetName(row.target);
      let target = this.rows.get(name);
      if (target === undefined) this.rows.set(name, (target = new Map<string, SinkRow>()));
      const key = keyText(Object.values(row.key ?? {}));
      if (row.kind === 'delete') target.delete(key);
      else target.set(key, row);
      this.history.push(row);
    }
  }
}

export function targetName({ table: { database, name } }: SinkTarget): string {
  return `${database}.${name}`;
}

/** Makes rows of the bytes at once: what was a pack is told from other rows by its count alone. */
class MemoryPack implements RowPack {
  readonly rows: SinkRow[] = [];
  readonly #store: MemoryStore;
  #run: { readonly rows: StoredRows; readonly target: SinkTarget; readonly committedAtUs: number } | null = null;

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  run(rows: StoredRows, about: { readonly target: SinkTarget; readonly committedAtUs: number }): void {
    this.#run = { rows, ...about };
  }

  row(scn: number, start: number, end: number): void {
    if (this.#run === null) throw new Error('a row without a run');
    const { rows, target, committedAtUs } = this.#run;
    const { kind, table, shape, extent } = rows;
    const images: { before: Row[]; after: Row[] } = { before: [], after: [] };
    const range = { start: start - ROW_HEADER_BYTES, end, window: emptyWindow(), limit: end };
    compileRows(shape, { wanted: null, json: 'text' })(extent.bytes, extent.view, range, images);
    const [before = null] = images.before;
    const [after = null] = images.after;
    const image = (after ?? before) as Row;
    const key = Object.fromEntries(keyNames(table).map((name) => [name, image[name] as Value]));
    const change = { kind, table, scn, key, before, after, statement: null, committedAtUs };
    const row: SinkRow = { target, kind, key, before, after, scn, change };
    if (this.#store.refuses(row)) throw new Error('it cannot be packed');
    this.rows.push(row);
  }
}

class MemorySink implements Sink {
  readonly promise: SinkPromise;
  readonly packing?: RowPacking;
  readonly claim?: (partitions: readonly number[]) => Promise<readonly SinkCheckpoint[]>;
  readonly #store: MemoryStore;
  readonly #owner: number;
  readonly #writing = new Set<number | 'serial'>();
  #pieces: SinkRow[] = [];

  constructor(store: MemoryStore, owner: number) {
    this.#store = store;
    this.#owner = owner;
    this.promise = store.options.promise ?? 'transactional';
    if (store.options.packs === true) this.packing = { takes: () => true, begin: () => new MemoryPack(store) };
    if (this.promise === 'transactional') this.claim = (partitions) => this.#claim(partitions);
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  prepare(target: SinkTarget): Promise<TargetPlan> {
    this.#store.prepared.push(targetName(target));
    return Promise.resolve({ serial: this.#store.options.serial?.(target) ?? false });
  }

  async write(batch: SinkBatch): Promise<void> {
    if (this.#writing.has(batch.lane)) throw new Error(`lane ${batch.lane} writes two batches at a time`);
    this.#writing.add(batch.lane);
    try {
      // Others have their turn, as while a server is at work.
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      this.#write(batch);
    } finally {
      this.#writing.delete(batch.lane);
    }
  }

  truncate(target: SinkTarget, checkpoints: readonly SinkCheckpoint[]): Promise<void> {
    if (this.#writing.size > 0) throw new Error('a target is emptied while rows are being written');
    this.#store.rows.delete(targetName(target));
    this.#move(checkpoints);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#pieces = [];
    return Promise.resolve();
  }

  #write({ rows: loose, packs, checkpoints, endsTransaction }: SinkBatch): void {
    const store = this.#store;
    const packed = (packs ?? []).flatMap((pack) => (pack as MemoryPack).rows);
    const rows = packs === undefined ? loose : packed;
    const refused = rows.flatMap((row, index) =>
      store.refuses(row)
        ? [{ index, error: new TidingsError('SINK_ROW_REFUSED', `a row of ${targetName(row.target)} is refused`) }]
        : [],
    );
    const fault = store.options.fault?.() ?? null;
    if (fault === 'fail') throw lost();
    if (refused.length > 0) {
      // One at a time, as a database names the first that it meets.
      throw new RowsRefused(refused.slice(0, 1), { areOthersDurable: false });
    }
    if (!endsTransaction) {
      this.#pieces.push(...rows);
      return;
    }
    // The answer to an earlier attempt was lost.
    if (this.#isDone(checkpoints)) return;
    this.#move(checkpoints);
    store.packed += packed.length;
    store.apply([...this.#pieces.splice(0), ...rows]);
    if (fault === 'lost') throw lost();
  }

  #claim(partitions: readonly number[]): Promise<readonly SinkCheckpoint[]> {
    for (const partition of partitions) {
      for (const serial of [false, true]) {
        const name = `${partition} ${serial}`;
        const { scn } = this.#store.checkpoints.get(name) ?? { scn: 0 };
        this.#store.checkpoints.set(name, { partition, serial, scn, owner: this.#owner });
      }
    }
    return Promise.resolve([...this.#store.checkpoints.values()]);
  }

  #isDone(checkpoints: readonly SinkCheckpoint[]): boolean {
    if (this.promise !== 'transactional' || checkpoints.length === 0) return false;
    return checkpoints.every(({ partition, serial, scn }) => {
      const stored = this.#store.checkpoints.get(`${partition} ${serial}`);
      return stored?.owner === this.#owner && stored.scn === scn;
    });
  }

  #move(checkpoints: readonly SinkCheckpoint[]): void {
    if (this.promise !== 'transactional') return;
    for (const { partition, serial } of checkpoints) {
      const stored = this.#store.checkpoints.get(`${partition} ${serial}`);
      if (stored?.owner !== this.#owner) throw new TidingsError('SINK_FENCED', 'another sink has the partition');
    }
    for (const { partition, serial, scn } of checkpoints) {
      const name = `${partition} ${serial}`;
      const stored = this.#store.checkpoints.get(name);
      if (stored === undefined || stored.scn > scn) throw new Error('a checkpoint goes back');
      this.#store.checkpoints.set(name, { ...stored, scn });
    }
  }
}

function lost(): TidingsError {
  return new TidingsError('CONNECTION_LOST', 'the store does not answer');
}
