import type { Connection, ConnectionOptions } from 'mysql2/promise';
import { quoteName } from '../values/texts.ts';
import { FLAVOURS, type ServerFlavour } from './flavour.ts';
import { serverMissing, serverNotOwned } from './server-unavailable.ts';
import { type SelectedRow, SqlClient, type TestServer } from './test-server.ts';

const DEFAULT_PORT = 3306;

/**
 * A server that runs already and that the user named in the environment, for tests alone. It is used, never started or stopped, and left as it was found:
 * without the databases and accounts that came in the meantime, and with the variables that it had.
 */
export class ConfiguredServer implements TestServer {
  readonly owned = false;
  readonly dataDir = null;
  readonly pid = null;
  readonly flavour: ServerFlavour;
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly version: string;
  readonly #sql: SqlClient;
  readonly #found: Found;
  #stopped: Promise<void> | null = null;

  private constructor(flavour: ServerFlavour, url: URL, { sql, version, found }: Connected) {
    this.flavour = flavour;
    this.url = url.href;
    this.host = url.hostname;
    this.port = portOf(url);
    this.version = version;
    this.#sql = sql;
    this.#found = found;
  }

  static async connect(flavour: ServerFlavour, text: string): Promise<ConfiguredServer> {
    const { label, urlVariable } = FLAVOURS[flavour];
    if (!URL.canParse(text)) throw serverMissing(flavour, `${urlVariable} is no URL`);
    const url = new URL(text);
    const sql = new SqlClient({
      host: url.hostname,
      port: portOf(url),
      user: decodeURIComponent(url.username) || 'root',
      password: decodeURIComponent(url.password),
    });
    const [row] = await sql.query<{ version: string }>('SELECT VERSION() AS version').catch((error: unknown) => {
      throw serverMissing(flavour, `the server that ${urlVariable} names does not answer (${String(error)})`);
    });
    const version = row?.version ?? '';
    if (/mariadb/i.test(version) !== (flavour === 'mariadb')) {
      sql.drop();
      throw serverMissing(flavour, `${urlVariable} names a server of version ${version}, which is no ${label}`);
    }
    return new ConfiguredServer(flavour, url, { sql, version, found: await look(sql) });
  }

  async query<T extends object = SelectedRow>(sql: string, params?: readonly unknown[]): Promise<T[]> {
    return await this.#sql.query<T>(sql, params);
  }

  async connection(options?: ConnectionOptions): Promise<Connection> {
    return await this.#sql.connection(options);
  }

  async start(): Promise<void> {
    throw serverNotOwned(this.flavour, 'starting');
  }

  async restart(): Promise<void> {
    throw serverNotOwned(this.flavour, 'restarting');
  }

  async shutdown(): Promise<void> {
    throw serverNotOwned(this.flavour, 'shutting down');
  }

  async kill(): Promise<void> {
    throw serverNotOwned(this.flavour, 'killing');
  }

  /** Lets go of it. */
  stop(): Promise<void> {
    this.#stopped ??= this.#leave();
    return this.#stopped;
  }

  async #leave(): Promise<void> {
    const { databases, accounts, variables } = await look(this.#sql);
    for (const name of databases) {
      // oxlint-disable-next-line no-await-in-loop -- over one connection
      if (!this.#found.databases.has(name)) await this.#sql.query(`DROP DATABASE ${quoteName(name)}`);
    }
    for (const account of accounts) {
      // oxlint-disable-next-line no-await-in-loop -- as above
      if (!this.#found.accounts.has(account)) await this.#sql.query(`DROP USER ${account}`);
    }
    for (const [name, value] of this.#found.variables) {
      if (variables.get(name) === value) continue;
      const text = /^\d+$/.test(value) ? value : `'${value.replaceAll(/['\\]/g, '\\$&')}'`;
      // What only tells of the server's work cannot be set.
      // oxlint-disable-next-line no-await-in-loop -- as above
      await this.#sql.query(`SET GLOBAL ${name} = ${text}`).catch(() => undefined);
    }
    this.#sql.drop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** What a server is to be left with. */
interface Found {
  readonly databases: ReadonlySet<string>;
  /** As SQL has them: `'reader'@'%'`. */
  readonly accounts: ReadonlySet<string>;
  readonly variables: ReadonlyMap<string, string>;
}

interface Connected {
  readonly sql: SqlClient;
  readonly version: string;
  readonly found: Found;
}

async function look(sql: SqlClient): Promise<Found> {
  const databases = await sql.query<{ name: string }>('SELECT schema_name AS name FROM information_schema.schemata');
  const accounts = await sql.query<{ user: string; host: string }>(
    "SELECT QUOTE(User) AS user, QUOTE(Host) AS host FROM mysql.user WHERE Host <> ''",
  );
  const variables = await sql.query<{ Variable_name: string; Value: string }>('SHOW GLOBAL VARIABLES');
  return {
    databases: new Set(databases.map(({ name }) => name)),
    accounts: new Set(accounts.map(({ user, host }) => `${user}@${host}`)),
    variables: new Map(variables.map(({ Variable_name: name, Value: value }) => [name, value])),
  };
}

function portOf(url: URL): number {
  return url.port === '' ? DEFAULT_PORT : Number(url.port);
}
