import type { JsonOutput } from '../../formats/json-bytes.ts';

/** A buffer that is full is handed over and another one filled: so many bytes, and more only when one row needs them. */
const BUFFER_BYTES = 256 * 1024;
/** Buffers that are kept for the next lines. */
const KEPT_MAX = 2;

/** Collects lines in buffers that are used again. */
export class LineBuffer implements JsonOutput {
  bytes: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  view: DataView = viewOf(this.bytes);
  at = 0;
  readonly #full: Buffer[] = [];
  readonly #free: Buffer[] = [];

  /** Whether there is a full buffer: it is time to send. */
  get isFull(): boolean {
    return this.#full.length > 0;
  }

  room(size: number): void {
    if (size <= this.bytes.length - this.at) return;
    if (this.at > 0) this.#full.push(this.bytes.subarray(0, this.at));
    const bytes =
      size > BUFFER_BYTES ? Buffer.allocUnsafeSlow(size) : (this.#free.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES));
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.at = 0;
  }

  /** What was collected, in order; null when that is nothing. To be given back by `release` when it was sent. */
  take(): Buffer | null {
    const full = this.#full.shift();
    if (full !== undefined) return full;
    if (this.at === 0) return null;
    this.room(this.bytes.length);
    return this.#full.shift() ?? null;
  }

  /** @param taken what `take` has returned */
  release(taken: Buffer): void {
    if (taken.buffer.byteLength !== BUFFER_BYTES || this.#free.length >= KEPT_MAX) return;
    this.#free.push(Buffer.from(taken.buffer));
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
