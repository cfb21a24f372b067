import type { ChangeLog, LogReader } from './log/change-log.ts';

/** So much is to be read first that a single change more makes no difference: more than the log keeps in memory. */
const FAR_BYTES = 16 * 1024 * 1024;
/** Who was far behind is so until this little is left: what is in memory is read at once, and all of it in a row would be felt, too. */
const NEAR_BYTES = 512 * 1024;
/** How often is looked whether a reader comes nearer, in ms. */
const LOOK_MS = 1000;

/**
 * How far one reader is behind the end of its log, and whether others may go first. A reader that might never arrive that way is not made to wait: once it
 * has fallen back, it goes at full speed until it is there.
 */
export class Backlog {
  readonly #log: Pick<ChangeLog, 'visible'>;
  #isFar = false;
  #hasFallenBack = false;
  #lookedMs = -Infinity;
  /** Bytes, at the last look. */
  #before = Infinity;

  constructor(log: Pick<ChangeLog, 'visible'>) {
    this.#log = log;
  }

  /** @param reader the one of the reader's places that is furthest behind */
  canWait({ offset }: Pick<LogReader, 'offset'>): boolean {
    const distance = this.#log.visible.endOffset - offset;
    this.#isFar = distance > (this.#isFar ? NEAR_BYTES : FAR_BYTES);
    if (!this.#isFar) {
      this.#hasFallenBack = false;
      this.#before = Infinity;
      return false;
    }
    const nowMs = performance.now();
    if (nowMs - this.#lookedMs >= LOOK_MS) {
      if (distance >= this.#before) this.#hasFallenBack = true;
      this.#before = distance;
      this.#lookedMs = nowMs;
    }
    return !this.#hasFallenBack;
  }
}
