import { describe, expect, test } from 'vitest';
import { parseVersion } from '../../../src/drivers/mysql/server-version.ts';
import { describeServer, describeServers } from '../../support/servers/describe-server.ts';
import { drain, inDatabase, LiveReader, rowsOf, run, withConnection } from './source-reading.ts';

// Rows that come about in other ways than by a plain statement on their own table.
describeServers(['mariadb', 'mysql'], 'rows of many origins', (server, flavour) => {
  test('triggers and stored procedures that write other tables', async () => {
    const database = await inDatabase(server(), [
      'CREATE TABLE orders (id INT PRIMARY KEY, total INT)',
      'CREATE TABLE audit (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20))',
      'CREATE TABLE sums (day INT PRIMARY KEY, total INT)',
      "CREATE TRIGGER after_insert AFTER INSERT ON orders FOR EACH ROW INSERT INTO audit (what) VALUES (CONCAT('new ', NEW.id))",
      'CREATE TRIGGER after_update AFTER UPDATE ON orders FOR EACH ROW UPDATE sums SET total = total + NEW.total - OLD.total WHERE day = 1',
      'CREATE PROCEDURE place(n INT) BEGIN INSERT INTO orders VALUES (n, 10), (n + 1, 20); UPDATE orders SET total = total + 1 WHERE id = n; END',
      'INSERT INTO sums VALUES (1, 0)',
      'CALL place(5)',
    ]);
    expect((await rowsOf(server(), database)).toSorted()).toEqual(
      [
        'insert sums {"day":1,"total":0}',
        'insert orders {"id":5,"total":10}',
        'insert orders {"id":6,"total":20}',
        'insert audit {"id":1,"what":"new 5"}',
        'insert audit {"id":2,"what":"new 6"}',
        'update orders {"id":5,"total":10} -> {"id":5,"total":11}',
        'update sums {"day":1,"total":0} -> {"day":1,"total":1}',
      ].toSorted(),
    );
  });

  test('one statement over several tables, and a transaction over many, stay one transaction each', async () => {
    const tables = Array.from({ length: 30 }, (_, i) => `t${i}`);
    const database = await inDatabase(server(), [
      ...tables.map((table) => `CREATE TABLE ${table} (id INT PRIMARY KEY, v INT)`),
      'BEGIN',
      ...tables.map((table, i) => `INSERT INTO ${table} VALUES (1, ${i})`),
      'COMMIT',
      'UPDATE t1 JOIN t2 ON t1.id = t2.id SET t1.v = 100, t2.v = 200',
      'DELETE t3, t4 FROM t3 JOIN t4 ON t3.id = t4.id',
    ]);
    const { transactions } = await drain(server(), { tables: [`/^${database}\\./`] });
    const rows = transactions.filter(({ lines }) => lines.every((line) => !line.startsWith('schema')));
    expect(rows.map(({ lines }) => lines.length)).toEqual([30, 2, 2]);
    expect(rows[1]?.lines.toSorted()).toEqual([
      `update ${database}.t1 {"id":1,"v":1} -> {"id":1,"v":100}`,
      `update ${database}.t2 {"id":1,"v":2} -> {"id":1,"v":200}`,
    ]);
  });

  test('of what a foreign key cascades, only what the server logs comes: on MariaDB the row that the statement named', async () => {
    const database = await inDatabase(server(), [
      'CREATE TABLE parent (id INT PRIMARY KEY)',
      'CREATE TABLE child (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE)',
      'INSERT INTO parent VALUES (1)',
      'INSERT INTO child VALUES (10, 1)',
      'DELETE FROM parent',
    ]);
    const rows = await rowsOf(server(), database);
    // The newest MySQL cascades above the storage engine, and logs it.
    const cascaded = 'delete child {"id":10,"parent":1}';
    expect(rows.filter((row) => row !== cascaded)).toEqual([
      'insert parent {"id":1}',
      'insert child {"id":10,"parent":1}',
      'delete parent {"id":1}',
    ]);
    if (flavour === 'mariadb') expect(rows).not.toContain(cascaded);
  });

  test('savepoints: what was rolled back to one never comes', async () => {
    const database = await inDatabase(server(), [
      'CREATE TABLE kv (id INT PRIMARY KEY)',
      'BEGIN',
      'INSERT INTO kv VALUES (1)',
      'SAVEPOINT a',
      'INSERT INTO kv VALUES (2)',
      'SAVEPOINT b',
      'INSERT INTO kv VALUES (3)',
      'ROLLBACK TO b',
      'INSERT INTO kv VALUES (4)',
      'ROLLBACK TO a',
      'RELEASE SAVEPOINT a',
      'INSERT INTO kv VALUES (5)',
      'COMMIT',
    ]);
    expect(await rowsOf(server(), database)).toEqual(['insert kv {"id":1}', 'insert kv {"id":5}']);
  });

  test('a statement that fails half-way, and empty transactions, yield nothing', async () => {
    const database = await inDatabase(server(), ['CREATE TABLE kv (id INT PRIMARY KEY)', 'INSERT INTO kv VALUES (5)']);
    await run(server(), database, ['INSERT INTO kv VALUES (3), (4), (5)']).catch(() => undefined);
    await run(server(), database, [
      'BEGIN',
      'COMMIT',
      'DELETE FROM kv WHERE id = 99',
      'UPDATE kv SET id = 5 WHERE id = 5',
      'INSERT IGNORE INTO kv VALUES (5), (6)',
    ]);
    expect(await rowsOf(server(), database)).toEqual(['insert kv {"id":5}', 'insert kv {"id":6}']);
  });

  test('a thousand tables', async () => {
    const count = 1000;
    const database = await inDatabase(server(), []);
    const numbers = Array.from({ length: count }, (_, i) => i);
    // Side by side: making a table is what takes the servers long.
    const share = async (own: number): Promise<void> =>
      withConnection(server(), database, async (connection) => {
        const mine = numbers.filter((i) => i % 8 === own);
        await connection.query(mine.map((i) => `CREATE TABLE t${i} (id INT PRIMARY KEY, c${i} INT)`).join(';'));
      });
    await Promise.all(Array.from({ length: 8 }, (_, own) => share(own)));
    await server().query(numbers.map((i) => `INSERT INTO ${database}.t${i} VALUES (1, ${i})`).join(';'));
    await server().query(numbers.map((i) => `UPDATE ${database}.t${i} SET c${i} = -1`).join(';'));
    const rows = await rowsOf(server(), database);
    expect(rows).toEqual([
      ...numbers.map((i) => `insert t${i} {"id":1,"c${i}":${i}}`),
      ...numbers.map((i) => `update t${i} {"id":1,"c${i}":${i}} -> {"id":1,"c${i}":-1}`),
    ]);
  }, 60_000);

  test('the statements behind the rows come on request, and only with their own rows', async () => {
    if (flavour === 'mysql') await server().query('SET GLOBAL binlog_rows_query_log_events = ON');
    try {
      const database = await inDatabase(server(), [
        'CREATE TABLE kv (id INT PRIMARY KEY, v TEXT)',
        "INSERT INTO kv VALUES (1, 'é🎉'), (2, 'b')",
        'BEGIN',
        'UPDATE kv SET v = NULL WHERE id = 1 /* why */',
        'DELETE FROM kv',
        'COMMIT',
        `INSERT INTO kv VALUES (3, '${'x'.repeat(300)}')`,
      ]);
      const { transactions } = await drain(server(), { tables: [`${database}.*`], statements: true });
      expect(transactions.flatMap(({ statements }) => statements)).toEqual([
        "INSERT INTO kv VALUES (1, 'é🎉'), (2, 'b')",
        'UPDATE kv SET v = NULL WHERE id = 1 /* why */',
        'DELETE FROM kv',
        `INSERT INTO kv VALUES (3, '${'x'.repeat(300)}')`,
      ]);
    } finally {
      if (flavour === 'mysql') await server().query('SET GLOBAL binlog_rows_query_log_events = OFF');
    }
  });

  test('without asking, MariaDB sends no statements, and MySQL those that it logs', async () => {
    const database = await inDatabase(server(), ['CREATE TABLE kv (id INT PRIMARY KEY)', 'INSERT INTO kv VALUES (1)']);
    const { transactions } = await drain(server(), { tables: [`${database}.*`] });
    expect(transactions.flatMap(({ statements }) => statements)).toEqual([null]);
  });

  test('row images MINIMAL and NOBLOB: what was not logged is absent, never null', async () => {
    const database = await inDatabase(server(), [
      'CREATE TABLE kv (id INT PRIMARY KEY, a INT, b TEXT)',
      'SET SESSION binlog_row_image = MINIMAL',
      "INSERT INTO kv VALUES (1, NULL, 'b')",
      'UPDATE kv SET a = 5',
      'DELETE FROM kv',
      'SET SESSION binlog_row_image = NOBLOB',
      "INSERT INTO kv VALUES (2, 2, 'b')",
      'UPDATE kv SET a = 6',
      'DELETE FROM kv',
    ]);
    const rows = await rowsOf(server(), database);
    const minimalInsert = rows[0]?.includes('"a":null')
      ? 'insert kv {"id":1,"a":null,"b":"b"}'
      : 'insert kv {"id":1,"b":"b"}';
    expect(rows).toEqual([
      minimalInsert,
      'update kv {"id":1} -> {"a":5}',
      'delete kv {"id":1}',
      'insert kv {"id":2,"a":2,"b":"b"}',
      'update kv {"id":2,"a":2} -> {"id":2,"a":6}',
      'delete kv {"id":2,"a":6}',
    ]);
  });

  test('row image FULL_NODUP: what did not change is absent from the row after an update', async ({ skip }) => {
    skip(flavour === 'mysql' || parseVersion(server().version) < 110_400, `not in ${server().version}`);
    const database = await inDatabase(server(), [
      'CREATE TABLE kv (id INT PRIMARY KEY, a INT, b TEXT)',
      'CREATE TABLE keyless (a INT, b TEXT)',
      'SET SESSION binlog_row_image = FULL_NODUP',
      "INSERT INTO kv VALUES (1, NULL, 'b')",
      'UPDATE kv SET a = 5',
      'DELETE FROM kv',
      "INSERT INTO keyless VALUES (1, 'b')",
      'UPDATE keyless SET a = 2',
    ]);
    expect(await rowsOf(server(), database)).toEqual([
      'insert kv {"id":1,"a":null,"b":"b"}',
      'update kv {"id":1,"a":null,"b":"b"} -> {"a":5}',
      'delete kv {"id":1,"a":5,"b":"b"}',
      'insert keyless {"a":1,"b":"b"}',
      'update keyless {"a":1,"b":"b"} -> {"a":2,"b":"b"}',
    ]);
  });

  test('generated columns: MariaDB 11.8 logs them with inserted rows only, whatever the row image', async () => {
    const database = await inDatabase(server(), [
      'CREATE TABLE kv (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s INT AS (a + 2) STORED)',
      'INSERT INTO kv (id, a) VALUES (1, 1)',
      'UPDATE kv SET a = 2',
      'DELETE FROM kv',
    ]);
    const hides = flavour === 'mariadb' && parseVersion(server().version) >= 110_800;
    expect(await rowsOf(server(), database)).toEqual([
      'insert kv {"id":1,"a":1,"v":2,"s":3}',
      ...(hides
        ? ['update kv {"id":1,"a":1} -> {"id":1,"a":2}', 'delete kv {"id":1,"a":2}']
        : [
            'update kv {"id":1,"a":1,"v":2,"s":3} -> {"id":1,"a":2,"v":3,"s":4}',
            'delete kv {"id":1,"a":2,"v":3,"s":4}',
          ]),
    ]);
  });

  test('compressed transactions and rows are read like others', async () => {
    const compress = flavour === 'mysql' ? 'binlog_transaction_compression' : 'log_bin_compress';
    await server().query(`SET GLOBAL ${compress} = ON`);
    try {
      const long = 'long '.repeat(2000);
      const database = await inDatabase(server(), [
        'CREATE TABLE kv (id INT PRIMARY KEY, v TEXT)',
        `INSERT INTO kv VALUES (1, '${long}'), (2, 'b')`,
        'BEGIN',
        `UPDATE kv SET v = CONCAT(v, '!')`,
        'DELETE FROM kv WHERE id = 2',
        'COMMIT',
        `CREATE TABLE other (id INT PRIMARY KEY) COMMENT '${long.slice(0, 900)}'`,
        'INSERT INTO other VALUES (1)',
      ]);
      expect(await rowsOf(server(), database)).toEqual([
        `insert kv {"id":1,"v":"${long}"}`,
        'insert kv {"id":2,"v":"b"}',
        `update kv {"id":1,"v":"${long}"} -> {"id":1,"v":"${long}!"}`,
        'update kv {"id":2,"v":"b"} -> {"id":2,"v":"b!"}',
        'delete kv {"id":2,"v":"b!"}',
        'insert other {"id":1}',
      ]);
    } finally {
      await server().query(`SET GLOBAL ${compress} = OFF`);
    }
  });
});

