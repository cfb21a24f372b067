import type { ConsumerBatch } from '../core/consumer.ts';

/** What of a batch is not dealt with yet. */
export interface Unit {
  readonly batch: ConsumerBatch;
  /** Rows that are on their way, and one for the batch itself while rows are still being made of it. */
  pending: number;
}

/**
 * Batches of the stream whose rows are written by several lanes, in any order. A batch is committed when it and all before it are
 * dealt with: the relay's checkpoint follows what is durable in the store, and never leads (I2).
 */
export class CommitOrder {
  readonly #failed: (error: unknown) => void;
  readonly #units: Unit[] = [];
  #committing: Promise<void> | null = null;
  #due: ConsumerBatch | null = null;

  /** @param failed told why a commit has failed: then nothing more may be committed */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Call for each batch in order. It is open until `done` was called once for each row that was counted in `pending`, and once for itself. */
  begin(batch: ConsumerBatch): Unit {
    const unit: Unit = { batch, pending: 1 };
    this.#units.push(unit);
    return unit;
  }

  done(unit: Unit, rows = 1): void {
    unit.pending -= rows;
    if (unit.pending > 0) return;
    while (this.#units[0]?.pending === 0) this.#due = this.#units.shift()?.batch ?? null;
    this.#commitDue();
  }

  /** Resolves when no commit is on its way. */
  async settled(): Promise<void> {
    while (this.#committing !== null) {
      // oxlint-disable-next-line no-await-in-loop -- one commit may be followed by another
      await this.#committing;
    }
  }

  #commitDue(): void {
    if (this.#committing !== null || this.#due === null) return;
    const batch = this.#due;
    this.#due = null;
    // One at a time; what becomes due meanwhile covers what was due before it.
    this.#committing = this.#commit(batch).finally(() => {
      this.#committing = null;
      this.#commitDue();
    });
  }

  async #commit(batch: ConsumerBatch): Promise<void> {
    try {
      await batch.commit();
    } catch (error) {
      this.#failed(error);
    }
  }
}
