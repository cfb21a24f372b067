import type { JsonOutput } from '../../formats/json-bytes.ts';
import { copyBytes } from '../../formats/log/copy-bytes.ts';

const FIRST_BYTES = 1 << 16;
/** Larger ones are rare, and not worth keeping. */
const KEPT_BYTES_MAX = 1 << 22;
const KEPT_MAX = 16;

/** Buffers that are used again: making them anew, and the collector's care for them, costs more than filling them. */
export class BytePool {
  readonly #kept: Buffer[] = [];

  take(): Buffer {
    return this.#kept.pop() ?? Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  /** Nobody uses it any more. */
  give(bytes: Buffer): void {
    if (bytes.length <= KEPT_BYTES_MAX && this.#kept.length < KEPT_MAX) this.#kept.push(bytes);
  }
}

/** Bytes that stay the same, to be copied often. */
export interface Constant {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export function constantOf(bytes: Buffer): Constant {
  return { bytes, view: viewOf(bytes) };
}

/** Bytes that become more. */
export class ByteOut implements JsonOutput {
  bytes: Buffer;
  view: DataView;
  at = 0;
  readonly #pool: BytePool;

  constructor(pool: BytePool) {
    this.#pool = pool;
    this.bytes = pool.take();
    this.view = viewOf(this.bytes);
  }

  /** Makes room for so many bytes behind `at`. */
  room(size: number): void {
    if (this.bytes.length - this.at >= size) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.at + size));
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes = grown;
    this.view = viewOf(grown);
  }

  /** Room for them was made. */
  constant({ bytes, view }: Constant): void {
    this.at = copyBytes(bytes, view, 0, bytes.length, this.bytes, this.view, this.at);
  }

  /** Gives the bytes back: neither this nor a part of them is used any more. */
  release(): void {
    this.#pool.give(this.bytes);
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
