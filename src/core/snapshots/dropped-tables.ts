import type { SchemaChange, Truncation } from '../change.ts';

const DROPS_TABLE = /^\s*drop\s+table\b/i;
const DROPS_DATABASE = /^\s*drop\s+(database|schema)\b/i;

/** The statement is the end of that table, be it with its database: one of its name that is there later is another one. */
export function dropsTable(
  change: Pick<SchemaChange | Truncation, 'type' | 'database' | 'table' | 'sql'>,
  { database, table }: { readonly database: string; readonly table: string },
): boolean {
  if (change.type !== 'schema' || change.database !== database) return false;
  return change.table === null
    ? DROPS_DATABASE.test(change.sql)
    : change.table === table && DROPS_TABLE.test(change.sql);
}
