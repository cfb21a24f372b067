import { describe, expect, test } from 'vitest';
import { describeEffect, TestHistory } from '../../../../test/support/ddl-context.ts';

function created(definition: string, changes: ConstructorParameters<typeof TestHistory>[0] = {}): string {
  const history = new TestHistory(changes);
  history.run(`CREATE TABLE t ${definition}`);
  return history.table('t');
}

describe('types', () => {
  test.each([
    ['INTEGER UNSIGNED', 'int unsigned'],
    ['MIDDLEINT(3) ZEROFILL', 'mediumint unsigned'],
    ['BOOL', 'tinyint'],
    ['DEC(5)', 'decimal(5.0)'],
    ['FIXED', 'decimal(10.0)'],
    ['FLOAT(24)', 'float'],
    ['FLOAT(25)', 'double'],
    ['DOUBLE PRECISION', 'double'],
    ['REAL', 'double'],
    ['BIT', 'bit(1)'],
    ['YEAR(4)', 'year'],
    ['TIME(3)', 'time(3)'],
    ['TIMESTAMP', 'timestamp(0)'],
    ['CHAR', 'char(1) utf8mb4_general_ci'],
    ['NATIONAL CHARACTER VARYING(5)', 'varchar(5) utf8mb3_general_ci'],
    ['VARCHAR(5) CHARACTER SET utf8', 'varchar(5) utf8mb3_general_ci'],
    ['CHAR(3) BYTE', 'binary(3)'],
    ['TEXT CHARACTER SET binary', 'blob(65535)'],
    ['TEXT(63)', 'text(255) utf8mb4_general_ci'],
    ['TEXT(64)', 'text(65535) utf8mb4_general_ci'],
    ['BLOB(70000)', 'blob(16777215)'],
    ['LONG VARCHAR', 'text(16777215) utf8mb4_general_ci'],
    ['VARCHAR(20000)', 'text(16777215) utf8mb4_general_ci'],
    ["ENUM('a,b','it''s ','(') COLLATE latin1_bin", 'enum ["a,b","it\'s","("] latin1_bin'],
    ["SET('x ') CHARACTER SET binary", 'set ["x "] binary'],
    ["ENUM(0x61, 'ж') CHARACTER SET cp1251", 'enum ["a","ж"] cp1251_general_ci'],
    ['JSON', 'json'],
    ['GEOMCOLLECTION', 'geometry'],
    ['VECTOR', 'vector(2048)'],
  ])('%s is %s', (type, expected) => {
    expect(created(`(a ${type})`)).toBe(`a ${expected}`);
  });

  test.each([
    ['JSON', 'text(4294967295) utf8mb4_bin'],
    ['UUID', 'uuid'],
    ['INET6', 'inet6'],
    ['VARCHAR(5) COMPRESSED', 'varchar(5) utf8mb4_general_ci'],
    ['VECTOR(3)', 'vector(3)'],
    ['mariadb_schema.DATE', 'date'],
    ['VARCHAR(5) CHARACTER SET utf8mb4 COLLATE uca1400_ai_ci', 'varchar(5) utf8mb4_uca1400_ai_ci'],
  ])('%s is %s in MariaDB', (type, expected) => {
    expect(created(`(a ${type})`, { flavour: 'mariadb' })).toBe(`a ${expected}`);
  });

  test.each([
    ['NOSUCHTYPE', {}],
    ['UUID', {}],
    ['VARCHAR', {}],
    ['VARCHAR(5) CHARACTER SET nosuch', {}],
    ['VARCHAR(5) COLLATE nosuch_ci', {}],
    ["ENUM('ж') CHARACTER SET latin1", {}],
    ["ENUM('é') CHARACTER SET binary", {}],
    ["ENUM('😀') CHARACTER SET utf8mb3", {}],
    ['ENUM(0xe9)', {}],
    ["ENUM('a\\0b')", { flavour: 'mariadb' }],
    ['INT nosuchattribute', {}],
    ['INT DEFAULT 1 + 2', {}],
    ['TIMESTAMP', { explicitDefaultsForTimestamp: null }],
    [
      'DATE',
      { sqlMode: { ansiQuotes: true, noBackslashEscapes: false, realAsFloat: false, oracle: true, maxdb: false } },
    ],
    ['BLOB UNIQUE', { flavour: 'mariadb' }],
  ] as const)('a table with %s is unknown rather than guessed', (type, changes) => {
    expect(created(`(a ${type})`, changes)).toBe('unknown');
  });

  test('with NO_BACKSLASH_ESCAPES a member with a backslash is unknown: the server escapes what it writes itself all the same', () => {
    const sqlMode = { ansiQuotes: false, noBackslashEscapes: true, realAsFloat: false, oracle: false, maxdb: false };
    expect(created("(a ENUM('x\\0'))", { sqlMode })).toBe('unknown');
    expect(created("(a ENUM('x'), b INT DEFAULT '\\')", { sqlMode })).toBe('a enum ["x"] utf8mb4_general_ci, b int');
  });

  test('REAL_AS_FLOAT and MAXDB change what REAL and TIMESTAMP are', () => {
    const sqlMode = { ansiQuotes: false, noBackslashEscapes: false, realAsFloat: true, oracle: false, maxdb: true };
    expect(created('(a REAL, b TIMESTAMP)', { sqlMode })).toBe('a float, b datetime(0)');
  });
});

