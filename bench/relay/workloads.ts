import type { Connection, RowDataPacket } from 'mysql2/promise';
import type { Workload } from '../decode/workloads.ts';

const ROWS_PER_STATEMENT = 1000;
const BODY_BYTES = 1000;

/** One transaction of about so many bytes of binlog, in a file of its own. */
export async function writeLargeTransaction(connection: Connection, bytes: number): Promise<Workload> {
  const statements = Math.ceil(bytes / (ROWS_PER_STATEMENT * (BODY_BYTES + 16)));
  await connection.query('DROP TABLE IF EXISTS bench.large');
  await connection.query(
    'CREATE TABLE bench.large (id BIGINT PRIMARY KEY, body VARCHAR(2000) NOT NULL) DEFAULT CHARSET utf8mb4',
  );
  await connection.query('FLUSH BINARY LOGS');
  const [files] = await connection.query<RowDataPacket[]>('SHOW BINARY LOGS');
  const file = String(files.at(-1)?.['Log_name']);
  await connection.beginTransaction();
  for (let i = 0; i < statements; i++) {
    await connection.query(`INSERT INTO bench.large SELECT ? + n, REPEAT(CHAR(97 + n % 26), ?) FROM bench.words`, [
      i * ROWS_PER_STATEMENT,
      BODY_BYTES,
    ]);
  }
  await connection.commit();
  const [sums] = await connection.query<RowDataPacket[]>(
    'SELECT COUNT(*) AS n, SUM(id) AS id_sum, SUM(LENGTH(body)) AS body_length FROM bench.large',
  );
  const row = sums[0];
  if (row === undefined) throw new Error('an aggregate without GROUP BY has one row');
  const rows = Number(row['n']);
  return {
    name: 'bulk',
    description: `one transaction of ${rows} rows`,
    table: 'bench.large',
    file,
    position: 4,
    bytes: rows * (BODY_BYTES + 16),
    rows,
    idSum: Number(row['id_sum']),
    bodyLength: Number(row['body_length']),
  };
}
