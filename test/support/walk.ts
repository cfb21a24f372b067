import assert from 'node:assert/strict';
import type { Connection } from 'mysql2/promise';
import type { ChangeBatch } from '../../src/core/source.ts';
import type { SeededRandom } from './random.ts';
import type { TestServer } from './servers/test-server.ts';

/**
 * The load of the fault tests, and the oracle that judges what a source made of it.
 *
 * Every transaction writes its number to `walk.tx` first; then ids of `walk.steps` walk one state on: inserted in state 1, updated
 * from state to state, deleted, inserted again. So each transaction has exactly one right sequence of changes, the server itself
 * says which transactions there are, and whatever is lost, repeated or out of order shows.
 */
export class Walk {
  /** What each transaction number does, as the changes it must be seen as: `tx 7`, `insert 3 1`, `update 3 1>2`, `delete 3 5`. */
  readonly #plans = new Map<number, readonly string[]>();
  #server: TestServer;
  readonly #random: SeededRandom;
  readonly #ids: number;
  readonly #padBytes: number;
  #states: number[];
  #connection: Connection | null = null;
  #number = 0;

  private constructor(server: TestServer, random: SeededRandom, { ids, padBytes }: { ids: number; padBytes: number }) {
    this.#server = server;
    this.#random = random;
    this.#ids = ids;
    this.#padBytes = padBytes;
    this.#states = Array.from({ length: ids }, () => 0);
  }

  /** Makes the tables, in a database `walk` that is dropped first. `padBytes` is how long a row's filling is. */
  static async create(
    server: TestServer,
    random: SeededRandom,
    { ids = 6, padBytes = 20 }: { ids?: number; padBytes?: number } = {},
  ): Promise<Walk> {
    await server.query(`
      DROP DATABASE IF EXISTS walk; CREATE DATABASE walk;
      CREATE TABLE walk.tx (n INT PRIMARY KEY) ENGINE=InnoDB;
      CREATE TABLE walk.steps (id INT PRIMARY KEY, state INT NOT NULL, pad LONGTEXT NOT NULL) ENGINE=InnoDB`);
    return new Walk(server, random, { ids, padBytes });
  }

  /** Commits so many transactions of 1 to `changesMax` changes. */
  async run(transactions: number, { changesMax = 4 }: { changesMax?: number } = {}): Promise<void> {
    for (let i = 0; i < transactions; i++) {
      await this.#transaction(1 + this.#random.below(changesMax));
    }
  }

  /** Commits one transaction of exactly so many changes. */
  async runOne(changes: number): Promise<void> {
    await this.#transaction(changes);
  }

  /**
   * Commits transactions until the signal aborts, also over the server's death: whether a transaction survived that is asked of
   * the server.
   */
  async runUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const states = [...this.#states];
      try {
        await this.#transaction(1 + this.#random.below(4));
      } catch {
        this.#connection?.destroy();
        this.#connection = null;
        if (!(await this.#wasCommitted(this.#number, signal))) this.#states = states;
      }
    }
  }

  /** The transactions that the server has, each with the changes it must be seen as. */
  async committed(server: TestServer = this.#server): Promise<readonly (readonly string[])[]> {
    const rows = await server.query<{ n: number }>('SELECT n FROM walk.tx ORDER BY n');
    return rows.map(({ n }) => {
      const plan = this.#plans.get(n);
      if (plan === undefined) throw new Error(`the server has a transaction ${n} that nobody wrote`);
      return plan;
    });
  }

  /** From now on the load runs on another server, which has everything up to here. */
  moveTo(server: TestServer): void {
    this.#connection?.destroy();
    this.#connection = null;
    this.#server = server;
  }

  /** The number of the last transaction written. */
  get last(): number {
    return this.#number;
  }

  async close(): Promise<void> {
    await this.#connection?.end();
    this.#connection = null;
  }

  async #transaction(changes: number): Promise<void> {
    const n = ++this.#number;
    const plan = [`tx ${n}`];
    const statements = ['BEGIN', `INSERT INTO walk.tx VALUES (${n})`];
    for (let i = 0; i < changes; i++) {
      const id = this.#random.below(this.#ids);
      const state = this.#states[id] ?? 0;
      const pad = `REPEAT('${String.fromCharCode(97 + (n % 26))}', ${this.#padBytes})`;
      if (state === 0) {
        plan.push(`insert ${id} 1`);
        statements.push(`INSERT INTO walk.steps VALUES (${id}, 1, ${pad})`);
        this.#states[id] = 1;
      } else if (state >= 4 && this.#random.below(3) === 0) {
        plan.push(`delete ${id} ${state}`);
        statements.push(`DELETE FROM walk.steps WHERE id = ${id}`);
        this.#states[id] = 0;
      } else {
        plan.push(`update ${id} ${state}>${state + 1}`);
        statements.push(`UPDATE walk.steps SET state = ${state + 1}, pad = ${pad} WHERE id = ${id}`);
        this.#states[id] = state + 1;
      }
    }
    this.#plans.set(n, plan);
    this.#connection ??= await this.#server.connection();
    await this.#connection.query([...statements, 'COMMIT'].join(';'));
  }

