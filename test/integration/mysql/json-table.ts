import type { Connection, RowDataPacket } from 'mysql2/promise';
import { decodeJsonText } from '../../../src/sources/mysql/binlog/json/json-text.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { readJsonRows, type JsonImage, type JsonRow } from './json-binlog.ts';

export interface Comparison {
  readonly compared: number;
  readonly differences: readonly string[];
}

/** A table `(id, version, j JSON)` with a session of its own, and the part of the binlog that tells of it. */
export class JsonTable implements AsyncDisposable {
  readonly #server: TestServer;
  readonly #session: Connection;
  readonly #name: string;

  private constructor(server: TestServer, session: Connection, name: string) {
    this.#server = server;
    this.#session = session;
    this.#name = name;
  }

  static async create(server: TestServer, name: string): Promise<JsonTable> {
    const session = await server.connection({ typeCast: (field) => field.buffer()?.toString('utf8') ?? null });
    // Zero and partial dates are values too.
    await session.query(`SET sql_mode = ''; CREATE DATABASE IF NOT EXISTS test_json; USE test_json;
      CREATE TABLE ${name} (id INT PRIMARY KEY AUTO_INCREMENT, version INT NOT NULL DEFAULT 0, j JSON NOT NULL)`);
    return new JsonTable(server, session, name);
  }

  async query(sql: string): Promise<void> {
    await this.#session.query(sql);
  }

  /** One row per SQL expression. */
  async insert(expressions: readonly string[], from = ''): Promise<void> {
    const rows = expressions.map((expression) => `SELECT ${expression} ${from}`).join(' UNION ALL ');
    await this.#session.query(`INSERT INTO ${this.#name} (j) SELECT * FROM (${rows}) AS made`);
  }

  async insertJson(text: string): Promise<void> {
    await this.#session.query(`INSERT INTO ${this.#name} (j) VALUES (?)`, [text]);
  }

  /** Returns the document's new text. */
  async update(id: number, version: number, expression: string): Promise<string> {
    await this.#session.query(`UPDATE ${this.#name} SET j = ${expression}, version = ${version} WHERE id = ${id}`);
    const [row] = await this.selected(`WHERE id = ${id}`);
    if (row === undefined) throw new Error(`row ${id} is gone`);
    return row[1];
  }

  /** Ids and texts as SELECT shows them. */
  async selected(where = ''): Promise<readonly (readonly [number, string])[]> {
    const [rows] = await this.#session.query<RowDataPacket[]>(`SELECT id, j FROM ${this.#name} ${where} ORDER BY id`);
    return rows.map((row) => [Number(row['id']), String(row['j'])] as const);
  }

  async count(condition: string): Promise<number> {
    const [rows] = await this.#session.query<RowDataPacket[]>(
      `SELECT COUNT(*) AS n FROM ${this.#name} WHERE ${condition}`,
    );
    return Number(rows[0]?.['n']);
  }

  async rows(): Promise<readonly JsonRow[]> {
    const [logs] = await this.#session.query<RowDataPacket[]>('SHOW BINARY LOGS');
    const files = logs.map((log) => String(log['Log_name']));
    return await readJsonRows(this.#server.dataDir ?? '', files, this.#name);
  }

  /** Every row was inserted once and never changed: what the binlog holds must print as what SELECT shows. */
  async compare(): Promise<Comparison> {
    const logged = new Map((await this.rows()).map(({ after }) => [after.id, wholeText(after)] as const));
    const selected = await this.selected();
    const differences = selected.flatMap(([id, text]) => difference(logged.get(id), text));
    return { compared: Math.min(logged.size, selected.length), differences };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.end();
  }
}

/** Nothing when they are the same, otherwise the surroundings of the first difference: the texts may be megabytes. */
export function difference(printed: string | undefined, selected: string | undefined): readonly string[] {
  if (printed !== undefined && printed === selected) return [];
  if (printed === undefined || selected === undefined) return ['a row is missing'];
  let at = 0;
  while (printed[at] === selected[at]) at++;
  const around = (text: string): string => text.slice(Math.max(0, at - 40), at + 40);
  return [`printed ${around(printed)} but selected ${around(selected)}`];
}

export function wholeText({ json }: JsonImage): string {
  return decodeJsonText(json, 0, json.length);
}
