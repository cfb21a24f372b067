import type { CheckpointStore } from '../core/consumer.ts';

/**
 * Moves a plain reader's checkpoint: one write at a time, forwards only. Commits that come while a write runs share the next one.
 */
export class Checkpointer {
  readonly #store: CheckpointStore;
  /** What the store has. */
  #saved: number;
  /** The highest that somebody asked for. */
  #wanted: number;
  #tail: Promise<void> = Promise.resolve();

  /** @param saved what the store has; null: nothing */
  constructor(store: CheckpointStore, saved: number | null) {
    this.#store = store;
    this.#saved = saved ?? Number.NEGATIVE_INFINITY;
    this.#wanted = this.#saved;
  }

  /** Resolves when the checkpoint is at `scn` or beyond, durably. @throws what the store throws; the next commit tries again */
  commit(scn: number): Promise<void> {
    if (scn <= this.#saved) return Promise.resolve();
    this.#wanted = Math.max(this.#wanted, scn);
    const turn = this.#save(scn, this.#tail);
    this.#tail = turn.catch(() => {});
    return turn;
  }

  /** Puts the checkpoint at `scn`, wherever it was, by a write that stores more than that. @throws what the write throws */
  begin(scn: number, write: () => Promise<void>): Promise<void> {
    const turn = this.#begin(scn, write, this.#tail);
    this.#tail = turn.catch(() => {});
    return turn;
  }

  // oxlint-disable-next-line max-params -- as `#save`, and its write
  async #begin(scn: number, write: () => Promise<void>, before: Promise<void>): Promise<void> {
    await before;
    await write();
    this.#saved = scn;
    this.#wanted = scn;
  }

  async #save(scn: number, before: Promise<void>): Promise<void> {
    await before;
    if (scn <= this.#saved) return;
    const wanted = this.#wanted;
    await this.#store.save(wanted);
    this.#saved = wanted;
  }

  /** Resolves when no write is running. */
  settled(): Promise<void> {
    return this.#tail;
  }
}
