import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import type { TestServer } from '../servers/test-server.ts';
import type { ServerFacts } from './column-spec.ts';
import type { Dice } from './dice.ts';
import { randomColumn, randomTable, type RandomTable, withColumns } from './random-table.ts';
import { SnapshotLeg } from './snapshot-leg.ts';
import { ValueCheck } from './value-check.ts';
import { type RowImage, ValueLoad } from './value-load.ts';

/** What the session of a snapshot may have been told before it becomes one. */
const SNAPSHOT_SESSIONS: readonly (readonly string[])[] = [
  [],
  ["sql_mode = 'PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES,NO_BACKSLASH_ESCAPES'", "time_zone = '+05:45'"],
  ["sql_mode = 'TRADITIONAL,NO_UNSIGNED_SUBTRACTION'", "time_zone = '-11:00'", 'sql_select_limit = 1'],
  ['character_set_results = latin1', 'collation_connection = utf8mb4_bin', 'sql_safe_updates = 1'],
];

const TABLES_PER_ROUND = 6;
const ROWS_PER_TABLE = 12;

/** How a round is logged and read. */
export interface Round {
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

export function randomRound(dice: Dice, { flavour, version }: ServerFacts): Round {
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
      image: version >= 110_400 && dice.oneIn(4) ? 'FULL_NODUP' : common.image,
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
      // Without the whole document in the before image a difference to it means nothing: the source refuses that.
      `binlog_row_value_options = '${common.image === 'FULL' ? dice.pick(['', 'PARTIAL_JSON']) : ''}'`,
      `binlog_transaction_compression = ${dice.pick(['ON', 'OFF', 'OFF'])}`,
      `sql_generate_invisible_primary_key = ${invisibleKeys ? 'ON' : 'OFF'}`,
    ],
    invisibleKeys,
  };
}

export async function runRound(
  server: TestServer,
  { dice, facts, round, database }: { dice: Dice; facts: ServerFacts; round: Round; database: string },
): Promise<{ check: ValueCheck; load: ValueLoad; snapshot: SnapshotLeg; tables: readonly RandomTable[] }> {
  await server.query(round.global.map((setting) => `SET GLOBAL ${setting}`).join(';'));
  const beforeCreate = await place(server);
  await server.query(`CREATE DATABASE ${database} CHARACTER SET ${dice.pick(['utf8mb4', 'latin1', 'gbk'])}`);
  await using load = await ValueLoad.open(server, dice, database);
  await load.set("SET SESSION innodb_strict_mode = OFF, sql_mode = ''");
  for (const setting of round.session) {
    await load.set(`SET SESSION ${setting}`);
  }
  const { json } = round;
  await using snapshot = await SnapshotLeg.open(server, {
    dice,
    database,
    json,
    session: dice.pick(SNAPSHOT_SESSIONS),
  });
  const tables: RandomTable[] = [];
  // With generated invisible keys MySQL logs the statement as SHOW CREATE TABLE prints it, in utf8mb3.
  const members = {
    astral: (round.readsDdl && !round.invisibleKeys) || round.global.includes('binlog_row_metadata = FULL'),
    lossy: !round.readsDdl,
  };
  for (let i = 0; i < TABLES_PER_ROUND; i++) {
    const table = randomTable(dice, { ...facts, members }, `t${i}`, { invisibleKeys: round.invisibleKeys });
    if (await load.create(table)) tables.push(table);
  }
  const start = round.readsDdl ? beforeCreate : await place(server);
  for (const table of tables) {
    const { image } = round;
    await load.fill(table, { rows: ROWS_PER_TABLE, image, firstId: 1, keep: round.alters, snapshot });
    if (!round.alters) continue;
    const altered = await alter(load, table, { dice, facts: { ...facts, members } });
    await load.fill(altered, { rows: ROWS_PER_TABLE >> 1, image, firstId: 1000, keep: false, snapshot });
  }
  const check = new ValueCheck(load.changes, { json, snapshot, facts });
  const source = new MysqlSource({
    url: server.url,
    tables: [`${database}.*`],
    from: start,
    until: 'now',
    json: round.json,
  });
  try {
    for await (const batch of source.batches()) {
      for (const { entries } of batch.parts) for (const entry of entries) if (entry.type === 'rows') check.take(entry);
    }
  } catch (error) {
    const table = check.next?.table;
    const message = error instanceof Error ? error.message : String(error);
    check.differences.push(`the source stopped before a change of ${table?.name ?? 'no table'}: ${message}`);
  }
  await server.query(`DROP DATABASE ${database}`);
  check.differences.push(...snapshot.differences);
  return { check, load, snapshot, tables };
}

/** Adds or drops columns, instantly where the server can. */
async function alter(
  load: ValueLoad,
  table: RandomTable,
  { dice, facts }: { dice: Dice; facts: ServerFacts },
): Promise<RandomTable> {
  let altered = table;
  // Some modes change what a literal in the statement means.
  await load.set("SET SESSION sql_mode = ''");
  for (let i = 0; i < 3; i++) {
    const { sql, result } = withColumns(dice, altered, (name) => randomColumn(dice, facts, name), `added ${i}`);
    if ((await load.run(`${sql}, ALGORITHM=INSTANT`)) || (await load.run(sql))) altered = result;
  }
  return altered;
}

async function place(server: TestServer): Promise<string> {
  const [row] = await server.query<{ File: string; Position: number }>(
    server.flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS',
  );
  return `${row?.File}:${row?.Position}`;
}

/** The definitions of the tables that something is wrong with. */
export function tablesOf(check: ValueCheck, tables: readonly RandomTable[]): string[] {
  return tables
    .filter(({ name }) => check.differences.some((text) => text.startsWith(`${name} `)))
    .map(({ create }) => create.replaceAll(/(ENUM|SET)\((.{60}).*?\) CHARACTER/g, '$1($2…) CHARACTER').slice(0, 3000));
}
