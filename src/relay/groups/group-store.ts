/** Where the groups of one stream are kept. Every promise of a write resolves when it is durable; writes take effect in the order of the calls. */
export interface GroupStore {
  load(): Promise<readonly StoredGroup[]>;
  /** All partitions begin at `scn`. */
  create(group: NewGroup): Promise<void>;
  /** @throws TidingsError DISK_FULL, DISK_ERROR: nothing is stored. GROUP_UNKNOWN when the group is gone */
  saveCheckpoints(group: string, checkpoints: readonly StoredCheckpoint[]): Promise<void>;
  /** Puts other checkpoints, and as many of them, in the place of the group's. */
  replaceCheckpoints(group: string, checkpoints: readonly StoredCheckpoint[]): Promise<void>;
  /** No epoch above this one is given to anybody before it was raised. */
  raiseEpochLimit(group: string, epochLimit: number): Promise<void>;
  setPaused(group: string, paused: boolean): Promise<void>;
  remove(group: string): Promise<void>;
}

export interface NewGroup {
  readonly group: string;
  readonly partitions: number;
  readonly scn: number;
  readonly epochLimit: number;
  readonly createdMs: number;
}

export interface StoredGroup {
  readonly group: string;
  readonly paused: boolean;
  readonly epochLimit: number;
  /** One for each partition, in their order. */
  readonly checkpoints: readonly StoredCheckpoint[];
}

export interface StoredCheckpoint {
  readonly partition: number;
  readonly scn: number;
  /** ms since 1970 UTC; null: it is where the group began. */
  readonly committedMs: number | null;
  /** The epoch of whoever moved it last; for a person who looks into the file. */
  readonly epoch: number;
}
