import type { SinkCheckpoint } from '../core/sink.ts';

/** How far the store has each partition: of its ordinary lane, and of the serial one. */
export class StoredScns {
  readonly #ordinary = new Map<number, number>();
  readonly #serial = new Map<number, number>();
  /** Nothing is stored behind it: most rows need no look at their partition. */
  #highest = Number.NEGATIVE_INFINITY;

  set({ partition, serial, scn }: SinkCheckpoint): void {
    (serial ? this.#serial : this.#ordinary).set(partition, scn);
    this.#highest = Math.max(this.#highest, scn);
  }

  delete(partition: number): void {
    this.#ordinary.delete(partition);
    this.#serial.delete(partition);
  }

  /** Of the ordinary lane; null when nothing is known of the partition. */
  of(partition: number): number | null {
    return this.#ordinary.get(partition) ?? null;
  }

  /** Nothing from there on is stored, in whatever partition. */
  isBehind(scn: number): boolean {
    return scn > this.#highest;
  }

  has(partition: number, scn: number, serial: boolean): boolean {
    if (this.isBehind(scn)) return false;
    const stored = (serial ? this.#serial : this.#ordinary).get(partition);
    return stored !== undefined && scn <= stored;
  }
}
