import { expect, test, vi } from 'vitest';
import { FaultProxy } from '../../support/fault-proxy.ts';
import { SeededRandom, seedOfRun } from '../../support/random.ts';
import { MysqlPosition } from '../../../src/sources/mysql/mysql-position.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { openReader, presentSince, readAll, readChunk, takeRows } from './snapshot-reading.ts';
import { inDatabase, run, withConnection } from './source-reading.ts';

const seed = seedOfRun('snapshots whose connections break');

async function filledTable(server: TestServer, rows: number, bytes: number): Promise<string> {
  return await inDatabase(server, [
    'CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)',
    `INSERT INTO t WITH RECURSIVE seq (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM seq WHERE i < ${rows}) SELECT i, REPEAT('x', ${bytes}) FROM seq`,
  ]);
}

/** The server's threads whose statement holds the text; without one: all. The one that asks is left out. */
async function threads(server: TestServer, text = ''): Promise<number[]> {
  const rows = await server.query<{ id: number; info: string | null }>(
    'SELECT ID AS id, INFO AS info FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID()',
  );
  return rows.filter(({ info }) => (info ?? '').includes(text)).map(({ id }) => id);
}

async function untilRunning(server: TestServer, text: string): Promise<number> {
  await vi.waitUntil(async () => (await threads(server, text)).length > 0, { timeout: 5000 });
  return (await threads(server, text))[0] ?? 0;
}

/** Seen at once: what fails before anybody waits for it would end the process. */
function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

