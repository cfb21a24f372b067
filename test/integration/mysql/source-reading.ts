import type { Connection } from 'mysql2/promise';
import { vi } from 'vitest';
import type { Row } from '../../../src/core/change.ts';
import type { ChangeBatch, Entry } from '../../../src/core/source.ts';
import type { MysqlSourceOptions } from '../../../src/sources/mysql/config.ts';
import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import type { TestServer } from '../../support/servers/test-server.ts';

/** A transaction put together from its parts, as text: everything taken out of the batches is a value of its own. */
export interface ReadTransaction {
  readonly id: string | null;
  readonly start: string;
  readonly committedAtUs: number;
  readonly restarted: boolean;
  /** `insert db.t {"id":1}`, `update db.t {…} -> {…}`, `delete db.t {…}`, `schema db.t ALTER …`, `truncate db.t`. */
  readonly lines: string[];
  /** The statements behind the rows, as far as they were logged. */
  readonly statements: (string | null)[];
  end: string | null;
}

/** Puts transactions together, and checks on the way that their parts fit. */
export class TransactionLog {
  readonly transactions: ReadTransaction[] = [];
  #open: ReadTransaction | null = null;

  add(batch: ChangeBatch): void {
    for (const { transaction, begins, restarted, entries, end } of batch.parts) {
      if (begins) {
        this.#open = {
          id: transaction.id,
          start: String(transaction.start),
          committedAtUs: transaction.committedAtUs,
          restarted,
          lines: [],
          statements: [],
          end: null,
        };
        this.transactions.push(this.#open);
      }
      if (this.#open === null) throw new Error('a part came outside of a transaction');
      for (const entry of entries) {
        this.#open.lines.push(...entryLines(entry));
        if (entry.type === 'rows') this.#open.statements.push(entry.statement);
      }
      if (end !== null) {
        this.#open.end = String(end);
        this.#open = null;
      }
    }
  }

  /** The tests' own CREATE DATABASE, which is no part of what they look at. */
  forgetDatabases(): void {
    const rest = this.transactions.filter(({ lines }) => !/^schema \S+\.\* CREATE DATABASE/.test(lines[0] ?? ''));
    this.transactions.splice(0, this.transactions.length, ...rest);
  }

  get lines(): string[] {
    return this.transactions.flatMap(({ lines }) => lines);
  }
}

function entryLines(entry: Entry): string[] {
  if (entry.type === 'schema') return [`schema ${entry.database}.${entry.table ?? '*'} ${entry.sql}`];
  if (entry.type === 'truncate') return [`truncate ${entry.database}.${entry.table}`];
  const table = `${entry.table.database}.${entry.table.name}`;
  return entry.changes().map(({ kind, before, after }) => {
    const images = [before, after].filter((row) => row !== null).map(rowText);
    return `${kind} ${table} ${images.join(' -> ')}`;
  });
}

function rowText(row: Row): string {
  return JSON.stringify(row, (_name, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`;
    return value instanceof Uint8Array ? `x'${Buffer.from(value).toString('hex')}'` : value;
  });
}

export type ReadOptions = Omit<MysqlSourceOptions, 'url'> & { readonly url?: string };

/** Reads what there is now, by default from the beginning of the binlog, and returns its transactions. */
export async function drain(server: TestServer, options: ReadOptions = {}): Promise<TransactionLog> {
  const log = new TransactionLog();
  const source = new MysqlSource({ url: server.url, from: 'earliest', until: 'now', ...options });
  for await (const batch of source.batches()) log.add(batch);
  log.forgetDatabases();
  return log;
}

/** The lines of one database's tables, without its name. */
export async function linesOf(server: TestServer, database: string, options: ReadOptions = {}): Promise<string[]> {
  const { lines } = await drain(server, { tables: [`${database}.*`], ...options });
  return lines.map((line) => line.replaceAll(`${database}.`, ''));
}

/** Only rows: what `linesOf` yields without schema entries. */
export async function rowsOf(server: TestServer, database: string, options: ReadOptions = {}): Promise<string[]> {
  return (await linesOf(server, database, options)).filter((line) => !line.startsWith('schema '));
}

let databases = 0;

/** Makes a database and runs statements in it, on one connection; returns its name. */
export async function inDatabase(server: TestServer, statements: readonly string[]): Promise<string> {
  const database = `db_${++databases}`;
  await server.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
  await run(server, database, statements);
  return database;
}

/** Runs statements on one new connection. */
export async function run(server: TestServer, database: string, statements: readonly string[]): Promise<void> {
  await withConnection(server, database, async (connection) => {
    for (const statement of statements) await connection.query(statement);
  });
}

export async function withConnection<T>(
  server: TestServer,
  database: string | undefined,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await server.connection(database === undefined ? {} : { database });
  try {
    return await use(connection);
  } finally {
    connection.destroy();
  }
}

/** Reads in the background until it is disposed of. */
export class LiveReader implements AsyncDisposable {
  readonly source: MysqlSource;
  readonly log: TransactionLog = new TransactionLog();
  /** Positions of all batches, those of an idle stream included. */
  readonly positions: string[] = [];
  error: unknown = null;
  readonly #finished: Promise<void>;
  #ended = false;

  private constructor(options: MysqlSourceOptions) {
    this.source = new MysqlSource(options);
    this.#finished = this.#read();
  }

  /** Resolves when everything committed from now on will be read. */
  static async start(server: TestServer, options: ReadOptions = {}): Promise<LiveReader> {
    const reader = new LiveReader({ url: server.url, ...options });
    await reader.source.ready();
    return reader;
  }

  get lines(): string[] {
    return this.log.lines;
  }

  /** Waits until so many lines have come; rejects with what the source threw. */
  async until(count: number): Promise<string[]> {
    await vi.waitUntil(() => this.lines.length >= count || this.#ended, { timeout: 20_000, interval: 10 });
    if (this.error instanceof Error) throw this.error;
    return this.lines;
  }

  /** Waits until the source stops by itself, and returns what it threw. */
  async failure(): Promise<unknown> {
    await this.#finished;
    return this.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.close();
    await this.#finished;
  }

  async #read(): Promise<void> {
    try {
      for await (const batch of this.source.batches()) {
        this.log.add(batch);
        this.positions.push(String(batch.position));
      }
    } catch (error) {
      this.error = error;
    } finally {
      this.#ended = true;
    }
  }
}

/** Where the server writes now, in both forms. */
export async function presentPosition(server: TestServer): Promise<{ readonly place: string; readonly gtids: string }> {
  const old = server.flavour === 'mariadb';
  const [status] = await server.query<{ File: string; Position: number }>(
    old ? 'SHOW MASTER STATUS' : 'SHOW BINARY LOG STATUS',
  );
  const [row] = await server.query<{ gtids: string }>(
    `SELECT @@GLOBAL.${old ? 'gtid_binlog_pos' : 'gtid_executed'} AS gtids`,
  );
  return { place: `${status?.File}:${status?.Position}`, gtids: (row?.gtids ?? '').replaceAll(/\s/g, '') };
}

/** Ends all replication connections, as an administrator would. */
export async function killDumps(server: TestServer): Promise<number> {
  const dumps = await server.query<{ id: number }>(
    "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'",
  );
  for (const { id } of dumps) await server.query(`KILL ${id}`).catch(() => undefined);
  return dumps.length;
}
