import { buildTable } from './build-table.ts';
import { renamed } from './catalog.ts';
import type { TableName } from './effect.ts';
import type { Statement } from './statement.ts';
import { parseTableElement, type TableElement } from './table-elements.ts';
import { TableOptionsReader } from './table-options.ts';
import { NotUnderstood, type TokenReader } from './token-reader.ts';
import { isSpecial } from '../schema/table-definition.ts';

const QUERY_WORDS: ReadonlySet<string> = new Set(['SELECT', 'WITH', 'VALUES', 'TABLE']);

/** CREATE [OR REPLACE] TABLE, from behind the word TABLE. */
export function understandCreateTable(statement: Statement, orReplace: boolean): void {
  const { reader } = statement;
  const ifNotExists = reader.ifNotExists();
  const table = reader.tableName();
  const before = statement.lookup(table);
  if (ifNotExists && !orReplace) {
    // The servers log the statement also when the table exists and nothing happens.
    if (before === 'unknown') {
      statement.add({ op: 'unknown', table });
      return;
    }
    if (before !== 'absent') return;
  }
  if (orReplace) statement.add({ op: 'drop', table });
  try {
    defineTable(statement, table);
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    statement.add({ op: 'unknown', table });
  }
}

function defineTable(statement: Statement, table: TableName): void {
  const { reader, context } = statement;
  if (reader.accept('LIKE')) return copyTable(statement, table, false);
  if (reader.accept('(', 'LIKE')) return copyTable(statement, table, true);

  const elements: TableElement[] = [];
  if (reader.at('(') && !isQuery(reader, 1)) reader.group(() => elements.push(parseTableElement(reader, context)));
  const options = new TableOptionsReader(reader, context);
  while (options.accept()) reader.accept(',');
  if (reader.at('PARTITION', 'BY')) skipPartitions(reader);
  if (!reader.atEnd()) {
    // CREATE … SELECT, logged as such in the statement format: the query adds columns that only the server knows.
    statement.add({ op: 'unknown', table });
    statement.add({ op: 'replace-rows', table });
    return;
  }
  statement.add({ op: 'define', definition: buildTable(table, elements, options.options, context) });
}

/** CREATE TABLE … LIKE: the same columns and keys. */
function copyTable(statement: Statement, table: TableName, parenthesised: boolean): void {
  const { reader, context } = statement;
  const original = statement.lookup(reader.tableName());
  if (parenthesised) reader.expect(')');
  // MariaDB allows options behind it, which may change the engine or the versioning.
  reader.expectEnd();
  if (typeof original === 'string' || context.threadSpecific) throw new NotUnderstood('the original is not known');
  if (isSpecial(original)) throw new NotUnderstood('the original is special');
  statement.add({ op: 'define', definition: renamed(original, table) });
}

function isQuery(reader: TokenReader, ahead: number): boolean {
  let at = ahead;
  while (reader.peek(at).upper === '(') at += 1;
  return QUERY_WORDS.has(reader.peek(at).upper);
}

/** Reads the partitioning, up to the end or the query behind it. A partitioning itself changes no column. */
export function skipPartitions(reader: TokenReader): void {
  const isEnd = (): boolean =>
    reader.atEnd() ||
    reader.at('SELECT') ||
    reader.at('WITH') ||
    reader.at('AS') ||
    reader.at('IGNORE') ||
    reader.at('REPLACE');
  while (!isEnd()) {
    if (!reader.at('(')) {
      reader.next();
      continue;
    }
    if (isQuery(reader, 1)) return;
    reader.skipGroup();
  }
}