describeServer(
  'mysql',
  'one large compressed transaction',
  (server) => {
    test('is read piece by piece, with its position behind it', async () => {
      const database = await inDatabase(server(), ['CREATE TABLE kv (id INT PRIMARY KEY, v MEDIUMTEXT)']);
      await run(server(), database, [
        'BEGIN',
        ...Array.from({ length: 40 }, (_, i) => `INSERT INTO kv VALUES (${i}, REPEAT('${i} ', 150000))`),
        'COMMIT',
        "INSERT INTO kv VALUES (1000, 'last')",
      ]);
      const { transactions } = await drain(server(), { tables: [`${database}.*`] });
      expect(transactions.map(({ lines }) => lines.length)).toEqual([1, 40, 1]);
      expect(transactions[1]?.lines[39]).toBe(`insert ${database}.kv {"id":39,"v":"${'39 '.repeat(150_000)}"}`);
      const rest = await rowsOf(server(), database, { from: transactions[1]?.end ?? '' });
      expect(rest).toEqual(['insert kv {"id":1000,"v":"last"}']);
    });
  },
  { options: ['--binlog-transaction-compression=ON'] },
);

describeServer('mariadb', 'a transaction that the server makes a binlog file of', (server) => {
  test('is read like others, also when it is prepared first, and reading goes on behind it', async ({ skip }) => {
    skip(parseVersion(server().version) < 110_700, `not in ${server().version}`);
    await server().query('SET GLOBAL binlog_large_commit_threshold = 10 * 1024 * 1024');
    const database = await inDatabase(server(), ['CREATE TABLE kv (id INT PRIMARY KEY, v MEDIUMTEXT)']);
    const inserts = (from: number): string[] =>
      Array.from({ length: 12 }, (_, i) => `INSERT INTO kv VALUES (${from + i}, REPEAT('x', 1000000))`);
    await run(server(), database, [
      ...['INSERT INTO kv VALUES (1, NULL)', 'BEGIN', ...inserts(100), 'COMMIT', 'INSERT INTO kv VALUES (2, NULL)'],
    ]);
    await withConnection(server(), database, async (connection) => {
      const prepare = ["XA START 'a'", ...inserts(200), "XA END 'a'", "XA PREPARE 'a'"];
      for (const statement of prepare) await connection.query(statement);
      await run(server(), database, ['INSERT INTO kv VALUES (3, NULL)']);
      await connection.query("XA COMMIT 'a'");
    });
    await run(server(), database, ['INSERT INTO kv VALUES (4, NULL)']);
    const files = await server().query<{ File_size: number }>('SHOW BINARY LOGS');
    expect(files.filter(({ File_size: size }) => size > 12_000_000)).toHaveLength(2);
    const { transactions } = await drain(server(), { tables: [`${database}.*`] });
    expect(transactions.map(({ lines }) => lines.length)).toEqual([1, 1, 12, 1, 1, 12, 1]);
    const rest = await rowsOf(server(), database, { from: transactions[2]?.end ?? '' });
    expect(rest.map((line) => line.slice(0, 20))).toEqual([
      ...['insert kv {"id":2,"v', 'insert kv {"id":3,"v'],
      ...Array.from({ length: 12 }, (_, i) => `insert kv {"id":${200 + i},`),
      'insert kv {"id":4,"v',
    ]);
  });
});

