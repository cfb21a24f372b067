import type { FrameChunk } from '../client/transport.ts';
import type { BatchFilter } from '../formats/log/batch-filter.ts';
import { batchFirstScn, batchLength, batchShape, batchShapeCount } from '../formats/log/batch-header.ts';
import type { FilterLane } from '../formats/log/filter-lane.ts';
import { FilterOutput } from '../formats/log/filter-output.ts';
import { controlChunk } from './control-chunk.ts';
import type { ChangeLog, LogChunk } from './log/change-log.ts';

/** The receiver has one buffer while the next one is filled. */
const OUTPUTS_KEPT = 2;

/** Lets chunks of the log through to one receiver: as they are where all of it is wanted, otherwise what a filter leaves of them. */
export class ChunkSieve {
  readonly #log: ChangeLog;
  readonly #filter: BatchFilter;
  /** Fingerprints of the shapes that the receiver was told of with stored batches. */
  readonly #told = new Set<string>();
  readonly #outputs: FilterOutput[] = [];

  constructor(log: ChangeLog, filter: BatchFilter) {
    this.#log = log;
    this.#filter = filter;
  }

  /** Puts what the lane's reader gets of a chunk into the queue; false when that is nothing. Takes the chunk over. */
  pass(chunk: LogChunk, lane: FilterLane, queue: FrameChunk[]): boolean {
    const view = new DataView(chunk.bytes.buffer, chunk.bytes.byteOffset, chunk.bytes.byteLength);
    const isWhole = batchFirstScn(view, chunk.start) > lane.after;
    if (this.#filter.passesAll && lane.partitions === null && isWhole) {
      this.#tellShapes(chunk, view, queue);
      queue.push(chunk);
      return true;
    }
    const output = this.#outputs.pop() ?? new FilterOutput();
    try {
      for (let start = chunk.start; start < chunk.end; start += batchLength(view, start)) {
        this.#filter.filter(chunk.bytes, view, { start, lane, output });
      }
    } finally {
      chunk.release();
    }
    return this.give(output, queue);
  }

  /** One batch, for a lane that may change behind it. @returns whether there is anything in it for the receiver */
  passBatch(
    chunk: LogChunk,
    view: DataView,
    place: { start: number; lane: FilterLane; output: FilterOutput },
  ): boolean {
    return this.#filter.filter(chunk.bytes, view, place);
  }

  takeOutput(): FilterOutput {
    return this.#outputs.pop() ?? new FilterOutput();
  }

  /** Puts the output's frames into the queue; false when there are none. */
  give(output: FilterOutput, queue: FrameChunk[]): boolean {
    const end = output.at;
    const release = (): void => {
      output.clear();
      if (this.#outputs.length < OUTPUTS_KEPT) this.#outputs.push(output);
    };
    if (end === 0) release();
    else queue.push({ bytes: output.bytes, start: 0, end, release });
    return end > 0;
  }

  /** A segment defines its shapes where they are first used, which this receiver may not have seen. */
  #tellShapes(chunk: LogChunk, view: DataView, queue: FrameChunk[]): void {
    const shapes: string[] = [];
    for (let start = chunk.start; start < chunk.end; start += batchLength(view, start)) {
      const count = batchShapeCount(view, start);
      for (let index = 0; index < count; index++) {
        const fingerprint = batchShape(view, start, index);
        if (this.#told.has(fingerprint)) continue;
        this.#told.add(fingerprint);
        shapes.push(this.#log.shape(fingerprint).text);
      }
    }
    if (shapes.length > 0) queue.push(controlChunk({ kind: 'shapes', shapes }));
  }
}
