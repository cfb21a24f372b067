import type { Clock } from '../../base/clock.ts';
import { TidingsError } from '../../core/errors.ts';
import { SNAPSHOT_BOUNDS } from '../../core/snapshots/request-bounds.ts';
import {
  isOver,
  type Snapshot,
  type SnapshotPart,
  type SnapshotSpec,
  type SnapshotState,
  type SnapshotStore,
} from '../../core/snapshots/snapshot-state.ts';

export interface KeptSnapshotsOptions {
  readonly stream: string;
  readonly store: SnapshotStore & { load(): Promise<readonly Snapshot[]> };
  readonly clock: Clock;
}

/** One text for each table. */
export function nameOf({ database, table }: Pick<SnapshotPart, 'database' | 'table'>): string {
  return `${database}\0${table}`;
}

/** Of a stream; of those that are over. Initial ones say which tables have had theirs. */
const KEPT = 20;

/**
 * The snapshots of one stream as the relay's state has them: numbered, and forgotten when they are long over. What is saved is seen here at once,
 * so that whoever saves next goes on from it; a promise of it resolves when it is durable.
 */
export class KeptSnapshots implements SnapshotStore {
  readonly #options: KeptSnapshotsOptions;
  readonly #byId = new Map<number, Snapshot>();

  private constructor(options: KeptSnapshotsOptions) {
    this.#options = options;
  }

  static async load(options: KeptSnapshotsOptions): Promise<KeptSnapshots> {
    const kept = new KeptSnapshots(options);
    for (const snapshot of await options.store.load()) kept.#byId.set(snapshot.id, snapshot);
    return kept;
  }

  /** In the order in which they were asked for. */
  values(): readonly Snapshot[] {
    return [...this.#byId.values()];
  }

  has(id: number): boolean {
    return this.#byId.has(id);
  }

  /** @throws TidingsError SNAPSHOT_UNKNOWN */
  get(id: number): Snapshot {
    const snapshot = this.#byId.get(id);
    if (snapshot !== undefined) return snapshot;
    const { stream } = this.#options;
    throw new TidingsError('SNAPSHOT_UNKNOWN', `stream ${stream} has no snapshot ${id}`, {
      details: { stream, snapshot: id },
    });
  }

  async add(spec: SnapshotSpec, state: SnapshotState): Promise<Snapshot> {
    const { clock, store } = this.#options;
    const id = Math.max(0, ...this.#byId.keys()) + 1;
    const createdMs = clock.nowMs();
    const snapshot: Snapshot = { id, state, spec, createdMs, endedMs: null, error: null, parts: null };
    this.#byId.set(id, snapshot);
    try {
      await store.save(snapshot, { parts: false });
    } catch (error) {
      this.#byId.delete(id);
      throw error;
    }
    this.#forgetOld();
    return snapshot;
  }

  async save(snapshot: Snapshot, what: { readonly parts: boolean } = { parts: false }): Promise<void> {
    await this.#change(snapshot, () => this.#options.store.save(snapshot, what));
  }

  async savePart(id: number, part: SnapshotPart): Promise<void> {
    await this.saveParts(id, [part]);
  }

  /** Some of those that it has. */
  async saveParts(id: number, some: readonly SnapshotPart[]): Promise<void> {
    if (some.length === 0) return;
    const snapshot = this.get(id);
    const changed = new Map(some.map((part) => [nameOf(part), part]));
    const parts = snapshot.parts?.map((part) => changed.get(nameOf(part)) ?? part) ?? null;
    await this.#change({ ...snapshot, parts }, async () => {
      await Promise.all(some.map((part) => this.#options.store.savePart(id, part)));
    });
  }

  /** A table that it is to have had as well. */
  async addPart(id: number, part: SnapshotPart): Promise<void> {
    const snapshot = this.get(id);
    const parts = [...(snapshot.parts ?? []), part];
    await this.#change({ ...snapshot, parts }, () =>
      this.#options.store.save({ ...snapshot, parts: [part] }, { parts: true }),
    );
  }

  /** @throws TidingsError SNAPSHOT_INVALID */
  checkRoom(): void {
    const { stream } = this.#options;
    const open = this.values().filter((snapshot) => !isOver(snapshot)).length;
    if (open < SNAPSHOT_BOUNDS.open) return;
    throw new TidingsError('SNAPSHOT_INVALID', `stream ${stream} has ${open} snapshots that are not over`, {
      hint: 'Wait for some of them, or cancel them.',
      details: { stream, open },
    });
  }

  async #change(snapshot: Snapshot, store: () => Promise<void>): Promise<void> {
    const before = this.get(snapshot.id);
    this.#byId.set(snapshot.id, snapshot);
    try {
      await store();
    } catch (error) {
      // Unless somebody has gone on from it.
      if (this.#byId.get(snapshot.id) === snapshot) this.#byId.set(snapshot.id, before);
      throw error;
    }
  }

  /** As the store does. */
  #forgetOld(): void {
    const newest = Math.max(...this.#byId.keys());
    for (const [id, snapshot] of this.#byId) {
      if (isOver(snapshot) && snapshot.spec.reason !== 'initial' && id <= newest - KEPT) this.#byId.delete(id);
    }
  }
}
