import type { Sink } from '../core/sink.ts';
import type { StoreProgress } from './store-progress.ts';
import { StoredScns } from './stored-scns.ts';
import type { WriteGate } from './write-gate.ts';

/** The partitions that a sink has now, and how far its store has each of them. */
export class ClaimedPartitions {
  readonly stored: StoredScns = new StoredScns();
  readonly #sink: Sink;
  readonly #gate: WriteGate;
  readonly #progress: StoreProgress;
  readonly #partitions = new Set<number>();

  constructor({
    sink,
    gate,
    progress,
  }: {
    readonly sink: Sink;
    readonly gate: WriteGate;
    readonly progress: StoreProgress;
  }) {
    this.#sink = sink;
    this.#gate = gate;
    this.#progress = progress;
  }

  /** From here on nobody else writes them, where the store can see to that. @throws what the sink's `claim` throws */
  async claim(partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) this.#partitions.add(partition);
    const claim = this.#sink.claim?.bind(this.#sink);
    if (claim === undefined) return;
    const checkpoints = await this.#gate.run(() => claim(partitions));
    if (partitions.length > 0) this.#progress.claimed();
    for (const checkpoint of checkpoints) this.stored.set(checkpoint);
  }

  /** Call when nothing of them is on its way any more. */
  letGo(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.#partitions.delete(partition);
      this.stored.delete(partition);
    }
  }

  /** Those of which the store does not have this SCN. */
  behind(scn: number): number[] {
    return [...this.#partitions].filter((partition) => !this.stored.has(partition, scn, false));
  }
}
