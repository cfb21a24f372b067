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
  /** Of batches that are no longer remembered, and were not committed. */
  readonly #forgotten = new Set<HeldPartition>();
  #last: HandedOver | null = null;

  handedOver(record: HandedOver): void {
    this.#last = record;
    this.#records.push(record);
    if (this.#records.length <= RECORDS_MAX) return;
    for (const each of this.#records.shift()?.partitions ?? []) this.#forgotten.add(each);
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
      // Behind the last batch nothing was handed over: all that passed since then is dealt with, too.
      this.#forgotten.clear();
      for (const each of held) raise(targets, each, each.safe, each.safeEpoch);
    }
    return [...targets.values()];
  }

  /** What lies between the checkpoints and what was read, and had nothing for the consumer: of partitions without an uncommitted batch. */
  passed(held: Iterable<HeldPartition>): Target[] {
    const waiting = new Set(this.#forgotten);
    for (const { partitions } of this.#records) for (const each of partitions) waiting.add(each);
    const targets = new Map<HeldPartition, Target>();
    for (const each of held) if (!waiting.has(each)) raise(targets, each, each.safe, each.safeEpoch);
    return [...targets.values()];
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
