import { ownMemory, releaseMemory } from '../../base/large-memory.ts';
import { TidingsError } from '../../core/errors.ts';

/** Where filtered batches are written, one after the other: bytes 0 to `at` are whole frames. Its owner sends them, then calls `clear`. */
export class FilterOutput {
  bytes: Buffer;
  /** Over the same bytes, with the same offsets. */
  view: DataView;
  at = 0;
  readonly #keptBytes: number;

  /** @param keptBytes what it begins with, and keeps when it had to grow */
  constructor(keptBytes: number = 256 * 1024) {
    this.#keptBytes = keptBytes;
    this.bytes = Buffer.allocUnsafeSlow(keptBytes);
    this.view = viewOf(this.bytes);
  }

  /** Makes room for `size` bytes behind `at`: `bytes` and `view` may change, what is written is kept. */
  reserve(size: number): void {
    const needed = this.at + size;
    if (needed <= this.bytes.length) return;
    if (needed > BUFFER_BYTES_MAX) {
      throw new TidingsError('LOG_DAMAGED', `a batch of the log is said to be larger than ${BUFFER_BYTES_MAX} bytes`);
    }
    const former = this.bytes;
    const usual = former.length + Math.min(former.length, STEP_BYTES_MAX);
    this.#use(ownMemory(Math.min(Math.max(needed, usual), BUFFER_BYTES_MAX)));
    former.copy(this.bytes, 0, 0, this.at);
    releaseMemory(former);
  }

  /** Forgets what was written. A buffer that an unusual batch made large is given back (I7). */
  clear(): void {
    this.at = 0;
    if (this.bytes.length <= this.#keptBytes * 2) return;
    releaseMemory(this.bytes);
    this.#use(Buffer.allocUnsafeSlow(this.#keptBytes));
  }

  #use(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }
}

/** What is larger than this has one row that is, and needs little more. */
const STEP_BYTES_MAX = 1024 * 1024;

/** A batch's length is an unsigned 32-bit number. */
const BUFFER_BYTES_MAX = 0xffff_ffff;

export function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