describe('table ids', () => {
  describeServers(
    ['mariadb', 'mysql'],
    'begin anew when the server starts again',
    (server) => {
      test('an id that stood for one table before stands for another one afterwards', async () => {
        const database = await inDatabase(server(), [
          'CREATE TABLE a (id INT PRIMARY KEY, n INT)',
          'CREATE TABLE b (name CHAR(4) PRIMARY KEY)',
          'CREATE TABLE c (id INT PRIMARY KEY, x DOUBLE)',
        ]);
        await using reader = await LiveReader.start(server(), {
          url: `${server().url}/${database}`,
          reconnect: { delayMinMs: 20, delayMaxMs: 200 },
        });
        const rows = ['INSERT INTO a VALUES (1, 1)', "INSERT INTO b VALUES ('one')", 'INSERT INTO c VALUES (1, 0.5)'];
        await run(server(), database, rows);
        await reader.until(3);
        await server().kill();
        await server().start();
        // In another order, so that they get each other's ids.
        const again = ["INSERT INTO b VALUES ('two')", 'INSERT INTO c VALUES (2, 1.5)', 'INSERT INTO a VALUES (2, 2)'];
        await run(server(), database, again);
        const expected = [
          'insert a {"id":1,"n":1}',
          'insert b {"name":"one"}',
          'insert c {"id":1,"x":0.5}',
          'insert b {"name":"two"}',
          'insert c {"id":2,"x":1.5}',
          'insert a {"id":2,"n":2}',
        ];
        await reader.until(6);
        expect(reader.lines.map((line) => line.replace(`${database}.`, ''))).toEqual(expected);
        expect(await rowsOf(server(), database)).toEqual(expected);
      });
    },
    { owned: true },
  );
});
