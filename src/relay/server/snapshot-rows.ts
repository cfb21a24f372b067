import type { RelayStream, SnapshotStatus } from '../relay-api.ts';

interface Counted {
  /** By the snapshot's number: the rows that it had when it was last looked at. */
  readonly seen: Map<number, number>;
  total: number;
}

/**
 * Counts the rows that a stream's snapshots read, whatever becomes of the snapshots: those that are over are forgotten one day, and a
 * counter never goes back.
 */
export class SnapshotRowCounter {
  readonly #startMs: number;
  readonly #streams: WeakMap<RelayStream, Counted> = new WeakMap();

  /** @param startMs what snapshots from before had read by then is not counted */
  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  /** Since the start. */
  total(stream: RelayStream, snapshots: readonly SnapshotStatus[]): number {
    let counted = this.#streams.get(stream);
    if (counted === undefined) {
      counted = { seen: new Map(), total: 0 };
      this.#streams.set(stream, counted);
    }
    const { seen } = counted;
    const before = new Map(seen);
    seen.clear();
    for (const { id, rows, createdMs } of snapshots) {
      const from = before.get(id) ?? (createdMs < this.#startMs ? rows : 0);
      counted.total += Math.max(0, rows - from);
      seen.set(id, rows);
    }
    return counted.total;
  }
}
