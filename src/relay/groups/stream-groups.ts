import { type Clock, systemClock } from '../../base/clock.ts';
import type { JoinOptions, MemberName } from '../../client/transport.ts';
import type { StartAt } from '../../core/consumer.ts';
import { TidingsError } from '../../core/errors.ts';
import type { Assignment, CommitRequest, CommitResult, Heartbeat } from '../../core/group.ts';
import { type Logger, silentLogger } from '../../core/logger.ts';
import type { ChangeLog } from '../log/change-log.ts';
import type { GroupStatus, StreamGroups } from '../relay-api.ts';
import type { RelayState } from '../state/relay-state.ts';
import { type AssignmentListener, Group } from './group.ts';
import {
  checkGroupName,
  checkMemberName,
  checkPartitions,
  heartbeatOf,
  MEMBERS_PER_GROUP_MAX,
  sessionTimeoutOf,
} from './group-limits.ts';
import type { MemberAssignment } from './group-state.ts';
import type { GroupStore, StoredGroup } from './group-store.ts';
import { GroupTable } from './group-table.ts';
import { loadGroups } from './load-groups.ts';
import { checkKept, checkReached, seekInLog } from './places.ts';
import { Rebalancer } from './rebalancer.ts';

export interface StreamGroupsOptions {
  readonly stream: string;
  readonly partitions: number;
  readonly store: GroupStore;
  /** The SCN to read behind. */
  readonly seek: (start: StartAt) => Promise<number>;
  /** What a reader may see: the changes behind `after`, up to `last`. */
  readonly visible: () => { readonly after: number; readonly last: number };
  readonly clock?: Clock;
  /** Ms from some moment on; never goes back. Sessions are measured by it, so that setting the wall clock ends none. */
  readonly elapsedMs?: () => number;
  readonly log?: Logger;
}

/** A join takes an epoch and so does what it sets in motion; a third is left for a reset. */
const EPOCHS_FOR_JOIN = 3;

/**
 * The groups of one stream: the state machines (`group-state.ts`) with time and a disk. For members it has what `Transport` has, for
 * whoever sends them changes `assignmentOf` and `onAssignment`, for everyone else `StreamGroups`.
 *
 * What a member is told rests on durable epochs only (a block of them is reserved at a time), and what is answered to a commit on
 * durable checkpoints.
 */
export class StreamGroupsService implements StreamGroups {
  readonly #options: StreamGroupsOptions;
  readonly #clock: Clock;
  readonly #elapsedMs: () => number;
  readonly #groups: GroupTable;
  readonly #rebalancer: Rebalancer;
  #closed = false;

