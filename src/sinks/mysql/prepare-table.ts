import type { Logger } from '../../core/logger.ts';
import type { SinkTarget } from '../../core/sink.ts';
import type { Column } from '../../core/table-schema.ts';
import { type ColumnAttributes, columnAttributes } from './column-attributes.ts';
import { changedDefinition, chooseCollation, columnDefinition } from './column-definition.ts';
import type { SchemaPolicy } from './config.ts';
import { primaryKeyParts } from './key-parts.ts';
import { quoteName, quoteText, tableName } from './sql-text.ts';
import { conflict } from './table-plan.ts';
import { LENIENT_MODE, STRICT_MODE, type TargetConnection } from './target-connection.ts';
import type { TargetServer } from './target-server.ts';
import {
  readCreateStatement,
  readTargetTable,
  type TargetColumn,
  type TargetTable,
  type UniqueKey,
} from './target-table.ts';
import { widens } from './widening.ts';

export interface PrepareOptions {
  readonly connection: TargetConnection;
  readonly server: TargetServer;
  readonly policy: SchemaPolicy;
  readonly dropColumns: boolean;
  readonly log: Logger;
}

/**
 * Brings a table of the target into a shape that rows can go into, as far as the policy lets it, and returns what it is then.
 *
 * @throws TidingsError SINK_SCHEMA_CONFLICT
 */
export async function prepareTable(target: SinkTarget, options: PrepareOptions): Promise<TargetTable> {
  const { connection, policy } = options;
  const { table } = target;
  const label = `${table.database}.${table.name}`;
  const found = await readTargetTable(connection, table);
  if (found === null) {
    if (policy !== 'evolve') throw conflict(label, 'the target has no such table');
    await createTable(target, options);
  } else if (policy === 'evolve') {
    if (!(await evolve(target, found, options))) return found;
  } else {
    const missing = wantedColumns(target).filter(({ name }) => !has(found, name));
    if (missing.length > 0 && policy === 'stop') {
      throw conflict(label, `the target lacks ${missing.map(({ name }) => name).join(', ')}`);
    }
    return found;
  }
  const made = await readTargetTable(connection, table);
  if (made === null) throw conflict(label, 'the table was made, and is not visible to this account');
  return made;
}

/** What the source computes is left out: how is not known, and not every row has it. */
function wantedColumns({ table }: SinkTarget): readonly Column[] {
  return table.columns.filter(({ generated }, i) => generated === null || table.key.includes(i));
}

function has({ columns }: TargetTable, name: string): boolean {
  return columns.some((column) => column.name.toLowerCase() === name.toLowerCase());
}

async function createTable(target: SinkTarget, { connection, server, log }: PrepareOptions): Promise<void> {
  const { table } = target;
  const label = `${table.database}.${table.name}`;
  const instead: Record<string, string> = {};
  const columns = wantedColumns(target).map((column) => {
    const inKey = table.key.some((i) => table.columns[i] === column);
    const definition = columnDefinition(column, { server, inKey, nullable: column.nullable && !inKey });
    if (definition.instead !== null) instead[column.name] = definition.instead;
    return definition.sql;
  });
  const key = table.key.flatMap((i) => table.columns[i] ?? []);
  const parts = primaryKeyParts(key, ({ charset, collation }) => {
    return server.collations.get(chooseCollation({ charset, collation, inKey: true }, server)) ?? 'utf8mb4';
  });
  const primaryKey = key.length === 0 ? [] : [`PRIMARY KEY (${parts.join(', ')})`];
  const collation = chooseCollation({ charset: 'utf8mb4', collation: null, inKey: false }, server);
  const [known] = await connection.rows(
    `SELECT 1 AS known FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${quoteText(table.database)}`,
  );
  if (known === undefined) {
    await connection.execute(
      `CREATE DATABASE IF NOT EXISTS ${quoteName(table.database)} CHARACTER SET utf8mb4`,
      `create the database ${table.database}`,
    );
    log.info({ database: table.database }, 'database made in the target');
  }
  await define(
    connection,
    `CREATE TABLE IF NOT EXISTS ${tableName(table.database, table.name)} (${[...columns, ...primaryKey].join(', ')}) ` +
      `ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE ${collation}`,
    `create ${label}`,
  );
  log.info({ target: label, columns: columns.length }, 'table made in the target');
  if (Object.keys(instead).length > 0) {
    log.warn({ target: label, instead }, 'types or collations that the target does not have: others were taken');
  }
}

