import { LargeMemory } from '../../base/large-memory.ts';
import { batchLength } from '../../formats/log/batch-header.ts';
import { HEADER } from '../../formats/log/batch-layout.ts';
import { batchChecksum } from '../../formats/log/batch-builder.ts';
import type { Segment } from './segment.ts';

/** A batch that does not fit into one has memory for itself. */
export const BUFFER_BYTES: number = 1024 * 1024;
/** How much of what is durable is kept in memory at least, for readers that are close behind; a large batch counts when it is begun. */
const TAIL_BYTES = 16 * BUFFER_BYTES;
/** Of a transaction of this size that is still open nobody can read anything yet, and when it ends its readers will be far behind … */
const LONG_TRANSACTION_BYTES = 4 * BUFFER_BYTES;
/** … so no more than this is kept of it. */
const LONG_TRANSACTION_TAIL_BYTES = BUFFER_BYTES;
const SPARE_BUFFERS = 10;
/** So many buffers that are no longer in the tail may be held up by readers that are slow to send; others get copies. */
const HELD_BUFFERS_MAX = 8;
/** No more is added to a group that has so many bytes: while it is on its way to the disk, there is room for what the source brings. */
const GROUP_BYTES_MAX = 4 * BUFFER_BYTES;
const U32_MAX = 0xffff_ffff;

/** Consecutive whole batches of one segment in memory: on their way to the disk, or kept from there. */
export class AppendBuffer {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly segment: Segment;
  /** The place of its first byte in the log. */
  readonly base: number;
  /** Bytes of batches in it. */
  filled = 0;
  /** Of those, bytes that are durable. */
  durable = 0;
  /** Nothing is added any more. */
  closed = false;
  /** Readers that look into it. */
  pins = 0;
  /** It is no longer in the tail. */
  dropped = false;
  /** What it is a part of, if a batch has it for itself; null: one of the usual buffers. */
  readonly large: Buffer | null;

  constructor(
    bytes: Buffer,
    { segment, base, large }: { readonly segment: Segment; readonly base: number; readonly large: Buffer | null },
  ) {
    this.bytes = bytes;
    this.large = large;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.segment = segment;
    this.base = base;
  }
}

/** Where a batch lies in memory that it has for itself. */
export interface LargeRange {
  readonly large: Buffer;
  readonly from: number;
  readonly to: number;
}

/** What is written and made durable in one go: all of it in one segment. */
export interface CommitGroup {
  readonly segment: Segment;
  readonly pieces: readonly GroupPiece[];
  /** Places in the log. */
  readonly start: number;
  readonly end: number;
  /** Where it begins in the file. */
  readonly offset: number;
  /** Differs from the present one when some of it was rolled back since. */
  readonly cuts: number;
}

export interface GroupPiece {
  readonly buffer: AppendBuffer;
  readonly from: number;
  readonly to: number;
}

/**
 * The end of the log in memory: batches that wait for the disk, and behind them the last few MiB that were written, from which readers
 * at the tail are served. The appender adds, the group commit takes; a buffer's bytes never change once a group holds them.
 */
export class AppendBuffers {
  readonly #buffers: AppendBuffer[] = [];
  readonly #spare: Buffer[] = [];
  readonly #large: LargeMemory = new LargeMemory();
  #cuts = 0;
  /** Buffers that only readers still hold. */
  #held = 0;
  /** Place in the log behind everything that was appended. */
  end: number;
  /** Behind everything that was given to the disk. */
  #written: number;
  /** Behind everything that is durable. */
  #durable: number;
  /** Behind everything that readers may see: where the last complete transaction ends that is durable. */
  #visible: number;

  constructor(end: number) {
    this.end = end;
    this.#written = end;
    this.#durable = end;
    this.#visible = end;
  }

  /** Bytes that wait for the disk. */
  get waiting(): number {
    return this.end - this.#durable;
  }

  get durable(): number {
    return this.#durable;
  }

  /** The buffer with room for a batch of this size, which is to be written at its `filled`. */
  reserve(segment: Segment, size: number): AppendBuffer {
    const last = this.#buffers.at(-1);
    if (last !== undefined && !last.closed && last.segment === segment && last.bytes.length - last.filled >= size) {
      return last;
    }
    if (size > BUFFER_BYTES) return this.#addLarge(segment, { large: this.takeLarge(size), from: 0, to: size });
    const bytes = this.#spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
    const buffer = new AppendBuffer(bytes, { segment, base: this.end, large: null });
    this.#buffers.push(buffer);
    return buffer;
  }

