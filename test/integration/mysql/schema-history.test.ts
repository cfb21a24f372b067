import { describe, expect, test } from 'vitest';
import type { ServerFlavour } from '../../support/servers/flavour.ts';
import { describeServer, describeServers } from '../../support/servers/describe-server.ts';
import { drain, inDatabase, linesOf, LiveReader, presentPosition, rowsOf, run } from './source-reading.ts';

const T = 'CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20))';

interface Scenario {
  readonly what: string;
  readonly only?: ServerFlavour;
  readonly statements: readonly string[];
  /** Every row, with the columns that the table had when it was written. */
  readonly rows: readonly string[];
}

/** Real sequences, as they are found in the binlogs of servers on which these tools ran. */
const SCENARIOS: readonly Scenario[] = [
  {
    what: 'ADD COLUMN at the end, FIRST and AFTER',
    statements: [
      T,
      "INSERT INTO t VALUES (1, 10, 'x')",
      'ALTER TABLE t ADD COLUMN c INT',
      "INSERT INTO t VALUES (2, 20, 'y', 200)",
      'ALTER TABLE t ADD COLUMN z VARCHAR(9) FIRST, ADD m DATE AFTER a',
      "INSERT INTO t VALUES ('zz', 3, 30, '2026-11-20', 'w', 300)",
      'UPDATE t SET a = 11 WHERE id = 1',
    ],
    rows: [
      'insert t {"id":1,"a":10,"b":"x"}',
      'insert t {"id":2,"a":20,"b":"y","c":200}',
      'insert t {"z":"zz","id":3,"a":30,"m":"2026-11-20","b":"w","c":300}',
      'update t {"z":null,"id":1,"a":10,"m":null,"b":"x","c":null} -> {"z":null,"id":1,"a":11,"m":null,"b":"x","c":null}',
    ],
  },
  {
    what: 'DROP, MODIFY, CHANGE and RENAME COLUMN',
    statements: [
      'CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20), c CHAR(3))',
      "INSERT INTO t VALUES (1, 10, 'x', 'abc')",
      'ALTER TABLE t DROP COLUMN a',
      "INSERT INTO t VALUES (2, 'y', 'def')",
      'ALTER TABLE t MODIFY b VARCHAR(30) AFTER c',
      "INSERT INTO t VALUES (3, 'ghi', 'z')",
      'ALTER TABLE t CHANGE b text_b TEXT',
      "INSERT INTO t VALUES (4, 'jkl', 'long')",
      'ALTER TABLE t RENAME COLUMN c TO code',
      "INSERT INTO t VALUES (5, 'mno', 'last')",
      'ALTER TABLE t RENAME COLUMN code TO text_b, RENAME COLUMN text_b TO code',
      "INSERT INTO t VALUES (6, 'pqr', 'swapped')",
    ],
    rows: [
      'insert t {"id":1,"a":10,"b":"x","c":"abc"}',
      'insert t {"id":2,"b":"y","c":"def"}',
      'insert t {"id":3,"c":"ghi","b":"z"}',
      'insert t {"id":4,"c":"jkl","text_b":"long"}',
      'insert t {"id":5,"code":"mno","text_b":"last"}',
      'insert t {"id":6,"text_b":"pqr","code":"swapped"}',
    ],
  },
  {
    what: 'changes that the bytes of a row do not show: signs, names, character sets, members',
    statements: [
      "CREATE TABLE t (id INT PRIMARY KEY, n INT, s VARCHAR(10) CHARACTER SET latin1, e ENUM('a','b'))",
      "INSERT INTO t VALUES (1, -1, 'é', 'a')",
      'ALTER TABLE t RENAME COLUMN n TO count',
      "INSERT INTO t VALUES (2, -2, 'é', 'b')",
      'DELETE FROM t WHERE id < 3',
      'ALTER TABLE t MODIFY count INT UNSIGNED',
      "INSERT INTO t VALUES (3, 4294967295, 'é', 'b')",
      'DELETE FROM t',
      'ALTER TABLE t MODIFY s VARCHAR(10) CHARACTER SET cp1251',
      "INSERT INTO t VALUES (4, 4, 'ж', 'a')",
      "ALTER TABLE t MODIFY e ENUM('a','b','c')",
      "INSERT INTO t VALUES (5, 5, 'ж', 'c')",
      "ALTER TABLE t MODIFY e ENUM('c','b','a')",
      "INSERT INTO t VALUES (6, 6, 'ж', 'c')",
    ],
    rows: [
      'insert t {"id":1,"n":-1,"s":"é","e":"a"}',
      'insert t {"id":2,"count":-2,"s":"é","e":"b"}',
      'delete t {"id":1,"count":-1,"s":"é","e":"a"}',
      'delete t {"id":2,"count":-2,"s":"é","e":"b"}',
      'insert t {"id":3,"count":4294967295,"s":"é","e":"b"}',
      'delete t {"id":3,"count":4294967295,"s":"é","e":"b"}',
      'insert t {"id":4,"count":4,"s":"ж","e":"a"}',
      'insert t {"id":5,"count":5,"s":"ж","e":"c"}',
      'insert t {"id":6,"count":6,"s":"ж","e":"c"}',
    ],
  },
  {
    what: 'a primary key that is dropped, made anew and reordered',
    statements: [
      T,
      "INSERT INTO t VALUES (1, 10, 'x')",
      'ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a, id)',
      'DELETE FROM t WHERE id = 1',
      'ALTER TABLE t ADD UNIQUE (b), DROP PRIMARY KEY',
      "INSERT INTO t VALUES (2, 20, 'y')",
    ],
    rows: ['insert t {"id":1,"a":10,"b":"x"}', 'delete t {"id":1,"a":10,"b":"x"}', 'insert t {"id":2,"a":20,"b":"y"}'],
  },
  {
    what: 'RENAME TABLE, in a chain and back, with rows in between',
    statements: [
      T,
      'CREATE TABLE u (id INT PRIMARY KEY, note TEXT)',
      "INSERT INTO t VALUES (1, 10, 'x')",
      "INSERT INTO u VALUES (1, 'n')",
      'RENAME TABLE t TO tmp, u TO t, tmp TO u',
      "INSERT INTO t VALUES (2, 'm')",
      "INSERT INTO u VALUES (2, 20, 'y')",
      'ALTER TABLE u RENAME TO v, ADD COLUMN c INT',
      "INSERT INTO v VALUES (3, 30, 'z', 1)",
    ],
    rows: [
      'insert t {"id":1,"a":10,"b":"x"}',
      'insert u {"id":1,"note":"n"}',
      'insert t {"id":2,"note":"m"}',
      'insert u {"id":2,"a":20,"b":"y"}',
      'insert v {"id":3,"a":30,"b":"z","c":1}',
    ],
  },
  {
    what: 'the sequence of gh-ost',
    statements: [
      'CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b VARCHAR(20))',
      "INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y')",
      'CREATE /* gh-ost */ TABLE `_t_ghc` (id bigint auto_increment, last_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint varchar(64) charset ascii not null, value varchar(4096) charset ascii not null, primary key(id), unique key hint_uidx(hint)) auto_increment=256',
      'create /* gh-ost */ table `_t_gho` like `t`',
      'alter /* gh-ost */ table `_t_gho` ADD COLUMN c INT NOT NULL DEFAULT 7 AFTER id',
      'insert /* gh-ost `t` */ ignore into `_t_gho` (`id`, `a`, `b`) (select `id`, `a`, `b` from `t` force index (`PRIMARY`) where id <= 2 lock in share mode)',
      "INSERT INTO t VALUES (3, 30, 'z')",
      'replace /* gh-ost */ into `_t_gho` (`id`, `a`, `b`) values (3, 30, "z")',
      'create /* gh-ost */ table `_t_del` (id int auto_increment primary key) engine=InnoDB comment="ghost-cut-over-sentry"',
      'drop /* gh-ost */ table if exists `_t_del`',
      'rename /* gh-ost */ table `t` to `_t_del`, `_t_gho` to `t`',
      'drop /* gh-ost */ table if exists `_t_ghc`',
      'drop /* gh-ost */ table if exists `_t_del`',
      "INSERT INTO t VALUES (4, 44, 40, 'w')",
    ],
    rows: [
      'insert t {"id":1,"a":10,"b":"x"}',
      'insert t {"id":2,"a":20,"b":"y"}',
      'insert _t_gho {"id":1,"c":7,"a":10,"b":"x"}',
      'insert _t_gho {"id":2,"c":7,"a":20,"b":"y"}',
      'insert t {"id":3,"a":30,"b":"z"}',
      'insert _t_gho {"id":3,"c":7,"a":30,"b":"z"}',
      'insert t {"id":4,"c":44,"a":40,"b":"w"}',
    ],
  },
  {
    what: 'the sequence of pt-online-schema-change, triggers included',
    statements: [
      T,
      "INSERT INTO t VALUES (1, 10, 'x')",
      'CREATE TABLE `_t_new` (\n  `id` int NOT NULL,\n  `a` int DEFAULT NULL,\n  `b` varchar(20) DEFAULT NULL,\n  PRIMARY KEY (`id`)\n)',
      'ALTER TABLE `_t_new` DROP COLUMN a, ADD COLUMN c DATETIME(3)',
      'CREATE TRIGGER `pt_osc_t_ins` AFTER INSERT ON `t` FOR EACH ROW REPLACE INTO `_t_new` (`id`, `b`) VALUES (NEW.`id`, NEW.`b`)',
      'CREATE TRIGGER `pt_osc_t_del` AFTER DELETE ON `t` FOR EACH ROW DELETE IGNORE FROM `_t_new` WHERE `_t_new`.`id` <=> OLD.`id`',
      'INSERT LOW_PRIORITY IGNORE INTO `_t_new` (`id`, `b`) SELECT `id`, `b` FROM `t` LOCK IN SHARE MODE /*pt-online-schema-change 1 copy table*/',
      "INSERT INTO t VALUES (2, 20, 'y')",
      'DELETE FROM t WHERE id = 1',
      'RENAME TABLE `t` TO `_t_old`, `_t_new` TO `t`',
      'DROP TABLE IF EXISTS `_t_old`',
      'DROP TRIGGER IF EXISTS `pt_osc_t_ins`',
      'DROP TRIGGER IF EXISTS `pt_osc_t_del`',
      "INSERT INTO t VALUES (3, 'z', '2026-11-20 09:15:02.123')",
    ],
    rows: [
      'insert t {"id":1,"a":10,"b":"x"}',
      'insert _t_new {"id":1,"b":"x","c":null}',
      'insert t {"id":2,"a":20,"b":"y"}',
      'insert _t_new {"id":2,"b":"y","c":null}',
      'delete t {"id":1,"a":10,"b":"x"}',
      'delete _t_new {"id":1,"b":"x","c":null}',
      'insert t {"id":3,"b":"z","c":"2026-11-20 09:15:02.123"}',
    ],
  },
  {
    what: 'CREATE TABLE … LIKE and CREATE TABLE … SELECT',
    statements: [
      T,
      "INSERT INTO t VALUES (1, 10, 'x')",
      'CREATE TABLE l LIKE t',
      "INSERT INTO l VALUES (2, 20, 'y')",
      'CREATE TABLE s AS SELECT id, b AS name, a + 1 AS next FROM t',
      "INSERT INTO s VALUES (3, 'z', 31)",
      'CREATE TABLE p (extra INT, PRIMARY KEY (id)) SELECT * FROM t',
      "INSERT INTO p VALUES (5, 4, 40, 'w')",
    ],
    rows: [
      'insert t {"id":1,"a":10,"b":"x"}',
      'insert l {"id":2,"a":20,"b":"y"}',
      'insert s {"id":1,"name":"x","next":11}',
      'insert s {"id":3,"name":"z","next":31}',
      'insert p {"extra":null,"id":1,"a":10,"b":"x"}',
      'insert p {"extra":5,"id":4,"a":40,"b":"w"}',
    ],
  },
  {
    what: 'TRUNCATE, DROP and CREATE again with other columns',
    statements: [
      T,
      "INSERT INTO t VALUES (1, 10, 'x')",
      'TRUNCATE TABLE t',
      "INSERT INTO t VALUES (1, 11, 'y')",
      'DROP TABLE t',
      'CREATE TABLE t (name CHAR(5) PRIMARY KEY, price DECIMAL(8,2))',
      "INSERT INTO t VALUES ('tea', 9.5)",
      'CREATE TABLE IF NOT EXISTS t (id INT)',
      "INSERT INTO t VALUES ('pot', 20)",
      'DROP TABLE IF EXISTS t, nothing_of_this_name',
      'CREATE TABLE t (id INT PRIMARY KEY, x DOUBLE)',
      'INSERT INTO t VALUES (1, 0.5)',
    ],
    rows: [
      'insert t {"id":1,"a":10,"b":"x"}',
      'truncate t',
      'insert t {"id":1,"a":11,"b":"y"}',
      'insert t {"name":"tea","price":"9.50"}',
      'insert t {"name":"pot","price":"20.00"}',
      'insert t {"id":1,"x":0.5}',
    ],
  },
  {
    what: 'temporary tables, which are no tables of the binlog, also under the name of one that is',
    statements: [
      T,
      "INSERT INTO t VALUES (1, 10, 'x')",
      'CREATE TEMPORARY TABLE t (other TEXT)',
      "INSERT INTO t VALUES ('not logged')",
      'ALTER TABLE t ADD COLUMN more INT',
      'TRUNCATE TABLE t',
      'DROP TEMPORARY TABLE t',
      'CREATE TEMPORARY TABLE tt SELECT 1 AS one',
      "INSERT INTO t VALUES (2, 20, 'y')",
      'DROP TABLE tt',
      "INSERT INTO t VALUES (3, 30, 'z')",
    ],
    rows: ['insert t {"id":1,"a":10,"b":"x"}', 'insert t {"id":2,"a":20,"b":"y"}', 'insert t {"id":3,"a":30,"b":"z"}'],
  },
  {
    what: 'views, routines, triggers and events, which change no table',
    statements: [
      T,
      'CREATE VIEW v AS SELECT id, a FROM t',
      'CREATE PROCEDURE p() BEGIN INSERT INTO t VALUES (1, 10, "x"); UPDATE t SET a = 11; END',
      'CALL p()',
      'INSERT INTO v VALUES (2, 20)',
      'CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 7',
      'CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = f()',
      "INSERT INTO t VALUES (3, 0, 'z')",
      'CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DISABLE DO DELETE FROM t',
      'DROP VIEW v',
      'DROP PROCEDURE p',
      'DROP TRIGGER tr',
      'DROP EVENT e',
      "INSERT INTO t VALUES (4, 0, 'w')",
    ],
    rows: [
      'insert t {"id":1,"a":10,"b":"x"}',
      'update t {"id":1,"a":10,"b":"x"} -> {"id":1,"a":11,"b":"x"}',
      'insert t {"id":2,"a":20,"b":null}',
      'insert t {"id":3,"a":7,"b":"z"}',
      'insert t {"id":4,"a":0,"b":"w"}',
    ],
  },
  {
    what: 'generated, invisible and instantly added columns',
    statements: [
      'CREATE TABLE t (id INT PRIMARY KEY, a INT, g INT AS (a * 2) STORED, h INT AS (a + 1) VIRTUAL)',
      'INSERT INTO t (id, a) VALUES (1, 10)',
      'ALTER TABLE t ADD COLUMN i INT DEFAULT 5 INVISIBLE',
      'INSERT INTO t (id, a) VALUES (2, 20)',
      'ALTER TABLE t DROP COLUMN g',
      'INSERT INTO t (id, a, i) VALUES (3, 30, 6)',
    ],
    rows: [
      'insert t {"id":1,"a":10,"g":20,"h":11}',
      'insert t {"id":2,"a":20,"g":40,"h":21,"i":5}',
      'insert t {"id":3,"a":30,"h":31,"i":6}',
    ],
  },
  {
    what: 'CREATE OR REPLACE TABLE',
    only: 'mariadb',
    statements: [
      T,
      "INSERT INTO t VALUES (1, 10, 'x')",
      'CREATE OR REPLACE TABLE t (k INT PRIMARY KEY, w DATE)',
      "INSERT INTO t VALUES (2, '2026-11-20')",
      'CREATE OR REPLACE TABLE t AS SELECT 3 AS three',
      'INSERT INTO t VALUES (4)',
    ],
    rows: [
      'insert t {"id":1,"a":10,"b":"x"}',
      'insert t {"k":2,"w":"2026-11-20"}',
      'insert t {"three":3}',
      'insert t {"three":4}',
    ],
  },
  {
    what: 'a generated invisible primary key',
    only: 'mysql',
    statements: [
      'SET SESSION sql_generate_invisible_primary_key = ON',
      'CREATE TABLE t (a INT)',
      'INSERT INTO t VALUES (10)',
      'ALTER TABLE t ADD COLUMN b INT FIRST',
      'INSERT INTO t (a, b) VALUES (20, 30)',
    ],
    rows: ['insert t {"my_row_id":1,"a":10}', 'insert t {"my_row_id":2,"b":30,"a":20}'],
  },
];

