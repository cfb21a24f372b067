import type { LineOutput } from '../../formats/relay-lines.ts';

/** A buffer that is full is handed over and another one filled: so many bytes, and more only when one row needs them. */
const BUFFER_BYTES = 256 * 1024;
/** Buffers that are kept for the next lines. */
const KEPT_MAX = 2;

/** Collects lines in buffers that are used again. */
export class LineBuffer implements LineOutput {
  bytes: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  view: DataView = viewOf(this.bytes);
  at = 0;
  readonly #full: Buffer[] = [];
  readonly #free: Buffer[] = [];

  #lineAt = 0;
  #lineBytes: Buffer = this.bytes;
  #lineFull = 0;

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

  beginLine(): void {
    this.#lineAt = this.at;
    this.#lineBytes = this.bytes;
    this.#lineFull = this.#full.length;
  }

  dropLine(): void {
    if (this.bytes !== this.#lineBytes) {
      this.#full.length = this.#lineFull;
      this.bytes = this.#lineBytes;
      this.view = viewOf(this.bytes);
    }
    this.at = this.#lineAt;
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
