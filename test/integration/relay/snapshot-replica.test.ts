import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Logger } from '../../../src/core/logger.ts';
import type { SnapshotStatus } from '../../../src/relay/relay-api.ts';
import { HastyClock } from '../../support/relay/hasty-clock.ts';
import { replicaOf } from '../../support/relay/replica.ts';
import { RunningRelay, type RunningRelayOptions } from '../../support/relay/running-relay.ts';
import { TemporaryDirectory } from '../../support/relay/temporary-directory.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { ServerFlavour } from '../../support/servers/flavour.ts';
import type { TestServer } from '../../support/servers/test-server.ts';

const PATIENTLY = { timeout: 30_000 };
const MINUTES = { timeout: 180_000 };

const WORDS = {
  mariadb: { thread: 'SLAVE SQL_THREAD', looks: 'Com_show_slave_status' },
  mysql: { thread: 'REPLICA SQL_THREAD', looks: 'Com_show_replica_status' },
} as const;

function shop(server: TestServer, directory: string, replicas: readonly string[]): RunningRelayOptions {
  return { directory, streams: { shop: { source: { url: server.url, tables: ['shop.*'], replicas } } } };
}

async function makeShop(server: TestServer, rows: number): Promise<void> {
  await server.query(`DROP DATABASE IF EXISTS shop; CREATE DATABASE shop;
    CREATE TABLE shop.orders (id INT PRIMARY KEY, v INT NOT NULL)`);
  await server.query(`INSERT INTO shop.orders VALUES ${Array.from({ length: rows }, (_, i) => `(${i}, ${i})`).join()}`);
}

/** How often the replica was asked for its lag: also by nobody but the relay. */
async function looks(replica: TestServer, flavour: ServerFlavour): Promise<number> {
  const [row] = await replica.query<{ Value: string }>(`SHOW GLOBAL STATUS LIKE '${WORDS[flavour].looks}'`);
  return Number(row?.Value ?? 0);
}

function snapshot(relay: RunningRelay, id = 1): SnapshotStatus {
  const status = relay.stream('shop').snapshots.get(id);
  if (status === null) throw new Error(`there is no snapshot ${id}`);
  return status;
}

async function waits(relay: RunningRelay, because: RegExp, id = 1): Promise<void> {
  await expect.poll(() => snapshot(relay, id).waitsFor, PATIENTLY).toBe('replica');
  await expect.poll(() => snapshot(relay, id).waitsBecause, PATIENTLY).toMatch(because);
}

async function done(relay: RunningRelay, id = 1): Promise<void> {
  await expect.poll(() => snapshot(relay, id).state, PATIENTLY).toBe('done');
  expect(snapshot(relay, id)).toMatchObject({ waitsFor: null, waitsBecause: null, error: null });
}

/** Nothing is read while the relay has looked at the replica several times more. */
async function standsStill(relay: RunningRelay, replica: TestServer, flavour: ServerFlavour): Promise<void> {
  const several = async (): Promise<void> => {
    const before = await looks(replica, flavour);
    await expect.poll(() => looks(replica, flavour), PATIENTLY).toBeGreaterThan(before + 9);
  };
  // Chunks that were begun before go in.
  await several();
  const { rows } = snapshot(relay);
  await several();
  expect(snapshot(relay)).toMatchObject({ state: 'running', rows, waitsFor: 'replica' });
}

