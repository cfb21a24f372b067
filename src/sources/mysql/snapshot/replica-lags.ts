import { isTidingsError } from '../../../core/errors.ts';
import type { ReplicaLag } from '../../../core/snapshot.ts';
import { QueryConnection, type ResultRow, type ServerAddress } from '../../../drivers/mysql/connect.ts';
import { readServer, textOf } from '../server.ts';

/** One that does not answer in this time counts as one that lags; nobody waits for it meanwhile. */
const ANSWER_TIMEOUT_MS = 5000;

/** How far the replicas of a server are behind it, as they say themselves. Each is asked over a connection of its own, which is kept. */
export class ReplicaLags {
  readonly #replicas: readonly Replica[];
  #looking: Promise<readonly ReplicaLag[]> | null = null;

  constructor(addresses: readonly ServerAddress[]) {
    this.#replicas = addresses.map((address) => new Replica(address));
  }

  /** Who asks while others wait for the answer gets the same one. */
  look(): Promise<readonly ReplicaLag[]> {
    this.#looking ??= Promise.all(this.#replicas.map((replica) => replica.lag())).finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  close(): void {
    for (const replica of this.#replicas) replica.close();
  }
}

interface Asking {
  readonly connection: QueryConnection;
  readonly statement: string;
}

class Replica {
  readonly #name: string;
  readonly #address: ServerAddress;
  readonly #closed = new AbortController();
  #asking: Asking | null = null;

  constructor(address: ServerAddress) {
    const { host, port, socketPath, answerTimeoutMs = ANSWER_TIMEOUT_MS } = address;
    this.#name = socketPath ?? `${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.#address = { ...address, answerTimeoutMs: Math.min(answerTimeoutMs, ANSWER_TIMEOUT_MS) };
  }

  async lag(): Promise<ReplicaLag> {
    const replica = this.#name;
    try {
      this.#asking ??= await this.#connect();
      const { connection, statement } = this.#asking;
      return { replica, ...lagOf(await connection.query(statement)) };
    } catch (error) {
      this.#asking?.connection.close();
      this.#asking = null;
      const why = isTidingsError(error) ? `: ${error.message}` : '';
      return { replica, seconds: null, problem: `it cannot be asked${why}` };
    }
  }

  close(): void {
    this.#closed.abort();
    this.#asking?.connection.close();
  }

  async #connect(): Promise<Asking> {
    const connection = await QueryConnection.open(this.#address, this.#closed.signal);
    try {
      return { connection, statement: (await readServer(connection)).replicaStatusStatement };
    } catch (error) {
      connection.close();
      throw error;
    }
  }
}

/** By the worst of the servers that it replicates: which of them leads to ours it does not say. */
export function lagOf(rows: readonly ResultRow[]): Pick<ReplicaLag, 'seconds' | 'problem'> {
  if (rows.length === 0) return { seconds: null, problem: 'it is no replica' };
  let worst = 0;
  for (const row of rows) {
    const running = [
      textOf(row, 'Replica_IO_Running', 'Slave_IO_Running'),
      textOf(row, 'Replica_SQL_Running', 'Slave_SQL_Running'),
    ];
    const seconds = textOf(row, 'Seconds_Behind_Source', 'Seconds_Behind_Master');
    // Without a connection to its source a replica knows only of what it has fetched before.
    if (seconds === '' || running.some((state) => state !== 'Yes')) {
      return { seconds: null, problem: 'its replication does not run' };
    }
    worst = Math.max(worst, Number(seconds));
  }
  return { seconds: worst, problem: null };
}
