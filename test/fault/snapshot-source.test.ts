import { expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import type { Row } from '../../src/core/change.ts';
import type { SnapshotStatus, StreamStatus } from '../../src/relay/relay-api.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { MovingReader } from '../support/kill/moving-reader.ts';
import { MovingRows } from '../support/kill/moving-rows.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { caughtUp, promote, replicaOf } from '../support/relay/replica.ts';
import { RunningRelay, type RunningRelayOptions } from '../support/relay/running-relay.ts';
import { TemporaryDirectory } from '../support/relay/temporary-directory.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import { purgeBinlogs } from '../support/servers/purge-binlogs.ts';

const seed = seedOfRun('snapshots whose source fails');
const PATIENTLY = { timeout: 30_000, interval: 10 };
const STREAM = 'moving';
const ROWS = 2000;
/** Of both tables together, so that there is a middle. */
const ROWS_PER_SECOND = 2000;
const TRANSACTIONS_PER_SECOND = 300;

function streamOf(
  url: string,
  directory: string,
  { onGap = 'stop', rowsPerSecond = ROWS_PER_SECOND }: { onGap?: 'stop' | 'snapshot'; rowsPerSecond?: number } = {},
): RunningRelayOptions {
  const snapshots = { initial: true, onGap, limits: { rowsPerSecond } };
  return { directory, streams: { [STREAM]: { source: { url, tables: ['moving.*'] }, snapshots } } };
}

function latest(relay: RunningRelay): SnapshotStatus | undefined {
  return relay.stream(STREAM).snapshots.list().at(-1);
}

/** Resolves when the snapshot has read so many rows, and has not all. */
async function halfway(relay: RunningRelay, rows: number): Promise<void> {
  await expect.poll(() => latest(relay)?.rows ?? 0, PATIENTLY).toBeGreaterThan(rows);
  expect(latest(relay)).toMatchObject({ state: 'running' });
}

/** Every row of the source, none besides, and after each nothing older. */
async function expectExact(relay: RunningRelay, load: MovingRows): Promise<MovingReader> {
  const states = (): readonly string[] =>
    relay
      .stream(STREAM)
      .snapshots.list()
      .map(({ state }) => state);
  await expect.poll(states, PATIENTLY).not.toContain('running');
  expect(new Set(states())).toEqual(new Set(['done']));
  await load.stop();
  const truth = await load.truth();
  const copy = await MovingReader.readAll(relay.url, STREAM, truth);
  expect(copy.wrong).toEqual([]);
  expect(copy.differences(truth)).toEqual([]);
  return copy;
}

/** The rows of `moving.items` as a consumer has them that puts together what came of each. */
async function itemsOf(relay: RunningRelay): Promise<Map<number, Row>> {
  const items = new Map<number, Row>();
  const client = connect(relay.url);
  try {
    for await (const { changes } of client.stream(STREAM, { from: 'earliest', untilEnd: true })) {
      for (const { before, after } of changes) {
        const id = Number(before?.['id'] ?? after?.['id']);
        const item = { ...items.get(id), ...after };
        items.delete(id);
        if (after !== null) items.set(Number(item['id']), item);
      }
    }
  } finally {
    await client.close();
  }
  return items;
}

describeServers(
  ['mariadb', 'mysql'],
  'a snapshot under load',
  (server, flavour) => {
    test('goes on at the replica that takes over while the relay runs', async () => {
      using directory = new TemporaryDirectory();
      const random = new SeededRandom(seed);
      await using replica = await replicaOf(server(), flavour);
      await using proxy = await FaultProxy.start(server());
      const load = await MovingRows.create(server(), random, { rows: ROWS });
      try {
        load.start(TRANSACTIONS_PER_SECOND);
        await using relay = await RunningRelay.start(streamOf(proxy.url(), directory.path));
        await halfway(relay, 300 + random.below(1700));
        await load.stop();
        await caughtUp(replica, server(), flavour);
        await promote(replica, flavour);
        await load.moveTo(replica);
        load.start(TRANSACTIONS_PER_SECOND);
        proxy.switchTo(replica);
        proxy.endAll('reset');
        await expectExact(relay, load);
        expect(relay.stream(STREAM).status()).toMatchObject({ state: 'running', connections: 2 });
      } finally {
        await load.close();
      }
    });

    test('goes on at the replica that took over while the relay was stopped', async () => {
      using directory = new TemporaryDirectory();
      const random = new SeededRandom(seed);
      await using replica = await replicaOf(server(), flavour);
      const load = await MovingRows.create(server(), random, { rows: ROWS });
      try {
        load.start(TRANSACTIONS_PER_SECOND);
        await using relay = await RunningRelay.start(streamOf(server().url, directory.path));
        await halfway(relay, 300 + random.below(1700));
        await relay.stop();
        await load.stop();
        await caughtUp(replica, server(), flavour);
        await promote(replica, flavour);
        await load.moveTo(replica);
        load.start(TRANSACTIONS_PER_SECOND);
        await relay.start(streamOf(replica.url, directory.path));
        await expectExact(relay, load);
      } finally {
        await load.close();
      }
    });

    test('goes on over the death of its server in the middle of a chunk', async () => {
      using directory = new TemporaryDirectory();
      const random = new SeededRandom(seed);
      const load = await MovingRows.create(server(), random, { rows: ROWS });
      try {
        load.start(TRANSACTIONS_PER_SECOND);
        await using relay = await RunningRelay.start(streamOf(server().url, directory.path));
        const status = (): StreamStatus => relay.stream(STREAM).status();
        for (const deaths of [1, 2]) {
          await halfway(relay, deaths * 700 + random.below(1000));
          await server().kill();
          await server().start();
          await expect.poll(() => status().connections, PATIENTLY).toBe(deaths + 1);
        }
        await expectExact(relay, load);
        expect(status()).toMatchObject({ state: 'running', error: null, connections: 3 });
      } finally {
        await load.close();
      }
    });

    test('brings rows in full that came to a part of the table that was read already, of which the binlog has their keys only, also when the server is lost then', async () => {
      using directory = new TemporaryDirectory();
      await using proxy = await FaultProxy.start(server());
      await server().query(`DROP DATABASE IF EXISTS moving; CREATE DATABASE moving;
        CREATE TABLE moving.items (id INT PRIMARY KEY, a INT NOT NULL, b VARCHAR(20) NOT NULL)`);
      const rows = Array.from({ length: 10_000 }, (_, i) => `(${i}, ${i * 2}, 'item ${i}')`);
      await server().query(`INSERT INTO moving.items VALUES ${rows.join()}`);
      await using relay = await RunningRelay.start(streamOf(proxy.url(), directory.path, { rowsPerSecond: 1000 }));
      for (const moved of [1, 2, 3]) {
        await halfway(relay, moved * 300);
        await server().query(`SET SESSION binlog_row_image = MINIMAL;
          UPDATE moving.items SET id = ${-moved} WHERE id = ${rows.length - moved};
          SET SESSION binlog_row_image = FULL`);
        await expect.poll(async () => (await itemsOf(relay)).has(-moved), PATIENTLY).toBe(true);
        proxy.endAll('reset');
      }
      await expect.poll(() => latest(relay)?.state, PATIENTLY).toBe('done');
      const items = await itemsOf(relay);
      const there = await server().query<{ id: number; a: number; b: string }>('SELECT * FROM moving.items');
      expect(items).toEqual(new Map(there.map((row) => [row.id, row])));
    });

    test('whose relay was stopped for longer than the binlog is kept waits for a person, or is made good by another one', async () => {
      using directory = new TemporaryDirectory();
      const random = new SeededRandom(seed);
      const load = await MovingRows.create(server(), random, { rows: ROWS });
      try {
        load.start(TRANSACTIONS_PER_SECOND);
        await using relay = await RunningRelay.start(streamOf(server().url, directory.path));
        await halfway(relay, 300 + random.below(1700));
        await relay.stop();
        await load.alter('DELETE FROM moving.items WHERE id < 1000');
        await purgeBinlogs(server());
        await relay.start();
        const status = (): StreamStatus => relay.stream(STREAM).status();
        await expect.poll(() => status().state, PATIENTLY).toBe('failed');
        expect(status().error).toMatchObject({ code: 'BINLOG_PURGED', retry: 'operator' });
        expect(status().error?.hint).toContain('snapshot');
        expect(latest(relay)).toMatchObject({ state: 'running', waitsFor: 'source', spec: { reason: 'initial' } });

        await relay.stop();
        await relay.start(streamOf(server().url, directory.path, { onGap: 'snapshot' }));
        await expect.poll(() => latest(relay)?.spec.reason, PATIENTLY).toBe('gap');
        const { truncated } = await expectExact(relay, load);
        expect(truncated.toSorted()).toEqual(['items', 'names']);
        expect(relay.stream(STREAM).snapshots.list()).toHaveLength(2);
      } finally {
        await load.close();
      }
    });

    test('whose source was out of reach for longer than the binlog is kept is made good by another one, while the relay runs', async () => {
      using directory = new TemporaryDirectory();
      const random = new SeededRandom(seed);
      await using proxy = await FaultProxy.start(server());
      const load = await MovingRows.create(server(), random, { rows: ROWS });
      try {
        load.start(TRANSACTIONS_PER_SECOND);
        await using relay = await RunningRelay.start(streamOf(proxy.url(), directory.path, { onGap: 'snapshot' }));
        await halfway(relay, 300 + random.below(1700));
        await proxy.stopListening();
        await load.alter('DELETE FROM moving.names LIMIT 500');
        await purgeBinlogs(server());
        await proxy.listenAgain();
        await expect.poll(() => latest(relay)?.spec.reason, PATIENTLY).toBe('gap');
        const { truncated } = await expectExact(relay, load);
        expect(truncated.toSorted()).toEqual(['items', 'names']);
      } finally {
        await load.close();
      }
    });

    test('brings what the tables are in the end, whatever DDL does to them meanwhile', async () => {
      using directory = new TemporaryDirectory();
      const random = new SeededRandom(seed);
      const load = await MovingRows.create(server(), random, { rows: ROWS });
      try {
        load.start(TRANSACTIONS_PER_SECOND);
        await using relay = await RunningRelay.start(streamOf(server().url, directory.path));
        let inTheMiddle = 0;
        for (const ddl of [
          'ALTER TABLE moving.items ADD COLUMN more INT NOT NULL DEFAULT 7 FIRST',
          // Read by another key from here on, and by the first one again.
          'ALTER TABLE moving.names DROP PRIMARY KEY, ADD PRIMARY KEY (serial), ADD UNIQUE (id)',
          'TRUNCATE TABLE moving.items',
          'ALTER TABLE moving.names DROP PRIMARY KEY, ADD PRIMARY KEY (id)',
          'RENAME TABLE moving.names TO moving.titles',
          `DROP TABLE moving.items; CREATE TABLE moving.items (id BIGINT PRIMARY KEY, serial BIGINT NOT NULL,
            version BIGINT NOT NULL, pad VARCHAR(200) NOT NULL)`,
          'RENAME TABLE moving.titles TO moving.names',
        ]) {
          // In the middle of a chunk, and behind the next one again; but the last ones may find nothing that is still being read.
          const { rows = 0 } = latest(relay) ?? {};
          const isOver = (): boolean => latest(relay)?.state === 'done';
          await expect.poll(() => isOver() || (latest(relay)?.rows ?? 0) !== rows, PATIENTLY).toBe(true);
          if (!isOver()) inTheMiddle++;
          await load.alter(ddl);
        }
        expect(inTheMiddle).toBeGreaterThan(3);
        await expectExact(relay, load);
      } finally {
        await load.close();
      }
    });
  },
  { owned: true },
);
