import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeServer, describeServers } from '../../support/servers/describe-server.ts';
import { inDatabase, linesOf, rowsOf } from './source-reading.ts';

const KV = 'CREATE TABLE kv (id INT PRIMARY KEY, v VARCHAR(20))';
const AS_STATEMENT = 'SET SESSION binlog_format = STATEMENT';
const AS_ROWS = 'SET SESSION binlog_format = ROW';
const first = "INSERT INTO kv VALUES (1, 'a')";
const last = "INSERT INTO kv VALUES (9, 'z')";
const line = (id: number, v: string): string => `insert kv {"id":${id},"v":"${v}"}`;

describeServers(
  ['mariadb', 'mysql'],
  'changes that were logged as statements',
  (server) => {
    const changes: readonly { readonly what: string; readonly statements: readonly string[] }[] = [
      { what: 'INSERT', statements: ["INSERT INTO kv VALUES (2, 'b')"] },
      { what: 'INSERT … SELECT', statements: ['INSERT INTO kv SELECT id + 1, v FROM kv'] },
      { what: 'UPDATE with a join', statements: ["UPDATE kv JOIN other ON kv.id = other.id SET kv.v = 'c'"] },
      { what: 'DELETE', statements: ['DELETE FROM kv WHERE id = 1'] },
      { what: 'REPLACE with variables', statements: ['SET @v = 5', "REPLACE INTO kv VALUES (@v, 'v')"] },
      {
        what: 'a transaction of several',
        statements: ['BEGIN', 'INSERT INTO other VALUES (7)', "INSERT INTO kv VALUES (3, 'c')", 'COMMIT'],
      },
    ];

    test.each(changes)(
      '$what of a watched table stops the source, and what was before it is handed over',
      async ({ statements }) => {
        const database = await inDatabase(server(), [
          KV,
          'CREATE TABLE other (id INT PRIMARY KEY)',
          'INSERT INTO other VALUES (1)',
          first,
          AS_STATEMENT,
          ...statements,
          AS_ROWS,
          last,
        ]);
        await expect(rowsOf(server(), database, { tables: [`${database}.kv`] })).rejects.toMatchObject({
          code: 'STATEMENT_CHANGE',
          retry: 'operator',
          message: expect.stringContaining(`${database}.kv`),
        });
      },
    );

    test('the details of the error name a place from which reading goes on behind it', async () => {
      const database = await inDatabase(server(), [
        KV,
        first,
        AS_STATEMENT,
        "INSERT INTO kv VALUES (2, 'b')",
        AS_ROWS,
        last,
      ]);
      const error: unknown = await rowsOf(server(), database).catch((thrown: unknown) => thrown);
      const { resumeAt } = (error as { details: { resumeAt: string } }).details;
      expect(await rowsOf(server(), database, { from: resumeAt })).toEqual([line(9, 'z')]);
    });

    test('with `statementChanges: report` reading goes on, and the statement comes as an entry', async () => {
      const database = await inDatabase(server(), [
        KV,
        first,
        AS_STATEMENT,
        "INSERT INTO kv VALUES (2, 'b')",
        AS_ROWS,
        last,
      ]);
      const lines = await linesOf(server(), database, { statementChanges: 'report' });
      expect(lines).toEqual([
        `schema kv ${KV}`,
        line(1, 'a'),
        "schema kv INSERT INTO kv VALUES (2, 'b')",
        line(9, 'z'),
      ]);
    });

    test('of a table that nobody watches it does not matter', async () => {
      const database = await inDatabase(server(), [
        KV,
        'CREATE TABLE other (id INT PRIMARY KEY, v INT)',
        first,
        AS_STATEMENT,
        'INSERT INTO other VALUES (1, 1), (2, 2)',
        'UPDATE other SET v = 5 WHERE id = 1',
        'INSERT INTO other SELECT id + 10, 0 FROM kv',
        'DELETE o FROM other o JOIN kv ON o.id = kv.id',
        'CREATE TEMPORARY TABLE tmp (id INT)',
        'INSERT INTO tmp VALUES (1)',
        'INSERT INTO other SELECT id + 100, 1 FROM tmp',
        'DROP TEMPORARY TABLE tmp',
        AS_ROWS,
        last,
      ]);
      expect(await rowsOf(server(), database, { tables: [`${database}.kv`] })).toEqual([line(1, 'a'), line(9, 'z')]);
    });

    test('LOAD DATA comes as rows, and logged as a statement it stops the source', async () => {
      const file = join(server().dataDir ?? '', 'rows.txt');
      await writeFile(file, '2\tb\n3\tc\n');
      const load = `LOAD DATA INFILE '${file}' INTO TABLE kv`;
      const rows = await inDatabase(server(), [KV, load]);
      expect(await rowsOf(server(), rows)).toEqual([line(2, 'b'), line(3, 'c')]);
      const statement = await inDatabase(server(), [KV, AS_STATEMENT, load, AS_ROWS, last]);
      await expect(rowsOf(server(), statement)).rejects.toMatchObject({
        code: 'STATEMENT_CHANGE',
        message: expect.stringContaining(`${statement}.kv`),
      });
      const other = await inDatabase(server(), [
        KV,
        'CREATE TABLE other LIKE kv',
        AS_STATEMENT,
        load.replace('kv', 'other'),
        AS_ROWS,
        last,
      ]);
      expect(await rowsOf(server(), other, { tables: [`${other}.kv`] })).toEqual([line(9, 'z')]);
    }, 60_000);

    test('TRUNCATE PARTITION and EXCHANGE PARTITION change rows that the binlog does not have', async () => {
      const parts = `CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN (20))`;
      for (const change of ['ALTER TABLE p TRUNCATE PARTITION a', 'ALTER TABLE p EXCHANGE PARTITION a WITH TABLE q']) {
        const database = await inDatabase(server(), [
          parts,
          'CREATE TABLE q (id INT PRIMARY KEY)',
          'INSERT INTO p VALUES (1), (11)',
          change,
        ]);
        await expect(rowsOf(server(), database)).rejects.toMatchObject({ code: 'STATEMENT_CHANGE' });
        const lines = await linesOf(server(), database, { statementChanges: 'report' });
        expect(lines).toContain(`schema p ${change}`);
        expect(lines).toContain('insert p {"id":11}');
      }
    });
  },
  { owned: true },
);

