import { expect, test } from 'vitest';
import type { Logger } from '../../../src/core/logger.ts';
import { tableOf } from '../../../src/testing/tables.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import { openMysqlSink } from '../../support/sinks/open-mysql-sink.ts';
import { batchOf, RowsOf } from '../../support/sinks/sink-rows.ts';

const ID = { type: 'int', nullable: false } as const;
const TEXT = { type: 'varchar', length: 20 } as const;

/** Keeps what was logged of changes to tables. */
class Lines {
  readonly lines: object[] = [];
  readonly log: Logger = {
    debug: () => {},
    info: (details, message) => this.#take('info', details, message),
    warn: (details, message) => this.#take('warn', details, message),
    error: () => {},
    child: () => this.log,
  };

  #take(level: string, details: unknown, message: string | undefined): void {
    if (message?.includes('in the target') === true) this.lines.push({ level, message, ...(details as object) });
  }
}

describeServers(['mariadb', 'mysql'], 'columns that the rows no longer have', (server) => {
  let number = 0;
  const fresh = async (create: string): Promise<{ db: string; url: string }> => {
    const db = `gone_${++number}`;
    await server().query(`CREATE DATABASE ${db}; CREATE TABLE ${db}.t (${create})`);
    return { db, url: `${server().url}/${db}` };
  };
  const columnsOf = async (db: string): Promise<readonly string[]> =>
    (await server().query<{ Field: string }>(`SHOW COLUMNS FROM ${db}.t`)).map(({ Field }) => Field);

  test('stay with what is in them, and refuse no rows for being NOT NULL', async () => {
    const { db, url } = await fresh(
      "id INT PRIMARY KEY, note VARCHAR(20), gone VARCHAR(20) NOT NULL, at TIMESTAMP(3) NOT NULL, given INT NOT NULL DEFAULT 7, kind ENUM('a') NOT NULL, code INT NOT NULL UNIQUE",
    );
    await server().query(`INSERT INTO ${db}.t VALUES (1, 'a', 'kept', '2026-11-20 09:15:02.5', 5, 'a', 9)`);
    const lines = new Lines();
    await using sink = await openMysqlSink(url, { log: lines.log });
    const rows = new RowsOf(tableOf(`${db}.t`, { id: ID, note: TEXT }, ['id']));
    await sink.prepare(rows.target);
    await sink.write(
      batchOf([rows.insert({ id: 2, note: 'b' }), rows.upsert({ id: 1, note: 'c' })], { lane: 'serial' }),
    );
    const shown = await server().query(`SELECT id, note, gone, given, kind FROM ${db}.t ORDER BY id`);
    expect(shown).toEqual([
      { id: 1, note: 'c', gone: 'kept', given: 5, kind: 'a' },
      { id: 2, note: 'b', gone: null, given: 7, kind: null },
    ]);
    expect(lines.lines).toMatchObject([
      { level: 'info', message: 'table changed in the target', target: `${db}.t`, added: [], widened: [] },
    ]);
    expect((lines.lines[0] as { relaxed: unknown }).relaxed).toEqual(expect.arrayContaining(['gone', 'kind', 'code']));
    await sink.prepare(new RowsOf(rows.target.table).target);
    expect(lines.lines).toHaveLength(1);
  });

  test('are dropped only when that is asked for, once, and the log says which', async () => {
    const { db, url } = await fresh('id INT PRIMARY KEY, note VARCHAR(20), gone INT NOT NULL, unique_one INT UNIQUE');
    await server().query(`INSERT INTO ${db}.t VALUES (1, 'a', 3, 4)`);
    const rows = new RowsOf(tableOf(`${db}.t`, { id: ID, note: TEXT, more: 'int' }, ['id']));
    for (const schema of ['ignore', 'stop'] as const) {
      const known = new RowsOf(tableOf(`${db}.t`, { id: ID, note: TEXT }, ['id']));
      await using passive = await openMysqlSink(url, { schema });
      await passive.prepare(known.target);
      expect(await columnsOf(db)).toEqual(['id', 'note', 'gone', 'unique_one']);
    }
    const lines = new Lines();
    await using sink = await openMysqlSink(url, { dropColumns: true, log: lines.log });
    await sink.prepare(rows.target);
    // What is left of a unique key might be none.
    expect(await columnsOf(db)).toEqual(['id', 'note', 'unique_one', 'more']);
    expect(lines.lines).toEqual([
      {
        level: 'info',
        message: 'table changed in the target',
        target: `${db}.t`,
        added: ['more'],
        widened: [],
        relaxed: [],
      },
      { level: 'warn', message: 'columns dropped in the target', target: `${db}.t`, dropped: ['gone'] },
    ]);
    await sink.write(batchOf([rows.insert({ id: 2, note: 'b', more: 1 })], { lane: 'serial' }));
    await sink.prepare(new RowsOf(rows.target.table).target);
    expect(lines.lines).toHaveLength(2);
    expect(await server().query(`SELECT id, note, more FROM ${db}.t ORDER BY id`)).toEqual([
      { id: 1, note: 'a', more: null },
      { id: 2, note: 'b', more: 1 },
    ]);
  });

  test('of a source follow its definition from one row to the next when that is asked for', async () => {
    const { db, url } = await fresh('id INT PRIMARY KEY');
    await using sink = await openMysqlSink(url, { dropColumns: true });
    const old = new RowsOf(tableOf(`${db}.t`, { id: ID, note: TEXT, gone: { ...TEXT, nullable: false } }, ['id']));
    const now = new RowsOf(tableOf(`${db}.t`, { id: ID, note: TEXT }, ['id']));
    await sink.prepare(old.target);
    await sink.write(batchOf([old.insert({ id: 1, note: 'a', gone: 'x' })]));
    await sink.prepare(now.target);
    await sink.write(batchOf([now.insert({ id: 2, note: 'b' })]));
    expect(await columnsOf(db)).toEqual(['id', 'note']);
    // A row of the former definition that comes late is written without what is gone.
    await sink.write(batchOf([old.upsert({ id: 1, note: 'c', gone: 'y' })]));
    expect(await server().query(`SELECT * FROM ${db}.t ORDER BY id`)).toEqual([
      { id: 1, note: 'c' },
      { id: 2, note: 'b' },
    ]);
  });

  test('are never dropped where rows of several tables go to one target', async () => {
    const { db, url } = await fresh('id INT PRIMARY KEY, own INT');
    await using sink = await openMysqlSink(url, { dropColumns: true });
    const one = new RowsOf(tableOf(`${db}.t`, { id: ID, a: TEXT }, ['id']), { isShared: true });
    const other = new RowsOf(tableOf(`${db}.t`, { id: ID, b: { ...TEXT, nullable: false } }, ['id']), {
      isShared: true,
    });
    await sink.prepare(one.target);
    await sink.prepare(other.target);
    await sink.write(
      batchOf([one.upsert({ id: 1, a: 'x' }), other.upsert({ id: 1, b: 'y' }), one.upsert({ id: 2, a: null })]),
    );
    await sink.prepare(new RowsOf(one.target.table, { isShared: true }).target);
    expect(await server().query(`SELECT * FROM ${db}.t ORDER BY id`)).toEqual([
      { id: 1, own: null, a: 'x', b: 'y' },
      { id: 2, own: null, a: null, b: null },
    ]);
  });
});
