import type { AssignedPartition, Assignment } from '../core/group.ts';

/** One partition while this member has it, from being assigned to being given back. If it comes again that is another one. */
export class HeldPartition {
  readonly partition: number;
  /** Frames sent under an older assignment than this are not meant for it. */
  readonly since: number;
  /** When the relay gave it, if the relay says so. */
  readonly epoch: number | null;
  /** `revoking`: nothing more of it is handed over. `gone`: nothing of it can be committed. */
  state: 'held' | 'revoking' | 'gone' = 'held';
  /** The consumer knows that it has it. */
  announced = false;
  /** Everything up to this SCN was handed over, or is not for this consumer. */
  delivered: number;
  /** The last transaction end at or before `delivered`, and the epoch under which it was reached. */
  safe: number;
  safeEpoch: number;
  /** `delivered` lies inside a transaction of which changes were handed over. */
  open = false;
  /** The checkpoint, as far as it is known to be durable. */
  committed: number;
  /** The same, when the last heartbeat was sent: an answer to it cannot know less. */
  committedAtBeat: number;

  constructor({ partition, checkpoint, epoch }: AssignedPartition, since: number) {
    this.partition = partition;
    this.since = epoch ?? since;
    this.epoch = epoch ?? null;
    this.delivered = checkpoint;
    this.safe = checkpoint;
    this.safeEpoch = this.since;
    this.committed = checkpoint;
    this.committedAtBeat = checkpoint;
  }
}

/**
 * Which partitions a member has, from what the relay says. Answers come in order, one heartbeat at a time.
 *
 * A partition is in one of three places: in `held`; among the `released`, until the relay has heard of it; or with others.
 */
export class HeldPartitions {
  readonly held: Map<number, HeldPartition> = new Map();
  /** Went without being asked for: the consumer has to be told. */
  lost: HeldPartition[] = [];
  /** Given back; the relay does not know yet. */
  readonly released: Set<number> = new Set();
  /** Grows with every change of what is here. */
  version = 0;
  epoch = 0;

  /** What the relay answered to a heartbeat or a join. */
  apply({ epoch, partitions, revoking }: Assignment): void {
    const since = this.epoch + 1;
    this.epoch = epoch;
    this.version++;
    const still = new Set<HeldPartition>();
    for (const assigned of partitions) {
      const known = this.held.get(assigned.partition);
      if (known !== undefined && !beginsAnew(known, assigned)) {
        still.add(known);
        continue;
      }
      if (known !== undefined) this.#lose(known);
      const held = new HeldPartition(assigned, since);
      this.held.set(assigned.partition, held);
      still.add(held);
    }
    for (const partition of revoking) {
      const known = this.held.get(partition);
      // One that it never heard of, or has given back already: there is nothing to finish.
      if (known === undefined) this.released.add(partition);
      else {
        known.state = 'revoking';
        still.add(known);
      }
    }
    for (const known of [...this.held.values()]) if (!still.has(known)) this.#lose(known);
  }

  /** The relay has refused to move its checkpoint: it is another member's, or was reset. */
  fence(held: HeldPartition): void {
    if (this.held.get(held.partition) !== held) return;
    this.version++;
    this.#lose(held);
  }

  /** This member is out, and with it all that it had. */
  loseAll(): void {
    this.version++;
    for (const held of [...this.held.values()]) this.#lose(held);
    this.released.clear();
  }

  /** No change of theirs is being worked on: nothing of them can be committed from here on. */
  release(partitions: readonly HeldPartition[]): void {
    this.version++;
    for (const held of partitions) {
      // It may have been lost while its last changes were being worked on.
      if (held.state === 'gone') continue;
      held.state = 'gone';
      this.held.delete(held.partition);
      this.released.add(held.partition);
    }
  }

  get revoking(): HeldPartition[] {
    return [...this.held.values()].filter(({ state }) => state === 'revoking');
  }

  get unannounced(): HeldPartition[] {
    return [...this.held.values()].filter(({ state, announced }) => state === 'held' && !announced);
  }

  #lose(held: HeldPartition): void {
    held.state = 'gone';
    this.held.delete(held.partition);
    if (held.announced) this.lost.push(held);
  }
}

/** Taken away and given again, or its checkpoint was moved by hand, between two answers. */
function beginsAnew(known: HeldPartition, { epoch, checkpoint }: AssignedPartition): boolean {
  if (known.state === 'revoking') return true;
  if (epoch !== undefined && known.epoch !== null) return epoch !== known.epoch;
  return checkpoint < known.committedAtBeat || checkpoint > known.delivered;
}
