import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { FAILPOINT_NAMES } from '../../src/core/failpoint.ts';
import {
  isSameState,
  lineOf,
  type MovingCopy,
  type MovingLine,
  readCopy,
  selectedState,
} from '../support/kill/moving-copy.ts';
import { MovingRows } from '../support/kill/moving-rows.ts';
import { RelayUnderFire } from '../support/kill/relay-under-fire.ts';
import { ScriptProcess } from '../support/kill/script-process.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import type { ServerFlavour } from '../support/servers/flavour.ts';

const seed = seedOfRun('readers that are killed in their snapshots');
const SOAK = process.env['TIDINGS_SOAK'] === '1';
/** What the servers differ in here has its own tests: in a normal run one of them is enough. */
const SERVERS: readonly ServerFlavour[] = SOAK ? ['mariadb', 'mysql'] : ['mariadb'];
const ROUNDS = SOAK ? 20 : 1;
/** In one round, at most: the last ones may come when the snapshot is over. */
const KILLS = SOAK ? 40 : 8;
/** Where the relay dies while the reader is about to get its rows. */
const PLACES = FAILPOINT_NAMES.filter((name) => name.startsWith('snapshot-') || name === 'response-half-sent');
const STREAM = 'moving';
const SCRIPT = join(import.meta.dirname, '../support/kill/reader.ts');

interface SnapshotLine {
  readonly state: string;
  readonly reason: string;
  readonly reader: string | null;
}

describeServers(SERVERS, 'readers that are killed in their snapshots', (server, flavour) => {
  test(
    'have what the source has in the end, never an older value after a newer one, and nobody else a row of it',
    { timeout: SOAK ? 3_600_000 : 900_000 },
    async () => {
      const random = new SeededRandom(seed);
      const sums = { kills: 0, lives: 0, changes: 0, snapshotRows: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        const folder = await mkdtemp(join(tmpdir(), 'tidings-reader-kill-'));
        const load = await MovingRows.create(server(), random, { rows: 3000 });
        const relay = await RelayUnderFire.create({
          folder,
          sourceUrl: server().url,
          tables: ['moving.*'],
          stream: STREAM,
          group: 'none',
          settings: { snapshotLimits: { rowsPerSecond: 1500 } },
        });
        const journal = join(folder, 'journal');
        const reader = new ScriptProcess('the reader', [
          SCRIPT,
          relay.url,
          STREAM,
          join(folder, 'checkpoint'),
          journal,
        ]);
        try {
          load.start(200);
          await relay.start();
          await relay.begun();
          reader.start();
          for (let kill = 0; kill < KILLS && (kill < 6 || (await isGoing(relay))); kill++) {
            await new Promise((resolve) => setTimeout(resolve, random.below(500)));
            if (kill % 2 === 0) {
              await reader.kill();
              reader.start();
              continue;
            }
            await relay.kill();
            if (random.below(2) === 0) {
              const name = PLACES[random.below(PLACES.length)] ?? 'snapshot-read';
              await relay.start({ name, at: 1 + random.below(4) });
              // It may have nothing more to do there.
              if (!(await relay.isDead(1000))) await relay.kill();
              else await relay.died();
            }
            await relay.start();
          }
          while (await isGoing(relay)) await new Promise((resolve) => setTimeout(resolve, 100));
          await load.stop();
          const truth = await selectedState(load);
          const copy = await copyLike(journal, (rows) => isSameState(rows, truth));
          expect(copy.wrong).toEqual([]);
          expect(copy.rows).toEqual(truth);
          await reader.stop();

          const snapshots = await list(relay);
          expect(snapshots.every(({ reason, reader: of }) => reason === 'bootstrap' && of !== null)).toBe(true);
          const others = await readAll(relay.url);
          expect(others.filter(({ snapshot }) => snapshot)).toEqual([]);
          const lines = [...copy.lines.values()];
          // What is not of the snapshot is what everybody gets, from the first of it on.
          const changes = lines.filter(({ snapshot }) => !snapshot).toSorted((a, b) => a.scn - b.scn);
          const first = lines.reduce((least, { scn }) => Math.min(least, scn), Infinity);
          expect(changes).toEqual(others.filter(({ scn }) => scn >= first));
          await relay.stop();
          sums.kills += relay.kills + reader.kills;
          sums.lives += copy.starts;
          sums.changes += changes.length;
          sums.snapshotRows += lines.length - changes.length;
          expect(lines.length - changes.length).toBeGreaterThan(2000);
        } finally {
          await relay.kill().catch(() => undefined);
          await reader.kill().catch(() => undefined);
          await load.close();
          await rm(folder, { recursive: true, force: true });
        }
      }
      process.stderr.write(`${flavour}: ${JSON.stringify(sums)}\n`);
      expect(sums.kills).toBeGreaterThanOrEqual(ROUNDS * 6);
    },
  );
});

/** There is a snapshot, and it is not over; or none yet. */
async function isGoing(relay: RelayUnderFire): Promise<boolean> {
  const snapshots = await list(relay);
  return snapshots.length === 0 || snapshots.some(({ state }) => state === 'running');
}

async function list(relay: RelayUnderFire): Promise<readonly SnapshotLine[]> {
  const response = await fetch(`${relay.url}/v1/streams/${STREAM}/snapshots`);
  return (await response.json()) as readonly SnapshotLine[];
}

/** What the reader has made of its stream as soon as that is as it should be; or at last, whatever it is. */
async function copyLike(journal: string, isAsItShould: (rows: MovingCopy['rows']) => boolean): Promise<MovingCopy> {
  for (let attempt = 0; ; attempt++) {
    const copy = existsSync(journal) ? readCopy(journal) : null;
    if (copy !== null && (isAsItShould(copy.rows) || copy.wrong.length > 0 || attempt === 60)) return copy;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** The whole stream, as a reader gets it that asked for no rows. */
async function readAll(url: string): Promise<readonly MovingLine[]> {
  const lines: MovingLine[] = [];
  const client = connect(url);
  for await (const batch of client.stream(STREAM, { from: 'earliest', untilEnd: true })) {
    lines.push(...batch.entries.map((entry) => lineOf(entry)));
  }
  await client.close();
  return lines;
}
