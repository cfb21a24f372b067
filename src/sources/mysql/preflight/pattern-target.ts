import { quoteName } from './cures.ts';
import type { Grants } from './grants.ts';

/** What must be readable for everything that a table pattern may match. */
export interface PatternTarget {
  /** The object of a GRANT. */
  readonly target: string;
  /** The database that the pattern names; null when it may match in any. */
  readonly database: string | null;
  isSelectable(grants: Grants): boolean;
}

export interface PatternContext {
  /** The URL's database, to which bare table names belong. */
  readonly database: string | null;
  /** MySQL with partial_revokes: database names in GRANT are no patterns. */
  readonly partialRevokes: boolean;
}

/** `pattern` is one that TableSelection accepts. */
export function patternTarget(pattern: string, { database, partialRevokes }: PatternContext): PatternTarget {
  const everything: PatternTarget = {
    target: '*.*',
    database: null,
    isSelectable: (grants) => grants.selectsEverything,
  };
  if (/^\/.*\/[a-z]*$/s.test(pattern)) return everything;
  const [, first, second = ''] = /^(?:(`(?:[^`]|``)*`|[^`.]*)\.)?(`(?:[^`]|``)*`|[^`.]*)$/.exec(pattern.trim()) ?? [];
  const schema = first === undefined ? database : literal(first);
  const table = literal(second);
  if (schema === null) return everything;
  if (table === null) {
    return {
      target: databaseTarget(schema, partialRevokes),
      database: schema,
      isSelectable: (grants) => grants.selectsDatabase(schema),
    };
  }
  return {
    target: `${quoteName(schema)}.${quoteName(table)}`,
    database: schema,
    isSelectable: (grants) => grants.selectsTable(schema, table),
  };
}

/** A database in GRANT is itself a pattern. */
function databaseTarget(name: string, partialRevokes: boolean): string {
  return `${quoteName(partialRevokes ? name : name.replaceAll(/[\\_%]/g, String.raw`\$&`))}.*`;
}

/** The name that this part of a pattern means, or null when it has wildcards. */
function literal(part: string): string | null {
  if (part.startsWith('`')) return part.slice(1, -1).replaceAll('``', '`');
  return part.includes('*') ? null : part;
}
