import { expect, test } from 'vitest';
import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import { SeededRandom, seedOfRun } from '../../support/random.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import type { ServerFacts } from '../../support/values/column-spec.ts';
import { Dice } from '../../support/values/dice.ts';
import { randomColumn, randomTable, type RandomTable, withColumns } from '../../support/values/random-table.ts';
import { serverFacts } from '../../support/values/server-facts.ts';
import { ValueCheck } from '../../support/values/value-check.ts';
import { type RowImage, ValueLoad } from '../../support/values/value-load.ts';

const SOAK = process.env['TIDINGS_SOAK'] === '1';
/** Row changes that are compared on each server. */
const ROWS = SOAK ? 100_000 : 5000;
const SOAK_MAX_MS = 3_600_000;
const TIMEOUT_MS = SOAK ? SOAK_MAX_MS : 120_000;
const TABLES_PER_ROUND = 6;
const ROWS_PER_TABLE = 12;
const SEED = seedOfRun('random values');

/** How a round is logged and read. */
interface Round {
  /** What the server is told, for everybody. */
  readonly global: readonly string[];
  /** What the writing session is told. */
  readonly session: readonly string[];
  readonly image: RowImage;
  readonly json: 'text' | 'parsed';
  /** The stream is read from before CREATE TABLE (definitions from DDL), or from behind it (definitions from the server). */
  readonly readsDdl: boolean;
  /** Columns are added and dropped between rows. */
  readonly alters: boolean;
  readonly invisibleKeys: boolean;
}

function randomRound(dice: Dice, { flavour }: ServerFacts): Round {
  const readsDdl = dice.oneIn(2);
  const common = {
    image: dice.pick(['FULL', 'FULL', 'MINIMAL', 'NOBLOB'] as const),
    json: dice.pick(['text', 'text', 'parsed'] as const),
    readsDdl,
    alters: readsDdl && dice.oneIn(2),
  };
  if (flavour === 'mariadb') {
    return {
      ...common,
      global: [
        `binlog_row_metadata = ${dice.pick(['FULL', 'NO_LOG', 'MINIMAL'])}`,
        `log_bin_compress = ${dice.pick(['ON', 'OFF', 'OFF'])}`,
        'log_bin_compress_min_len = 10',
        `mysql56_temporal_format = ${dice.pick(['ON', 'ON', 'OFF'])}`,
      ],
      session: [],
      invisibleKeys: false,
    };
  }
  const invisibleKeys = dice.oneIn(3);
  return {
    ...common,
    global: [`binlog_row_metadata = ${dice.pick(['FULL', 'MINIMAL'])}`],
    session: [
      `binlog_row_value_options = '${dice.pick(['', 'PARTIAL_JSON'])}'`,
      `binlog_transaction_compression = ${dice.pick(['ON', 'OFF', 'OFF'])}`,
      `sql_generate_invisible_primary_key = ${invisibleKeys ? 'ON' : 'OFF'}`,
    ],
    invisibleKeys,
  };
}

describeServers(
  ['mariadb', 'mysql'],
  'values',
  (server) => {
    test(`are in the stream what SELECT shows, for ${ROWS} changes of random rows (TIDINGS_SEED=${SEED})`, { timeout: TIMEOUT_MS }, async () => {
      const dice = new Dice(new SeededRandom(SEED));
      const facts = await serverFacts(server());
      const total = { rows: 0, values: 0, absent: 0, statements: 0, refused: new Map<string, number>() };
      for (let number = 1; total.rows < ROWS; number++) {
        const round = randomRound(dice, facts);
        // oxlint-disable-next-line no-await-in-loop -- the rounds have one server
        const { check, load, tables } = await runRound(server(), { dice, facts, round, database: `values_${number}` });
        expect({ number, round, differences: check.differences, tables: tablesOf(check, tables) }).toEqual({ number, round, differences: [], tables: [] });
        expect(check.next).toBeUndefined();
        total.rows += check.rows;
        total.values += check.values;
        total.absent += check.absent;
        total.statements += load.statements;
        for (const [code, count] of load.refused) total.refused.set(code, (total.refused.get(code) ?? 0) + count);
      }
      const refused = [...total.refused.values()].reduce((sum, count) => sum + count, 0);
      process.stderr.write(`random values [${facts.flavour}]: ${JSON.stringify({ ...total, refused: Object.fromEntries(total.refused) })}\n`);
      // A load that the server mostly refuses would prove nothing.
      expect(refused / total.statements).toBeLessThan(0.1);
    });
  },
  { owned: true },
);

