import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection } from 'mysql2/promise';
import { type ControlEvent, decodeControlEvent } from '../../../src/sources/mysql/binlog/control-event.ts';
import type { QueryEvent } from '../../../src/sources/mysql/binlog/query-event.ts';
import { type FileEvent, binlogFileEvents } from '../../support/binlog-file.ts';
import type { TestServer } from '../../support/servers/test-server.ts';

export interface Decoded extends FileEvent {
  /** Null for rows and table maps. */
  readonly event: ControlEvent | null;
}

/** A row of SHOW BINLOG EVENTS. */
export interface Shown {
  readonly Pos: number;
  readonly Event_type: string;
  readonly Info: string;
}

export async function newestFile(server: TestServer): Promise<string> {
  const files = await server.query<{ Log_name: string }>('SHOW BINARY LOGS');
  return files.at(-1)?.Log_name ?? '';
}

export async function readBinlog(server: TestServer, name: string): Promise<Decoded[]> {
  const bytes = await readFile(join(server.dataDir ?? '', name));
  return binlogFileEvents(bytes).map((event) => ({
    ...event,
    event: decodeControlEvent(event.header, event.format.flavour, event.body),
  }));
}

export async function showEvents(server: TestServer, name: string): Promise<Shown[]> {
  return await server.query<Shown>(`SHOW BINLOG EVENTS IN '${name}'`);
}

/** Runs statements one by one; several in one text run on one connection without a round trip between them. */
async function run(connection: Connection, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await connection.query(statement);
}

export function ofKind<K extends ControlEvent['kind']>(
  events: readonly Decoded[],
  kind: K,
): Extract<ControlEvent, { kind: K }>[] {
  return events
    .map(({ event }) => event)
    .filter((event): event is Extract<ControlEvent, { kind: K }> => event?.kind === kind);
}

/** What SHOW BINLOG EVENTS shows of a statement: the current database, and the text. */
export function shownQuery({ database, query }: QueryEvent): string {
  const text = query.toString();
  const bare = /^(BEGIN|COMMIT|XA |SAVEPOINT)/.test(text);
  return bare || database === '' ? text : `use \`${database}\`; ${text}`;
}

/** Begins a new binlog file, runs the statements, and yields what is in the file and what the server says of it. */
export async function record(
  server: TestServer,
  connection: Connection,
  statements: readonly string[],
): Promise<{ events: Decoded[]; shown: Shown[] }> {
  await connection.query('FLUSH BINARY LOGS');
  const name = await newestFile(server);
  await run(connection, statements);
  return { events: await readBinlog(server, name), shown: await showEvents(server, name) };
}
