/** Texts are counted and cut in characters (code points), never inside one. */

const SURROGATE = /[\ud800-\udfff]/;

export function characterCount(text: string): number {
  if (!SURROGATE.test(text)) return text.length;
  let count = 0;
  for (let at = 0; at < text.length; count++) at += width(text, at);
  return count;
}

/** `count` characters from the one with this index (counted from 0). */
export function characters(text: string, from: number, count: number): string {
  if (!SURROGATE.test(text)) return text.slice(from, from + count);
  const start = offsetOf(text, 0, from);
  return text.slice(start, offsetOf(text, start, count));
}

/** Where the character that is `count` further than the one at `from` begins. */
function offsetOf(text: string, from: number, count: number): number {
  let at = from;
  for (let i = 0; i < count && at < text.length; i++) at += width(text, at);
  return at;
}

function width(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}
