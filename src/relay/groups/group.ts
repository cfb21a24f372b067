import type { GroupStatus } from '../relay-api.ts';
import { GroupState, type MemberAssignment } from './group-state.ts';
import type { GroupStore, StoredCheckpoint, StoredGroup } from './group-store.ts';

/** Null: the member is out, or another process has joined under its name; nothing is called after that. */
export type AssignmentListener = (assignment: MemberAssignment | null) => void;

/** So many epochs are reserved at once: that many changes of who has what cost one write. */
const EPOCHS_RESERVED = 1000;

/**
 * One group: its state, what of its checkpoints is durable, and who wants to be told.
 *
 * `state` has the checkpoints that members have reported: the next owner begins there, since that work is done whether or not the relay
 * could write it down. What is answered, shown and kept in the log goes by the durable ones, which may lag and never lead (I2).
 */
export class Group {
  readonly name: string;
  readonly state: GroupState;
  /** When it was last seen with members, to within a session; by a clock that never goes back. */
  usedAtMs: number;
  readonly #store: GroupStore;
  readonly #durable: StoredCheckpoint[];
  readonly #writes = new Set<Promise<void>>();
  readonly #listeners = new Map<string, Set<AssignmentListener>>();
  #reserving: Promise<void> | null = null;

  constructor(
    { group, paused, epochLimit, checkpoints }: StoredGroup,
    { store, nowMs }: { readonly store: GroupStore; readonly nowMs: number },
  ) {
    this.name = group;
    this.usedAtMs = nowMs;
    this.state = new GroupState({ checkpoints: checkpoints.map(({ scn }) => scn), epoch: epochLimit, paused });
    this.#store = store;
    this.#durable = [...checkpoints];
  }

  get lowestCheckpoint(): number {
    return this.#durable.reduce((lowest, { scn }) => Math.min(lowest, scn), Number.POSITIVE_INFINITY);
  }

  /** Without members, paused by nobody, and no checkpoint of it was ever committed: there is only where it would begin. */
  get isUnused(): boolean {
    const { members, paused } = this.state;
    return members.size === 0 && !paused && this.#durable.every(({ committedMs }) => committedMs === null);
  }

  /** Resolves when these checkpoints, or later ones of their partitions, are durable. */
  async save(checkpoints: readonly StoredCheckpoint[]): Promise<void> {
    const behind = checkpoints.filter(({ partition, scn }) => scn > this.durable(partition));
    // Of the others it is known that they are durable, or it is somebody else's write that failed and this one tries again.
    if (behind.length === 0) return;
    await this.#write(this.#store.saveCheckpoints(this.name, behind));
    for (const checkpoint of behind) {
      if (checkpoint.scn > this.durable(checkpoint.partition)) this.#durable[checkpoint.partition] = checkpoint;
    }
  }

  /** As `save`, but also back. Nothing may be saved meanwhile. */
  async overwrite(checkpoints: readonly StoredCheckpoint[]): Promise<void> {
    await this.#write(this.#store.saveCheckpoints(this.name, checkpoints));
    for (const checkpoint of checkpoints) this.#durable[checkpoint.partition] = checkpoint;
  }

  /** Resolves when no write is on its way any more. */
  async quiet(): Promise<void> {
    await Promise.allSettled(this.#writes);
  }

  /** Resolves when further epochs may be given out. */
  reserveEpochs(): Promise<void> {
    this.#reserving ??= this.#reserve().finally(() => {
      this.#reserving = null;
    });
    return this.#reserving;
  }

  listen(member: string, listener: AssignmentListener): () => void {
    const listeners = this.#listeners.get(member) ?? new Set();
    this.#listeners.set(member, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Tells all for whom something has changed. */
  notify(): void {
    for (const name of this.state.takeChanged()) this.#tell(name, this.state.assignmentOf(name));
  }

  /** Another process takes over the name: whoever listens for the former one hears the last of it. */
  endIncarnation(member: string): void {
    this.#tell(member, null);
  }

  /** @param sinceEpochMs wall clock minus `elapsedMs` */
  status(sinceEpochMs: number): GroupStatus {
    const members = [...this.state.members.values()].map(({ name, joinedAt, heardAt }) => {
      const { partitions, revoking } = this.state.assignmentOf(name) ?? { partitions: [], revoking: [] };
      return {
        member: name,
        joinedMs: Math.round(sinceEpochMs + joinedAt),
        heardMs: Math.round(sinceEpochMs + heardAt),
        partitions: partitions.map(({ partition }) => partition),
        revoking,
      };
    });
    const partitions = this.#durable.map(({ partition, scn, committedMs }) => ({
      partition,
      member: this.state.ownerOf(partition),
      checkpoint: scn,
      committedMs,
    }));
    return { group: this.name, paused: this.state.paused, epoch: this.state.epoch, members, partitions };
  }

  durable(partition: number): number {
    return this.#durable[partition]?.scn ?? 0;
  }

  async #reserve(): Promise<void> {
    const limit = this.state.epoch + EPOCHS_RESERVED;
    await this.#write(this.#store.raiseEpochLimit(this.name, limit));
    this.state.reserveEpochs(limit);
  }

  async #write(write: Promise<void>): Promise<void> {
    this.#writes.add(write);
    try {
      await write;
    } finally {
      this.#writes.delete(write);
    }
  }

  #tell(member: string, assignment: MemberAssignment | null): void {
    const listeners = this.#listeners.get(member);
    if (listeners === undefined) return;
    if (assignment === null) this.#listeners.delete(member);
    // A copy: whoever is told may stop listening.
    for (const listener of [...listeners]) listener(assignment);
  }
}
