import { TidingsError } from '../../../core/errors.ts';
import type { ServerAddress } from '../../../drivers/mysql/connect.ts';
import { SnapshotConnection } from './snapshot-connection.ts';

/** A connection that has rested longer may be gone without our knowing. */
const TRUSTED_MS = 100;
/** An idle connection is kept so long: the next chunk is mostly asked for at once. */
const IDLE_MS = 10_000;

export interface Lease {
  readonly connection: SnapshotConnection;
  /** Aborted when the connection was closed by order. */
  readonly signal: AbortSignal;
  end(): Promise<void>;
}

/** The connections of a snapshot: as many as reads run at a time, used again, closed when nobody has needed them for a while. */
export class ConnectionPool {
  readonly #address: ServerAddress;
  readonly #identity: () => string | null;
  readonly #idle: { readonly connection: SnapshotConnection; readonly sinceMs: number }[] = [];
  readonly #busy = new Set<SnapshotConnection>();
  readonly #closed = new AbortController();
  #sweeper: NodeJS.Timeout | null = null;

  /** @param identity of the server that it must be (`Server.identity`); null: not known yet */
  constructor(address: ServerAddress, identity: () => string | null) {
    this.#address = address;
    this.#identity = identity;
  }

  /** Runs what needs a connection for a while: see `lease`. @throws what `use` and `lease` throw */
  async with<T>(signal: AbortSignal, use: (connection: SnapshotConnection) => Promise<T>): Promise<T> {
    const lease = await this.lease(signal);
    try {
      const result = await use(lease.connection);
      // The stream may have gone to another server meanwhile, whose places mean something else.
      this.#check(lease.connection);
      return result;
    } catch (error) {
      lease.signal.throwIfAborted();
      throw error;
    } finally {
      await lease.end();
    }
  }

  /**
   * A connection of the right server, until `end`. The signal closes it, whatever it is doing; an answer that is half read closes it at the
   * end, and a transaction that is still open is ended then.
   *
   * @throws what connecting throws, what the signal was aborted with; SNAPSHOT_SERVER_CHANGED when it is another server
   */
  async lease(signal: AbortSignal): Promise<Lease> {
    const both = AbortSignal.any([signal, this.#closed.signal]);
    both.throwIfAborted();
    const connection = await this.#take(both);
    const abort = (): void => connection.close();
    both.addEventListener('abort', abort);
    return {
      connection,
      signal: both,
      end: async () => {
        both.removeEventListener('abort', abort);
        await this.#give(connection);
      },
    };
  }

  close(): void {
    this.#closed.abort(new TidingsError('CONNECTION_LOST', 'the snapshot was closed by Tidings'));
    for (const { connection } of this.#idle.splice(0)) connection.close();
    for (const connection of this.#busy) connection.close();
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
  }

  async #take(signal: AbortSignal): Promise<SnapshotConnection> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      const { connection, sinceMs } = idle;
      this.#busy.add(connection);
      if (this.#isRight(connection)) {
        if (performance.now() - sinceMs < TRUSTED_MS) return connection;
        // Nobody was reading from it: only asking tells whether the server has closed it meanwhile.
        // oxlint-disable-next-line no-await-in-loop -- each is tried only when the one before is of no use
        if (await isAlive(connection)) return connection;
      }
      connection.close();
      this.#busy.delete(connection);
    }
    const connection = await SnapshotConnection.open(this.#address, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    });
    try {
      signal.throwIfAborted();
      this.#check(connection);
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#busy.add(connection);
    return connection;
  }

  #isRight({ server }: SnapshotConnection): boolean {
    const identity = this.#identity();
    return identity === null || server.identity === identity;
  }

  #check(connection: SnapshotConnection): void {
    if (this.#isRight(connection)) return;
    const { host, port, socketPath } = this.#address;
    throw new TidingsError(
      'SNAPSHOT_SERVER_CHANGED',
      `the server at ${socketPath ?? `${host}:${port}`} that the snapshot reads is not the one that the stream reads`,
      { details: { stream: this.#identity() ?? '', snapshot: connection.server.identity } },
    );
  }

  async #give(connection: SnapshotConnection): Promise<void> {
    const usable = await settled(connection);
    this.#busy.delete(connection);
    if (!usable || this.#closed.signal.aborted) {
      connection.close();
      return;
    }
    this.#idle.push({ connection, sinceMs: performance.now() });
    this.#sweeper ??= setInterval(() => this.#sweep(), IDLE_MS / 2).unref();
  }

  #sweep(): void {
    const before = performance.now() - IDLE_MS;
    // The one that was used last is taken first, so the oldest are in front.
    while (this.#idle[0] !== undefined && this.#idle[0].sinceMs < before) this.#idle.shift()?.connection.close();
    if (this.#idle.length > 0 || this.#sweeper === null) return;
    clearInterval(this.#sweeper);
    this.#sweeper = null;
  }
}

async function isAlive(connection: SnapshotConnection): Promise<boolean> {
  try {
    await connection.reader.query('DO 1');
    return true;
  } catch {
    return false;
  }
}

/** Whether the connection can be used again. */
async function settled(connection: SnapshotConnection): Promise<boolean> {
  if (connection.reader.isClosed || !connection.reader.isIdle) return false;
  try {
    await connection.commit();
    return true;
  } catch {
    return false;
  }
}