/** With GTIDs, MySQL refuses transactions over engines of both kinds. */
const MYSQL_WITHOUT_GTIDS = ['--gtid-mode=OFF', '--enforce-gtid-consistency=OFF'];

describe.each(['mariadb', 'mysql'] as const)('other engines than InnoDB', (flavour) => {
  describeServer(
    flavour,
    'rows and rollbacks',
    (server) => {
      const I = 'CREATE TABLE i (id INT PRIMARY KEY)';
      const M = 'CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM';
      const insert = (table: string, id: number): string => `INSERT INTO ${table} VALUES (${id})`;
      const row = (table: string, id: number): string => `insert ${table} {"id":${id}}`;

      test.each(flavour === 'mariadb' ? ['MyISAM', 'Aria'] : ['MyISAM'])(
        '%s tables are read like others',
        async (engine) => {
          const database = await inDatabase(server(), [
            `CREATE TABLE m (id INT PRIMARY KEY, v INT) ENGINE=${engine}`,
            'INSERT INTO m VALUES (1, 1), (2, 2)',
            'UPDATE m SET v = 3 WHERE id = 1',
            'DELETE FROM m WHERE id = 2',
            'BEGIN',
            'INSERT INTO m VALUES (4, 4)',
            'INSERT INTO m VALUES (5, 5)',
            'COMMIT',
          ]);
          expect(await rowsOf(server(), database)).toEqual([
            'insert m {"id":1,"v":1}',
            'insert m {"id":2,"v":2}',
            'update m {"id":1,"v":1} -> {"id":1,"v":3}',
            'delete m {"id":2,"v":2}',
            'insert m {"id":4,"v":4}',
            'insert m {"id":5,"v":5}',
          ]);
        },
      );

      const mixed: readonly {
        readonly what: string;
        readonly statements: readonly string[];
        /** What the tables hold afterwards. */
        readonly i: readonly number[];
        readonly m: readonly number[];
      }[] = [
        { what: 'COMMIT', statements: [insert('i', 1), insert('m', 1), insert('i', 2), 'COMMIT'], i: [1, 2], m: [1] },
        {
          what: 'ROLLBACK',
          statements: [insert('m', 1), insert('i', 1), insert('m', 2), 'ROLLBACK'],
          i: [],
          m: [1, 2],
        },
        {
          what: 'ROLLBACK behind a savepoint',
          statements: [insert('i', 1), 'SAVEPOINT s', insert('m', 1), 'ROLLBACK'],
          i: [],
          m: [1],
        },
        {
          what: 'ROLLBACK TO a savepoint',
          statements: [
            insert('i', 1),
            'SAVEPOINT s',
            insert('i', 2),
            insert('m', 1),
            'ROLLBACK TO s',
            insert('i', 3),
            'COMMIT',
          ],
          i: [1, 3],
          m: [1],
        },
        {
          what: 'ROLLBACK TO an earlier savepoint',
          statements: [
            'SAVEPOINT a',
            insert('i', 1),
            'SAVEPOINT `B c`',
            insert('m', 1),
            'ROLLBACK TO SAVEPOINT a',
            insert('i', 3),
            'COMMIT',
          ],
          i: [3],
          m: [1],
        },
        {
          what: 'ROLLBACK TO a savepoint behind which only the other engine has changes',
          statements: [
            insert('i', 1),
            'SAVEPOINT `B c`',
            insert('m', 1),
            'ROLLBACK TO `b C`',
            insert('i', 3),
            'COMMIT',
          ],
          i: [1, 3],
          m: [1],
        },
      ];

      test.each(mixed)(
        '$what: rows that were rolled back never come, whichever of the tables is watched',
        async (example) => {
          const database = await inDatabase(server(), [I, M, 'BEGIN', ...example.statements, insert('i', 9)]);
          for (const table of ['i', 'm', '*'] as const) {
            const outcome = await rowsOf(server(), database, { tables: [`${database}.${table}`] }).catch(
              (error: unknown) => error,
            );
            const i = table === 'm' ? [] : [...example.i, 9].map((id) => row('i', id));
            const m = table === 'i' ? [] : example.m.map((id) => row('m', id));
            if (outcome instanceof Error) {
              expect(outcome).toMatchObject({ code: 'ROLLBACK_IN_BINLOG', retry: 'never' });
              const { resumeAt } = (outcome as unknown as { details: { resumeAt: string } }).details;
              const rest = await rowsOf(server(), database, { from: resumeAt, tables: [`${database}.i`] });
              // MariaDB may log what comes behind the savepoint as a transaction of its own.
              const all = [...example.i, 9].map((id) => row('i', id));
              expect(rest.length).toBeGreaterThan(0);
              expect(rest).toEqual(all.slice(-rest.length));
            } else expect((outcome as string[]).toSorted(), `watching ${table}`).toEqual([...i, ...m].toSorted());
          }
        },
      );
    },
    flavour === 'mysql' ? { options: MYSQL_WITHOUT_GTIDS } : {},
  );
});

describeServer('mariadb', 'binlog_format=MIXED', (server) => {
  test('statements that are logged as such stop the source, those logged as rows do not', async () => {
    const database = await inDatabase(server(), [
      KV,
      'SET SESSION binlog_format = MIXED',
      'INSERT INTO kv VALUES (1, LEFT(UUID(), 9))',
      'DELETE FROM kv',
    ]);
    await expect(rowsOf(server(), database)).rejects.toMatchObject({ code: 'STATEMENT_CHANGE' });
    const rows = await inDatabase(server(), [
      KV,
      'SET SESSION binlog_format = MIXED',
      'INSERT INTO kv VALUES (1, LEFT(UUID(), 0))',
    ]);
    expect(await rowsOf(server(), rows)).toEqual([line(1, '')]);
  });
});
