import { expect, test } from 'vitest';
import { SeededRandom, seedOfRun } from '../../support/random.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import { Dice } from '../../support/values/dice.ts';
import { serverFacts } from '../../support/values/server-facts.ts';
import { randomRound, runRound, tablesOf } from '../../support/values/value-round.ts';

const SOAK = process.env['TIDINGS_SOAK'] === '1';
/** Row changes that are compared on each server. */
const ROWS = SOAK ? 100_000 : 5000;
const SOAK_MAX_MS = 3_600_000;
const TIMEOUT_MS = SOAK ? SOAK_MAX_MS : 120_000;
const SEED = seedOfRun('random values');

describeServers(
  ['mariadb', 'mysql'],
  'values',
  (server) => {
    test(
      `are in the stream and in a snapshot what SELECT shows, for ${ROWS} changes of random rows (TIDINGS_SEED=${SEED})`,
      { timeout: TIMEOUT_MS },
      async () => {
        const dice = new Dice(new SeededRandom(SEED));
        const facts = await serverFacts(server());
        const total = { rows: 0, values: 0, absent: 0, statements: 0, refused: new Map<string, number>() };
        const snapshots = { rows: 0, values: 0, bytesCompared: 0, shapesEqual: 0 };
        for (let number = 1; total.rows < ROWS; number++) {
          const round = randomRound(dice, facts);
          const { check, load, snapshot, tables } = await runRound(server(), {
            dice,
            facts,
            round,
            database: `values_${number}`,
          });
          expect({ number, round, differences: check.differences, tables: tablesOf(check, tables) }).toEqual({
            number,
            round,
            differences: [],
            tables: [],
          });
          expect(check.next).toBeUndefined();
          total.rows += check.rows;
          total.values += check.values;
          total.absent += check.absent;
          total.statements += load.statements;
          snapshots.rows += snapshot.rows;
          snapshots.values += snapshot.values;
          snapshots.bytesCompared += snapshot.bytesCompared;
          snapshots.shapesEqual += snapshot.shapesEqual;
          for (const [code, count] of load.refused) total.refused.set(code, (total.refused.get(code) ?? 0) + count);
        }
        const refused = [...total.refused.values()].reduce((sum, count) => sum + count, 0);
        process.stderr.write(
          `random values [${facts.flavour}]: ${JSON.stringify({ ...total, refused: Object.fromEntries(total.refused), snapshots })}\n`,
        );
        // A load that the server mostly refuses would prove nothing.
        expect(refused / total.statements).toBeLessThan(0.1);
        // Of the rows that were inserted, most are logged whole, and so in the form that a snapshot has them in.
        expect(snapshots.bytesCompared / snapshots.rows).toBeGreaterThan(0.1);
      },
    );
  },
  { owned: true },
);
