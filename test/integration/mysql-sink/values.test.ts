import { isDeepStrictEqual } from 'node:util';
import type { SinkRow, SinkTarget } from '../../../src/core/sink.ts';
import { expect, test } from 'vitest';
import { parseVersion } from '../../../src/drivers/mysql/server-version.ts';
import { SeededRandom, seedOfRun } from '../../support/random.ts';
import { describeServer } from '../../support/servers/describe-server.ts';
import type { ServerFlavour } from '../../support/servers/flavour.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { openMysqlSink } from '../../support/sinks/open-mysql-sink.ts';
import { replicate } from '../../support/sinks/replicate.ts';
import { Dice } from '../../support/values/dice.ts';
import { randomTable, type RandomTable, ROW_ID } from '../../support/values/random-table.ts';
import { SECONDS_2038, serverFacts } from '../../support/values/server-facts.ts';
import { quoteName } from '../../support/values/texts.ts';
import { described, type ShownRow, ValueLoad } from '../../support/values/value-load.ts';

const SEED = seedOfRun('values of sinks');
const ROUNDS = process.env['TIDINGS_SOAK'] === '1' ? 60 : 3;
const PAIRS: readonly (readonly [ServerFlavour, ServerFlavour])[] = [
  ['mariadb', 'mysql'],
  ['mysql', 'mariadb'],
  ['mariadb', 'mariadb'],
  ['mysql', 'mysql'],
];

for (const [from, to] of PAIRS) {
  describeServer(from, `from ${from}`, (source) => {
    describeServer(to, `into ${to}`, (target) => {
      test(
        `random rows of random tables are in the target what SELECT shows in the source (TIDINGS_SEED=${SEED})`,
        { timeout: 240_000 },
        async () => {
          const dice = new Dice(new SeededRandom(SEED));
          // Beyond what the target takes only now and then: else hardly a row would be left.
          const known = await serverFacts(source());
          const facts =
            to === 'mysql' ? { ...known, timestampMax: SECONDS_2038 } : { ...known, vectors: 'whole' as const };
          let values = 0;
          for (let round = 0; round < ROUNDS; round++) {
            const database = `round_${from}_${to}_${round}`;
            const { differences, count, refused, rows } = await runRound({
              source: source(),
              target: target(),
              dice,
              facts,
              database,
            });
            expect({ database, differences, refused }).toEqual({ database, differences: [], refused: [] });
            expect(rows).toBeGreaterThan(0);
            values += count;
          }
          process.stderr.write(`values of sinks [${from} to ${to}]: ${values} compared\n`);
          expect(values).toBeGreaterThan(100);
        },
      );
    });
  });
}

interface Round {
  readonly source: TestServer;
  readonly target: TestServer;
  readonly dice: Dice;
  readonly facts: Awaited<ReturnType<typeof serverFacts>>;
  readonly database: string;
}

