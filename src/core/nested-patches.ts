import type { NestedKey, NestedPatch } from './sink.ts';

/** Why a document cannot be changed in parts. Names places, never values (I10). */
export class DocumentUnfit extends Error {
  override readonly name: string = 'DocumentUnfit';
}

/**
 * A column's document with these changes made to it, in order; null: there is none, and none came of it. What no change touches stays as it is, character
 * by character: no number loses a digit.
 *
 * @throws DocumentUnfit when the text is no JSON, or something on the way to a place is neither missing nor of the kind that the way goes through
 */
export function applyNestedPatches(document: string | null, patches: readonly NestedPatch[]): string | null {
  if (document !== null) checkJson(document);
  let text = document ?? undefined;
  for (const patch of patches) {
    const [column, ...members] = patch.path;
    text = changeAt(text, members, { at: column, change: (part) => changed(part, patch) });
  }
  return text ?? null;
}

/** A part's text after a change; undefined: there is no such part. */
type Part = string | undefined;

function changed(part: Part, patch: NestedPatch): Part {
  switch (patch.kind) {
    case 'set':
      return patch.value ?? undefined;
    case 'put':
      return putElement(part, patch);
    case 'remove': {
      if (part === undefined) return undefined;
      const elements = elementsAt(part, patch.path);
      const isIt = matching(patch.key);
      const kept = elements.filter((element) => !isIt(element));
      return kept.length === elements.length ? part : `[${kept.join(', ')}]`;
    }
  }
}

function putElement(part: Part, { path, key, element }: NestedPatch & { readonly kind: 'put' }): string {
  const elements = part === undefined ? [] : elementsAt(part, path);
  const isIt = matching(key);
  const at = elements.findIndex(isIt);
  if (at < 0) return `[${[...elements, element].join(', ')}]`;
  return `[${elements.flatMap((each, i) => (i === at ? element : isIt(each) ? [] : each)).join(', ')}]`;
}

function elementsAt(part: string, path: readonly string[]): readonly string[] {
  return elementsOf(part) ?? unfit(`the document has no list at ${path.join('.')}`);
}

/** Changes what is under the members' names, and makes the objects on the way that are missing. */
function changeAt(
  part: Part,
  [name, ...members]: readonly string[],
  { at, change }: { readonly at: string; readonly change: (part: Part) => Part },
): Part {
  if (name === undefined) return change(part);
  const found = part === undefined ? [] : (membersOf(part) ?? unfit(`the document has no object at ${at}`));
  // Of members with one name, which only a text can have, the last one counts.
  const old = found.findLast((member) => member.name === name)?.value;
  const value = changeAt(old, members, { at: `${at}.${name}`, change });
  if (value === old) return part;
  const isThere = old !== undefined && value !== undefined;
  let written = false;
  const texts = found.flatMap((member) => {
    if (member.name !== name) return `${JSON.stringify(member.name)}: ${member.value}`;
    if (!isThere || written) return [];
    written = true;
    return `${JSON.stringify(name)}: ${value}`;
  });
  if (value !== undefined && !isThere) texts.push(`${JSON.stringify(name)}: ${value}`);
  return `{${texts.join(', ')}}`;
}

/** Whether an element has these members. One that is left out is NULL. */
function matching(key: NestedKey): (element: string) => boolean {
  const wanted = Object.entries(key).map(([name, text]) => [name, comparable(text)] as const);
  return (element) => {
    const members = membersOf(element);
    if (members === null) return false;
    return wanted.every(([name, text]) => {
      const value = members.findLast((member) => member.name === name)?.value;
      return comparable(value ?? 'null') === text;
    });
  };
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/;

/** One text for all texts of one value: stores write numbers, escapes and spaces in their own ways. */
function comparable(text: string): string {
  const members = membersOf(text);
  if (members !== null) {
    const texts = members.map(({ name, value }) => `${JSON.stringify(name)}:${comparable(value)}`);
    return `{${texts.toSorted().join()}}`;
  }
  const elements = elementsOf(text);
  if (elements !== null) return `[${elements.map(comparable).join()}]`;
  if (text.startsWith('"')) return JSON.stringify(JSON.parse(text));
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  if (whole === '') return text;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const short = digits.replace(/0+$/, '');
  return short === '' ? '0' : `${sign}${short}e${Number(exponent) - fraction.length + digits.length - short.length}`;
}

// Documents are taken apart one level at a time, into the texts of their parts. They are known to be JSON.

interface Member {
  readonly name: string;
  readonly value: string;
}

/** Null for what is no object. */
function membersOf(text: string): readonly Member[] | null {
  const start = skipSpace(text, 0);
  if (text[start] !== '{') return null;
  const members: Member[] = [];
  for (let at = skipSpace(text, start + 1); text[at] === '"';) {
    const nameEnd = endOfString(text, at);
    const from = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const end = endOfValue(text, from);
    members.push({ name: JSON.parse(text.slice(at, nameEnd)) as string, value: text.slice(from, end) });
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return members;
}

/** Null for what is no list. */
function elementsOf(text: string): readonly string[] | null {
  const start = skipSpace(text, 0);
  if (text[start] !== '[') return null;
  const elements: string[] = [];
  for (let at = skipSpace(text, start + 1); at < text.length && text[at] !== ']';) {
    const end = endOfValue(text, at);
    elements.push(text.slice(at, end));
    at = skipSpace(text, end);
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return elements;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\t' || text[at] === '\r') at++;
  return at;
}

/** Behind the quote that ends the string. */
function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length;) {
    const character = text[at];
    if (character === '"') {
      at = endOfString(text, at);
      if (depth === 0) return at;
      continue;
    }
    if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') {
      // What a number, true, false or null ends at belongs to what they are in.
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (character === ',' || character === ' ' || character === '\n')) return at;
    else if (depth === 0 && (character === '\t' || character === '\r')) return at;
    at++;
  }
  return text.length;
}

function checkJson(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    unfit('the document is no JSON');
  }
}

function unfit(reason: string): never {
  throw new DocumentUnfit(reason);
}
