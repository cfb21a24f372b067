import type { Server } from '../server.ts';
import type { ServerFacts } from './facts.ts';

const RESTART = 'below [mysqld] in the configuration file; takes a restart';
const KEEP = 'below [mysqld] in the configuration file, so that a restart keeps it';

/** MySQL 8.0 remembers a setting by itself; other servers need it in their configuration file, too. */
export function setVariable(server: Server, name: string, value: string): string {
  const sql = /^[\d.]+$|^(ON|OFF)$/.test(value) ? value : `'${value}'`;
  if (server.flavour === 'mysql' && server.version >= 80_000) return `SET PERSIST ${name} = ${sql};`;
  return `SET GLOBAL ${name} = ${sql};\n${name} = ${value}    # ${KEEP}`;
}

/** For what can be set in the configuration file only. */
export function configure(line: string): string {
  return `${line}    # ${RESTART}`;
}

/** `GRANT SELECT ON shop.* TO 'tidings'@'%';`, one statement for each object. */
export function grant(
  { account }: Pick<ServerFacts, 'account'>,
  privileges: readonly string[],
  target = '*.*',
): string {
  return `GRANT ${privileges.join(', ')} ON ${target} TO ${account};`;
}

export function grantSelect(facts: Pick<ServerFacts, 'account'>, targets: readonly string[]): string {
  const wanted = targets.includes('*.*') ? ['*.*'] : [...new Set(targets)];
  return wanted.map((target) => grant(facts, ['SELECT'], target)).join('\n');
}

export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

export function quoteTable({ database, name }: { readonly database: string; readonly name: string }): string {
  return `${quoteName(database)}.${quoteName(name)}`;
}

/** A literal; backslashes are doubled because they escape in the servers' default sql_mode. */
export function quoteText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

const LISTED_MAX = 10;

/** `a, b, c and 7 more`. */
export function list(names: readonly string[]): string {
  const shown = names.slice(0, LISTED_MAX).join(', ');
  return names.length > LISTED_MAX ? `${shown} and ${names.length - LISTED_MAX} more` : shown;
}

/** Cures for as many as `list` names. */
export function cures(statements: readonly (string | null)[]): string | null {
  const known = statements.slice(0, LISTED_MAX).filter((statement) => statement !== null);
  return known.length === 0 ? null : known.join('\n');
}
