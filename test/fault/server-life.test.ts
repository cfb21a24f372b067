import { expect, test } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.ts';
import { failureOf, Follower, stopsWith } from '../support/follower.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import type { ServerFlavour } from '../support/servers/flavour.ts';
import { startServer } from '../support/servers/start-server.ts';
import type { TestServer } from '../support/servers/test-server.ts';
import { Walk } from '../support/walk.ts';

const seed = seedOfRun('servers that die');
const OPTIONS: Readonly<Record<ServerFlavour, readonly string[]>> = {
  mariadb: ['--log-slave-updates'],
  mysql: [],
};

describeServers(
  ['mariadb', 'mysql'],
  'a server',
  (server, flavour) => {
    test('that is killed and started again under load costs nothing but time: nothing lost, nothing twice, nothing out of order', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await using follower = await Follower.start({ url: server().url });
      const enough = new AbortController();
      const load = walk.runUntil(enough.signal);
      for (let i = 0; i < 3; i++) {
        const { last } = walk;
        await follower.until(({ seen }) => Number(seen.at(-1)?.changes[0]?.slice(3)) > last + 20);
        await server().kill();
        await server().start();
      }
      const { last } = walk;
      await follower.until(({ seen }) => Number(seen.at(-1)?.changes[0]?.slice(3)) > last + 20);
      enough.abort();
      await load;
      await walk.close();
      const expected = await walk.committed();
      await follower.seen(Number(expected.at(-1)?.[0]?.slice(3)));
      follower.recorder.expectExactly(expected);
      expect(follower.reconnects.length).toBeGreaterThanOrEqual(3);
      expect(follower.reconnects.filter((code) => code !== 'CONNECTION_LOST' && code !== 'CONNECTION_FAILED')).toEqual(
        [],
      );
    });

    test('that is restarted in good order is followed into its next binlog file', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await using follower = await Follower.start({ url: server().url });
      await walk.run(3);
      await walk.close();
      await server().restart();
      await walk.run(3);
      await follower.seen(walk.last);
      await walk.close();
      follower.recorder.expectExactly(await walk.committed());
    });

    test('whose connections are killed one after the other by its administrator is read without a gap', async () => {
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await using follower = await Follower.start({ url: server().url });
      for (let i = 0; i < 5; i++) {
        const threads = await server().query<{ Id: number; Command: string }>('SHOW PROCESSLIST');
        for (const { Id, Command } of threads) {
          if (Command.startsWith('Binlog Dump')) {
            await server()
              .query(`KILL ${Id}`)
              .catch(() => undefined);
          }
        }
        await walk.run(3);
      }
      await follower.seen(walk.last);
      await walk.close();
      follower.recorder.expectExactly(await walk.committed());
    });

    test('that is replaced by its replica is followed there by GTIDs, without a gap and without a repetition', async () => {
      await using replica = await replicaOf(server(), flavour);
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await using proxy = await FaultProxy.start(server());
      await using follower = await Follower.start({ url: proxy.url() });
      await walk.run(20);
      await caughtUp(replica, walk.last);
      await promote(replica, flavour);
      proxy.switchTo(replica);
      proxy.endAll('reset');
      walk.moveTo(replica);
      await walk.run(20);
      await follower.seen(walk.last);
      await walk.close();
      follower.recorder.expectExactly(await walk.committed(replica));
      expect(follower.reconnects).toContain('CONNECTION_LOST');
    });

    test('that is replaced by a replica which is a moment behind is followed there as soon as that has caught up', async () => {
      await using replica = await replicaOf(server(), flavour);
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await using proxy = await FaultProxy.start(server());
      await using follower = await Follower.start({ url: proxy.url() });
      await walk.run(5);
      await caughtUp(replica, walk.last);
      await replica.query(flavour === 'mysql' ? 'STOP REPLICA SQL_THREAD' : 'STOP SLAVE SQL_THREAD');
      await walk.run(5);
      await follower.seen(walk.last);
      const { length } = proxy.connections;
      proxy.switchTo(replica);
      proxy.endAll('reset');
      // It has asked the replica, and goes on asking.
      await expect.poll(() => proxy.connections[length]?.bytesPassed ?? 0, { interval: 10 }).toBeGreaterThan(20_000);
      await replica.query(flavour === 'mysql' ? 'START REPLICA SQL_THREAD' : 'START SLAVE SQL_THREAD');
      await caughtUp(replica, walk.last);
      await promote(replica, flavour);
      walk.moveTo(replica);
      await walk.run(5);
      await follower.seen(walk.last);
      await walk.close();
      follower.recorder.expectExactly(await walk.committed(replica));
    });

    test('that is replaced by a replica which lacks what was already read stops the source: there would be a gap or a lie', async () => {
      await using replica = await replicaOf(server(), flavour);
      const walk = await Walk.create(server(), new SeededRandom(seed));
      await using proxy = await FaultProxy.start(server());
      await using follower = await Follower.start({ url: proxy.url() });
      await walk.run(5);
      await caughtUp(replica, walk.last);
      await promote(replica, flavour);
      await walk.run(5);
      await follower.seen(walk.last);
      await walk.close();
      proxy.switchTo(replica);
      proxy.endAll('reset');
      expect(await stopsWith(follower)).toMatchObject({ code: 'POSITION_UNKNOWN', retry: 'operator' });
    });

    test('that is another one without GTIDs to compare by is not read on from a place of the first', async ({
      skip,
    }) => {
      // MariaDB tells the GTIDs of every place.
      if (flavour === 'mariadb') skip();
      await using other = await startServer(flavour, { owned: true });
      const walk = await Walk.create(server(), new SeededRandom(seed));
      const [row] = await server().query('SHOW BINARY LOG STATUS');
      await using proxy = await FaultProxy.start(server());
      await using follower = await Follower.start({
        url: proxy.url(),
        from: `${String(row?.['File'])}:${String(row?.['Position'])}`,
      });
      await walk.run(3);
      await follower.seen(walk.last);
      await walk.close();
      proxy.switchTo(other);
      proxy.endAll('close');
      expect(await stopsWith(follower)).toMatchObject({ code: 'SERVER_CHANGED', retry: 'operator' });
    });

    test('that has its binary log off is refused with the remedy', async () => {
      await using other = await startServer(flavour, {
        owned: true,
        options: [flavour === 'mysql' ? '--disable-log-bin' : '--skip-log-bin'],
      });
      const error = await failureOf({ url: other.url });
      expect(['BINLOG_DISABLED', 'PREFLIGHT_FAILED']).toContain(error.code);
      expect(error.hint).toMatch(/log[_-]bin/);
    });
  },
  { owned: true, options: [] },
);

