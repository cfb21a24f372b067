import type { Change, SchemaChange, TransactionInfo, Truncation } from './change.ts';
import { TidingsError } from './errors.ts';
import type { Position } from './position.ts';
import type { ChangeBatch, TransactionPart } from './source.ts';

/** One committed transaction, read change by change. */
export interface Transaction extends TransactionInfo {
  /**
   * True when the transaction before this one in the iteration was this same one, cut off by a lost connection: what was applied
   * of that first attempt must be undone or overwritten (I4).
   */
  readonly restarted: boolean;
  /** The position behind it. Null until its changes have been read to the end, and for good if it was cut off. */
  readonly end: Position | null;
  /**
   * Its changes in order. To be read once; what is left unread when the next transaction is asked for is skipped over. Throws
   * TRANSACTION_RESTARTED when the connection was lost in the middle: the next transaction is then the same one, from its beginning.
   */
  readonly changes: AsyncIterableIterator<Change | SchemaChange | Truncation>;
}

/**
 * The transactions behind a source's batches, for code that would rather have one at a time:
 *
 *     for await (const transaction of transactionsOf(source.batches())) {
 *       for await (const change of transaction.changes) apply(change);
 *       checkpoint(transaction.end);
 *     }
 *
 * A convenience, not the fast way: it costs promises per change. At most one batch is in memory, whatever a transaction's size.
 * Leaving the loop ends the source's iteration.
 */
export async function* transactionsOf(
  batches: AsyncIterable<ChangeBatch>,
): AsyncGenerator<Transaction, void, undefined> {
  const parts = new PartReader(batches);
  try {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
      const first = await parts.next();
      if (first === null) return;
      const transaction = new OpenTransaction(first, parts);
      yield transaction;
      // oxlint-disable-next-line no-await-in-loop
      await transaction.skipRest();
    }
  } finally {
    await parts.return();
  }
}

/** Hands out the parts of all batches one by one, and lets the next one be looked at first. */
class PartReader {
  readonly #batches: AsyncIterator<ChangeBatch>;
  #parts: readonly TransactionPart[] = [];
  #index = 0;

  constructor(batches: AsyncIterable<ChangeBatch>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  /** The part that `next` will give, without taking it. Null at the end of the stream. */
  async peek(): Promise<TransactionPart | null> {
    for (;;) {
      const part = this.#parts[this.#index];
      if (part !== undefined) return part;
      // Only now, with every part of the batch used, may the next be asked for: that ends the life of this one.
      // oxlint-disable-next-line no-await-in-loop
      const result = await this.#batches.next();
      if (result.done === true) return null;
      this.#parts = result.value.parts;
      this.#index = 0;
    }
  }

  async next(): Promise<TransactionPart | null> {
    const part = await this.peek();
    if (part !== null) this.#index++;
    return part;
  }

  async return(): Promise<void> {
    this.#parts = [];
    await this.#batches.return?.();
  }
}

class OpenTransaction implements Transaction {
  readonly id: string | null;
  readonly committedAtUs: number;
  readonly serverId: number;
  readonly start: Position;
  readonly restarted: boolean;
  readonly changes: AsyncGenerator<Change | SchemaChange | Truncation, void, undefined>;
  readonly #parts: PartReader;
  /** The part being read; null when the transaction has ended or was cut off. */
  #part: TransactionPart | null;
  #end: Position | null = null;

  constructor(first: TransactionPart, parts: PartReader) {
    this.id = first.transaction.id;
    this.committedAtUs = first.transaction.committedAtUs;
    this.serverId = first.transaction.serverId;
    this.start = first.transaction.start;
    this.restarted = first.restarted;
    this.#part = first;
    this.#parts = parts;
    this.changes = this.#read();
  }

  get end(): Position | null {
    return this.#end;
  }

  async skipRest(): Promise<void> {
    // Ends a `changes` that waits half-way, so that it cannot steal parts of the next transaction.
    await this.changes.return();
    // oxlint-disable-next-line no-await-in-loop
    while (this.#part !== null) await this.#advance();
  }

  async *#read(): AsyncGenerator<Change | SchemaChange | Truncation, void, undefined> {
    while (this.#part !== null) {
      for (const entry of this.#part.entries) {
        if (entry.type === 'rows') yield* entry.changes();
        else yield entry;
      }
      // oxlint-disable-next-line no-await-in-loop
      if ((await this.#advance()) === 'cut off') {
        throw new TidingsError(
          'TRANSACTION_RESTARTED',
          'the connection was lost inside the transaction; it comes again from its beginning',
          {
            details: { start: String(this.start) },
          },
        );
      }
    }
  }

  /** Leaves the present part behind, for the next one of this transaction if there is one. */
  async #advance(): Promise<'more' | 'ended' | 'cut off'> {
    const end = this.#part?.end ?? null;
    if (end !== null) {
      this.#part = null;
      this.#end = end;
      return 'ended';
    }
    const next = await this.#parts.peek();
    if (next === null || next.begins) {
      // The stream ended, or the transaction begins again: nothing more comes of this attempt, and it has no end.
      this.#part = null;
      return next === null ? 'ended' : 'cut off';
    }
    this.#part = await this.#parts.next();
    return 'more';
  }
}
