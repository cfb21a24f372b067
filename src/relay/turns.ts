/** How long one reader may keep the thread before it stands in line again, in ms. */
const SLICE_MS = 1;
/** How long those in the line may work before everything else that is due has its turn, in ms. */
const ROUND_MS = 2;
/** Readers that can wait have this part of the thread's time together while others are at the end of a stream … */
const WAITING_PART = 1 / 10;
/** … which they are for so long after they had something new there, in ms. */
const AT_END_MS = 1000;
/** However many of them there are, in ms. */
const PAUSE_MAX_MS = 1000;
/** Who has used less than this part of the thread's time cannot hold up others. */
const SMALL_PART = 1 / 4;

/**
 * Shares the serving thread among the readers that have much before them. A few of them work per turn of the event loop, so however many
 * are far behind, a reader that has just one new change to send waits for `ROUND_MS` and a slice at most (I8).
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #scheduled = false;
  #roundBeganMs = 0;
  /** Who had something new last at the end of a stream, when, and when somebody else had. */
  #newsOf: object | null = null;
  #newsMs = -Infinity;
  #otherNewsMs = -Infinity;
  /** When the next of those that can wait may work. */
  #freeMs = -Infinity;

  /** Resolves when it is the caller's turn. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (!this.#scheduled) this.#schedule();
    });
  }

  /** This reader, at the end of its stream, has something new: it wants each change at once, as will others there. */
  hasNews(reader: object): void {
    if (reader !== this.#newsOf) {
      this.#newsOf = reader;
      this.#otherNewsMs = this.#newsMs;
    }
    this.#newsMs = performance.now();
  }

  /**
   * As `next`, for a reader that can wait: all of them together have a small part of the thread while others are at the end of a stream. Their turns come
   * late rather than often, as the system lets a thread that always has something to do wait for a core when there is news.
   *
   * @param usedMs what was done for it since its last turn
   */
  nextWaiting(reader: object, usedMs: number): Promise<void> {
    const nowMs = performance.now();
    const newsMs = reader === this.#newsOf ? this.#otherNewsMs : this.#newsMs;
    if (nowMs - newsMs >= AT_END_MS) return this.next();
    this.#freeMs = Math.min(Math.max(nowMs - usedMs, this.#freeMs) + usedMs / WAITING_PART, nowMs + PAUSE_MAX_MS);
    const pauseMs = this.#freeMs - nowMs;
    return new Promise((resolve) => {
      setTimeout(resolve, pauseMs);
    });
  }

  /** One callback for each: what a reader does in its turn is done before the next callback. */
  #schedule(): void {
    this.#scheduled = this.#waiting.length > 0;
    if (!this.#scheduled) return;
    setImmediate(() => {
      this.#roundBeganMs = performance.now();
      this.#waiting.shift()?.();
    });
    for (let i = 1; i < this.#waiting.length; i++) setImmediate(() => this.#another());
    setImmediate(() => this.#schedule());
  }

  #another(): void {
    if (performance.now() - this.#roundBeganMs < ROUND_MS) this.#waiting.shift()?.();
  }
}

/** Of this thread: also relays that share a process stand in one line. */
const threadTurns = new Turns();

/** One reader's account of what was done for it on the thread. */
export class TurnAccount {
  readonly #turns: Turns;
  #sinceMs: number = performance.now();
  #usedMs = 0;
  #beganMs = 0;

  constructor(turns: Turns = threadTurns) {
    this.#turns = turns;
  }

  /** Work begins. */
  begin(): void {
    this.#beganMs = performance.now();
  }

  /** Work pauses: for the client, or for more to come. */
  pause(): void {
    this.#usedMs += performance.now() - this.#beganMs;
  }

  /** Asked between `pause` and `begin`: `next` is to be awaited before more is done. */
  get isUsedUp(): boolean {
    if (this.#usedMs < SLICE_MS) return false;
    if (this.#usedMs >= (performance.now() - this.#sinceMs) * SMALL_PART) return true;
    this.#forget();
    return false;
  }

  /** Asked between `begin` and `pause`: a slice of work was done without others in between. */
  get isOver(): boolean {
    return this.#usedMs + performance.now() - this.#beganMs >= SLICE_MS;
  }

  /** See `Turns.hasNews`. */
  hasNews(reader: object): void {
    this.#turns.hasNews(reader);
  }

  /**
   * Resolves when everything else that is due has had its turn.
   *
   * @param waiting the reader, when it can wait
   */
  async next(waiting: object | null = null): Promise<void> {
    await (waiting === null ? this.#turns.next() : this.#turns.nextWaiting(waiting, this.#usedMs));
    this.#forget();
  }

  #forget(): void {
    this.#sinceMs = performance.now();
    this.#usedMs = 0;
  }
}
