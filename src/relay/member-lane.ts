import { groupAudience } from '../core/change.ts';
import type { BatchFilter } from '../formats/log/batch-filter.ts';
import type { FilterLane, PartitionSet } from '../formats/log/filter-lane.ts';
import type { FedPartition } from './groups/group-state.ts';
import type { ChangeLog, LogReader } from './log/change-log.ts';

/** Partitions of one member that are read together. */
export class MemberLane {
  readonly reader: LogReader;
  readonly filterLane: FilterLane;
  /** The partitions, each with the epoch under which it was assigned. */
  readonly epochs: Map<number, number>;
  /** Everything of the partitions up to this SCN was sent, or is done already. */
  at: number;
  readonly #afterOf: Float64Array;

  /** @throws TidingsError SCN_PURGED when the lowest checkpoint is no longer kept */
  constructor(
    log: ChangeLog,
    filter: BatchFilter,
    { partitions, group }: { partitions: readonly FedPartition[]; group: string },
  ) {
    this.epochs = new Map(partitions.map(({ partition, epoch }) => [partition, epoch]));
    this.at = Math.min(...partitions.map(({ checkpoint }) => checkpoint));
    this.#afterOf = new Float64Array(log.partitions);
    for (const { partition, checkpoint } of partitions) this.#afterOf[partition] = checkpoint;
    const audience = groupAudience(group);
    this.filterLane = filter.lane({ after: this.at, partitions: this.epochs.keys(), afterOf: this.#afterOf, audience });
    this.reader = log.openReader(this.at);
  }

  /** Another lane has come to the same place: from here on they are one. */
  take(other: MemberLane, setOf: (partitions: Iterable<number>) => PartitionSet): void {
    for (const [partition, epoch] of other.epochs) {
      this.epochs.set(partition, epoch);
      this.#afterOf[partition] = other.#afterOf[partition] ?? 0;
    }
    this.filterLane.partitions = setOf(this.epochs.keys());
    // Either one may have sent the beginning of the transaction that goes on here.
    if (other.filterLane.open === 'sent') this.filterLane.open = 'sent';
  }
}
