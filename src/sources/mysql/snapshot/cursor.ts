import { TidingsError } from '../../../core/errors.ts';
import type { TableName } from './names.ts';

/**
 * Where the next chunk of a table begins, as a text that outlives the process: the key as it was (`keySignature`), and the last row's
 * values as SQL literals.
 *
 *     {"key":["`id` integer"],"after":["42"]}
 */
export function cursorText(key: readonly string[], after: readonly string[]): string {
  return JSON.stringify({ key, after });
}

/**
 * The literals of a cursor. It comes from somebody's storage: nothing but literals is let through to the server.
 *
 * @param key the key's signature as it is now
 * @throws TidingsError SNAPSHOT_CURSOR_INVALID
 */
export function parseCursor(text: string, key: readonly string[], { database, table }: TableName): readonly string[] {
  const name = `${database}.${table}`;
  const invalid = (why: string): TidingsError =>
    new TidingsError('SNAPSHOT_CURSOR_INVALID', `the snapshot of ${name} cannot go on: ${why}`, {
      details: { table: name },
    });
  const cursor = parseJson(text);
  if (cursor === null || !isTexts(cursor.key) || !isTexts(cursor.after)) throw invalid('its place is damaged');
  if (JSON.stringify(cursor.key) !== JSON.stringify(key)) throw invalid("the table's key is another one now");
  if (cursor.after.length !== key.length || !cursor.after.every(isLiteral)) {
    throw invalid('its place is damaged');
  }
  return cursor.after;
}

function parseJson(text: string): { readonly key?: unknown; readonly after?: unknown } | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** The forms of `TextRowViews.keyLiterals`, and nothing else. */
const LITERALS: readonly RegExp[] = [
  /^-?\d+(?:\.\d+)?(?:e[-+]?\d+)?$/i, // numbers, also of BIT, ENUM and SET
  /^'[-0-9a-f:. ]+'$/i, // dates and times, addresses, UUIDs
  /^_[a-z0-9]+ X'(?:[0-9a-f]{2})*'$/i, // texts and bytes
];

function isLiteral(text: string): boolean {
  return LITERALS.some((form) => form.test(text));
}
