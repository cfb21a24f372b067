import type { BootstrapMode } from '../../core/consumer.ts';
import type { StreamGroups } from '../relay-api.ts';
import type { ChangeLog } from '../log/change-log.ts';
import type { SnapshotService } from './stream-snapshots.ts';

export interface GroupBootstrapOptions {
  readonly log: ChangeLog;
  readonly groups: StreamGroups;
  readonly snapshots: SnapshotService;
}

/**
 * Gives a group that has no place in the log the rows as they stand: it goes on at the log's end, and the snapshot that is made for it
 * stands in the log behind that, where only its members see it.
 */
export class GroupBootstrap {
  readonly #options: GroupBootstrapOptions;
  /** By group: members that join at the same moment want it once. */
  readonly #beginning = new Map<string, Promise<void>>();

  constructor(options: GroupBootstrapOptions) {
    this.#options = options;
  }

  /**
   * To be awaited before a member joins. `auto`: when the group is new, or what it would read next is no longer kept; `always`: whenever no
   * other member is there.
   *
   * @throws TidingsError SNAPSHOT_UNSUPPORTED, GROUP_INVALID, DISK_FULL, DISK_ERROR
   */
  async before(group: string, mode: BootstrapMode): Promise<void> {
    if (mode === 'never') return;
    const beginning = this.#beginning.get(group);
    if (beginning !== undefined) return beginning;
    const begun = this.#begin(group, mode).finally(() => this.#beginning.delete(group));
    this.#beginning.set(group, begun);
    await begun;
  }

  async #begin(group: string, mode: BootstrapMode): Promise<void> {
    const { log, groups, snapshots } = this.#options;
    const status = groups.get(group);
    const isNew = status === null;
    const isPurged = status?.partitions.some(({ checkpoint }) => checkpoint < log.visible.after) === true;
    const isAlone = status?.members.length === 0;
    if (!isNew && !isPurged && !(mode === 'always' && isAlone) && !snapshots.isBootstrapPlanned(group)) return;
    // What a new group's consumer has is its own affair; one that was here before has rows that may be gone by now.
    await snapshots.bootstrap(group, { truncate: !isNew }, () => groups.reset(group, log.visible.last));
  }
}
