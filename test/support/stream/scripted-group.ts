import type {
  FilterRequest,
  FrameChunk,
  FrameReader,
  JoinOptions,
  MemberName,
  Transport,
} from '../../../src/client/transport.ts';
import { TidingsError } from '../../../src/core/errors.ts';
import type { Assignment, CommitRequest, CommitResult, Heartbeat } from '../../../src/core/group.ts';
import { type ControlFrame, encodeControl } from '../../../src/formats/log/control-frame.ts';
import { encodeStates, partitionOf, type StatesTransaction } from './log-bytes.ts';

interface Slot {
  owner: string | null;
  epoch: number;
  revokedIn: number | null;
  checkpoint: number;
}

interface StoredBatch {
  readonly transactions: readonly StatesTransaction[];
  readonly first: number;
  readonly last: number;
  readonly open: boolean;
}

export interface ScriptedGroupOptions {
  readonly partitions: number;
  /** Numbers in [0, 1): decides how long requests and answers are on their way, and which are lost. */
  readonly random: () => number;
  readonly heartbeatMs?: number;
  readonly sessionTimeoutMs?: number;
  /** Frames that are on their way to a member before it asks for them. */
  readonly prefetch?: number;
  /** Assignments say the epoch of each partition, as the relay's own process does. */
  readonly tellsEpochs?: boolean;
}

/**
 * A group and its log in memory, by the rules of docs/concepts/groups.md, with a network between it and its members: requests and
 * answers take their time, some are lost, and frames are on their way when partitions move.
 */
export class ScriptedGroup {
  readonly slots: readonly Slot[];
  readonly batches: StoredBatch[] = [];
  epoch = 0;
  /** Of requests and answers: how many of a hundred are lost. */
  lossPercent = 0;
  /** Called with every checkpoint that is moved. */
  onCommit: (partition: number, scn: number) => void = () => {};
  readonly #options: Required<ScriptedGroupOptions>;
  readonly #members = new Map<string, { readonly joinEpoch: number }>();
  readonly #readers = new Set<MemberReader>();
  down = false;

  constructor(options: ScriptedGroupOptions) {
    this.#options = { heartbeatMs: 2, sessionTimeoutMs: 60_000, prefetch: 4, tellsEpochs: true, ...options };
    this.slots = Array.from({ length: options.partitions }, () => ({
      owner: null,
      epoch: 0,
      revokedIn: null,
      checkpoint: 0,
    }));
  }

  get last(): number {
    return this.batches.at(-1)?.last ?? 0;
  }

  get members(): readonly string[] {
    return [...this.#members.keys()];
  }

  append(transactions: readonly StatesTransaction[], { open = false }: { open?: boolean } = {}): void {
    const scns = transactions.flatMap(({ changes }) => changes.map(({ scn }) => scn));
    this.batches.push({ transactions, first: scns[0] ?? 1, last: scns.at(-1) ?? 0, open });
    this.#pump();
  }

  transport(): Transport {
    return {
      read: onlyMembers,
      identity: onlyMembers,
      bootstrap: onlyMembers,
      dismiss: onlyMembers,
      readAsMember: (member, request, signal) => this.#request(() => this.#open(member, request, signal)),
      join: (member, options) => this.#request(() => this.#join(member, options)),
      heartbeat: (member, beat) => this.#request(() => this.#heartbeat(member, beat)),
      commit: (member, request) => this.#request(() => this.#commit(member, request)),
      leave: ({ member }, epoch) =>
        this.#request(() => {
          if (this.#isMember(member, epoch)) this.#leave(member);
        }),
      close: () => Promise.resolve(),
    };
  }

  /** As if the member had not been heard of for too long. */
  expire(member: string): void {
    this.#leave(member);
  }

  /** The relay ends and begins anew: only checkpoints and the epoch are kept. */
  restart(): void {
    for (const name of this.members) this.#members.delete(name);
    for (const slot of this.slots) {
      slot.owner = null;
      slot.revokedIn = null;
    }
    this.epoch += 100;
    this.cut();
  }