  constructor(options: StreamGroupsOptions, stored: readonly StoredGroup[]) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#elapsedMs = options.elapsedMs ?? (() => performance.now());
    const common = { clock: this.#clock, log: options.log ?? silentLogger };
    const timed = { ...common, elapsedMs: this.#elapsedMs };
    this.#groups = new GroupTable({ ...options, ...timed }, stored);
    this.#rebalancer = new Rebalancer({ groups: () => this.#groups.all(), ...timed });
  }

  /**
   * The group begins at `from` when there is none yet. A process that has joined under this name before is out at once.
   *
   * @throws TidingsError GROUP_INVALID (a name, a limit), DISK_FULL, DISK_ERROR, and what `seek` throws
   */
  async join(name: MemberName, { from = 'latest', sessionTimeoutMs }: JoinOptions = {}): Promise<Assignment> {
    this.#checkOpen();
    checkMemberName(name);
    const sessionMs = sessionTimeoutOf(sessionTimeoutMs);
    let group = this.#groupToJoin(name.group, from);
    // oxlint-disable-next-line no-await-in-loop -- whatever is waited for, others may change what was seen before
    for (; !(group instanceof Group); group = this.#groupToJoin(name.group, from)) await group;
    const { members } = group.state;
    if (members.size >= MEMBERS_PER_GROUP_MAX && !members.has(name.member)) {
      throw new TidingsError(
        'GROUP_INVALID',
        `group ${name.group} has ${MEMBERS_PER_GROUP_MAX} members, and can have no more`,
      );
    }
    if (members.has(name.member)) group.endIncarnation(name.member);
    group.state.join(name.member, sessionMs, this.#elapsedMs());
    this.#rebalancer.settle(group);
    return this.#assignment(group, name);
  }

  /** @throws TidingsError GROUP_MEMBER_UNKNOWN when the member is out, or another process has joined under its name */
  // oxlint-disable-next-line require-await -- what it throws is the promise's
  async heartbeat(name: MemberName, beat: Heartbeat): Promise<Assignment> {
    this.#checkOpen();
    const group = this.#groups.get(name.group);
    if (group?.state.heartbeat(name.member, beat, this.#elapsedMs()) !== true) throw memberUnknown(name);
    if (group.state.unsettled) this.#rebalancer.settle(group);
    return this.#assignment(group, name);
  }

  /** Resolves when the checkpoints are durable. @throws TidingsError GROUP_MEMBER_UNKNOWN, GROUP_INVALID, SCN_UNKNOWN, DISK_FULL, DISK_ERROR */
  async commit(name: MemberName, request: CommitRequest): Promise<CommitResult> {
    this.#checkOpen();
    for (const [index, { partitions, scn }] of request.checkpoints.entries()) {
      checkPartitions(partitions, this.#options.partitions, `checkpoints.${index}.partitions`);
      this.#checkScn(scn, `checkpoints.${index}.scn`);
    }
    const { lock } = this.#groups;
    // oxlint-disable-next-line no-await-in-loop -- whoever came first may have taken it again
    for (let held = lock.held(name.group); held !== undefined; held = lock.held(name.group)) await held;
    // No pause from here until the write is on its way: a reset that comes now is behind it.
    const group = this.#groups.get(name.group);
    const verdict = group?.state.commit(name.member, request, this.#elapsedMs());
    if (group === undefined || verdict === undefined || verdict === 'member-unknown') throw memberUnknown(name);
    const committedMs = this.#clock.nowMs();
    await group.save(
      verdict.accepted.map(({ partition, checkpoint, epoch }) => ({ partition, scn: checkpoint, committedMs, epoch })),
    );
    return { fenced: verdict.fenced };
  }

  /** Gives all partitions back. Changes nothing when the member is out already, or another process has joined under its name. */
  // oxlint-disable-next-line require-await -- what it throws is the promise's
  async leave({ group: name, member }: MemberName, epoch: number): Promise<void> {
    const group = this.#groups.get(name);
    if (group?.state.leave(member, epoch) === true) this.#rebalancer.settle(group);
  }

  /** Null when the member is out. */
  assignmentOf({ group, member }: MemberName): MemberAssignment | null {
    return this.#groups.get(group)?.state.assignmentOf(member) ?? null;
  }

  /**
   * Calls back whenever what may be sent to the member has changed, with what it is now: partitions come, go, begin anew; the group
   * pauses. The last call is with null: the member is out, even if `assignmentOf` knows one of the same name, which is another
   * process then. A listener must not throw. Returns how to stop that.
   *
   * @throws TidingsError GROUP_MEMBER_UNKNOWN
   */
  onAssignment(name: MemberName, listener: AssignmentListener): () => void {
    const group = this.#groups.get(name.group);
    if (group?.state.members.has(name.member) !== true) throw memberUnknown(name);
    return group.listen(name.member, listener);
  }

  list(): readonly GroupStatus[] {
    const sinceEpochMs = this.#clock.nowMs() - this.#elapsedMs();
    return [...this.#groups.all()]
      .map((group) => group.status(sinceEpochMs))
      .toSorted((a, b) => (a.group < b.group ? -1 : 1));
  }

  get(group: string): GroupStatus | null {
    return this.#groups.get(group)?.status(this.#clock.nowMs() - this.#elapsedMs()) ?? null;
  }

  async pause(group: string): Promise<void> {
    await this.#setPaused(group, true);
  }

  async resume(group: string): Promise<void> {
    await this.#setPaused(group, false);
  }

  /**
   * A group that this makes begins at `scn` in all partitions, also in those that are not named.
   *
   * @throws TidingsError GROUP_INVALID, SCN_UNKNOWN, SCN_PURGED, DISK_FULL, DISK_ERROR: nothing has changed
   */
  async reset(name: string, scn: number, partitions?: readonly number[]): Promise<void> {
    this.#checkOpen();
    checkGroupName(name);
    this.#checkScn(scn);
    checkKept(scn, { stream: this.#options.stream, after: this.#options.visible().after });
    const all = Array.from({ length: this.#options.partitions }, (_, partition) => partition);
    const moved = partitions === undefined ? all : [...new Set(partitions)];
    checkPartitions(moved, this.#options.partitions);
    await this.#groups.lock.with(name, async () => {
      const group = this.#groups.get(name);
      if (group === undefined) {
        await this.#groups.create(name, scn);
        return;
      }
      if (group.state.epochsLeft < EPOCHS_FOR_JOIN) await group.reserveEpochs();
      // Commits that were accepted before it must not be written after it.
      await group.quiet();
      const committedMs = this.#clock.nowMs();
      const epoch = group.state.epoch + 1;
      await group.overwrite(moved.map((partition) => ({ partition, scn, committedMs, epoch })));
      group.state.reset(moved, scn);
      this.#rebalancer.settle(group);
    });
  }

  async remove(name: string): Promise<void> {
    await this.#groups.remove(name);
  }

  lowestCheckpoint(): number | null {
    let lowest: number | null = null;
    for (const { lowestCheckpoint } of this.#groups.all()) {
      lowest = Math.min(lowest ?? lowestCheckpoint, lowestCheckpoint);
    }
    return lowest;
  }

  /** Ends the timers. What is being written is finished. Members are not told: they will miss the relay by themselves. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#rebalancer.close();
    await Promise.all([...this.#groups.all()].map((group) => group.quiet()));
  }

  /** A group that can take a member now, or what must be waited for. */
  #groupToJoin(name: string, from: StartAt): Group | Promise<void> {
    this.#checkOpen();
    const held = this.#groups.lock.held(name);
    if (held !== undefined) return held;
    const group = this.#groups.get(name);
    if (group === undefined) return this.#begin(name, from);
    return group.state.epochsLeft < EPOCHS_FOR_JOIN ? group.reserveEpochs() : group;
  }

  async #begin(name: string, from: StartAt): Promise<void> {
    await this.#groups.lock.with(name, async () => {
      // Of several members that found no group, the first makes it, and its `from` counts.
      if (this.#groups.get(name) === undefined) await this.#groups.create(name, await this.#options.seek(from));
    });
  }

  async #setPaused(name: string, paused: boolean): Promise<void> {
    await this.#groups.lock.with(name, async () => {
      const group = this.#groups.known(name);
      await this.#options.store.setPaused(name, paused);
      group.state.setPaused(paused);
      group.notify();
    });
  }

  #assignment(group: Group, name: MemberName): Assignment {
    const assignment = group.state.assignmentOf(name.member);
    const member = group.state.members.get(name.member);
    if (assignment === null || member === undefined) throw memberUnknown(name);
    return {
      epoch: assignment.epoch,
      partitions: assignment.partitions,
      revoking: assignment.revoking,
      heartbeatMs: heartbeatOf(member.sessionMs),
      sessionTimeoutMs: member.sessionMs,
    };
  }

  #checkScn(scn: number, field?: string): void {
    checkReached(scn, { field, stream: this.#options.stream, last: this.#options.visible().last });
  }

  #checkOpen(): void {
    if (this.#closed) throw new TidingsError('RELAY_CLOSING', `stream ${this.#options.stream} is being closed`);
  }
}

export interface OpenStreamGroupsOptions {
  readonly stream: string;
  readonly log: ChangeLog;
  readonly state: RelayState;
  readonly clock?: Clock;
  readonly elapsedMs?: () => number;
  readonly logger?: Logger;
}

/** The groups of a stream as they were when the relay ended: without members, who join again. */
export async function openStreamGroups(options: OpenStreamGroupsOptions): Promise<StreamGroupsService> {
  const { stream, log, state, clock, elapsedMs, logger = silentLogger } = options;
  const store = state.groups(stream);
  const stored = await loadGroups(store, { partitions: log.partitions, log: logger });
  const service: StreamGroupsOptions = {
    stream,
    partitions: log.partitions,
    store,
    seek: (start) => seekInLog(log, start),
    visible: () => log.visible,
    log: logger,
    ...(clock === undefined ? {} : { clock }),
    ...(elapsedMs === undefined ? {} : { elapsedMs }),
  };
  return new StreamGroupsService(service, stored);
}

function memberUnknown({ group, member }: MemberName): TidingsError {
  return new TidingsError(
    'GROUP_MEMBER_UNKNOWN',
    `group ${group} has no member ${member}, or another process has joined under this name`,
    {
      details: { group, member },
    },
  );
}
