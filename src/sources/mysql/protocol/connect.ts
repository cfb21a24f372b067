import { readFileSync } from 'node:fs';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { createConnection, type Connection, type ConnectionOptions } from 'mysql2';
import { TidingsError } from '../../../core/errors.ts';
import { type ByteIntake, SocketIntake, StreamIntake } from './byte-intake.ts';
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

/** A connection that asks its set-up questions through the driver, then becomes the replication stream. */
export class DumpConnection {
  readonly queries: QueryConnection;
  readonly #connection: Connection;
  readonly #socket: SocketIntake;
  readonly #tls: boolean;

  private constructor(connection: Connection, socket: SocketIntake, address: ServerAddress) {
    this.#connection = connection;
    this.#socket = socket;
    this.#tls = address.tls !== null;
    this.queries = new QueryConnection(connection, address);
  }

  /** The signal ends the attempt, not the connection that it made. */
  static async open(address: ServerAddress, signal?: AbortSignal): Promise<DumpConnection> {
    const socket = new SocketIntake(
      address.socketPath === null ? { host: address.host, port: address.port } : { path: address.socketPath },
    );
    nameForTls(socket.socket, address);
    const abandon = (): void => socket.destroy();
    signal?.addEventListener('abort', abandon);
    try {
      // Query attributes would stand in front of every statement that whoever takes the connection over sends.
      const extra = { stream: () => socket.socket, flags: ['-CLIENT_QUERY_ATTRIBUTES'] };
      return new DumpConnection(await authenticate(address, extra), socket, address);
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abandon);
    }
  }

  /**
   * Ends the driver's part. The server is silent between its last answer and the dump command, so no byte can be left in the
   * driver's hands: it has parsed the last answer to its end before it called back.
   */
  takeOver(): ByteIntake {
    // The driver reports the end of a connection that it believes to own as an error event; nobody is interested any more.
    this.#connection.on('error', () => undefined);
    if (!this.#tls) {
      this.#socket.takeOver();
      return this.#socket;
    }
    // With TLS the driver has wrapped our socket; what it reads is `stream` by now.
    return new StreamIntake((this.#connection as unknown as { readonly stream: import('node:stream').Duplex }).stream);
  }

  close(): void {
    this.queries.close();
    this.#socket.destroy();
  }
}

/** What a query connection is made over: left to the driver, but for what it gets wrong. */
function driverSocket(address: ServerAddress): Pick<ConnectionOptions, 'stream'> {
  if (address.tls?.mode !== 'verify' || address.socketPath !== null || isIP(address.host) === 0) return {};
  return { stream: () => nameForTls(connectTcp({ host: address.host, port: address.port }), address) };
}

/**
 * For an IP address the driver gives Node no name to check the certificate for, and Node then checks it for "localhost". It takes the
 * name of the socket underneath before it falls back to that; there is no documented way through the driver.
 */
function nameForTls(socket: Socket, { host, socketPath }: ServerAddress): Socket {
  return socketPath === null ? Object.assign(socket, { _host: host }) : socket;
}

function authenticate(address: ServerAddress, extra: Pick<ConnectionOptions, 'stream' | 'flags'>): Promise<Connection> {
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
