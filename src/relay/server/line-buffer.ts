/** A buffer that is full is handed over and another one filled: so many bytes, and more only when one line is longer. */
const BUFFER_BYTES = 256 * 1024;
/** Buffers that are kept for the next lines. Others, made for a large transaction, are left to the collector. */
const KEPT_MAX = 2;

/** What `write(text, 'utf8')` calls after its checks of arguments; part of Buffer since its first versions. */
type NativeWrites = Buffer & { utf8Write(text: string, offset: number, length: number): number };

/** Collects text as UTF-8 in buffers that are used again. */
export class LineBuffer {
  readonly #full: Buffer[] = [];
  readonly #free: Buffer[] = [];
  #current: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;
  #bytes = 0;

  /** Bytes collected and not yet taken. */
  get bytes(): number {
    return this.#bytes + this.#used;
  }

  add(text: string): void {
    // A UTF-16 unit takes three bytes at most.
    const needed = text.length * 3;
    if (needed > this.#current.length - this.#used) this.#next(needed);
    this.#used += (this.#current as NativeWrites).utf8Write(text, this.#used, needed);
  }

  /** What was collected, in order; null when that is nothing. To be given back by `release` when it was sent. */
  take(): Buffer | null {
    if (this.#full.length === 0) {
      if (this.#used === 0) return null;
      this.#seal();
    }
    const next = this.#full.shift() ?? null;
    this.#bytes -= next?.length ?? 0;
    return next;
  }

  /** @param taken what `take` has returned */
  release(taken: Buffer): void {
    if (taken.buffer.byteLength !== BUFFER_BYTES || this.#free.length >= KEPT_MAX) return;
    this.#free.push(Buffer.from(taken.buffer));
  }

  #next(needed: number): void {
    if (this.#used > 0) this.#seal();
    if (needed > this.#current.length) this.#current = Buffer.allocUnsafeSlow(needed);
  }

  #seal(): void {
    this.#full.push(this.#current.subarray(0, this.#used));
    this.#bytes += this.#used;
    this.#current = this.#free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.#used = 0;
  }
}