async function runRound(
  server: TestServer,
  { dice, facts, round, database }: { dice: Dice; facts: ServerFacts; round: Round; database: string },
): Promise<{ check: ValueCheck; load: ValueLoad; tables: readonly RandomTable[] }> {
  await server.query(`CREATE DATABASE ${database}`);
  await server.query(round.global.map((setting) => `SET GLOBAL ${setting}`).join(';'));
  const beforeCreate = await place(server);
  await using load = await ValueLoad.open(server, dice, database);
  await load.set("SET SESSION innodb_strict_mode = OFF, sql_mode = ''");
  for (const setting of round.session) {
    // oxlint-disable-next-line no-await-in-loop
    await load.set(`SET SESSION ${setting}`);
  }
  const tables: RandomTable[] = [];
  for (let i = 0; i < TABLES_PER_ROUND; i++) {
    const table = randomTable(dice, facts, `t${i}`, { invisibleKey: round.invisibleKeys && dice.oneIn(2) });
    // oxlint-disable-next-line no-await-in-loop
    if (await load.create(table)) tables.push(table);
  }
  const start = round.readsDdl ? beforeCreate : await place(server);
  for (const table of tables) {
    const { image } = round;
    // oxlint-disable-next-line no-await-in-loop
    await load.fill(table, { rows: ROWS_PER_TABLE, image, firstId: 1, keep: round.alters });
    if (!round.alters) continue;
    // oxlint-disable-next-line no-await-in-loop
    const altered = await alter(load, table, { dice, facts });
    // oxlint-disable-next-line no-await-in-loop
    await load.fill(altered, { rows: ROWS_PER_TABLE >> 1, image, firstId: 1000, keep: false });
  }
  const check = new ValueCheck(load.changes, round.json);
  const source = new MysqlSource({ url: server.url, tables: [`${database}.*`], from: start, until: 'now', json: round.json });
  try {
    for await (const batch of source.batches()) {
      for (const { entries } of batch.parts) for (const entry of entries) if (entry.type === 'rows') check.take(entry);
    }
  } catch (error) {
    const table = check.next?.table;
    const message = error instanceof Error ? error.message : String(error);
    check.differences.push(`the source stopped: ${message}\n${JSON.stringify(round)}\n${table?.create ?? ''}`);
  }
  await server.query(`DROP DATABASE ${database}`);
  return { check, load, tables };
}

/** Adds or drops columns, instantly where the server can. */
async function alter(load: ValueLoad, table: RandomTable, { dice, facts }: { dice: Dice; facts: ServerFacts }): Promise<RandomTable> {
  let altered = table;
  for (let i = 0; i < 3; i++) {
    const { sql, result } = withColumns(dice, altered, (name) => randomColumn(dice, facts, name), `added ${i}`);
    // oxlint-disable-next-line no-await-in-loop -- one history
    if ((await load.run(`${sql}, ALGORITHM=INSTANT`)) || (await load.run(sql))) altered = result;
  }
  return altered;
}

async function place(server: TestServer): Promise<string> {
  const [row] = await server.query<{ File: string; Position: number }>(server.flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
  return `${row?.File}:${row?.Position}`;
}

/** The definitions of the tables that something is wrong with. */
function tablesOf(check: ValueCheck, tables: readonly RandomTable[]): string[] {
  return tables.filter(({ name }) => check.differences.some((text) => text.startsWith(`${name} `))).map(({ create }) => create.slice(0, 5000));
}
