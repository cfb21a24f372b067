import type { CommitRequest } from '../core/group.ts';
import type { HeldPartition } from './held-partitions.ts';

/** What was handed over with one batch. */
export interface HandedOver {
  readonly partitions: readonly HeldPartition[];
  /** The last transaction end among what was handed over with it; null: it lies inside of one transaction. */
  readonly safe: number | null;
  /** The assignment under which it was received. */
  readonly epoch: number;
}

interface Target {
  readonly held: HeldPartition;
  scn: number;
  epoch: number;
}

/** Batches that were handed over and not committed are remembered so far back; older ones are covered by the commit of the last. */
const RECORDS_MAX = 1000;

/** Which checkpoints a commit moves: those of its batch's partitions, and of all batches before it. */
export class CommitLedger {
  readonly #records: HandedOver[] = [];
  #last: HandedOver | null = null;
  #settled = true;

  /** Whether everything that was handed over was committed. */
  get settled(): boolean {
    return this.#settled;
  }

  handedOver(record: HandedOver): void {
    this.#settled = false;
    this.#last = record;
    this.#records.push(record);
    if (this.#records.length > RECORDS_MAX) this.#records.shift();
  }

  /** The consumer says that the effects of this batch and of all before it are durable. */
  commit(record: HandedOver, held: Iterable<HeldPartition>): Target[] {
    const targets = new Map<HeldPartition, Target>();
    const through = this.#records.indexOf(record);
    for (const { partitions, safe, epoch } of this.#records.splice(0, through + 1)) {
      if (safe === null) continue;
      for (const each of partitions) raise(targets, each, safe, epoch);
    }
    if (record === this.#last) {
      this.#settled = true;
      this.#raiseAll(targets, held);
    }
    return [...targets.values()];
  }

  /** What lies between the checkpoints and what was read, and had nothing for the consumer. Nothing, while a batch is not committed. */
  passed(held: Iterable<HeldPartition>): Target[] {
    const targets = new Map<HeldPartition, Target>();
    if (this.#settled) this.#raiseAll(targets, held);
    return [...targets.values()];
  }

  /** Behind the last batch nothing was handed over: all that passed since then is dealt with, too. */
  #raiseAll(targets: Map<HeldPartition, Target>, held: Iterable<HeldPartition>): void {
    for (const each of held) raise(targets, each, each.safe, each.safeEpoch);
  }
}

function raise(targets: Map<HeldPartition, Target>, held: HeldPartition, scn: number, epoch: number): void {
  if (held.state === 'gone' || scn <= held.committed) return;
  const target = targets.get(held);
  if (target === undefined) targets.set(held, { held, scn, epoch });
  else if (scn > target.scn) {
    target.scn = scn;
    target.epoch = epoch;
  }
}

/** One request per epoch, as partitions of different ones may be fenced differently; those that have gone meanwhile are left out. */
export function commitRequests(targets: readonly Target[]): CommitRequest[] {
  const epochs = new Map<number, Map<number, number[]>>();
  for (const { held, scn, epoch } of targets) {
    if (held.state === 'gone' || scn <= held.committed) continue;
    let scns = epochs.get(epoch);
    if (scns === undefined) epochs.set(epoch, (scns = new Map<number, number[]>()));
    const partitions = scns.get(scn);
    if (partitions === undefined) scns.set(scn, [held.partition]);
    else partitions.push(held.partition);
  }
  return [...epochs].map(([epoch, scns]) => ({
    epoch,
    checkpoints: [...scns].map(([scn, partitions]) => ({ partitions, scn })),
  }));
}

export type CommitTarget = Target;
