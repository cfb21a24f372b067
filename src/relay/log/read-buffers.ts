import { LargeMemory } from '../../base/large-memory.ts';

/** What a reader reads into: the batches that fit, or one that is larger. */
export const READ_BYTES: number = 512 * 1024;
/** Kept for the next reader when nobody uses them. */
const SPARE_BUFFERS = 8;

/** A buffer for batches, with the view that their headers are read through. */
export interface ReadBuffer {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** Buffers that readers take when they have something to read, and give back: a reader that waits has none. */
export class ReadBuffers {
  readonly #spare: ReadBuffer[] = [];
  readonly #large: LargeMemory = new LargeMemory();

  take(size: number): ReadBuffer {
    if (size > READ_BYTES) return bufferOf(this.#large.take(size));
    return this.#spare.pop() ?? bufferOf(Buffer.allocUnsafeSlow(READ_BYTES));
  }

  give(buffer: ReadBuffer): void {
    if (buffer.bytes.length > READ_BYTES) {
      this.#large.give(buffer.bytes);
      return;
    }
    this.#large.unneeded();
    if (this.#spare.length < SPARE_BUFFERS) this.#spare.push(buffer);
  }
}

function bufferOf(bytes: Buffer): ReadBuffer {
  return { bytes, view: new DataView(bytes.buffer) };
}