async function runRound({ source, target, dice, facts, database }: Round): Promise<{
  differences: string[];
  refused: unknown[];
  count: number;
  rows: number;
}> {
  await source.query("SET GLOBAL binlog_row_metadata = 'FULL'");
  const [row] = await source.query<{ File: string; Position: number }>(
    source.flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS',
  );
  await source.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
  await using load = await ValueLoad.open(source, dice, database);
  await load.set("SET SESSION innodb_strict_mode = OFF, sql_mode = ''");
  const tables: RandomTable[] = [];
  for (let i = 0; i < 4; i++) {
    const table = randomTable(dice, { ...facts, members: { astral: true, lossy: false } }, `t${i}`);
    if (await load.create(table)) tables.push(table);
  }
  for (const table of tables) {
    await load.fill(table, {
      rows: 10,
      image: 'FULL',
      firstId: 1,
      keep: true,
      snapshot: { take: async () => {} },
    });
  }
  const last = new Map<string, Map<number, ShownRow>>();
  for (const { table, before, after } of load.changes) {
    const rows = last.get(table.name) ?? new Map<number, ShownRow>();
    last.set(table.name, rows);
    const id = Number((after ?? before)?.get(ROW_ID));
    if (after === null) rows.delete(id);
    else rows.set(id, after);
  }
  await target.query(`DROP DATABASE IF EXISTS sink_${database}; CREATE DATABASE sink_${database}`);
  // Both servers may be one: the target's tables are in another database.
  await using sink = await openMysqlSink(`${target.url}/sink_${database}`);
  const targets = new WeakMap<object, SinkTarget>();
  const { rows, refused } = await replicate(
    { url: source.url, tables: [`${database}.*`], from: `${row?.File}:${row?.Position}` },
    sink,
    {
      targetOf: (table) => {
        const known = targets.get(table) ?? { table: { ...table, database: `sink_${database}` }, options: {} };
        targets.set(table, known);
        return known;
      },
    },
  );
  // What comes after a row that was rightly refused has nothing to go on.
  const excused = new Set(
    refused
      .filter(
        ({ row, reason }) =>
          rangeDiffers(row, source, target) || isNoVectorOf(row, target) || isOverlong(reason, tables),
      )
      .map(({ row }) => `${row.target.table.name} ${idOf(row)}`),
  );
  const differences: string[] = [];
  let count = 0;
  const reader = await target.connection({
    charset: 'utf8mb4',
    database: `sink_${database}`,
    typeCast: (field) => field.buffer(),
    rowsAsArray: true,
  });
  await reader.query("SET SESSION time_zone = '+00:00', sql_mode = ''");
  for (const table of tables) {
    const expected = last.get(table.name) ?? new Map<number, ShownRow>();
    // Of a row that was rightly refused once, nothing is promised.
    for (const { table: name, row } of refused) if (name === table.name) expected.delete(idOf(row));
    if (expected.size === 0) continue;
    const columns = table.columns.filter(({ generated, name }) => generated === null || table.key.includes(name));
    const [found] = await reader.query(
      `SELECT ${quoteName(ROW_ID)}, ${columns.map(({ name, type }, i) => `${type.select(quoteName(name))} AS v${i}`).join(', ')} FROM ${quoteName(table.name)} ORDER BY ${quoteName(ROW_ID)}`,
    );
    const shown = (found as unknown as (Buffer | null)[][]).filter(([id]) => expected.has(Number(String(id))));
    const ids = shown.map(([id]) => Number(String(id)));
    if (
      !isDeepStrictEqual(
        ids,
        [...expected.keys()].sort((a, b) => a - b),
      )
    ) {
      differences.push(
        `${table.name} has the rows ${ids.join()}, not ${[...expected.keys()].sort((a, b) => a - b).join()}`,
      );
      continue;
    }
    for (const [id, ...raw] of shown) {
      for (const [i, { name, type, definition }] of columns.entries()) {
        const bytes = raw[i] ?? null;
        const value = bytes === null ? null : type.expected(bytes);
        const inSource = expected.get(Number(String(id)))?.get(name) ?? null;
        // MariaDB has no −0.
        const wanted = target.flavour === 'mariadb' && Object.is(inSource, -0) ? 0 : inSource;
        count++;
        if (!isDeepStrictEqual(value, wanted)) {
          differences.push(
            `${table.name}.${name} [${definition.slice(0, 80)}] is ${described(value).slice(0, 200)}, in the source ${described(wanted).slice(0, 200)}`,
          );
        }
      }
    }
  }
  await reader.end();
  await source.query(`DROP DATABASE ${database}`);
  return {
    differences: differences.slice(0, 12),
    count,
    rows,
    refused: refused
      .filter(({ row }) => !excused.has(`${row.target.table.name} ${idOf(row)}`))
      .map(({ table, reason }) => `${table}: ${reason}`),
  };
}

/**
 * MariaDB has times of day up to 838:59:59.999999 and instants from 1970-01-01 00:00:00.000001 on, from 11.5 up to 2106. MySQL has none of
 * these.
 */
function rangeDiffers({ before, after }: SinkRow, source: TestServer, target: TestServer): boolean {
  if (source.flavour !== 'mariadb' || target.flavour !== 'mysql') return false;
  return [before, after].some((row) =>
    Object.values(row ?? {}).some(
      (value) => /^-?838:59:59\.|^1970-01-01T00:00:00/.test(String(value)) || isAfter2038(value),
    ),
  );
}

function isAfter2038(value: unknown): boolean {
  return typeof value === 'string' && /^2\d{3}-.*Z$/.test(value) && value.slice(0, 19) > '2038-01-19T03:14:07';
}

/** A VECTOR of MariaDB has all of its elements, and the sum of their squares is a finite float. */
function isNoVectorOf({ before, after, target: { table } }: SinkRow, { flavour, version }: TestServer): boolean {
  if (flavour !== 'mariadb' || parseVersion(version) < 110_700) return false;
  const lengths = new Map(table.columns.map(({ name, length }) => [name, length]));
  return [before, after].some((row) =>
    Object.entries(row ?? {}).some(
      ([name, value]) =>
        value instanceof Float32Array &&
        (value.length !== lengths.get(name) ||
          !Number.isFinite(value.reduce((sum, element) => Math.fround(sum + element * element), 0))),
    ),
  );
}

/** A COMPRESSED VARCHAR of MariaDB takes spaces beyond its length, and keeps them. */
function isOverlong(reason: string, tables: readonly RandomTable[]): boolean {
  return tables.some(({ columns }) =>
    columns.some(({ name, definition }) => / COMPRESSED/.test(definition) && reason.includes(`column ${name} `)),
  );
}

function idOf({ before, after }: SinkRow): number {
  return Number((after ?? before)?.[ROW_ID] ?? Number.NaN);
}
