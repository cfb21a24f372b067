import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { randomServerId } from '../../src/sources/mysql/config.ts';
import { parseMysqlUrl } from '../../src/drivers/mysql/mysql-url.ts';
import { BinlogSession } from '../../src/sources/mysql/protocol/binlog-session.ts';
import { DumpConnection } from '../../src/sources/mysql/protocol/dump-connection.ts';
import { readServer } from '../../src/sources/mysql/server.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { drain, failureOf, Follower, stopsWith } from '../support/follower.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import { Walk } from '../support/walk.ts';

const seed = seedOfRun('refusals');

describeServers(
  ['mariadb', 'mysql'],
  'a server that refuses',
  (server, flavour) => {
    const as = (user: string): string => server().url.replace('root', user);
    const present = async (): Promise<{ file: string; place: string; gtids: string }> => {
      const [row] = await server().query(flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
      const [gtid] = await server().query<{ value: string }>(
        `SELECT @@${flavour === 'mysql' ? 'gtid_executed' : 'gtid_binlog_pos'} AS value`,
      );
      const file = String(row?.['File']);
      return { file, place: `${file}:${String(row?.['Position'])}`, gtids: gtid?.value ?? '' };
    };
    /** Binlog files are told apart by the second they were begun in. */
    const secondLater = async (): Promise<void> => {
      const now = async (): Promise<number> =>
        (await server().query<{ s: number }>('SELECT UNIX_TIMESTAMP() AS s'))[0]?.s ?? 0;
      const from = await now();
      await expect.poll(now).toBeGreaterThan(from);
    };
    const reset = flavour === 'mysql' ? 'RESET BINARY LOGS AND GTIDS' : 'RESET MASTER';

    describe('the connection', () => {
      test('a wrong password stops the source at once, and no message shows it', async () => {
        await server().query("CREATE USER known@'%' IDENTIFIED BY 'right'");
        for (const waitForServer of [false, true]) {
          const error = await failureOf({ url: as('known:wr0ng-secret'), waitForServer });
          expect(error).toMatchObject({ code: 'ACCESS_DENIED', retry: 'operator' });
          expect(
            `${error.message} ${error.hint} ${JSON.stringify(error.details)} ${String(error.cause)}`,
          ).not.toContain('wr0ng');
        }
      });

      test('a host that does not exist stops the source at once', async () => {
        const error = await failureOf({ url: 'mysql://root@no-such-host.invalid', waitForServer: true });
        // Without any name server nobody can say that it does not exist.
        expect(['HOST_UNKNOWN', 'CONNECTION_FAILED']).toContain(error.code);
      });

      test('a port that nobody listens on fails at once; with waitForServer it is waited for', async () => {
        await using proxy = await FaultProxy.start(server());
        await proxy.stopListening();
        const error = await failureOf({ url: proxy.url() });
        expect(error).toMatchObject({ code: 'CONNECTION_FAILED', retry: 'backoff' });
        await using follower = new Follower({ url: proxy.url(), waitForServer: true });
        await expect.poll(() => follower.reconnects.length).toBeGreaterThan(2);
        await proxy.listenAgain();
        const walk = await Walk.create(server(), new SeededRandom(seed));
        await follower.source.ready();
        await walk.run(3);
        await follower.seen(walk.last);
        await walk.close();
        expect(new Set(follower.reconnects)).toEqual(new Set(['CONNECTION_FAILED']));
      });

      test('a port that is no database’s is told from a server that is away', async () => {
        const http = createServer((socket) => {
          socket.on('error', () => undefined);
          socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
        });
        await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
        const { port } = http.address() as { port: number };
        const error = await failureOf({ url: `mysql://root@127.0.0.1:${port}` });
        expect(['PROTOCOL_VIOLATION', 'CONNECTION_LOST', 'SERVER_ERROR']).toContain(error.code);
        http.close();
      });

      test('too many connections are waited out', async () => {
        const walk = await Walk.create(server(), new SeededRandom(seed));
        await walk.run(1);
        const [row] = await server().query<{ max: number }>('SELECT @@max_connections AS max');
        await server().query(
          "CREATE USER few@'%'; GRANT ALL ON *.* TO few@'%'; ALTER USER few@'%' WITH MAX_USER_CONNECTIONS 1",
        );
        const taken = await server().connection({ user: 'few' });
        await using follower = new Follower({ url: as('few'), waitForServer: true });
        await expect.poll(() => follower.reconnects.length).toBeGreaterThan(1);
        expect(new Set(follower.reconnects)).toEqual(new Set(['SERVER_BUSY']));
        await taken.end();
        await follower.source.ready();
        await walk.close();
        expect(row?.max).toBeGreaterThan(1);
      });
    });

    describe('privileges', () => {
      test('an account without any grant is told what it lacks', async () => {
        await server().query("CREATE USER nothing@'%'");
        const error = await failureOf({ url: as('nothing') });
        expect(error).toMatchObject({
          code: 'PREFLIGHT_FAILED',
          retry: 'operator',
          details: { findings: 'PRIVILEGES' },
        });
        expect(error.hint).toMatch(/GRANT REPLICATION SLAVE, .* TO 'nothing'@'%';.*tidings doctor/);
      });

      test('an account that may ask but not replicate is told what it lacks', async () => {
        const monitor = flavour === 'mysql' ? 'REPLICATION CLIENT' : 'BINLOG MONITOR';
        await server().query(`CREATE USER asking@'%'; GRANT ${monitor} ON *.* TO asking@'%'`);
        const error = await failureOf({ url: as('asking') });
        expect(error).toMatchObject({
          code: 'PREFLIGHT_FAILED',
          retry: 'operator',
          details: { findings: 'PRIVILEGES' },
        });
        expect(error.hint).toContain("GRANT REPLICATION SLAVE ON *.* TO 'asking'@'%';");
      });

      test('the grants that the doctor asks for are enough', async () => {
        const monitor = flavour === 'mysql' ? 'REPLICATION CLIENT' : 'BINLOG MONITOR';
        const walk = await Walk.create(server(), new SeededRandom(seed));
        await server().query(
          `CREATE USER enough@'%'; GRANT REPLICATION SLAVE, ${monitor} ON *.* TO enough@'%'; GRANT SELECT ON walk.* TO enough@'%'`,
        );
        await using follower = await Follower.start({ url: as('enough') });
        await walk.run(5);
        await follower.seen(walk.last);
        await walk.close();
        follower.recorder.expectExactly(await walk.committed());
        expect(follower.reconnects).toEqual([]);
      });
    });

    describe('the server id', () => {
      test('a second source under the same id is refused, and the first goes on undisturbed', async () => {
        const walk = await Walk.create(server(), new SeededRandom(seed));
        await using first = await Follower.start({ url: server().url, serverId: 4_111_111_111 });
        const error = await failureOf({ url: server().url, serverId: 4_111_111_111 });
        expect(error).toMatchObject({
          code: 'SERVER_ID_IN_USE',
          retry: 'operator',
          details: { serverId: 4_111_111_111 },
        });
        await walk.run(3);
        await first.seen(walk.last);
        await walk.close();
        expect(first.reconnects).toEqual([]);
      });

      test('a source whose id another reader takes over is stopped, and does not fight for it', async () => {
        const serverId = randomServerId();
        await using first = await Follower.start({ url: server().url, serverId });
        // Any other program: it asks nobody whether the id is free.
        const connection = await DumpConnection.open(parseMysqlUrl(server().url));
        const facts = await readServer(connection.queries);
        const { file } = await present();
        const rival = await BinlogSession.start(connection, facts, {
          from: { kind: 'place', place: { file, offset: 4 } },
          options: {
            serverId,
            heartbeatMs: 100,
            eventBytesMax: 1e9,
            annotate: false,
            signal: new AbortController().signal,
          },
        });
        const error = await stopsWith(first);
        rival.close();
        expect(error.code).toBe('SERVER_ID_IN_USE');
      });

      test('the server’s own id is refused at once', async () => {
        const [row] = await server().query<{ id: number }>('SELECT @@server_id AS id');
        const error = await failureOf({ url: server().url, serverId: row?.id });
        expect(error.code).toBe('SERVER_ID_IN_USE');
      });
    });

    describe('positions', () => {
      test('a position whose binlog was purged is refused with the remedy, by place and by GTID', async () => {
        const walk = await Walk.create(server(), new SeededRandom(seed));
        await walk.run(2);
        const old = await present();
        await walk.run(2);
        await server().query('FLUSH BINARY LOGS');
        await walk.run(1);
        await walk.close();
        const { file } = await present();
        // MariaDB keeps a file until its own bookkeeping has left it.
        await expect
          .poll(async () => {
            await server().query(`PURGE BINARY LOGS TO '${file}'`);
            return (await server().query('SHOW BINARY LOGS'))[0]?.['Log_name'];
          })
          .toBe(file);
        for (const from of [old.place, old.gtids]) {
          const error = await failureOf({ url: server().url, from });
          expect({ from, code: error.code, retry: error.retry }).toEqual({
            from,
            code: 'BINLOG_PURGED',
            retry: 'operator',
          });
          expect(error.hint).toMatch(/snapshot/);
        }
      });

      test('a position in the future of the server is refused, by place and by GTID', async () => {
        const { file, gtids } = await present();
        const ahead =
          flavour === 'mysql'
            ? gtids.replace(/-(\d+)$/, (_, last) => `-${Number(last) + 1000}`)
            : gtids.replace(/(\d+)$/, (last) => `${Number(last) + 1000}`);
        for (const from of [`${file}:999999999`, file.replace(/\d+$/, '999999:4'), ahead]) {
          const error = await failureOf({ url: server().url, from });
          expect(['BINLOG_RESET', 'POSITION_UNKNOWN'], `${from}: ${error.message}`).toContain(error.code);
          expect(error.retry).toBe('operator');
        }
      });

      test('a position of another kind of server, or in the middle of a transaction, is refused', async () => {
        const other = flavour === 'mysql' ? '0-1-42' : '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5';
        expect((await failureOf({ url: server().url, from: other })).code).toBe('POSITION_INVALID');
        const walk = await Walk.create(server(), new SeededRandom(seed));
        const { file, place } = await present();
        await walk.run(2);
        await walk.close();
        const events = await server().query(`SHOW BINLOG EVENTS IN '${file}' FROM ${place.split(':')[1]}`);
        const tableMap = events.find((row) => row['Event_type'] === 'Table_map');
        const error = await failureOf({ url: server().url, from: `${file}:${String(tableMap?.['Pos'])}` });
        expect(error.code).toBe('POSITION_INVALID');
      });

      test('after RESET while it was away no position from before is taken for one of now', async () => {
        const walk = await Walk.create(server(), new SeededRandom(seed));
        await server().query('FLUSH BINARY LOGS');
        await walk.run(3);
        const old = await present();
        await server().query(reset);
        for (const from of [old.place, old.gtids]) {
          const error = await failureOf({ url: server().url, from });
          expect(['BINLOG_RESET', 'POSITION_UNKNOWN'], `${from}: ${error.message}`).toContain(error.code);
          expect(error.retry).toBe('operator');
        }
        await walk.close();
      });

      test('after RESET while its connection was lost it stops, also when the server has written more than before', async () => {
        const walk = await Walk.create(server(), new SeededRandom(seed));
        for (const more of [0, 60]) {
          await using proxy = await FaultProxy.start(server());
          await using follower = await Follower.start({
            url: proxy.url(),
            reconnect: { delayMinMs: 20, delayMaxMs: 50 },
          });
          await walk.run(3);
          await follower.seen(walk.last);
          await proxy.stopListening();
          await secondLater();
          await server().query(reset);
          await walk.run(more);
          await proxy.listenAgain();
          const error = await stopsWith(follower);
          expect(['BINLOG_RESET', 'POSITION_UNKNOWN'], `${more}: ${error.message}`).toContain(error.code);
        }
        await walk.close();
      });

      test('RESET under a running reader stops it, and it hands over nothing that is not so', async () => {
        const walk = await Walk.create(server(), new SeededRandom(seed));
        await using follower = await Follower.start({ url: server().url });
        await walk.run(3);
        await follower.seen(walk.last);
        await secondLater();
        await server().query(reset);
        const { complete } = follower.recorder;
        // MySQL waits until its binlog is longer than it was before it notices what it did.
        const enough = new AbortController();
        const load = walk.runUntil(enough.signal);
        const error = await stopsWith(follower);
        enough.abort();
        await load;
        await walk.close();
        expect(error.code).toBe('BINLOG_RESET');
        expect(follower.recorder.complete).toEqual(complete);
      });

      test('a source that drained what was there before it stopped goes on where another one takes up its position', async () => {
        const walk = await Walk.create(server(), new SeededRandom(seed));
        const { place } = await present();
        await walk.run(30);
        const all = await drain({ url: server().url, from: place });
        const expected = await walk.committed();
        all.expectExactly(expected);
        for (const { position, complete } of all.positions) {
          const rest = await drain({ url: server().url, from: position });
          rest.expectExactly(expected.slice(complete));
        }
        await walk.close();
      });
    });
  },
  { options: ['--binlog-row-metadata=FULL'], owned: true },
);
