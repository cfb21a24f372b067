import { isHashColumn, type TableDefinition } from '../schema/table-definition.ts';
import { uniqueColumns } from './build-table.ts';
import type { TableName } from './effect.ts';
import { refuseLongUnique } from './long-unique.ts';
import type { Statement } from './statement.ts';
import { keyParts, mentionsHash, type TableElement } from './table-elements.ts';
import { NotUnderstood, type TokenReader } from './token-reader.ts';

/** MariaDB: `WAIT n` or `NOWAIT`. */
function skipWait(reader: TokenReader): void {
  if (reader.accept('WAIT')) reader.integer();
  else reader.accept('NOWAIT');
}

/** DROP TABLE and DROP SEQUENCE, from behind that word. What is listed is gone, whether it was there or not. */
export function understandDropTable(statement: Statement): void {
  const { reader } = statement;
  reader.ifExists();
  const tables: TableName[] = [];
  reader.list(() => tables.push(reader.tableName()));
  if (!reader.accept('RESTRICT')) reader.accept('CASCADE');
  skipWait(reader);
  reader.expectEnd();
  // Temporary tables are never among them, whatever the event's flag says: the servers log those apart, with TEMPORARY.
  for (const table of tables) statement.add({ op: 'drop', table });
}

/** RENAME TABLE a TO b, c TO d, …, from behind the word TABLE. */
export function understandRenameTable(statement: Statement): void {
  const { reader, context } = statement;
  const ifExists = reader.ifExists();
  const renames: { readonly from: TableName; readonly to: TableName }[] = [];
  reader.list(() => {
    const from = reader.tableName();
    skipWait(reader);
    reader.expect('TO');
    renames.push({ from, to: reader.tableName() });
  });
  reader.expectEnd();
  for (const { from, to } of renames) {
    const known = statement.lookup(from);
    if (ifExists && known === 'absent') continue;
    if (context.threadSpecific || (ifExists && known === 'unknown')) {
      statement.add({ op: 'unknown', table: from });
      statement.add({ op: 'unknown', table: to });
    } else statement.add({ op: 'rename', from, to });
  }
}

/** TRUNCATE [TABLE] t, from behind TRUNCATE. */
export function understandTruncate(statement: Statement): void {
  const { reader, context } = statement;
  reader.accept('TABLE');
  const table = reader.tableName();
  skipWait(reader);
  reader.expectEnd();
  // The definition stays, whatever the name means; only which rows went is open then.
  statement.add(context.threadSpecific ? { op: 'replace-rows', table } : { op: 'truncate', table, rows: 'all' });
}

/** DROP INDEX i ON t, from behind INDEX. Only the primary key and MariaDB's hidden hash columns matter. */
export function understandDropIndex(statement: Statement): void {
  const { reader, context } = statement;
  reader.ifExists();
  const primary = reader.name().toUpperCase() === 'PRIMARY';
  reader.expect('ON');
  const table = reader.tableName();
  // ALGORITHM, LOCK and WAIT may follow.
  const known = statement.lookup(table);
  if (typeof known === 'string') return;
  if (context.threadSpecific || hasHashColumn(known)) statement.add({ op: 'unknown', table });
  else if (primary && known.schema.key.length > 0) {
    statement.add({ op: 'define', definition: { ...known, schema: { ...known.schema, key: [] } } });
  }
}

/** CREATE [OR REPLACE] [UNIQUE | FULLTEXT | SPATIAL | VECTOR] INDEX i ON t (…), from behind INDEX. It makes no primary key. */
export function understandCreateIndex(statement: Statement, unique: boolean): void {
  const { reader, context } = statement;
  reader.ifNotExists();
  reader.name();
  const head = reader.mark;
  while (!reader.at('ON')) reader.next();
  const headEnd = reader.mark;
  reader.expect('ON');
  const table = reader.tableName();
  const known = statement.lookup(table);
  if (typeof known === 'string' || context.flavour === 'mysql') return;
  try {
    if (context.threadSpecific || hasHashColumn(known)) throw new NotUnderstood('a hidden hash column');
    if (!unique) return;
    const parts = keyParts(reader);
    const tail = reader.mark;
    while (!reader.atEnd()) reader.next();
    const hash = mentionsHash(reader, head, headEnd) || mentionsHash(reader, tail, reader.mark);
    const element: TableElement = { kind: 'unique', parts, hash };
    refuseLongUnique(known.schema.columns, element, context);
    const names = new Set([...known.uniqueColumns, ...uniqueColumns(known.schema.columns, [element])]);
    statement.add({ op: 'define', definition: { ...known, uniqueColumns: [...names] } });
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    statement.add({ op: 'unknown', table });
  }
}

function hasHashColumn(definition: TableDefinition): boolean {
  return definition.schema.columns.some((column) => isHashColumn(column.name));
}
