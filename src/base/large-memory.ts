/** Sizes are rounded up, so that the next one fits that is a little larger. What is not written to takes no room. */
const STEP_BYTES = 4 * 1024 * 1024;
/** Above it none is kept. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;
/** So often it was not needed, and it is given up. */
const UNNEEDED_MAX = 64;

/**
 * Memory for what does not fit into the usual buffers, mostly a very large row. Such rows come together, so one piece of memory is kept for
 * the next of them. What is not kept goes back to the system at once.
 */
export class LargeMemory {
  #spare: Buffer | null = null;
  #unneeded = 0;

  /** At least so many bytes, in memory of their own. */
  take(bytes: number): Buffer {
    const spare = this.#spare;
    this.#spare = null;
    if (spare !== null && spare.length >= bytes) return spare;
    if (spare !== null) releaseMemory(spare);
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES);
  }

  /** It is no longer used: nobody looks into it any more. */
  give(memory: Buffer): void {
    this.#unneeded = 0;
    const spare = this.#spare;
    if (memory.length > KEPT_BYTES_MAX || (spare !== null && spare.length >= memory.length)) {
      releaseMemory(memory);
      return;
    }
    if (spare !== null) releaseMemory(spare);
    this.#spare = memory;
  }

  /** A usual buffer was enough. */
  unneeded(): void {
    if (this.#spare !== null && ++this.#unneeded > UNNEEDED_MAX) this.clear();
  }

  clear(): void {
    if (this.#spare !== null) releaseMemory(this.#spare);
    this.#spare = null;
  }
}

/**
 * Gives the memory behind the buffer back to the system, at once. The collector sees only how little the object itself takes, and lets it stand for
 * a while, during which others are made.
 *
 * The buffer must be alone in its memory. Whoever looks into it after all finds it empty.
 */
export function releaseMemory(buffer: Buffer): void {
  // Moved into an object of no bytes.
  (buffer.buffer as ArrayBuffer).transfer(0);
}
