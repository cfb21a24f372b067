import type { CommitRequest, Heartbeat } from '../../core/group.ts';
import { shares } from './balance.ts';

/** What a member has now. The feed sends the changes of `partitions`, each behind its checkpoint. */
export interface MemberAssignment {
  readonly epoch: number;
  readonly partitions: readonly FedPartition[];
  readonly revoking: readonly number[];
  /** Nothing is to be sent until the group is resumed. */
  readonly paused: boolean;
}

export interface FedPartition {
  readonly partition: number;
  readonly checkpoint: number;
  /** When it was given to the member, or last reset. A partition with another epoch than before begins anew at `checkpoint`. */
  readonly epoch: number;
}

export interface Member {
  readonly name: string;
  /** The epoch of its joining: what an incarnation is known by. Who knows no assignment since then is a former one. */
  readonly joinEpoch: number;
  readonly sessionMs: number;
  readonly joinedAt: number;
  heardAt: number;
}

/** One partition. */
interface Slot {
  /** Null: nobody has it. */
  owner: string | null;
  /** A commit for it must have been received under this epoch or a later one. */
  epoch: number;
  /** The epoch under which the owner was told to release it; null while it may keep it. */
  revokedIn: number | null;
  /** When the owner loses it if it does not release it. */
  revokedUntil: number;
  /** Everything up to this SCN is done. Given to whoever has the partition next. */
  checkpoint: number;
  /** Who had it last: it goes back there when that costs nothing. */
  lastOwner: string | null;
}

export type CommitVerdict = 'member-unknown' | AcceptedCommit;

export interface AcceptedCommit {
  /** Partitions that have moved, or already were where they should be moved to, with their checkpoint now. */
  readonly accepted: readonly FedPartition[];
  readonly fenced: readonly number[];
}

export interface GroupStateOptions {
  /** Of each partition. */
  readonly checkpoints: readonly number[];
  /** The highest epoch that may ever have been given out. */
  readonly epoch: number;
  readonly paused: boolean;
}

/** Of the epochs that are reserved, `settle` leaves so many, so that a reset can always have one. */
const EPOCHS_FOR_RESET = 1;

/**
 * Who has which partition of a stream, and what may be committed. A state machine without timers and I/O: `now` is an argument, any
 * clock that never goes back, in ms.
 *
 * A partition's way: free -> owned -> revoking -> free. It is with one member at a time; the next one gets it only from `free`, under an
 * epoch that is higher than all before, and whoever had it can no longer commit it. A partition that is being revoked is never handed back
 * without having been free: its owner may have stopped working on it already.
 *
 * Every transition only takes partitions away; `settle` gives the free ones out and says which must move. What has changed for whom is
 * collected until `takeChanged`.
 */
export class GroupState {
  paused: boolean;
  #epoch: number;
  #epochLimit: number;
  readonly #slots: readonly Slot[];
  readonly #members = new Map<string, Member>();
  #changed = new Set<string>();
  #unsettled = true;

