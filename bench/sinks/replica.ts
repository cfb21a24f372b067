import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import type { BenchServer } from '../support/bench-server.ts';

interface Place {
  readonly file: string;
  readonly position: number;
}

/** MariaDB as a replica of the source. The log of what it is to apply is on its disk before the time runs, so that only applying is measured. */
export class Replica {
  readonly #replica: Connection;
  readonly #source: BenchServer;

  constructor(replica: Connection, source: BenchServer) {
    this.#replica = replica;
    this.#source = source;
  }

  /** @param threads that apply at the same time, in commit order; 0: one, as by default */
  async begin(from: Place, threads: number): Promise<void> {
    const { host, port, user } = this.#source;
    await this.#replica.query('STOP SLAVE');
    await this.#replica.query('RESET SLAVE ALL');
    await this.#replica.query(`SET GLOBAL slave_parallel_threads = ${threads}`);
    await this.#replica.query(
      `CHANGE MASTER TO MASTER_HOST='${host}', MASTER_PORT=${port}, MASTER_USER='${user}', MASTER_PASSWORD='', ` +
        `MASTER_LOG_FILE='${from.file}', MASTER_LOG_POS=${from.position}, MASTER_USE_GTID=no`,
    );
  }

  /** Applies up to there. Resolves to the seconds that it took. */
  async apply(until: Place): Promise<number> {
    await this.#replica.query('START SLAVE IO_THREAD');
    await this.#wait((status) => Number(status['Read_Master_Log_Pos']) >= until.position);
    const startMs = performance.now();
    await this.#replica.query('START SLAVE SQL_THREAD');
    await this.#wait((status) => Number(status['Exec_Master_Log_Pos']) >= until.position);
    return (performance.now() - startMs) / 1000;
  }

  async end(): Promise<void> {
    await this.#replica.query('STOP SLAVE');
    await this.#replica.query('RESET SLAVE ALL');
  }

  async #wait(until: (status: RowDataPacket) => boolean): Promise<void> {
    for (;;) {
      const [[status]] = await this.#replica.query<RowDataPacket[]>('SHOW SLAVE STATUS');
      const error = String(status?.['Last_Error'] ?? '') || String(status?.['Last_IO_Error'] ?? '');
      if (status === undefined || error !== '') throw new Error(`the replica does not work: ${error}`);
      if (until(status)) return;
      await sleep(20);
    }
  }
}