/** True when something was changed. */
async function evolve(target: SinkTarget, found: TargetTable, options: PrepareOptions): Promise<boolean> {
  const { connection, server, log, dropColumns } = options;
  const { table } = target;
  const label = `${table.database}.${table.name}`;
  const added: string[] = [];
  const changed: Column[] = [];
  const keyNames = new Set(table.key.map((i) => table.columns[i]?.name.toLowerCase()));
  const inKey = ({ name }: Column): boolean => keyNames.has(name.toLowerCase());
  const clauses = wantedColumns(target).flatMap((column) => {
    const own = found.columns.find(({ name }) => name.toLowerCase() === column.name.toLowerCase());
    if (own === undefined) {
      added.push(column.name);
      // Rows that are there already have no value for it.
      return `ADD COLUMN ${columnDefinition(column, { server, inKey: inKey(column), nullable: true }).sql}`;
    }
    const wanted = own.generated ? null : widenedColumn(column, own, inKey(column));
    if (wanted !== null) changed.push(wanted);
    return [];
  });
  const widened = changed.map(({ name }) => name);
  const surplus = surplusColumns(target, found);
  // What is left of a unique key might be no key.
  const dropped =
    dropColumns && target.isShared !== true ? surplus.filter((column) => !inKeys(column, found.uniqueKeys)) : [];
  const primary = found.uniqueKeys.filter(({ name }) => name === 'PRIMARY');
  // Rows have no value for it, and would be refused.
  const relaxed = surplus.filter((each) => each.required && !dropped.includes(each) && !inKeys(each, primary));
  for (const { name, definition } of relaxed) {
    if (definition !== null) changed.push({ ...definition, name, nullable: true });
  }
  clauses.push(...dropped.map(({ name }) => `DROP COLUMN ${quoteName(name)}`));
  if (changed.length > 0) {
    const attributes = columnAttributes(await readCreateStatement(connection, table));
    for (const column of changed) {
      const own = attributes.get(column.name.toLowerCase()) ?? NO_ATTRIBUTES;
      const options = { server, inKey: inKey(column), nullable: column.nullable };
      clauses.push(`MODIFY COLUMN ${changedDefinition(column, own, options)}`);
    }
  }
  if (clauses.length === 0) return false;
  await define(
    connection,
    `ALTER TABLE ${tableName(table.database, table.name)} ${clauses.join(', ')}`,
    `alter ${label}`,
  );
  log.info({ target: label, added, widened, relaxed: namesOf(relaxed) }, 'table changed in the target');
  if (dropped.length > 0) log.warn({ target: label, dropped: namesOf(dropped) }, 'columns dropped in the target');
  return true;
}

/** The columns that the rows do not have. */
function surplusColumns({ table }: SinkTarget, { columns }: TargetTable): readonly TargetColumn[] {
  const kept = new Set(table.columns.map(({ name }) => name.toLowerCase()));
  return columns.filter(({ name }) => !kept.has(name.toLowerCase()));
}

function inKeys({ name }: TargetColumn, keys: readonly UniqueKey[]): boolean {
  return keys.some(({ columns }) => columns.some((column) => column?.toLowerCase() === name.toLowerCase()));
}

function namesOf(columns: readonly TargetColumn[]): readonly string[] {
  return columns.map(({ name }) => name);
}

const NO_ATTRIBUTES: ColumnAttributes = { words: [], zerofill: false };

/** The target's column as it has to be for the source's values; null when it is wide enough, or of another kind. */
function widenedColumn(column: Column, { definition, numbersItself }: TargetColumn, inKey: boolean): Column | null {
  if (definition === null) return null;
  const wider = widens(definition, column, numbersItself);
  const becomesNullable = column.nullable && !definition.nullable && !inKey && !numbersItself;
  if (wider === null && !becomesNullable) return null;
  // The name and the collation stay the target's own.
  return { ...(wider ?? definition), nullable: definition.nullable || becomesNullable };
}

/** A strict session refuses some definitions that the source has, such as an ENUM with a member twice. */
async function define(connection: TargetConnection, sql: string, doing: string): Promise<void> {
  await connection.execute(`SET SESSION sql_mode = '${LENIENT_MODE}'`, 'set up the session');
  try {
    await connection.execute(sql, doing);
  } finally {
    if (!connection.closed) await connection.execute(`SET SESSION sql_mode = '${STRICT_MODE}'`, 'set up the session');
  }
}
