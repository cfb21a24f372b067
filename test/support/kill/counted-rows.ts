import type { Connection } from 'mysql2/promise';
import type { SeededRandom } from '../random.ts';
import type { TestServer } from '../servers/test-server.ts';

const KEYS = 500;
const ROWS_AT_ONCE = 25;

/**
 * A load on one table, `counted.items`, whose keys never move. Every change of a key, its deletion and its return included, has the next number in `version`, so that a
 * history without one of them, or with one twice, shows.
 */
export class CountedRows {
  readonly #connection: Connection;
  readonly #random: SeededRandom;
  readonly #versions = new Map<number, number>();
  readonly #present = new Set<number>();
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  /** Rejects when a transaction fails. */
  #failed: PromiseWithResolvers<never> = Promise.withResolvers();

  private constructor(connection: Connection, random: SeededRandom) {
    this.#connection = connection;
    this.#random = random;
  }

  static async create(server: TestServer, random: SeededRandom): Promise<CountedRows> {
    const connection = await server.connection();
    await connection.query(`DROP DATABASE IF EXISTS counted; CREATE DATABASE counted; CREATE TABLE counted.items (
      id INT PRIMARY KEY, version BIGINT NOT NULL, note VARCHAR(60) CHARACTER SET utf8mb4, price DECIMAL(12, 3), at DATETIME(3) NOT NULL)`);
    return new CountedRows(connection, random);
  }

  /** Versions by key: of the rows that there are. */
  get truth(): ReadonlyMap<number, number> {
    return new Map([...this.#present].map((id) => [id, this.#versions.get(id) ?? 0]));
  }

  /** How many changes were made to a key, those included that came with the deletion of its row. */
  get versions(): ReadonlyMap<number, number> {
    return this.#versions;
  }

  start(): void {
    this.#stopped = false;
    this.#failed.promise.catch(() => undefined);
    this.#running = this.#run();
    this.#running.catch((error: unknown) => this.#failed.reject(error));
  }

  /** As long as the load goes on. */
  async during<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#failed.promise]);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async close(): Promise<void> {
    await this.stop().catch(() => undefined);
    this.#connection.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const ids = new Set(Array.from({ length: ROWS_AT_ONCE }, () => this.#random.below(KEYS)));
      await this.#change([...ids]);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** The rows that are not there come, of the others some go, and the rest changes: one transaction. */
  async #change(ids: readonly number[]): Promise<void> {
    const coming = ids.filter((id) => !this.#present.has(id));
    const there = ids.filter((id) => this.#present.has(id));
    const going = there.filter((_, index) => index % 5 === 0);
    const changing = there.filter((_, index) => index % 5 !== 0);
    const connection = this.#connection;
    await connection.beginTransaction();
    if (coming.length > 0) {
      const values = coming.map((id) => `(${id}, ${this.#next(id)}, 'ä note of ${id}', ${id}.125, NOW(3))`);
      await connection.query(`INSERT INTO counted.items VALUES ${values.join()}`);
    }
    if (changing.length > 0) {
      await connection.query(
        `UPDATE counted.items SET version = version + 1, price = NULL, at = NOW(3) WHERE id IN (${changing.join()})`,
      );
      for (const id of changing) this.#next(id);
    }
    if (going.length > 0) await connection.query(`DELETE FROM counted.items WHERE id IN (${going.join()})`);
    await connection.commit();
    for (const id of coming) this.#present.add(id);
    for (const id of going) {
      this.#present.delete(id);
      // A deletion is a change, too: whoever comes back goes on behind it.
      this.#next(id);
    }
  }

  #next(id: number): number {
    const version = (this.#versions.get(id) ?? 0) + 1;
    this.#versions.set(id, version);
    return version;
  }
}
