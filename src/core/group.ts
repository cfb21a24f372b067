/** What a member of a group is told when it joins and with every heartbeat. */
export interface Assignment {
  /** Grows with every change of who has what. A commit carries the one its partitions were assigned under. */
  readonly epoch: number;
  /** What the member works on, with the SCN to read behind in each: the partition's checkpoint. */
  readonly partitions: readonly AssignedPartition[];
  /**
   * What it must let go of: finish the changes at hand, commit them, and name them in the next heartbeat's `released`. They are no
   * longer in `partitions`; no further changes of theirs are sent.
   */
  readonly revoking: readonly number[];
  /** How often to send a heartbeat at least. */
  readonly heartbeatMs: number;
  /** A member that was not heard of for so long is out, and its partitions go to others. */
  readonly sessionTimeoutMs: number;
}

export interface AssignedPartition {
  readonly partition: number;
  /** The SCN up to which this partition is done. */
  readonly checkpoint: number;
  /** Under which epoch the member got it, or its checkpoint was last reset: with another one than before it begins anew at `checkpoint`. */
  readonly epoch?: number;
}

export interface Heartbeat {
  /** The epoch of the assignment that the member knows. */
  readonly epoch: number;
  /** Of the `revoking` ones: no change of theirs is being worked on any more. */
  readonly released: readonly number[];
}

export interface CommitRequest {
  /** The epoch of the assignment under which the changes were received. */
  readonly epoch: number;
  readonly checkpoints: readonly PartitionsCheckpoint[];
}

export interface PartitionsCheckpoint {
  readonly partitions: readonly number[];
  /** Everything of these partitions up to this SCN is done. The end of a transaction. */
  readonly scn: number;
}

export interface CommitResult {
  /** Partitions whose checkpoint was not moved, as they are not this member's any more. The others' are durable. */
  readonly fenced: readonly number[];
}
