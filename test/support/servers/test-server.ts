import { type Connection, type ConnectionOptions, createConnection } from 'mysql2/promise';
import type { ServerFlavour } from './flavour.ts';

/** A row as the driver yields it. */
export type SelectedRow = Record<string, unknown>;

/** A database server for one test file, the benchmark or the demo. */
export interface TestServer extends AsyncDisposable {
  readonly flavour: ServerFlavour;
  /** As `SELECT VERSION()` says it. */
  readonly version: string;
  readonly host: string;
  readonly port: number;
  /** `mysql://root@127.0.0.1:3306`. */
  readonly url: string;
  /** False for a server that the user named in the environment: it cannot be started, stopped, killed or configured. */
  readonly owned: boolean;
  /** Null for a server that is not owned. */
  readonly dataDir: string | null;
  /** Null while it is down, and for a server that is not owned. */
  readonly pid: number | null;
  /** Runs SQL as root on a connection kept for this purpose; several statements at once are allowed. */
  query<T extends object = SelectedRow>(sql: string, params?: readonly unknown[]): Promise<T[]>;
  /** A new connection, as root unless the options say otherwise. The caller ends it. */
  connection(options?: ConnectionOptions): Promise<Connection>;
  /** Starts it again after `kill` or `shutdown`, with the same data and port. */
  start(changes?: StartChanges): Promise<void>;
  /** Shuts it down in good order and starts it again. */
  restart(changes?: StartChanges): Promise<void>;
  /** Shuts it down in good order; the data stays. */
  shutdown(): Promise<void>;
  /** SIGKILL: as if the process had crashed. The data stays. */
  kill(): Promise<void>;
  /** Ends it and removes everything it made; only a data folder that the caller gave stays. Idempotent. */
  stop(): Promise<void>;
}

export interface StartChanges {
  /** From now on these extra server options are used instead of those given before. */
  readonly options?: readonly string[];
}

/** The part that all servers share: SQL as root over TCP. */
export class SqlClient {
  readonly #options: ConnectionOptions;
  #connection: Promise<Connection> | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = { multipleStatements: true, ...options };
  }

  async query<T extends object>(sql: string, params: readonly unknown[] = []): Promise<T[]> {
    this.#connection ??= this.#open();
    const connection = await this.#connection;
    const [rows] = await connection.query(sql, [...params]);
    return rows as T[];
  }

  async connection(options: ConnectionOptions = {}): Promise<Connection> {
    return await createConnection({ ...this.#options, ...options });
  }

  /** Drops the kept connection; the next query opens a new one. */
  drop(): void {
    const connection = this.#connection;
    this.#connection = null;
    connection?.then(
      (open) => open.destroy(),
      () => {},
    );
  }

  #open(): Promise<Connection> {
    const opened = this.connection().then((connection) => {
      connection.on('error', forget); // The server went away; without a listener that would end the process.
      return connection;
    });
    const forget = (): void => {
      if (this.#connection === opened) this.#connection = null;
    };
    opened.catch(forget);
    return opened;
  }
}
