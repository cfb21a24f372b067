/** How long a feed may work before others have their turn, in ms. */
const SHARE_MS = 1;

/**
 * One feed's use of the thread. Batches that are in memory come without a pause, so that a reader far behind could filter for as long as
 * there are any, while nobody else is served (I8).
 */
export class WorkShare {
  #usedMs = 0;
  #beganMs = 0;

  /** Work begins. */
  begin(): void {
    this.#beganMs = performance.now();
  }

  end(): void {
    this.#usedMs += performance.now() - this.#beganMs;
  }

  /** `nextTurn` is to be awaited before more is done. */
  get isUsedUp(): boolean {
    return this.#usedMs >= SHARE_MS;
  }

  /** Resolves when everything else that is due has had its turn. */
  nextTurn(): Promise<void> {
    this.#usedMs = 0;
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