  /**
   * Memory of at least so many bytes that one batch is to have for itself. It can be made there already: see `adopt`. As if it had come already, the
   * oldest of what is durable leaves the tail for it, so that the memory of the large batch before is used again.
   */
  takeLarge(size: number): Buffer {
    for (let first = this.#buffers[0]; first !== undefined; first = this.#buffers[0]) {
      if (this.#durable - first.base + size <= TAIL_BYTES || !this.#dropFirst(first)) break;
    }
    return this.#large.take(size);
  }

  /** What `takeLarge` gave is not needed. */
  giveLarge(memory: Buffer): void {
    this.#large.give(memory);
  }

  /**
   * A buffer of the range, in which a batch was made and which belongs to the log from now on; null when a usual buffer is large enough for it, or
   * the range does not begin within its memory.
   */
  adopt(segment: Segment, { large, from, to }: LargeRange): AppendBuffer | null {
    if (to - from <= BUFFER_BYTES || from < 0) return null;
    return this.#addLarge(segment, { large, from, to });
  }

  added(buffer: AppendBuffer, size: number): void {
    buffer.filled += size;
    this.end += size;
  }

  /** What waits for the disk, as far as it goes into one segment and one group; null when nothing does. */
  nextGroup(): CommitGroup | null {
    const pieces: GroupPiece[] = [];
    let bytes = 0;
    for (const buffer of this.#buffers) {
      if (buffer.durable === buffer.filled) continue;
      if (pieces[0] !== undefined && pieces[0].buffer.segment !== buffer.segment) break;
      if (bytes >= GROUP_BYTES_MAX) break;
      pieces.push({ buffer, from: buffer.durable, to: buffer.filled });
      bytes += buffer.filled - buffer.durable;
    }
    const first = pieces[0];
    const last = pieces.at(-1);
    if (first === undefined || last === undefined) return null;
    const { segment } = first.buffer;
    const start = first.buffer.base + first.from;
    const end = last.buffer.base + last.to;
    this.#written = end;
    return { segment, pieces, start, end, offset: start - segment.base, cuts: this.#cuts };
  }

  /** The group is durable. What of it was rolled back meanwhile does not count. */
  madeDurable(group: CommitGroup): void {
    for (const { buffer, to } of group.pieces) buffer.durable = Math.min(to, buffer.filled);
    this.#durable = Math.min(group.end, this.end);
    if (group.cuts !== this.#cuts) this.#durable = Math.min(this.#durable, this.#written);
  }

  /** @param end behind everything that readers may see from now on */
  becameVisible(end: number): void {
    this.#visible = end;
  }

  wasCut(group: CommitGroup): boolean {
    return group.cuts !== this.#cuts;
  }

  /**
   * Forgets everything from a place in the log on.
   *
   * @returns whether some of it was given to the disk
   */
  cut(place: number): boolean {
    this.#cuts++;
    for (let last = this.#buffers.at(-1); last !== undefined && last.base >= place; last = this.#buffers.at(-1)) {
      // Its memory is left to the garbage collector: the disk may still be reading it.
      this.#buffers.pop();
    }
    const last = this.#buffers.at(-1);
    if (last !== undefined && last.base + last.filled > place) {
      last.filled = place - last.base;
      last.durable = Math.min(last.durable, last.filled);
      // For the same reason nothing is written into the rest of it.
      last.closed = true;
    }
    this.end = place;
    this.#durable = Math.min(this.#durable, place);
    const wasWritten = this.#written > place;
    this.#written = Math.min(this.#written, place);
    return wasWritten;
  }

  /** The buffer that holds the place; null when it is no longer in memory, or never was. */
  find(place: number): AppendBuffer | null {
    const first = this.#buffers[0];
    if (first === undefined || place < first.base) return null;
    for (let i = this.#buffers.length - 1; i >= 0; i--) {
      const buffer = this.#buffers[i] as AppendBuffer;
      if (buffer.base <= place) return place < buffer.base + buffer.filled ? buffer : null;
    }
    return null;
  }

  /** A reader looks into the buffer from now on: its bytes stay as they are until `unpin`. False: it shall take a copy. */
  pin(buffer: AppendBuffer): boolean {
    if (this.#held >= HELD_BUFFERS_MAX) return false;
    buffer.pins++;
    return true;
  }

  unpin(buffer: AppendBuffer): void {
    buffer.pins--;
    if (buffer.pins > 0 || !buffer.dropped) return;
    this.#held--;
    this.#recycle(buffer);
  }

  /** Gives back what is durable and no longer near the end. To be called when it is known what has become visible. */
  trim(): void {
    const isLong = this.#durable - this.#visible > LONG_TRANSACTION_BYTES;
    const kept = isLong ? LONG_TRANSACTION_TAIL_BYTES : TAIL_BYTES;
    for (let first = this.#buffers[0]; first !== undefined; first = this.#buffers[0]) {
      if (this.#durable - (first.base + first.filled) < kept || !this.#dropFirst(first)) return;
    }
  }

  #addLarge(segment: Segment, { large, from, to }: LargeRange): AppendBuffer {
    const buffer = new AppendBuffer(large.subarray(from, to), { segment, base: this.end, large });
    this.#buffers.push(buffer);
    return buffer;
  }

  /** False: it must stay. */
  #dropFirst(first: AppendBuffer): boolean {
    if (first.durable < first.filled) return false;
    // The last one is still being filled, unless a large batch has it for itself.
    if (this.#buffers.length === 1 && first.large === null) return false;
    this.#buffers.shift();
    this.#drop(first);
    return true;
  }

  #drop(buffer: AppendBuffer): void {
    buffer.dropped = true;
    if (buffer.pins > 0) this.#held++;
    else this.#recycle(buffer);
  }

  #recycle({ bytes, closed, large }: AppendBuffer): void {
    if (closed) return;
    if (large !== null) {
      this.#large.give(large);
      return;
    }
    this.#large.unneeded();
    if (this.#spare.length < SPARE_BUFFERS) this.#spare.push(bytes);
  }
}

/**
 * Completes the batches of a group: how much before each was not known to be durable, and its checksum. That is done when they are
 * written, since only then the first is known.
 *
 * @param durableOffset the place in the log up to which everything is durable
 */
export function sealGroup(group: CommitGroup, durableOffset: number): void {
  for (const { buffer, from, to } of group.pieces) {
    const { bytes, view, base, segment } = buffer;
    const known = Math.max(durableOffset, segment.base);
    for (let at = from; at < to; at += batchLength(view, at)) {
      view.setUint32(at + HEADER.unsynced, Math.min(Math.max(base + at - known, 0), U32_MAX), true);
      view.setUint32(at + HEADER.crc, batchChecksum(bytes, at, at + batchLength(view, at)), true);
    }
  }
}
