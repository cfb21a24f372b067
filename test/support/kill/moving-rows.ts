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

interface MovingRow {
  readonly id: number | string;
  readonly serial: number;
  readonly version: number;
}

/** What a table is, row by row: `serial v<version>` by key. */
export type MovingTruth = Readonly<Record<string, ReadonlyMap<string, string>>>;

export function movingText({ serial, version }: Pick<MovingRow, 'serial' | 'version'>): string {
  return `${serial} v${version}`;
}

/** Rows in which the tables are not what the source has, of the tables that the source has; the first few. */
export function differences(
  tables: ReadonlyMap<string, ReadonlyMap<string, string>>,
  truth: MovingTruth,
): readonly string[] {
  const found: string[] = [];
  for (const [table, rows] of Object.entries(truth)) {
    const copy = tables.get(table) ?? new Map<string, string>();
    for (const [id, text] of rows) {
      if (copy.get(id) !== text) found.push(`${table} ${id}: ${copy.get(id) ?? 'missing'} instead of ${text}`);
    }
    for (const [id, text] of copy) if (!rows.has(id)) found.push(`${table} ${id}: ${text} is not there`);
  }
  return found.length <= 10 ? found : [...found.slice(0, 10), `and ${found.length - 10} more`];
}

/**
 * A load that inserts, updates, deletes and moves keys all over two tables in which rows stand already. It outlives its server: when that
 * comes back, whatever it has then is what the load goes on with.
 */
export class MovingRows {
  readonly #random: SeededRandom;
  #server: TestServer;
  #connection: Connection;
  /** By table, while it is there: which row has a key. */
  readonly #rows = new Map<MovingTable, Map<number, number>>();
  #version = 0;
  #serial = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  readonly #between: { readonly sql: string; readonly done: () => void }[] = [];

  private constructor(server: TestServer, connection: Connection, random: SeededRandom) {
    this.#server = server;
    this.#connection = connection;
    this.#random = random;
    connection.on('error', () => undefined);
  }

  /** Tables `moving.*` with so many rows each. */
  static async create(
    server: TestServer,
    random: SeededRandom,
    { rows }: { readonly rows: number },
  ): Promise<MovingRows> {
    const connection = await server.connection();
    const moving = new MovingRows(server, connection, random);
    await connection.query('DROP DATABASE IF EXISTS moving; CREATE DATABASE moving');
    for (const table of MOVING_TABLES) {
      await connection.query(`CREATE TABLE moving.${table} (${TABLES[table]}, serial BIGINT NOT NULL,
        version BIGINT NOT NULL, pad VARCHAR(200) NOT NULL) ENGINE=InnoDB`);
      const known = new Map<number, number>();
      const values: string[] = [];
      for (let key = 0; key < KEYS && values.length < rows; key += 2) values.push(moving.#newRow(table, key, known));
      await connection.query(`INSERT INTO moving.${table} ${COLUMNS} VALUES ${values.join()}`);
      moving.#rows.set(table, known);
    }
    return moving;
  }

  /** Until `stop`, with so many transactions a second at most. */
  start(perSecond: number): void {
    this.#stopped = false;
    this.#running = this.#run(perSecond);
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** While it runs: executes DDL between two of its transactions, and goes on with what the tables are then. */
  async alter(sql: string): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#between.push({ sql, done: done.resolve });
    await Promise.race([done.promise, this.#running]);
  }

  /** While it is stopped: from now on it runs on another server, which has everything up to here. */
  async moveTo(server: TestServer): Promise<void> {
    this.#connection.destroy();
    this.#server = server;
    await this.#connect();
  }

  async close(): Promise<void> {
    await this.stop().catch(() => undefined);
    this.#connection.destroy();
  }

  /** What SELECT shows of all tables that there are. */
  async truth(): Promise<MovingTruth> {
    const truth: Record<string, ReadonlyMap<string, string>> = {};
    const [tables] = await this.#connection.query<RowDataPacket[]>('SHOW TABLES FROM moving');
    for (const row of tables) {
      const table = String(Object.values(row)[0]);
      truth[table] = new Map((await this.rows(table)).map((each) => [String(each.id), movingText(each)]));
    }
    return truth;
  }

  async rows(table: string): Promise<MovingRow[]> {
    const [rows] = await this.#connection.query<RowDataPacket[]>(`SELECT id, serial, version FROM moving.${table}`);
    return rows as unknown as MovingRow[];
  }

  async #run(perSecond: number): Promise<void> {
    const startMs = performance.now();
    for (let count = 1; !this.#stopped; count++) {
      try {
        await this.#transaction();
      } catch (error) {
        if ((error as { fatal?: boolean }).fatal !== true) throw error;
        await this.#connect();
      }
      const aheadMs = (count * 1000) / perSecond - (performance.now() - startMs);
      if (aheadMs > 5) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    }
  }

  async #transaction(): Promise<void> {
    for (const { sql, done } of this.#between.splice(0)) {
      await this.#connection.query(sql);
      await this.#learn();
      done();
    }
    const statements = Array.from({ length: 1 + this.#random.below(4) }, () => this.#statement());
    await this.#connection.query(['BEGIN', ...statements, 'COMMIT'].join(';'));
  }

  /** Until the server answers, or nobody wants it any more. */
  async #connect(): Promise<void> {
    this.#connection.destroy();
    for (;;) {
      try {
        this.#connection = await this.#server.connection();
        this.#connection.on('error', () => undefined);
        await this.#learn();
        return;
      } catch (error) {
        if (this.#stopped) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /** Whether the last transaction was committed, and what DDL has left: the tables tell. */
  async #learn(): Promise<void> {
    for (const table of MOVING_TABLES) {
      const [there] = await this.#connection.query<RowDataPacket[]>(`SHOW TABLES FROM moving LIKE '${table}'`);
      this.#rows.delete(table);
      if (there.length === 0) continue;
      const [rows] = await this.#connection.query<RowDataPacket[]>(`SELECT id, serial FROM moving.${table}`);
      const known = (rows as unknown as MovingRow[]).map(({ id, serial }) => [keyOf(id), serial] as const);
      this.#rows.set(table, new Map(known));
    }
  }

  #statement(): string {
    const tables = [...this.#rows.keys()];
    const table = tables[this.#random.below(tables.length)];
    const rows = table === undefined ? undefined : this.#rows.get(table);
    if (table === undefined || rows === undefined) return 'DO 0';
    const key = this.#random.below(KEYS);
    const where = `WHERE id = ${literal(table, key)}`;
    if (!rows.has(key)) return `INSERT INTO moving.${table} ${COLUMNS} VALUES ${this.#newRow(table, key, rows)}`;
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

  #newRow(table: MovingTable, key: number, rows: Map<number, number>): string {
    rows.set(key, ++this.#serial);
    return `(${literal(table, key)}, ${this.#serial}, ${++this.#version}, '${'p'.repeat(this.#random.below(100))}')`;
  }
}

const COLUMNS = '(id, serial, version, pad)';

function literal(table: MovingTable, key: number): string {
  return table === 'items' ? String(key) : `'name ${key}'`;
}

function keyOf(id: number | string): number {
  return Number(String(id).toLowerCase().replace('name ', ''));
}
