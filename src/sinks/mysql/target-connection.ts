import type { Connection, QueryOptions, ResultSetHeader } from 'mysql2';
import { TidingsError } from '../../core/errors.ts';
import { authenticate, driverSocket, type ServerAddress } from '../../drivers/mysql/connect.ts';
import { serverReply, writeError } from './write-errors.ts';

/** The modes in which every value arrives as it is, or not at all; text in quotes has no escapes. */
export const STRICT_MODE =
  'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION';
/** The same without refusing what is bent: for the one value that no strict session can write, the error value of an ENUM. */
export const LENIENT_MODE = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION';

/** So many queries are asked in one exchange. */
const QUERIES_MAX = 200;
const LOCK_WAIT_S = 10;
/** A session that nobody speaks to ends, with its locks: the machine of a dead sink may not say goodbye. */
const SILENCE_MAX_S = 120;

export type ResultRow = Readonly<Record<string, unknown>>;
export type RawRow = readonly (Buffer | null)[];

/** What one of several statements has yielded: how many rows it matched, and warnings; or rows. */
export interface StatementResult {
  readonly matched: number;
  readonly warnings: number;
  readonly rows: readonly ResultRow[];
}

/** One of several statements failed; those before it took effect. */
export class StatementFailed extends Error {
  override readonly name: string = 'StatementFailed';
  /** The server's error. */
  readonly error: unknown;

  constructor(error: unknown) {
    super('a statement failed');
    this.error = error;
  }
}

/** A session in the target, set up so that values arrive exactly. */
export class TargetConnection {
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #waiting = new Set<(error: unknown, result: unknown) => void>();
  readonly #signal: AbortSignal;
  readonly #onAbort = (): void => this.close();
  #closed = false;

