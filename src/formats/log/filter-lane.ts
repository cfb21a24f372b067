import { TidingsError } from '../../core/errors.ts';

/** Some of the partitions, to be asked for every row. */
export class PartitionSet {
  /** How many partitions the stream has. */
  readonly count: number;
  /** By partition: 1 when it is in the set. */
  readonly members: Uint8Array;

  /** @throws TidingsError CONFIG_INVALID naming a partition that the stream does not have */
  constructor(count: number, partitions: Iterable<number>) {
    this.count = count;
    this.members = new Uint8Array(count);
    for (const partition of partitions) {
      if (!Number.isInteger(partition) || partition < 0 || partition >= count) {
        throw new TidingsError('CONFIG_INVALID', `there is no partition ${partition}`, {
          hint: `The stream has partitions 0 to ${count - 1}.`,
          details: { partition, partitions: count },
        });
      }
      this.members[partition] = 1;
    }
  }
}

export interface LaneOptions {
  /** Changes with this SCN or a lower one are left out. */
  readonly after: number;
  /** Which slices of the keys. Null: all of them, and an update that moved its key stays one change. */
  readonly partitions: PartitionSet | null;
  /** By partition: rows with this SCN or a lower one are left out, too. Only looked at when `partitions` is there. */
  readonly afterOf?: Float64Array | null;
  /** Of transactions that not everyone gets, it gets those of this name. @default null: none of them */
  readonly audience?: string | null;
}

/**
 * One reader's way through the log: what of it is wanted, and what the filter has to remember from one batch to the next. The batches
 * of one lane are filtered in the order of the log; a filter can serve several lanes.
 */
export class FilterLane {
  readonly after: number;
  /** May be replaced between two batches. */
  partitions: PartitionSet | null;
  afterOf: Float64Array | null;
  /** The bytes of its name. */
  readonly audience: Buffer | null;
  /**
   * Of a long transaction, which lies in several batches, between two of them. `none`: there is no such transaction. `joined`: the
   * reading began inside it. `unsent`: from its beginning on, nothing of it passed the filter. `sent`: the receiver got some of it, so
   * it must get its end too, and a checkpoint in between would lie inside a transaction (I2).
   */
  open: 'none' | 'joined' | 'unsent' | 'sent' = 'none';

  constructor({ after, partitions, afterOf = null, audience = null }: LaneOptions) {
    this.after = after;
    this.partitions = partitions;
    this.afterOf = afterOf;
    this.audience = audience === null ? null : Buffer.from(audience);
  }
}
