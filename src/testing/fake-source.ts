import type { Change } from '../core/change.ts';
import { TidingsError } from '../core/errors.ts';
import { type Key, plainRowBatch, type PlainRows } from '../core/plain-rows.ts';
import type { RowShape } from '../core/rows/row-shape.ts';
import type { RowTarget } from '../core/rows/row-target.ts';
import type { ChangeBatch, DecodedRows, Entry, RowBatch, Source, TransactionPart } from '../core/source.ts';
import {
  type FakeConnection,
  type FakeEntry,
  FakePosition,
  type FakeStore,
  type FakeTransaction,
  isRows,
} from './fake-store.ts';

export interface FakeSourceOptions {
  /** @default the store's end at the time the source is made */
  readonly from?: FakePosition | 'earliest' | undefined;
  /** The iteration ends here. Left out: it goes on for ever. */
  readonly until?: FakePosition | undefined;
  /** The most rows in one batch. A larger transaction comes in several parts. @default 100 */
  readonly rowsPerBatchMax?: number | undefined;
}

/**
 * A source over a `FakeStore`, for tests of whatever reads a source; and the shortest example of a pull source that has its rows
 * as plain objects. It passes the conformance suite of `sourceConformance`.
 *
 * A batch that is used after the next one was asked for throws, where a real source would show bytes of something else.
 */
