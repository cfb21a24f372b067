import type { Column } from '../../../core/table-schema.ts';
import {
  type ColumnRow,
  columnFromInformationSchema,
  utf8mb3,
} from '../../../drivers/mysql/information-schema-column.ts';
import { type CharsetAndCollation, doubtfulMembers, type TableDefinition } from './table-definition.ts';

/** Runs one statement and yields its rows, as objects by column name. */
export type QueryRows = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

export interface ReadTablesOptions {
  readonly flavour: 'mysql' | 'mariadb';
  /** Only these; left out or null: all tables that the user may see, the server's own included. */
  readonly tables?: readonly { readonly database: string; readonly table: string }[] | null;
}

export interface ReadTables {
  readonly definitions: readonly TableDefinition[];
  /** Tables that are there but cannot be described exactly, and why. */
  readonly unreadable: readonly { readonly database: string; readonly table: string; readonly reason: string }[];
}

type Row = Readonly<Record<string, unknown>>;

interface TableParts {
  readonly table: Row;
  readonly columns: Row[];
  readonly keys: Row[];
}

/** Up to so many tables are asked for one by one, which is what the servers are fast at; more, by database. */
const SINGLE_TABLES_MAX = 20;
const FRACTION_DIGITS = 6;
const MEMORY_ENGINE = 'MEMORY';

/**
 * The definitions of the base tables (system-versioned tables and sequences included), as they are now. MySQL 5.7 to 9, MariaDB
 * 10.5 to 12; works in every sql_mode and with every lower_case_table_names.
 *
 * It takes several queries, between which a DDL may come: whoever needs the state at a position must check that no DDL came
 * until after the last one. What does not fit together comes back as unreadable.
 */
export async function readTableDefinitions(query: QueryRows, options: ReadTablesOptions): Promise<ReadTables> {
  const { flavour, tables = null } = options;
  if (flavour === 'mysql') await showInvisiblePrimaryKeys(query);
  const where = conditions(tables);
  const rows = async (sql: (condition: string) => string): Promise<Row[]> =>
    (await Promise.all(where.map((condition) => query(sql(condition))))).flat();
  const parts = new Map<string, TableParts>();
  for (const table of await rows(tablesSql)) parts.set(keyOf(table), { table, columns: [], keys: [] });
  for (const column of await rows((condition) => columnsSql(condition, flavour))) {
    parts.get(keyOf(column))?.columns.push(column);
  }
  for (const key of await rows(keysSql)) parts.get(keyOf(key))?.keys.push(key);
  const wanted = tables === null ? null : new Set(tables.map(({ database, table }) => `${database}\0${table}`));
  const definitions: TableDefinition[] = [];
  const unreadable: ReadTables['unreadable'][number][] = [];
  for (const [name, part] of parts) {
    if (wanted !== null && !wanted.has(name)) continue;
    const definition = assemble(part);
    if (typeof definition !== 'string') definitions.push(definition);
    else unreadable.push({ database: text(part.table, 'db'), table: text(part.table, 'tbl'), reason: definition });
  }
  return { definitions, unreadable };
}

/** The default character set of each database that the user may see. */
export async function readDatabaseCharsets(query: QueryRows): Promise<Map<string, CharsetAndCollation>> {
  const rows = await query(
    'SELECT SCHEMA_NAME AS db, DEFAULT_CHARACTER_SET_NAME AS cs, DEFAULT_COLLATION_NAME AS co FROM information_schema.SCHEMATA',
  );
  return new Map(
    rows.map((row) => [
      text(row, 'db'),
      { charset: utf8mb3(text(row, 'cs')) ?? '', collation: utf8mb3(text(row, 'co')) },
    ]),
  );
}

/** MySQL 8.0.30 and later can hide them from information_schema, though they are part of each row image. */
async function showInvisiblePrimaryKeys(query: QueryRows): Promise<void> {
  const [row] = await query(
    "SHOW SESSION VARIABLES WHERE Variable_name = 'show_gipk_in_create_table_and_information_schema'",
  );
  if (row !== undefined && row['Value'] !== 'ON') {
    await query('SET SESSION show_gipk_in_create_table_and_information_schema = ON');
  }
}

