import { TidingsError } from '../../../core/errors.ts';
import { type ServerAddress } from '../../../drivers/mysql/connect.ts';
import { DumpConnection } from '../protocol/dump-connection.ts';
import { readServer, type Server } from '../server.ts';
import { ResultReader } from './result-reader.ts';
import { sessionStatements } from './text-rows/session-statements.ts';

/** How long the server may wait for us to read on, in seconds: the reader of a chunk decides how long it takes. */
const WRITE_TIMEOUT_S = 24 * 3600;
/** As `connect.ts` has it for other questions. */
const ANSWER_TIMEOUT_MS = 60_000;

/** A connection that reads chunks. It connects and authenticates through the driver, then speaks for itself. */
export class SnapshotConnection {
  readonly server: Server;
  readonly reader: ResultReader;
  /** Its transaction was begun and not ended. */
  inTransaction = false;

  private constructor(server: Server, reader: ResultReader) {
    this.server = server;
    this.reader = reader;
  }

  /** The signal ends the attempt, not the connection that it made. */
  static async open(address: ServerAddress, signal: AbortSignal): Promise<SnapshotConnection> {
    const connection = await DumpConnection.open(address, signal);
    const abandon = (): void => connection.close();
    signal.addEventListener('abort', abandon);
    try {
      if (signal.aborted) throw new TidingsError('CONNECTION_LOST', 'the connection was closed by Tidings');
      const server = await readServer(connection.queries);
      for (const statement of [...settings(server), ...sessionStatements(server)]) {
        // oxlint-disable-next-line no-await-in-loop -- a connection takes one statement at a time
        await connection.queries.query(statement);
      }
      const { answerTimeoutMs = ANSWER_TIMEOUT_MS } = address;
      return new SnapshotConnection(server, new ResultReader(connection.takeOver(), { answerTimeoutMs }));
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', abandon);
    }
  }

  /** Ends the transaction, if there is one. */
  async commit(): Promise<void> {
    if (!this.inTransaction) return;
    await this.reader.query('COMMIT');
    this.inTransaction = false;
  }

  close(): void {
    this.reader.close();
  }
}

/** What an administrator may have set for everybody, and must not hold for a snapshot; `sessionStatements` has the rest. */
function settings({ flavour, version }: Server): readonly string[] {
  const common = ['SET SESSION autocommit = 1', `SET SESSION net_write_timeout = ${WRITE_TIMEOUT_S}`];
  if (flavour === 'mariadb') {
    // A consistent snapshot, by which the server says what the read sees, is to be had in this isolation only.
    return [...common, 'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ'];
  }
  return [
    ...common,
    // Every statement has a view of its own, which is what a chunk of one SELECT needs: it is never older than the table's definition.
    'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
    // Estimates of now, not of yesterday.
    ...(version < 80_000 ? [] : ['SET SESSION information_schema_stats_expiry = 0']),
  ];
}
