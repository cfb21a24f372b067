import type { QueryConnection, ResultRow } from '../../../drivers/mysql/connect.ts';
import { readTableDefinitions } from '../schema/read-table-schemas.ts';
import { type Server, textOf } from '../server.ts';
import { TableSelection } from '../table-selection.ts';
import { quoteName, quoteTable } from './cures.ts';
import { type Cascade, isOn, type PatternFacts, setting, type TableFacts, type WatchedTable } from './facts.ts';
import type { Grants } from './grants.ts';
import { patternTarget } from './pattern-target.ts';

export interface SelectionText {
  readonly tables: readonly string[] | undefined;
  readonly exclude: readonly string[] | undefined;
  /** The URL's database. */
  readonly database: string | null;
}

export interface ReadTableFactsOptions {
  readonly server: Server;
  readonly grants: Grants | null;
  readonly selection: SelectionText;
}

interface Listed {
  readonly database: string;
  readonly name: string;
  readonly engine: string;
}

/** Statements are proposed for so many tables: nobody reads more. */
const PROPOSALS_MAX = 10;

/** The watched tables, as far as the account can see them. */
export async function readTableFacts(
  queries: QueryConnection,
  { server, grants, selection }: ReadTableFactsOptions,
): Promise<TableFacts> {
  const { database, exclude } = selection;
  const listed = await listTables(queries);
  const texts = selection.tables ?? [];
  const wanted = texts.length > 0 ? texts : [database === null ? '*.*' : `${quoteName(database)}.*`];
  const select = (tables: readonly string[]): TableSelection => new TableSelection({ tables, exclude, database });
  const all = select(wanted);
  const watched = listed.filter((table) => all.watches(table.database, table.name));
  const partialRevokes = isOn(setting(server, 'partial_revokes'));
  const patterns = wanted.map((text): PatternFacts => {
    const target = patternTarget(text, { database, partialRevokes });
    const one = select([text]);
    return {
      text,
      target: target.target,
      database: target.database,
      selectable: grants === null || target.isSelectable(grants),
      matches: watched.filter((table) => one.watches(table.database, table.name)).length,
    };
  });
  if (watched.length === 0) return { watched: [], patterns, cascades: [] };
  const described = await describe(queries, { server, grants, watched });
  const cascades = (await readCascades(queries)).filter((cascade) => all.watches(cascade.database, cascade.table));
  return { watched: described, patterns, cascades };
}

async function listTables(queries: QueryConnection): Promise<Listed[]> {
  const rows = await queries.query(
    'SELECT TABLE_SCHEMA AS db, TABLE_NAME AS tbl, ENGINE AS engine FROM information_schema.TABLES ' +
      "WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema') " +
      'ORDER BY TABLE_SCHEMA, TABLE_NAME',
  );
  return rows.map((row) => ({ database: textOf(row, 'db'), name: textOf(row, 'tbl'), engine: textOf(row, 'engine') }));
}

async function describe(
  queries: QueryConnection,
  { server, grants, watched }: { server: Server; grants: Grants | null; watched: readonly Listed[] },
): Promise<WatchedTable[]> {
  const { definitions, unreadable } = await readTableDefinitions((sql) => queries.query(sql), {
    flavour: server.flavour,
    tables: watched.map(({ database, name }) => ({ database, table: name })),
  });
  const known = new Map(definitions.map(({ schema }) => [quoteTable(schema), schema]));
  const reasons = new Map(
    unreadable.map(({ database, table, reason }) => [quoteTable({ database, name: table }), reason]),
  );
  const transactions = await readEngines(queries);
  const computed = await readComputedColumns(queries, server);
  const hasKey = (table: Listed): boolean | null => {
    const schema = known.get(quoteTable(table));
    return schema === undefined ? null : schema.key.length > 0;
  };
  const keyless = watched.filter((table) => hasKey(table) === false).slice(0, PROPOSALS_MAX);
  const proposals = await readKeyProposals(queries, { server, tables: keyless });
  return watched.map((table) => {
    const name = quoteTable(table);
    return {
      ...table,
      transactional: transactions.get(table.engine.toLowerCase()) ?? null,
      hasPrimaryKey: hasKey(table),
      keyProposal: proposals.get(name) ?? null,
      hasJson: known.get(name)?.columns.some(({ type }) => type === 'json') ?? false,
      insertedOnly: computed.get(name) ?? [],
      unreadable: reasons.get(name) ?? null,
      selectable: grants === null || grants.selectsTable(table.database, table.name),
    };
  });
}

/** Whether an engine has transactions, by its name in lower case. */
async function readEngines(queries: QueryConnection): Promise<Map<string, boolean>> {
  const rows = await queries.query('SELECT ENGINE AS engine, TRANSACTIONS AS tx FROM information_schema.ENGINES');
  return new Map(rows.map((row) => [textOf(row, 'engine').toLowerCase(), textOf(row, 'tx') === 'YES']));
}

/** The first MariaDB that is known to leave generated columns out of the rows of updates and deletes, whatever its row image. */
const MARIADB_HIDES_GENERATED = 110_800;

/** Columns that are logged with inserted rows only, by the quoted names of their tables. Those of a row's period are always there. */
async function readComputedColumns(
  queries: QueryConnection,
  { flavour, version }: Server,
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (flavour !== 'mariadb' || version < MARIADB_HIDES_GENERATED) return new Map();
  const rows = await queries.query(
    'SELECT TABLE_SCHEMA AS db, TABLE_NAME AS tbl, COLUMN_NAME AS col FROM information_schema.COLUMNS ' +
      "WHERE IS_GENERATED = 'ALWAYS' AND GENERATION_EXPRESSION NOT IN ('ROW START', 'ROW END') ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION",
  );
  const tables = Map.groupBy(rows, (row) => quoteTable({ database: textOf(row, 'db'), name: textOf(row, 'tbl') }));
  return new Map([...tables].map(([name, columns]) => [name, columns.map((row) => textOf(row, 'col'))]));
}