function conditions(tables: (ReadTablesOptions['tables'] & object) | null): string[] {
  if (tables === null) return ["TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema')"];
  if (tables.length <= SINGLE_TABLES_MAX) {
    return tables.map(({ database, table }) => `TABLE_SCHEMA = ${quote(database)} AND TABLE_NAME = ${quote(table)}`);
  }
  return [...new Set(tables.map(({ database }) => database))].map((database) => `TABLE_SCHEMA = ${quote(database)}`);
}

/** A literal that means the same in every sql_mode. */
function quote(name: string): string {
  return `_utf8mb4 x'${Buffer.from(name, 'utf8').toString('hex')}'`;
}

function tablesSql(condition: string): string {
  return (
    'SELECT TABLE_SCHEMA AS db, TABLE_NAME AS tbl, TABLE_TYPE AS kind, ENGINE AS engine, TABLE_COLLATION AS co ' +
    `FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') AND ${condition}`
  );
}

function columnsSql(condition: string, flavour: 'mysql' | 'mariadb'): string {
  const generation = flavour === 'mariadb' ? 'GENERATION_EXPRESSION' : 'NULL';
  return (
    'SELECT TABLE_SCHEMA AS db, TABLE_NAME AS tbl, COLUMN_NAME AS col, ORDINAL_POSITION AS pos, IS_NULLABLE AS nul, ' +
    'DATA_TYPE AS dt, COLUMN_TYPE AS ct, CHARACTER_MAXIMUM_LENGTH AS len, NUMERIC_PRECISION AS num, NUMERIC_SCALE AS scl, ' +
    `DATETIME_PRECISION AS frac, CHARACTER_SET_NAME AS cs, COLLATION_NAME AS co, COLUMN_KEY AS k, EXTRA AS ext, ${generation} AS gen ` +
    `FROM information_schema.COLUMNS WHERE ${condition} ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION`
  );
}

/** The primary key and the unique keys. */
function keysSql(condition: string): string {
  return (
    'SELECT TABLE_SCHEMA AS db, TABLE_NAME AS tbl, INDEX_NAME AS idx, COLUMN_NAME AS col, INDEX_TYPE AS kind ' +
    `FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 AND ${condition} ` +
    'ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX'
  );
}

/** The definition, or why there is none. */
function assemble({ table, columns: columnRows, keys }: TableParts): TableDefinition | string {
  if (columnRows.length === 0) return 'no column is visible to this user';
  const visible: Column[] = [];
  for (const [index, row] of columnRows.entries()) {
    // A user with grants on single columns sees only those.
    if (number(row, 'pos') !== index + 1) return 'not all columns are visible to this user';
    const column = columnFromInformationSchema(columnRow(row));
    if (column === null) return `the type of column ${text(row, 'col')} is not known`;
    visible.push(column);
  }
  const period = rowPeriod(table, columnRows);
  const columns = [...visible, ...period.hidden, ...hashColumns(table, keys, visible)];
  const key = primaryKey(columns, keys);
  if (key === null || !agrees(key, columnRows)) return 'the table was changed while it was read';
  if (period.hidden.length > 0 && key.length > 0) key.push(visible.length + 1);
  const collation = utf8mb3(optionalText(table, 'co'));
  return {
    schema: { database: text(table, 'db'), name: text(table, 'tbl'), columns, key },
    // A collation's name begins with its character set's.
    defaultCharset: collation === null ? null : { charset: collation.replace(/_.*$/, ''), collation },
    rowEnd: period.rowEnd,
    hiddenColumns: columns.length - visible.length,
    doubtfulMembers: doubtfulMembers(visible),
    uniqueColumns: uniqueColumns(visible, keys),
  };
}

