import type { Connection, RowDataPacket } from 'mysql2/promise';

export type WorkloadName = 'bulk' | 'keys' | 'tx' | 'latency';

/** What a reader is asked to read, and what it must have seen by then. */
export interface Workload {
  readonly name: WorkloadName;
  /** One sentence for the report. */
  readonly description: string;
  readonly table: string;
  /** The binlog file that holds nothing else, and where its first event starts. */
  readonly file: string;
  readonly position: number;
  readonly bytes: number;
  readonly rows: number;
  /** Σ id and Σ length(body), as the server adds them up: a reader that skips rows or values misses them. */
  readonly idSum: number;
  readonly bodyLength: number;
}

const DATABASE = 'bench';
const ROWS_PER_TRANSACTION = 1000;

/**
 * Every table: `id` first, `body` (ASCII) last; the readers' checks rely on it. `words` lends variety to the values, so that
 * a million rows are made by cheap expressions on the server and no two are the same.
 */
const TABLES: readonly string[] = [
  `CREATE TABLE bench.words (n INT PRIMARY KEY, body VARCHAR(120) NOT NULL, tail CHAR(28) NOT NULL)`,
  `CREATE TABLE bench.bulk (
    id BIGINT PRIMARY KEY, warehouse SMALLINT NOT NULL, quantity INT UNSIGNED NULL, weight DOUBLE NOT NULL,
    price DECIMAL(10,2) NOT NULL, title VARCHAR(60) NOT NULL, active TINYINT(1) NOT NULL, made_on DATE NOT NULL,
    ordered_at DATETIME NOT NULL, changed_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), details JSON NOT NULL,
    code CHAR(36) NOT NULL, body TEXT NOT NULL) DEFAULT CHARSET utf8mb4`,
  `CREATE TABLE bench.tx (
    id BIGINT PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL, d DECIMAL(12,4) NOT NULL, ts DATETIME(6) NOT NULL,
    body VARCHAR(60) NOT NULL) DEFAULT CHARSET utf8mb4`,
  `CREATE TABLE bench.latency (
    id BIGINT PRIMARY KEY AUTO_INCREMENT, sent BIGINT NOT NULL, body VARCHAR(100) NOT NULL) DEFAULT CHARSET utf8mb4`,
];

const DIGITS =
  '(SELECT 0 i UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)';

/** 1000 rows; `body` has 56 to 95 characters. */
const FILL_WORDS = `
  INSERT INTO bench.words
  SELECT n, LEFT(CONCAT_WS(' ', SHA2(n, 256), SHA2(n + 1000, 256)), 56 + n % 40), SUBSTR(UUID(), 9)
  FROM (SELECT a.i + 10 * b.i + 100 * c.i AS n FROM ${DIGITS} a, ${DIGITS} b, ${DIGITS} c) numbers`;

const FILL_BULK = `
  CREATE PROCEDURE bench.fill_bulk(total INT)
  BEGIN
    DECLARE base INT DEFAULT 0;
    WHILE base < total DO
      INSERT INTO bench.bulk
      SELECT base + n, (base + n) % 60000 - 30000, IF(n % 20 = 7, NULL, (base + n) * 3999 % 4294967296), (base + n) / 7e0,
        (base + n) % 9999999 + n / 100, CONCAT(IF(n % 50 = 0, 'Größe ', 'Size '), n, ' of ', base), n % 2,
        '2020-01-01' + INTERVAL (base + n) % 2000 DAY, '2021-01-01' + INTERVAL (base + n) * 31 SECOND,
        '2022-03-01' + INTERVAL (base + n) * 1000003 MICROSECOND,
        CONCAT('{"sku": ', base + n, ', "tags": ["a", "b"], "stock": ', n, '}'),
        CONCAT(LPAD(HEX(base + n), 8, '0'), tail), CONCAT(base, ' ', body)
      FROM bench.words ORDER BY n LIMIT ${ROWS_PER_TRANSACTION};
      SET base = base + ${ROWS_PER_TRANSACTION};
    END WHILE;
  END`;

