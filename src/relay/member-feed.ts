import type { FrameChunk, FrameReader, MemberName } from '../client/transport.ts';
import { TidingsError } from '../core/errors.ts';
import type { BatchFilter } from '../formats/log/batch-filter.ts';
import { batchLastScn, batchLength } from '../formats/log/batch-header.ts';
import { Backlog } from './backlog.ts';
import { ChunkSieve } from './chunk-sieve.ts';
import { controlChunk } from './control-chunk.ts';
import { hello, progress } from './feed.ts';
import type { MemberAssignment } from './groups/group-state.ts';
import type { StreamGroupsService } from './groups/stream-groups.ts';
import type { ChangeLog, LogChunk } from './log/change-log.ts';
import { MemberLane } from './member-lane.ts';
import { TurnAccount } from './turns.ts';
import { WakeUp } from './wake-up.ts';

export interface MemberFeedOptions {
  readonly log: ChangeLog;
  readonly groups: StreamGroupsService;
  readonly member: MemberName;
  readonly filter: BatchFilter;
  readonly signal: AbortSignal;
}

/**
 * What a group's member gets: the changes of its partitions, each behind its checkpoint, while partitions come and go.
 *
 * A lane is a set of partitions that are read together. Partitions that come in get a lane of their own, which begins at their
 * checkpoints; the lane that is furthest behind is always read first, and where it reaches another one the two become one. So a
 * partition that moves stops nobody else's (I8), and in the end there is one lane at the tail.
 */
export class MemberFeed implements FrameReader {
  readonly #log: ChangeLog;
  readonly #groups: StreamGroupsService;
  readonly #member: MemberName;
  readonly #filter: BatchFilter;
  readonly #sieve: ChunkSieve;
  readonly #wakeUp: WakeUp;
  readonly #unsubscribe: () => void;
  readonly #queue: FrameChunk[] = [];
  readonly #turn: TurnAccount = new TurnAccount();
  readonly #backlog: Backlog;
  #lanes: MemberLane[] = [];
  /** The lane whose partitions the receiver was told last; null when that is no longer true. */
  #announced: MemberLane | null = null;
  #assignmentChanged = true;
  #isOut = false;
  #paused = false;
  #ended = false;