function columnRow(row: Row): ColumnRow {
  return {
    name: text(row, 'col'),
    dataType: text(row, 'dt').toLowerCase(),
    columnType: text(row, 'ct'),
    nullable: text(row, 'nul') === 'YES',
    extra: optionalText(row, 'ext') ?? '',
    characters: optionalNumber(row, 'len'),
    precision: optionalNumber(row, 'num'),
    scale: optionalNumber(row, 'scl'),
    fraction: optionalNumber(row, 'frac'),
    charset: optionalText(row, 'cs'),
    collation: optionalText(row, 'co'),
  };
}

/** The row period of a system-versioned table: named columns, or the two hidden ones behind all others. */
function rowPeriod(
  table: Row,
  columnRows: readonly Row[],
): { readonly rowEnd: string | null; readonly hidden: Column[] } {
  if (text(table, 'kind') !== 'SYSTEM VERSIONED') return { rowEnd: null, hidden: [] };
  const named = columnRows.find((row) => optionalText(row, 'gen')?.toUpperCase() === 'ROW END');
  if (named !== undefined) return { rowEnd: text(named, 'col'), hidden: [] };
  const hidden = ['row_start', 'row_end'].map((name) =>
    hiddenColumn(name, { type: 'timestamp', length: FRACTION_DIGITS, generated: 'stored' }),
  );
  return { rowEnd: 'row_end', hidden };
}

function uniqueColumns(visible: readonly Column[], keys: readonly Row[]): string[] {
  const names = new Set(keys.filter((row) => !isPrimary(row)).map((row) => optionalText(row, 'col')));
  return visible.map((column) => column.name).filter((name) => names.has(name));
}

function isPrimary(row: Row): boolean {
  return text(row, 'idx').toUpperCase() === 'PRIMARY';
}

/** One for each unique key that is too long for the engine; the engine MEMORY has real hash indexes. */
function hashColumns(table: Row, keys: readonly Row[], visible: readonly Column[]): Column[] {
  if (optionalText(table, 'engine')?.toUpperCase() === MEMORY_ENGINE) return [];
  const indexes = new Map<string, string[]>();
  for (const row of keys) {
    if (isPrimary(row) || text(row, 'kind').toUpperCase() !== 'HASH') continue;
    indexes.set(text(row, 'idx'), [...(indexes.get(text(row, 'idx')) ?? []), text(row, 'col')]);
  }
  return [...indexes.values()].map((names, index) =>
    hiddenColumn(`DB_ROW_HASH_${index + 1}`, {
      type: 'bigint',
      unsigned: true,
      generated: 'virtual',
      nullable: visible.some((column) => column.nullable && names.includes(column.name)),
    }),
  );
}

function hiddenColumn(name: string, details: Partial<Column> & Pick<Column, 'type'>): Column {
  return {
    name,
    nullable: false,
    unsigned: false,
    length: null,
    scale: null,
    charset: null,
    collation: null,
    members: null,
    generated: null,
    invisible: true,
    ...details,
  };
}

function primaryKey(columns: readonly Column[], keys: readonly Row[]): number[] | null {
  const indexes = keys
    .filter(isPrimary)
    .map((row) => columns.findIndex((column) => column.name === optionalText(row, 'col')));
  return indexes.includes(-1) ? null : indexes;
}

/** COLUMNS and STATISTICS were read one after the other: their primary keys must be the same. */
function agrees(key: readonly number[], columnRows: readonly Row[]): boolean {
  return columnRows.every((row, index) => (text(row, 'k') === 'PRI') === key.includes(index) || key.length === 0);
}

function keyOf(row: Row): string {
  return `${text(row, 'db')}\0${text(row, 'tbl')}`;
}

function optionalText(row: Row, column: string): string | null {
  const value = row[column];
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  // Some columns are BLOBs to some drivers.
  if (Buffer.isBuffer(value)) return value.toString('utf8');
  return typeof value === 'number' || typeof value === 'bigint' ? value.toString() : null;
}

function text(row: Row, column: string): string {
  return optionalText(row, column) ?? '';
}

function optionalNumber(row: Row, column: string): number | null {
  const value = optionalText(row, column);
  return value === null ? null : Number(value);
}

function number(row: Row, column: string): number {
  return optionalNumber(row, column) ?? Number.NaN;
}
