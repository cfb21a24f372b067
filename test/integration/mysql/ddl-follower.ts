import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection } from 'mysql2/promise';
import { EVENT } from '../../../src/sources/mysql/binlog/event-types.ts';
import { decodeQueryEvent } from '../../../src/sources/mysql/binlog/query-event.ts';
import { Catalog } from '../../../src/sources/mysql/ddl/catalog.ts';
import type { DdlContext, DdlEffect, DdlSqlMode } from '../../../src/sources/mysql/ddl/effect.ts';
import { understandStatement } from '../../../src/sources/mysql/ddl/understand-statement.ts';
import { utf8mb3 } from '../../../src/drivers/mysql/information-schema-column.ts';
import {
  type QueryRows,
  readDatabaseCharsets,
  readTableDefinitions,
} from '../../../src/sources/mysql/schema/read-table-schemas.ts';
import type { CharsetAndCollation, TableDefinition } from '../../../src/sources/mysql/schema/table-definition.ts';
import { binlogFileEvents } from '../../support/binlog-file.ts';
import type { TestServer } from '../../support/servers/test-server.ts';

type Row = Record<string, unknown>;
/** What comes from the session. */
type StatementMode = Pick<DdlContext, 'sqlMode' | 'explicitDefaultsForTimestamp'>;
/** What comes from the event. */
type Circumstances = Pick<DdlContext, 'database' | 'errorCode' | 'threadSpecific'>;
/** What is the same for all statements. */
type ServerContext = Omit<DdlContext, keyof StatementMode | keyof Circumstances | 'lookup' | 'lookupDatabase'>;
type LoggedStatement = Circumstances & { readonly text: string };

const MAGIC_BYTES = 4;
const EVENT_LENGTH_OFFSET = 9;
/** LOG_EVENT_THREAD_SPECIFIC_F */
const THREAD_SPECIFIC = 0x4;

/** What one statement came to. */
export interface Followed {
  /** Null when the server refused it. */
  readonly refused: string | null;
  /** The statements that it left in the binlog, as they stand there. */
  readonly logged: readonly string[];
  readonly effects: readonly DdlEffect[];
  /** Tables, as `database.name`, of which nothing is known after it although they are there. */
  readonly unknown: readonly string[];
  /** Tables that information_schema cannot describe, and why: MySQL and MariaDB spoil the members when they convert an ENUM. */
  readonly unreadable: readonly string[];
  /** Where the catalog and the server disagree. */
  readonly differences: readonly string[];
}

/**
 * Runs statements on a server, reads them back from its binlog, applies what is understood of them to a catalog, and compares the
 * catalog with information_schema.
 */
export class DdlFollower implements AsyncDisposable {
  readonly #connection: Connection;
  /** MariaDB from 11.2 on shows a session its temporary tables in information_schema, in place of those that they hide. */
  readonly #reader: Connection;
  readonly #flavour: 'mysql' | 'mariadb';
  readonly #databases: readonly string[];
  readonly #context: ServerContext;
  readonly #catalog = new Catalog({ lookup: () => 'absent', lookupDatabase: () => 'absent' });
  readonly #dataDir: string | null;
  readonly #seen = new Set<string>();
  #file = '';
  #position = 4;

  private constructor(
    { connection, reader }: { readonly connection: Connection; readonly reader: Connection },
    databases: readonly string[],
    context: ServerContext,
    dataDir: string | null,
  ) {
    this.#connection = connection;
    this.#reader = reader;
    this.#flavour = context.flavour;
    this.#databases = databases;
    this.#context = context;
    this.#dataDir = dataDir;
  }

  static async open(server: TestServer, databases: readonly string[]): Promise<DdlFollower> {
    const connection = await server.connection({ charset: 'utf8mb4' });
    const reader = await server.connection({ charset: 'utf8mb4' });
    const query: QueryRows = async (sql) => (await connection.query(sql))[0] as Row[];
    const charsets = await query(
      'SELECT CHARACTER_SET_NAME AS cs, DEFAULT_COLLATE_NAME AS co FROM information_schema.CHARACTER_SETS',
    );
    // COLLATIONS has those of MariaDB that go with several character sets once, without one.
    const collations = await query(
      server.flavour === 'mariadb'
        ? 'SELECT FULL_COLLATION_NAME AS co, CHARACTER_SET_NAME AS cs FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY'
        : 'SELECT COLLATION_NAME AS co, CHARACTER_SET_NAME AS cs FROM information_schema.COLLATIONS',
    );
    const defaults = new Map(charsets.map((row) => [utf8mb3(row['cs'] as string), utf8mb3(row['co'] as string)]));
    const owners = new Map(
      collations.map((row) => [utf8mb3(row['co'] as string), utf8mb3(row['cs'] as string | null)]),
    );
    const [variables] = await query('SELECT VERSION() AS v, @@character_set_server AS cs, @@collation_server AS co');
    const [major = 0, minor = 0, patch = 0] = String(variables?.['v']).split(/[.-]/).map(Number);
    const follower = new DdlFollower(
      { connection, reader },
      databases,
      {
        flavour: server.flavour,
        serverVersion: major * 10_000 + minor * 100 + patch,
        lowerCaseTableNames: 0,
        utf8: 'utf8mb3',
        serverCharset: {
          charset: utf8mb3(String(variables?.['cs'])) ?? '',
          collation: utf8mb3(String(variables?.['co'])),
        },
        defaultCollation: (charset) => defaults.get(charset) ?? null,
        charsetOfCollation: (collation) => owners.get(collation) ?? null,
      },
      server.dataDir,
    );
    await follower.#skipToEnd();
    return follower;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.end();
    await this.#reader.end();
  }

