import { expect, test } from 'vitest';
import type { Key } from '../../../src/core/plain-rows.ts';
import type { MysqlSnapshotReader } from '../../../src/sources/mysql/snapshot/mysql-snapshot-reader.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import { openReader, readChunk, takeRows, type Wanted } from './snapshot-reading.ts';
import { inDatabase } from './source-reading.ts';

/** Nobody calls it off. */
const { signal } = new AbortController();

describeServers(['mariadb', 'mysql'], 'rows by a list of keys', (server, flavour) => {
  /** A table of these statements, and a reader of it. */
  async function withTable(
    statements: readonly string[],
    use: (reader: MysqlSnapshotReader, table: { readonly database: string; readonly table: 't' }) => Promise<void>,
  ): Promise<void> {
    const database = await inDatabase(server(), statements);
    const reader = openReader(server(), { tables: [`${database}.*`] });
    try {
      await use(reader, { database, table: 't' });
    } finally {
      await reader.close();
    }
  }

  const read = async (reader: MysqlSnapshotReader, wanted: Wanted): Promise<unknown[]> =>
    takeRows(await readChunk(server(), reader, { rows: 5000, ...wanted })).map((row) => row['n']);

  test('are found by what the server takes for the same key', async () => {
    const create = 'CREATE TABLE t (k VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY, n INT)';
    await withTable([create, "INSERT INTO t VALUES ('Straße', 1), ('EINS', 2), ('zwei', 3)"], async (reader, table) => {
      expect(await read(reader, { ...table, keys: ['eins', 'ZWEI', 'drei', '🚲'] })).toEqual([2, 3]);
      expect(await read(reader, { ...table, keys: ['EINS', 'zwei'], among: ['eins', 'straße'] })).toEqual([2]);
      expect(await read(reader, { ...table, keys: ['eins', 'Eins', 'EINS'] })).toEqual([2]);
      expect(await read(reader, { ...table, keys: ['vier'] })).toEqual([]);
    });
  });

  test('a member that the ENUM has not finds nothing, and disturbs none beside it', async () => {
    const create = "CREATE TABLE t (k ENUM('a', 'b', '1') PRIMARY KEY, n INT)";
    await withTable([create, "INSERT INTO t VALUES ('a', 1), ('b', 2), ('1', 3)"], async (reader, table) => {
      expect(await read(reader, { ...table, keys: ['b', 'nothing', '3'] })).toEqual([2]);
      expect(await read(reader, { ...table, keys: ['1', ''] })).toEqual([3]);
    });
  });

  test('a thousand of three columns cost the server no more than their rows', async () => {
    const statements = [
      'CREATE TABLE t (a INT, b VARCHAR(9), c INT, n INT, PRIMARY KEY (a, b, c), KEY (n))',
      `INSERT INTO t WITH RECURSIVE seq (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM seq WHERE i < 1000) SELECT x.i % 10, x.i, y.i, x.i FROM seq x, seq y WHERE y.i <= 20`,
      'ANALYZE TABLE t',
    ];
    await withTable(statements, async (reader, table) => {
      const keys = Array.from({ length: 1000 }, (_, i): Key => [(i + 1) % 10, String(i + 1), 1 + (i % 20)]);
      // So that the table is known.
      await read(reader, { ...table, rows: 1 });
      const before = await rowsTouched();
      expect(await read(reader, { ...table, keys })).toHaveLength(1000);
      expect((await rowsTouched()) - before).toBeLessThan(3000);
    });
  });

  test('a list is refused by the first key that can be none, and no value is shown', async () => {
    const create = 'CREATE TABLE t (id INT, word VARCHAR(20), n INT, PRIMARY KEY (word, id))';
    await withTable([create], async (reader, table) => {
      const refusal = async (...keys: readonly Key[]): Promise<{ message: string; code: string }> =>
        reader.checkKeys({ ...table, keys, signal }).then(
          () => ({ message: 'taken', code: '' }),
          (error: unknown) => error as { message: string; code: string },
        );
      const name = `${table.database}.t`;
      for (const [keys, message] of [
        [
          [
            ['a', 1],
            ['secret', 'secret'],
          ],
          "key 2 of the list: a key's value for column id (int) is not an integer",
        ],
        [[[7, 7]], "key 1 of the list: a key's value for column word (varchar) is not text"],
        [[['secret', null]], "key 1 of the list: a key's value for column id (int) is not an integer"],
        [['secret'], `key 1 of the list: a key of ${name} is (word, id), not 1 value`],
        [[['secret', 1, 1]], `key 1 of the list: a key of ${name} is (word, id), not 3 values`],
      ] as const) {
        expect(await refusal(...keys)).toMatchObject({ code: 'SNAPSHOT_KEYS_INVALID', message });
      }
      expect(await refusal(['a', 1], ['b', 2n ** 63n])).toMatchObject({ message: 'taken' });
      await server().query(`ALTER TABLE ${name} DROP PRIMARY KEY`);
      expect(await refusal(['a', 1])).toMatchObject({ code: 'SNAPSHOT_KEY_MISSING' });
      await server().query(`ALTER TABLE ${name} ADD PRIMARY KEY (id)`);
      expect(await refusal(7)).toMatchObject({ message: 'taken' });
      await server().query(`DROP TABLE ${name}`);
      expect(await refusal(7)).toMatchObject({ code: 'SNAPSHOT_TABLE_GONE' });
    });
  });

  test.each([
    ['DATE', '2026-13-45'],
    ['DATE', '2026-02-31'],
    ['DATETIME(3)', '2026-01-01 25:61:61.000'],
    ['DATETIME', '0000-00-00 00:00:00'],
    ['TIMESTAMP', '2026-13-01T00:00:00Z'],
    ['TIMESTAMP', '0000-00-00T00:00:00Z'],
    ['TIME', '99:99:99'],
    ['TIME', '838:59:59.999999'],
    ['DECIMAL(65,30)', '9'.repeat(200)],
    ['DECIMAL(5,2)', '1234567.123456'],
    ['DOUBLE', 1e308],
    ['TINYINT', 2n ** 64n - 1n],
    ['YEAR', 999_999],
    ['BIT(3)', -5],
    ...(flavour === 'mariadb'
      ? ([
          ['UUID', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
          ['INET6', '12345::g'],
          ['INET6', ':::'],
          ['INET4', '999.1.1.1'],
        ] as const)
      : []),
  ] as const)(
    'a %s that there cannot be (%s) finds nothing, or is refused without being shown',
    async (type, value) => {
      await withTable([`CREATE TABLE t (k ${type} PRIMARY KEY, n INT)`], async (reader, table) => {
        const outcome = await (async () => {
          await reader.checkKeys({ ...table, keys: [value], signal });
          return await read(reader, { ...table, keys: [value] });
        })().catch((error: unknown) => error as { code: string; message: string });
        if (Array.isArray(outcome)) expect(outcome).toEqual([]);
        else {
          expect(outcome).toMatchObject({ code: 'SNAPSHOT_KEYS_INVALID' });
          expect((outcome as { message: string }).message).not.toContain(String(value));
        }
      });
    },
  );

  async function rowsTouched(): Promise<number> {
    const rows = await server().query<{ Value: string }>(
      "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_rows_read', 'Rows_read', 'Sort_rows')",
    );
    return rows.reduce((sum, { Value }) => sum + Number(Value), 0);
  }
});
