import { expect, test } from 'vitest';
import { tableOf } from '../../../src/testing/tables.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import { openMysqlSink } from '../../support/sinks/open-mysql-sink.ts';
import { batchOf, RowsOf } from '../../support/sinks/sink-rows.ts';

const lane = 'serial';

describeServers(['mariadb', 'mysql'], 'foreign keys of the target', (server) => {
  let number = 0;
  const family = async (
    rule: string,
  ): Promise<{ db: string; parents: RowsOf; children: RowsOf; grandchildren: RowsOf }> => {
    const db = `family_${++number}`;
    await server().query(
      `CREATE DATABASE ${db};
       CREATE TABLE ${db}.parent (id INT PRIMARY KEY, note VARCHAR(20));
       CREATE TABLE ${db}.child (id INT PRIMARY KEY, parent INT NULL, FOREIGN KEY (parent) REFERENCES ${db}.parent (id) ${rule});
       CREATE TABLE ${db}.grandchild (id INT PRIMARY KEY, child INT NULL, FOREIGN KEY (child) REFERENCES ${db}.child (id) ON DELETE SET NULL);`,
    );
    return {
      db,
      parents: new RowsOf(tableOf(`${db}.parent`, { id: 'int', note: { type: 'varchar', length: 20 } }, ['id'])),
      children: new RowsOf(tableOf(`${db}.child`, { id: 'int', parent: 'int' }, ['id'])),
      grandchildren: new RowsOf(tableOf(`${db}.grandchild`, { id: 'int', child: 'int' }, ['id'])),
    };
  };

  test('without actions let a parent come after its child, and go before it', async () => {
    const db = `restrict_${++number}`;
    await server().query(
      `CREATE DATABASE ${db}; CREATE TABLE ${db}.parent (id INT PRIMARY KEY);
       CREATE TABLE ${db}.child (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent) REFERENCES ${db}.parent (id));`,
    );
    const parents = new RowsOf(tableOf(`${db}.parent`, { id: 'int' }, ['id']));
    const children = new RowsOf(tableOf(`${db}.child`, { id: 'int', parent: 'int' }, ['id']));
    await using sink = await openMysqlSink(`${server().url}/${db}`);
    expect(await sink.prepare(parents.target)).toEqual({ serial: false });
    expect(await sink.prepare(children.target)).toEqual({ serial: false });
    await sink.write(batchOf([children.insert({ id: 1, parent: 7 })]));
    await sink.write(batchOf([parents.insert({ id: 7 })], { partition: 1 }));
    await sink.write(batchOf([parents.delete({ id: 7 })], { partition: 1 }));
    await sink.write(batchOf([children.delete({ id: 1, parent: 7 })]));
    expect(await server().query(`SELECT * FROM ${db}.child`)).toEqual([]);
  });

  test('do what the source did by ON DELETE, down to the grandchildren, and nothing when a row is only written anew', async () => {
    const { db, parents, children, grandchildren } = await family('ON DELETE CASCADE');
    await using sink = await openMysqlSink(`${server().url}/${db}`);
    for (const { target } of [parents, children, grandchildren]) {
      expect(await sink.prepare(target)).toEqual({ serial: true });
    }
    const rows = [
      grandchildren.insert({ id: 100, child: 10 }),
      children.insert({ id: 10, parent: 1 }),
      children.insert({ id: 11, parent: 2 }),
      parents.insert({ id: 1, note: 'a' }),
      parents.insert({ id: 2, note: 'b' }),
      parents.insert({ id: 3, note: 'c' }),
      // Written again, whole: no row goes.
      parents.update({ id: 1, note: 'a' }, { id: 1, note: 'A' }),
      parents.upsert({ id: 2, note: 'B' }),
      children.upsert({ id: 10, parent: 1 }),
    ];
    await sink.write(batchOf(rows, { lane }));
    expect(await server().query(`SELECT * FROM ${db}.child ORDER BY id`)).toHaveLength(2);
    // A child that left its parent in time stays; deleted and inserted again, a parent has lost its children.
    await sink.write(
      batchOf(
        [
          children.update({ id: 11, parent: 2 }, { id: 11, parent: 3 }),
          parents.delete({ id: 2, note: 'B' }),
          parents.delete({ id: 1, note: 'A' }),
          parents.insert({ id: 1, note: 'again' }),
        ],
        { lane },
      ),
    );
    expect(await server().query(`SELECT * FROM ${db}.child`)).toEqual([{ id: 11, parent: 3 }]);
    expect(await server().query(`SELECT * FROM ${db}.grandchild`)).toEqual([{ id: 100, child: null }]);
    expect(await server().query(`SELECT id, note FROM ${db}.parent ORDER BY id`)).toEqual([
      { id: 1, note: 'again' },
      { id: 3, note: 'c' },
    ]);
  });

  test('follow a key that the source changed with ON UPDATE CASCADE, also where it comes as two halves', async () => {
    const { db, parents, children } = await family('ON DELETE CASCADE ON UPDATE CASCADE');
    await using sink = await openMysqlSink(`${server().url}/${db}`);
    await sink.prepare(parents.target);
    await sink.prepare(children.target);
    await sink.write(batchOf([parents.insert({ id: 1, note: 'a' }), children.insert({ id: 10, parent: 1 })], { lane }));
    await sink.write(batchOf([parents.update({ id: 1, note: 'a' }, { id: 2, note: 'b' })], { lane }));
    expect(await server().query(`SELECT * FROM ${db}.child`)).toEqual([{ id: 10, parent: 2 }]);
    await sink.write(batchOf(parents.moved({ id: 2, note: 'b' }, { id: 3, note: 'b' }), { lane }));
    expect(await server().query(`SELECT * FROM ${db}.child`)).toEqual([{ id: 10, parent: 3 }]);
    expect(await server().query(`SELECT * FROM ${db}.parent`)).toEqual([{ id: 3, note: 'b' }]);
  });
});
