import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RowDataPacket } from 'mysql2/promise';
import { expect, test } from 'vitest';
import type { FailpointName } from '../../src/core/failpoint.ts';
import { MysqlSource } from '../../src/sources/mysql/mysql-source.ts';
import { MOVING_TABLES, MovingRows, type MovingTable } from '../support/kill/moving-rows.ts';
import { RelayUnderFire } from '../support/kill/relay-under-fire.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { describeServers, isAvailable } from '../support/servers/describe-server.ts';
import { startServer } from '../support/servers/start-server.ts';
import type { TestServer } from '../support/servers/test-server.ts';

const seed = seedOfRun('sinks whose process is killed');
const SOAK = process.env['TIDINGS_SOAK'] === '1';
const PLACES: Readonly<Record<string, readonly FailpointName[]>> = {
  key: ['sink-write', 'sink-written', 'checkpoint-write'],
  // The relay keeps no checkpoint of a reader without a group.
  transaction: ['sink-write', 'sink-written'],
};
/** Deaths at each place, and as many at random moments. */
const KILLS_PER_PLACE = SOAK ? 40 : 2;
/** Its own binlog is read from the beginning. */
const TARGET = { owned: true };
const OTHER = { mariadb: 'mysql', mysql: 'mariadb' } as const;

describeServers(['mariadb', 'mysql'], 'a sink whose process is killed', (server, flavour) => {
  test.skipIf(!isAvailable(OTHER[flavour], 'into the other server', TARGET)).each([
    { order: 'key', settings: { batch: { rows: 20 } } },
    { order: 'transaction', settings: { batch: { rows: 5 }, order: 'transaction' } },
  ])(
    'writes into the other server what this one has, each change once and no key backwards, with order: $order',
    { timeout: SOAK ? 3_600_000 : 900_000 },
    async ({ order, settings }) => {
      const random = new SeededRandom(seed);
      const places = PLACES[order] ?? [];
      const folder = await mkdtemp(join(tmpdir(), 'tidings-sink-kill-'));
      await using target = await startServer(OTHER[flavour], TARGET);
      const load = await MovingRows.create(server(), random, { rows: 1500 });
      const relay = await RelayUnderFire.create({
        folder,
        sourceUrl: server().url,
        tables: ['moving.*'],
        stream: 'moving',
        group: 'sink-copy',
        sinks: {
          copy: {
            stream: 'moving',
            type: 'mysql',
            url: `${target.url}/tidings`,
            retry: { delayMin: '10ms', delayMax: '100ms' },
            ...settings,
          },
        },
      });
      try {
        load.start(300);
        await relay.start();
        for (let kill = 0; kill < KILLS_PER_PLACE; kill++) {
          for (const name of places) {
            // oxlint-disable-next-line no-await-in-loop -- one death after the other
            await killTwice(relay, { name, random });
          }
        }
        await load.stop();
        await equal(load, target);
        const history = await historyOf(target);
        expect(history.wrong).toEqual([]);
        expect(relay.kills).toBeGreaterThanOrEqual(KILLS_PER_PLACE * places.length * 2);
        process.stderr.write(
          `${flavour}, order: ${order}: ${relay.kills} kills, ${history.changes} changes in the target\n`,
        );
        await relay.stop();
      } finally {
        await relay.kill().catch(() => undefined);
        await load.close();
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
});

/** At a random moment, then at the named place. */
async function killTwice(
  relay: RelayUnderFire,
  { name, random }: { readonly name: FailpointName; readonly random: SeededRandom },
): Promise<void> {
  await relay.kill();
  await relay.start({ name, at: 1 + random.below(6) });
  await relay.died();
  await relay.start();
  await new Promise((resolve) => setTimeout(resolve, random.below(400)));
}

/**
 * Waits until the target has what the source has. How long is no expectation: the load does not wait for the sink, so on a busy machine minutes of work
 * have gathered when it ends.
 */
async function equal(load: MovingRows, target: TestServer): Promise<void> {
  const connection = await target.connection();
  try {
    for (const table of MOVING_TABLES) {
      // oxlint-disable-next-line no-await-in-loop -- one table after the other
      const expected = sorted(await load.rows(table));
      // oxlint-disable-next-line no-await-in-loop -- as above
      await expect
        .poll(async () => sorted(await rowsOf(connection, table)), { timeout: 240_000, interval: 200 })
        .toEqual(expected);
    }
  } finally {
    await connection.end();
  }
}

async function rowsOf(
  connection: Awaited<ReturnType<TestServer['connection']>>,
  table: MovingTable,
): Promise<RowDataPacket[]> {
  const [rows] = await connection.query<RowDataPacket[]>(`SELECT id, serial, version FROM moving.${table}`);
  return rows;
}

function sorted(rows: readonly object[]): string[] {
  return rows.map((row) => JSON.stringify(row)).toSorted();
}

/** What the target's own binlog tells of each key: its versions grow, and none comes twice. */
async function historyOf(target: TestServer): Promise<{ readonly wrong: readonly string[]; readonly changes: number }> {
  const newest = new Map<string, number>();
  const wrong: string[] = [];
  let changes = 0;
  const source = new MysqlSource({ url: target.url, tables: ['moving.*'], from: 'earliest', until: 'now' });
  for await (const batch of source.batches()) {
    for (const entry of batch.parts.flatMap(({ entries }) => entries)) {
      if (entry.type !== 'rows') continue;
      const { before, after, count } = entry.rows();
      for (let i = 0; i < count; i++) {
        changes++;
        const row = after?.[i] ?? before?.[i] ?? {};
        // Upper and lower case are one key.
        const key = `${entry.table.name} ${String(row['id']).toLowerCase()}`;
        const version = Number(row['version']);
        const seen = newest.get(key) ?? 0;
        // A delete carries the version that it ends.
        if (entry.kind === 'delete' ? version < seen : version <= seen) {
          wrong.push(`${key}: ${entry.kind} of version ${version} after ${seen}`);
        }
        newest.set(key, version);
      }
    }
  }
  return { wrong: wrong.slice(0, 20), changes };
}
