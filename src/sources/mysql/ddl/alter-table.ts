import { parseAlterClauses, type AlterStatement } from './alter-clauses.ts';
import { alterDefinition } from './apply-alter.ts';
import { renamed } from './catalog.ts';
import type { TableName } from './effect.ts';
import type { Statement } from './statement.ts';
import { NotUnderstood, type TokenReader } from './token-reader.ts';
import { isSpecial } from '../schema/table-definition.ts';

/** ALTER [ONLINE] [IGNORE] TABLE, from behind the word TABLE. */
export function understandAlterTable(statement: Statement, ignore: boolean): void {
  const { reader, context } = statement;
  const ifExists = reader.ifExists();
  const table = reader.tableName();
  const start = reader.mark;
  let alter: AlterStatement;
  try {
    alter = parseAlterClauses(reader, context);
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    reader.rewind(start);
    for (const touched of [table, ...namedTables(reader)]) statement.add({ op: 'unknown', table: touched });
    return;
  }
  if (statement.lookup(table) === 'absent' && ifExists) return;
  alterTable(statement, table, alter);
  // IGNORE deletes the rows that a new unique key does not admit.
  if (ignore) statement.add({ op: 'replace-rows', table });
  moveTable(statement, table, alter);
}

function alterTable(statement: Statement, table: TableName, alter: AlterStatement): void {
  const { context } = statement;
  const before = statement.lookup(table);
  for (const clause of alter.clauses) {
    if (clause.op === 'truncate-partitions') statement.add({ op: 'truncate', table, rows: 'some' });
    if (clause.op === 'replace-rows') {
      statement.add({ op: 'replace-rows', table });
      if (clause.other !== null) statement.add({ op: 'replace-rows', table: clause.other });
    }
    if (clause.op === 'table-to-partition') {
      statement.add({ op: 'drop', table: clause.other });
      statement.add({ op: 'replace-rows', table });
    }
    if (clause.op === 'partition-to-table') {
      const special = typeof before === 'string' || isSpecial(before);
      if (special) statement.add({ op: 'unknown', table: clause.other });
      else statement.add({ op: 'define', definition: renamed(before, clause.other) });
      statement.add({ op: 'truncate', table, rows: 'some' });
      statement.add({ op: 'replace-rows', table: clause.other });
    }
  }
  // A view can be renamed in this way, and nothing else.
  if (before === 'absent' && alter.clauses.every((clause) => clause.op === 'rename-table')) return;
  try {
    if (typeof before === 'string' || context.threadSpecific) throw new NotUnderstood('the table is not known');
    const definition = alterDefinition(before, alter, context);
    if (definition !== before) statement.add({ op: 'define', definition });
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    statement.add({ op: 'unknown', table });
  }
}

function moveTable(statement: Statement, table: TableName, alter: AlterStatement): void {
  const target = alter.clauses.findLast((clause) => clause.op === 'rename-table');
  if (target === undefined || target.op !== 'rename-table') return;
  if (target.to.database === table.database && target.to.name === table.name) return;
  if (statement.context.threadSpecific) statement.add({ op: 'unknown', table: target.to });
  else statement.add({ op: 'rename', from: table, to: target.to });
}

/**
 * Every table that clauses which were not understood may touch besides the altered one: behind RENAME, WITH TABLE, TO TABLE and
 * CONVERT TABLE. Rather one too many (a column may be called so) than one too few.
 */
function namedTables(reader: TokenReader): TableName[] {
  const tables: TableName[] = [];
  while (!reader.atEnd()) {
    const renames =
      reader.at('RENAME') &&
      !reader.at('RENAME', 'COLUMN') &&
      !reader.at('RENAME', 'INDEX') &&
      !reader.at('RENAME', 'KEY');
    const names = reader.at('WITH', 'TABLE') || reader.at('TO', 'TABLE') || reader.at('CONVERT', 'TABLE');
    reader.next();
    if (names) reader.next();
    else if (renames) {
      if (!reader.accept('TO') && !reader.accept('AS')) reader.accept('=');
    } else continue;
    const mark = reader.mark;
    if (reader.atName()) tables.push(reader.tableName());
    reader.rewind(mark);
  }
  return tables;
}
