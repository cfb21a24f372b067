import { corruptJson } from './json-layout.ts';

/** One step of a path: into the member of an object, or to an element of an array, counted from its start or from its last element. */
export type PathLeg =
  | { readonly kind: 'member'; readonly name: Buffer }
  | { readonly kind: 'element'; readonly index: number; readonly fromEnd: boolean };

const DOLLAR = 0x24;
const DOT = 0x2e;
const BRACKET = 0x5b;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NAME_ENDS: ReadonlySet<number> = new Set([DOT, BRACKET, QUOTE, BACKSLASH, 0x20, 0x2a]);
const ESCAPE = /\\(?:["\\/bfnrt]|u00[0-7][0-9a-fA-F])/g;
const ELEMENT = /^\[(?:(\d{1,10})|last(?:-(\d{1,10}))?)\]/;

/**
 * Reads a path as the server writes it into a JSON diff (MySQL source, sql-common/json_path.cc, to_string): `$.name`, `$."any name"` with
 * the escapes of a JSON string, `$[3]`, `$[last]`, `$[last-2]`, and so on. Wildcards and ranges never occur in a diff.
 *
 * @throws TidingsError BINLOG_CORRUPT
 */
export function parseJsonPath(path: Buffer): readonly PathLeg[] {
  if (path[0] !== DOLLAR) throw corruptJson('a path that does not start with $', 0);
  const legs: PathLeg[] = [];
  let at = 1;
  while (at < path.length) {
    if (path[at] === BRACKET) {
      const match = ELEMENT.exec(path.toString('latin1', at, at + 20));
      if (match === null) throw corruptJson('a path with an unknown array index', at);
      legs.push({ kind: 'element', index: Number(match[1] ?? match[2] ?? 0), fromEnd: match[1] === undefined });
      at += match[0].length;
    } else if (path[at] === DOT) {
      const end = path[at + 1] === QUOTE ? quotedEnd(path, at + 1) : plainEnd(path, at + 1);
      const name = path[at + 1] === QUOTE ? unquote(path.subarray(at + 1, end), at + 1) : path.subarray(at + 1, end);
      legs.push({ kind: 'member', name });
      at = end;
    } else {
      throw corruptJson('a path with an unknown step', at);
    }
  }
  return legs;
}

/** Where an unquoted name ends: it is an identifier, and the server writes no white space. */
function plainEnd(path: Buffer, start: number): number {
  let end = start;
  while (end < path.length && !NAME_ENDS.has(path[end] ?? DOT)) end++;
  if (end === start) throw corruptJson('a path with an empty name', start);
  return end;
}

function quotedEnd(path: Buffer, start: number): number {
  for (let at = start + 1; at < path.length; at++) {
    if (path[at] === BACKSLASH) at++;
    else if (path[at] === QUOTE) return at + 1;
  }
  throw corruptJson('a path with an unfinished name', start);
}

/** The bytes that a JSON string stands for. The server escapes nothing but ASCII in a path. */
function unquote(quoted: Buffer, at: number): Buffer {
  if (!quoted.includes(BACKSLASH)) return quoted.subarray(1, -1);
  // Latin-1 keeps every byte apart, so that whatever is not escaped stays as it is.
  const text = quoted.toString('latin1');
  if (text.replace(ESCAPE, '').includes('\\')) throw corruptJson('a path with an unknown escape', at);
  const name = text.slice(1, -1).replace(ESCAPE, (escape) => String(JSON.parse(`"${escape}"`)));
  return Buffer.from(name, 'latin1');
}