describeServers(
  ['mariadb', 'mysql'],
  'a snapshot',
  (server, flavour) => {
    test('whose connection is cut at any byte fails that read only, and nothing of it is taken for a chunk', async () => {
      const database = await filledTable(server(), 400, 2000);
      const random = new SeededRandom(seed);
      await using proxy = await FaultProxy.start(server());
      let cutAfter: number | null = null;
      proxy.script = () =>
        cutAfter === null ? {} : { afterBytes: cutAfter, end: random.below(2) === 0 ? 'close' : 'reset' };
      const reader = openReader(server(), { url: proxy.url() });
      const since = await presentSince(server());
      const expected = Array.from({ length: 400 }, (_, i) => i + 1);
      try {
        let cut = 0;
        for (let i = 0; i < 25; i++) {
          cutAfter = 1 + random.below(950_000);
          proxy.endAll('reset');
          const outcome = await readChunk(server(), reader, { database, table: 't', rows: 500, since }).then(
            (chunk) => takeRows(chunk).map((row) => row['id']),
            (error: unknown) => (error as { code?: string }).code,
          );
          if (typeof outcome === 'string') {
            cut++;
            expect(['CONNECTION_LOST', 'CONNECTION_FAILED']).toContain(outcome);
          } else {
            expect(outcome).toEqual(expected);
          }
        }
        expect(cut).toBeGreaterThan(10);
        cutAfter = null;
        proxy.endAll('reset');
        await vi.waitUntil(
          async () => {
            const chunk = await readChunk(server(), reader, { database, table: 't', rows: 500, since }).catch(
              () => null,
            );
            return chunk !== null && takeRows(chunk).length === 400;
          },
          { timeout: 5000 },
        );
      } finally {
        await reader.close();
      }
    });

    test('whose server falls silent in the middle of a chunk gives up after its time', async () => {
      const database = await filledTable(server(), 400, 2000);
      await using proxy = await FaultProxy.start(server());
      proxy.script = (connection) => (connection === 0 ? { afterBytes: 500_000, end: 'stall' } : {});
      const reader = openReader(server(), { url: proxy.url(), answerTimeoutMs: 1000 });
      try {
        const stalled = readChunk(server(), reader, { database, table: 't', rows: 500 });
        await expect(stalled).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
        expect(takeRows(await readChunk(server(), reader, { database, table: 't', rows: 500 }))).toHaveLength(400);
      } finally {
        await reader.close();
      }
    });

    test('goes on after its server was killed and started again', async () => {
      const database = await filledTable(server(), 60, 10);
      const reader = openReader(server());
      try {
        const first = await readChunk(server(), reader, { database, table: 't', rows: 20 });
        expect(takeRows(first)).toHaveLength(20);
        const slow = readChunk(server(), reader, { database, table: 't', where: 'SLEEP(0.5) = 0' });
        const failed = failureOf(slow);
        await untilRunning(server(), 'SLEEP(0.5)');
        await server().kill();
        expect(await failed).toMatchObject({ code: 'CONNECTION_LOST' });
        await server().start();
        const rest = await readAll(server(), reader, { database, table: 't', rows: 20, after: first.next });
        expect(rest.map((row) => row['id'])).toEqual(Array.from({ length: 40 }, (_, i) => i + 21));
        await server().restart();
        expect(await readAll(server(), reader, { database, table: 't', rows: 20 })).toHaveLength(60);
      } finally {
        await reader.close();
      }
    });

    test('ends a read at once when it is called off', async () => {
      const database = await filledTable(server(), 60, 10);
      const reader = openReader(server());
      try {
        const abort = new AbortController();
        const reading = readChunk(server(), reader, {
          database,
          table: 't',
          where: 'SLEEP(0.3) = 0',
          signal: abort.signal,
        });
        await untilRunning(server(), 'SLEEP(0.3)');
        const reason = new Error('called off');
        abort.abort(reason);
        await expect(reading).rejects.toBe(reason);
        const late = readChunk(server(), reader, { database, table: 't', signal: abort.signal });
        await expect(late).rejects.toBe(reason);
        expect(takeRows(await readChunk(server(), reader, { database, table: 't' }))).toHaveLength(60);
      } finally {
        await reader.close();
      }
    });

    test('whose statement an administrator ends can read the chunk again', async () => {
      const database = await filledTable(server(), 60, 10);
      const reader = openReader(server());
      try {
        const reading = readChunk(server(), reader, { database, table: 't', where: 'SLEEP(0.31) = 0' });
        const failed = failureOf(reading);
        await server().query(`KILL QUERY ${await untilRunning(server(), 'SLEEP(0.31)')}`);
        expect(await failed).toMatchObject({ code: 'SERVER_BUSY', retry: 'backoff' });
        expect(takeRows(await readChunk(server(), reader, { database, table: 't' }))).toHaveLength(60);
      } finally {
        await reader.close();
      }
    });

    test('reads several chunks at a time, each over a connection, and closes them all', async () => {
      const database = await filledTable(server(), 60, 10);
      const before = new Set(await threads(server()));
      const ours = async (): Promise<number> => (await threads(server())).filter((id) => !before.has(id)).length;
      const reader = openReader(server());
      const since = await presentSince(server());
      for (let round = 0; round < 3; round++) {
        const chunks = await Promise.all(
          [1, 2, 3, 4].map((i) =>
            readChunk(server(), reader, { database, table: 't', where: `id % 4 = ${i - 1}`, since }),
          ),
        );
        expect(chunks.flatMap((chunk) => takeRows(chunk))).toHaveLength(60);
      }
      expect(await ours()).toBe(4);
      expect(await reader.threadsRunning()).toBeGreaterThanOrEqual(1);
      const reading = readChunk(server(), reader, { database, table: 't', where: 'SLEEP(0.02) = 0', since });
      const failed = failureOf(reading);
      await untilRunning(server(), 'SLEEP(0.02)');
      await reader.close();
      await reader.close();
      expect(await failed).toMatchObject({ code: 'CONNECTION_LOST' });
      await expect(reader.tables()).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
      await vi.waitUntil(async () => (await ours()) === 0, { timeout: 20_000, interval: 50 });
    });

    test('of another server than that of the stream is refused, and so are places of one', async () => {
      const database = await filledTable(server(), 6, 10);
      let stream: string | null = null;
      const reader = openReader(server(), { streamServer: () => stream });
      try {
        const chunk = await readChunk(server(), reader, { database, table: 't' });
        const since = await presentSince(server());
        expect(reader.reached(since, chunk.mark)).toBe(true);
        const { file, offset, gtids, server: identity } = since;
        const elsewhere = new MysqlPosition(file, offset, gtids, 'another');
        const changed = { code: 'SNAPSHOT_SERVER_CHANGED' };
        // The stream is on its way to another server, or has come there.
        stream = 'another';
        await expect(readChunk(server(), reader, { database, table: 't' })).rejects.toMatchObject(changed);
        // It has come to this one, and what it brought last was of another.
        stream = identity;
        expect(() => reader.reached(elsewhere, chunk.mark)).toThrow(expect.objectContaining(changed));
        const request = { database, table: 't', since: elsewhere };
        await expect(readChunk(server(), reader, request)).rejects.toMatchObject(changed);
        expect(takeRows(await readChunk(server(), reader, { database, table: 't' }))).toHaveLength(6);
      } finally {
        await reader.close();
      }
    });

    test('leaves no transaction open and no lock behind, whatever became of its reads', async () => {
      const database = await filledTable(server(), 60, 10);
      const before = new Set(await threads(server()));
      const reader = openReader(server());
      try {
        takeRows(await readChunk(server(), reader, { database, table: 't' }));
        await expect(readChunk(server(), reader, { database, table: 't', where: 'nope' })).rejects.toThrow('condition');
        await expect(readChunk(server(), reader, { database, table: 't', after: '{}' })).rejects.toThrow(
          'cannot go on',
        );
        await withConnection(server(), database, async (connection) => {
          await connection.query('SET SESSION lock_wait_timeout = 2');
          await connection.query('ALTER TABLE t ADD n INT');
        });
        const open = await server().query<{ id: number }>(
          'SELECT trx_mysql_thread_id AS id FROM information_schema.INNODB_TRX',
        );
        expect(open.filter(({ id }) => !before.has(id))).toEqual([]);
      } finally {
        await reader.close();
      }
    });

    // MariaDB has no certificate of its own making.
    test.skipIf(flavour === 'mariadb')('over TLS has the same rows, however large', async () => {
      const database = await filledTable(server(), 40, 300_000);
      await run(server(), database, ["INSERT INTO t VALUES (1000, REPEAT('y', 20000000))"]);
      const reader = openReader(server(), { url: `${server().url}?tls=on` });
      try {
        const rows = await readAll(server(), reader, { database, table: 't', rows: 15 });
        expect(rows.map((row) => (row['v'] as string).length)).toEqual([
          ...Array<number>(40).fill(300_000),
          20_000_000,
        ]);
      } finally {
        await reader.close();
      }
    });
  },
  { owned: true, options: ['--max-allowed-packet=64M'] },
);
