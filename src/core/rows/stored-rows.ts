import type { RowBatch } from '../source.ts';

/** A row batch whose rows lie in memory in the log's form (row-target.ts): for those who read the bytes themselves. Valid as long as the batch. */
export interface StoredRows extends RowBatch {
  /** The SCN of the first row; the others' follow one by one. */
  readonly scn: number;
  readonly count: number;
  /** Set when the rows are halves of updates that moved the key: see `Change.moved`. */
  readonly moved: 'from' | 'to' | null;
  readonly extent: RowsExtent;
}

/** One row behind the other, headers included. */
export interface RowsExtent {
  readonly bytes: Buffer;
  /** Over the same bytes, with the same offsets. */
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
}

export function areStored(rows: RowBatch): rows is StoredRows {
  return 'extent' in rows;
}
