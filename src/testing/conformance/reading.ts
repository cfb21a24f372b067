import assert from 'node:assert/strict';
import type { Change, Value } from '../../core/change.ts';
import type { ChangeBatch, Source } from '../../core/source.ts';

/** What was seen of one transaction, its parts put together. */
export interface Seen {
  readonly start: string;
  readonly restarted: boolean;
  /** `insert 1 note`, one line per change. */
  readonly lines: string[];
  end: string | null;
}

/** Reads a source with a time limit, and keeps what it saw. */
export class Reading {
  readonly #source: Source;
  readonly #timeoutMs: number;
  #batches: AsyncIterableIterator<ChangeBatch, void, undefined> | null = null;
  /** In the order of arrival; transactions without changes are left out once they have ended. */
  readonly seen: Seen[] = [];
  #open: Seen | null = null;

  constructor(source: Source, timeoutMs: number) {
    this.#source = source;
    this.#timeoutMs = timeoutMs;
  }

  /** Whether part of a transaction was seen whose end was not. */
  get insideTransaction(): boolean {
    return this.#open !== null;
  }

  get iterator(): AsyncIterableIterator<ChangeBatch, void, undefined> {
    return (this.#batches ??= this.#source.batches());
  }

  /** The next batch, or null at the end of the iteration. Checks how its parts fit what came before. */
  async next(): Promise<ChangeBatch | null> {
    const result = await this.within(this.iterator.next(), 'the next batch');
    if (result.done === true) return null;
    this.#record(result.value);
    return result.value;
  }

  /** Reads until this many transactions with changes have ended. */
  async transactions(count: number): Promise<readonly Seen[]> {
    while (this.complete.length < count) {
      // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
      const batch = await this.next();
      assert.notEqual(batch, null, `the iteration ended after ${this.complete.length} of ${count} transactions`);
    }
    return this.complete;
  }

  get complete(): readonly Seen[] {
    return this.seen.filter((transaction) => transaction.end !== null);
  }

  async within<T>(promise: Promise<T>, what: string): Promise<T> {
    return within(promise, this.#timeoutMs, what);
  }

  #record(batch: ChangeBatch): void {
    for (const part of batch.parts) {
      const start = String(part.transaction.start);
      if (part.begins) {
        assert.ok(
          this.#open === null || part.restarted,
          'a transaction began inside another one, and was not marked as restarted: parts must not be interleaved',
        );
        assert.ok(
          !part.restarted || this.#open !== null,
          'a transaction was marked as restarted, but nothing of it had been handed over',
        );
        this.#open = { start, restarted: part.restarted, lines: [], end: null };
        this.seen.push(this.#open);
      }
      assert.ok(this.#open !== null, 'a part that does not begin a transaction came outside of one');
      assert.equal(start, this.#open.start, 'two parts of one transaction name different starts');
      assert.ok(part.begins || !part.restarted, 'only the first part of a transaction may be marked as restarted');
      for (const entry of part.entries) {
        if (entry.type === 'rows') this.#open.lines.push(...entry.changes().map(lineOf));
      }
      if (part.end === null) continue;
      this.#open.end = String(part.end);
      if (this.#open.lines.length === 0) this.seen.splice(this.seen.indexOf(this.#open), 1);
      this.#open = null;
    }
  }
}

function lineOf({ kind, key, after }: Change): string {
  const id = textOf(key?.['id']);
  return kind === 'delete' ? `delete ${id}` : `${kind} ${id} ${textOf(after?.['note'])}`;
}

function textOf(value: Value | undefined): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint'
    ? String(value)
    : `(${typeof value})`;
}

async function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => timeout.reject(new assert.AssertionError({ message: `${what} did not come within ${timeoutMs} ms` })),
    timeoutMs,
  );
  try {
    return await Promise.race([promise, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