  constructor({ checkpoints, epoch, paused }: GroupStateOptions) {
    this.#epoch = epoch;
    this.#epochLimit = epoch;
    this.paused = paused;
    this.#slots = checkpoints.map((checkpoint) => ({
      owner: null,
      epoch,
      revokedIn: null,
      revokedUntil: 0,
      checkpoint,
      lastOwner: null,
    }));
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** How many epochs may still be given out: those that are durably reserved, so that none comes twice after a crash. */
  get epochsLeft(): number {
    return this.#epochLimit - this.#epoch;
  }

  get members(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  /** `settle` has something to do, and can. */
  get unsettled(): boolean {
    return this.#unsettled && this.#members.size > 0 && this.epochsLeft > EPOCHS_FOR_RESET;
  }

  /** The members for whom something has changed since the last call. Some may be out. */
  takeChanged(): ReadonlySet<string> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  reserveEpochs(limit: number): void {
    this.#epochLimit = Math.max(this.#epochLimit, limit);
  }

  /** Null: there is no such member. */
  assignmentOf(name: string): MemberAssignment | null {
    if (!this.#members.has(name)) return null;
    const partitions: FedPartition[] = [];
    const revoking: number[] = [];
    this.#slots.forEach(({ owner, revokedIn, checkpoint, epoch }, partition) => {
      if (owner !== name) return;
      if (revokedIn === null) partitions.push({ partition, checkpoint, epoch });
      else revoking.push(partition);
    });
    return { epoch: this.#epoch, partitions, revoking, paused: this.paused };
  }

  ownerOf(partition: number): string | null {
    return this.#slots[partition]?.owner ?? null;
  }

  checkpointOf(partition: number): number {
    return this.#slot(partition).checkpoint;
  }

  /**
   * A member of that name that is there already is out at once. Needs an epoch.
   *
   * @param session how long it may stay silent, ms
   */
  join(name: string, session: number, now: number): Member {
    this.#remove(name);
    const member = {
      name,
      joinEpoch: this.#nextEpoch(),
      sessionMs: session,
      joinedAt: now,
      heardAt: now,
    };
    this.#members.set(name, member);
    this.#unsettled = true;
    this.#changed.add(name);
    return member;
  }

  /** @param epoch any that it was told as a member. False: it is out already, or this is a former incarnation of it. */
  leave(name: string, epoch: number): boolean {
    if (this.#incarnation(name, epoch) === null) return false;
    this.#remove(name);
    return true;
  }

  /** False: the member is out, or this is a former incarnation of it. */
  heartbeat(name: string, { epoch, released }: Heartbeat, now: number): boolean {
    const member = this.#incarnation(name, epoch);
    if (member === null) return false;
    member.heardAt = now;
    for (const partition of released) {
      const slot = this.#slots[partition];
      // A heartbeat that comes late may name what was released before and has come back meanwhile: its epoch gives it away.
      if (slot?.owner !== name || slot.revokedIn === null || slot.revokedIn > epoch) continue;
      free(slot);
      this.#unsettled = true;
      this.#changed.add(name);
    }
    return true;
  }

  /** Takes away what is overdue: members that were silent for too long, partitions that were not released in time. */
  expire(now: number): void {
    for (const { name, heardAt, sessionMs } of this.#members.values()) {
      if (heardAt + sessionMs <= now) this.#remove(name);
    }
    for (const slot of this.#slots) {
      if (slot.owner === null || slot.revokedIn === null || slot.revokedUntil > now) continue;
      this.#changed.add(slot.owner);
      free(slot);
      this.#unsettled = true;
    }
  }

  /** When `expire` has something to do next; null: never, as it is now. */
  nextDeadline(): number | null {
    let next = Number.POSITIVE_INFINITY;
    for (const { heardAt, sessionMs } of this.#members.values()) next = Math.min(next, heardAt + sessionMs);
    for (const { owner, revokedIn, revokedUntil } of this.#slots) {
      if (owner !== null && revokedIn !== null) next = Math.min(next, revokedUntil);
    }
    return next === Number.POSITIVE_INFINITY ? null : next;
  }

  /** The relay itself stood still for so long, and heard nobody: that is not to be held against anyone. */
  forgive(ms: number): void {
    for (const member of this.#members.values()) member.heardAt += ms;
    for (const slot of this.#slots) slot.revokedUntil += ms;
  }

  /**
   * Gives out what is free, and tells those who have too much to release the rest. To be called after every transition; without
   * need it changes nothing.
   */
  settle(now: number): void {
    if (!this.unsettled) return;
    this.#unsettled = false;
    const kept = new Map<string, number[]>([...this.#members.keys()].map((name) => [name, []]));
    const freed: number[] = [];
    this.#slots.forEach(({ owner, revokedIn }, partition) => {
      if (owner === null) freed.push(partition);
      else if (revokedIn === null) kept.get(owner)?.push(partition);
    });
    const share = shares(
      this.#slots.length,
      [...kept].map(([member, { length }]) => ({ member, has: length })),
    );
    const surplus = [...kept].flatMap(([name, partitions]) => partitions.slice(share.get(name) ?? 0));
    if (freed.length === 0 && surplus.length === 0) return;
    const epoch = this.#nextEpoch();
    for (const partition of surplus) this.#revoke(this.#slot(partition), epoch, now);
    this.#give(freed, epoch, new Map([...kept].map(([name, { length }]) => [name, (share.get(name) ?? 0) - length])));
  }

  /**
   * Moves the checkpoints that the member may move, and never back. An epoch higher than any that was given out is one of another
   * history of this group, and its member must join this one.
   */
  commit(name: string, { epoch, checkpoints }: CommitRequest, now: number): CommitVerdict {
    const member = this.#incarnation(name, epoch);
    if (member === null) return 'member-unknown';
    member.heardAt = now;
    const accepted = new Map<number, FedPartition>();
    const fenced = new Set<number>();
    for (const { partitions, scn } of checkpoints) {
      for (const partition of partitions) {
        const slot = this.#slots[partition];
        if (slot?.owner !== name || slot.epoch > epoch) {
          fenced.add(partition);
          continue;
        }
        slot.checkpoint = Math.max(slot.checkpoint, scn);
        accepted.set(partition, { partition, checkpoint: slot.checkpoint, epoch: slot.epoch });
      }
    }
    return { accepted: [...accepted.values()], fenced: [...fenced] };
  }

  /** What was received before can no longer be committed; owners begin again at `scn`. Needs an epoch. */
  reset(partitions: readonly number[], scn: number): void {
    const epoch = this.#nextEpoch();
    for (const partition of partitions) {
      const slot = this.#slot(partition);
      slot.checkpoint = scn;
      slot.epoch = epoch;
      if (slot.owner !== null) this.#changed.add(slot.owner);
    }
  }

  setPaused(paused: boolean): void {
    if (this.paused === paused) return;
    this.paused = paused;
    for (const name of this.#members.keys()) this.#changed.add(name);
  }

  #remove(name: string): void {
    if (!this.#members.delete(name)) return;
    for (const slot of this.#slots) if (slot.owner === name) free(slot);
    this.#unsettled = true;
    this.#changed.add(name);
  }

  #incarnation(name: string, epoch: number): Member | null {
    const member = this.#members.get(name);
    return member === undefined || epoch < member.joinEpoch || epoch > this.#epoch ? null : member;
  }

  #revoke(slot: Slot, epoch: number, now: number): void {
    const owner = this.#members.get(slot.owner ?? '');
    if (owner === undefined) throw new Error('a partition that nobody has cannot be revoked');
    slot.revokedIn = epoch;
    slot.revokedUntil = now + owner.sessionMs;
    this.#changed.add(owner.name);
  }

  /** @param wants how many each member may still get */
  #give(freed: readonly number[], epoch: number, wants: Map<string, number>): void {
    const others: number[] = [];
    const give = (partition: number, name: string): void => {
      Object.assign(this.#slot(partition), { owner: name, epoch, lastOwner: name });
      wants.set(name, (wants.get(name) ?? 0) - 1);
      this.#changed.add(name);
    };
    for (const partition of freed) {
      const { lastOwner } = this.#slot(partition);
      if (lastOwner !== null && (wants.get(lastOwner) ?? 0) > 0) give(partition, lastOwner);
      else others.push(partition);
    }
    for (const partition of others) {
      let neediest: string | null = null;
      for (const [name, want] of wants) {
        if (want > (neediest === null ? 0 : (wants.get(neediest) ?? 0))) neediest = name;
      }
      // The shares add up to all partitions, so that there is somebody for each.
      if (neediest === null) throw new Error('a partition is left over');
      give(partition, neediest);
    }
  }

  #nextEpoch(): number {
    if (this.epochsLeft < 1) throw new Error('no epoch is reserved');
    return ++this.#epoch;
  }

  #slot(partition: number): Slot {
    const slot = this.#slots[partition];
    if (slot === undefined) throw new RangeError(`there is no partition ${partition}`);
    return slot;
  }
}

function free(slot: Slot): void {
  slot.owner = null;
  slot.revokedIn = null;
}
