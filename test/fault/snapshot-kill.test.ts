import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { FAILPOINT_NAMES } from '../../src/core/failpoint.ts';
import { MOVING_TABLES, type MovingRow, MovingRows, type MovingTable } from '../support/kill/moving-rows.ts';
import { RelayUnderFire } from '../support/kill/relay-under-fire.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { describeServers } from '../support/servers/describe-server.ts';

const seed = seedOfRun('snapshots whose relay is killed');
const SOAK = process.env['TIDINGS_SOAK'] === '1';
const PLACES = FAILPOINT_NAMES.filter((name) => name.startsWith('snapshot-'));
/** Each with rows that no binlog brings: a relay of its own that begins at the present. */
const ROUNDS = SOAK ? 10 : 2;
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
    { timeout: SOAK ? 3_600_000 : 300_000 },
    async () => {
      const random = new SeededRandom(seed);
      let kills = 0;
      let changes = 0;
      let snapshotRows = 0;
      for (let round = 0; round < ROUNDS; round++) {
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
          const truth = await expectedRows(load);
          const seen = await readAll(relay.url, truth);
          expect(seen.wrong).toEqual([]);
          expect(seen.rows).toEqual(truth);
          await relay.stop();
          changes += seen.changes;
          snapshotRows += seen.snapshotRows;
          kills += relay.kills;
        } finally {
          await relay.kill().catch(() => undefined);
          await load.close();
          await rm(folder, { recursive: true, force: true });
        }
      }
      process.stderr.write(`${flavour}: ${kills} kills, ${changes} changes, ${snapshotRows} rows of snapshots\n`);
      expect(kills).toBeGreaterThanOrEqual(ROUNDS * KILLS_PER_PLACE * PLACES.length * 2);
      // Two tables in each round, and again what a killed relay had not noted.
      expect(snapshotRows).toBeGreaterThanOrEqual(ROUNDS * 2 * 2000);
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

type Rows = Readonly<Record<MovingTable, ReadonlyMap<string, string>>>;

async function expectedRows(load: MovingRows): Promise<Rows> {
  const rows: Record<MovingTable, Map<string, string>> = { items: new Map(), names: new Map() };
  for (const table of MOVING_TABLES) {
    for (const row of await load.rows(table)) rows[table].set(String(row.id), textOf(row));
  }
  return rows;
}

function textOf({ serial, version }: Pick<MovingRow, 'serial' | 'version'>): string {
  return `${serial} v${version}`;
}

interface Seen {
  readonly rows: Rows;
  readonly wrong: readonly string[];
  readonly changes: number;
  readonly snapshotRows: number;
}

/** What a consumer makes of the whole stream, once that is what the source has; or at last, whatever it is. */
async function readAll(url: string, truth: Rows): Promise<Seen> {
  for (let attempt = 0; ; attempt++) {
    const seen = await readOnce(url);
    if (isSame(seen.rows, truth) || seen.wrong.length > 0 || attempt === 40) return seen;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function readOnce(url: string): Promise<Seen> {
  const rows: Record<MovingTable, Map<string, string>> = { items: new Map(), names: new Map() };
  const newest = new Map<number, number>();
  const wrong: string[] = [];
  let changes = 0;
  let snapshotRows = 0;
  const client = connect(url);
  for await (const batch of client.stream(STREAM, { from: 'earliest', untilEnd: true })) {
    for (const { kind, table, before, after, snapshot, scn } of batch.changes) {
      changes++;
      if (snapshot === true) snapshotRows++;
      if ((snapshot === true) !== (kind === 'upsert')) wrong.push(`${scn}: ${kind}, snapshot ${snapshot}`);
      const of = rows[table.name as MovingTable];
      if (before !== null) of.delete(String(before['id']));
      if (after === null) continue;
      const row = { serial: Number(after['serial']), version: Number(after['version']) };
      of.set(String(after['id']), textOf(row));
      const seen = newest.get(row.serial) ?? 0;
      if (row.version < seen) wrong.push(`${scn}: ${table.name} ${String(after['id'])}: ${row.version} after ${seen}`);
      newest.set(row.serial, Math.max(seen, row.version));
    }
  }
  await client.close();
  return { rows, wrong: wrong.slice(0, 20), changes, snapshotRows };
}

function isSame(a: Rows, b: Rows): boolean {
  return MOVING_TABLES.every(
    (table) => a[table].size === b[table].size && [...b[table]].every(([id, text]) => a[table].get(id) === text),
  );
}