  /** @throws TidingsError GROUP_MEMBER_UNKNOWN */
  constructor({ log, groups, member, filter, signal }: MemberFeedOptions) {
    this.#log = log;
    this.#backlog = new Backlog(log);
    this.#groups = groups;
    this.#member = member;
    this.#filter = filter;
    this.#sieve = new ChunkSieve(log, filter);
    this.#assignment();
    this.#wakeUp = new WakeUp(log, signal);
    this.#unsubscribe = groups.onAssignment(member, (assignment) => {
      // The member is out, be it that another process has joined under its name: what that one has is not for this feed.
      if (assignment === null) this.#isOut = true;
      this.#assignmentChanged = true;
      this.#wakeUp.ring();
    });
    this.#queue.push(hello(log));
  }

  /** It reads first what is furthest behind. */
  canWait(): boolean {
    const lane = this.#furthestBehind();
    return lane !== null && this.#backlog.canWait(lane.reader);
  }

  /** @throws TidingsError GROUP_MEMBER_UNKNOWN when the member is out, SCN_PURGED when a checkpoint is no longer kept */
  async next(): Promise<FrameChunk | null> {
    for (;;) {
      const queued = this.#queue.shift();
      if (queued !== undefined) return queued;
      if (this.#ended || this.#wakeUp.stopped) return this.#end();
      if (this.#assignmentChanged) {
        this.#reassign();
        continue;
      }
      if (this.#turn.isUsedUp) {
        // oxlint-disable-next-line no-await-in-loop -- others have their turn before the next chunk
        await this.#turn.next(this.canWait() ? this : null);
        continue;
      }
      const lane = this.#furthestBehind();
      const read = lane === null || this.#paused ? null : lane.reader.read();
      // oxlint-disable-next-line no-await-in-loop -- a stream is read in order; no promise while the batches are in memory
      const chunk = read instanceof Promise ? await read : read;
      if (lane !== null && chunk !== null) {
        // While the disk was read the partitions may have gone: nothing of theirs is sent any more.
        if (this.#assignmentChanged) this.#reassign();
        this.#turn.begin();
        this.#pass(lane, chunk);
        this.#turn.pause();
        continue;
      }
      // oxlint-disable-next-line no-await-in-loop -- the pause until there is more
      await this.#pause(lane);
    }
  }

  close(): void {
    if (this.#ended && this.#lanes.length === 0) return;
    this.#ended = true;
    this.#unsubscribe();
    for (const chunk of this.#queue.splice(0)) chunk.release();
    this.#wakeUp.close();
    for (const lane of this.#lanes.splice(0)) lane.reader.close();
  }

  /** The lane is at the end of what is visible, and with it all others; or there is none; or the group is paused. */
  async #pause(lane: MemberLane | null): Promise<void> {
    const isMore = (): boolean => !this.#paused && lane !== null && lane.at < this.#log.visible.last;
    const woken = await this.#wakeUp.wait(isMore);
    if (woken === 'time') for (const each of this.#lanes) this.#progress(each);
    else if (isMore()) this.#turn.hasNews(this);
  }

  #furthestBehind(): MemberLane | null {
    let last: MemberLane | null = null;
    for (const lane of this.#lanes) if (last === null || lane.at < last.at) last = lane;
    return last;
  }

  /** Sends what is for the lane, as far as the next lane's place: there they become one. */
  #pass(lane: MemberLane, chunk: LogChunk): void {
    const view = new DataView(chunk.bytes.buffer, chunk.bytes.byteOffset, chunk.bytes.byteLength);
    const output = this.#sieve.takeOutput();
    try {
      for (
        let start = chunk.start;
        start < chunk.end && this.#lanes.includes(lane);
        start += batchLength(view, start)
      ) {
        this.#sieve.passBatch(chunk, view, { start, lane: lane.filterLane, output });
        lane.at = Math.max(lane.at, batchLastScn(view, start));
        const met = this.#lanes.find((other) => other !== lane && other.at === lane.at);
        if (met !== undefined) {
          // What is sent so far is for the partitions of before.
          if (output.at > 0) this.#announce(lane);
          this.#merge(lane, met);
        }
      }
    } finally {
      chunk.release();
    }
    if (output.at > 0 && this.#lanes.includes(lane)) this.#announce(lane);
    const sent = this.#sieve.give(output, this.#queue);
    if (!sent && this.#wakeUp.progressIsDue() && this.#lanes.includes(lane)) this.#progress(lane);
  }

  #merge(lane: MemberLane, into: MemberLane): void {
    into.take(lane, (partitions) => this.#filter.partitionSet(partitions));
    lane.reader.close();
    this.#lanes = this.#lanes.filter((each) => each !== lane);
    // The lane's frames are in the queue under its own name already; the next ones are of both.
    if (this.#announced === into) this.#announced = null;
  }

  #announce(lane: MemberLane): void {
    if (this.#announced === lane) return;
    this.#announced = lane;
    this.#queue.push(controlChunk({ kind: 'lane', partitions: [...lane.epochs.keys()] }));
  }

  #progress(lane: MemberLane): void {
    // Inside a transaction of which it has some of the changes the receiver must not be told that it is further (I2).
    if (lane.filterLane.open === 'sent') return;
    this.#wakeUp.progressed();
    this.#announce(lane);
    this.#queue.push(progress(this.#log, lane.at));
  }

  /** Takes over what the member has now: lanes lose what went, and what came gets a lane of its own. */
  #reassign(): void {
    this.#assignmentChanged = false;
    const { epoch, partitions, revoking, paused } = this.#assignment();
    this.#paused = paused;
    const numbers = partitions.map(({ partition }) => partition);
    this.#queue.push(controlChunk({ kind: 'assignment', epoch, partitions: numbers, revoking }));
    this.#announced = null;
    const epochs = new Map(partitions.map((each) => [each.partition, each.epoch]));
    for (const lane of this.#lanes) {
      for (const [partition, since] of lane.epochs) {
        // Given back and got again, or its checkpoint was moved: it begins anew.
        if (epochs.get(partition) !== since) lane.epochs.delete(partition);
      }
      if (lane.epochs.size === 0) lane.reader.close();
      else lane.filterLane.partitions = this.#filter.partitionSet(lane.epochs.keys());
    }
    this.#lanes = this.#lanes.filter((lane) => lane.epochs.size > 0);
    const come = partitions.filter(({ partition }) => !this.#lanes.some((lane) => lane.epochs.has(partition)));
    if (come.length > 0) {
      const lane = new MemberLane(this.#log, this.#filter, { partitions: come, group: this.#member.group });
      const met = this.#lanes.find((other) => other.at === lane.at);
      this.#lanes.push(lane);
      if (met !== undefined) this.#merge(lane, met);
    }
  }

  #assignment(): MemberAssignment {
    const assignment = this.#isOut ? null : this.#groups.assignmentOf(this.#member);
    if (assignment !== null) return assignment;
    const { group, member } = this.#member;
    throw new TidingsError('GROUP_MEMBER_UNKNOWN', `"${member}" is no member of group ${group}`, {
      details: { group, member },
    });
  }

  #end(): null {
    this.close();
    return null;
  }
}
