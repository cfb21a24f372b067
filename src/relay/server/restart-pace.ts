/** A reading that its client leaves sooner has done nothing but begin. */
const EARLY_MS = 1000;
/** Of the same reading left early, so many may be begun anew at once … */
const FREE = 10;
/** … and from then on one every so often. */
const EVERY_MS = 500;
/** Whatever others do that look alike. */
const WAIT_MAX_MS = 5000;
/** Readings that are remembered: what was left longest ago is forgotten first. */
const READINGS_MAX = 1000;

/**
 * Slows down consumers that fail with the first thing they get and begin at the same place again at once. Each beginning costs the serving
 * thread more than hundreds of transactions do, so that one such consumer in a tight loop would be felt by all others (I8).
 *
 * Nobody waits who reads for a while, who takes a response to its end, or who begins for the first time, however many do so together; but for those whose
 * requests and address are the same as of one that fails.
 */
export class RestartPace {
  /** By reading: when the next beginning would be on time if there were none for free, ms. */
  readonly #due = new Map<string, number>();

  /** How long this reading has to wait before it begins, ms. */
  waitMs(reading: string, nowMs: number): number {
    const due = this.#due.get(reading);
    if (due === undefined) return 0;
    if (due <= nowMs) this.#due.delete(reading);
    return Math.min(WAIT_MAX_MS, Math.max(0, due - nowMs - FREE * EVERY_MS));
  }

  /** The client has left a reading. */
  left(reading: string, { beganMs, nowMs }: { readonly beganMs: number; readonly nowMs: number }): void {
    // A clock that was set back says nothing.
    if (nowMs - beganMs >= EARLY_MS || nowMs < beganMs) return;
    const latest = nowMs + FREE * EVERY_MS + WAIT_MAX_MS;
    const due = Math.min(Math.max(this.#due.get(reading) ?? 0, nowMs) + EVERY_MS, latest);
    this.#due.delete(reading);
    this.#due.set(reading, due);
    if (this.#due.size <= READINGS_MAX) return;
    const [oldest = reading] = this.#due.keys();
    this.#due.delete(oldest);
  }
}