  /** Ends all readings. */
  cut(): void {
    for (const reader of this.#readers) reader.fail(lost());
  }

  reset(scn: number): void {
    this.epoch++;
    for (const slot of this.slots) {
      slot.checkpoint = scn;
      slot.epoch = this.epoch;
    }
    this.#pump();
  }

  async #request<T>(act: () => T): Promise<T> {
    await this.#lag();
    if (this.down || this.#isLost()) throw lost();
    const answer = act();
    await this.#lag();
    if (this.#isLost()) throw lost();
    return answer;
  }

  #isLost(): boolean {
    return this.#options.random() * 100 < this.lossPercent;
  }

  async #lag(): Promise<void> {
    for (let ticks = Math.floor(this.#options.random() * 4); ticks > 0; ticks--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #join({ member }: MemberName, _options: JoinOptions): Assignment {
    this.#leave(member);
    this.#members.set(member, { joinEpoch: ++this.epoch });
    this.#settle();
    return this.#assignment(member);
  }

  #leave(member: string): void {
    if (!this.#members.delete(member)) return;
    for (const slot of this.slots) if (slot.owner === member) this.#free(slot);
    this.#settle();
  }

  #heartbeat({ member }: MemberName, { epoch, released }: Heartbeat): Assignment {
    this.#check(member, epoch);
    for (const partition of released) {
      const slot = this.slots[partition];
      if (slot?.owner === member && slot.revokedIn !== null && slot.revokedIn <= epoch) this.#free(slot);
    }
    this.#settle();
    return this.#assignment(member);
  }

  #commit({ member }: MemberName, { epoch, checkpoints }: CommitRequest): CommitResult {
    this.#check(member, epoch);
    const fenced: number[] = [];
    for (const { partitions, scn } of checkpoints) {
      for (const partition of partitions) {
        const slot = this.slots[partition];
        if (slot === undefined || slot.owner !== member || slot.epoch > epoch) fenced.push(partition);
        else if (scn > slot.checkpoint) {
          slot.checkpoint = scn;
          this.onCommit(partition, scn);
        }
      }
    }
    return { fenced };
  }

  #check(member: string, epoch: number): void {
    if (!this.#isMember(member, epoch)) throw new TidingsError('GROUP_MEMBER_UNKNOWN', `${member} is no member`);
  }

  #isMember(member: string, epoch: number): boolean {
    const known = this.#members.get(member);
    return known !== undefined && epoch >= known.joinEpoch && epoch <= this.epoch;
  }

  #free(slot: Slot): void {
    slot.owner = null;
    slot.revokedIn = null;
  }

  #settle(): void {
    const names = this.members;
    if (names.length > 0) {
      const has = new Map(names.map((name) => [name, 0]));
      for (const { owner, revokedIn } of this.slots) {
        if (owner !== null && revokedIn === null) has.set(owner, (has.get(owner) ?? 0) + 1);
      }
      const most = Math.ceil(this.slots.length / names.length);
      const epoch = this.epoch + 1;
      for (const slot of this.slots) {
        if (slot.owner !== null && slot.revokedIn === null && (has.get(slot.owner) ?? 0) > most) {
          slot.revokedIn = epoch;
          has.set(slot.owner, (has.get(slot.owner) ?? 0) - 1);
          this.epoch = epoch;
        } else if (slot.owner === null) {
          const [poorest] = [...has].toSorted(([, a], [, b]) => a - b);
          if (poorest === undefined || poorest[1] >= most) continue;
          slot.owner = poorest[0];
          slot.epoch = epoch;
          has.set(poorest[0], poorest[1] + 1);
          this.epoch = epoch;
        }
      }
    }
    this.#pump();
  }

  #assignment(member: string): Assignment {
    const { heartbeatMs, sessionTimeoutMs, tellsEpochs } = this.#options;
    const numbers = this.slots.map((_, partition) => partition);
    return {
      epoch: this.epoch,
      partitions: numbers
        .filter((partition) => this.slots[partition]?.owner === member && this.slots[partition].revokedIn === null)
        .map((partition) => {
          const { checkpoint, epoch } = this.slots[partition] as Slot;
          return { partition, checkpoint, ...(tellsEpochs ? { epoch } : {}) };
        }),
      revoking: numbers.filter(
        (partition) => this.slots[partition]?.owner === member && this.slots[partition].revokedIn !== null,
      ),
      heartbeatMs,
      sessionTimeoutMs,
    };
  }

  #open({ member }: MemberName, _request: FilterRequest, signal: AbortSignal): FrameReader {
    this.#check(member, this.epoch);
    const reader = new MemberReader(this, member, this.#options);
    this.#readers.add(reader);
    signal.addEventListener('abort', () => this.#readers.delete(reader));
    reader.pump();
    return reader;
  }

  #pump(): void {
    for (const reader of this.#readers) reader.pump();
  }
}

interface Lane {
  /** Partition -> the epoch under which it was given. */
  readonly epochs: Map<number, number>;
  at: number;
}

/** Lanes as the relay has them: new partitions get one of their own, the one furthest behind is read, those that meet become one. */
class MemberReader implements FrameReader {
  readonly #group: ScriptedGroup;
  readonly #member: string;
  readonly #prefetch: number;
  readonly #random: () => number;
  readonly #queue: Buffer[] = [];
  #lanes: Lane[] = [];
  #epoch = -1;
  #announced = '';
  #failure: TidingsError | null = null;
  #closed = false;
  #waiter: (() => void) | null = null;