  private constructor(connection: Connection, timeoutMs: number, signal: AbortSignal) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
    connection.on('end', () => this.close());
    connection.on('error', () => this.close());
  }

  /** The signal closes it, also while a statement runs. @throws TidingsError */
  static async open(address: ServerAddress, signal: AbortSignal): Promise<TargetConnection> {
    signal.throwIfAborted();
    const driver = await authenticate(address, {
      ...driverSocket(address),
      multipleStatements: true,
      // Statements are whole: the driver would search them for places of values, character by character.
      queryFormat: (sql: string) => sql,
      // FOUND_ROWS, the driver's default, makes a row count as matched that an UPDATE leaves as it was.
      flags: ['FOUND_ROWS', '-CLIENT_QUERY_ATTRIBUTES'],
    });
    const connection = new TargetConnection(driver, address.answerTimeoutMs ?? 60_000, signal);
    try {
      if (signal.aborted) connection.close();
      await connection.setUp();
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whatever the server's settings are, the session's are these. `sql_log_bin` is left alone. */
  async setUp(): Promise<void> {
    const [format] = await this.rows("SHOW VARIABLES WHERE Variable_name = 'binlog_format'");
    // READ COMMITTED takes fewer locks, and cannot be logged as statements.
    const isolation = format?.['Value'] === 'STATEMENT' ? 'REPEATABLE READ' : 'READ COMMITTED';
    await this.execute(
      `SET NAMES utf8mb4; SET SESSION sql_mode = '${STRICT_MODE}', time_zone = '+00:00', foreign_key_checks = 0, ` +
        'unique_checks = 1, autocommit = 1, sql_notes = 1, sql_safe_updates = 0, sql_select_limit = DEFAULT, ' +
        `innodb_lock_wait_timeout = ${LOCK_WAIT_S}, lock_wait_timeout = 60, wait_timeout = ${SILENCE_MAX_S}; ` +
        `SET SESSION TRANSACTION ISOLATION LEVEL ${isolation}`,
      'set up the session',
    );
  }

  /**
   * Runs statements, one behind the other, in one exchange.
   *
   * @throws StatementFailed when the server refuses one of them; TidingsError CONNECTION_LOST
   */
  async statements(sql: string): Promise<readonly StatementResult[]> {
    return resultsOf(await this.#query({ sql, rowsAsArray: false }));
  }

  #query(query: QueryOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new TidingsError('CONNECTION_LOST', 'the connection to the target is closed'));
        return;
      }
      const settle = (error: unknown, result: unknown): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        forgetStatement(error);
        if (error === null || error === undefined) resolve(result);
        else if (serverReply(error) === null || isFatal(error)) {
          this.close();
          reject(writeError(error, 'the target'));
        } else reject(new StatementFailed(error));
      };
      const timer = setTimeout(() => {
        settle(new TidingsError('CONNECTION_LOST', `the target gave no answer for ${this.#timeoutMs} ms`), null);
      }, this.#timeoutMs);
      // The driver forgets whoever waits when its connection is destroyed.
      this.#waiting.add(settle);
      this.#connection.query(query, settle);
    });
  }

  /** Statements whose failure is not a row's business. @throws TidingsError */
  async execute(sql: string, doing: string): Promise<readonly StatementResult[]> {
    try {
      return await this.statements(sql);
    } catch (error) {
      if (error instanceof StatementFailed) throw writeError(error.error, `cannot ${doing}`);
      throw error;
    }
  }

  /** The rows of one query. @throws TidingsError */
  async rows(sql: string, doing: string = 'ask the target'): Promise<readonly ResultRow[]> {
    return (await this.execute(sql, doing))[0]?.rows ?? [];
  }

  /** The rows of each query, column by column as the bytes that the server sends. @throws TidingsError */
  async rawResults(queries: readonly string[]): Promise<readonly (readonly RawRow[])[]> {
    const results: (readonly RawRow[])[] = [];
    for (let at = 0; at < queries.length; at += QUERIES_MAX) {
      // oxlint-disable-next-line no-await-in-loop -- over one connection
      results.push(...(await this.#rawResults(queries.slice(at, at + QUERIES_MAX))));
    }
    return results;
  }

  async #rawResults(queries: readonly string[]): Promise<readonly (readonly RawRow[])[]> {
    try {
      const sql = queries.join(';');
      const result = await this.#query({ sql, rowsAsArray: true, typeCast: (field) => field.buffer() });
      return queries.length === 1 ? [result as RawRow[]] : (result as RawRow[][]);
    } catch (error) {
      if (error instanceof StatementFailed) throw writeError(error.error, 'cannot read rows');
      throw error;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#connection.destroy();
    for (const settle of this.#waiting) {
      settle(new TidingsError('CONNECTION_LOST', 'the connection to the target was lost'), null);
    }
  }
}

/** The driver's errors carry the statement's text, and so the values of rows: nobody may find it in a log (I10). */
function forgetStatement(error: unknown): void {
  if (error instanceof Error && 'sql' in error) delete error.sql;
}

/** Behind these the server closes the connection. */
function isFatal(error: unknown): boolean {
  const number = serverReply(error)?.number ?? 0;
  return number === 1053 || number === 1927 || number === 3169 || number === 4031 || number === 1153;
}

/** One result, or an array of them; each a header, or an array of rows. */
function resultsOf(result: unknown): readonly StatementResult[] {
  if (!Array.isArray(result)) return [resultOf(result)];
  const isOne = result.length === 0 || !result.every((each) => Array.isArray(each) || isHeader(each));
  return isOne ? [resultOf(result)] : result.map(resultOf);
}

function resultOf(result: unknown): StatementResult {
  if (Array.isArray(result)) return { matched: 0, warnings: 0, rows: result as ResultRow[] };
  const { affectedRows, warningStatus } = result as ResultSetHeader;
  return { matched: affectedRows, warnings: warningStatus, rows: [] };
}

function isHeader(value: unknown): boolean {
  return typeof value === 'object' && value !== null && value.constructor.name === 'ResultSetHeader';
}
