import { ownMemory, releaseMemory } from '../../../base/large-memory.ts';
import type { TextRows } from './text-rows/text-row-batch.ts';

const BYTES_MIN = 1024 * 1024;
/** From here on a buffer grows by half instead of doubling: a row of 1 GiB must not take two. */
const DOUBLING_MAX = 64 * 1024 * 1024;
const ROWS_MIN = 1024;

/**
 * The packets of a result set as they came, one behind the other, and where its rows lie among them. It grows as needed, and is used again
 * for the next result set: nothing is allocated per row.
 */
export class RowBuffer implements TextRows {
  bytes: Buffer = Buffer.allocUnsafeSlow(BYTES_MIN);
  view: DataView = viewOf(this.bytes);
  starts: Uint32Array = new Uint32Array(ROWS_MIN);
  ends: Uint32Array = new Uint32Array(ROWS_MIN);
  count = 0;
  /** Where the next byte goes. */
  filled = 0;

  /** Bytes that it keeps allocated. */
  get capacity(): number {
    return this.bytes.length + this.starts.length * 8;
  }

  clear(): void {
    this.count = 0;
    this.filled = 0;
  }

  append(source: Buffer, from: number, to: number): void {
    const filled = this.filled + to - from;
    if (filled > this.bytes.length) this.reserve(filled);
    source.copy(this.bytes, this.filled, from, to);
    this.filled = filled;
  }

  /** Makes room for so many bytes in all. */
  reserve(size: number): void {
    const { length } = this.bytes;
    if (size <= length) return;
    const grown = ownMemory(Math.max(size, length < DOUBLING_MAX ? length * 2 : Math.ceil(length * 1.5)));
    this.bytes.copy(grown, 0, 0, this.filled);
    releaseMemory(this.bytes);
    this.bytes = grown;
    this.view = viewOf(grown);
  }

  /** It is not used again: its memory goes back to the system. */
  release(): void {
    releaseMemory(this.bytes);
  }

  /** Takes bytes out: the header of a packet that continues a row. */
  cut(from: number, to: number): void {
    this.bytes.copyWithin(from, to, this.filled);
    this.filled -= to - from;
  }

  addRow(start: number, end: number): void {
    const { count } = this;
    if (count === this.starts.length) this.#growRows();
    this.starts[count] = start;
    this.ends[count] = end;
    this.count = count + 1;
  }

  #growRows(): void {
    const { starts, ends } = this;
    this.starts = new Uint32Array(starts.length * 2);
    this.ends = new Uint32Array(ends.length * 2);
    this.starts.set(starts);
    this.ends.set(ends);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Buffers that wait for their next chunk: few, and of limited size together, large ones, too. */
export class RowBuffers {
  readonly #free: RowBuffer[] = [];
  #bytes = 0;
  readonly #buffersMax: number;
  readonly #bytesMax: number;

  constructor({ buffersMax, bytesMax }: { readonly buffersMax: number; readonly bytesMax: number }) {
    this.#buffersMax = buffersMax;
    this.#bytesMax = bytesMax;
  }

  take(): RowBuffer {
    const buffer = this.#free.pop();
    if (buffer === undefined) return new RowBuffer();
    this.#bytes -= buffer.capacity;
    return buffer;
  }

  give(buffer: RowBuffer): void {
    if (this.#free.length >= this.#buffersMax || this.#bytes + buffer.capacity > this.#bytesMax) {
      buffer.release();
      return;
    }
    this.#bytes += buffer.capacity;
    buffer.clear();
    this.#free.push(buffer);
  }

  clear(): void {
    for (const buffer of this.#free.splice(0)) buffer.release();
    this.#bytes = 0;
  }
}
