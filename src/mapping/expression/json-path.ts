import { fault } from '../faults.ts';

/** Where a value stands in a JSON document: names of members and indexes of elements. */
export type JsonPath = readonly (string | number)[];

const STEP = /(?:^|\.)(?:([\p{L}_$][\p{L}\p{N}_$-]*)|"((?:[^"\\]|\\.)*)")|\[([0-9]{1,9})\]/uy;

/** `a.b[0]."odd name"`, with or without `$.` before it; null when it is none. */
export function parseJsonPath(text: string): JsonPath | null {
  const steps: (string | number)[] = [];
  const body = text.replace(/^\$(?=\.|\[|$)\.?/, '');
  STEP.lastIndex = 0;
  for (let at = 0; at < body.length; at = STEP.lastIndex) {
    const found = STEP.exec(body);
    if (found === null) return null;
    const [, name, quoted, index] = found;
    if (index !== undefined) steps.push(Number(index));
    else if (name !== undefined) steps.push(name);
    else {
      try {
        steps.push(JSON.parse(`"${quoted}"`) as string);
      } catch {
        return null;
      }
    }
  }
  return steps.length === 0 ? null : steps;
}

/**
 * The text of the value at the path, as it stands in the document, so that no number is rounded; null when there is none. Only what lies before it is
 * looked at.
 *
 * @throws ValueFault when the text is found to be no document
 */
export function jsonAt(text: string, path: JsonPath): string | null {
  let at = skipSpace(text, 0);
  for (const step of path) {
    const next = typeof step === 'string' ? memberAt(text, at, step) : elementAt(text, at, step);
    if (next < 0) return null;
    at = next;
  }
  return text.slice(at, valueEnd(text, at));
}

/** Where the value of the member begins; -1 when the value at `at` is no object, or has no such member. The last one of a name counts. */
function memberAt(text: string, at: number, name: string): number {
  if (text[at] !== '{') return -1;
  let found = -1;
  let p = skipSpace(text, at + 1);
  if (text[p] === '}') return -1;
  for (;;) {
    const end = stringEnd(text, p);
    const isIt = isName(text.slice(p, end), name);
    p = skipSpace(text, end);
    if (text[p] !== ':') noDocument();
    p = skipSpace(text, p + 1);
    if (isIt) found = p;
    p = skipSpace(text, valueEnd(text, p));
    if (text[p] === '}') return found;
    if (text[p] !== ',') noDocument();
    p = skipSpace(text, p + 1);
  }
}

function isName(quoted: string, name: string): boolean {
  if (!quoted.includes('\\')) return quoted.length === name.length + 2 && quoted.startsWith(name, 1);
  return unquoted(quoted) === name;
}

function elementAt(text: string, at: number, index: number): number {
  if (text[at] !== '[') return -1;
  let p = skipSpace(text, at + 1);
  if (text[p] === ']') return -1;
  for (let i = 0; i < index; i++) {
    p = skipSpace(text, valueEnd(text, p));
    if (text[p] === ']') return -1;
    if (text[p] !== ',') noDocument();
    p = skipSpace(text, p + 1);
  }
  return p;
}

/** Behind the value that begins at `at`. Brackets are counted, not matched: the database has checked its documents. */
function valueEnd(text: string, at: number): number {
  const first = text[at];
  if (first === '"') return stringEnd(text, at);
  let p = at;
  if (first !== '{' && first !== '[') {
    while (p < text.length && !',]} \t\r\n'.includes(text[p] as string)) p++;
    return p === at ? noDocument() : p;
  }
  let depth = 0;
  while (p < text.length) {
    const character = text[p] as string;
    if (character === '"') {
      p = stringEnd(text, p);
      continue;
    }
    if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    p++;
    if (depth === 0) return p;
  }
  return noDocument();
}

function stringEnd(text: string, at: number): number {
  if (text[at] !== '"') noDocument();
  for (let p = text.indexOf('"', at + 1); p >= 0; p = text.indexOf('"', p + 1)) {
    let before = p;
    while (text[before - 1] === '\\') before--;
    if ((p - before) % 2 === 0) return p + 1;
  }
  return noDocument();
}

function skipSpace(text: string, at: number): number {
  let p = at;
  while (p < text.length && ' \t\r\n'.includes(text[p] as string)) p++;
  return p;
}

/** A scalar as text: a string without its quotes, everything else as it stands. NULL for JSON's null. */
export function scalarText(json: string): string | null {
  if (json === 'null') return null;
  return json.startsWith('"') ? unquoted(json) : json;
}

function unquoted(json: string): string {
  try {
    return JSON.parse(json) as string;
  } catch {
    return noDocument();
  }
}

function noDocument(): never {
  return fault('the text is no JSON document');
}
