import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFailed, test } from 'vitest';
import type { FailpointName } from '../../src/core/failpoint.ts';
import { CountedRows } from '../support/kill/counted-rows.ts';
import { RelayUnderFire } from '../support/kill/relay-under-fire.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { describeServer } from '../support/servers/describe-server.ts';
import { completeFiles, type ReadRow, readRows } from '../support/sinks/read-files.ts';

const seed = seedOfRun('file sinks whose relay is killed');
const SOAK = process.env['TIDINGS_SOAK'] === '1';
const PLACES: readonly FailpointName[] = [
  'sink-write',
  'sink-written',
  'sink-file-append',
  'sink-file-sync',
  'sink-file-manifest',
  'checkpoint-write',
];
/** Deaths at each place, and as many at random moments. */
const KILLS_PER_PLACE = SOAK ? 30 : 1;

/** Nothing is done with the rows: they go as the log's bytes. With the rule they are objects. */
const SINKS = {
  lines: { format: 'ndjson', compression: 'zstd' },
  records: { format: 'avro' },
  mapped: { format: 'avro', tables: { 'counted.items': { columns: { id: 'id', version: 'version' } } } },
} as const;

describeServer('mariadb', 'file sinks whose relay is killed', (server) => {
  test('have each change in one file once, and none is missing', { timeout: SOAK ? 3_600_000 : 300_000 }, async () => {
    const random = new SeededRandom(seed);
    const folder = await mkdtemp(join(tmpdir(), 'tidings-files-kill-'));
    const load = await CountedRows.create(server(), random);
    const common = { type: 'file', stream: 'counted', bootstrap: 'never', rotate: { bytes: 16_384, afterMs: 500 } };
    const relay = await RelayUnderFire.create({
      folder,
      sourceUrl: server().url,
      tables: ['counted.*'],
      stream: 'counted',
      group: 'sink-lines',
      sinks: Object.fromEntries(
        Object.entries(SINKS).map(([name, sink]) => [name, { ...common, path: join(folder, name), ...sink }]),
      ),
    });
    onTestFailed(() => void process.stderr.write(relay.stderr));
    try {
      await relay.start();
      await relay.begun();
      load.start();
      for (let kill = 0; kill < KILLS_PER_PLACE; kill++) {
        for (const name of PLACES) {
          await relay.kill();
          await relay.start({ name, at: 1 + random.below(8) });
          await load.during(relay.diedWithin(60_000));
          await relay.start();
          await new Promise((resolve) => setTimeout(resolve, random.below(300)));
        }
      }
      await load.stop();
      const changes = [...load.versions.values()].reduce((sum, version) => sum + version, 0);
      for (const name of Object.keys(SINKS)) await written(relay, name, changes);
      await relay.stop();
      for (const name of Object.keys(SINKS)) {
        const rows = (await Promise.all(completeFiles(join(folder, name)).map((path) => readRows(path)))).flat();
        expect({ name, wrong: wrongIn(rows, load), rows: rows.length }).toEqual({ name, wrong: [], rows: changes });
      }
      process.stderr.write(
        `file sinks: ${relay.kills} kills, ${changes} changes in each of ${Object.keys(SINKS).join()}\n`,
      );
      expect(relay.kills).toBe(KILLS_PER_PLACE * PLACES.length * 2);
    } finally {
      await relay.kill().catch(() => undefined);
      await load.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** Resolves when the sink's checkpoints are behind everything: nothing is on its way, and its group has no lag. */
async function written(relay: RelayUnderFire, sink: string, changes: number): Promise<void> {
  const url = `${relay.url}/v1/streams/counted/groups/sink-${sink}`;
  await expect
    .poll(
      async () => {
        const { lag } = (await (await fetch(url)).json()) as { readonly lag: { readonly changes: number } };
        return { sink, changes, behind: lag.changes };
      },
      { timeout: 60_000, interval: 100 },
    )
    .toEqual({ sink, changes, behind: 0 });
}

/** The first few things that are not as they were made. */
function wrongIn(rows: readonly ReadRow[], load: CountedRows): readonly string[] {
  const wrong: string[] = [];
  const versions = new Map<number, number>();
  const present = new Set<number>();
  const scns = new Set<number>();
  for (const row of rows.toSorted((a, b) => Number(a['_scn']) - Number(b['_scn']))) {
    const [id, scn] = [Number(row['id']), Number(row['_scn'])];
    if (scns.has(scn)) wrong.push(`${scn} is there twice`);
    scns.add(scn);
    const expected = (versions.get(id) ?? 0) + 1;
    versions.set(id, expected);
    if (row['_op'] === 'delete') present.delete(id);
    else {
      present.add(id);
      const isNext = Number(row['version']) === expected;
      if (!isNext) wrong.push(`${id} has version ${String(row['version'])}, not ${expected}`);
    }
  }
  for (const [id, version] of load.versions) {
    if (versions.get(id) !== version) wrong.push(`${id} ends with ${versions.get(id)}, not ${version}`);
    if (present.has(id) !== load.truth.has(id)) wrong.push(`${id} is ${present.has(id) ? '' : 'not '}there`);
  }
  return wrong.slice(0, 10);
}
