import type { TransactionInfo } from '../../../core/change.ts';
import type { Position } from '../../../core/position.ts';

/** A place that was reached: everything before it has been handled. */
export interface Reached {
  readonly position: Position;
  /** The transaction that ends there; null when the source moved on without one that is published. */
  readonly transaction: TransactionInfo | null;
}

export interface OpenTransaction {
  /** One more handler call to wait for. */
  enter(): void;
  /** A handler call is done. */
  leave(): void;
  /** All handler calls have been entered; `position` is the end. */
  seal(position: Position): void;
}

interface Entry {
  transaction: TransactionInfo | null;
  calls: number;
  end: Position | null;
}

/**
 * Transactions whose handlers run side by side, in commit order, turned into positions that are safe to resume from.
 *
 * I2: `onReached` is called with a transaction's end only when all handlers of it and of every transaction before it are done.
 */
export class OpenTransactions {
  readonly #open: Entry[] = [];
  readonly #onReached: (reached: Reached) => void;

  constructor(onReached: (reached: Reached) => void) {
    this.#onReached = onReached;
  }

  /** Transactions that are not known to be done. */
  get size(): number {
    return this.#open.length;
  }

  begin(transaction: TransactionInfo | null): OpenTransaction {
    const entry: Entry = { transaction, calls: 0, end: null };
    this.#open.push(entry);
    const settle = (): void => {
      if (entry.calls === 0 && entry.end !== null) this.#done(entry, entry.end);
    };
    return {
      enter: () => {
        entry.calls++;
      },
      leave: () => {
        entry.calls--;
        settle();
      },
      seal: (position) => {
        entry.end = position;
        settle();
      },
    };
  }

  /**
   * What is done behind a transaction that is not moves that one's end, instead of waiting in the list beside it: so the list is
   * never longer than the calls that are under way, however long the slowest of them takes (I7).
   */
  #done(entry: Entry, end: Position): void {
    const index = this.#open.indexOf(entry);
    const previous = this.#open[index - 1];
    this.#open.splice(index, 1);
    if (previous === undefined) {
      this.#onReached({ position: end, transaction: entry.transaction });
    } else {
      previous.end = end;
      previous.transaction = entry.transaction ?? previous.transaction;
    }
  }
}