  constructor(group: ScriptedGroup, member: string, { prefetch, random }: Required<ScriptedGroupOptions>) {
    this.#group = group;
    this.#member = member;
    this.#prefetch = prefetch;
    this.#random = random;
    const { last } = group;
    this.#control({
      kind: 'hello',
      stream: 'shop',
      created: 1,
      partitions: group.slots.length,
      first: last > 0 ? 1 : null,
      last: last > 0 ? last : null,
    });
  }

  async next(): Promise<FrameChunk | null> {
    for (;;) {
      if (this.#closed) return null;
      if (this.#queue.length > 0) {
        // What has come in since is one chunk, as over a connection.
        const count = 1 + Math.floor(this.#random() * this.#queue.length);
        const bytes = Buffer.concat(this.#queue.splice(0, count));
        this.pump();
        // Whoever looks into it after giving it back sees something else.
        return { bytes, start: 0, end: bytes.length, release: () => bytes.fill(0xee) };
      }
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#waiter = resolve;
      });
    }
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  fail(error: TidingsError): void {
    this.#failure = error;
    this.#wake();
  }

  pump(): void {
    while (!this.#closed && this.#failure === null && this.#queue.length < this.#prefetch && this.#produce());
    if (this.#queue.length > 0) this.#wake();
  }

  #produce(): boolean {
    if (!this.#group.members.includes(this.#member)) {
      this.#failure = new TidingsError('GROUP_MEMBER_UNKNOWN', `${this.#member} is no member`);
      this.#wake();
      return false;
    }
    if (this.#epoch !== this.#group.epoch) {
      this.#reassign();
      return true;
    }
    const lane = this.#lanes.toSorted((a, b) => a.at - b.at)[0];
    const batch = this.#group.batches.find(({ last }) => last > (lane?.at ?? 0));
    if (lane === undefined || batch === undefined) return false;
    this.#send(lane, batch);
    lane.at = batch.last;
    const met = this.#lanes.find((other) => other !== lane && other.at === lane.at);
    if (met !== undefined) {
      for (const [partition, epoch] of lane.epochs) met.epochs.set(partition, epoch);
      this.#lanes = this.#lanes.filter((each) => each !== lane);
    }
    return true;
  }

  #send({ epochs, at }: Lane, { transactions, first, last, open }: StoredBatch): void {
    const partitions = [...epochs.keys()];
    const name = partitions.join(',');
    if (name !== this.#announced) this.#control({ kind: 'lane', partitions });
    this.#announced = name;
    const count = this.#group.slots.length;
    const only = ({ id, scn }: { id: number; scn: number }): boolean => scn > at && epochs.has(partitionOf(id, count));
    // Who got a part of a long transaction gets its end, too, be there anything in it or not.
    const mustEnd = transactions[0]?.continues === true && !open;
    if (mustEnd || transactions.some(({ changes }) => changes.some(only))) {
      this.#queue.push(encodeStates(transactions, { firstScn: first, count: last - first + 1, open, only }));
    } else if (!open) this.#control({ kind: 'progress', scn: last, time: null });
  }

  #reassign(): void {
    const { slots } = this.#group;
    this.#epoch = this.#group.epoch;
    this.#announced = '';
    const mine = [...slots.entries()].filter(([, { owner }]) => owner === this.#member);
    const given = mine.filter(([, { revokedIn }]) => revokedIn === null);
    this.#control({
      kind: 'assignment',
      epoch: this.#epoch,
      partitions: given.map(([partition]) => partition),
      revoking: mine.filter(([, { revokedIn }]) => revokedIn !== null).map(([partition]) => partition),
    });
    const epochs = new Map(given.map(([partition, { epoch }]) => [partition, epoch]));
    for (const lane of this.#lanes) {
      for (const [partition, epoch] of lane.epochs) if (epochs.get(partition) !== epoch) lane.epochs.delete(partition);
    }
    this.#lanes = this.#lanes.filter(({ epochs }) => epochs.size > 0);
    for (const [partition, { checkpoint, epoch }] of given) {
      if (this.#lanes.some((lane) => lane.epochs.has(partition))) continue;
      const met = this.#lanes.find(({ at }) => at === checkpoint);
      if (met === undefined) this.#lanes.push({ epochs: new Map([[partition, epoch]]), at: checkpoint });
      else met.epochs.set(partition, epoch);
    }
  }

  #control(frame: ControlFrame): void {
    this.#queue.push(encodeControl(frame));
  }

  #wake(): void {
    this.#waiter?.();
    this.#waiter = null;
  }
}

function onlyMembers(): Promise<never> {
  return Promise.reject(new Error('there are only members here'));
}

function lost(): TidingsError {
  return new TidingsError('CONNECTION_LOST', 'the network has lost something');
}