export class FakeSource implements Source {
  readonly type = 'fake';
  readonly #store: FakeStore;
  readonly #until: number;
  readonly #rowsPerBatchMax: number;
  /** Where the next transaction is read. */
  #index: number;
  /** Entries of the transaction at #index that were handed over; zero at its beginning. */
  #entriesDone = 0;
  /** Rows of the next entry that were handed over. */
  #rowsDone = 0;
  #restarted = false;
  #handedOver: FakePosition;
  #leftBehind: FakePosition;
  #reading = false;
  #closed = false;
  #batchLife: { over: boolean } = { over: false };
  #waiter: PromiseWithResolvers<void> | null = null;
  readonly #connection: FakeConnection = {
    wake: () => this.#wake(),
    cut: () => this.#lose(),
  };

  constructor(store: FakeStore, { from, until, rowsPerBatchMax = 100 }: FakeSourceOptions = {}) {
    this.#store = store;
    this.#index = from === 'earliest' ? 0 : (from ?? store.end).index;
    this.#until = until?.index ?? Infinity;
    this.#rowsPerBatchMax = rowsPerBatchMax;
    this.#handedOver = new FakePosition(this.#index);
    this.#leftBehind = this.#handedOver;
  }

  get position(): FakePosition {
    return this.#leftBehind;
  }

  batches(): AsyncIterableIterator<ChangeBatch, void, undefined> {
    if (this.#reading) throw new TidingsError('SOURCE_ALREADY_READING', 'the source is being read already');
    this.#reading = true;
    this.#closed = false;
    // What was handed over but not left behind comes again: nobody said that it was dealt with.
    this.#handedOver = this.#leftBehind;
    this.#index = this.#leftBehind.index;
    this.#entriesDone = 0;
    this.#rowsDone = 0;
    this.#restarted = false;
    this.#store.connect(this.#connection);
    const end = (): void => this.#end();
    const read = this.#read();
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: () => read.next(),
      async return() {
        // Not the generator's own: that one would wait behind a `next` that waits for data.
        end();
        return { done: true, value: undefined };
      },
    };
  }

  async close(): Promise<void> {
    this.#end();
  }

  async *#read(): AsyncGenerator<ChangeBatch, void, undefined> {
    try {
      while (!this.#closed) {
        const batch = this.#nextBatch();
        if (batch === 'end') return;
        if (batch === 'wait') {
          this.#waiter = Promise.withResolvers();
          // oxlint-disable-next-line no-await-in-loop -- a reader reads one batch after the other
          await this.#waiter.promise;
          continue;
        }
        const life = this.#batchLife;
        yield batch;
        life.over = true;
        this.#leftBehind = this.#handedOver;
      }
    } finally {
      this.#end();
    }
  }

  #nextBatch(): ChangeBatch | 'wait' | 'end' {
    this.#batchLife = { over: false };
    const parts: TransactionPart[] = [];
    let room = this.#rowsPerBatchMax;
    while (room > 0 && this.#index < this.#until) {
      const transaction = this.#readStore(parts.length > 0);
      if (transaction === undefined) break;
      const { part, rows } = this.#part(transaction, room);
      parts.push(part);
      room -= Math.max(rows, 1);
    }
    if (parts.length === 0) return this.#index < this.#until ? 'wait' : 'end';
    return { parts, position: this.#handedOver, bytes: 0 };
  }

  /** An error waits until what was read before it has been handed over: it must not take good transactions with it. */
  #readStore(hasParts: boolean): FakeTransaction | undefined {
    try {
      return this.#store.read(this.#index);
    } catch (error) {
      if (hasParts) return undefined;
      throw error;
    }
  }

  /** The next part of a transaction, with as many rows as there is room for. */
  #part(
    { id, committedAtUs, serverId, entries }: FakeTransaction,
    room: number,
  ): { part: TransactionPart; rows: number } {
    const start = new FakePosition(this.#index);
    const begins = this.#entriesDone === 0 && this.#rowsDone === 0;
    const restarted = begins && this.#restarted;
    const taken: Entry[] = [];
    let rows = 0;
    while (this.#entriesDone < entries.length && rows < room) {
      const entry = entries[this.#entriesDone];
      if (entry === undefined) break;
      const piece = this.#piece(entry, room - rows);
      taken.push(piece.entry);
      rows += piece.rows;
    }
    const ends = this.#entriesDone === entries.length;
    if (ends) {
      this.#index++;
      this.#entriesDone = 0;
      this.#handedOver = new FakePosition(this.#index);
    }
    this.#restarted = false;
    const transaction = { id, committedAtUs, serverId, start };
    return { part: { transaction, begins, restarted, entries: taken, end: ends ? this.#handedOver : null }, rows };
  }

  #piece(entry: FakeEntry, room: number): { entry: Entry; rows: number } {
    if (!isRows(entry)) {
      this.#entriesDone++;
      return { entry, rows: 0 };
    }
    const from = this.#rowsDone;
    const to = Math.min(from + room, entry.rows.length);
    this.#rowsDone = to;
    if (to === entry.rows.length) {
      this.#entriesDone++;
      this.#rowsDone = 0;
    }
    return { entry: new MortalRowBatch(plainRowBatch(slice(entry, from, to)), this.#batchLife), rows: to - from };
  }

  #lose(): void {
    // A new connection starts at the last end that was handed over; #index is there, inside its transaction or not.
    this.#restarted ||= this.#entriesDone > 0 || this.#rowsDone > 0;
    this.#entriesDone = 0;
    this.#rowsDone = 0;
    this.#wake();
  }

  #wake(): void {
    this.#waiter?.resolve();
    this.#waiter = null;
  }

  #end(): void {
    this.#closed = true;
    this.#reading = false;
    this.#batchLife.over = true;
    this.#store.disconnect(this.#connection);
    this.#wake();
  }
}

/** `kind` decides the shape of `rows`, and slicing changes neither. */
function slice(entry: PlainRows, from: number, to: number): PlainRows {
  return entry.kind === 'update'
    ? { ...entry, rows: entry.rows.slice(from, to) }
    : { ...entry, rows: entry.rows.slice(from, to) };
}

/** A row batch that can no longer be looked at once its batch has been left behind. */
class MortalRowBatch implements RowBatch {
  readonly type = 'rows';
  readonly #rows: RowBatch;
  readonly #life: { readonly over: boolean };

  constructor(rows: RowBatch, life: { readonly over: boolean }) {
    this.#rows = rows;
    this.#life = life;
  }

  get kind(): RowBatch['kind'] {
    return this.#rows.kind;
  }

  get table(): RowBatch['table'] {
    return this.#rows.table;
  }

  get statement(): string | null {
    return this.#rows.statement;
  }

  rows(): DecodedRows {
    return this.#alive().rows();
  }

  keys(): readonly Key[] | null {
    return this.#alive().keys();
  }

  changes(): Change[] {
    return this.#alive().changes();
  }

  get shape(): RowShape {
    return this.#rows.shape;
  }

  writeTo(target: RowTarget): void {
    this.#alive().writeTo(target);
  }

  #alive(): RowBatch {
    if (this.#life.over) throw new Error('a row batch was used after the next batch had been asked for');
    return this.#rows;
  }
}
