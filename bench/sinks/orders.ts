import type { Connection, RowDataPacket } from 'mysql2/promise';
import { createTables } from '../decode/workloads.ts';

const ROWS_PER_TRANSACTION = 1000;

/** Six columns, about 80 bytes a row.. */
export const ORDERS = `(
  id BIGINT PRIMARY KEY, customer INT NOT NULL, status VARCHAR(20) NOT NULL, total DECIMAL(12,2) NOT NULL,
  ordered_at DATETIME NOT NULL, note VARCHAR(100) NULL) DEFAULT CHARSET utf8mb4`;

const FILL = `
  CREATE PROCEDURE bench.fill_orders(base INT, total INT)
  BEGIN
    DECLARE done INT DEFAULT 0;
    WHILE done < total DO
      INSERT INTO bench.orders
      SELECT base + done + n, (base + done + n) * 7919 % 100000, ELT(1 + n % 4, 'open', 'paid', 'shipped', 'cancelled'),
        (base + done + n) % 999983 + n / 100, '2024-01-01' + INTERVAL (base + done + n) * 31 SECOND,
        IF(n % 10 = 3, NULL, LEFT(CONCAT(base + done + n, ' ', body), 30 + n % 40))
      FROM bench.words ORDER BY n LIMIT ${ROWS_PER_TRANSACTION};
      SET done = done + ${ROWS_PER_TRANSACTION};
    END WHILE;
  END`;

export async function createOrders(connection: Connection): Promise<void> {
  await createTables(connection);
  await connection.query(FILL);
}

/** A table without rows. */
export async function freshOrders(connection: Connection): Promise<void> {
  await connection.query(`DROP TABLE IF EXISTS bench.orders`);
  await connection.query(`CREATE TABLE bench.orders ${ORDERS}`);
}

/** Inserts `total` rows with the keys from `base` on, in transactions of 1000. Both are multiples of 1000. */
export async function fillOrders(connection: Connection, base: number, total: number): Promise<void> {
  await connection.query('CALL bench.fill_orders(?, ?)', [base, total]);
}

/** Where the server's binlog ends. */
export async function binlogEnd(connection: Connection): Promise<{ readonly file: string; readonly position: number }> {
  const [rows] = await connection.query<RowDataPacket[]>('SHOW MASTER STATUS');
  const [row] = rows;
  if (row === undefined) throw new Error('the server writes no binlog');
  return { file: String(row['File']), position: Number(row['Position']) };
}

/** The same for equal rows in equal numbers, whatever order they are in. */
export async function digest(connection: Connection, table: string): Promise<string> {
  const [rows] = await connection.query<RowDataPacket[]>(
    `SELECT COUNT(*) AS n, SUM(CRC32(CONCAT_WS('|', id, customer, status, total, ordered_at, note))) AS s FROM ${table}`,
  );
  return `${String(rows[0]?.['n'])} ${String(rows[0]?.['s'])}`;
}
