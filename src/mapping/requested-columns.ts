import type { MappingRules, TableRules } from './rules.ts';

/**
 * The columns that a mapping looks at, by table pattern: what the stream need not send. Only of patterns for a single table: the stream refuses a name
 * that one of many tables does not have.
 */
export function requestedColumns({ tables }: MappingRules): Readonly<Record<string, readonly string[]>> | null {
  const requested: Record<string, readonly string[]> = {};
  for (const [index, table] of tables.entries()) {
    const { one, patternText, rules } = table;
    const columns = columnsOf(table);
    const isShadowed = tables
      .slice(0, index)
      .some(({ pattern }) => one !== null && pattern.matches(one.database, one.name));
    if (one !== null && columns !== null && rules.length > 0 && !isShadowed) requested[patternText] = [...columns];
  }
  return Object.keys(requested).length === 0 ? null : requested;
}

/** Null: perhaps all. */
function columnsOf({ rules }: TableRules): ReadonlySet<string> | null {
  const names = new Set<string>();
  for (const { sourceColumns } of rules) {
    if (sourceColumns === null) return null;
    for (const name of sourceColumns) names.add(name);
  }
  return names;
}
