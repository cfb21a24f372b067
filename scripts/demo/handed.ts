import type { Row } from '../../src/core/change.ts';

/** A row change or a row of a snapshot, as a consumer hands it to the demo: plain data, so that it can go from process to process. */
export interface HandedChange {
  readonly type: 'change';
  readonly scn: number;
  readonly table: string;
  /** The primary key, in key order. Of the half of an update that moved it: that half's. */
  readonly key: Row;
  /** Null for an insert, for a snapshot's row, and for the second half of an update that moved the key. */
  readonly before: Row | null;
  /** Null for a delete, and for the first half of an update that moved the key. */
  readonly after: Row | null;
  readonly moved: boolean;
  /** The row as a snapshot has read it. */
  readonly snapshot: boolean;
  /** Which of the stream's slices the key is in. */
  readonly partition: number;
}

export interface HandedTruncation {
  readonly type: 'truncate';
  readonly scn: number;
  readonly table: string;
}

export interface HandedSchemaChange {
  readonly type: 'schema';
  readonly scn: number;
}

export type HandedEntry = HandedChange | HandedTruncation | HandedSchemaChange;

/** A batch that a consumer has received and not yet committed. It commits when it is told that the batch was taken over. */
export interface HandedBatch {
  readonly type: 'batch';
  readonly number: number;
  /** The source's names of the transactions that it has changes of. Chunks of a snapshot have none. */
  readonly transactions: readonly string[];
  readonly entries: readonly HandedEntry[];
}

/** What a consumer says. */
export type FromMember =
  | HandedBatch
  /** What it has by now, after a rebalance. */
  | { readonly type: 'partitions'; readonly partitions: readonly number[] };

/** What a consumer is told: the changes of this batch have taken effect. */
export interface Taken {
  readonly type: 'taken';
  readonly number: number;
}
