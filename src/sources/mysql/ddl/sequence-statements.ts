import type { Column } from '../../../core/table-schema.ts';
import type { Statement } from './statement.ts';
import { NotUnderstood } from './token-reader.ts';

const COLUMNS: readonly (readonly [name: string, type: Column['type'], unsigned: boolean])[] = [
  ['next_not_cached_value', 'bigint', false],
  ['minimum_value', 'bigint', false],
  ['maximum_value', 'bigint', false],
  ['start_value', 'bigint', false],
  ['increment', 'bigint', false],
  ['cache_size', 'bigint', true],
  ['cycle_option', 'tinyint', true],
  ['cycle_count', 'bigint', false],
];

/**
 * MariaDB's CREATE [OR REPLACE] SEQUENCE, from behind that word. A sequence is a table of one row, and setting it on writes row
 * events. Its columns are always the same, unless AS (11.5) gives them another type.
 */
export function understandCreateSequence(statement: Statement, orReplace: boolean): void {
  const { reader, context } = statement;
  const ifNotExists = reader.ifNotExists();
  const table = reader.tableName();
  const before = statement.lookup(table);
  if (ifNotExists && before !== 'absent') {
    if (before === 'unknown') statement.add({ op: 'unknown', table });
    return;
  }
  if (orReplace) statement.add({ op: 'drop', table });
  const database = context.lookupDatabase(table.database);
  try {
    while (!reader.atEnd()) {
      reader.refuse('AS');
      reader.next();
    }
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    statement.add({ op: 'unknown', table });
    return;
  }
  const columns = COLUMNS.map(([name, type, unsigned]): Column => ({
    name,
    type,
    nullable: false,
    unsigned,
    length: null,
    scale: null,
    charset: null,
    collation: null,
    members: null,
    generated: null,
    invisible: false,
  }));
  statement.add({
    op: 'define',
    definition: {
      schema: { database: table.database, name: table.name, columns, key: [] },
      defaultCharset: typeof database === 'string' ? null : database,
      rowEnd: null,
      hiddenColumns: 0,
      doubtfulMembers: [],
      uniqueColumns: [],
    },
  });
}
