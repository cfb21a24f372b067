import type { ServerKind } from './key-literals.ts';

/**
 * What a connection says once, before it selects rows: so that their text says exactly what they hold, whatever the server's settings, the
 * account's `init_connect` or the driver have made of the session.
 */
export function sessionStatements({ flavour, version }: ServerKind): readonly string[] {
  const settings = [
    // Text comes as the column holds it: converted to another character set, some of it would come as question marks.
    'character_set_results = NULL',
    "time_zone = '+00:00'",
    // The one mode lets literals be what invalid dates in a key are. What the others would do: pad CHAR with spaces (PAD_CHAR_TO_FULL_LENGTH),
    // refuse zero dates as literals (NO_ZERO_DATE, NO_ZERO_IN_DATE), take the empty string for NULL (ORACLE).
    "sql_mode = 'ALLOW_INVALID_DATES'",
    // Limits that would end a chunk early, without a word or with an error.
    'sql_select_limit = 18446744073709551615',
    'sql_big_selects = 1',
    flavour === 'mysql' ? 'max_execution_time = 0' : 'max_statement_time = 0',
  ];
  // Else the rows of system-versioned tables could be those of another day.
  if (flavour === 'mariadb') settings.push('system_versioning_asof = DEFAULT');
  // A copy of the table in another engine may lag behind it.
  if (flavour === 'mysql' && version >= 80_013) settings.push('use_secondary_engine = OFF');
  return ['SET NAMES utf8mb4', `SET ${settings.map((setting) => `SESSION ${setting}`).join(', ')}`];
}