describe('columns and keys', () => {
  test('attributes come in any order, and their texts mean nothing', () => {
    const sql = `(a INT COMMENT 'PRIMARY KEY, b INT' DEFAULT (1 + (2, ')')) NOT NULL, b INT GENERATED ALWAYS AS (a + (1)) STORED INVISIBLE,
      c TIMESTAMP(3) NULL ON UPDATE CURRENT_TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3),
      d INT REFERENCES x (y) ON DELETE SET NULL ON UPDATE NO ACTION CHECK (d > 0), e INT AS (1))`;
    expect(created(sql)).toBe('a int !, b int stored invisible, c timestamp(3), d int, e int virtual');
  });

  test('the key is in key order, and its columns are NOT NULL', () => {
    expect(
      created('(a INT, b VARCHAR(9) BINARY, PRIMARY KEY pk USING BTREE (b(3) DESC, A) COMMENT "x", KEY (a))'),
    ).toBe('a int !, b varchar(9) utf8mb4_bin ! key(b,a)');
    expect(created('(a INT, b INT KEY)')).toBe('a int, b int ! key(b)');
    expect(created('(id SERIAL)')).toBe('id bigint unsigned !');
  });

  test('without explicit_defaults_for_timestamp a TIMESTAMP is NOT NULL unless it says NULL', () => {
    expect(created('(a TIMESTAMP, b TIMESTAMP NULL, c DATETIME)', { explicitDefaultsForTimestamp: false })).toBe(
      'a timestamp(0) !, b timestamp(0), c datetime(0)',
    );
  });

  test("the table's default character set goes for columns that name none", () => {
    const options = "ENGINE=InnoDB, COMMENT 'COLLATE=x' DEFAULT CHARSET = latin1 PARTITION BY HASH(a) PARTITIONS 4";
    expect(created(`(a INT, b CHAR(2), c CHAR(2) CHARACTER SET gbk) ${options}`)).toBe(
      'a int, b char(2) latin1_swedish_ci, c char(2) gbk_chinese_ci',
    );
    expect(created('(b CHAR(2)) COLLATE latin2_bin')).toBe('b char(2) latin2_bin');
    expect(created('(b CHAR(2), c TEXT) CHARACTER SET binary')).toBe('b binary(2), c blob(65535)');
  });

  test('a table of a database with an unknown default is understood as long as no column needs it', () => {
    const history = new TestHistory({ lookupDatabase: () => 'unknown' });
    history.run('CREATE TABLE a (x INT, y TEXT CHARACTER SET latin1)', 'CREATE TABLE b (x TEXT)');
    expect(history.table('a')).toBe('x int, y text(65535) latin1_swedish_ci');
    expect(history.table('b')).toBe('unknown');
  });

  test("MariaDB's system versioning adds two hidden columns, and the row's end to the key", () => {
    expect(created('(a INT PRIMARY KEY) WITH SYSTEM VERSIONING', { flavour: 'mariadb' })).toBe(
      'a int !, row_start timestamp(6) ! stored invisible, row_end timestamp(6) ! stored invisible key(a,row_end)',
    );
  });

  test('a period in the key stands for its end and its start', () => {
    const sql = '(id INT, s DATE, e DATE, PERIOD FOR p (s, e), PRIMARY KEY (id, p WITHOUT OVERLAPS))';
    expect(created(sql, { flavour: 'mariadb' })).toBe('id int !, s date !, e date ! key(id,e,s)');
  });

  test('executable comments count by version', () => {
    expect(created('(`my_row_id` bigint unsigned NOT NULL AUTO_INCREMENT /*!80023 INVISIBLE */ PRIMARY KEY)')).toBe(
      'my_row_id bigint unsigned ! invisible key(my_row_id)',
    );
  });
});

describe('existing tables', () => {
  test('IF NOT EXISTS changes nothing when the table exists, and leaves unknown what was not known', () => {
    const history = new TestHistory();
    history.run('CREATE TABLE t (a INT)');
    expect(describeEffect(history.run('CREATE TABLE IF NOT EXISTS t (b INT)'))).toBe('irrelevant');
    history.catalog.apply({ op: 'unknown', table: { database: 'shop', name: 't' } });
    expect(describeEffect(history.run('CREATE TABLE IF NOT EXISTS t (b INT)'))).toEqual(['unknown shop.t']);
  });

  test('OR REPLACE drops what was there', () => {
    const history = new TestHistory({ flavour: 'mariadb' });
    expect(describeEffect(history.run('CREATE OR REPLACE TABLE t (b INT)'))).toEqual(['drop shop.t', 'define shop.t']);
  });

  test('LIKE copies a known table, and nothing else', () => {
    const history = new TestHistory();
    history.run('CREATE TABLE t (a INT PRIMARY KEY, b TEXT)', 'CREATE TABLE u LIKE t', 'CREATE TABLE v (LIKE nowhere)');
    expect(history.table('u')).toBe(history.table('t'));
    expect(history.table('v')).toBe('unknown');
  });

  test.each([
    'CREATE TABLE t SELECT 1',
    'CREATE TABLE t (a INT) AS SELECT 1 AS b',
    'CREATE TABLE t (a INT) PARTITION BY HASH(a) (SELECT 1 a)',
    'CREATE TABLE t (SELECT 1)',
  ])('%s leaves the table unknown, with rows that no row event brought', (sql) => {
    expect(describeEffect(new TestHistory().run(sql))).toEqual(['unknown shop.t', 'replace-rows shop.t']);
  });

  test('what MySQL writes for CREATE … SELECT is an ordinary definition', () => {
    expect(describeEffect(new TestHistory().run('CREATE TABLE `t` (\n  `a` int\n) START TRANSACTION'))).toEqual([
      'define shop.t',
    ]);
  });

  test('a temporary table is nobody else’s', () => {
    expect(describeEffect(new TestHistory().run('CREATE TEMPORARY TABLE t (a INT)'))).toBe('irrelevant');
  });
});
