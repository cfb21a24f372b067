import { expect, test } from 'vitest';
import type { SnapshotStatus } from '../../../src/relay/relay-api.ts';
import { MovingReader } from '../../support/kill/moving-reader.ts';
import { MovingRows } from '../../support/kill/moving-rows.ts';
import { SeededRandom, seedOfRun } from '../../support/random.ts';
import { RunningRelay, type RunningRelayOptions } from '../../support/relay/running-relay.ts';
import { TemporaryDirectory } from '../../support/relay/temporary-directory.ts';
import { describeServers } from '../../support/servers/describe-server.ts';

const seed = seedOfRun('tables that come, go and fail');
const PATIENTLY = { timeout: 20_000, interval: 20 };
const ROWS = 500;

function streamOf(url: string, directory: string, tables: readonly string[] = ['moving.*']): RunningRelayOptions {
  return { directory, streams: { moving: { source: { url, tables }, snapshots: { initial: true } } } };
}

function list(relay: RunningRelay): readonly SnapshotStatus[] {
  return relay.stream('moving').snapshots.list();
}

/** Resolves when there are so many snapshots, and all are over. */
async function over(relay: RunningRelay, count: number): Promise<void> {
  const states = (): readonly string[] => list(relay).map(({ state }) => state);
  await expect.poll(() => states().length >= count && !states().includes('running'), PATIENTLY).toBe(true);
  expect(states()).toHaveLength(count);
}

/** What a consumer has is what the source has. */
async function expectExact(relay: RunningRelay, load: MovingRows): Promise<MovingReader> {
  const truth = await load.truth();
  const copy = await MovingReader.readAll(relay.url, 'moving', truth);
  expect(copy.wrong).toEqual([]);
  expect(copy.differences(truth)).toEqual([]);
  return copy;
}

describeServers(['mariadb', 'mysql'], 'the initial rows', (server) => {
  test('of a table that could not be read come when its snapshot is resumed, or the relay is started again', async () => {
    const load = await MovingRows.create(server(), new SeededRandom(seed), { rows: ROWS });
    await server().query(`DROP USER IF EXISTS 'reader'@'%'; CREATE USER 'reader'@'%';
      GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'reader'@'%'; GRANT SELECT ON moving.items TO 'reader'@'%'`);
    const url = server().url.replace('root@', 'reader@');
    for (const cure of ['resume', 'restart']) {
      using directory = new TemporaryDirectory();
      // It sees that there is such a table, and must not read it.
      await server().query(`GRANT INSERT ON moving.names TO 'reader'@'%'`);
      await using relay = await RunningRelay.start(streamOf(url, directory.path));
      await over(relay, 1);
      const [failed] = list(relay);
      expect(failed).toMatchObject({
        state: 'failed',
        tables: [{ state: 'done' }, { table: 'names', state: 'failed' }],
      });
      expect(failed?.tables[1]?.error?.hint).not.toBe('');
      await server().query(`GRANT SELECT ON moving.names TO 'reader'@'%'`);
      if (cure === 'resume') await relay.stream('moving').snapshots.resume(1);
      else {
        await relay.stop();
        await relay.start();
      }
      await expect.poll(() => list(relay)[0]?.state, PATIENTLY).toBe('done');
      expect(list(relay)).toMatchObject([{ error: null, rows: 2 * ROWS }]);
      await expectExact(relay, load);
      await relay.stop();
      await server().query(`REVOKE SELECT ON moving.names FROM 'reader'@'%'`);
    }
    await load.close();
  });

  test('that have failed are not tried again once their snapshot is cancelled', async () => {
    const load = await MovingRows.create(server(), new SeededRandom(seed), { rows: 1 });
    using directory = new TemporaryDirectory();
    await using relay = await RunningRelay.start(streamOf(server().url, directory.path));
    await over(relay, 1);
    const { snapshots } = relay.stream('moving');
    await snapshots.start({ where: 'no_such_column = 1' });
    await over(relay, 2);
    expect(snapshots.get(2)).toMatchObject({ state: 'failed' });
    await snapshots.cancel(2);
    expect(snapshots.get(2)).toMatchObject({ state: 'cancelled' });
    await expect(snapshots.resume(2)).rejects.toMatchObject({ code: 'SNAPSHOT_INVALID' });
    await load.close();
  });

  test('of a table come anew when it was watched no more for a while, without those that were deleted meanwhile', async () => {
    using directory = new TemporaryDirectory();
    const load = await MovingRows.create(server(), new SeededRandom(seed), { rows: ROWS });
    await using relay = await RunningRelay.start(streamOf(server().url, directory.path));
    await over(relay, 1);
    load.start(200);
    await relay.stop();
    await relay.start(streamOf(server().url, directory.path, ['moving.items']));
    await relay.positioned();
    await load.alter("DELETE FROM moving.names WHERE id < 'name 3'");
    await expect.poll(() => list(relay)[0]?.tables[1]?.state, PATIENTLY).toBe('gone');
    await relay.stop();
    await relay.start(streamOf(server().url, directory.path));
    await over(relay, 2);
    await load.stop();
    const { truncated } = await expectExact(relay, load);
    expect(truncated).toEqual(['names']);
    await load.close();
  });

  test('of a table come under its other name while the relay runs, and again under the first one; not of one that is made anew', async () => {
    using directory = new TemporaryDirectory();
    const load = await MovingRows.create(server(), new SeededRandom(seed), { rows: ROWS });
    await using relay = await RunningRelay.start(streamOf(server().url, directory.path));
    load.start(200);
    await over(relay, 1);
    await load.alter('RENAME TABLE moving.names TO moving.titles; DELETE FROM moving.titles LIMIT 20');
    await over(relay, 2);
    await load.alter('ALTER TABLE moving.titles RENAME TO moving.names');
    await over(relay, 3);
    const last = list(relay).at(-1);
    expect(last).toMatchObject({ spec: { tables: ['`moving`.`names`'], truncate: true, reason: 'initial' } });
    await load.alter(`DROP TABLE moving.items; CREATE TABLE moving.items (id BIGINT PRIMARY KEY, serial BIGINT NOT NULL,
      version BIGINT NOT NULL, pad VARCHAR(200) NOT NULL)`);
    await load.stop();
    await expectExact(relay, load);
    await relay.stop();
    await relay.start();
    await relay.positioned();
    await expectExact(relay, load);
    expect(list(relay)).toHaveLength(3);
    await load.close();
  });
});
