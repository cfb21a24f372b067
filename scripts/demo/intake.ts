import type { ConsumerProcess } from './consumer-process.ts';
import type { HandedBatch, HandedChange, HandedEntry } from './handed.ts';
import type { LagMeter } from './lag-meter.ts';
import type { Replica } from './replica.ts';

interface Waiter {
  readonly wanted: (change: HandedChange, from: ConsumerProcess) => boolean;
  readonly found: () => void;
}

/** Changes of a batch that was applied in part. */
export interface HalfBatch {
  readonly applied: number;
  readonly count: number;
}

/** Takes over what all consumers hand to the demo. */
export class Intake {
  readonly replica: Replica;
  readonly #lag: LagMeter;
  readonly #transactions = new Set<string>();
  readonly #waiters: Set<Waiter> = new Set();
  #held: { readonly from: ConsumerProcess; readonly resolve: (half: HalfBatch) => void } | null = null;

  constructor(replica: Replica, lag: LagMeter) {
    this.replica = replica;
    this.#lag = lag;
  }

  /** Each counts once, whoever has brought its changes. */
  get transactions(): number {
    return this.#transactions.size;
  }

  /** True when the consumer may commit the batch. */
  take({ entries, transactions }: HandedBatch, from: ConsumerProcess): boolean {
    for (const name of transactions) this.#transactions.add(name);
    const held = this.#held;
    const count = entries.filter(({ type }) => type === 'change').length;
    if (held?.from !== from || count < 2) {
      for (const entry of entries) this.#apply(entry, from);
      return true;
    }
    const half = entries.slice(0, Math.ceil(entries.length / 2));
    for (const entry of half) this.#apply(entry, from);
    held.resolve({ applied: half.filter(({ type }) => type === 'change').length, count });
    this.#held = null;
    return false;
  }

  /** Resolves at the next change that has not been there before and is wanted. */
  next(wanted: (change: HandedChange, from: ConsumerProcess) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = {
      wanted,
      found: () => {
        this.#waiters.delete(waiter);
        resolve();
      },
    };
    this.#waiters.add(waiter);
    return promise;
  }

  /** Of the next batch of this consumer only the first half is applied, and the consumer does not hear of it. */
  holdNext(from: ConsumerProcess): Promise<HalfBatch> {
    const { promise, resolve } = Promise.withResolvers<HalfBatch>();
    this.#held = { from, resolve };
    return promise;
  }

  #apply(entry: HandedEntry, from: ConsumerProcess): void {
    const arrival = this.replica.apply(entry);
    if (entry.type !== 'change' || arrival !== 'new') return;
    const isNew = entry.before === null && !entry.snapshot;
    if (entry.table === 'orders' && isNew) this.#lag.seen(Number(entry.after?.['id']));
    for (const waiter of this.#waiters) if (waiter.wanted(entry, from)) waiter.found();
  }
}
