import { join } from 'node:path';
import { type CompleteBatch, SegmentIndex, type SegmentSummary } from './segment-index.ts';

/** 2^53 has 16 digits, so names sort as the SCNs do. */
const NAME_DIGITS = 16;
const LOG_NAME = /^(\d{16})\.log$/;
const INDEX_NAME = /^(\d{16})\.index$/;

export function segmentName(firstScn: number): string {
  return `${String(firstScn).padStart(NAME_DIGITS, '0')}.log`;
}

/** The first SCN of the segment whose file this is; null for other files. */
export function scnOfSegmentName(name: string): number | null {
  const match = LOG_NAME.exec(name);
  return match === null ? null : Number(match[1]);
}

export function scnOfIndexName(name: string): number | null {
  const match = INDEX_NAME.exec(name);
  return match === null ? null : Number(match[1]);
}

/** What rolling a transaction back needs of its first segment. */
export interface SegmentMark {
  readonly size: number;
  readonly nextScn: number;
  readonly firstCommitUs: number;
  readonly maxCommitUs: number;
  readonly complete: CompleteBatch | null;
}

/** What is told of a batch that was added to a segment. */
export interface AddedBatch {
  readonly bytes: number;
  readonly firstScn: number;
  readonly count: number;
  /** Its last transaction goes on in the next batch. */
  readonly open: boolean;
  readonly firstCommitUs: number;
  readonly maxCommitUs: number;
  /** Fingerprints of the shapes that it defines. */
  readonly defines: readonly string[];
}

/**
 * One file of the log, and what is known of it. Offsets within the file count from its beginning; `base` turns them into places in the
 * log, which count through all its segments.
 */
export class Segment {
  readonly directory: string;
  readonly firstScn: number;
  readonly base: number;
  /** Whole batches, on disk or on their way there. */
  size = 0;
  nextScn: number;
  firstCommitUs = 0;
  maxCommitUs = 0;
  complete: CompleteBatch | null = null;
  /** In memory while batches are added to it, and until its file is written. */
  index: SegmentIndex | null = null;
  /** The file exists. */
  created = false;
  /** No batch is added any more: it has a successor. */
  sealed = false;
  /** Bytes of the file whose checksums this process has seen to be right. */
  verifiedFrom = 0;
  verifiedTo = 0;

  constructor({ directory, firstScn, base }: { directory: string; firstScn: number; base: number }) {
    this.directory = directory;
    this.firstScn = firstScn;
    this.nextScn = firstScn;
    this.base = base;
  }

  get name(): string {
    return segmentName(this.firstScn);
  }

  get path(): string {
    return join(this.directory, this.name);
  }

  get indexPath(): string {
    return `${this.path.slice(0, -'.log'.length)}.index`;
  }

  /** The place in the log behind its last batch. */
  get end(): number {
    return this.base + this.size;
  }

  /** Takes note of the batch that stands at `size`. */
  add(batch: AddedBatch): void {
    const start = this.size;
    this.index ??= new SegmentIndex();
    this.index.add(start, batch.firstScn, this.maxCommitUs);
    for (const fingerprint of batch.defines) this.index.shapes.push({ fingerprint, offset: start });
    this.size = start + batch.bytes;
    this.nextScn = batch.firstScn + batch.count;
    if (batch.maxCommitUs !== 0) {
      if (this.firstCommitUs === 0) this.firstCommitUs = batch.firstCommitUs;
      this.maxCommitUs = Math.max(this.maxCommitUs, batch.maxCommitUs);
    }
    if (!batch.open) this.complete = { start, end: this.size, nextScn: this.nextScn };
  }

  mark(): SegmentMark {
    const { size, nextScn, firstCommitUs, maxCommitUs, complete } = this;
    return { size, nextScn, firstCommitUs, maxCommitUs, complete };
  }

  /** Back to how it was: batches behind the mark are gone. */
  reset(mark: SegmentMark): void {
    this.size = mark.size;
    this.nextScn = mark.nextScn;
    this.firstCommitUs = mark.firstCommitUs;
    this.maxCommitUs = mark.maxCommitUs;
    this.complete = mark.complete;
    this.index?.cut(mark.size);
    this.sealed = false;
    this.verifiedTo = Math.min(this.verifiedTo, mark.size);
  }

  summary(): SegmentSummary {
    const { firstScn, nextScn, size: bytes, firstCommitUs, maxCommitUs, complete } = this;
    return { firstScn, nextScn, bytes, firstCommitUs, maxCommitUs, complete };
  }

  restore(summary: SegmentSummary): void {
    this.size = summary.bytes;
    this.nextScn = summary.nextScn;
    this.firstCommitUs = summary.firstCommitUs;
    this.maxCommitUs = summary.maxCommitUs;
    this.complete = summary.complete;
  }

  isVerified(from: number, to: number): boolean {
    return from >= this.verifiedFrom && to <= this.verifiedTo;
  }

  /** Remembers that the bytes are right. Only one range is kept: a reader that goes on extends it. */
  verified(from: number, to: number): void {
    if (from > this.verifiedTo || to < this.verifiedFrom) {
      this.verifiedFrom = from;
      this.verifiedTo = to;
      return;
    }
    this.verifiedFrom = Math.min(this.verifiedFrom, from);
    this.verifiedTo = Math.max(this.verifiedTo, to);
  }
}

/** The segments of a log, oldest first. There is always one: the last, which grows. */
export class SegmentList {
  readonly #segments: Segment[];

  constructor(segments: readonly Segment[]) {
    this.#segments = [...segments];
  }

  get all(): readonly Segment[] {
    return this.#segments;
  }

  get first(): Segment {
    return this.#segments[0] as Segment;
  }

  get last(): Segment {
    return this.#segments.at(-1) as Segment;
  }

  push(segment: Segment): void {
    this.#segments.push(segment);
  }

  /** @returns the oldest one, which is no longer in the list */
  shift(): Segment {
    if (this.#segments.length < 2) throw new Error('the last segment of a log cannot be dropped');
    return this.#segments.shift() as Segment;
  }

  /** Puts back what `shift` returned. */
  unshift(segment: Segment): void {
    this.#segments.unshift(segment);
  }

  /** Drops what comes behind the segment. @returns it, newest first */
  cutBehind(segment: Segment): Segment[] {
    const at = this.#segments.indexOf(segment);
    if (at < 0) throw new Error('a transaction began in a segment that is gone');
    return this.#segments.splice(at + 1).toReversed();
  }

  /** The one that holds the place, or begins there. */
  atOffset(offset: number): Segment {
    return this.#find((segment) => segment.base <= offset);
  }

  /** The one that holds the change, if any does. */
  atScn(scn: number): Segment {
    return this.#find((segment) => segment.firstScn <= scn);
  }

  /** The one behind it; null for the last. */
  next(segment: Segment): Segment | null {
    return this.#segments[this.#segments.indexOf(segment) + 1] ?? null;
  }

  includes(segment: Segment): boolean {
    return this.#segments.includes(segment);
  }

  /** The last one of which it is true; the first when it is true of none. It is true of all up to some place and of none behind it. */
  #find(isUpTo: (segment: Segment) => boolean): Segment {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isUpTo(this.#segments[middle] as Segment)) low = middle + 1;
      else high = middle;
    }
    return this.#segments[Math.max(low - 1, 0)] as Segment;
  }
}
