import assert from 'node:assert/strict';
import { connect, type RelayClient } from '../../../src/client/connect.ts';
import type { StreamChange, StreamOptions } from '../../../src/core/consumer.ts';

const SOON = { delayMinMs: 1, delayMaxMs: 50 };

/**
 * A plain reader of a stream that holds a `Walk`, over HTTP as any program: reads in the background, over as many restarts of the
 * relay as there are, and takes down every change as the walk calls it.
 *
 * SCNs count without gaps in a stream that is read whole: a change left out or given twice between the log and here shows in them, one
 * lost or doubled on the way into the log in the changes themselves.
 */
export class StreamReader implements AsyncDisposable {
  readonly changes: string[] = [];
  /** Resolves when the reading has ended; rejects with what ended it. */
  readonly finished: Promise<void>;
  readonly #client: RelayClient;
  readonly #waiting = new Set<() => void>();
  #lastScn: number | null = null;
  #lastTransaction = 0;

  constructor(url: string, stream: string, options: StreamOptions = {}) {
    this.#client = connect(url, { reconnect: SOON });
    this.finished = this.#read(stream, { from: 'earliest', ...options });
    this.finished.catch(() => undefined);
  }

  /** Everything that is visible when reading begins. */
  static async readAll(url: string, stream: string, options: StreamOptions = {}): Promise<StreamReader> {
    await using reader = new StreamReader(url, stream, { ...options, untilEnd: true });
    await reader.finished;
    return reader;
  }

  /** The SCN of the last change; 0 before the first. */
  get lastScn(): number {
    return this.#lastScn ?? 0;
  }

  /** The number of the walk's transaction that was seen last, at least in part. */
  get lastTransaction(): number {
    return this.#lastTransaction;
  }

  /** Resolves when the condition holds; looked at after every batch. */
  async until(condition: (reader: this) => boolean): Promise<void> {
    while (!condition(this)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await Promise.race([promise, this.#tooEarly()]);
    }
  }

  /** Resolves when as many changes have come as are expected. */
  async untilAll(expected: readonly (readonly string[])[]): Promise<void> {
    const count = expected.flat().length;
    await this.until(({ changes }) => changes.length >= count);
  }

  /** @param expected what `Walk.committed` says */
  expectExactly(expected: readonly (readonly string[])[]): void {
    assert.deepEqual(this.changes, expected.flat());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.finished.catch(() => undefined);
  }

  async #tooEarly(): Promise<never> {
    await this.finished;
    throw new Error('the reading ended too early');
  }

  async #read(stream: string, options: StreamOptions): Promise<void> {
    for await (const batch of this.#client.stream(stream, options)) {
      for (const entry of batch.entries) {
        if (this.#lastScn !== null && entry.scn !== this.#lastScn + 1) {
          throw new Error(`behind SCN ${this.#lastScn} came ${entry.scn}`);
        }
        this.#lastScn = entry.scn;
        if ('kind' in entry) this.#take(entry);
      }
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
    }
  }

  #take({ kind, table, before, after }: StreamChange): void {
    if (table.name === 'tx') {
      this.#lastTransaction = Number(after?.['n']);
      this.changes.push(`tx ${this.#lastTransaction}`);
      return;
    }
    const states = [before?.['state'], after?.['state']].filter((state) => state !== undefined);
    this.changes.push(`${kind} ${String((after ?? before)?.['id'])} ${states.join('>')}`);
  }
}
