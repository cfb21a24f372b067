import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { ConfigMistake, ConfigPath } from './mistake.ts';

export interface YamlTree {
  readonly value: unknown;
  /** What keeps it from being read as YAML. Nothing else is worth looking at then. */
  readonly mistakes: readonly ConfigMistake[];
  /** What is YAML and yet would not mean what it says: told with everything else that is wrong. */
  readonly misleading: readonly Misleading[];
  /** Where the key or list item of a path stands, or the nearest one above it that is there. */
  readonly locate: (path: ConfigPath) => TextPlace | null;
}

export interface Misleading {
  readonly path: ConfigPath;
  readonly message: string;
}

export interface TextPlace {
  readonly line: number;
  readonly column: number;
}

/** In words of our own: the parser's messages quote the file, which may hold secrets (I10). */
const SYNTAX: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'there is no anchor for this alias',
  BAD_DQ_ESCAPE: 'a double-quoted text has an escape that YAML does not know: use single quotes, or \\\\',
  BAD_INDENT: 'the indentation does not fit, or a bracket above is not closed',
  BAD_SCALAR_START: 'a text cannot begin with this character: put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a map begins on the line of its key: put it on lines of its own, indented (or in {})',
  BLOCK_IN_FLOW: 'between {} or [] everything must be written in that style',
  MISSING_CHAR: 'a quote, a bracket, a comma or a colon is missing here',
  MULTILINE_IMPLICIT_KEY: 'a key goes over several lines, or its colon is missing',
  MULTIPLE_DOCS: 'the file has more than one document: only one is read',
  TAB_AS_INDENT: 'a tab stands in the indentation: YAML wants spaces',
  TAG_RESOLVE_FAILED: 'the file uses a tag that a configuration has no use for',
  UNEXPECTED_TOKEN: 'this cannot stand here',
};

/** Parses a YAML 1.2 document. Duplicate keys, tags and several documents are mistakes. */
export function readYaml(text: string): YamlTree {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const place = (offset: number): TextPlace => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const mistakes: ConfigMistake[] = [];
  for (const { code, pos } of [...document.errors, ...document.warnings]) {
    const isDuplicate = code === 'DUPLICATE_KEY';
    const message = isDuplicate ? `the key ${keyAt(text, pos[0])} is given twice` : syntaxText(code, text, pos[0]);
    mistakes.push({ path: [], message, ...place(pos[0]) });
    // What the parser stumbles over behind the first slip mostly follows from it.
    if (!isDuplicate) break;
  }
  if (mistakes.length > 0) return { value: undefined, mistakes, misleading: [], locate: () => null };
  try {
    return {
      value: document.toJS(),
      mistakes: [],
      misleading: misleadingIn(document.contents, []),
      locate: (path) => {
        const offset = offsetOf(document, path);
        return offset === null ? null : place(offset);
      },
    };
  } catch {
    // An alias without an anchor, or so many aliases of aliases that they would fill the memory.
    const message = 'the aliases of the file cannot be resolved, or are too many';
    return {
      value: undefined,
      mistakes: [{ path: [], message, line: null, column: null }],
      misleading: [],
      locate: () => null,
    };
  }
}

/** Numbers that a double would round, and keys that are different to YAML (1 and "1") and the same to us: the second would replace the first. */
function misleadingIn(node: unknown, path: ConfigPath): readonly Misleading[] {
  if (isSeq(node)) return node.items.flatMap((item, index) => misleadingIn(item, [...path, index]));
  if (isMap(node)) {
    const known = new Set<string>();
    return node.items.flatMap(({ key, value }) => {
      const name = isScalar(key) ? String(key.value) : '';
      const isTwice = isScalar(key) && known.has(name);
      known.add(name);
      const here = [...path, name];
      return [...(isTwice ? [{ path: here, message: 'is given twice' }] : []), ...misleadingIn(value, here)];
    });
  }
  if (!isScalar(node) || typeof node.value !== 'number' || isExact(node.value, node.source ?? '')) return [];
  // Not the digits: it may be a token that lacks its quotes (I10).
  return [{ path, message: 'is a number with more digits, or larger, than can be kept exactly: put it in quotes' }];
}

function isExact(value: number, source: string): boolean {
  const decimal = digitsOf(source);
  // `.inf` and `.nan` are written as what they are.
  return decimal === null ? Number.isSafeInteger(value) || !/\d/.test(source) : decimal === digitsOf(String(value));
}

/** A decimal number without what can be written in several ways: its digits from the first to the last that is not 0, and their power of ten. */
function digitsOf(text: string): string | null {
  const [whole, sign = '', integer = '', fraction = '', power = '0'] =
    /^([-+]?)(\d*)\.?(\d*)(?:e([-+]?\d+))?$/i.exec(text) ?? [];
  if (whole === undefined) return null;
  const digits = `${integer}${fraction}`.replace(/^0+/, '');
  const shortest = digits.replace(/0+$/, '');
  if (shortest === '') return '0';
  const exponent = Number(power) - fraction.length + digits.length - shortest.length;
  return `${sign === '-' ? '-' : ''}${shortest}e${exponent}`;
}

function syntaxText(code: string, text: string, offset: number): string {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const [line = ''] = text.slice(lineStart).split('\n', 1);
  const hint = line.includes('${') ? ' (a text with ${…} inside of {} or [] stands in quotes)' : '';
  return `this is not YAML: ${SYNTAX[code] ?? code.toLowerCase().replaceAll('_', ' ')}${hint}`;
}

function keyAt(text: string, offset: number): string {
  const [key] = /^[\w.-]+/.exec(text.slice(offset)) ?? [];
  return key === undefined ? 'here' : `"${key}"`;
}

function offsetOf(document: Document, path: ConfigPath): number | null {
  let node: unknown = document.contents;
  let offset: number | null = null;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}
