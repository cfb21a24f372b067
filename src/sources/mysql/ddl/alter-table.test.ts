import { describe, expect, test } from 'vitest';
import { describeEffect, TestHistory } from '../../../../test/support/ddl-context.ts';

const TABLE = 'CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(5), b INT, c TEXT) CHARACTER SET latin1';

function altered(clauses: string, flavour: 'mysql' | 'mariadb' = 'mysql'): string {
  const history = new TestHistory({ flavour });
  history.run(TABLE, `ALTER TABLE t ${clauses}`);
  return names(history.table('t'));
}

/** Only what the test is about: without the collation that all texts share. */
function names(table: string): string {
  return table.replaceAll(' latin1_swedish_ci', '');
}

describe('columns', () => {
  test.each([
    ['ADD d INT', 'id int !, a varchar(5), b int, c text(65535), d int key(id)'],
    ['ADD COLUMN d INT FIRST, ADD e INT AFTER d', 'd int, e int, id int !, a varchar(5), b int, c text(65535) key(id)'],
    ['ADD (d INT, e INT, INDEX (d))', 'id int !, a varchar(5), b int, c text(65535), d int, e int key(id)'],
    ['DROP a, DROP COLUMN b', 'id int !, c text(65535) key(id)'],
    ['DROP id', 'a varchar(5), b int, c text(65535)'],
    ['MODIFY b BIGINT NOT NULL FIRST', 'b bigint !, id int !, a varchar(5), c text(65535) key(id)'],
    ['MODIFY id BIGINT', 'id bigint !, a varchar(5), b int, c text(65535) key(id)'],
    ['CHANGE a b INT, CHANGE b a CHAR(2)', 'id int !, b int, a char(2), c text(65535) key(id)'],
    ['CHANGE ID nr INT AFTER c', 'a varchar(5), b int, c text(65535), nr int ! key(nr)'],
    ['RENAME COLUMN a TO b, RENAME COLUMN b TO a', 'id int !, b varchar(5), a int, c text(65535) key(id)'],
    ['RENAME COLUMN id TO z, ADD y INT AFTER z', 'z int !, y int, a varchar(5), b int, c text(65535) key(z)'],
    [
      'ALTER a SET INVISIBLE, ALTER COLUMN b SET DEFAULT (1 + 2)',
      'id int !, a varchar(5) invisible, b int, c text(65535) key(id)',
    ],
    ['DROP PRIMARY KEY, ADD PRIMARY KEY (b, a(2))', 'id int !, a varchar(5) !, b int !, c text(65535) key(b,a)'],
    ['DROP INDEX `PRIMARY`', 'id int !, a varchar(5), b int, c text(65535)'],
    [
      'CHARACTER SET gbk, ADD d CHAR(1)',
      'id int !, a varchar(5), b int, c text(65535), d char(1) gbk_chinese_ci key(id)',
    ],
    [
      "COMMENT 'x' ENGINE=InnoDB, ALGORITHM=COPY, LOCK NONE, FORCE, ORDER BY a, b DESC",
      'id int !, a varchar(5), b int, c text(65535) key(id)',
    ],
    [
      'ADD INDEX x (a), ADD CONSTRAINT y FOREIGN KEY (b) REFERENCES z (q) ON DELETE CASCADE, ADD CHECK (b > (1))',
      'id int !, a varchar(5), b int, c text(65535) key(id)',
    ],
    [
      'PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (3))',
      'id int !, a varchar(5), b int, c text(65535) key(id)',
    ],
  ])('%s', (clauses, expected) => {
    expect(altered(clauses)).toBe(expected);
  });

  test('CONVERT TO lets a TEXT grow so that it holds as many characters', () => {
    expect(altered('CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin')).toBe(
      'id int !, a varchar(5) utf8mb4_bin, b int, c text(16777215) utf8mb4_bin key(id)',
    );
    expect(altered('CONVERT TO CHARACTER SET binary')).toBe('id int !, a varbinary(5), b int, c blob(65535) key(id)');
  });

  test("MariaDB's IF [NOT] EXISTS goes by the columns before", () => {
    const clauses =
      'ADD COLUMN IF NOT EXISTS a INT, ADD COLUMN IF NOT EXISTS d INT, DROP COLUMN IF EXISTS nope, DROP COLUMN IF EXISTS b, MODIFY COLUMN IF EXISTS nope INT, RENAME COLUMN IF EXISTS c TO e';
    expect(altered(clauses, 'mariadb')).toBe('id int !, a varchar(5), e text(65535), d int key(id)');
  });

  test.each([
    'ADD COLUMN IF NOT EXISTS d INT PRIMARY KEY',
    'ADD COLUMN IF NOT EXISTS a INT UNIQUE',
    'MODIFY COLUMN IF EXISTS a INT UNIQUE',
  ])('%s is unknown: MariaDB makes the key or not by rules of its own', (clauses) => {
    expect(altered(clauses, 'mariadb')).toBe('unknown');
  });

  test('system versioning comes and goes with its hidden columns, behind which no column is added', () => {
    const history = new TestHistory({ flavour: 'mariadb' });
    history.run('CREATE TABLE t (a INT PRIMARY KEY)', 'ALTER TABLE t ADD SYSTEM VERSIONING', 'ALTER TABLE t ADD b INT');
    const hidden = 'row_start timestamp(6) ! stored invisible, row_end timestamp(6) ! stored invisible';
    expect(history.table('t')).toBe(`a int !, b int, ${hidden} key(a,row_end)`);
    history.run('ALTER TABLE t DROP SYSTEM VERSIONING');
    expect(history.table('t')).toBe('a int !, b int key(a)');
  });

  test.each([
    'ADD d NOSUCHTYPE',
    'DROP nope',
    'DROP id, ADD id BIGINT',
    'ADD COLUMN ID INT, DROP COLUMN id',
    'MODIFY nope INT',
    'ADD d INT AFTER nope',
    'ADD a INT',
    'ADD PRIMARY KEY (a)',
    'NOSUCHCLAUSE',
    'ADD d INT ADD e INT',
    'CONVERT TO CHARACTER SET utf8mb4, ADD d TEXT',
    'DROP a, DROP b, DROP c, DROP id',
    'CHANGE a d INT, DROP a',
    'MODIFY a INT, RENAME COLUMN a TO d',
  ])('%s leaves the table unknown, and only that', (clauses) => {
    const history = new TestHistory();
    history.run(TABLE);
    expect(describeEffect(history.run(`ALTER TABLE t ${clauses}`))).toEqual(['unknown shop.t']);
  });

  test('ENUM members that a conversion would spell otherwise leave the table unknown', () => {
    const history = new TestHistory();
    history.run("CREATE TABLE t (a ENUM('é')) CHARACTER SET latin1", 'ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4');
    expect(history.table('t')).toBe('unknown');
  });

  test('FIRST in a table with a generated invisible primary key is unknown: MySQL keeps that one in front', () => {
    const history = new TestHistory();
    history.run(
      'CREATE TABLE t (my_row_id BIGINT UNSIGNED AUTO_INCREMENT INVISIBLE PRIMARY KEY, a INT)',
      'ALTER TABLE t ADD b INT FIRST',
    );
    expect(history.table('t')).toBe('unknown');
  });

  test('in MariaDB a column of a UNIQUE key that becomes a TEXT brings in a hidden column, so the table is unknown', () => {
    const history = new TestHistory({ flavour: 'mariadb' });
    history.run('CREATE TABLE t (a VARCHAR(5) UNIQUE, b VARCHAR(5))', 'ALTER TABLE t MODIFY b TEXT');
    expect(history.table('t')).toBe('a varchar(5) utf8mb4_general_ci, b text(65535) utf8mb4_general_ci');
    history.run('ALTER TABLE t MODIFY a TEXT');
    expect(history.table('t')).toBe('unknown');
  });
});

