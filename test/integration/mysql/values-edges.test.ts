import { expect, test } from 'vitest';
import type { Change, Row } from '../../../src/core/change.ts';
import { isTidingsError } from '../../../src/core/errors.ts';
import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { TestServer } from '../../support/servers/test-server.ts';

/** Where the binlog ends, as `from` takes it. */
async function place(server: TestServer): Promise<string> {
  const sql = server.flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS';
  const [row] = await server.query<{ File: string; Position: number }>(sql);
  return `${row?.File}:${row?.Position}`;
}

/** The changes of a database from a place to now. */
async function changesFrom(server: TestServer, from: string, database = 'edges'): Promise<Change[]> {
  const source = new MysqlSource({ url: server.url, tables: [`${database}.*`], from, until: 'now' });
  const changes: Change[] = [];
  for await (const { parts } of source.batches()) {
    for (const entry of parts.flatMap(({ entries }) => entries)) {
      if (entry.type === 'rows') changes.push(...entry.changes());
    }
  }
  return changes;
}

/** Runs statements in a new database `edges`, one by one, and yields the changes that the stream has for them. */
async function run(server: TestServer, statements: readonly string[]): Promise<Change[]> {
  await server.query('DROP DATABASE IF EXISTS edges');
  const from = await place(server);
  await server.query('CREATE DATABASE edges CHARACTER SET utf8mb4');
  const connection = await server.connection({ database: 'edges', charset: 'utf8mb4' });
  try {
    for (const sql of ["SET SESSION time_zone = '+00:00'", ...statements]) await connection.query(sql);
  } finally {
    await connection.end();
  }
  return await changesFrom(server, from);
}

/** The rows that are left when the changes are applied to nothing; a change of a row that is not there fails. */
function applied(changes: readonly Change[]): string[] {
  const rows: string[] = [];
  for (const { before, after } of changes) {
    if (before !== null) {
      const at = rows.indexOf(asText(before));
      if (at < 0) throw new Error(`a change of a row that is not there: ${asText(before)}`);
      rows.splice(at, 1);
    }
    if (after !== null) rows.push(asText(after));
  }
  return rows.toSorted();
}

