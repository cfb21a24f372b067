import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { FAILPOINT_NAMES } from '../../src/core/failpoint.ts';
import { MovingRows } from '../support/kill/moving-rows.ts';
import { RelayUnderFire } from '../support/kill/relay-under-fire.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { TableCopy } from '../support/relay/table-copy.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import type { ServerFlavour } from '../support/servers/flavour.ts';

const seed = seedOfRun('snapshots by keys whose relay is killed');
const SOAK = process.env['TIDINGS_SOAK'] === '1';
/** What the servers differ in here has its own tests: in a normal run one of them is enough. */
const SERVERS: readonly ServerFlavour[] = SOAK ? ['mariadb', 'mysql'] : ['mysql'];
const PLACES = FAILPOINT_NAMES.filter((name) => name.startsWith('snapshot-'));
const ROUNDS = SOAK ? 10 : 1;
const STREAM = 'moving';
const SNAPSHOTS = `/v1/streams/${STREAM}/snapshots`;

interface SnapshotLine {
  readonly state: string;
  readonly tables: readonly { readonly rows: number; readonly estimate: number; readonly error: unknown }[];
}

describeServers(SERVERS, 'snapshots by keys whose relay is killed', (server, flavour) => {
  test(
    'bring all rows with these keys and no others, while rows are changed, deleted and moved',
    { timeout: SOAK ? 1_800_000 : 600_000 },
    async () => {
      const random = new SeededRandom(seed);
      let snapshotRows = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const folder = await mkdtemp(join(tmpdir(), 'tidings-snapshot-keys-'));
        const load = await MovingRows.create(server(), random, { rows: 3000 });
        const options = { folder, sourceUrl: server().url, tables: ['moving.*'], stream: STREAM, group: 'none' };
        const relay = await RelayUnderFire.create(options);
        const wanted = Array.from({ length: 8000 }, (_, id) => id).filter(() => random.below(2) === 0);
        try {
          load.start(200);
          await relay.start();
          await relay.begun();
          const body = { tables: ['moving.items'], keys: wanted, limits: { rowsPerSecond: 1000 } };
          const started = await fetch(`${relay.url}${SNAPSHOTS}`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
          });
          expect(started.status).toBe(201);
          let deaths = 0;
          for (const name of PLACES) {
            if ((await look(relay)).state !== 'running') break;
            await relay.kill();
            await relay.start({ name, at: 1 + random.below(2) });
            // Over before it comes to that place, it is not killed there.
            while (!(await relay.isDead(50))) if (await isOver(relay)) break;
            if (await relay.isDead(0)) {
              deaths++;
              await relay.died();
              await relay.start();
            }
          }
          await expect.poll(() => isOver(relay), { timeout: 60_000 }).toBe(true);
          expect(await look(relay)).toMatchObject({ state: 'done', tables: [{ error: null }] });
          await load.stop();
          const ofWanted = new Set(wanted.map((id) => `items ${id}`));
          const truth = new Map<string, string>();
          for (const { id, version } of await load.rows('items')) truth.set(`items ${id}`, String(version));
          const expected = [...ofWanted].filter((id) => truth.has(id)).map((id) => `${id}: ${truth.get(id)}`);
          const seen = async (): Promise<string[]> => {
            const { rows } = await TableCopy.readAll(relay.url, STREAM);
            return [...ofWanted].flatMap((id) => (rows.has(id) ? [`${id}: ${rows.get(id)?.split(' ')[1]}`] : []));
          };
          await expect.poll(seen, { timeout: 20_000 }).toEqual(expected);
          const brought = await keysOfRows(relay.url);
          snapshotRows += brought.length;
          expect(brought.filter((key) => !ofWanted.has(key))).toEqual([]);
          expect(deaths).toBeGreaterThan(1);
          await relay.stop();
        } finally {
          await relay.kill().catch(() => undefined);
          await load.close();
          await rm(folder, { recursive: true, force: true });
        }
      }
      process.stderr.write(`${flavour}: ${snapshotRows} rows by keys\n`);
      expect(snapshotRows).toBeGreaterThan(ROUNDS * 500);
    },
  );
});

async function look(relay: RelayUnderFire): Promise<SnapshotLine> {
  const response = await fetch(`${relay.url}${SNAPSHOTS}/1`);
  return (await response.json()) as SnapshotLine;
}

/** Of the rows that the snapshot has brought. */
async function keysOfRows(url: string): Promise<string[]> {
  const keys: string[] = [];
  const client = connect(url);
  for await (const { changes } of client.stream(STREAM, { from: 'earliest', untilEnd: true })) {
    for (const { snapshot, table, after } of changes) {
      if (snapshot === true) keys.push(`${table.name} ${String(after?.['id'])}`);
    }
  }
  await client.close();
  return keys;
}

/** False also while the relay does not answer. */
async function isOver(relay: RelayUnderFire): Promise<boolean> {
  try {
    return (await look(relay)).state !== 'running';
  } catch {
    return false;
  }
}
