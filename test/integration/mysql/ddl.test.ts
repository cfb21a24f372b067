import { expect, test } from 'vitest';
import { describeEffect } from '../../support/ddl-context.ts';
import { seedOfRun } from '../../support/random.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import { DdlFollower, type Followed } from './ddl-follower.ts';
import { Chance, DdlGenerator } from './ddl-generator.ts';
import { type ListedStatement, NONSTRICT_STATEMENTS, STATEMENTS, TEMPORARY_STATEMENTS } from './ddl-statements.ts';

const DATABASES = ['d1', 'd2', 'd3'];
const RANDOM_STATEMENTS = process.env['TIDINGS_SOAK'] === '1' ? 4000 : 400;
const SEED = seedOfRun('random statements');
const MINUTE_MS = 60_000;

describeServers(
  ['mariadb', 'mysql'],
  'DDL as the server logs it',
  (server, flavour) => {
    async function follow(): Promise<DdlFollower> {
      for (const database of DATABASES) await server().query(`DROP DATABASE IF EXISTS ${database}`);
      const follower = await DdlFollower.open(server(), DATABASES);
      await follower.run('CREATE DATABASE d1 CHARACTER SET utf8mb4');
      await follower.run('CREATE DATABASE d2 CHARACTER SET latin2');
      await follower.set('USE d1');
      return follower;
    }

    async function runList(follower: DdlFollower, statements: readonly ListedStatement[]): Promise<string[]> {
      const problems: string[] = [];
      for (const { sql, unknown, optional } of statements) {
        const followed = await follower.run(sql);
        if (followed.refused !== null && !optional) problems.push(`refused (${followed.refused}): ${sql}`);
        const everything = unknown.includes('*') && followed.unknown.length > 0;
        if (!everything && followed.unknown.join(' ') !== unknown.join(' ')) {
          problems.push(`unknown ${followed.unknown.join(' ')}: ${sql}`);
        }
        if (followed.differences.length > 0) problems.push(tell(followed));
        problems.push(...followed.unreadable);
      }
      return problems;
    }

    test(
      'the hand-written statements are understood as the server carries them out',
      async () => {
        await using follower = await follow();
        expect(await runList(follower, STATEMENTS[flavour])).toEqual([]);
        await follower.set("SET SESSION sql_mode = ''");
        expect(await runList(follower, NONSTRICT_STATEMENTS)).toEqual([]);
      },
      3 * MINUTE_MS,
    );

    test('DDL on a temporary table that hides a base table is not taken for the base table', async () => {
      await using follower = await follow();
      await follower.set("SET SESSION binlog_format = 'MIXED'");
      const problems = await runList(follower, TEMPORARY_STATEMENTS[flavour]);
      await follower.set("SET SESSION binlog_format = 'ROW'");
      expect(problems).toEqual([]);
    });

    test(
      `${RANDOM_STATEMENTS} random statements leave what is known equal to information_schema (TIDINGS_SEED=${SEED})`,
      async () => {
        await using follower = await follow();
        const chance = new Chance(SEED);
        const generator = new DdlGenerator(chance, flavour);
        const problems: string[] = [];
        let carriedOut = 0;
        let unknown = 0;
        while (carriedOut < RANDOM_STATEMENTS) {
          const setting = generator.setting();
          if (setting !== null) await follower.set(setting);
          const followed = await follower.run(generator.statement(await follower.definitions()));
          if (followed.logged.length === 0) continue;
          carriedOut += 1;
          unknown += followed.unknown.length;
          if (followed.differences.length > 0) problems.push(tell(followed));
        }
        console.log(`${flavour}: ${carriedOut} statements, after ${unknown} of them a table was unknown`);
        expect(problems).toEqual([]);
        // Not knowing is safe but no success: it must stay the exception.
        expect(unknown / carriedOut).toBeLessThan(0.25);
      },
      10 * MINUTE_MS,
    );
  },
  { owned: true },
); // Its files are read.

function tell({ logged, effects, differences }: Followed): string {
  const understood = effects.map((effect) => String(describeEffect(effect)));
  return [`logged: ${logged.join(' | ')}`, `understood: ${understood.join(' | ')}`, ...differences].join('\n');
}
