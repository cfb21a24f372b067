import type { Connection } from 'mysql2/promise';
import type { Row } from '../../../src/core/change.ts';
import type { SeededRandom } from '../random.ts';
import type { TestServer } from '../servers/test-server.ts';

/** An id goes through the states 1 to 8; then its row moves to another key, which is the last that is seen of the id: 9. */
const LAST_STATE = 8;
const MOVED_AWAY = 9;
/** How far a key moves. */
const DISTANCE = 1_000_000_000;

interface StepChange {
  readonly kind: string;
  readonly moved?: 'from' | 'to' | undefined;
  readonly before: Row | null;
  readonly after: Row | null;
}

/** Which id a change is about, and which state it brings. */
export function stateOf({ kind, moved, before, after }: StepChange): { readonly id: number; readonly state: number } {
  if (kind === 'delete' && moved === 'from') return { id: Number(before?.['id']), state: MOVED_AWAY };
  // A key that has just come is an id of its own: its first and last state.
  const id = Number(after?.['id']);
  return { id, state: id >= DISTANCE ? 1 : Number(after?.['state']) };
}

/**
 * The load: transactions that each take one to four ids one state on. Runs until it is stopped, at no more than `perSecond`
 * transactions, whatever becomes of those who follow.
 */
export class Steps {
  readonly #random: SeededRandom;
  readonly #connection: Connection;
  /** The ids that are on their way, with their states. */
  readonly #states = new Map<number, number>();
  #nextId = 1;
  #stopped = false;
  #transactions = 0;

  private constructor(connection: Connection, random: SeededRandom) {
    this.#connection = connection;
    this.#random = random;
  }

  static async create(server: TestServer, random: SeededRandom): Promise<Steps> {
    await server.query(`
      DROP DATABASE IF EXISTS steps; CREATE DATABASE steps;
      CREATE TABLE steps.steps (id BIGINT PRIMARY KEY, state INT NOT NULL, pad VARCHAR(200) NOT NULL) ENGINE=InnoDB`);
    return new Steps(await server.connection(), random);
  }

  get transactions(): number {
    return this.#transactions;
  }

  async run(perSecond: number): Promise<void> {
    const startMs = performance.now();
    while (!this.#stopped) {
      await this.#transaction();
      const aheadMs = (this.#transactions * 1000) / perSecond - (performance.now() - startMs);
      if (aheadMs > 5) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    }
  }

  /** `run` ends behind the transaction at hand. */
  stop(): void {
    this.#stopped = true;
  }

  /** Takes every id to its last state, so that the end can be told from a loss. */
  async finish(): Promise<void> {
    for (const [id, state] of this.#states) {
      const statements: string[] = [];
      for (let next = state + 1; next <= LAST_STATE; next++) statements.push(update(id, next, 'last'));
      if (statements.length > 0) await this.#connection.query(statements.join(';'));
    }
    await this.#connection.end();
  }

  async #transaction(): Promise<void> {
    const statements = ['BEGIN'];
    for (let changes = 1 + this.#random.below(4); changes > 0; changes--) statements.push(this.#step());
    await this.#connection.query([...statements, 'COMMIT'].join(';'));
    this.#transactions++;
  }

  #step(): string {
    const ids = [...this.#states.keys()];
    const pad = 'p'.repeat(this.#random.below(200));
    if (ids.length < 40) {
      const id = this.#nextId++;
      this.#states.set(id, 1);
      return `INSERT INTO steps.steps VALUES (${id}, 1, '${pad}')`;
    }
    const id = ids[this.#random.below(ids.length)] as number;
    const state = this.#states.get(id) as number;
    if (state < LAST_STATE) {
      this.#states.set(id, state + 1);
      return update(id, state + 1, pad);
    }
    this.#states.delete(id);
    return `UPDATE steps.steps SET id = id + ${DISTANCE} WHERE id = ${id}`;
  }
}

function update(id: number, state: number, pad: string): string {
  return `UPDATE steps.steps SET state = ${state}, pad = '${pad}' WHERE id = ${id}`;
}
