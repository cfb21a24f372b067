import type { BatchHead } from '../../formats/log/batch-builder.ts';
import { headBytes, writeBatchHead } from '../../formats/log/batch-builder.ts';
import { FLAG, HEADER } from '../../formats/log/batch-layout.ts';
import { AppendBuffers, type LargeRange } from './append-buffers.ts';
import { Segment, type SegmentList, type SegmentMark } from './segment.ts';

/** A place where no transaction is open: up to there readers may see the log once it is durable. */
export interface Milestone {
  /** Place in the log. */
  readonly end: number;
  readonly lastScn: number;
  readonly position: string;
  /** The latest commit time in the log so far; 0 when there is none. */
  readonly maxCommitUs: number;
}

/** What the disk has to do before anything else is written. */
export interface Truncation {
  readonly segment: Segment;
  readonly bytes: number;
  /** Segments that are gone, newest first. */
  readonly removed: readonly Segment[];
}

export interface FinishedBatch {
  readonly head: BatchHead;
  readonly body: Buffer;
  /** Of the shapes that the body defines. */
  readonly defines: readonly string[];
  /** What the body was made in, with room for the head before it, and what may become the log's; null: it stays the maker's. */
  readonly large: LargeRange | null;
}

export interface LogAppenderOptions {
  readonly segments: SegmentList;
  readonly segmentBytes: number;
  readonly maxCommitUs: number;
}

/**
 * Where finished batches go: gives them their place, begins new segments, and takes back the batches of a transaction that was not
 * finished. In memory only; the disk follows (`group-commit.ts`).
 */
export class LogAppender {
  readonly buffers: AppendBuffers;
  readonly #segments: SegmentList;
  readonly #segmentBytes: number;
  readonly #milestones: Milestone[] = [];
  /** Of the whole log, open transaction included. */
  #maxCommitUs: number;
  #open: { readonly segment: Segment; readonly mark: SegmentMark; readonly maxCommitUs: number } | null = null;
  #truncation: Truncation | null = null;

  constructor({ segments, segmentBytes, maxCommitUs }: LogAppenderOptions) {
    this.#segments = segments;
    this.#segmentBytes = segmentBytes;
    this.#maxCommitUs = maxCommitUs;
    this.buffers = new AppendBuffers(segments.last.end);
  }

  /** The segment that batches go into. */
  get segment(): Segment {
    return this.#segments.last;
  }

  get nextScn(): number {
    return this.#segments.last.nextScn;
  }

  /** Called before a batch begins: it begins a new segment when the last one is full. */
  rollWhenFull(seal: (segment: Segment) => void): void {
    const { last } = this.#segments;
    // A segment is named after its first change: two without one between them would have the same name.
    if (last.size < this.#segmentBytes || last.nextScn === last.firstScn) return;
    last.sealed = true;
    const { directory, nextScn: firstScn, end: base } = last;
    seal(last);
    this.#segments.push(new Segment({ directory, firstScn, base }));
  }

  /**
   * The batch becomes the log's last one.
   *
   * @returns whether what its body was made in has become the log's
   */
  add({ head, body, defines, large }: FinishedBatch): boolean {
    const segment = this.#segments.last;
    const isOpen = (head.flags & FLAG.open) !== 0;
    if (isOpen && this.#open === null) {
      this.#open = { segment, mark: segment.mark(), maxCommitUs: this.#maxCommitUs };
    }
    const bodyStart = headBytes(head.position.length, head.shapes.length);
    const bytes = bodyStart + body.length;
    const adopted = large === null ? null : this.buffers.adopt(segment, { ...large, from: large.from - bodyStart });
    const buffer = adopted ?? this.buffers.reserve(segment, bytes);
    const start = buffer.filled;
    writeBatchHead(buffer.bytes, buffer.view, { start, head });
    if (adopted === null) body.copy(buffer.bytes, start + bodyStart);
    // The checksum comes when it is known with which group the batch is written.
    buffer.view.setUint32(start + HEADER.length, bytes, true);
    this.buffers.added(buffer, bytes);
    const { firstScn, count, firstCommitUs, maxCommitUs } = head;
    segment.add({ bytes, firstScn, count, open: isOpen, firstCommitUs, maxCommitUs, defines });
    this.#maxCommitUs = Math.max(this.#maxCommitUs, maxCommitUs);
    if (!isOpen) {
      this.#open = null;
      this.#milestones.push({
        end: segment.end,
        lastScn: segment.nextScn - 1,
        position: head.position.toString(),
        maxCommitUs: this.#maxCommitUs,
      });
    }
    return adopted !== null;
  }

  /** Takes back the batches of the transaction that the last one left open. */
  rollback(): void {
    const open = this.#open;
    if (open === null) return;
    this.#open = null;
    const { segment, mark, maxCommitUs } = open;
    const removed = this.#segments.cutBehind(segment);
    segment.reset(mark);
    this.#maxCommitUs = maxCommitUs;
    // Without a second one in between: what was appended since the first has not been written.
    if (this.buffers.cut(segment.end)) this.#truncation ??= { segment, bytes: segment.size, removed };
  }

  get hasTruncation(): boolean {
    return this.#truncation !== null;
  }

  takeTruncation(): Truncation | null {
    const truncation = this.#truncation;
    this.#truncation = null;
    return truncation;
  }

  /** The last milestone that is durable and was not told before. */
  reached(durable: number): Milestone | null {
    let last: Milestone | null = null;
    while (this.#milestones[0] !== undefined && this.#milestones[0].end <= durable) {
      last = this.#milestones.shift() ?? null;
    }
    if (last !== null) this.buffers.becameVisible(last.end);
    return last;
  }
}
