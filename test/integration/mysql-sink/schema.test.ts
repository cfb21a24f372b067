import { expect, test } from 'vitest';
import { tableOf } from '../../../src/testing/tables.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import { openMysqlSink } from '../../support/sinks/open-mysql-sink.ts';
import { batchOf, RowsOf } from '../../support/sinks/sink-rows.ts';

describeServers(['mariadb', 'mysql'], 'tables of the target', (server) => {
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
