import { TidingsError } from '../../core/errors.ts';
import { batchFirstScn, batchLastScn, batchLength } from '../../formats/log/batch-header.ts';
import { HEADER_BYTES } from '../../formats/log/batch-layout.ts';
import type { AppendBuffer, AppendBuffers } from './append-buffers.ts';
import type { LogChunk, LogReader } from './change-log.ts';
import { scnPurged, segmentDamaged, segmentUnreadable } from './damage.ts';
import type { IndexKeeper } from './index-keeper.ts';
import { type ReadBuffer, type ReadBuffers, READ_BYTES } from './read-buffers.ts';
import type { Segment, SegmentList } from './segment.ts';
import type { SegmentFiles } from './segment-files.ts';
import { batchProblem, headerProblem } from './segment-scan.ts';

/** Chunks that a reader may hold: one being worked on, one being sent, one being filled. */
const CHUNKS_MAX = 3;

/**
 * Batches in one chunk. However small they are, each costs whoever looks into them some microseconds: what fits into a buffer may be
 * thousands.
 */
const BATCHES_MAX = 64;

/** Whole batches in memory that a reader hands out piece by piece. */
interface ReadBatches {
  readonly bytes: Buffer;
  readonly view: DataView;
  /** The place in the log of the first of the bytes. */
  readonly base: number;
  /** What is still to be handed out. */
  start: number;
  readonly end: number;
  /** Pieces that were not given back, and one more while something is still to be handed out. */
  pieces: number;
  readonly release: () => void;
}

/** What readers share of a log. */
export interface ReadableLog {
  readonly name: string;
  readonly segments: SegmentList;
  readonly buffers: AppendBuffers;
  readonly files: SegmentFiles;
  readonly indexes: IndexKeeper;
  readonly readBuffers: ReadBuffers;
  /** Readers that wait for more. */
  readonly waiting: Set<() => void>;
  readonly visibleEnd: number;
  readonly lastScn: number;
  readonly closed: boolean;
}

/** Reads the batches of a `FileLog` in order: from memory when they are still there, from the segments' files otherwise. */
export class FileLogReader implements LogReader {
  readonly #log: ReadableLog;
  #after: number;
  /** Place in the log; while `#seeking`, of a batch at or before the one that is wanted. */
  #offset: number;
  /** The place is a guess, or batches before the one that is wanted may come first. */
  #seeking: 'segment' | 'batch' | null;
  /** Of what was read last, the batches that are still to be handed out. */
  #rest: ReadBatches | null = null;
  /** Chunks that were not given back. */
  #held = 0;
  #reading = false;
  #closed = false;

  /** @param after has been checked to lie within the log */
  constructor(log: ReadableLog, after: number) {
    this.#log = log;
    this.#after = after;
    if (after === log.lastScn) {
      this.#offset = log.visibleEnd;
      this.#seeking = null;
      return;
    }
    const segment = log.segments.atScn(after + 1);
    if (segment.index !== null) {
      this.#offset = segment.base + segment.index.offsetOfScn(after + 1);
      this.#seeking = 'batch';
      return;
    }
    // Until the index has been read: changes are about equally long.
    const share = (after + 1 - segment.firstScn) / Math.max(segment.nextScn - segment.firstScn, 1);
    this.#offset = segment.base + Math.floor(segment.size * Math.min(share, 1));
    this.#seeking = 'segment';
  }

  get after(): number {
    return this.#after;
  }

  get offset(): number {
    return this.#offset;
  }

