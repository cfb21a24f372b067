import { TidingsError } from '../../../core/errors.ts';
import { tokenize } from '../ddl/lexer.ts';
import type { Server } from '../server.ts';
import type { TableName } from './names.ts';

/**
 * Checks that a condition is one expression, whatever it says: it is put between parentheses, which it must not end, and which neither a
 * comment nor a text that goes on may swallow.
 *
 * @throws TidingsError SNAPSHOT_CONDITION_INVALID
 */
export function checkCondition(
  where: string,
  { table, server }: { readonly table: TableName; readonly server: Server },
): void {
  const tokens = tokenize(where, {
    flavour: server.flavour,
    serverVersion: server.version,
    ansiQuotes: false,
    noBackslashEscapes: false,
  });
  let depth = 0;
  let why = tokens.length === 1 ? 'it is empty' : null;
  for (const { kind, text } of tokens) {
    if (kind === 'error') why ??= 'a text, name or comment in it does not end';
    if (kind !== 'punctuation') continue;
    if (text === ';') why ??= 'it holds a semicolon';
    if (text === '(') depth++;
    if (text === ')' && --depth < 0) why ??= 'it has more closing parentheses than opening ones';
  }
  if (depth > 0) why ??= 'it has more opening parentheses than closing ones';
  if (where.includes('\0')) why ??= 'it holds a zero character';
  if (why !== null) throw conditionInvalid(table, why);
}

export function conditionInvalid({ database, table }: TableName, why: string): TidingsError {
  const name = `${database}.${table}`;
  return new TidingsError('SNAPSHOT_CONDITION_INVALID', `the condition for ${name} cannot be used: ${why}`, {
    details: { table: name },
  });
}