function asText(row: Row): string {
  return JSON.stringify(row, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

/** What SELECT shows, in the value model: integers as numbers, TIMESTAMP(6) as instants, all else as text. */
async function shown(server: TestServer, columns: readonly string[], from: string): Promise<string[]> {
  const connection = await server.connection({
    database: 'edges',
    charset: 'utf8mb4',
    typeCast: (field) => field.string('utf8'),
  });
  try {
    await connection.query("SET SESSION time_zone = '+00:00'");
    const [rows] = await connection.query(`SELECT ${columns.join(', ')} FROM ${from}`);
    return (rows as Record<string, string | null>[])
      .map((row) => {
        const values = Object.entries(row).map(([name, value]) => [name, value === null ? null : typed(name, value)]);
        return asText(Object.fromEntries(values) as Row);
      })
      .toSorted();
  } finally {
    await connection.end();
  }
}

function typed(name: string, value: string): string | number {
  if (/^\d+$/.test(value)) return Number(value);
  return name.startsWith('row_') ? `${value.replace(' ', 'T')}Z` : value;
}

const METADATA = ['FULL', 'NO_LOG', 'MINIMAL'];

describeServers(
  ['mariadb', 'mysql'],
  'values at the edge',
  (server, flavour) => {
    if (flavour === 'mariadb') historyTests(server);
    else jsonDifferenceTests(server);

    const minimal = flavour === 'mysql' ? 'MINIMAL' : 'NO_LOG';

    test('members beyond U+FFFF that only the server could be asked for stop the source; full metadata has them', async () => {
      await server().query(`SET GLOBAL binlog_row_metadata = ${minimal}`);
      const fromDdl = await run(server(), [
        "CREATE TABLE t (id INT PRIMARY KEY, mood ENUM('😀', 'x') CHARACTER SET utf8mb4)",
        'INSERT INTO t VALUES (1, 1)',
      ]);
      expect(fromDdl.map(({ after }) => after)).toEqual([{ id: 1, mood: '😀' }]);

      const from = await place(server());
      await server().query('INSERT INTO edges.t VALUES (2, 1)');
      const failure: unknown = await changesFrom(server(), from).catch((error: unknown) => error);
      expect(isTidingsError(failure) ? failure.code : failure).toBe('SCHEMA_UNKNOWN');

      await server().query('SET GLOBAL binlog_row_metadata = FULL; FLUSH TABLES');
      const later = await place(server());
      await server().query('INSERT INTO edges.t VALUES (3, 1)');
      expect((await changesFrom(server(), later)).map(({ after }) => after)).toEqual([{ id: 3, mood: '😀' }]);
    });

    test('a row of which MINIMAL logs nothing is a change all the same', async () => {
      await server().query(`SET GLOBAL binlog_row_metadata = FULL`);
      const changes = await run(server(), [
        'CREATE TABLE t (id INT DEFAULT 7 PRIMARY KEY, v INT)',
        "SET SESSION binlog_row_image = 'MINIMAL'",
        'INSERT INTO t () VALUES ()',
        'UPDATE t SET v = 1',
      ]);
      const seen = changes.map(({ kind, before, after }) => ({ kind, before, after }));
      // What MySQL logs of it has grown with its versions; that it is a change has not.
      expect(seen).toEqual([
        { kind: 'insert', before: null, after: flavour === 'mariadb' ? {} : expect.anything() },
        { kind: 'update', before: { id: 7 }, after: { v: 1 } },
      ]);
    });
  },
  { owned: true },
);

/** MariaDB's tables with a history, or with columns that no SELECT * shows. */
function historyTests(server: () => TestServer): void {
  test.each(METADATA)(
    'tables whose row period is hidden yield every version of a row (binlog_row_metadata=%s)',
    async (metadata) => {
      await server().query(`SET GLOBAL binlog_row_metadata = ${metadata}`);
      const changes = await run(server(), [
        'CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), free INT WITHOUT SYSTEM VERSIONING) WITH SYSTEM VERSIONING',
        "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 1)",
        "UPDATE t SET v = 'c' WHERE id = 1",
        'UPDATE t SET free = 2',
        'DELETE FROM t WHERE id = 2',
        "INSERT INTO t VALUES (2, 'again', 0)",
      ]);
      const columns = ['id', 'v', 'free', 'row_start', 'row_end'];
      expect(applied(changes)).toEqual(await shown(server(), columns, 't FOR SYSTEM_TIME ALL'));
    },
  );

  test.each(METADATA)(
    'tables whose row period has names yield every version of a row (binlog_row_metadata=%s)',
    async (metadata) => {
      await server().query(`SET GLOBAL binlog_row_metadata = ${metadata}`);
      const changes = await run(server(), [
        `CREATE TABLE t (row_from TIMESTAMP(6) GENERATED ALWAYS AS ROW START INVISIBLE, id INT PRIMARY KEY, v VARCHAR(20),
         row_to TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (row_from, row_to)) WITH SYSTEM VERSIONING`,
        "INSERT INTO t (id, v) VALUES (1, 'a'), (2, 'b')",
        "UPDATE t SET v = 'c'",
        'DELETE FROM t WHERE id = 2',
      ]);
      const columns = ['row_from', 'id', 'v', 'row_to'];
      expect(applied(changes)).toEqual(await shown(server(), columns, 't FOR SYSTEM_TIME ALL'));
    },
  );

  test.each(METADATA)(
    'tables for a period of the application yield the rows that a change of a part leaves (binlog_row_metadata=%s)',
    async (metadata) => {
      await server().query(`SET GLOBAL binlog_row_metadata = ${metadata}`);
      const changes = await run(server(), [
        'CREATE TABLE t (id INT, since DATE, until DATE, PERIOD FOR valid (since, until), PRIMARY KEY (id, valid WITHOUT OVERLAPS))',
        "INSERT INTO t VALUES (1, '2026-01-01', '2027-01-01'), (2, '2026-01-01', '2027-01-01')",
        "UPDATE t FOR PORTION OF valid FROM '2026-03-01' TO '2026-04-01' SET id = id + 10",
        "DELETE FROM t FOR PORTION OF valid FROM '2026-06-01' TO '2026-07-01'",
      ]);
      expect(applied(changes)).toEqual(await shown(server(), ['id', 'since', 'until'], 't'));
    },
  );

  test.each(METADATA)(
    'tables with a hidden hash of a long UNIQUE key yield the columns beside it (binlog_row_metadata=%s)',
    async (metadata) => {
      await server().query(`SET GLOBAL binlog_row_metadata = ${metadata}`);
      const changes = await run(server(), [
        'CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT, w INT, UNIQUE (v))',
        "INSERT INTO t VALUES (1, 'a', 1), (2, NULL, 2)",
        "UPDATE t SET v = 'b', w = 3 WHERE id = 1",
      ]);
      const visible = changes.map(({ before, after }) =>
        [before, after].map((row) => row && [row['id'], row['v'], row['w']]),
      );
      expect(visible).toEqual([
        [null, [1, 'a', 1]],
        [null, [2, null, 2]],
        [
          [1, 'a', 1],
          [1, 'b', 3],
        ],
      ]);
    },
  );
}

function jsonDifferenceTests(server: () => TestServer): void {
  test('differences to JSON documents that the image has not logged stop the source', async () => {
    const failure: unknown = await run(server(), [
      'CREATE TABLE t (id INT PRIMARY KEY, j JSON)',
      "INSERT INTO t VALUES (1, JSON_OBJECT('a', 1, 'pad', REPEAT('x', 100)))",
      "SET SESSION binlog_row_image = 'MINIMAL', binlog_row_value_options = 'PARTIAL_JSON'",
      "UPDATE t SET j = JSON_SET(j, '$.a', 2)",
    ]).catch((error: unknown) => error);
    expect(isTidingsError(failure) ? failure.code : failure).toBe('JSON_DIFF_WITHOUT_DOCUMENT');
  });

  test('differences to JSON documents of several columns of several rows give the documents that SELECT shows', async () => {
    const changes = await run(server(), [
      'CREATE TABLE t (id INT PRIMARY KEY, a JSON, n INT, b JSON, c JSON)',
      'INSERT INTO t VALUES (1, \'{"x": 1, "y": [1, 2, 3]}\', 0, \'[1, {"z": "long enough"}]\', NULL), (2, \'{"x": 5, "y": []}\', 0, \'[]\', \'{}\')',
      "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'",
      "UPDATE t SET a = JSON_SET(a, '$.x', 2, '$.y[0]', 'new'), b = JSON_REMOVE(b, '$[1].z'), n = 1",
      "UPDATE t SET c = JSON_REPLACE(c, '$.none', 1), b = JSON_SET(b, '$[0]', NULL), n = 2",
      "UPDATE t SET a = '\"other\"', b = JSON_SET(b, '$[9]', 1), n = 3",
    ]);
    expect(applied(changes)).toEqual(await shown(server(), ['id', 'a', 'n', 'b', 'c'], 't'));
  });
}
