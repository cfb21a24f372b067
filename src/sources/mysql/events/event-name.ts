import { TidingsError } from '../../../core/errors.ts';
import type { RowAction } from './event-types.ts';

/** Events that are not about one table. */
export type GlobalEventName = 'position' | 'mysql_binlog_pos' | 'schema' | 'warning' | 'error';

/** What a listener asked for. Null stands for "any". */
export type EventSelector =
  | { readonly form: GlobalEventName }
  | {
      readonly form: 'key' | 'raw';
      readonly database: string | null;
      readonly table: string | null;
      readonly action: RowAction | null;
    }
  | { readonly form: 'truncate'; readonly database: string | null; readonly table: string | null };

const GLOBAL: ReadonlySet<string> = new Set<GlobalEventName>([
  'position',
  'mysql_binlog_pos',
  'schema',
  'warning',
  'error',
]);

/**
 * Reads an event's name.
 *
 *     name      = global | ( '*' | tables '_' action | database '.*' ) [ '_raw' ] | tables '_truncate'
 *     tables    = [ database '.' ] ( table | '*' )
 *     action    = 'write' | 'update' | 'delete' | '*'
 *     global    = 'position' | 'mysql_binlog_pos' | 'schema' | 'warning' | 'error'
 *
 * It is read from its end, so that a table may be called `order_write`: its inserts are `order_write_write`. A database ends at
 * the first point. Throws EVENT_NAME_INVALID for anything else: a misspelt name that is silently never published helps nobody.
 */
export function parseEventName(name: string): EventSelector {
  if (isGlobal(name)) return { form: name };
  const truncated = withoutSuffix(name, '_truncate');
  if (truncated !== null) return { form: 'truncate', ...parseTables(truncated, name) };
  const cooked = withoutSuffix(name, '_raw');
  const form = cooked === null ? 'key' : 'raw';
  const target = cooked ?? name;
  if (target === '*') return { form, database: null, table: null, action: null };
  const everything = withoutSuffix(target, '.*');
  if (everything !== null && !everything.includes('.')) {
    return { form, database: everything, table: null, action: null };
  }
  for (const action of ['write', 'update', 'delete', null] as const) {
    const tables = withoutSuffix(target, `_${action ?? '*'}`);
    if (tables !== null) return { form, ...parseTables(tables, name), action };
  }
  throw invalidName(name);
}

function parseTables(text: string, name: string): { database: string | null; table: string | null } {
  const point = text.indexOf('.');
  const database = point < 0 ? null : text.slice(0, point);
  const table = text.slice(point + 1);
  if (database === '' || table === '') throw invalidName(name);
  return { database: database === '*' ? null : database, table: table === '*' ? null : table };
}

function withoutSuffix(text: string, suffix: string): string | null {
  return text.length > suffix.length && text.endsWith(suffix) ? text.slice(0, -suffix.length) : null;
}

function isGlobal(name: string): name is GlobalEventName {
  return GLOBAL.has(name);
}

function invalidName(name: string): TidingsError {
  return new TidingsError('EVENT_NAME_INVALID', `"${name}" is not the name of an event`, { details: { event: name } });
}