const FILL_TX = `
  CREATE PROCEDURE bench.fill_tx(total INT)
  BEGIN
    DECLARE i INT DEFAULT 0;
    DECLARE words_c VARCHAR(160);
    DECLARE words_body VARCHAR(60);
    WHILE i < total DO
      IF i % 100 = 0 THEN
        SELECT CONCAT(body, tail), CONCAT(tail, tail) INTO words_c, words_body FROM bench.words WHERE n = i DIV 100 % 1000;
      END IF;
      INSERT INTO bench.tx VALUES (i, i * 7 % 500000, LEFT(CONCAT(i, ' ', words_c), 120), i / 16,
        '2024-05-01' + INTERVAL i * 1000003 MICROSECOND, LEFT(CONCAT(i, ' ', words_body), 60));
      SET i = i + 1;
    END WHILE;
  END`;

/** Makes the tables and the procedures that fill them. What an earlier run left behind goes. */
export async function createTables(connection: Connection): Promise<void> {
  await connection.query(`DROP DATABASE IF EXISTS ${DATABASE}`);
  await connection.query(`CREATE DATABASE ${DATABASE}`);
  await connection.query(`USE ${DATABASE}`);
  await connection.query(`SET SESSION time_zone = '+00:00'`);
  for (const statement of [...TABLES, FILL_WORDS, FILL_BULK, FILL_TX]) await connection.query(statement);
}

/** Writes `rows` rows of 13 columns (a multiple of 1000) in transactions of 1000 into a binlog file of their own. */
export async function writeBulk(connection: Connection, rows: number): Promise<Workload> {
  const file = await freshBinlogFile(connection);
  await connection.query(`CALL ${DATABASE}.fill_bulk(?)`, [rows]);
  const description = `${count(rows)} rows of 13 mixed columns in 1000-row transactions`;
  return describe(connection, { name: 'bulk', description, table: `${DATABASE}.bulk`, file });
}

/** Writes single-row transactions into a binlog file of their own. */
export async function writeTransactions(connection: Connection, transactions: number): Promise<Workload> {
  const file = await freshBinlogFile(connection);
  await connection.query(`CALL ${DATABASE}.fill_tx(?)`, [transactions]);
  const description = `${count(transactions)} single-row transactions`;
  return describe(connection, { name: 'tx', description, table: `${DATABASE}.tx`, file });
}

/** The row with `sent` 0 tells a reader that starts here that it is connected. */
export async function probeLatency(connection: Connection): Promise<Workload> {
  const file = await freshBinlogFile(connection);
  await connection.query(`INSERT INTO ${DATABASE}.latency (sent, body) VALUES (0, '')`);
  return describe(connection, { name: 'latency', description: '', table: `${DATABASE}.latency`, file });
}

export function keysOf(bulk: Workload): Workload {
  return { ...bulk, name: 'keys', description: `${bulk.description}, primary key only`, bodyLength: 0 };
}

async function freshBinlogFile(connection: Connection): Promise<string> {
  await connection.query('FLUSH BINARY LOGS');
  return (await lastBinlogFile(connection)).name;
}

async function describe(
  connection: Connection,
  { name, description, table, file }: Pick<Workload, 'name' | 'description' | 'table' | 'file'>,
): Promise<Workload> {
  const last = await lastBinlogFile(connection);
  if (last.name !== file) throw new Error(`${name} did not fit into one binlog file: raise max_binlog_size`);
  const [sums] = await connection.query<RowDataPacket[]>(
    `SELECT COUNT(*) AS n, SUM(id) AS id_sum, SUM(LENGTH(body)) AS body_length FROM ${table}`,
  );
  const [row] = sums;
  if (row === undefined) throw new Error('an aggregate without GROUP BY has one row');
  const rows = Number(row['n']);
  const [idSum, bodyLength] = [Number(row['id_sum']), Number(row['body_length'])];
  return { name, description, table, file, position: 4, bytes: last.bytes, rows, idSum, bodyLength };
}

async function lastBinlogFile(connection: Connection): Promise<{ name: string; bytes: number }> {
  const [files] = await connection.query<RowDataPacket[]>('SHOW BINARY LOGS');
  const last = files.at(-1);
  if (last === undefined) throw new Error('the server writes no binlog');
  return { name: String(last['Log_name']), bytes: Number(last['File_size']) };
}

function count(rows: number): string {
  return rows.toLocaleString('en-US');
}
