import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RowDataPacket } from 'mysql2/promise';
import type { BenchServer } from '../support/bench-server.ts';
import { startBuiltRelay } from '../support/built-relay.ts';
import { peakMegabytes } from '../support/process-memory.ts';
import { timed } from '../support/progress.ts';
import { runSnapshot } from './run-snapshot.ts';

/** What one snapshot took. */
export interface Peak {
  /** Peak resident memory of the relay, since it was started. */
  readonly megabytes: number;
  readonly rowsPerSecond: number;
}

const STREAM = 'rows';
/** So many rows go into one statement. */
const SEED_ROWS = 2 ** 20;

/** A table of so many rows of 16 MB. */
export async function peakOfLargeRows(server: BenchServer, folder: string, rows: number): Promise<Peak> {
  const { connection } = server;
  await connection.query('DROP TABLE IF EXISTS bench.large');
  await connection.query('CREATE TABLE bench.large (id INT PRIMARY KEY, body LONGBLOB NOT NULL)');
  await connection.query('SET GLOBAL max_allowed_packet = 1073741824');
  await timed(`writing ${rows} rows of 16 MB`, async () => {
    for (let id = 0; id < rows; id++) {
      await connection.query(`INSERT INTO bench.large VALUES (${id}, REPEAT('x', 16000000))`);
    }
  });
  return await peakOf(server, folder, 'bench.large');
}

/** A table of so many narrow rows. */
export async function peakOfManyRows(server: BenchServer, folder: string, rows: number): Promise<Peak> {
  const { connection } = server;
  const columns = '(id INT PRIMARY KEY, n INT NOT NULL, note VARCHAR(20) NOT NULL)';
  await connection.query('DROP TABLE IF EXISTS bench.many, bench.seed');
  await connection.query(`CREATE TABLE bench.seed ${columns}`);
  await connection.query(`CREATE TABLE bench.many ${columns}`);
  // What nobody reads from the binlog needs no room there.
  await connection.query('SET SESSION sql_log_bin = 0');
  await timed(`writing ${rows} rows`, async () => {
    const seed = Math.min(rows, SEED_ROWS);
    await connection.query("INSERT INTO bench.seed VALUES (0, 7, 'note 0')");
    for (let have = 1; have < seed; have *= 2) {
      await connection.query(
        `INSERT INTO bench.seed SELECT id + ${have}, (id + ${have}) % 1000, CONCAT('note ', id + ${have})
         FROM bench.seed WHERE id < ${seed - have}`,
      );
    }
    for (let have = 0; have < rows; have += seed) {
      await connection.query(
        `INSERT INTO bench.many SELECT id + ${have}, n, note FROM bench.seed WHERE id < ${rows - have} ORDER BY id`,
      );
    }
  });
  await connection.query('DROP TABLE bench.seed');
  await connection.query('SET SESSION sql_log_bin = 1');
  return await peakOf(server, folder, 'bench.many');
}

async function peakOf({ connection, url }: BenchServer, folder: string, table: string): Promise<Peak> {
  const data = await mkdtemp(join(folder, 'snapshot-'));
  try {
    await using relay = await startBuiltRelay(data, { name: STREAM, url, table });
    const { rows, seconds } = await timed(`reading ${table}`, () =>
      runSnapshot({ url: relay.url, stream: STREAM }, table),
    );
    const megabytes = peakMegabytes(relay.pid);
    const [[counted]] = await connection.query<RowDataPacket[]>(`SELECT COUNT(*) AS n FROM ${table}`);
    if (rows !== Number(counted?.['n'])) throw new Error(`the snapshot of ${table} has ${rows} rows`);
    return { megabytes, rowsPerSecond: rows / seconds };
  } finally {
    await rm(data, { recursive: true, force: true });
    await connection.query(`DROP TABLE ${table}`);
  }
}