async function replicaOf(primary: TestServer, flavour: ServerFlavour): Promise<TestServer> {
  const replica = await startServer(flavour, { owned: true, options: OPTIONS[flavour] });
  const [at] = await primary.query<{ value: string }>(
    `SELECT @@${flavour === 'mysql' ? 'gtid_executed' : 'gtid_binlog_pos'} AS value`,
  );
  // What the primary has done before is of no interest; the walk makes its database anew.
  await replica.query(
    flavour === 'mysql'
      ? `RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '${at?.value.replaceAll('\n', '') ?? ''}';
         CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${primary.host}', SOURCE_PORT = ${primary.port}, SOURCE_USER = 'root',
           SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_HEARTBEAT_PERIOD = 1; START REPLICA`
      : `SET GLOBAL gtid_slave_pos = '${at?.value ?? ''}';
         CHANGE MASTER TO MASTER_HOST = '${primary.host}', MASTER_PORT = ${primary.port}, MASTER_USER = 'root', MASTER_USE_GTID = slave_pos;
         START SLAVE`,
  );
  return replica;
}

async function caughtUp(replica: TestServer, n: number): Promise<void> {
  const last = async (): Promise<number> => {
    const rows = await replica.query<{ n: number }>('SELECT MAX(n) AS n FROM walk.tx').catch(() => []);
    return rows[0]?.n ?? 0;
  };
  await expect.poll(last, { timeout: 20_000 }).toBe(n);
}

async function promote(replica: TestServer, flavour: ServerFlavour): Promise<void> {
  await replica.query(flavour === 'mysql' ? 'STOP REPLICA; RESET REPLICA ALL' : 'STOP SLAVE; RESET SLAVE ALL');
}
