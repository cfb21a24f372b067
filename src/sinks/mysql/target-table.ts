import type { Column } from '../../core/table-schema.ts';
import { columnFromInformationSchema } from '../../drivers/mysql/information-schema-column.ts';
import { tableName } from './sql-text.ts';
import { type ResultRow, STRICT_MODE, type TargetConnection } from './target-connection.ts';

/** A table of the target as it is. */
export interface TargetTable {
  readonly columns: readonly TargetColumn[];
  readonly uniqueKeys: readonly UniqueKey[];
}

export interface TargetColumn {
  readonly name: string;
  /** Null for a type that is not known. */
  readonly definition: Column | null;
  readonly nullable: boolean;
  readonly generated: boolean;
  /** A row that has no value for it is refused. */
  readonly required: boolean;
  /** AUTO_INCREMENT. */
  readonly numbersItself: boolean;
  /** ON UPDATE CURRENT_TIMESTAMP. */
  readonly updatesItself: boolean;
}

export interface UniqueKey {
  readonly name: string;
  /** Null for an expression. */
  readonly columns: readonly (string | null)[];
  /** Some column counts only by its first characters. */
  readonly hasPrefix: boolean;
}

/** Null when there is no such table. */
export async function readTargetTable(
  connection: TargetConnection,
  { database, name }: { readonly database: string; readonly name: string },
): Promise<TargetTable | null> {
  const where = `TABLE_SCHEMA = ${anyModeText(database)} AND TABLE_NAME = ${anyModeText(name)}`;
  // How the members of an ENUM are shown depends on the mode.
  await connection.execute("SET SESSION sql_mode = ''", 'set up the session');
  const columns = await connection.rows(
    'SELECT COLUMN_NAME AS col, DATA_TYPE AS dt, COLUMN_TYPE AS ct, IS_NULLABLE AS nul, EXTRA AS ext, CHARACTER_MAXIMUM_LENGTH AS len, ' +
      'COLUMN_DEFAULT AS def, NUMERIC_PRECISION AS num, NUMERIC_SCALE AS scl, DATETIME_PRECISION AS frac, CHARACTER_SET_NAME AS cs, COLLATION_NAME AS co ' +
      `FROM information_schema.COLUMNS WHERE ${where} ORDER BY ORDINAL_POSITION`,
  );
  await connection.execute(`SET SESSION sql_mode = '${STRICT_MODE}'`, 'set up the session');
  if (columns.length === 0) return null;
  const keys = await connection.rows(
    'SELECT INDEX_NAME AS idx, COLUMN_NAME AS col, SUB_PART AS prefix FROM information_schema.STATISTICS ' +
      `WHERE NON_UNIQUE = 0 AND ${where} ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
  );
  return { columns: columns.map(targetColumn), uniqueKeys: uniqueKeys(keys) };
}

/** What SHOW CREATE TABLE says, with names in backticks and texts in single quotes. */
export async function readCreateStatement(
  connection: TargetConnection,
  { database, name }: { readonly database: string; readonly name: string },
): Promise<string> {
  await connection.execute("SET SESSION sql_mode = '', sql_quote_show_create = 1", 'set up the session');
  const [row] = await connection.rows(`SHOW CREATE TABLE ${tableName(database, name)}`);
  await connection.execute(`SET SESSION sql_mode = '${STRICT_MODE}'`, 'set up the session');
  return row === undefined ? '' : (text(row, 'Create Table') ?? '');
}

/** A literal that means the same in every sql_mode. */
function anyModeText(name: string): string {
  return `_utf8mb4 x'${Buffer.from(name, 'utf8').toString('hex')}'`;
}

function targetColumn(row: ResultRow): TargetColumn {
  const extra = text(row, 'ext') ?? '';
  const definition = columnFromInformationSchema({
    name: text(row, 'col') ?? '',
    dataType: (text(row, 'dt') ?? '').toLowerCase(),
    columnType: text(row, 'ct') ?? '',
    nullable: text(row, 'nul') === 'YES',
    extra,
    characters: number(row, 'len'),
    precision: number(row, 'num'),
    scale: number(row, 'scl'),
    fraction: number(row, 'frac'),
    charset: text(row, 'cs'),
    collation: text(row, 'co'),
  });
  const nullable = text(row, 'nul') === 'YES';
  const numbersItself = /auto_increment/i.test(extra);
  const generated = definition === null ? / GENERATED\b/i.test(extra) : definition.generated !== null;
  return {
    name: text(row, 'col') ?? '',
    definition,
    nullable,
    generated,
    required: !nullable && !generated && text(row, 'def') === null && !numbersItself,
    numbersItself,
    updatesItself: /on update/i.test(extra),
  };
}

function uniqueKeys(rows: readonly ResultRow[]): UniqueKey[] {
  const keys = new Map<string, { columns: (string | null)[]; hasPrefix: boolean }>();
  for (const row of rows) {
    const name = text(row, 'idx') ?? '';
    const key = keys.get(name) ?? { columns: [], hasPrefix: false };
    key.columns.push(text(row, 'col'));
    if (text(row, 'prefix') !== null) key.hasPrefix = true;
    keys.set(name, key);
  }
  return [...keys].map(([name, key]) => ({ name, ...key }));
}

function text(row: ResultRow, column: string): string | null {
  const value = row[column];
  if (value === null || value === undefined) return null;
  return Buffer.isBuffer(value) ? value.toString('utf8') : `${value as string | number}`;
}

function number(row: ResultRow, column: string): number | null {
  const value = text(row, column);
  return value === null ? null : Number(value);
}
