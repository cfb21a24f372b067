import { plainRowBatch, type PlainRows } from '../core/plain-rows.ts';
import type { Position } from '../core/position.ts';
import type { SchemaChange, Truncation } from '../core/change.ts';

/** One entry of a transaction, as plain objects. */
export type FakeEntry = (PlainRows & { readonly type?: 'rows' }) | SchemaChange | Truncation;

export interface FakeTransaction {
  readonly id: string;
  readonly committedAtUs: number;
  readonly serverId: number;
  readonly entries: readonly FakeEntry[];
}

/** How many transactions lie before it. */
export class FakePosition implements Position {
  readonly index: number;

  constructor(index: number) {
    this.index = index;
  }

  /** Reads what `toString` made. */
  static parse(text: string): FakePosition {
    const match = /^fake:(\d+)$/u.exec(text);
    if (match?.[1] === undefined) throw new TypeError('not the position of a fake source');
    return new FakePosition(Number(match[1]));
  }

  toString(): string {
    return `fake:${this.index}`;
  }
}

/** What a reader of the store is told of. */
export interface FakeConnection {
  /** Something may have changed: look again. */
  wake(): void;
  cut(): void;
}

/**
 * The data store behind fake sources: a list of committed transactions in memory, with the faults that a test scripts.
 * Each source that reads it is a connection of its own.
 */
export class FakeStore {
  readonly #transactions: FakeTransaction[] = [];
  readonly #connections = new Set<FakeConnection>();
  readonly #errors = new Map<number, Error>();
  #held = false;

  /** Behind everything that is committed. */
  get end(): FakePosition {
    return new FakePosition(this.#transactions.length);
  }

  /** Sources that read at present. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Commits one transaction and returns the position behind it. */
  commit(...entries: readonly FakeEntry[]): FakePosition {
    const number = this.#transactions.length + 1;
    // Made once here so that an impossible entry fails where it is written, not where it is read.
    for (const entry of entries) if (isRows(entry)) plainRowBatch(entry);
    this.#transactions.push({ id: `t${number}`, committedAtUs: 1_700_000_000_000_000 + number, serverId: 1, entries });
    this.#wake();
    return this.end;
  }

  /** Cuts the connection of every source that reads. Each comes back by itself; one inside a transaction begins it again. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  /** Readers that reach this position fail with the error instead of reading on, until `repair`. */
  failAt(position: FakePosition, error: Error): void {
    this.#errors.set(position.index, error);
    this.#wake();
  }

  repair(): void {
    this.#errors.clear();
  }

  /** From now on readers wait, as if nothing had been committed, until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#wake();
  }

  /** For sources: what lies behind a position. Undefined when a reader has to wait there. Throws a scripted error. */
  read(index: number): FakeTransaction | undefined {
    const error = this.#errors.get(index);
    if (error !== undefined) throw error;
    return this.#held ? undefined : this.#transactions[index];
  }

  connect(connection: FakeConnection): void {
    this.#connections.add(connection);
  }

  disconnect(connection: FakeConnection): void {
    this.#connections.delete(connection);
  }

  #wake(): void {
    for (const connection of this.#connections) connection.wake();
  }
}

export function isRows(entry: FakeEntry): entry is PlainRows & { readonly type?: 'rows' } {
  return entry.type === undefined || entry.type === 'rows';
}
