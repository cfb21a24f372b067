import { readFileSync } from 'node:fs';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { createConnection, type Connection, type ConnectionOptions } from 'mysql2';
import { TidingsError } from '../../core/errors.ts';
import { driverError } from './server-errors.ts';

/** Where and as whom to connect; parsed from a URL by `parseMysqlUrl`. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  /** A Unix socket's path; wins over host and port. */
  readonly socketPath: string | null;
  readonly user: string;
  readonly password: string;
  /** The URL's path, decoded; null when there is none. */
  readonly database: string | null;
  readonly tls: TlsSettings | null;
  /** Longest wait for an answer, in milliseconds. @default 60000; for the connection itself 10000 */
  readonly answerTimeoutMs?: number;
}

export interface TlsSettings {
  /** `on`: only encrypted. `verify-ca`: the certificate's authority is checked. `verify`: the server's name, too. */
  readonly mode: 'on' | 'verify-ca' | 'verify';
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** Definitions of very many tables may take a server long; for ever would be a connection that died without a word. */
const ANSWER_TIMEOUT_MS = 60_000;

/** What a connection may want of the driver besides what the address says. */
export type DriverOptions = Pick<ConnectionOptions, 'stream' | 'flags' | 'multipleStatements' | 'queryFormat'>;

/** A row of a query's result; numbers beyond 2^53 and temporal values are text. */
export type ResultRow = Readonly<Record<string, unknown>>;

/** A connection for questions about the server: settings, schemas, positions. */
export class QueryConnection {
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #waiting = new Set<(error: unknown, rows: unknown) => void>();
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.close();

  constructor(connection: Connection, { answerTimeoutMs = ANSWER_TIMEOUT_MS }: ServerAddress, signal?: AbortSignal) {
    this.#connection = connection;
    this.#timeoutMs = answerTimeoutMs;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#onAbort);
  }

  /** The signal closes the connection, also while a query runs. */
  static async open(address: ServerAddress, signal?: AbortSignal): Promise<QueryConnection> {
    const connection = await authenticate(address, driverSocket(address));
    const queries = new QueryConnection(connection, address, signal);
    if (signal?.aborted === true) queries.close();
    return queries;
  }

  /** The server's number of this connection, as SHOW PROCESSLIST has it. */
  get id(): number {
    return this.#connection.threadId;
  }

  /** @throws TidingsError by the server's error number; CONNECTION_LOST when no answer comes, or the connection is closed before */
  query(sql: string): Promise<readonly ResultRow[]> {
    return new Promise((resolve, reject) => {
      const settle = (error: unknown, rows: unknown): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        if (error === null) resolve(Array.isArray(rows) ? (rows as ResultRow[]) : []);
        else reject(driverError(error, statementName(sql)));
      };
      const timer = setTimeout(() => {
        settle(new TidingsError('CONNECTION_LOST', `${statementName(sql)}: no answer for ${this.#timeoutMs} ms`), null);
        this.close();
      }, this.#timeoutMs);
      // The driver forgets whoever waits when its connection is destroyed.
      this.#waiting.add(settle);
      this.#connection.query(sql, settle);
    });
  }

  close(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#connection.destroy();
    for (const settle of this.#waiting) {
      settle(new TidingsError('CONNECTION_LOST', 'the connection was closed by Tidings'), null);
    }
  }
}

/** What a connection is made over: left to the driver, but for what it gets wrong. */
export function driverSocket(address: ServerAddress): Pick<ConnectionOptions, 'stream'> {
  if (address.tls?.mode !== 'verify' || address.socketPath !== null || isIP(address.host) === 0) return {};
  return { stream: () => nameForTls(connectTcp({ host: address.host, port: address.port }), address) };
}

/**
 * For an IP address the driver gives Node no name to check the certificate for, and Node then checks it for "localhost". It takes the
 * name of the socket underneath before it falls back to that; there is no documented way through the driver.
 */
export function nameForTls(socket: Socket, { host, socketPath }: ServerAddress): Socket {
  return socketPath === null ? Object.assign(socket, { _host: host }) : socket;
}

/** A connection of the driver, by what the URL says. @throws TidingsError by the server's error number */
export function authenticate(address: ServerAddress, extra: DriverOptions): Promise<Connection> {
  const where = address.socketPath ?? `${address.host}:${address.port}`;
  const options: ConnectionOptions = {
    host: address.host,
    port: address.port,
    ...(address.socketPath === null ? {} : { socketPath: address.socketPath }),
    user: address.user,
    password: address.password,
    connectTimeout: Math.min(CONNECT_TIMEOUT_MS, address.answerTimeoutMs ?? CONNECT_TIMEOUT_MS),
    charset: 'utf8mb4_general_ci',
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
    ...(address.tls === null ? {} : { ssl: tlsOptions(address.tls) }),
    ...extra,
  };
  return new Promise((resolve, reject) => {
    const connection = createConnection(options);
    connection.connect((error) => {
      if (error === null) {
        // Kept for the connection's whole life: an 'error' event without a listener would end the process.
        connection.on('error', () => undefined);
        resolve(connection);
      } else {
        connection.on('error', () => undefined);
        connection.destroy();
        reject(driverError(error, `cannot connect to ${where} as ${address.user || '(no user)'}`));
      }
    });
  });
}

function tlsOptions({ mode, caFile, certFile, keyFile }: TlsSettings): NonNullable<ConnectionOptions['ssl']> & object {
  return {
    rejectUnauthorized: mode !== 'on',
    verifyIdentity: mode === 'verify',
    ...(caFile === null ? {} : { ca: readTlsFile(caFile) }),
    ...(certFile === null ? {} : { cert: readTlsFile(certFile) }),
    ...(keyFile === null ? {} : { key: readTlsFile(keyFile) }),
  };
}

function readTlsFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new TidingsError('CONFIG_INVALID', `cannot read the TLS file ${path}`, { cause: error, details: { path } });
  }
}

/** The first words of a statement, for messages: no literals (I10). */
function statementName(sql: string): string {
  return sql.trim().split(/\s+/).slice(0, 3).join(' ');
}
