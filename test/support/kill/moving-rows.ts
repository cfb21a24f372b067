import type { Connection, RowDataPacket } from 'mysql2/promise';
import type { SeededRandom } from '../random.ts';
import type { TestServer } from '../servers/test-server.ts';

/** Keys are numbers below this; in the second table they are names made of them. */
const KEYS = 8000;

/** `serial` stays with a row also when its key moves; `version` grows with every change that is made anywhere. */
const TABLES = {
  items: 'id BIGINT PRIMARY KEY',
  names: 'id VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY',
} as const;
export type MovingTable = keyof typeof TABLES;
export const MOVING_TABLES: readonly MovingTable[] = ['items', 'names'];

export interface MovingRow {
  readonly id: number | string;
  readonly serial: number;
  readonly version: number;
}

/** A load that inserts, updates, deletes and moves keys all over two tables in which rows stand already. */
export class MovingRows {
  readonly #random: SeededRandom;
  readonly #connection: Connection;
  /** By table: which row has a key. */
  readonly #rows: Readonly<Record<MovingTable, Map<number, number>>> = { items: new Map(), names: new Map() };
  #version = 0;
  #serial = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  private constructor(connection: Connection, random: SeededRandom) {
    this.#connection = connection;
    this.#random = random;
  }

  /** Tables `moving.*` with so many rows each. */
  static async create(
    server: TestServer,
    random: SeededRandom,
    { rows }: { readonly rows: number },
  ): Promise<MovingRows> {
    const connection = await server.connection();
    const moving = new MovingRows(connection, random);
    await connection.query('DROP DATABASE IF EXISTS moving; CREATE DATABASE moving');
    for (const table of MOVING_TABLES) {
      await connection.query(`CREATE TABLE moving.${table} (${TABLES[table]}, serial BIGINT NOT NULL,
        version BIGINT NOT NULL, pad VARCHAR(200) NOT NULL) ENGINE=InnoDB`);
      const values: string[] = [];
      for (let key = 0; key < KEYS && values.length < rows; key += 2) values.push(moving.#newRow(table, key));
      await connection.query(`INSERT INTO moving.${table} VALUES ${values.join()}`);
    }
    return moving;
  }

  /** Until `stop`, with so many transactions a second at most. */
  start(perSecond: number): void {
    this.#running = this.#run(perSecond);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#connection.end();
  }

  /** As SELECT shows them. */
  async rows(table: MovingTable): Promise<MovingRow[]> {
    const [rows] = await this.#connection.query<RowDataPacket[]>(`SELECT id, serial, version FROM moving.${table}`);
    return rows as unknown as MovingRow[];
  }

  async #run(perSecond: number): Promise<void> {
    const startMs = performance.now();
    for (let count = 1; !this.#stopped; count++) {
      const statements = Array.from({ length: 1 + this.#random.below(4) }, () => this.#statement());
      await this.#connection.query(['BEGIN', ...statements, 'COMMIT'].join(';'));
      const aheadMs = (count * 1000) / perSecond - (performance.now() - startMs);
      if (aheadMs > 5) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    }
  }

  #statement(): string {
    const table = MOVING_TABLES[this.#random.below(2)] as MovingTable;
    const rows = this.#rows[table];
    const key = this.#random.below(KEYS);
    const where = `WHERE id = ${literal(table, key)}`;
    if (!rows.has(key)) return `INSERT INTO moving.${table} VALUES ${this.#newRow(table, key)}`;
    switch (this.#random.below(5)) {
      case 0:
        rows.delete(key);
        return `DELETE FROM moving.${table} ${where}`;
      case 1: {
        const to = this.#random.below(KEYS);
        // Upper and lower case are the same key to the server, and another one byte by byte.
        const id = rows.has(to) ? `UPPER(id)` : literal(table, to);
        if (!rows.has(to)) {
          rows.set(to, rows.get(key) as number);
          rows.delete(key);
        } else if (table === 'items') {
          return `UPDATE moving.items SET version = ${++this.#version} ${where}`;
        }
        return `UPDATE moving.${table} SET id = ${id}, version = ${++this.#version} ${where}`;
      }
      default:
        return `UPDATE moving.${table} SET version = ${++this.#version} ${where}`;
    }
  }

  #newRow(table: MovingTable, key: number): string {
    this.#rows[table].set(key, ++this.#serial);
    return `(${literal(table, key)}, ${this.#serial}, ${++this.#version}, '${'p'.repeat(this.#random.below(100))}')`;
  }
}

function literal(table: MovingTable, key: number): string {
  return table === 'items' ? String(key) : `'name ${key}'`;
}
