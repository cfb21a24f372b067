import { TidingsError } from '../../../src/core/errors.ts';
import {
  KEY_MOVED,
  MOVED_ROW_HEADER_BYTES,
  ROW_HEADER_BYTES,
  type RowTarget,
} from '../../../src/core/rows/row-target.ts';

const GUARD = 0xa5;
const GUARD_BYTES = 64;

/** A row as it was written. */
export interface WrittenRow {
  readonly avro: Buffer;
  readonly hash: number;
  /** Set when the key moved. */
  readonly moved: { readonly oldHash: number; readonly beforeBytes: number } | null;
}

/**
 * A row target that has never more room than it was asked for, moves its bytes whenever it is asked for room in a row, and notices
 * a byte that is written behind its end.
 */
export class RowBuffer implements RowTarget {
  bytes: Buffer = Buffer.alloc(GUARD_BYTES, GUARD);
  view: DataView = viewOf(this.bytes);
  at = 0;
  end = 0;
  rows = 0;
  readonly written: WrittenRow[] = [];
  readonly #roomMax: number;
  /** Where the rows in `bytes` begin. */
  #start = 0;

  constructor({ roomMax = 2 ** 30 }: { roomMax?: number } = {}) {
    this.#roomMax = roomMax;
  }

  room(size: number): void {
    this.#checkSize(size);
    this.#seal();
    this.#renew(0, size);
  }

  grow(offset: number, size: number): number {
    this.#checkSize(size);
    this.#checkGuard();
    const kept = offset - this.at;
    if (kept < 0 || offset > this.end) throw new Error(`room is asked for at ${offset}, of ${this.at} to ${this.end}`);
    this.#renew(kept, size);
    return this.at + kept;
  }

  /** Everything that was written since it was made. */
  finish(): readonly WrittenRow[] {
    this.#seal();
    return this.written;
  }

  /** The bytes that no complete row holds are not looked at. */
  #seal(): void {
    this.#checkGuard();
    let p = this.#start;
    let rows = 0;
    for (; p < this.at; rows++) {
      const head = this.view.getUint32(p, true);
      const moved = head >= KEY_MOVED;
      const start = p + (moved ? MOVED_ROW_HEADER_BYTES : ROW_HEADER_BYTES);
      const end = start + (moved ? head - KEY_MOVED : head);
      this.written.push({
        avro: Buffer.from(this.bytes.subarray(start, end)),
        hash: this.view.getUint32(p + 4, true),
        moved: moved
          ? { oldHash: this.view.getUint32(p + 8, true), beforeBytes: this.view.getUint32(p + 12, true) }
          : null,
      });
      p = end;
    }
    if (p !== this.at || rows !== this.rows) {
      throw new Error(`${rows} of ${this.rows} rows end at ${p}, not ${this.at}`);
    }
    this.rows = 0;
  }

  #renew(kept: number, size: number): void {
    // The rows before the one in the making are complete.
    if (kept > 0) {
      const at = this.at;
      this.#seal();
      this.at = at;
    }
    // Never twice at the same place: an offset that was kept is wrong.
    const start = 8 + ((this.#start + 3) % 11);
    const bytes = Buffer.alloc(start + kept + size + GUARD_BYTES, GUARD);
    this.bytes.copy(bytes, start, this.at, this.at + kept);
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.#start = start;
    this.at = start;
    this.end = start + kept + size;
  }

  #checkSize(size: number): void {
    if (!(size <= this.#roomMax)) {
      throw new TidingsError('ROW_TOO_LARGE', `${size} bytes are asked for, there are ${this.#roomMax}`);
    }
  }

  #checkGuard(): void {
    for (let i = this.end; i < this.bytes.length; i++) {
      if (this.bytes[i] !== GUARD) throw new Error(`byte ${i} was written, the end is ${this.end}`);
    }
    for (let i = 0; i < this.#start; i++) if (this.bytes[i] !== GUARD) throw new Error(`byte ${i} was written`);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
