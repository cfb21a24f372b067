/** Sizes are rounded up, so that the next one fits that is a little larger. What is not written to takes no room. */
const STEP_BYTES = 4 * 1024 * 1024;
/** So much is kept. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;
/** So often it was not needed, and it is given up. */
const UNNEEDED_MAX = 64;

/**
 * Memory for what does not fit into the usual buffers. What is so large mostly comes one after the other, so some memory is kept for the next.
 * The rest goes back to the system at once.
 */
export class LargeMemory {
  /** Smallest first. */
  readonly #spares: Buffer[] = [];
  #bytes = 0;
  #unneeded = 0;

  /** At least so many bytes, in memory of their own. */
  take(bytes: number): Buffer {
    const index = this.#spares.findIndex(({ length }) => length >= bytes);
    const [spare] = index < 0 ? [] : this.#spares.splice(index, 1);
    if (spare === undefined) return ownMemory(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES);
    this.#bytes -= spare.length;
    return spare;
  }

  /** It is no longer used: nobody looks into it any more. */
  give(memory: Buffer): void {
    this.#unneeded = 0;
    if (memory.length > KEPT_BYTES_MAX) {
      releaseMemory(memory);
      return;
    }
    const larger = this.#spares.findIndex(({ length }) => length > memory.length);
    this.#spares.splice(larger < 0 ? this.#spares.length : larger, 0, memory);
    this.#bytes += memory.length;
    // The smaller ones go first: they are had again for less.
    while (this.#bytes > KEPT_BYTES_MAX) this.#release(this.#spares.shift());
  }

  /** A usual buffer was enough. */
  unneeded(): void {
    if (this.#bytes > 0 && ++this.#unneeded > UNNEEDED_MAX) this.clear();
  }

  clear(): void {
    while (this.#spares.length > 0) this.#release(this.#spares.pop());
  }

  #release(spare: Buffer | undefined): void {
    if (spare === undefined) return;
    this.#bytes -= spare.length;
    releaseMemory(spare);
  }
}

/** glibc maps what is larger than 32 MiB by itself, whatever was freed before (mallopt(3), M_MMAP_THRESHOLD). */
const MAPPED_BYTES = 32 * 1024 * 1024 + 4096;
/** Below this it is not worth the while: the collector counts what was asked for. */
const MAPPED_FROM_BYTES = 8 * 1024 * 1024;

/**
 * A buffer of so many bytes that can be given back to the system: see `releaseMemory`. Of what is smaller than 32 MiB the C library keeps most for
 * itself when it is freed, and cannot use it again where the next one is a little larger. So more is asked for; what is never written to takes no room.
 */
export function ownMemory(bytes: number): Buffer {
  if (bytes < MAPPED_FROM_BYTES) return Buffer.allocUnsafeSlow(bytes);
  return Buffer.allocUnsafeSlow(Math.max(bytes, MAPPED_BYTES)).subarray(0, bytes);
}

/**
 * Gives the memory behind the buffer back to the system, at once. The collector would let it stand for a while, during which others are made.
 *
 * The buffer must be alone in its memory. Whoever looks into it after all finds it empty.
 */
export function releaseMemory(buffer: Buffer): void {
  // Moved into an object of no bytes.
  (buffer.buffer as ArrayBuffer).transfer(0);
}
