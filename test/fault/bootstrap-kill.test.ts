import { expect, test } from 'vitest';
import { MovingMember, type MembersVerdict, judgeMembers } from '../support/kill/moving-members.ts';
import { MovingReader } from '../support/kill/moving-reader.ts';
import { MovingRows, type MovingTruth } from '../support/kill/moving-rows.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { RunningRelay } from '../support/relay/running-relay.ts';
import { TemporaryDirectory } from '../support/relay/temporary-directory.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import type { ServerFlavour } from '../support/servers/flavour.ts';

const seed = seedOfRun('members that are killed in their bootstrap');
const SOAK = process.env['TIDINGS_SOAK'] === '1';
/** What the servers differ in here has its own tests: in a normal run one of them is enough. */
const SERVERS: readonly ServerFlavour[] = SOAK ? ['mariadb', 'mysql'] : ['mysql'];
/** While their group's rows are being read. */
const KILLS = SOAK ? 150 : 8;
const STREAM = 'moving';
const ROWS = 3000;

describeServers(SERVERS, 'members that are killed in their bootstrap', (server, flavour) => {
  test(
    'have together what the source has, never an older change of a key after a newer one, and nothing twice that was committed',
    { timeout: SOAK ? 3_600_000 : 900_000 },
    async () => {
      using directory = new TemporaryDirectory();
      const random = new SeededRandom(seed);
      const load = await MovingRows.create(server(), random, { rows: ROWS });
      await using relay = await RunningRelay.start({
        directory: directory.in('data'),
        streams: {
          [STREAM]: {
            source: { url: server().url, tables: ['moving.*'] },
            partitions: 16,
            log: { segmentBytes: 64 * 1024 },
            snapshots: { limits: { rowsPerSecond: 1000 } },
          },
        },
      });
      await relay.positioned();
      const sums = { groups: 0, kills: 0, moves: 0, changes: 0, snapshotRows: 0, again: 0 };
      try {
        while (sums.kills < KILLS) {
          const group = `group-${++sums.groups}`;
          const options = { url: relay.url, stream: STREAM, group, folder: directory.path };
          const members = ['one', 'two', 'three'].map((name) => new MovingMember(name, options));
          const isReading = (): boolean => {
            const { snapshots } = relay.stream(STREAM);
            return snapshots.list().find(({ spec }) => spec.group === group)?.state === 'running';
          };
          load.start(150);
          for (const member of members) member.start();
          while (!isReading()) await new Promise((resolve) => setTimeout(resolve, 20));
          while (isReading() && sums.kills < KILLS) {
            await new Promise((resolve) => setTimeout(resolve, random.below(400)));
            const atWork = members.filter(({ isAtWork }) => isAtWork);
            const member = atWork[random.below(atWork.length)];
            if (member === undefined) continue;
            if (random.below(4) === 0) {
              // It leaves, and the others have its partitions until it is back.
              await member.stop();
              sums.moves++;
            } else {
              await member.kill();
              if (isReading()) sums.kills++;
              // Its partitions stay where they are, or its session ends before.
              if (random.below(2) === 0) await new Promise((resolve) => setTimeout(resolve, 1100));
            }
            member.start();
          }
          while (isReading()) await new Promise((resolve) => setTimeout(resolve, 50));
          await load.stop();
          const verdict = await judged(members, await load.truth());
          await Promise.all(members.map((member) => member.stop()));
          expect(verdict.wrong).toEqual([]);
          expect(verdict.differences).toEqual([]);
          expect(verdict.snapshotRows).toBeGreaterThan(ROWS);
          sums.changes += verdict.changes;
          sums.snapshotRows += verdict.snapshotRows;
          sums.again += verdict.again;
        }
        // The rows of groups are nobody else's.
        const reader = await MovingReader.readAll(relay.url, STREAM, {});
        expect(reader).toMatchObject({ wrong: [], snapshotRows: 0 });
        process.stderr.write(`${flavour}: ${JSON.stringify(sums)}\n`);
      } finally {
        await load.close();
      }
    },
  );
});

/** As soon as they have what the source has; or at last, whatever they have. */
async function judged(members: readonly MovingMember[], truth: MovingTruth): Promise<MembersVerdict> {
  for (let attempt = 0; ; attempt++) {
    const journals = members.map((member) => member.lines());
    const verdict = judgeMembers(journals, truth);
    if (verdict.differences.length === 0 || verdict.wrong.length > 0 || attempt === 120) return verdict;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
