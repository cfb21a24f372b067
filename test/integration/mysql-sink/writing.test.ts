import { expect, test } from 'vitest';
import { tableOf } from '../../../src/testing/tables.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import { openMysqlSink } from '../../support/sinks/open-mysql-sink.ts';
import { batchOf, RowsOf } from '../../support/sinks/sink-rows.ts';

const PLAIN = {
  id: { type: 'int', nullable: false },
  u: { type: 'int' },
  note: { type: 'varchar', length: 50 },
} as const;

describeServers(['mariadb', 'mysql'], 'writing into MySQL', (server) => {
  let number = 0;
  const database = async (): Promise<string> => {
    const name = `sink_${++number}`;
    await server().query(`CREATE DATABASE ${name}`);
    return name;
  };
  const url = (name: string): string => `${server().url}/${name}`;

  test('inserts, updates and deletes of one batch leave the last state of each key, in a table that it made', async () => {
    const db = await database();
    await using sink = await openMysqlSink(url(db));
    const rows = new RowsOf(tableOf(`${db}.t`, PLAIN, ['id']));
    expect(await sink.prepare(rows.target)).toEqual({ serial: false });
    const a = { id: 1, u: 1, note: "it's" };
    await sink.write(
      batchOf([
        rows.insert(a),
        rows.insert({ id: 2, u: 2, note: 'two' }),
        rows.update(a, { ...a, note: 'A\\B\0' }),
        rows.insert({ id: 3, u: 3, note: null }),
        rows.delete({ id: 2, u: 2, note: 'two' }),
      ]),
    );
    expect(await server().query(`SELECT * FROM ${db}.t ORDER BY id`)).toEqual([
      { id: 1, u: 1, note: 'A\\B\0' },
      { id: 3, u: 3, note: null },
    ]);
    await sink.write(batchOf([rows.update({ id: 1 }, { id: 1, u: 7 }), rows.upsert({ id: 4, u: 4, note: 'x' })]));
    expect(await sink.read(rows.target, [{ id: 1 }, { id: 2 }, { id: 4 }])).toEqual([
      { id: 1, u: 7, note: 'A\\B\0' },
      null,
      { id: 4, u: 4, note: 'x' },
    ]);
  });

  test('of rows without a key the one is meant that has the very bytes, spaces at the end included', async () => {
    const db = await database();
    await using sink = await openMysqlSink(url(db));
    const rows = new RowsOf(tableOf(`${db}.t`, { a: { type: 'varchar', length: 9 }, n: 'int' }));
    await sink.prepare(rows.target);
    await sink.write(batchOf(['x', 'x ', ' ', ''].map((a, n) => rows.insert({ a, n: n % 2 }))));
    await sink.write(batchOf([rows.delete({ a: 'x ', n: 1 }), rows.update({ a: '', n: 1 }, { a: '', n: 5 })]));
    await sink.write(batchOf([rows.delete({ a: ' ', n: 0 })]));
    expect(await server().query(`SELECT a, n FROM ${db}.t ORDER BY n`)).toEqual([
      { a: 'x', n: 0 },
      { a: '', n: 5 },
    ]);
  });

  test('a column that has the name of what every object has is not known where a row does not have it', async () => {
    const db = await database();
    await using sink = await openMysqlSink(url(db));
    const rows = new RowsOf(tableOf(`${db}.t`, { id: PLAIN.id, ['constructor']: PLAIN.u, u: PLAIN.u }, ['id']));
    await sink.prepare(rows.target);
    await sink.write(batchOf([rows.insert({ id: 1, ['constructor']: 7, u: 1 })]));
    await sink.write(batchOf([rows.update({ id: 1 }, { id: 1, u: 2 })]));
    expect(await server().query(`SELECT * FROM ${db}.t`)).toEqual([{ id: 1, ['constructor']: 7, u: 2 }]);
  });

  test('keys that are two in MySQL are two in every target, also where its collation of the same name is of a later Unicode', async () => {
    const db = await database();
    await using sink = await openMysqlSink(url(db));
    const type = { type: 'varchar', length: 20, charset: 'utf8mb4', collation: 'utf8mb4_0900_ai_ci' } as const;
    const rows = new RowsOf(tableOf(`${db}.t`, { k: { ...type, nullable: false } }, ['k']));
    await sink.prepare(rows.target);
    // A letter of Georgian and its capital, which Unicode has since version 11.
    await sink.write(batchOf(['\u10d0', '\u1c90'].map((k) => rows.insert({ k }))));
    expect(await server().query(`SELECT HEX(k) AS k FROM ${db}.t ORDER BY HEX(k)`)).toEqual([
      { k: 'E18390' },
      { k: 'E1B290' },
    ]);
  });

  test('what a target of another type would bend without a word is refused', async () => {
    const db = await database();
    await server().query(`CREATE TABLE ${db}.t (id INT PRIMARY KEY, n INT)`);
    await using sink = await openMysqlSink(url(db), { schema: 'ignore' });
    const rows = new RowsOf(
      tableOf(
        `${db}.t`,
        { id: { type: 'varchar', length: 9, nullable: false }, n: { type: 'decimal', length: 9, scale: 2 } },
        ['id'],
      ),
    );
    await sink.prepare(rows.target);
    const write = sink.write(
      batchOf([
        rows.insert({ id: '1', n: '1.00' }),
        rows.insert({ id: '01', n: '2.00' }),
        rows.insert({ id: '2', n: '1.50' }),
      ]),
    );
    const error = { code: 'SINK_ROW_REFUSED' };
    await expect(write).rejects.toMatchObject({
      rows: [
        { index: 1, error },
        { index: 2, error },
      ],
    });
    await sink.write(batchOf([rows.insert({ id: '1', n: '1.00' })]));
    expect(await server().query(`SELECT * FROM ${db}.t`)).toEqual([{ id: 1, n: 1 }]);
  });

  test('−0 is −0 in FLOAT and DOUBLE of MySQL; MariaDB keeps none, however it is written', async () => {
    const db = await database();
    await using sink = await openMysqlSink(url(db));
    const rows = new RowsOf(tableOf(`${db}.t`, { id: PLAIN.id, d: 'double', f: 'float' }, ['id']));
    await sink.prepare(rows.target);
    await sink.write(batchOf([rows.insert({ id: 1, d: -0, f: -0 }), rows.insert({ id: 2, d: 0, f: 0 })]));
    await sink.write(batchOf([rows.update({ id: 2 }, { id: 2, d: -0 })]));
    // −π for −0, π for 0.
    const signs = (): Promise<readonly object[]> =>
      server().query(`SELECT SIGN(ATAN2(d, -1)) AS d, SIGN(ATAN2(f, -1)) AS f FROM ${db}.t ORDER BY id`);
    if (server().flavour === 'mysql') {
      expect(await signs()).toEqual([
        { d: -1, f: -1 },
        { d: -1, f: 1 },
      ]);
      return;
    }
    // The server can calculate with it; what it stores is 0. If one of these ways is ever another, the sink is to take it.
    const ways = ["'-0'", '0e0 * -1', "CAST('-0' AS DOUBLE)", 'ROUND(-0.4e0)', '-1e-200 * 1e-200'];
    await server().query(ways.map((way, i) => `INSERT INTO ${db}.t VALUES (${10 + i}, ${way}, ${way})`).join(';'));
    const connection = await server().connection();
    await connection.execute(`INSERT INTO ${db}.t VALUES (?, ?, ?)`, [20, -0, -0]);
    await connection.end();
    expect(await server().query('SELECT SIGN(ATAN2(-0e0, -1)) AS sign')).toEqual([{ sign: -1 }]);
    expect(new Set((await signs()).map((row) => JSON.stringify(row)))).toEqual(new Set(['{"d":1,"f":1}']));
  });

  test('a key that moves leaves no row under the old key, whole or in part', async () => {
    const db = await database();
    await using sink = await openMysqlSink(url(db));
    const rows = new RowsOf(tableOf(`${db}.t`, PLAIN, ['id']));
    await sink.prepare(rows.target);
    await sink.write(batchOf([rows.insert({ id: 1, u: 1, note: 'a' }), rows.insert({ id: 2, u: 2, note: 'b' })]));
    await sink.write(
      batchOf([
        rows.update({ id: 1, u: 1, note: 'a' }, { id: 10, u: 1, note: 'a' }),
        rows.update({ id: 2 }, { id: 20 }),
      ]),
    );
    await sink.write(batchOf(rows.moved({ id: 10, u: 1, note: 'a' }, { id: 11, u: 1, note: 'a' })));
    expect(await server().query(`SELECT * FROM ${db}.t ORDER BY id`)).toEqual([
      { id: 11, u: 1, note: 'a' },
      { id: 20, u: 2, note: 'b' },
    ]);
  });

  test('values of a unique key that change places between rows are no conflict, whole or in part', async () => {
    const db = await database();
    await server().query(`CREATE TABLE ${db}.t (id INT PRIMARY KEY, u INT UNIQUE, note VARCHAR(50))`);
    await using sink = await openMysqlSink(url(db));
    const rows = new RowsOf(tableOf(`${db}.t`, PLAIN, ['id']));
    expect(await sink.prepare(rows.target)).toEqual({ serial: true });
    const [a, b] = [
      { id: 1, u: 1, note: 'a' },
      { id: 2, u: 2, note: 'b' },
    ];
    const lane = 'serial';
    await sink.write(batchOf([rows.insert(a), rows.insert(b)], { lane }));
    const swap = (x: typeof a, y: typeof b, of: (row: object) => object): readonly [object, object][] => [
      [x, of({ ...x, u: 99 })],
      [y, of({ ...y, u: x.u })],
      [{ ...x, u: 99 }, of({ ...x, u: y.u })],
    ];
    await sink.write(
      batchOf(
        swap(a, b, (row) => row).map(([before, after]) => rows.update(before as never, after as never)),
        { lane },
      ),
    );
    expect(await server().query(`SELECT id, u FROM ${db}.t ORDER BY id`)).toEqual([
      { id: 1, u: 2 },
      { id: 2, u: 1 },
    ]);
    const part = swap({ ...a, u: 2 }, { ...b, u: 1 }, ({ u }: { u?: number }) => ({ u }));
    await sink.write(
      batchOf(
        part.map(([before, after]) => rows.update(before as never, after as never)),
        { lane },
      ),
    );
    expect(await server().query(`SELECT * FROM ${db}.t ORDER BY id`)).toEqual([a, b]);
  });

  test('a row that has the unique value of another row is refused, and neither changes it nor the rows beside', async () => {
    const db = await database();
    await server().query(`CREATE TABLE ${db}.t (id INT PRIMARY KEY, u INT, note VARCHAR(50), UNIQUE KEY one_u (u))`);
    await server().query(`INSERT INTO ${db}.t VALUES (99, 5, 'own')`);
    await using sink = await openMysqlSink(url(db));
    const rows = new RowsOf(tableOf(`${db}.t`, PLAIN, ['id']));
    await sink.prepare(rows.target);
    const all = [1, 2, 3, 4, 5, 6, 7].map((id) => rows.insert({ id, u: id, note: 'secret' }));
    const failed = await sink.write(batchOf(all, { lane: 'serial' })).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      areOthersDurable: false,
      rows: [
        {
          index: 4,
          error: {
            code: 'SINK_ROW_REFUSED',
            message: `${db}.t: a row is refused: another row has the same values in the unique key one_u`,
          },
        },
      ],
    });
    expect(await server().query(`SELECT id FROM ${db}.t`)).toEqual([{ id: 99 }]);
    await sink.write(
      batchOf(
        all.filter((_row, i) => i !== 4),
        { lane: 'serial' },
      ),
    );
    expect(await server().query(`SELECT COUNT(*) AS n FROM ${db}.t WHERE note = 'secret'`)).toEqual([{ n: 6 }]);
  });
});