for (const metadata of ['default', 'FULL'] as const) {
  describeServers(
    ['mariadb', 'mysql'],
    `definitions in force, ${metadata} metadata`,
    (server, flavour) => {
      describe('every row is decoded with the columns that its table had when it was written', () => {
        test.each(SCENARIOS.filter(({ only }) => only === undefined || only === flavour))(
          '$what',
          async ({ statements, rows }) => {
            const database = await inDatabase(server(), statements);
            expect(await rowsOf(server(), database)).toEqual(rows);
          },
        );
      });

      test('the same live, while the definitions change under the reader', async () => {
        for (const { statements, rows, only } of SCENARIOS) {
          if (only !== undefined && only !== flavour) continue;
          const database = await inDatabase(server(), []);
          await using reader = await LiveReader.start(server(), { tables: [`${database}.*`] });
          await run(server(), database, statements);
          const isRow = (line: string): boolean => !line.startsWith('schema ');
          await expect
            .poll(() => reader.lines.filter(isRow).length + (reader.error === null ? 0 : 1000))
            .toBe(rows.length);
          expect(reader.lines.filter(isRow).map((line) => line.replaceAll(`${database}.`, ''))).toEqual(rows);
        }
      });

      test('DDL on tables that nobody watches, in databases that nobody watches, does no harm', async () => {
        const database = await inDatabase(server(), [
          T,
          'CREATE TABLE noise (id INT)',
          "INSERT INTO t VALUES (1, 10, 'x')",
          'ALTER TABLE noise ADD COLUMN x INT',
          'RENAME TABLE noise TO noise2',
          "INSERT INTO t VALUES (2, 20, 'y')",
        ]);
        await inDatabase(server(), [T, 'ALTER TABLE t DROP COLUMN a', 'DROP TABLE t']);
        expect(await linesOf(server(), database, { tables: [`${database}.t`] })).toEqual([
          `schema t ${T}`,
          'insert t {"id":1,"a":10,"b":"x"}',
          'insert t {"id":2,"a":20,"b":"y"}',
        ]);
      });

      test('schema entries say what changed, in their place among the rows', async () => {
        const database = await inDatabase(server(), [
          T,
          "INSERT INTO t VALUES (1, 10, 'x')",
          'ALTER TABLE t ADD COLUMN c INT',
          'TRUNCATE TABLE t',
          'RENAME TABLE t TO u',
          'DROP TABLE u',
        ]);
        const lines = await linesOf(server(), database);
        expect(lines.map((line) => line.replace(/ \/\* generated by server \*\//, ''))).toEqual([
          `schema t ${T}`,
          'insert t {"id":1,"a":10,"b":"x"}',
          'schema t ALTER TABLE t ADD COLUMN c INT',
          'truncate t',
          'schema t RENAME TABLE t TO u',
          'schema u RENAME TABLE t TO u',
          'schema u DROP TABLE `u`',
        ]);
      });
    },
    metadata === 'FULL' ? { options: ['--binlog-row-metadata=FULL'] } : {},
  );
}

describeServers(
  ['mariadb', 'mysql'],
  'starting where definitions are not in the stream, default metadata',
  (server) => {
    test('with DDL ahead it stops before the first row that it could decode wrongly, and says what to do', async () => {
      const database = await inDatabase(server(), [T]);
      const { place } = await presentPosition(server());
      await run(server(), database, ["INSERT INTO t VALUES (1, 10, 'x')", 'ALTER TABLE t RENAME COLUMN a TO amount']);
      await expect(rowsOf(server(), database, { from: place })).rejects.toMatchObject({
        code: 'SCHEMA_UNKNOWN',
        retry: 'operator',
        hint: expect.stringContaining('binlog_row_metadata=FULL'),
        details: { table: `${database}.t` },
      });
    });

    test('what was complete before the stop is handed over, and the position is behind it', async () => {
      const database = await inDatabase(server(), ['CREATE TABLE u (id INT PRIMARY KEY)', T]);
      const { place } = await presentPosition(server());
      await run(server(), database, [
        'INSERT INTO u VALUES (1)',
        'INSERT INTO u VALUES (2)',
        "INSERT INTO t VALUES (1, 10, 'x')",
        'ALTER TABLE t DROP COLUMN a',
      ]);
      await using reader = await LiveReader.start(server(), { tables: [`${database}.*`], from: place });
      expect(await reader.failure()).toMatchObject({ code: 'SCHEMA_UNKNOWN' });
      expect(reader.lines).toEqual([`insert ${database}.u {"id":1}`, `insert ${database}.u {"id":2}`]);
      expect(String(reader.source.position)).toBe(reader.log.transactions.at(-1)?.end);
    });

    test('tables without DDL ahead are read as if nothing were', async () => {
      const database = await inDatabase(server(), [T, 'CREATE TABLE u (id INT PRIMARY KEY)']);
      const { place } = await presentPosition(server());
      await run(server(), database, [
        "INSERT INTO t VALUES (1, 10, 'x')",
        'INSERT INTO u VALUES (1)',
        'ALTER TABLE u ADD COLUMN x INT',
        "UPDATE t SET b = 'y'",
      ]);
      expect(await rowsOf(server(), database, { from: place, tables: [`${database}.t`] })).toEqual([
        'insert t {"id":1,"a":10,"b":"x"}',
        'update t {"id":1,"a":10,"b":"x"} -> {"id":1,"a":10,"b":"y"}',
      ]);
    });

    test('a table that is defined anew ahead is known from there on', async () => {
      const database = await inDatabase(server(), [T]);
      const { place } = await presentPosition(server());
      await run(server(), database, [
        'DROP TABLE t',
        'CREATE TABLE t (k INT PRIMARY KEY)',
        'INSERT INTO t VALUES (1)',
        'ALTER TABLE t ADD COLUMN c CHAR(3)',
        "INSERT INTO t VALUES (2, 'abc')",
      ]);
      expect(await rowsOf(server(), database, { from: place })).toEqual([
        'insert t {"k":1}',
        'insert t {"k":2,"c":"abc"}',
      ]);
    });

    test('an ALTER at the start of the stretch makes only that table wait for its definition, which is then read', async () => {
      const database = await inDatabase(server(), [T]);
      const { place } = await presentPosition(server());
      await run(server(), database, ['ALTER TABLE t ADD COLUMN c INT', "INSERT INTO t VALUES (1, 10, 'x', 100)"]);
      expect(await rowsOf(server(), database, { from: place })).toEqual(['insert t {"id":1,"a":10,"b":"x","c":100}']);
    });

    test('a table that is gone by now is not guessed at', async () => {
      const database = await inDatabase(server(), [T]);
      const { place } = await presentPosition(server());
      await run(server(), database, ["INSERT INTO t VALUES (1, 10, 'x')", 'DROP TABLE t']);
      await expect(rowsOf(server(), database, { from: place })).rejects.toMatchObject({ code: 'SCHEMA_UNKNOWN' });
    });

    test('a rename ahead is followed backwards for neither name', async () => {
      const database = await inDatabase(server(), [T, 'CREATE TABLE u (id INT PRIMARY KEY, a INT, b VARCHAR(20))']);
      const { place } = await presentPosition(server());
      await run(server(), database, ["INSERT INTO u VALUES (1, 10, 'x')", 'RENAME TABLE t TO x, u TO t, x TO u']);
      await expect(rowsOf(server(), database, { from: place })).rejects.toMatchObject({ code: 'SCHEMA_UNKNOWN' });
    });

    test('DDL that is not understood makes its table be read again, and reading goes on', async () => {
      const database = await inDatabase(server(), [T]);
      await using reader = await LiveReader.start(server(), { tables: [`${database}.*`] });
      await run(server(), database, ["INSERT INTO t VALUES (1, 10, 'x')"]);
      await reader.until(1);
      await run(server(), database, [
        // MariaDB: a dialect in which definitions are not worked out.
        ...(server().flavour === 'mariadb' ? ["SET sql_mode = 'ORACLE'"] : []),
        'ALTER TABLE t ADD COLUMN c NUMERIC(4,1), RENAME COLUMN a TO aa',
      ]);
      await reader.until(2);
      await run(server(), database, ["INSERT INTO t VALUES (2, 20, 'y', 1.5)"]);
      await reader.until(3);
      expect(reader.lines.at(-1)).toBe(`insert ${database}.t {"id":2,"aa":20,"b":"y","c":"1.5"}`);
    });

    test('with full metadata turned on later, rows are read whatever DDL lies ahead', async () => {
      const database = await inDatabase(server(), [T]);
      const { place } = await presentPosition(server());
      await server().query('SET GLOBAL binlog_row_metadata = FULL');
      try {
        await run(server(), database, [
          "INSERT INTO t VALUES (1, 10, 'x')",
          'ALTER TABLE t DROP COLUMN a, ADD c DOUBLE',
          "INSERT INTO t VALUES (2, 'y', 0.5)",
          'RENAME TABLE t TO u',
          'DROP TABLE u',
        ]);
      } finally {
        await server().query('SET GLOBAL binlog_row_metadata = DEFAULT');
      }
      expect(await rowsOf(server(), database, { from: place })).toEqual([
        'insert t {"id":1,"a":10,"b":"x"}',
        'insert t {"id":2,"b":"y","c":0.5}',
      ]);
    });

    test('a database that was dropped and made again, with other tables of the same names', async () => {
      const database = await inDatabase(server(), [T, "INSERT INTO t VALUES (1, 10, 'x')"]);
      await server().query(`DROP DATABASE ${database}; CREATE DATABASE ${database} CHARACTER SET latin1`);
      await run(server(), database, ['CREATE TABLE t (name VARCHAR(5) PRIMARY KEY)', "INSERT INTO t VALUES ('é')"]);
      const { lines } = await drain(server(), { tables: [`${database}.*`] });
      expect(lines.filter((line) => line.startsWith('insert'))).toEqual([
        `insert ${database}.t {"id":1,"a":10,"b":"x"}`,
        `insert ${database}.t {"name":"é"}`,
      ]);
    });
  },
);

describeServer('mariadb', 'two-phase ALTER TABLE', (server) => {
  test('takes effect where it is committed', async () => {
    const database = await inDatabase(server(), [
      T,
      "INSERT INTO t VALUES (1, 10, 'x')",
      'SET SESSION binlog_alter_two_phase = ON',
      'ALTER TABLE t ADD COLUMN c INT, ALGORITHM=COPY',
      'SET SESSION binlog_alter_two_phase = OFF',
      "INSERT INTO t VALUES (2, 20, 'y', 200)",
    ]);
    expect(await rowsOf(server(), database)).toEqual([
      'insert t {"id":1,"a":10,"b":"x"}',
      'insert t {"id":2,"a":20,"b":"y","c":200}',
    ]);
    expect((await linesOf(server(), database)).filter((line) => line.includes('ALTER'))).toHaveLength(1);
  });
});