  /** The tables of which the catalog has a definition. */
  async definitions(): Promise<TableDefinition[]> {
    const definitions: TableDefinition[] = [];
    for (const { database, table } of await this.#present()) {
      const known = this.#catalog.lookup(database, table);
      if (typeof known !== 'string') definitions.push(known);
    }
    return definitions;
  }

  /** For what is no DDL: settings of the session. */
  async set(sql: string): Promise<void> {
    await this.#connection.query(sql);
  }

  async run(sql: string): Promise<Followed> {
    const mode = await this.#mode();
    try {
      await this.#connection.query(sql);
    } catch (error) {
      // Some statements fail after a part of them was done and logged.
      return { ...(await this.#follow(mode, true)), refused: (error as Error).message };
    }
    return await this.#follow(mode, false);
  }

  async #follow(mode: StatementMode, failed: boolean): Promise<Followed> {
    const logged: string[] = [];
    const effects: DdlEffect[] = [];
    for (const { text, ...circumstances } of await this.#newStatements(failed)) {
      logged.push(text);
      const effect = understandStatement(text, {
        ...this.#context,
        ...mode,
        ...circumstances,
        lookup: (name, table) => this.#catalog.lookup(name, table),
        lookupDatabase: (name) => this.#catalog.lookupDatabase(name),
      });
      effects.push(effect);
      if (effect.kind === 'schema') for (const step of effect.steps) this.#catalog.apply(step);
    }
    return { refused: null, logged, effects, ...(await this.#compare()) };
  }

  async #compare(): Promise<Pick<Followed, 'unknown' | 'unreadable' | 'differences'>> {
    const present = await this.#present();
    const { definitions, unreadable } = await readTableDefinitions((sql) => this.#rows(sql), {
      flavour: this.#flavour,
      tables: present,
    });
    const differences: string[] = [];
    const unknown: string[] = [];
    if (this.#databases.some((database) => this.#catalog.lookupDatabase(database) === 'unknown')) {
      for (const [database, charset] of await readDatabaseCharsets((sql) => this.#rows(sql))) {
        this.#catalog.apply({ op: 'define-database', database, charset });
      }
    }
    for (const actual of definitions) {
      const { database, name } = actual.schema;
      const known = this.#catalog.lookup(database, name);
      if (known === 'unknown') {
        unknown.push(`${database}.${name}`);
        // As the source would: read it again.
        this.#catalog.apply({ op: 'define', definition: actual });
        continue;
      }
      const differs =
        known === 'absent' ? [`${database}.${name} exists`] : compareDefinitions(known, actual, this.#flavour);
      differences.push(...differs);
      // So that a difference is told once.
      if (differs.length > 0) this.#catalog.apply({ op: 'define', definition: actual });
    }
    for (const { database, table } of this.#gone(present)) {
      if (typeof this.#catalog.lookup(database, table) === 'string') continue;
      differences.push(`${database}.${table} does not exist`);
      this.#catalog.apply({ op: 'drop', table: { database, name: table } });
    }
    for (const { database, table } of unreadable) {
      const known = this.#catalog.lookup(database, table);
      if (known !== 'unknown') differences.push(`${database}.${table} is not readable, yet understood`);
    }
    return {
      unknown,
      unreadable: unreadable.map(({ database, table, reason }) => `${database}.${table}: ${reason}`),
      differences,
    };
  }

  async #present(): Promise<{ database: string; table: string }[]> {
    const list = this.#databases.map((database) => `'${database}'`).join(', ');
    const rows = await this.#rows(
      `SELECT TABLE_SCHEMA AS d, TABLE_NAME AS t FROM information_schema.TABLES WHERE TABLE_SCHEMA IN (${list}) AND TABLE_TYPE <> 'VIEW' ORDER BY 1, 2`,
    );
    return rows.map((row) => ({ database: String(row['d']), table: String(row['t']) }));
  }

  /** The tables that were there once and are no more. */
  #gone(present: readonly { database: string; table: string }[]): { database: string; table: string }[] {
    const now = new Set(present.map(({ database, table }) => `${database}\0${table}`));
    for (const name of now) this.#seen.add(name);
    return [...this.#seen]
      .filter((name) => !now.has(name))
      .map((name) => {
        const [database = '', table = ''] = name.split('\0');
        return { database, table };
      });
  }

  async #rows(sql: string): Promise<Row[]> {
    const [rows] = await this.#reader.query(sql);
    // Tables stay locked for a moment behind the last row, which RENAME TABLE … NOWAIT would meet; behind the next answer they are not.
    await this.#reader.query('DO 0');
    return rows as Row[];
  }

  async #mode(): Promise<StatementMode> {
    const [rows] = await this.#connection.query(
      'SELECT @@SESSION.sql_mode AS m, @@SESSION.explicit_defaults_for_timestamp AS e',
    );
    const [row] = rows as Row[];
    const modes = new Set(String(row?.['m']).split(','));
    const sqlMode: DdlSqlMode = {
      ansiQuotes: modes.has('ANSI_QUOTES'),
      noBackslashEscapes: modes.has('NO_BACKSLASH_ESCAPES'),
      realAsFloat: modes.has('REAL_AS_FLOAT'),
      oracle: modes.has('ORACLE'),
      maxdb: modes.has('MAXDB'),
    };
    return { sqlMode, explicitDefaultsForTimestamp: Number(row?.['e']) === 1 };
  }

  async #skipToEnd(): Promise<void> {
    const logs = await this.#rows('SHOW BINARY LOGS');
    const last = logs.at(-1);
    this.#file = String(last?.['Log_name']);
    this.#position = Number(last?.['File_size']);
  }

  /** The statements logged since the last call: from the binlog file itself, or as SHOW BINLOG EVENTS tells of it. */
  async #newStatements(failed: boolean): Promise<LoggedStatement[]> {
    if (this.#dataDir !== null) return await this.#readFile(this.#dataDir);
    const events = await this.#rows(`SHOW BINLOG EVENTS IN '${this.#file}' FROM ${this.#position}`);
    const statements: LoggedStatement[] = [];
    for (const event of events) {
      this.#position = Math.max(this.#position, Number(event['End_log_pos']));
      if (event['Event_type'] !== 'Query') continue;
      const info = String(event['Info']);
      const use = /^use `((?:[^`]|``)*)`; /.exec(info);
      statements.push({
        database: use?.[1]?.replaceAll('``', '`') ?? '',
        text: info.slice(use?.[0].length ?? 0),
        // Neither is shown. A refused statement that is there nevertheless carries its error.
        errorCode: failed ? 1 : 0,
        threadSpecific: false,
      });
    }
    return statements;
  }

  async #readFile(dataDir: string): Promise<LoggedStatement[]> {
    const file = await readFile(join(dataDir, this.#file));
    // Without the events that were read before; the first one describes the file.
    const description = file.subarray(0, MAGIC_BYTES + file.readUInt32LE(MAGIC_BYTES + EVENT_LENGTH_OFFSET));
    const events = binlogFileEvents(Buffer.concat([description, file.subarray(this.#position)]));
    this.#position = file.length;
    return events
      .filter(({ header }) => header.type === EVENT.QUERY)
      .map(({ header, body }) => {
        const { database, errorCode, query } = decodeQueryEvent(body);
        const threadSpecific = (header.flags & THREAD_SPECIFIC) !== 0;
        return { database, text: query.toString('utf8'), errorCode, threadSpecific };
      });
  }
}

function compareDefinitions(known: TableDefinition, actual: TableDefinition, flavour: 'mysql' | 'mariadb'): string[] {
  const place = `${actual.schema.database}.${actual.schema.name}`;
  const differences: string[] = [];
  const differ = (what: string, ours: unknown, theirs: unknown): void => {
    const [a, b] = [JSON.stringify(ours), JSON.stringify(theirs)];
    if (a !== b) differences.push(`${place} ${what}: understood ${a}, is ${b}`);
  };
  differ(
    'columns',
    known.schema.columns.map((column) => column.name),
    actual.schema.columns.map((column) => column.name),
  );
  for (const [index, column] of actual.schema.columns.entries()) {
    const ours = known.schema.columns[index];
    const doubtful = actual.doubtfulMembers.includes(column.name);
    const members = doubtful ? (column.members ?? []) : null;
    const shown = doubtful
      ? ours?.members?.map((member) => member.replaceAll(/[\ud800-\udbff][\udc00-\udfff]/g, '?'))
      : null;
    if (doubtful) differ(`members of ${column.name}`, shown, members);
    differ(`column ${column.name}`, sorted(ours, doubtful), sorted(column, doubtful));
  }
  differ('key', known.schema.key, actual.schema.key);
  differ('default', charset(known.defaultCharset), charset(actual.defaultCharset));
  differ('row end', known.rowEnd, actual.rowEnd);
  const missing = actual.uniqueColumns.filter((name) => !known.uniqueColumns.includes(name));
  if (flavour === 'mariadb') differ('missing unique columns', missing, []);
  differ('hidden', known.hiddenColumns, actual.hiddenColumns);
  return differences;
}

function charset(value: CharsetAndCollation | null): string | null {
  return value === null ? null : `${value.charset} ${value.collation}`;
}

function sorted(column: object | undefined, withoutMembers: boolean): [string, unknown][] {
  return Object.entries(column ?? {})
    .filter(([name]) => !(withoutMembers && name === 'members'))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
