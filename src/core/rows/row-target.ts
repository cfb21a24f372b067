/**
 * Where a row batch writes its rows, in the form in which the relay log keeps them and the wire carries them:
 *
 *     length        u32 LE   bytes of `avro`; bit 31 set: the key moved, and the two fields in brackets are there
 *     hash          u32 LE   partition hash of the key after the change (before it, for a delete): see key-hash.ts
 *     [old hash     u32 LE]  partition hash of the key before the change
 *     [before bytes u32 LE]  how many of the bytes of `avro` are the image before
 *     avro          the image before, then the image after, each a record of the shape's columns: see avro-schema.ts
 *
 * A writer reads `bytes`, `view`, `at` and `end`, writes a row from `at` on, and moves `at` behind it and `rows` up by one. It must
 * not write at `end` or beyond. Room is asked for in two ways:
 *
 * - `room(size)` between two rows. What is written so far may be sealed by it: all four fields may change.
 * - `grow(offset, size)` inside a row, of which the bytes from `at` to `offset` are written. They are kept, but may move; the new
 *   offset behind them is returned. All fields but `rows` may change.
 */
export interface RowTarget {
  bytes: Buffer;
  /** Over the same bytes, with the same offsets. */
  view: DataView;
  /** Where the next row begins. */
  at: number;
  end: number;
  /** Rows written since the run began or was cut by `room`. */
  rows: number;
  /** Makes `end - at` at least `size` bytes. @throws TidingsError ROW_TOO_LARGE */
  room(size: number): void;
  /** Makes `end - offset` at least `size` bytes. @throws TidingsError ROW_TOO_LARGE */
  grow(offset: number, size: number): number;
}

export const ROW_HEADER_BYTES = 8;
/** Of a row whose key moved. */
export const MOVED_ROW_HEADER_BYTES = 16;
/** Bit 31 of a row's length. */
export const KEY_MOVED = 0x8000_0000;
