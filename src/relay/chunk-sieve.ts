import type { FrameChunk } from '../client/transport.ts';
import type { RowShape } from '../core/rows/row-shape.ts';
import type { BatchFilter } from '../formats/log/batch-filter.ts';
import { batchFirstScn, batchFlags, batchLength, batchShape, batchShapeCount } from '../formats/log/batch-header.ts';
import { FLAG } from '../formats/log/batch-layout.ts';
import type { FilterLane } from '../formats/log/filter-lane.ts';
import { FilterOutput } from '../formats/log/filter-output.ts';
import { controlChunk } from './control-chunk.ts';
import type { ChangeLog, LogChunk } from './log/change-log.ts';
import type { SharedOutput, SharedOutputs } from './shared-outputs.ts';

/** The receiver has one buffer while the next one is filled. */
const OUTPUTS_KEPT = 2;

/** Of a smaller batch the outcome is made faster than found. */
const SHARED_FROM_BYTES = 16 * 1024;

interface SharedPass {
  readonly chunk: LogChunk;
  readonly view: DataView;
  readonly lane: FilterLane;
  readonly queue: FrameChunk[];
}

/** Lets chunks of the log through to one receiver: as they are where all of it is wanted, otherwise what a filter leaves of them. */
export class ChunkSieve {
  readonly #log: ChangeLog;
  readonly #filter: BatchFilter;
  readonly #shared: SharedOutputs | null;
  /** Fingerprints of the shapes that the receiver was told of, but for those that the filter told it of with outputs of its own. */
  readonly #told = new Set<string>();
  readonly #outputs: FilterOutput[] = [];

  /** @param shared what other readers with the same filter have made of batches, and may make use of */
  constructor(log: ChangeLog, filter: BatchFilter, shared: SharedOutputs | null = null) {
    this.#log = log;
    this.#filter = filter;
    this.#shared = shared;
  }

  /** Puts what the lane's reader gets of a chunk into the queue; false when that is nothing. Takes the chunk over. */
  pass(chunk: LogChunk, lane: FilterLane, queue: FrameChunk[]): boolean {
    const view = new DataView(chunk.bytes.buffer, chunk.bytes.byteOffset, chunk.bytes.byteLength);
    const isWhole = batchFirstScn(view, chunk.start) > lane.after;
    if (this.#filter.passesAll && lane.partitions === null && isWhole && isForEveryone(chunk, view)) {
      this.#tellShapes(chunk, view, queue);
      queue.push(chunk);
      return true;
    }
    const shared = this.#shared;
    if (shared !== null && shared.isShared && lane.partitions === null) {
      return this.#passShared(shared, { chunk, view, lane, queue });
    }
    const output = this.takeOutput();
    try {
      for (let start = chunk.start; start < chunk.end; start += batchLength(view, start)) {
        this.#filter.filter(chunk.bytes, view, { start, lane, output });
      }
    } finally {
      chunk.release();
    }
    return this.give(output, queue);
  }

  #passShared(shared: SharedOutputs, { chunk, view, lane, queue }: SharedPass): boolean {
    let output = this.takeOutput();
    let passed = false;
    try {
      for (let start = chunk.start; start < chunk.end; start += batchLength(view, start)) {
        const isWhole = batchFirstScn(view, start) > lane.after;
        // What one of the readers gets and the others do not is nothing to be shared.
        const isOwn = lane.audience !== null && isAddressed(view, start);
        if (!isWhole || isOwn || batchLength(view, start) < SHARED_FROM_BYTES) {
          this.#filter.filter(chunk.bytes, view, { start, lane, output });
          continue;
        }
        if (output.at > 0) {
          passed = this.give(output, queue);
          output = this.takeOutput();
        }
        const made = this.#sharedOutput(shared, { bytes: chunk.bytes, view, start, lane });
        passed = this.#giveShared(shared, made, queue) || passed;
      }
    } finally {
      chunk.release();
    }
    return this.give(output, queue) || passed;
  }

  #sharedOutput(
    shared: SharedOutputs,
    { bytes, view, start, lane }: { bytes: Buffer; view: DataView; start: number; lane: FilterLane },
  ): SharedOutput {
    const firstScn = batchFirstScn(view, start);
    const { open } = lane;
    const found = shared.find(firstScn, open);
    if (found !== null) {
      lane.open = found.openAfter;
      return found;
    }
    const output = shared.takeOutput();
    this.#filter.filter(bytes, view, { start, lane, output, tell: false });
    const shapes = this.#filter.writtenShapes();
    return shared.add(firstScn, open, { output, end: output.at, openAfter: lane.open, shapes });
  }

  #giveShared(shared: SharedOutputs, made: SharedOutput, queue: FrameChunk[]): boolean {
    const { output, end, shapes } = made;
    if (end === 0) {
      shared.release(made);
      return false;
    }
    this.#tell(shapes, queue);
    let isHeld = true;
    const release = (): void => {
      if (isHeld) shared.release(made);
      isHeld = false;
    };
    queue.push({ bytes: output.bytes, start: 0, end, release });
    return true;
  }

  #tell(shapes: readonly RowShape[], queue: FrameChunk[]): void {
    const untold = shapes.filter(({ fingerprint }) => !this.#told.has(fingerprint));
    if (untold.length === 0) return;
    for (const { fingerprint } of untold) this.#told.add(fingerprint);
    queue.push(controlChunk({ kind: 'shapes', shapes: untold.map(({ text }) => text) }));
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

/** Nothing in it is kept from some readers. */
function isForEveryone({ start: from, end }: LogChunk, view: DataView): boolean {
  for (let start = from; start < end; start += batchLength(view, start)) {
    if (isAddressed(view, start)) return false;
  }
  return true;
}

function isAddressed(view: DataView, start: number): boolean {
  return (batchFlags(view, start) & FLAG.addressed) !== 0;
}
