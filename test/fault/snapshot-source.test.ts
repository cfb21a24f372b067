import { expect, test } from 'vitest';
import type { SnapshotStatus } from '../../src/relay/relay-api.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { MovingCopy } from '../support/kill/moving-copy.ts';
import { MovingRows } from '../support/kill/moving-rows.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { caughtUp, promote, replicaOf } from '../support/relay/replica.ts';
import { RunningRelay, type RunningRelayOptions } from '../support/relay/running-relay.ts';
import { TemporaryDirectory } from '../support/relay/temporary-directory.ts';
import { describeServers } from '../support/servers/describe-server.ts';

const seed = seedOfRun('snapshots whose source fails');
const PATIENTLY = { timeout: 30_000, interval: 10 };
const STREAM = 'moving';
const ROWS = 3000;
/** Of both tables together, so that there is a middle. */
const ROWS_PER_SECOND = 3000;
const TRANSACTIONS_PER_SECOND = 300;

function streamOf(url: string, directory: string): RunningRelayOptions {
  const snapshots = { initial: true, limits: { rowsPerSecond: ROWS_PER_SECOND } };
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
async function expectExact(relay: RunningRelay, load: MovingRows): Promise<MovingCopy> {
  await expect.poll(() => latest(relay)?.state, PATIENTLY).toBe('done');
  await load.stop();
  const truth = await load.truth();
  const copy = await MovingCopy.readAll(relay.url, STREAM, truth);
  expect(copy.wrong).toEqual([]);
  expect(copy.differences(truth)).toEqual([]);
  return copy;
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
        await halfway(relay, 500 + random.below(3000));
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
        await halfway(relay, 500 + random.below(3000));
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
  },
  { owned: true },
);
