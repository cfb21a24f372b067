import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { tableOf } from '../../src/testing/tables.ts';
import { RelayProcess } from '../support/relay/relay-process.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import { startServer } from '../support/servers/start-server.ts';
import type { TestServer } from '../support/servers/test-server.ts';
import { openMysqlSink } from '../support/sinks/open-mysql-sink.ts';
import { batchOf, RowsOf } from '../support/sinks/sink-rows.ts';

/** Files that cannot grow. */
const SMALL = 'ibdata1:12M;ibdata2:16M';
/**
 * Several hundred such transactions are more than these files hold. Each row fits into half a page: values that InnoDB stores
 * outside of the row may take the last extents too, which it keeps for rollbacks, and a rollback that finds none ends the server.
 */
const TRANSACTION = { rows: 14, rowBytes: 7_000 };
const WAIT = { timeout: 60_000, interval: 50 };
const CERTIFICATE = resolve(import.meta.dirname, '../fixtures/tls/localhost.crt');
const KEY = resolve(import.meta.dirname, '../fixtures/tls/localhost.key');

describeServers(
  ['mariadb', 'mysql'],
  'a target that takes connections with TLS only',
  (server) => {
    const COLUMNS = { id: { type: 'int', nullable: false }, note: { type: 'varchar', length: 20 } } as const;
    const urlWith = (parameters: string): string => `${server().url}/secure${parameters}`;

    test('refuses a sink without TLS with an error for a person, and is written with it, also after its connections were ended', async () => {
      await server().query('CREATE DATABASE secure; SET GLOBAL require_secure_transport = ON');
      await expect(openMysqlSink(urlWith(''))).rejects.toMatchObject({ code: 'ACCESS_DENIED', retry: 'operator' });
      for (const parameters of [
        '?tls=on',
        `?tls=verify-ca&tls-ca=${CERTIFICATE}`,
        `?tls=verify&tls-ca=${CERTIFICATE}`,
        `?tls-ca=${CERTIFICATE}`,
      ]) {
        await using sink = await openMysqlSink(urlWith(parameters));
        const rows = new RowsOf(tableOf('secure.t', COLUMNS, ['id']));
        await sink.prepare(rows.target);
        await sink.write(batchOf([rows.upsert({ id: 1, note: 'before' })]));
        await endConnections(server());
        const again = batchOf([
          rows.upsert({ id: 1, note: 'after' }),
          rows.upsert({ id: 2, note: parameters.slice(0, 9) }),
        ]);
        await sink.write(again).catch(async (error: unknown) => {
          expect(error).toMatchObject({ code: 'CONNECTION_LOST', retry: 'reconnect' });
          await sink.write(again);
        });
        expect(await server().query('SELECT * FROM secure.t ORDER BY id')).toEqual([
          { id: 1, note: 'after' },
          { id: 2, note: parameters.slice(0, 9) },
        ]);
        await server().query('DROP TABLE secure.t');
      }
    });

    test('is not written when its certificate is of nobody whom the sink was told to trust', async () => {
      await expect(openMysqlSink(urlWith('?tls=verify'))).rejects.toMatchObject({
        code: 'TLS_FAILED',
        retry: 'operator',
      });
    });

    /** All but the one that this is asked over. */
    async function endConnections(target: TestServer): Promise<void> {
      const others = await target.query<{ id: number }>(
        "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = 'root'",
      );
      expect(others).not.toEqual([]);
      for (const { id } of others) await target.query(`KILL ${id}`);
    }
  },
  { options: [`--ssl-ca=${CERTIFICATE}`, `--ssl-cert=${CERTIFICATE}`, `--ssl-key=${KEY}`] },
);

describeServers(
  ['mariadb', 'mysql'],
  'a target whose tablespace is full',
  (target) => {
    test(
      'makes the sink wait with SINK_FULL, also when it is killed meanwhile; nothing is lost, and it goes on when there is room',
      { timeout: 300_000 },
      async () => {
        const folder = await mkdtemp(join(tmpdir(), 'tidings-full-target-'));
        await using cleanup = new AsyncDisposableStack();
        cleanup.defer(() => rm(folder, { recursive: true, force: true }));
        await using source = await startServer('mariadb');
        await source.query(
          'CREATE DATABASE src; CREATE TABLE src.t (id INT PRIMARY KEY, note LONGTEXT); CREATE TABLE src.journal (n INT)',
        );
        await target().query('CREATE DATABASE src');
        const relay = cleanup.use(
          await RelayProcess.create({
            folder,
            streams: { s: { source: { type: 'mysql', url: source.url, tables: ['src.*'] } } },
            sinks: {
              copy: {
                type: 'mysql',
                stream: 's',
                url: `${target().url}/src`,
                bootstrap: 'never',
                retry: { delayMin: '10ms', delayMax: '100ms' },
              },
            },
          }),
        );
        await relay.start();
        await relay.positioned('s');
        let written = 0;
        const write = async (transactions: number): Promise<void> => {
          for (let n = 0; n < transactions; n++) {
            const ids = Array.from({ length: TRANSACTION.rows }, () => ++written);
            const rows = ids.map((id) => `(${id}, REPEAT('x', ${TRANSACTION.rowBytes}))`);
            await source.query(
              `START TRANSACTION; INSERT INTO src.t VALUES ${rows.join()}; INSERT INTO src.journal VALUES (${ids.join('), (')}); COMMIT`,
            );
          }
        };
        await write(20);
        await expect.poll(() => rowsOf(target(), 't'), WAIT).toBe(written);
        await write(400);
        await expect
          .poll(() => relay.sink('copy'), WAIT)
          .toMatchObject({
            state: 'waiting',
            error: { code: 'SINK_FULL', message: expect.stringContaining('is full') },
            deadLetters: 0,
          });
        relay.signal('SIGKILL');
        await relay.exit();
        await relay.start();
        await write(100);
        await expect
          .poll(() => relay.sink('copy'), WAIT)
          .toMatchObject({ state: 'waiting', error: { code: 'SINK_FULL' } });
        expect(await rowsOf(target(), 't')).toBeLessThan(written);
        await target().restart({ options: systemTablespace(`${SMALL};ibdata3:64M`) });
        for (const table of ['t', 'journal']) {
          await expect.poll(() => rowsOf(target(), table), WAIT).toBe(written);
          const sums = (server: TestServer): Promise<object[]> =>
            server.query(
              `SELECT ${table === 't' ? 'SUM(id) AS a, SUM(LENGTH(note)) AS b' : 'SUM(n) AS a, COUNT(DISTINCT n) AS b'} FROM src.${table}`,
            );
          expect(await sums(target())).toEqual(await sums(source));
        }
        expect(await relay.sink('copy')).toMatchObject({ state: 'running', error: null, deadLetters: 0 });
      },
    );
  },
  { options: systemTablespace(SMALL) },
);

async function rowsOf(server: TestServer, table: string): Promise<number> {
  const [row] = await server.query(`SELECT COUNT(*) AS n FROM src.${table}`).catch(() => []);
  return Number(row?.['n'] ?? 0);
}

/** All tables are in the one tablespace, which has these files. */
function systemTablespace(files: string): readonly string[] {
  return ['--innodb-file-per-table=0', `--innodb-data-file-path=${files}`];
}
