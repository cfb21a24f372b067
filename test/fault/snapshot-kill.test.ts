import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FAILPOINT_NAMES } from '../../src/core/failpoint.ts';
import { MovingReader } from '../support/kill/moving-reader.ts';
import { MOVING_TABLES, MovingRows } from '../support/kill/moving-rows.ts';
import { RelayUnderFire } from '../support/kill/relay-under-fire.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import type { ServerFlavour } from '../support/servers/flavour.ts';

const seed = seedOfRun('snapshots whose relay is killed');
const SOAK = process.env['TIDINGS_SOAK'] === '1';
const PLACES = FAILPOINT_NAMES.filter((name) => name.startsWith('snapshot-'));
/** Each with rows that no binlog brings: a relay of its own that begins at the present. */
const ROUNDS: Readonly<Record<ServerFlavour, number>> = SOAK ? { mariadb: 10, mysql: 10 } : { mariadb: 2, mysql: 1 };
/** Deaths at each place and as many at random moments, per round. */
const KILLS_PER_PLACE = SOAK ? 4 : 2;
const STREAM = 'moving';

interface SnapshotLine {
  readonly id: number;
  readonly state: string;
  readonly spec: { readonly reason: string };
  readonly rows: number;
}

describeServers(['mariadb', 'mysql'], 'snapshots whose relay is killed', (server, flavour) => {
  test(
    'bring every row that existed, and after it never an older value, while keys move inside the chunk at hand',
    { timeout: SOAK ? 3_600_000 : 900_000 },
    async () => {
      const random = new SeededRandom(seed);
      let kills = 0;
      let changes = 0;
      let snapshotRows = 0;
      for (let round = 0; round < ROUNDS[flavour]; round++) {
        const folder = await mkdtemp(join(tmpdir(), 'tidings-snapshot-kill-'));
        const load = await MovingRows.create(server(), random, { rows: 3000 });
        const relay = await RelayUnderFire.create({
          folder,
          sourceUrl: server().url,
          tables: ['moving.*'],
          stream: STREAM,
          group: 'none',
          settings: { snapshot: 'initial', snapshotLimits: { rowsPerSecond: 2000 } },
        });
        try {
          load.start(200);
          await relay.start();
          await relay.begun();
          for (let kill = 0; kill < KILLS_PER_PLACE; kill++) {
            for (const name of PLACES) {
              await relay.kill();
              await relay.start({ name, at: 1 + random.below(4) });
              await keepReading(relay, () => relay.isDead(100));
              await relay.died();
              await relay.start();
              await new Promise((resolve) => setTimeout(resolve, random.below(300)));
            }
          }
          await keepReading(relay, async () => (await list(relay)).every(({ state }) => state === 'done'), false);
          await load.stop();
          const truth = await load.truth();
          const seen = await MovingReader.readAll(relay.url, STREAM, truth);
          expect(seen.wrong).toEqual([]);
          expect(seen.differences(truth)).toEqual([]);
          await relay.stop();
          changes += seen.changes;
          snapshotRows += seen.snapshotRows;
          kills += relay.kills;
          if (SOAK) process.stderr.write(`${flavour}: ${round + 1} of ${ROUNDS[flavour]} rounds, ${kills} kills\n`);
        } finally {
          await relay.kill().catch(() => undefined);
          await load.close();
          await rm(folder, { recursive: true, force: true });
        }
      }
      process.stderr.write(`${flavour}: ${kills} kills, ${changes} changes, ${snapshotRows} rows of snapshots\n`);
      expect(kills).toBeGreaterThanOrEqual(ROUNDS[flavour] * KILLS_PER_PLACE * PLACES.length * 2);
      // All tables in each round, and again what a killed relay had not noted.
      expect(snapshotRows).toBeGreaterThanOrEqual(ROUNDS[flavour] * MOVING_TABLES.length * 2000);
    },
  );
});

/** Sees to it that there is always a snapshot to be killed in, until the condition holds. */
async function keepReading(relay: RelayUnderFire, isOver: () => Promise<boolean>, again = true): Promise<void> {
  while (!(await isOver())) {
    try {
      const snapshots = await list(relay);
      if (again && snapshots.every(({ state }) => state !== 'running')) {
        await fetch(`${relay.url}/v1/streams/${STREAM}/snapshots`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ limits: { rowsPerSecond: 4000 } }),
        });
      }
    } catch {
      // It has died.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function list(relay: RelayUnderFire): Promise<readonly SnapshotLine[]> {
  const response = await fetch(`${relay.url}/v1/streams/${STREAM}/snapshots`);
  const snapshots = (await response.json()) as readonly SnapshotLine[];
  const failed = snapshots.filter(({ state }) => state === 'failed');
  if (failed.length > 0) throw new Error(`a snapshot has failed: ${JSON.stringify(failed)}`);
  return snapshots;
}
