/** Above it memory is not kept. */
const LARGE_KEPT_BYTES = 32 * 1024 * 1024;
/** So many batches without a large row, and its memory is given up. */
const LARGE_KEPT_BATCHES = 64;

/**
 * The memory that bodies of batches are made in: the usual one, and one for a row that does not fit into it. Rows of that size mostly come
 * together, and memory that is thrown away stays for a while: it is kept for the next one.
 */
export class BodyMemory {
  readonly usual: Buffer;
  #large: Buffer | null = null;
  /** Batches that were made without it, since it is kept. */
  #usualBatches = 0;

  constructor(bytes: number) {
    this.usual = Buffer.allocUnsafeSlow(bytes);
  }

  /** At least so many bytes. */
  large(bytes: number): Buffer {
    const large = this.#large;
    this.#large = null;
    return large !== null && large.length >= bytes ? large : Buffer.allocUnsafeSlow(bytes);
  }

  /** A batch that was made in it is done. */
  give(bytes: Buffer): void {
    if (bytes !== this.usual) {
      this.#large = bytes.length <= LARGE_KEPT_BYTES ? bytes : null;
      this.#usualBatches = 0;
    } else if (this.#large !== null && ++this.#usualBatches > LARGE_KEPT_BATCHES) {
      this.#large = null;
    }
  }
}
