import type { FrameChunk, FrameReader } from '../../client/transport.ts';
import { batchCount, batchLastScn, batchLength } from '../../formats/log/batch-header.ts';
import { controlLength, decodeControl, isControl } from '../../formats/log/control-frame.ts';

export interface WaitingReaderOptions {
  /** Opens a reading behind an SCN. */
  readonly open: (after: number, follow: boolean) => Promise<FrameReader>;
  readonly after: number;
  /** How long to wait for the first change that passes the filter. */
  readonly waitMs: number;
}

/**
 * A reading that ends at the end of the log, but waits for a first change when there is none: what is there, else the first that
 * comes, and what came with it.
 */
export class WaitingReader implements FrameReader {
  readonly #options: WaitingReaderOptions;
  #reader: FrameReader | null = null;
  /** `there`: what is there now; `first`: waiting; `rest`: what came with the first. */
  #phase: 'there' | 'first' | 'rest' = 'there';
  #covered: number;
  #changes = 0;
  #greeted = false;
  #timer: NodeJS.Timeout | null = null;
  #outstanding = 0;
  #allReleased: (() => void) | null = null;
  #closed = false;

  /** The first reading is opened at once, so that what is wrong with it shows before anything was sent. */
  static async open(options: WaitingReaderOptions): Promise<WaitingReader> {
    const reader = new WaitingReader(options);
    reader.#reader = await options.open(options.after, false);
    return reader;
  }

  private constructor(options: WaitingReaderOptions) {
    this.#options = options;
    this.#covered = options.after;
  }

  async next(): Promise<FrameChunk | null> {
    for (;;) {
      if (this.#closed) return null;
      if (this.#phase === 'first' && this.#changes > 0) {
        // oxlint-disable-next-line no-await-in-loop -- one reading after the other
        await this.#turnTo('rest');
      }
      // oxlint-disable-next-line no-await-in-loop -- one reading after the other
      this.#reader ??= await this.#options.open(this.#covered, this.#phase === 'first');
      // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
      const chunk = await this.#reader.next();
      if (chunk === null) {
        if (this.#closed || this.#phase !== 'there' || this.#changes > 0) return null;
        // oxlint-disable-next-line no-await-in-loop -- one reading after the other
        await this.#turnTo('first');
        this.#timer = setTimeout(() => this.#reader?.close(), this.#options.waitMs);
        continue;
      }
      const start = this.#look(chunk);
      if (start < chunk.end) return this.#handedOut(chunk, start);
      chunk.release();
    }
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#reader?.close();
  }

  /** The bytes of a reader live as long as it: it is closed when they were sent. */
  async #turnTo(phase: 'first' | 'rest'): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#outstanding > 0) {
      await new Promise<void>((resolve) => {
        this.#allReleased = resolve;
      });
    }
    this.#reader?.close();
    this.#reader = null;
    this.#phase = phase;
  }

  /** Counts what is in the chunk. Returns where it begins for the receiver: behind a greeting that it has had already. */
  #look({ bytes, start, end }: FrameChunk): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let begin = start;
    for (let at = start; at < end;) {
      if (!isControl(view, at)) {
        if (batchCount(view, at) > 0) this.#changes++;
        this.#covered = Math.max(this.#covered, batchLastScn(view, at));
        at += batchLength(view, at);
        continue;
      }
      const frame = decodeControl(bytes, view, at);
      at += controlLength(view, at);
      if (frame?.kind === 'progress') this.#covered = Math.max(this.#covered, frame.scn);
      if (frame?.kind === 'hello') {
        if (this.#greeted) begin = at;
        this.#greeted = true;
      }
    }
    return begin;
  }

  #handedOut(chunk: FrameChunk, start: number): FrameChunk {
    this.#outstanding++;
    return {
      bytes: chunk.bytes,
      start,
      end: chunk.end,
      release: () => {
        chunk.release();
        this.#outstanding--;
        if (this.#outstanding === 0) this.#allReleased?.();
      },
    };
  }
}