  read(): LogChunk | null | Promise<LogChunk | null> {
    const log = this.#log;
    this.#check();
    if (this.#rest !== null) return this.#handOut(this.#rest);
    if (this.#seeking === 'segment') return this.#locateAndRead();
    for (;;) {
      if (this.#offset >= log.visibleEnd) return null;
      const buffer = log.buffers.find(this.#offset);
      if (buffer === null) return this.#readFile();
      const chunk = this.#readMemory(buffer);
      if (chunk !== null) return chunk;
    }
  }

  wait(signal: AbortSignal): Promise<void> {
    const { waiting } = this.#log;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#closed || this.#log.closed || this.#offset < this.#log.visibleEnd) return resolve();
      const done = (): void => {
        waiting.delete(wake);
        signal.removeEventListener('abort', abort);
      };
      const wake = (): void => {
        done();
        resolve();
      };
      const abort = (): void => {
        done();
        reject(signal.reason);
      };
      waiting.add(wake);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  close(): void {
    this.#closed = true;
    const rest = this.#rest;
    this.#rest = null;
    if (rest !== null) this.#release(rest);
  }

  #check(): void {
    const { name, segments, closed } = this.#log;
    if (closed) throw closing(name);
    if (this.#closed) throw new Error('a reader was used after it had been closed');
    if (this.#reading) throw new Error('a reader was asked for more while it was reading');
    if (this.#held === CHUNKS_MAX) throw new Error(`a reader was asked for more than ${CHUNKS_MAX} chunks at a time`);
    const after = segments.first.firstScn - 1;
    if (this.#after < after) throw scnPurged({ name, scn: this.#after, after });
  }

  async #locateAndRead(): Promise<LogChunk | null> {
    const { segments, indexes } = this.#log;
    this.#reading = true;
    try {
      const segment = segments.atScn(this.#after + 1);
      const index = await indexes.indexOf(segment);
      this.#offset = segment.base + (index?.offsetOfScn(this.#after + 1) ?? 0);
      this.#seeking = 'batch';
    } finally {
      this.#reading = false;
    }
    return this.read();
  }

  /** Null: nothing of it was wanted. */
  #readMemory(buffer: AppendBuffer): LogChunk | null {
    const { bytes, view, base, filled } = buffer;
    const log = this.#log;
    const limit = Math.min(filled, log.visibleEnd - base);
    let from = this.#offset - base;
    if (this.#seeking !== null) {
      // A batch that ends at or before `after` is none of those that are wanted.
      while (from < limit && batchLastScn(view, from) <= this.#after) from += batchLength(view, from);
      this.#offset = base + from;
      if (from >= limit) return null;
      this.#seeking = null;
    }
    let to = from;
    while (to < limit) {
      const length = batchLength(view, to);
      if (to + length - from > READ_BYTES && to > from) break;
      to += length;
    }
    const { buffers, readBuffers } = log;
    if (buffers.pin(buffer)) {
      return this.#handOut(
        batchesOf(bytes, view, { base, start: from, end: to, release: () => buffers.unpin(buffer) }),
      );
    }
    const copy = readBuffers.take(to - from);
    bytes.copy(copy.bytes, 0, from, to);
    const release = (): void => readBuffers.give(copy);
    return this.#handOut(batchesOf(copy.bytes, copy.view, { base: base + from, start: 0, end: to - from, release }));
  }

  async #readFile(): Promise<LogChunk | null> {
    this.#reading = true;
    try {
      for (;;) {
        const log = this.#log;
        if (log.closed) throw closing(log.name);
        if (this.#closed || this.#offset >= log.visibleEnd) return null;
        const segment = log.segments.atOffset(this.#offset);
        if (this.#offset < segment.base) throw this.#overtaken();
        const from = this.#offset - segment.base;
        const room = Math.min(segment.size, log.visibleEnd - segment.base) - from;
        // oxlint-disable-next-line no-await-in-loop -- once, unless a reader begins in the middle
        const chunk = await this.#readSegment(segment, { from, room, size: READ_BYTES });
        if (chunk !== null) return chunk;
      }
    } finally {
      this.#reading = false;
    }
  }

  /** Null: nothing of it was wanted. */
  async #readSegment(
    segment: Segment,
    { from, room, size }: { readonly from: number; readonly room: number; readonly size: number },
  ): Promise<LogChunk | null> {
    const log = this.#log;
    const buffer = log.readBuffers.take(size);
    let kept = false;
    try {
      const wanted = Math.min(size, room);
      const got = await this.#readBytes(segment, buffer, { from, to: from + wanted });
      if (this.#closed || log.closed) return null;
      // What stands behind is of whoever had the buffer before.
      if (got < Math.min(wanted, HEADER_BYTES)) throw segmentDamaged(segment, from, 'the file ends within a batch');
      const needed = this.#firstLength(segment, buffer, { from, room });
      if (needed > got) {
        if (got < wanted || needed <= size) throw segmentDamaged(segment, from, 'the file ends within a batch');
        return await this.#readSegment(segment, { from, room, size: needed });
      }
      const { start, end } = this.#wholeBatches(segment, buffer, { from, got, room });
      if (start === end) return null;
      kept = true;
      const release = (): void => log.readBuffers.give(buffer);
      return this.#handOut(batchesOf(buffer.bytes, buffer.view, { base: segment.base + from, start, end, release }));
    } finally {
      if (!kept) log.readBuffers.give(buffer);
    }
  }

  async #readBytes(
    segment: Segment,
    { bytes }: ReadBuffer,
    { from, to }: { readonly from: number; readonly to: number },
  ): Promise<number> {
    try {
      return await this.#log.files.read(segment, { bytes, from: 0, to: to - from }, from);
    } catch (error) {
      if (!this.#log.segments.includes(segment)) throw this.#overtaken();
      throw segmentUnreadable(segment, from, error);
    }
  }

  #overtaken(): TidingsError {
    const { name, segments } = this.#log;
    return scnPurged({ name, scn: this.#after, after: segments.first.firstScn - 1 });
  }

  #firstLength(
    segment: Segment,
    { view }: ReadBuffer,
    { from, room }: { readonly from: number; readonly room: number },
  ): number {
    if (room < HEADER_BYTES) throw segmentDamaged(segment, from, 'a batch ends inside its header');
    const problem = headerProblem(view, 0, room);
    if (problem !== null) throw segmentDamaged(segment, from, problem);
    return batchLength(view, 0);
  }

  /**
   * The whole batches in the buffer, verified, without those before the one that is wanted. What is damaged ends them; it is an error
   * when it comes first.
   */
  #wholeBatches(
    segment: Segment,
    { bytes, view }: ReadBuffer,
    { from, got, room }: { readonly from: number; readonly got: number; readonly room: number },
  ): { start: number; end: number } {
    const isVerified = segment.isVerified(from, from + got);
    let start = 0;
    let at = 0;
    let after = this.#after;
    while (got - at >= HEADER_BYTES) {
      let problem = headerProblem(view, at, room - at);
      const length = problem === null ? batchLength(view, at) : 0;
      if (length > got - at) break;
      if (problem === null && !isVerified) problem = batchProblem(bytes, view, at);
      if (problem === null) {
        const firstScn = batchFirstScn(view, at);
        // Batches before the one that is wanted may come first, but it must not be passed over.
        const isNext = this.#seeking === null ? firstScn === after + 1 : firstScn <= after + 1;
        if (!isNext) problem = `a batch begins with SCN ${firstScn} instead of ${after + 1}`;
      }
      if (problem !== null) {
        if (at > start || (at > 0 && this.#seeking !== null)) break;
        throw segmentDamaged(segment, from + at, problem);
      }
      at += length;
      if (this.#seeking !== null && batchLastScn(view, at - length) <= this.#after) {
        start = at;
        continue;
      }
      this.#seeking = null;
      after = batchLastScn(view, at - length);
    }
    if (!isVerified) segment.verified(from, from + at);
    this.#offset = segment.base + from + at;
    this.#after = after;
    return { start, end: at };
  }

  /** The first of the batches, as many as make a chunk. What is left of them comes next. */
  #handOut(batches: ReadBatches): LogChunk {
    const { bytes, view, base, start, end } = batches;
    let to = start;
    let last = start;
    for (let count = 0; to < end && count < BATCHES_MAX; count++) {
      last = to;
      to += batchLength(view, to);
    }
    this.#offset = base + to;
    this.#after = batchLastScn(view, last);
    batches.start = to;
    if (to < end) {
      batches.pieces++;
      this.#rest = batches;
    } else {
      this.#rest = null;
    }
    this.#held++;
    let isHeld = true;
    return {
      bytes,
      start,
      end: to,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#held--;
        this.#release(batches);
      },
    };
  }

  #release(batches: ReadBatches): void {
    batches.pieces--;
    if (batches.pieces === 0) batches.release();
  }
}

function batchesOf(
  bytes: Buffer,
  view: DataView,
  { base, start, end, release }: Pick<ReadBatches, 'base' | 'start' | 'end' | 'release'>,
): ReadBatches {
  return { bytes, view, base, start, end, pieces: 1, release };
}

function closing(name: string): TidingsError {
  return new TidingsError('RELAY_CLOSING', `the log of ${name} is closed`, { details: { stream: name } });
}
