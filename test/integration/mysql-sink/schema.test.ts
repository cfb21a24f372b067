import { expect, test } from 'vitest';
import { parseVersion } from '../../../src/drivers/mysql/server-version.ts';
import { tableOf } from '../../../src/testing/tables.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import { openMysqlSink } from '../../support/sinks/open-mysql-sink.ts';
import { batchOf, RowsOf } from '../../support/sinks/sink-rows.ts';

describeServers(['mariadb', 'mysql'], 'tables of the target', (server, flavour) => {
  let number = 0;
  const fresh = async (create = ''): Promise<{ db: string; url: string }> => {
    const db = `schema_${++number}`;
    await server().query(`CREATE DATABASE ${db}${create === '' ? '' : `; CREATE TABLE ${db}.t (${create})`}`);
    return { db, url: `${server().url}/${db}` };
  };

  test('that are too narrow are widened, get the columns that they lack, and keep what is in them', async () => {
    const { db, url } = await fresh(
      "id INT PRIMARY KEY, small SMALLINT, note VARCHAR(5) NOT NULL, price DECIMAL(4,1), kind ENUM('a','b'), own INT DEFAULT 7, twice BIGINT AS (small * 2)",
    );
    await server().query(`INSERT INTO ${db}.t (id, small, note, price, kind) VALUES (1, 5, 'old', 1.5, 'b')`);
    await using sink = await openMysqlSink(url);
    const rows = new RowsOf(
      tableOf(
        `${db}.t`,
        {
          id: { type: 'int', nullable: false },
          small: { type: 'bigint' },
          note: { type: 'varchar', length: 50 },
          price: { type: 'decimal', length: 8, scale: 3 },
          kind: { type: 'enum', members: ['a', 'b', 'c'], charset: 'utf8mb4' },
          twice: { type: 'bigint', generated: 'virtual' },
          added: { type: 'datetime', length: 3, nullable: false },
        },
        ['id'],
      ),
    );
    await sink.prepare(rows.target);
    await sink.write(
      batchOf([
        rows.insert({
          id: 2,
          small: 1_000_000_000_000_000,
          note: null,
          price: '12345.678',
          kind: 'c',
          twice: 1,
          added: '2026-11-20 09:15:02.500',
        }),
      ]),
    );
    const shown = await server().query(
      `SELECT id, CAST(small AS CHAR) AS small, note, CAST(price AS CHAR) AS price, kind, own, CAST(added AS CHAR) AS added FROM ${db}.t ORDER BY id`,
    );
    expect(shown).toEqual([
      { id: 1, small: '5', note: 'old', price: '1.500', kind: 'b', own: 7, added: null },
      {
        id: 2,
        small: '1000000000000000',
        note: null,
        price: '12345.678',
        kind: 'c',
        own: 7,
        added: '2026-11-20 09:15:02.500',
      },
    ]);
    // Prepared again, nothing is left to do; narrower columns narrow nothing.
    const narrow = new RowsOf(
      tableOf(`${db}.t`, { id: 'int', small: 'tinyint', note: { type: 'varchar', length: 2 } }, ['id']),
    );
    const [before] = await server().query(`SHOW CREATE TABLE ${db}.t`);
    await sink.prepare(narrow.target);
    expect((await server().query(`SHOW CREATE TABLE ${db}.t`))[0]).toEqual(before);
  });

  test('keep what their columns have beside the type when they are widened, and the rows that are there', async () => {
    const { db, url } = await fresh(
      "id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY COMMENT 'it''s a \\\\ key', code CHAR(4) NOT NULL DEFAULT 'it''s' COMMENT 'a, b', " +
        "kind ENUM('b','old') NOT NULL DEFAULT 'old', flags SET('y','z') DEFAULT 'y,z', amount INT NOT NULL DEFAULT -5 CHECK (amount > -100), share DECIMAL(6,3) DEFAULT '1.500', " +
        "at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, note VARCHAR(9) DEFAULT 'none', raw BINARY(2), word ENUM('x','yes') DEFAULT 'x', own INT NOT NULL COMMENT 'mine'",
    );
    await server().query(`INSERT INTO ${db}.t (id, code, own) VALUES (1, 'c ', 5)`);
    await server().query(`UPDATE ${db}.t SET kind = 'b', raw = 'r', at = '2026-01-02 03:04:05'`);
    await using sink = await openMysqlSink(url);
    const rows = new RowsOf(
      tableOf(
        `${db}.t`,
        {
          id: { type: 'bigint', unsigned: true, nullable: false },
          code: { type: 'varchar', length: 20 },
          kind: { type: 'enum', members: ['a', 'b'], nullable: false },
          flags: { type: 'set', members: ['x', 'y'] },
          amount: { type: 'decimal', length: 6, scale: 2, nullable: false },
          share: { type: 'double' },
          at: { type: 'timestamp', length: 3 },
          note: { type: 'text', length: 65_535 },
          raw: { type: 'varbinary', length: 9 },
          word: { type: 'varchar', length: 5 },
        },
        ['id'],
      ),
    );
    await sink.prepare(rows.target);
    const row = {
      id: 3_000_000_000n,
      code: 'with blank ',
      kind: 'a',
      flags: 'x,y',
      amount: '1234.56',
      share: 0.1,
      at: '2026-01-02T03:04:05.678Z',
      note: 'n'.repeat(300),
      raw: Buffer.from('abc'),
      word: 'other',
    };
    await sink.write(batchOf([rows.insert(row)]));
    await server().query(`SET time_zone = '+00:00'; INSERT INTO ${db}.t (own) VALUES (8)`);
    const shown = await server().query(
      `SELECT CAST(id AS CHAR) AS id, code, kind, flags, CAST(amount AS CHAR) AS amount, share, CHAR_LENGTH(note) AS notes, HEX(raw) AS raw, word, own, ` +
        `at = UTC_TIMESTAMP(3) OR at > '2026-06-01' AS isNow FROM ${db}.t ORDER BY id`,
    );
    const defaults = { kind: 'old', flags: 'y,z', amount: '-5.00', share: 1.5, notes: 4, word: 'x' };
    expect(shown).toEqual([
      { ...defaults, id: '1', code: 'c', kind: 'b', raw: '7200', own: 5, isNow: 0 },
      {
        id: '3000000000',
        code: 'with blank ',
        kind: 'a',
        flags: 'x,y',
        amount: '1234.56',
        share: 0.1,
        notes: 300,
        raw: '616263',
        word: 'other',
        own: null,
        isNow: 0,
      },
      { ...defaults, id: '3000000001', code: "it's", raw: null, own: 8, isNow: 1 },
    ]);
    const comments = await server().query(
      `SELECT COLUMN_NAME AS name, COLUMN_COMMENT AS comment FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '${db}' AND COLUMN_COMMENT <> '' ORDER BY ORDINAL_POSITION`,
    );
    expect(comments).toEqual([
      { name: 'id', comment: "it's a \\ key" },
      { name: 'code', comment: 'a, b' },
      { name: 'own', comment: 'mine' },
    ]);
    await expect(server().query(`INSERT INTO ${db}.t (amount) VALUES (-200)`)).rejects.toThrow(/constraint/i);
    // Prepared again, there is nothing left to do.
    const [before] = await server().query(`SHOW CREATE TABLE ${db}.t`);
    await sink.prepare(rows.target);
    expect((await server().query(`SHOW CREATE TABLE ${db}.t`))[0]).toEqual(before);
  });

  test('that have bytes for a VECTOR hold those that a VECTOR of MariaDB does not', async () => {
    const { db, url } = await fresh('id INT PRIMARY KEY, v VARBINARY(8)');
    await using sink = await openMysqlSink(url);
    const write = async (name: string): Promise<void> => {
      const columns = { id: { type: 'int', nullable: false }, v: { type: 'vector', length: 2 } } as const;
      const rows = new RowsOf(tableOf(`${db}.${name}`, columns, ['id']));
      await sink.prepare(rows.target);
      // Fewer elements than the column has, and squares that are no float.
      const vectors = [Float32Array.of(1, -2.5), Float32Array.of(0.5), Float32Array.of(3e38, 0)];
      await sink.write(batchOf(vectors.map((v, id) => rows.insert({ id, v }))));
    };
    if (flavour === 'mariadb' && parseVersion(server().version) >= 110_700) {
      const error = {
        code: 'SINK_ROW_REFUSED',
        message: `${db}.made: a row is refused: the value of column v cannot be kept as it is`,
      };
      await expect(write('made')).rejects.toMatchObject({
        rows: [
          { index: 1, error },
          { index: 2, error },
        ],
      });
    } else await write('made');
    await write('t');
    expect(await server().query(`SELECT HEX(v) AS v FROM ${db}.t ORDER BY id`)).toEqual([
      { v: '0000803F000020C0' },
      { v: '0000003F' },
      { v: 'E6B1617F00000000' },
    ]);
  });

  test('stay as they are with `ignore`, and columns that they lack are left out; with `stop` they stop the sink', async () => {
    const { db, url } = await fresh('id INT PRIMARY KEY');
    const rows = new RowsOf(tableOf(`${db}.t`, { id: 'int', note: { type: 'varchar', length: 5 } }, ['id']));
    await using ignoring = await openMysqlSink(url, { schema: 'ignore' });
    await ignoring.prepare(rows.target);
    await ignoring.write(batchOf([rows.insert({ id: 1, note: 'a' })]));
    expect(await server().query(`SELECT * FROM ${db}.t`)).toEqual([{ id: 1 }]);
    await using stopping = await openMysqlSink(url, { schema: 'stop' });
    await expect(stopping.prepare(rows.target)).rejects.toMatchObject({
      code: 'SINK_SCHEMA_CONFLICT',
      message: `${db}.t: the target lacks note`,
    });
    const missing = new RowsOf(tableOf(`${db}.missing`, { id: 'int' }, ['id']));
    await expect(ignoring.prepare(missing.target)).rejects.toMatchObject({ code: 'SINK_SCHEMA_CONFLICT' });
  });

  test("without a unique key that is the rows' key are refused: an upsert would make second rows", async () => {
    const { db, url } = await fresh('id INT, code INT, PRIMARY KEY (id), KEY (code)');
    await using sink = await openMysqlSink(url);
    const rows = new RowsOf(tableOf(`${db}.t`, { code: 'int' }, ['code']));
    await expect(sink.prepare(rows.target)).rejects.toMatchObject({
      code: 'SINK_SCHEMA_CONFLICT',
      message: `${db}.t: the target has no unique key over code whose columns are NOT NULL`,
    });
  });

  test('with columns and a key of their own keep what is in them when a row is written again', async () => {
    const { db, url } = await fresh(
      "no INT AUTO_INCREMENT PRIMARY KEY, code INT NOT NULL UNIQUE, mail VARCHAR(50) UNIQUE, own VARCHAR(10) DEFAULT 'own'",
    );
    await using sink = await openMysqlSink(url);
    const rows = new RowsOf(tableOf(`${db}.t`, { code: 'int', mail: { type: 'varchar', length: 50 } }, ['code']));
    expect(await sink.prepare(rows.target)).toEqual({ serial: true });
    const lane = 'serial';
    await sink.write(batchOf([rows.insert({ code: 1, mail: 'a' }), rows.insert({ code: 2, mail: 'b' })], { lane }));
    await server().query(`UPDATE ${db}.t SET own = 'mine'`);
    await sink.write(
      batchOf(
        [
          rows.update({ code: 1, mail: 'a' }, { code: 1, mail: 'tmp' }),
          rows.update({ code: 2, mail: 'b' }, { code: 2, mail: 'a' }),
          rows.update({ code: 1, mail: 'tmp' }, { code: 3, mail: 'b' }),
          rows.insert({ code: 4, mail: 'd' }),
        ],
        { lane },
      ),
    );
    expect(await server().query(`SELECT code, mail, own FROM ${db}.t ORDER BY code`)).toEqual([
      { code: 2, mail: 'a', own: 'mine' },
      { code: 3, mail: 'b', own: 'mine' },
      { code: 4, mail: 'd', own: 'own' },
    ]);
  });
});

// MySQL takes the setting only with a data directory that was made with it.
describeServers(
  ['mariadb'],
  'a target that does not tell names apart by case',
  (server) => {
    test('takes no second table whose name differs by case alone: its rows would overwrite those of the first', async () => {
      await server().query('CREATE DATABASE folded');
      await using sink = await openMysqlSink(`${server().url}/folded`);
      const rowsOf = (name: string): RowsOf => new RowsOf(tableOf(`folded.${name}`, { id: 'int' }, ['id']));
      const [large, small] = [rowsOf('Orders'), rowsOf('orders')];
      await sink.prepare(large.target);
      await sink.write(batchOf([large.insert({ id: 1 })]));
      await expect(sink.prepare(small.target)).rejects.toMatchObject({
        code: 'SINK_SCHEMA_CONFLICT',
        message:
          'folded.orders: the target does not tell it from folded.Orders (lower_case_table_names): one of them needs another name',
      });
      // Another definition of the same table is no second table.
      await sink.prepare(rowsOf('Orders').target);
      expect(await server().query('SELECT * FROM folded.orders')).toEqual([{ id: 1 }]);
    });
  },
  { options: ['--lower-case-table-names=1'] },
);
