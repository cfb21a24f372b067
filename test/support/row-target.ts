import { TidingsError } from '../../src/core/errors.ts';
import type { RowTarget } from '../../src/core/rows/row-target.ts';

/**
 * Collects rows in one buffer. It is unkind in every way that the contract allows: it gives exactly the room that was asked for, moves
 * the row in the making when it grows, and fills what it no longer uses with other bytes.
 */
export class GrowingRowTarget implements RowTarget {
  bytes: Buffer;
  view: DataView;
  at = 0;
  end: number;
  rows = 0;
  readonly #rowBytesMax: number;

  constructor({ size = 0, rowBytesMax = 2 ** 30 }: { readonly size?: number; readonly rowBytesMax?: number } = {}) {
    this.bytes = Buffer.alloc(size + 1, 0xee);
    this.view = viewOf(this.bytes);
    this.end = size;
    this.#rowBytesMax = rowBytesMax;
  }

  room(size: number): void {
    if (size > this.end - this.at) this.#move(this.at, size);
  }

  grow(offset: number, size: number): number {
    if (size <= this.end - offset) return offset;
    if (offset + size - this.at > this.#rowBytesMax) throw new TidingsError('ROW_TOO_LARGE', 'a row is too large');
    // The row in the making moves to another offset.
    const gap = 3;
    const grown = Buffer.alloc(offset + gap + size + 1, 0xee);
    this.bytes.copy(grown, 0, 0, this.at);
    this.bytes.copy(grown, this.at + gap, this.at, offset);
    this.#gaps.push({ at: this.at, bytes: gap });
    this.bytes.fill(0xdd);
    this.bytes = grown;
    this.view = viewOf(grown);
    this.at += gap;
    this.end = offset + gap + size;
    return offset + gap;
  }

  readonly #gaps: { readonly at: number; readonly bytes: number }[] = [];

  /** The rows written, one behind the other. */
  written(): Buffer {
    const pieces: Buffer[] = [];
    let from = 0;
    for (const gap of this.#gaps) {
      if (gap.at > from) pieces.push(this.bytes.subarray(from, gap.at));
      from = gap.at + gap.bytes;
    }
    pieces.push(this.bytes.subarray(from, this.at));
    return Buffer.concat(pieces);
  }

  #move(kept: number, size: number): void {
    const moved = Buffer.alloc(kept + size + 1, 0xee);
    this.bytes.copy(moved, 0, 0, kept);
    this.bytes.fill(0xdd);
    this.bytes = moved;
    this.view = viewOf(moved);
    this.end = kept + size;
  }
}

export function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
