import { describe, expect, test, vi } from 'vitest';
import type { TestServer } from '../../support/servers/test-server.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import { drain, inDatabase, LiveReader, presentPosition, rowsOf, run, withConnection } from './source-reading.ts';

const KV = 'CREATE TABLE kv (id INT PRIMARY KEY, v LONGTEXT)';
const insert = (id: number, v = 'x'): string => `INSERT INTO kv VALUES (${id}, '${v}')`;
const line = (id: number, v = 'x'): string => `insert kv {"id":${id},"v":"${v}"}`;

/** Prepares a transaction on a connection of its own, which then goes away. */
async function prepare(
  server: TestServer,
  database: string,
  xid: string,
  statements: readonly string[],
): Promise<void> {
  await run(server, database, [`XA START ${xid}`, ...statements, `XA END ${xid}`, `XA PREPARE ${xid}`]);
}

/** Decides about a prepared transaction; the server may still be busy with the end of the connection that prepared it. */
async function decide(server: TestServer, decision: 'COMMIT' | 'ROLLBACK', xid: string): Promise<void> {
  await vi.waitUntil(
    () =>
      server.query(`XA ${decision} ${xid}`).then(
        () => true,
        () => false,
      ),
    { timeout: 10_000 },
  );
}

describeServers(
  ['mariadb', 'mysql'],
  'XA transactions',
  (server) => {
    let xids = 0;
    const newXid = (): string => `'trx-${++xids}'`;

    test('what is prepared and committed comes at its commit, in commit order', async () => {
      const database = await inDatabase(server(), [KV]);
      const [first, second] = [newXid(), newXid()];
      await prepare(server(), database, first, [insert(1), insert(2)]);
      await prepare(server(), database, second, [insert(3), "UPDATE kv SET v = 'y' WHERE id = 3"]);
      await run(server(), database, [insert(4)]);
      await decide(server(), 'COMMIT', second);
      await run(server(), database, [insert(5)]);
      await decide(server(), 'COMMIT', first);
      const { transactions } = await drain(server(), { tables: [`${database}.kv`] });
      expect(
        transactions.slice(1).map(({ lines }) => lines.map((text) => text.replaceAll(`${database}.`, ''))),
      ).toEqual([
        [line(4)],
        [line(3), 'update kv {"id":3,"v":"x"} -> {"id":3,"v":"y"}'],
        [line(5)],
        [line(1), line(2)],
      ]);
    });

    test('what is prepared and rolled back never comes, nor what is still prepared', async () => {
      const database = await inDatabase(server(), [KV]);
      const [first, second] = [newXid(), newXid()];
      await prepare(server(), database, first, [insert(1)]);
      await prepare(server(), database, second, [insert(2)]);
      await decide(server(), 'ROLLBACK', first);
      await run(server(), database, [insert(3)]);
      expect(await rowsOf(server(), database)).toEqual([line(3)]);
      await decide(server(), 'ROLLBACK', second);
      expect(await rowsOf(server(), database)).toEqual([line(3)]);
    });

    test('one phase, and a rollback before anything was prepared', async () => {
      const database = await inDatabase(server(), [KV]);
      const [first, second] = [newXid(), newXid()];
      await run(server(), database, [
        `XA START ${first}`,
        insert(1),
        insert(2),
        `XA END ${first}`,
        `XA COMMIT ${first} ONE PHASE`,
        `XA START ${second}`,
        insert(3),
        `XA END ${second}`,
        `XA ROLLBACK ${second}`,
        insert(4),
      ]);
      const { transactions } = await drain(server(), { tables: [`${database}.kv`] });
      expect(transactions.slice(1).map(({ lines }) => lines.length)).toEqual([2, 1]);
      expect(await rowsOf(server(), database)).toEqual([line(1), line(2), line(4)]);
    });

    test('identifiers of all kinds: binary, with a branch and a format, of the full length', async () => {
      const database = await inDatabase(server(), [KV]);
      const kinds = [
        "x'00ff27'",
        "'glo''bal', 'branch', 77",
        `'${'g'.repeat(64)}', '${'b'.repeat(64)}', 2147483647`,
        "'same', 'one'",
        "'same', 'two'",
      ];
      for (const [i, xid] of kinds.entries()) await prepare(server(), database, xid, [insert(i + 1)]);
      for (const xid of kinds.toReversed()) await decide(server(), 'COMMIT', xid);
      expect(await rowsOf(server(), database)).toEqual([5, 4, 3, 2, 1].map((id) => line(id)));
    });

    test('the same identifier may be used again', async () => {
      const database = await inDatabase(server(), [KV]);
      const xid = newXid();
      for (const [id, decision] of [
        [1, 'COMMIT'],
        [2, 'ROLLBACK'],
        [3, 'COMMIT'],
      ] as const) {
        await prepare(server(), database, xid, [insert(id)]);
        await decide(server(), decision, xid);
      }
      expect(await rowsOf(server(), database)).toEqual([line(1), line(3)]);
    });

    test('tables that nobody watches, and none at all', async () => {
      const database = await inDatabase(server(), [KV, 'CREATE TABLE other (id INT PRIMARY KEY)']);
      const [first, second] = [newXid(), newXid()];
      await prepare(server(), database, first, ['INSERT INTO other VALUES (1)', insert(1)]);
      await prepare(server(), database, second, ['SELECT 1']);
      await decide(server(), 'COMMIT', first);
      // MariaDB has forgotten a transaction without changes by now.
      await server()
        .query(`XA COMMIT ${second}`)
        .catch(() => undefined);
      const rows = await rowsOf(server(), database, { tables: [`${database}.kv`] });
      expect(rows).toEqual([line(1)]);
    });

    describe('more than is kept in memory', () => {
      const big = 'z'.repeat(200_000);
      const many = Array.from({ length: 60 }, (_, i) => insert(i + 1, big));

      test.each(['COMMIT', 'one phase', 'ROLLBACK'])('is read again: %s', async (how) => {
        const database = await inDatabase(server(), [KV]);
        const xid = newXid();
        const { place } = await presentPosition(server());
        if (how === 'one phase') {
          await run(server(), database, [`XA START ${xid}`, ...many, `XA END ${xid}`, `XA COMMIT ${xid} ONE PHASE`]);
        } else {
          await prepare(server(), database, xid, many);
          await run(server(), database, [insert(1000)]);
          await decide(server(), how as 'COMMIT' | 'ROLLBACK', xid);
        }
        await run(server(), database, [insert(2000)]);
        const { transactions } = await drain(server(), { tables: [`${database}.kv`], from: place });
        const counts = { COMMIT: [1, 60, 1], 'one phase': [60, 1], ROLLBACK: [1, 1] }[how];
        expect(transactions.map(({ lines }) => lines.length)).toEqual(counts);
        const large = transactions.find(({ lines }) => lines.length === 60);
        if (large !== undefined) {
          expect(large.lines.map((text) => text.replace(`${database}.`, ''))).toEqual(
            many.map((_, i) => line(i + 1, big)),
          );
          // Resuming behind it does not bring it again.
          const rest = await drain(server(), { tables: [`${database}.kv`], from: large.end ?? '' });
          expect(rest.lines).toEqual([`insert ${database}.kv {"id":2000,"v":"x"}`]);
        }
      });
    });

    test('what was prepared before the source started, here and in an earlier file', async () => {
      const database = await inDatabase(server(), [KV]);
      const [first, second, third] = [newXid(), newXid(), newXid()];
      await prepare(server(), database, first, [insert(1)]);
      await server().query('FLUSH BINARY LOGS');
      await prepare(server(), database, second, [insert(2)]);
      await prepare(server(), database, third, [insert(3)]);
      const { place, gtids } = await presentPosition(server());
      await using reader = await LiveReader.start(server(), { url: `${server().url}/${database}` });
      await decide(server(), 'COMMIT', second);
      await server().query('FLUSH BINARY LOGS');
      await decide(server(), 'COMMIT', first);
      await decide(server(), 'ROLLBACK', third);
      await run(server(), database, [insert(4)]);
      const expected = [line(2), line(1), line(4)];
      await reader.until(3);
      expect(reader.lines.map((text) => text.replace(`${database}.`, ''))).toEqual(expected);
      for (const from of [place, gtids]) {
        expect(await rowsOf(server(), database, { from }), `from ${from}`).toEqual(expected);
      }
    });

    test('reading goes on from every position, also from those between a prepare and its commit', async () => {
      const database = await inDatabase(server(), [KV]);
      const [first, second] = [newXid(), newXid()];
      const positions = [await presentPosition(server())];
      const step = async (work: Promise<void>): Promise<void> => {
        await work;
        positions.push(await presentPosition(server()));
      };
      await step(prepare(server(), database, first, [insert(1)]));
      await step(prepare(server(), database, second, [insert(2)]));
      await step(run(server(), database, [insert(3)]));
      await step(decide(server(), 'COMMIT', first));
      await step(decide(server(), 'COMMIT', second));
      await step(run(server(), database, [insert(4)]));
      const rest = [[3, 1, 2, 4], [3, 1, 2, 4], [3, 1, 2, 4], [1, 2, 4], [2, 4], [4], []];
      for (const [i, { place, gtids }] of positions.entries()) {
        for (const from of [place, gtids]) {
          expect(await rowsOf(server(), database, { from }), `from position ${i}, ${from}`).toEqual(
            rest[i]?.map((id) => line(id)),
          );
        }
      }
    });

    test('DDL between prepare and commit: rows keep the definition that they were written with', async () => {
      const database = await inDatabase(server(), [KV, 'CREATE TABLE other (id INT PRIMARY KEY)']);
      const xid = newXid();
      await prepare(server(), database, xid, [insert(1)]);
      // The table itself is locked until the transaction is decided about.
      await run(server(), database, ['ALTER TABLE other ADD COLUMN x INT', 'INSERT INTO other VALUES (1, 2)']);
      await decide(server(), 'COMMIT', xid);
      await run(server(), database, ['ALTER TABLE kv ADD COLUMN w INT FIRST', "INSERT INTO kv VALUES (7, 2, 'y')"]);
      expect(await rowsOf(server(), database)).toEqual([
        'insert other {"id":1,"x":2}',
        line(1),
        'insert kv {"w":7,"id":2,"v":"y"}',
      ]);
    });

    test('a commit after the server was killed and started again, with the source reading all the while', async () => {
      const database = await inDatabase(server(), [KV]);
      const [first, second] = [newXid(), newXid()];
      await using reader = await LiveReader.start(server(), {
        url: `${server().url}/${database}`,
        reconnect: { delayMinMs: 20, delayMaxMs: 200 },
      });
      await prepare(server(), database, first, [insert(1), insert(2)]);
      await prepare(server(), database, second, [insert(3)]);
      await run(server(), database, [insert(4)]);
      await reader.until(1);
      await server().kill();
      await server().start();
      await decide(server(), 'COMMIT', first);
      await decide(server(), 'ROLLBACK', second);
      await run(server(), database, [insert(5)]);
      await reader.until(4);
      const expected = [line(4), line(1), line(2), line(5)];
      expect(reader.lines.map((text) => text.replace(`${database}.`, ''))).toEqual(expected);
      expect(await rowsOf(server(), database)).toEqual(expected);
    });

    test('branches of one connection follow one another', async () => {
      const database = await inDatabase(server(), [KV]);
      await withConnection(server(), database, async (connection) => {
        for (let id = 1; id <= 3; id++) {
          const xid = newXid();
          for (const sql of [`XA START ${xid}`, insert(id), `XA END ${xid}`, `XA PREPARE ${xid}`, `XA COMMIT ${xid}`]) {
            await connection.query(sql);
          }
        }
      });
      expect(await rowsOf(server(), database)).toEqual([1, 2, 3].map((id) => line(id)));
    });

    // The last one: whoever reads from the beginning afterwards meets the commit.
    test('a prepared transaction whose binlog is gone stops the source when it is committed', async () => {
      const database = await inDatabase(server(), [KV]);
      const xid = newXid();
      await prepare(server(), database, xid, [insert(1)]);
      await server().query('FLUSH BINARY LOGS');
      const { place } = await presentPosition(server());
      const [file = ''] = place.split(':');
      await vi.waitUntil(async () => {
        await server().query(`PURGE BINARY LOGS TO '${file}'`);
        const [oldest] = await server().query<{ Log_name: string }>('SHOW BINARY LOGS');
        return oldest?.Log_name === file;
      }, 10_000);
      await decide(server(), 'COMMIT', xid);
      await expect(rowsOf(server(), database, { from: place })).rejects.toMatchObject({
        code: 'XA_PREPARE_LOST',
        retry: 'operator',
      });
    });
  },
  { owned: true },
);
