import type { LineSink } from '../formats/line-encoder.ts';
import type { Output } from './output.ts';

/** Enough for one write to be worth its call. */
const CHUNK_CHARS = 1 << 16;

/** Collects lines into large writes, and counts them up to a limit. */
export class LinePrinter {
  readonly #output: Output;
  readonly #linesMax: number;
  #pending = '';
  #lines = 0;
  #suppressed = false;

  constructor(output: Output, linesMax: number | null) {
    this.#output = output;
    this.#linesMax = linesMax ?? Infinity;
  }

  /** Takes a line without its end. Lines beyond the limit are left out. */
  readonly add: LineSink = (line) => {
    if (this.#lines === this.#linesMax) {
      this.#suppressed = true;
      return;
    }
    this.#lines++;
    this.#pending += `${line}\n`;
  };

  get lines(): number {
    return this.#lines;
  }

  get isFull(): boolean {
    return this.#lines === this.#linesMax;
  }

  /** True once a line was left out. */
  get hasSuppressed(): boolean {
    return this.#suppressed;
  }

  get hasChunk(): boolean {
    return this.#pending.length >= CHUNK_CHARS;
  }

  /** Resolves when all lines so far have been taken by the reader. */
  async flush(): Promise<void> {
    if (this.#pending === '') return;
    const text = this.#pending;
    this.#pending = '';
    await this.#output.write(text);
  }
}
