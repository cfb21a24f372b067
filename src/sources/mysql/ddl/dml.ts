import type { TableName } from './effect.ts';
import type { TokenReader } from './token-reader.ts';

/** A table in a list of tables, with the name by which the statement calls it. */
interface TableReference {
  readonly table: TableName;
  readonly alias: string | null;
}

const MODIFIERS: ReadonlySet<string> = new Set([
  'LOW_PRIORITY',
  'HIGH_PRIORITY',
  'DELAYED',
  'QUICK',
  'IGNORE',
  'CONCURRENT',
  'LOCAL',
]);
/** What may stand behind a table without being its alias. */
const NO_ALIAS: ReadonlySet<string> = new Set(
  'SET WHERE ORDER LIMIT JOIN INNER CROSS LEFT RIGHT NATURAL STRAIGHT_JOIN ON USING USE FORCE IGNORE PARTITION FOR RETURNING GROUP HAVING WINDOW UNION TABLESAMPLE'.split(
    ' ',
  ),
);
/** Behind these a list of tables is over, if they stand outside of parentheses. */
const LIST_END: ReadonlySet<string> = new Set(['SET', 'WHERE', 'ORDER', 'LIMIT', 'RETURNING', 'USING']);

/**
 * The tables that a data statement may write itself, from its first word on; null when the text does not tell. Throws
 * NotUnderstood, which means the same.
 */
export function writtenTables(reader: TokenReader): readonly TableName[] | null {
  const hidden = reader.at('WITH') ? skipCommonTables(reader) : [];
  const first = reader.next().upper;
  switch (first) {
    case 'INSERT':
    case 'REPLACE':
      skipModifiers(reader);
      reader.accept('INTO');
      return [reader.tableName()];
    case 'UPDATE':
      skipModifiers(reader);
      // Which of several tables an unqualified column belongs to is not in the text: all of them may be written.
      return reader.at('(') ? null : visible(references(reader), hidden);
    case 'DELETE':
      return deletedFrom(reader, hidden);
    case 'LOAD':
      return loadedInto(reader);
    default:
      return null;
  }
}

function skipModifiers(reader: TokenReader): void {
  while (reader.atOneOf(MODIFIERS)) reader.next();
}

/** `WITH [RECURSIVE] a [(…)] AS (…), …`: the names it gives. */
function skipCommonTables(reader: TokenReader): string[] {
  const names: string[] = [];
  reader.expect('WITH');
  reader.accept('RECURSIVE');
  reader.list(() => {
    names.push(reader.name().toLowerCase());
    if (reader.at('(')) reader.skipGroup();
    reader.expect('AS');
    reader.skipGroup();
    // MariaDB: CYCLE a RESTRICT.
    if (reader.accept('CYCLE')) {
      reader.list(() => reader.name());
      reader.expect('RESTRICT');
    }
  });
  return names;
}

function deletedFrom(reader: TokenReader, hidden: readonly string[]): readonly TableName[] | null {
  skipModifiers(reader);
  // MariaDB: DELETE HISTORY FROM t deletes what the table remembers of former rows.
  if (reader.at('HISTORY', 'FROM')) reader.next();
  if (!reader.accept('FROM')) {
    // DELETE a, b FROM a JOIN b …
    const targets = targetNames(reader);
    reader.expect('FROM');
    return resolveTargets(targets, references(reader), hidden);
  }
  const mark = reader.mark;
  const targets = targetNames(reader);
  // DELETE FROM a, b USING a JOIN b …
  if (reader.accept('USING')) return resolveTargets(targets, references(reader), hidden);
  reader.rewind(mark);
  return [reader.tableName()];
}

/** `a, b.*, d.c.*`: as they are called. */
function targetNames(reader: TokenReader): TableReference[] {
  const targets: TableReference[] = [];
  reader.list(() => {
    const mark = reader.mark;
    const alias = reader.name();
    const qualified = reader.at('.') && reader.peek(1).upper !== '*';
    reader.rewind(mark);
    if (qualified) targets.push({ table: reader.tableName(), alias: null });
    else targets.push({ table: { database: '', name: reader.name() }, alias });
    reader.accept('.', '*');
  });
  return targets;
}

function resolveTargets(
  targets: readonly TableReference[],
  tables: readonly TableReference[] | null,
  hidden: readonly string[],
): readonly TableName[] | null {
  if (tables === null) return null;
  const result: TableName[] = [];
  for (const { table, alias } of targets) {
    if (alias === null) result.push(table);
    else {
      const lower = alias.toLowerCase();
      const called = tables.filter((reference) => (reference.alias ?? reference.table.name).toLowerCase() === lower);
      if (called.length === 0) return null;
      result.push(...called.map((reference) => reference.table));
    }
  }
  return result.filter((table) => !hidden.includes(table.name.toLowerCase()));
}

function visible(tables: readonly TableReference[] | null, hidden: readonly string[]): readonly TableName[] | null {
  return tables?.map(({ table }) => table).filter((table) => !hidden.includes(table.name.toLowerCase())) ?? null;
}

/** `a [AS x] [, | JOIN] b …`; null when a table is in parentheses. What stands in conditions and derived tables is only read. */
function references(reader: TokenReader): readonly TableReference[] | null {
  const tables: TableReference[] = [];
  let expectTable = true;
  while (!reader.atEnd() && !(reader.atOneOf(LIST_END) && !isJoinUsing(reader, tables.length))) {
    if (expectTable) {
      expectTable = false;
      if (reader.accept('LATERAL') || reader.at('(')) {
        if (!reader.at('(', 'SELECT') && !reader.at('(', 'WITH') && !reader.at('(', 'VALUES')) return null;
        reader.skipGroup();
        continue;
      }
      const table = reader.tableName();
      if (reader.accept('PARTITION')) reader.skipGroup();
      const named = reader.accept('AS') || (reader.atName() && !NO_ALIAS.has(reader.peek().upper));
      tables.push({ table, alias: named ? reader.name() : null });
    } else if (reader.at('(')) reader.skipGroup();
    else {
      const { upper } = reader.next();
      if (upper === ',' || upper === 'JOIN' || upper === 'STRAIGHT_JOIN') expectTable = true;
    }
  }
  return tables;
}

/** `JOIN b USING (c)` goes on, `DELETE FROM a USING a JOIN b` is read elsewhere. */
function isJoinUsing(reader: TokenReader, tables: number): boolean {
  return tables > 0 && reader.at('USING', '(');
}

/** LOAD DATA | XML … INTO TABLE t */
function loadedInto(reader: TokenReader): readonly TableName[] | null {
  if (!reader.accept('DATA') && !reader.accept('XML')) return null;
  while (!reader.at('INTO', 'TABLE')) reader.next();
  reader.expect('INTO', 'TABLE');
  return [reader.tableName()];
}
