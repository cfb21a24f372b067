/** A string of a JSON text, and whether it is a key. */
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g;

/**
 * Whether an object in the JSON text has one key twice: of those `JSON.parse` keeps the last and forgets the others, so that there are fewer in what it
 * made of the text than were written.
 */
export function hasRepeatedKeys(text: string, parsed: unknown): boolean {
  let written = 0;
  for (const [, colon] of text.matchAll(STRING)) if (colon !== undefined) written++;
  return written !== keysOf(parsed);
}

/** Without recursion: a text may be as deep as it is long. */
function keysOf(parsed: unknown): number {
  let keys = 0;
  const left: unknown[] = [parsed];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== 'object' || value === null) continue;
    const inner: unknown[] = Object.values(value);
    if (!Array.isArray(value)) keys += inner.length;
    for (const each of inner) left.push(each);
  }
  return keys;
}