async function readCascades(queries: QueryConnection): Promise<Cascade[]> {
  const rows = await queries.query(
    'SELECT r.CONSTRAINT_SCHEMA AS db, r.TABLE_NAME AS tbl, r.CONSTRAINT_NAME AS name, r.DELETE_RULE AS del, r.UPDATE_RULE AS upd, ' +
      'k.COLUMN_NAME AS col, k.REFERENCED_TABLE_SCHEMA AS rdb, k.REFERENCED_TABLE_NAME AS rtbl, k.REFERENCED_COLUMN_NAME AS rcol ' +
      'FROM information_schema.REFERENTIAL_CONSTRAINTS r JOIN information_schema.KEY_COLUMN_USAGE k ' +
      'ON k.CONSTRAINT_SCHEMA = r.CONSTRAINT_SCHEMA AND k.CONSTRAINT_NAME = r.CONSTRAINT_NAME AND k.TABLE_NAME = r.TABLE_NAME ' +
      "WHERE r.DELETE_RULE NOT IN ('RESTRICT', 'NO ACTION') OR r.UPDATE_RULE NOT IN ('RESTRICT', 'NO ACTION') " +
      'ORDER BY r.CONSTRAINT_SCHEMA, r.TABLE_NAME, r.CONSTRAINT_NAME, k.ORDINAL_POSITION',
  );
  const keys = Map.groupBy(rows, (row) => `${textOf(row, 'db')}\0${textOf(row, 'tbl')}\0${textOf(row, 'name')}`);
  return [...keys.values()].map(cascade);
}

function cascade(rows: readonly ResultRow[]): Cascade {
  const [first = {}] = rows;
  const rule = (verb: string, action: string): string[] =>
    /RESTRICT|NO ACTION/.test(action) ? [] : [`ON ${verb} ${action}`];
  const columns = rows.map((row) => quoteName(textOf(row, 'col'))).join(', ');
  const referenced = rows.map((row) => quoteName(textOf(row, 'rcol'))).join(', ');
  return {
    database: textOf(first, 'db'),
    table: textOf(first, 'tbl'),
    constraint: textOf(first, 'name'),
    actions: [...rule('DELETE', textOf(first, 'del')), ...rule('UPDATE', textOf(first, 'upd'))],
    definition: `FOREIGN KEY (${columns}) REFERENCES ${quoteTable({ database: textOf(first, 'rdb'), name: textOf(first, 'rtbl') })} (${referenced})`,
  };
}

/** How tables without a primary key could get one, by their quoted names. */
async function readKeyProposals(
  queries: QueryConnection,
  { server, tables }: { server: Server; tables: readonly Listed[] },
): Promise<Map<string, string>> {
  if (tables.length === 0) return new Map();
  const condition = tables
    .map(({ database, name }) => `(TABLE_SCHEMA = ${literal(database)} AND TABLE_NAME = ${literal(name)})`)
    .join(' OR ');
  const indexes = await queries.query(
    'SELECT TABLE_SCHEMA AS db, TABLE_NAME AS tbl, INDEX_NAME AS idx, COLUMN_NAME AS col, NULLABLE AS nul, SUB_PART AS part, INDEX_TYPE AS kind ' +
      `FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 AND (${condition}) ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`,
  );
  const columns = await queries.query(
    `SELECT TABLE_SCHEMA AS db, TABLE_NAME AS tbl, COLUMN_NAME AS col, EXTRA AS ext FROM information_schema.COLUMNS WHERE ${condition}`,
  );
  const own = (rows: readonly ResultRow[], { database, name }: Listed): ResultRow[] =>
    rows.filter((row) => textOf(row, 'db') === database && textOf(row, 'tbl') === name);
  return new Map(
    tables.map((table) => {
      const key = proposedKey(own(indexes, table), own(columns, table), server);
      return [quoteTable(table), `ALTER TABLE ${quoteTable(table)} ADD ${key};`];
    }),
  );
}

function proposedKey(
  indexes: readonly ResultRow[],
  columns: readonly ResultRow[],
  { flavour, version }: Server,
): string {
  const usable = [...Map.groupBy(indexes, (row) => textOf(row, 'idx')).values()].find((rows) =>
    rows.every(
      (row) =>
        textOf(row, 'nul') !== 'YES' &&
        textOf(row, 'part') === '' &&
        textOf(row, 'col') !== '' &&
        textOf(row, 'kind') === 'BTREE',
    ),
  );
  if (usable !== undefined) return `PRIMARY KEY (${usable.map((row) => quoteName(textOf(row, 'col'))).join(', ')})`;
  const counted = columns.find((row) => textOf(row, 'ext').toLowerCase().includes('auto_increment'));
  if (counted !== undefined) return `PRIMARY KEY (${quoteName(textOf(counted, 'col'))})`;
  const taken = new Set(columns.map((row) => textOf(row, 'col').toLowerCase()));
  const name = taken.has('id') ? 'row_id' : 'id';
  // Invisible: what the application selects and inserts stays as it is.
  const invisible = flavour === 'mariadb' || version >= 80_023 ? ' INVISIBLE' : '';
  return `COLUMN ${quoteName(name)} BIGINT UNSIGNED NOT NULL AUTO_INCREMENT${invisible} PRIMARY KEY`;
}

/** A literal that means the same in every sql_mode. */
function literal(name: string): string {
  return `_utf8mb4 x'${Buffer.from(name, 'utf8').toString('hex')}'`;
}
