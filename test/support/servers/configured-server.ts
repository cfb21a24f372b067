import type { Connection, ConnectionOptions } from 'mysql2/promise';
import { FLAVOURS, type ServerFlavour } from './flavour.ts';
import { serverMissing, serverNotOwned } from './server-unavailable.ts';
import { type SelectedRow, SqlClient, type TestServer } from './test-server.ts';

const DEFAULT_PORT = 3306;

/** A server that runs already and that the user named in the environment. It is used, never started, stopped or configured. */
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

  private constructor(flavour: ServerFlavour, url: URL, { sql, version }: { sql: SqlClient; version: string }) {
    this.flavour = flavour;
    this.url = url.href;
    this.host = url.hostname;
    this.port = portOf(url);
    this.version = version;
    this.#sql = sql;
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
    return new ConfiguredServer(flavour, url, { sql, version });
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

  /** Only lets go of it. */
  async stop(): Promise<void> {
    this.#sql.drop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function portOf(url: URL): number {
  return url.port === '' ? DEFAULT_PORT : Number(url.port);
}
