import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { FAILPOINT_NAMES } from '../../src/core/failpoint.ts';
import { keyHash } from '../../src/core/rows/key-hash.ts';
import { Member } from '../support/kill/member.ts';
import { type CheckpointSample, judge, type TrueChange } from '../support/kill/oracle.ts';
import { RelayUnderFire } from '../support/kill/relay-under-fire.ts';
import { stateOf, Steps } from '../support/kill/steps.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { describeServers } from '../support/servers/describe-server.ts';

const seed = seedOfRun('processes that are killed');
const SOAK = process.env['TIDINGS_SOAK'] === '1';
/** Deaths at random moments, per server; those at failpoints come on top. */
const RANDOM_KILLS = SOAK ? 240 : 11;
const FAILPOINT_ROUNDS = SOAK ? 3 : 1;
/** Those that a relay without snapshots and sinks comes by: these have suites of their own. */
const PLACES = FAILPOINT_NAMES.filter((name) => !name.startsWith('snapshot-') && !name.startsWith('sink-'));
const PARTITIONS = 16;
const STREAM = 'steps';
const GROUP = 'walkers';

describeServers(['mariadb', 'mysql'], 'relay and consumers that are killed', (server, flavour) => {
  test(
    'skip nothing, repeat no more than an unacknowledged batch, keep the order of each key, and never checkpoint ahead',
    { timeout: SOAK ? 3_600_000 : 900_000 },
    async () => {
      const random = new SeededRandom(seed);
      const folder = await mkdtemp(join(tmpdir(), 'tidings-kill-'));
      const steps = await Steps.create(server(), random);
      const options = { folder, sourceUrl: server().url, tables: ['steps.*'], stream: STREAM, group: GROUP };
      const relay = await RelayUnderFire.create(options);
      const members = ['one', 'two', 'three'].map(
        (name) => new Member(name, { url: relay.url, stream: STREAM, group: GROUP, folder }),
      );
      const samples: CheckpointSample[] = [];
      const sample = async (): Promise<void> => {
        const taken = await relay.sample();
        if (taken !== null) samples.push(taken);
      };
      try {
        await relay.start();
        await relay.begun();
        for (const member of members) member.start();
        const load = steps.run(150);

        // At each named place, a few passings in.
        for (let round = 0; round < FAILPOINT_ROUNDS; round++) {
          for (const name of PLACES) {
            await relay.kill();
            await relay.start({ name, at: 1 + random.below(5) });
            // Rebalancing, and so the failpoint in it, needs members that come and go.
            let restarts = 0;
            while (!(await relay.isDead(1500)) && restarts++ < 20) {
              const member = members[random.below(members.length)] as Member;
              await member.kill();
              member.start();
            }
            await relay.died();
            await relay.start();
            await sample();
          }
        }

        // Whoever is next, whenever.
        for (let kill = 0; kill < RANDOM_KILLS; kill++) {
          await new Promise((resolve) => setTimeout(resolve, random.below(800)));
          await sample();
          if (random.below(2) === 0) {
            await relay.kill();
            await relay.start();
          } else {
            const member = members[random.below(members.length)] as Member;
            await member.kill();
            member.start();
          }
        }

        steps.stop();
        await load;
        await steps.finish();
        const truth = await readAll(relay.url, server);
        await dealtWith(relay, members, truth);
        await sample();
        await Promise.all(members.map((member) => member.stop()));
        await relay.stop();

        const verdict = judge(
          members.map((member) => member.journal()),
          truth,
          samples,
        );
        const kills = relay.kills + members.reduce((sum, member) => sum + member.kills, 0);
        process.stderr.write(
          `${flavour}: ${kills} kills, ${verdict.changes} changes, ${verdict.duplicates} came again, ${samples.length} looks at checkpoints\n`,
        );
        expect(verdict.problems).toEqual([]);
        expect(kills).toBeGreaterThanOrEqual(RANDOM_KILLS + FAILPOINT_ROUNDS * PLACES.length * 2);
        expect(verdict.changes).toBe(truth.length);
        expect(samples.length).toBeGreaterThan(5);
      } finally {
        steps.stop();
        await relay.kill().catch(() => undefined);
        await Promise.all(members.map((member) => member.kill().catch(() => undefined)));
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
});

/** The whole stream, as a reader without a group gets it; checked against the table itself. */
async function readAll(
  url: string,
  server: () => { query<T extends object>(sql: string): Promise<T[]> },
): Promise<TrueChange[]> {
  const truth: TrueChange[] = [];
  const rows = new Map<number, number>();
  const expected = await server().query<{ id: number; state: number }>('SELECT id, state FROM steps.steps');
  const client = connect(url);
  const isComplete = (): boolean =>
    rows.size === expected.length && expected.every(({ id, state }) => rows.get(id) === state);
  for await (const batch of client.stream(STREAM, { from: 'earliest' })) {
    for (const change of batch.changes) {
      const { table, scn, before, after } = change;
      const partitionOf = (id: unknown): number => keyHash(table, [Number(id)]) % PARTITIONS;
      if (before !== null && before['id'] !== after?.['id']) {
        rows.delete(Number(before['id']));
        const moved = { kind: 'delete', moved: 'from', before, after: null } as const;
        truth.push({ scn, partition: partitionOf(before['id']), ...stateOf(moved) });
      }
      if (after === null) continue;
      rows.set(Number(after['id']), Number(after['state']));
      truth.push({ scn, partition: partitionOf(after['id']), ...stateOf({ kind: 'insert', before: null, after }) });
    }
    if (isComplete()) break;
  }
  await client.close();
  return truth;
}

/** Resolves when all members together have dealt with everything. */
async function dealtWith(
  relay: RelayUnderFire,
  members: readonly Member[],
  truth: readonly TrueChange[],
): Promise<void> {
  const ends = new Map<number, number>();
  for (const { partition, scn } of truth) ends.set(partition, Math.max(ends.get(partition) ?? 0, scn));
  for (;;) {
    const sample = await relay.sample();
    const { checkpoints } = sample ?? { checkpoints: new Map<number, number>() };
    if ([...ends].every(([partition, scn]) => (checkpoints.get(partition) ?? 0) >= scn)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
