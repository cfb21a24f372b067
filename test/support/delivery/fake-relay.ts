import type {
  ChangeStream,
  ConsumerBatch,
  StreamChange,
  StreamEntry,
  StreamOptions,
  StreamTransaction,
} from '../../../src/core/consumer.ts';
import type { DeliveryStream } from '../../../src/delivery/delivery-types.ts';
import { storedParts } from './stored-parts.ts';

/** A stream of given transactions for one consumer, with the relay's part of the bargain: what was not committed comes again. */
export class FakeRelay implements DeliveryStream {
  readonly #transactions: readonly StreamTransaction[];
  readonly #partitions: number;
  /** How many entries a batch has. */
  readonly #batchEntries: number;
  /** Whether batches have their rows as bytes, too. */
  readonly #stored: boolean;
  /** Entries that were committed. */
  committed = 0;
  /** Told of each commit before it counts. */
  onCommit: () => void = () => {};
  group: string | null = null;
  opened: StreamOptions[] = [];
  #all: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(
    transactions: readonly (readonly StreamEntry[])[],
    {
      partitions = 8,
      batchEntries = 5,
      stored = false,
    }: { readonly partitions?: number; readonly batchEntries?: number; readonly stored?: boolean } = {},
  ) {
    this.#stored = stored;
    this.#partitions = partitions;
    this.#batchEntries = batchEntries;
    this.#transactions = transactions.map((entries) => ({ id: null, committedAtUs: 1, ends: true, entries }));
  }

  get total(): number {
    return this.#transactions.reduce((sum, { entries }) => sum + entries.length, 0);
  }

  /** Resolves when everything was committed. */
  allCommitted(): Promise<void> {
    if (this.committed === this.total) this.#all.resolve();
    return this.#all.promise;
  }

  checkpointOf(group: string): Promise<number | null> {
    if (this.group !== group) return Promise.resolve(null);
    const last = this.#transactions.flatMap(({ entries }) => entries)[this.committed - 1];
    return Promise.resolve(last?.scn ?? 0);
  }

  open(options: StreamOptions): ChangeStream {
    this.opened.push(options);
    if (options.group !== undefined) this.group = options.group;
    return new FakeStream(this, options);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  get partitions(): readonly number[] {
    return Array.from({ length: this.#partitions }, (_, index) => index);
  }

  /** Batches of what was not committed; a transaction may be in several. */
  *batches(
    from: number,
  ): Generator<Omit<ConsumerBatch, 'commit'> & { readonly through: number; readonly safe: number }> {
    let index = 0;
    let safe = from;
    let pieces: StreamTransaction[] = [];
    let count = 0;
    for (const transaction of this.#transactions) {
      const { entries } = transaction;
      let at = Math.min(Math.max(from - index, 0), entries.length);
      index += entries.length;
      while (at < entries.length) {
        const piece = entries.slice(at, at + this.#batchEntries - count);
        at += piece.length;
        count += piece.length;
        const ends = at === entries.length;
        pieces.push({ ...transaction, entries: piece, ends });
        if (ends) safe = index;
        if (count < this.#batchEntries) continue;
        yield { ...this.#batchOf(pieces), through: index - entries.length + at, safe };
        pieces = [];
        count = 0;
      }
    }
    if (count > 0) yield { ...this.#batchOf(pieces), through: index, safe };
  }

  #batchOf(transactions: readonly StreamTransaction[]): Omit<ConsumerBatch, 'commit'> {
    const entries = transactions.flatMap((each) => each.entries);
    return {
      transactions,
      entries,
      changes: entries.filter((entry): entry is StreamChange => 'kind' in entry),
      parts: this.#stored ? storedParts(entries) : [],
      partitions: this.#stored ? this.#partitions : null,
      scn: entries.at(-1)?.scn ?? 0,
      count: entries.length,
    };
  }

  /** Of the last of so many entries. */
  scnAt(count: number): number | null {
    return this.#transactions.flatMap(({ entries }) => entries)[count - 1]?.scn ?? null;
  }

  commit(safe: number): void {
    this.onCommit();
    if (safe < this.committed) throw new Error('a commit goes back');
    this.committed = safe;
    if (safe === this.total) this.#all.resolve();
  }
}

class FakeStream implements ChangeStream {
  readonly #relay: FakeRelay;
  readonly #options: StreamOptions;
  readonly #closed: PromiseWithResolvers<void> = Promise.withResolvers();
  #isClosed = false;

  constructor(relay: FakeRelay, options: StreamOptions) {
    this.#relay = relay;
    this.#options = options;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<ConsumerBatch> {
    const { onAssigned, onRevoked, checkpoints } = this.#options;
    await checkpoints?.load();
    await onAssigned?.(this.#relay.partitions);
    for (const { safe, through: _, ...batch } of this.#relay.batches(this.#relay.committed)) {
      if (this.#isClosed) return;
      yield {
        ...batch,
        commit: async () => {
          await Promise.resolve();
          if (this.#isClosed) throw new Error('a commit after the end');
          const scn = this.#relay.scnAt(safe);
          if (scn !== null) await checkpoints?.save(scn);
          this.#relay.commit(safe);
          return { fenced: [] };
        },
      };
    }
    await this.#closed.promise;
    await onRevoked?.(this.#relay.partitions);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#closed.resolve();
    return Promise.resolve();
  }
}
