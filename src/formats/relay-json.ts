import type { Entry } from '../core/source.ts';
import { JsonEncoder } from './json.ts';
import { LogRowBatch } from './log/log-row-batch.ts';

export interface RelayJsonOptions {
  /** Into how many slices the stream is shared: lines of rows say theirs. Null: they do not. */
  readonly partitions: number | null;
}

/**
 * The lines of `JsonEncoder` with what a relay knows beside: `scn`, and where they apply `partition`, `moved` and `snapshot`. For parts
 * that were read from batches of a log. `RelayLines` writes the same as bytes, at a fraction of the cost, for those who send many.
 */
export class RelayJsonEncoder extends JsonEncoder {
  readonly #partitions: number | null;
  #hashed: Entry | null = null;
  #hashes: Uint32Array = new Uint32Array(0);

  constructor({ partitions }: RelayJsonOptions) {
    super();
    this.#partitions = partitions;
  }

  protected override extra(entry: Entry, row: number): string {
    if (!(entry instanceof LogRowBatch)) return `,"scn":${scnOf(entry, row)}`;
    let text = `,"scn":${entry.scn + row}`;
    if (this.#partitions !== null) text += `,"partition":${this.#hash(entry, row) % this.#partitions}`;
    if (entry.moved !== null) text += `,"moved":"${entry.moved}"`;
    if (entry.isSnapshot) text += ',"snapshot":true';
    return text;
  }

  #hash(batch: LogRowBatch, row: number): number {
    if (this.#hashed !== batch) {
      this.#hashes = batch.hashes();
      this.#hashed = batch;
    }
    return this.#hashes[row] ?? 0;
  }
}

/** Of an entry that was read from a log's batch, and of its `row`-th row. */
export function scnOf(entry: Entry, row: number): number {
  return (entry as Entry & { readonly scn: number }).scn + row;
}