  async #wasCommitted(n: number, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      try {
        const rows = await this.#server.query(`SELECT n FROM walk.tx WHERE n = ${n}`);
        return rows.length > 0;
      } catch (error) {
        if (signal.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}

/** A transaction as it was handed over. */
export interface SeenTransaction {
  readonly id: string | null;
  readonly changes: string[];
  readonly restarted: boolean;
  complete: boolean;
}

/**
 * Takes batches and writes down what a consumer would have seen; throws when the contract of `Source` is broken on the spot:
 * parts interleaved, a transaction begun twice without `restarted`, or `restarted` where nothing was cut off.
 */
export class WalkRecorder {
  /** Transactions of the walk's tables in the order seen, cut-off attempts included. */
  readonly seen: SeenTransaction[] = [];
  readonly #waiting = new Set<() => void>();
  #open: SeenTransaction | null = null;
  /** Where a consumer could resume after each batch, with the count of complete transactions up to there. */
  readonly positions: { readonly position: string; readonly complete: number }[] = [];

  take(batch: ChangeBatch): void {
    for (const part of batch.parts) {
      const open: SeenTransaction | null = this.#open;
      let current: SeenTransaction;
      if (part.begins) {
        if (open !== null && !part.restarted) {
          throw new Error(`${open.id} was cut off, and ${part.transaction.id} does not say so`);
        }
        if (open === null && part.restarted) {
          throw new Error(`${part.transaction.id} is called restarted, but nothing was cut off`);
        }
        if (open !== null && open.id !== part.transaction.id) {
          throw new Error(`${open.id} was cut off, and ${part.transaction.id} came instead`);
        }
        current = { id: part.transaction.id, changes: [], restarted: part.restarted, complete: false };
        this.seen.push(current);
      } else {
        if (open === null) throw new Error(`a part of ${part.transaction.id} came without its beginning`);
        if (part.restarted) throw new Error('only a first part can be restarted');
        current = open;
      }
      for (const entry of part.entries) {
        if (entry.type !== 'rows') continue;
        for (const { kind, table, before, after } of entry.changes()) {
          current.changes.push(
            table.name === 'tx'
              ? `tx ${String(after?.['n'])}`
              : `${kind} ${String((after ?? before)?.['id'])} ${[before?.['state'], after?.['state']].filter((state) => state !== undefined).join('>')}`,
          );
        }
      }
      current.complete = part.end !== null;
      this.#open = current.complete ? null : current;
      if (part.end !== null && String(batch.position) === '') throw new Error('a batch has no position');
    }
    this.positions.push({ position: String(batch.position), complete: this.complete.length });
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Complete transactions of the walk, each as its changes. */
  get complete(): readonly (readonly string[])[] {
    return this.seen.filter(({ complete, changes }) => complete && changes.length > 0).map(({ changes }) => changes);
  }

  /** The count of transactions that a lost connection cut off. */
  get cutOff(): number {
    return this.seen.filter(({ complete }) => !complete).length;
  }

  /** Resolves when the condition holds; looked at after every batch. */
  async until(condition: (recorder: WalkRecorder) => boolean): Promise<void> {
    while (!condition(this)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await promise;
    }
  }

  /** Resolves when transaction n of the walk was seen whole. */
  async untilSeen(n: number): Promise<void> {
    await this.until(
      ({ seen }) => seen.findLast(({ complete, changes }) => complete && changes.length > 0)?.changes[0] === `tx ${n}`,
    );
  }

  /**
   * Every complete transaction once, in commit order, with exactly its changes; and of those cut off nothing but a beginning.
   *
   * @param expected what `Walk.committed` says
   */
  expectExactly(expected: readonly (readonly string[])[]): void {
    this.expectBeginningOf(expected);
    assert.equal(this.complete.length, expected.length);
  }

  /** The same, as far as it goes. */
  expectBeginningOf(expected: readonly (readonly string[])[]): void {
    const { complete } = this;
    assert.deepEqual(
      complete.map((changes) => changes.join(', ')),
      expected.slice(0, complete.length).map((changes) => changes.join(', ')),
    );
    for (const { changes, complete: isWhole } of this.seen) {
      if (isWhole || changes.length === 0) continue;
      const whole = expected.find(([first]) => first === changes[0]) ?? [];
      assert.deepEqual(changes, whole.slice(0, changes.length));
    }
  }
}
