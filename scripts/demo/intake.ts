import type { ConsumerProcess } from './consumer-process.ts';
import type { HandedBatch, HandedChange } from './handed.ts';
import type { LagMeter } from './lag-meter.ts';
import type { Replica } from './replica.ts';

interface Waiter {
  readonly wanted: (change: HandedChange, from: ConsumerProcess) => boolean;
  readonly found: () => void;
}

/** Takes over what all consumers hand to the demo. */
export class Intake {
  readonly replica: Replica;
  readonly #lag: LagMeter;
  readonly #transactions = new Set<string>();
  readonly #waiters: Set<Waiter> = new Set();
  #held: { readonly from: ConsumerProcess; readonly resolve: (changes: number) => void } | null = null;

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
    let changes = 0;
    for (const entry of entries) {
      const arrival = this.replica.apply(entry);
      if (entry.type !== 'change') continue;
      changes++;
      if (arrival !== 'new') continue;
      if (entry.table === 'orders' && entry.before === null) this.#lag.seen(Number(entry.after?.['id']));
      for (const waiter of this.#waiters) if (waiter.wanted(entry, from)) waiter.found();
    }
    if (this.#held?.from !== from || changes === 0) return true;
    this.#held.resolve(changes);
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

  /** The next batch of this consumer is taken over, but it does not hear of it. Resolves with how many changes are in it. */
  holdNext(from: ConsumerProcess): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#held = { from, resolve };
    return promise;
  }
}