describeServers(['mariadb', 'mysql'], 'a snapshot that must not leave replicas behind', (server, flavour) => {
  test(
    'begins no chunk while one is stopped or lags, survives a restart of the relay so, and goes on when it has caught up',
    MINUTES,
    async () => {
      using directory = new TemporaryDirectory();
      await using replica = await replicaOf(server(), flavour);
      await makeShop(server(), 2400);
      const clock = new HastyClock();
      await using relay = await RunningRelay.start({ ...shop(server(), directory.path, [replica.url]), clock });
      await relay.positioned();
      const limits = { replicaLagSeconds: 1, rowsPerSecond: 400 };
      await relay.stream('shop').snapshots.start({ tables: ['shop.orders'], limits });
      await expect.poll(() => snapshot(relay).rows, PATIENTLY).toBeGreaterThan(0);
      await replica.query(`STOP ${WORDS[flavour].thread}`);
      clock.hurry();
      await waits(relay, /^127\.0\.0\.1:\d+: its replication does not run$/);
      await standsStill(relay, replica, flavour);
      expect(snapshot(relay).rows).toBeLessThan(2400);

      const answer = await fetch(`${relay.url}/v1/streams/shop/snapshots/1`);
      expect(await answer.json()).toMatchObject({
        waitsFor: 'replica',
        waitsBecause: expect.stringMatching(/: its replication does not run$/) as string,
        limits: { replicaLagSeconds: 1 },
      });
      await relay.stop();
      await relay.start();
      await waits(relay, /its replication does not run$/);

      // It runs again, and cannot apply what comes: what it says is how far it is behind.
      const connection = await replica.connection();
      await connection.query('FLUSH TABLES WITH READ LOCK');
      await server().query('CREATE TABLE shop.more (id INT PRIMARY KEY); INSERT INTO shop.more VALUES (1)');
      await replica.query(`START ${WORDS[flavour].thread}`);
      await waits(relay, /^127\.0\.0\.1:\d+ is \d+ s behind$/);
      await standsStill(relay, replica, flavour);
      expect(snapshot(relay).rows).toBeLessThan(2400);
      await connection.query('UNLOCK TABLES');
      await connection.end();
      await done(relay);
      expect(snapshot(relay).rows).toBe(2400);
    },
  );

  test(
    'waits for one that cannot be reached, or is none, and says so without its secret, which goes nowhere',
    MINUTES,
    async () => {
      using directory = new TemporaryDirectory();
      await makeShop(server(), 100);
      const logged: unknown[] = [];
      const write = (fields: object, message: string): void => void logged.push([message, fields]);
      const log: Logger = { debug: write, info: write, warn: write, error: write, child: () => log };
      const secret = 'hunter2';
      const unreachable = `mysql://watch:${secret}@127.0.0.1:1`;
      await using relay = await RunningRelay.start({
        ...shop(server(), directory.path, [unreachable, server().url]),
        log,
      });
      await relay.positioned();
      await relay.stream('shop').snapshots.start({ limits: { replicaLagSeconds: 1_000_000 } });
      await waits(relay, /^127\.0\.0\.1:1: it cannot be asked: cannot connect.*; 127\.0\.0\.1:\d+: it is no replica$/);
      expect(snapshot(relay).rows).toBe(0);
      const shown = await (await fetch(`${relay.url}/v1/streams/shop/snapshots/1`)).text();
      await relay.stop();
      const kept = readdirSync(directory.path, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
      expect(kept.join()).toContain('replicaLagSeconds');
      for (const text of [shown, JSON.stringify(logged), ...kept]) expect(text).not.toContain(secret);
      // Who is no longer to be cared for is not waited for, and a limit that cannot be kept is not passed over.
      await relay.start(shop(server(), directory.path, []));
      await expect.poll(() => snapshot(relay).state, PATIENTLY).toBe('failed');
      expect(snapshot(relay)).toMatchObject({ rows: 0, error: { code: 'SNAPSHOT_INVALID' } });
      await relay.stream('shop').snapshots.start({});
      await done(relay, 2);
    },
  );

  test('is cancelled and paused while it waits', MINUTES, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 100);
    await using relay = await RunningRelay.start(shop(server(), directory.path, ['mysql://watch@127.0.0.1:1']));
    await relay.positioned();
    const { snapshots } = relay.stream('shop');
    for (const id of [1, 2]) {
      await snapshots.start({ limits: { replicaLagSeconds: 5 } });
      await waits(relay, /cannot be asked/, id);
    }
    await snapshots.cancel(1);
    await snapshots.pause(2);
    expect(snapshots.list()).toMatchObject([
      { state: 'cancelled', waitsFor: null, waitsBecause: null, rows: 0 },
      { state: 'paused', waitsFor: null, waitsBecause: null, rows: 0 },
    ]);
  });
});
