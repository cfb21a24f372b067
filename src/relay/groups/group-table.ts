import type { Clock } from '../../base/clock.ts';
import { TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { GROUPS_PER_STREAM_MAX, UNUSED_AFTER_MS } from './group-limits.ts';
import type { GroupStore, StoredGroup } from './group-store.ts';
import { Group } from './group.ts';
import { KeyedLock } from './keyed-lock.ts';

export interface GroupTableOptions {
  readonly stream: string;
  readonly partitions: number;
  readonly store: GroupStore;
  readonly clock: Clock;
  /** Ms from some moment on; never goes back. */
  readonly elapsedMs: () => number;
  readonly log: Logger;
}

/** Which groups a stream has: by name, made and removed durably, one thing at a time being done to each as a whole. */
export class GroupTable {
  /** Held while a group is made, reset or removed: joins and commits wait. */
  readonly lock: KeyedLock = new KeyedLock();
  readonly #options: GroupTableOptions;
  readonly #groups = new Map<string, Group>();

  constructor(options: GroupTableOptions, stored: readonly StoredGroup[]) {
    this.#options = options;
    for (const group of stored) this.#add(group);
  }

  all(): Iterable<Group> {
    return this.#groups.values();
  }

  get(name: string): Group | undefined {
    return this.#groups.get(name);
  }

  /** @throws TidingsError GROUP_UNKNOWN */
  known(name: string): Group {
    const group = this.#groups.get(name);
    if (group !== undefined) return group;
    const { stream } = this.#options;
    throw new TidingsError('GROUP_UNKNOWN', `stream ${stream} has no group ${name}`, {
      details: { stream, group: name },
    });
  }

  /** All its partitions begin at `scn`. To be called with the lock held. @throws TidingsError GROUP_INVALID, DISK_FULL, DISK_ERROR */
  async create(name: string, scn: number): Promise<void> {
    const { partitions, store, clock, log } = this.#options;
    // oxlint-disable-next-line no-await-in-loop -- whatever is waited for, others may have made more meanwhile
    while (this.#groups.size >= GROUPS_PER_STREAM_MAX) await this.#makeRoom();
    await store.create({ group: name, partitions, scn, epochLimit: 0, createdMs: clock.nowMs() });
    const checkpoints = Array.from({ length: partitions }, (_, partition) => ({
      partition,
      scn,
      committedMs: null,
      epoch: 0,
    }));
    this.#add({ group: name, paused: false, epochLimit: 0, checkpoints });
    log.info({ group: name, scn }, 'a group begins');
  }

  /** @throws TidingsError GROUP_UNKNOWN, GROUP_IN_USE */
  async remove(name: string): Promise<void> {
    const { stream, store } = this.#options;
    await this.lock.with(name, async () => {
      const group = this.known(name);
      const members = group.state.members.size;
      if (members > 0) {
        throw new TidingsError('GROUP_IN_USE', `group ${name} of stream ${stream} still has members`, {
          details: { stream, group: name, members },
        });
      }
      await group.quiet();
      await store.remove(name);
      this.#groups.delete(name);
    });
  }

  #add(group: StoredGroup): void {
    const { store, elapsedMs } = this.#options;
    this.#groups.set(group.group, new Group(group, { store, nowMs: elapsedMs() }));
  }

  /**
   * A join alone makes a group, and many a mistake joins under a name of its own each time: what never was at work must not keep others out for good.
   * What was committed is never given up.
   *
   * @throws TidingsError GROUP_INVALID when there is nothing to give up
   */
  async #makeRoom(): Promise<void> {
    const { stream, store, elapsedMs, log } = this.#options;
    const isOver = ({ isUnused, usedAtMs }: Group): boolean => isUnused && elapsedMs() - usedAtMs >= UNUSED_AFTER_MS;
    const [longest] = [...this.#groups.values()]
      .filter((group) => isOver(group))
      .toSorted((a, b) => a.usedAtMs - b.usedAtMs);
    if (longest === undefined) {
      throw new TidingsError(
        'GROUP_INVALID',
        `stream ${stream} has ${this.#groups.size} groups, and can have no more`,
        {
          hint: 'Remove groups that nobody uses.',
          details: { stream },
        },
      );
    }
    const { name } = longest;
    await this.lock.with(name, async () => {
      if (this.#groups.get(name) !== longest || !isOver(longest)) return;
      await longest.quiet();
      await store.remove(name);
      this.#groups.delete(name);
      log.warn(
        { group: name },
        'a group that never committed anything, and has had no member for a day, gave way to a new one',
      );
    });
  }
}
