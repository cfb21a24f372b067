/** How long one response may keep the thread before it stands in line again, in ms. */
const SLICE_MS = 1;

/**
 * Shares the serving thread among the responses that have much to send. One of them works per turn of the event loop, so however many
 * are far behind, a response that has just one new change to send waits for one slice at most (I8).
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #scheduled = false;

  /** Resolves when it is the caller's turn. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#waiting.shift()?.();
      this.#schedule();
    });
  }
}

/** One response's account of what it has used of its slice. */
export class Slice {
  readonly #turns: Turns;
  #usedMs = 0;
  #beganMs = 0;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** Work begins. */
  begin(): void {
    this.#beganMs = performance.now();
  }

  /** Whether the slice that began is used up. */
  get isOver(): boolean {
    return this.#usedMs + performance.now() - this.#beganMs >= SLICE_MS;
  }

  /** Work pauses: for the client, or for more to come. */
  pause(): void {
    this.#usedMs += performance.now() - this.#beganMs;
  }

  /** It has sent all there was: it is not one of those that can use up the thread. */
  reset(): void {
    this.#usedMs = 0;
  }

  /** To be awaited when the slice is over: to let others work. */
  async yield(): Promise<void> {
    await this.#turns.next();
    this.#usedMs = 0;
    this.#beganMs = performance.now();
  }
}