describe('tables and rows', () => {
  test.each([
    ['RENAME TO u', ['rename shop.t shop.u']],
    ['RENAME other.u', ['rename shop.t other.u']],
    ['ADD d INT, RENAME = u', ['define shop.t', 'rename shop.t shop.u']],
    ['TRUNCATE PARTITION p0, p1', ['truncate some shop.t']],
    ['DROP PARTITION p0', ['truncate some shop.t']],
    ['EXCHANGE PARTITION p0 WITH TABLE u WITHOUT VALIDATION', ['replace-rows shop.t', 'replace-rows shop.u']],
    ['IMPORT TABLESPACE', ['replace-rows shop.t']],
    ['ENGINE=InnoDB', 'irrelevant'],
    ['ADD PARTITION (PARTITION p2 VALUES LESS THAN (30))', 'irrelevant'],
    ['DISABLE KEYS', 'irrelevant'],
  ])('%s', (clauses, expected) => {
    const history = new TestHistory();
    history.run(TABLE);
    expect(describeEffect(history.run(`ALTER TABLE t ${clauses}`))).toEqual(expected);
  });

  test("MariaDB's partitions become tables and tables partitions", () => {
    const history = new TestHistory({ flavour: 'mariadb' });
    history.run('CREATE TABLE t (a INT)');
    expect(describeEffect(history.run('ALTER TABLE t CONVERT PARTITION p TO TABLE u'))).toEqual([
      'define shop.u',
      'truncate some shop.t',
      'replace-rows shop.u',
    ]);
    expect(describeEffect(history.run('ALTER TABLE t CONVERT TABLE u TO PARTITION p VALUES LESS THAN (3)'))).toEqual([
      'drop shop.u',
      'replace-rows shop.t',
    ]);
    expect(describeEffect(history.run('ALTER IGNORE TABLE t ADD UNIQUE (a)'))).toEqual([
      'define shop.t',
      'replace-rows shop.t',
    ]);
  });

  test('what is not understood names every table that it may touch', () => {
    const history = new TestHistory();
    expect(
      describeEffect(
        history.run('ALTER TABLE t ADD x NOSUCH, RENAME TO db2.u, EXCHANGE PARTITION p WITH TABLE v NOSUCH'),
      ),
    ).toEqual(['unknown shop.t', 'unknown db2.u', 'unknown shop.v']);
  });

  test('an unknown table stays unknown under its new name', () => {
    const history = new TestHistory();
    history.catalog.apply({ op: 'unknown', table: { database: 'shop', name: 't' } });
    history.run('ALTER TABLE t ADD a INT, RENAME u');
    expect([history.table('t'), history.table('u')]).toEqual(['absent', 'unknown']);
  });

  test('a statement that may be about a temporary table of the same name leaves the table unknown', () => {
    const history = new TestHistory();
    history.run(TABLE);
    expect(describeEffect(history.effect('ALTER TABLE t ADD d INT', { threadSpecific: true }))).toEqual([
      'unknown shop.t',
    ]);
  });
});
