import type { Column, TableSchema } from '../../../core/table-schema.ts';
import type { Flavour } from '../../../drivers/mysql/server-version.ts';
import { doubtfulMembers, type TableDefinition } from './table-definition.ts';

/**
 * A definition that somebody has kept, without what the server knows of the table beyond its columns: of that as little is taken
 * for granted as there can be.
 */
export function keptDefinition(schema: TableSchema, flavour: Flavour): TableDefinition {
  return {
    schema,
    defaultCharset: null,
    rowEnd: null,
    hiddenColumns: 0,
    doubtfulMembers: doubtfulMembers(schema.columns),
    uniqueColumns: schema.columns.map(({ name }) => name),
    ...(flavour === 'mariadb' && mayBeVersioned(schema.columns) ? { columnsOnly: true } : {}),
  };
}

/** MariaDB: whether two of the columns may be a row period, which ALTER TABLE treats in its own way. */
function mayBeVersioned(columns: readonly Column[]): boolean {
  const periods = columns.filter(
    ({ type, length, unsigned }) => (type === 'timestamp' && length === 6) || (type === 'bigint' && unsigned),
  );
  return periods.length > 1;
}
