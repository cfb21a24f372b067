import { expect, test } from 'vitest';
import type { TableSchema } from '../../../src/core/table-schema.ts';
import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import { describeServer, describeServers } from '../../support/servers/describe-server.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { inDatabase, linesOf, presentPosition, rowsOf, run } from './source-reading.ts';

const T = 'CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20) CHARACTER SET latin1)';

/** What a log would keep of a reading: the definitions that the rows were written with, and where it ended. */
async function readAndKeep(
  server: TestServer,
  database: string,
): Promise<{ readonly tables: readonly TableSchema[]; readonly end: string }> {
  const tables = new Map<string, TableSchema>();
  const source = new MysqlSource({ url: server.url, tables: [`${database}.*`], from: 'earliest', until: 'now' });
  for await (const batch of source.batches()) {
    for (const { entries } of batch.parts) {
      for (const entry of entries) if (entry.type === 'rows') tables.set(entry.table.name, entry.shape.table);
    }
  }
  return { tables: JSON.parse(JSON.stringify([...tables.values()])) as TableSchema[], end: String(source.position) };
}

describeServers(
  ['mariadb', 'mysql'],
  'resuming with the definitions of the rows before, default metadata',
  (server) => {
    test('rows before, between and after DDL that is still ahead are exact; without the definitions the source stops', async () => {
      const database = await inDatabase(server(), [T, "INSERT INTO t VALUES (1, 10, 'é')"]);
      const { tables, end } = await readAndKeep(server(), database);
      await run(server(), database, [
        "INSERT INTO t VALUES (2, 20, 'ü')",
        'ALTER TABLE t RENAME COLUMN a TO amount, ADD COLUMN n SMALLINT UNSIGNED',
        "INSERT INTO t VALUES (3, 30, 'ö', 65535)",
        'ALTER TABLE t DROP COLUMN amount, ADD COLUMN m BIGINT FIRST',
        "INSERT INTO t VALUES (-1, 4, 'ä', 40)",
      ]);
      const rows = [
        'insert t {"id":2,"a":20,"b":"ü"}',
        'insert t {"id":3,"amount":30,"b":"ö","n":65535}',
        'insert t {"m":-1,"id":4,"b":"ä","n":40}',
      ];
      expect(await rowsOf(server(), database, { from: end, knownTables: tables })).toEqual(rows);
      await expect(rowsOf(server(), database, { from: end })).rejects.toMatchObject({ code: 'SCHEMA_UNKNOWN' });
    });

    test('a definition that does not fit the rows is forgotten: what the server says counts, as if there had been none', async () => {
      const database = await inDatabase(server(), [T, "INSERT INTO t VALUES (1, 10, 'x')"]);
      const { tables } = await readAndKeep(server(), database);
      await run(server(), database, ['DROP TABLE t', 'CREATE TABLE t (name CHAR(5) PRIMARY KEY, price DECIMAL(8,2))']);
      const { place } = await presentPosition(server());
      await run(server(), database, ["INSERT INTO t VALUES ('tea', 9.5)"]);
      const options = { from: place, knownTables: tables };
      expect(await rowsOf(server(), database, options)).toEqual(['insert t {"name":"tea","price":"9.50"}']);
      await run(server(), database, ['ALTER TABLE t RENAME COLUMN price TO cost']);
      await expect(rowsOf(server(), database, options)).rejects.toMatchObject({ code: 'SCHEMA_UNKNOWN' });
    });

    test('a definition that fits, but is not the one that the server is proved to have had, does not count', async () => {
      const database = await inDatabase(server(), [T, "INSERT INTO t VALUES (1, 10, 'x')"]);
      const { tables } = await readAndKeep(server(), database);
      await run(server(), database, ['ALTER TABLE t RENAME COLUMN a TO amount']);
      const { place } = await presentPosition(server());
      await run(server(), database, ["INSERT INTO t VALUES (2, 20, 'y')"]);
      expect(await rowsOf(server(), database, { from: place, knownTables: tables })).toEqual([
        'insert t {"id":2,"amount":20,"b":"y"}',
      ]);
    });

    test('without a position to resume at they are not looked at', async () => {
      const database = await inDatabase(server(), [T, "INSERT INTO t VALUES (1, 10, 'x')"]);
      const { tables } = await readAndKeep(server(), database);
      const renamed = tables.map((table) => ({
        ...table,
        columns: table.columns.map((column) => ({ ...column, name: `no_${column.name}` })),
      }));
      expect(await rowsOf(server(), database, { knownTables: renamed })).toEqual(['insert t {"id":1,"a":10,"b":"x"}']);
    });
  },
);

describeServer('mariadb', 'resuming with definitions, MariaDB', (server) => {
  test('a table that may be versioned is read by its definition up to the DDL, and by what the server says behind it', async () => {
    const database = await inDatabase(server(), [
      'CREATE TABLE t (id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING',
      'INSERT INTO t VALUES (1, 10)',
    ]);
    const { tables, end } = await readAndKeep(server(), database);
    await run(server(), database, [
      'INSERT INTO t VALUES (2, 20)',
      'SET SESSION system_versioning_alter_history = KEEP',
      'ALTER TABLE t ADD COLUMN c TIMESTAMP(6) NULL',
      'INSERT INTO t VALUES (3, 30, NULL)',
    ]);
    const rows = await rowsOf(server(), database, { from: end, knownTables: tables });
    expect(rows.map((row) => row.replaceAll(/"[0-9T:.-]+Z"/g, '"…"'))).toEqual([
      'insert t {"id":2,"a":20,"row_start":"…","row_end":"…"}',
      'insert t {"id":3,"a":30,"c":null,"row_start":"…","row_end":"…"}',
    ]);
  });

  test('a statement that nobody understands is an entry wherever it ran: kept definitions may be wrong behind it', async () => {
    const other = await inDatabase(server(), ['CREATE TABLE a (id INT)']);
    const database = await inDatabase(server(), [T]);
    const { place } = await presentPosition(server());
    const statement = "SET STATEMENT sql_mode = '' FOR ALTER TABLE a ADD COLUMN b INT";
    await run(server(), other, [statement]);
    expect(await linesOf(server(), database, { from: place })).toEqual([`schema ${other}.* ${statement}`]);
  });
});
