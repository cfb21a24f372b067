import { expressionError } from '../faults.ts';

/** A piece of an expression. `at` is where it begins, counted in characters from 0. */
export type Token =
  | { readonly kind: 'name'; readonly text: string; readonly isQuoted: boolean; readonly at: number }
  /** Upper case. */
  | { readonly kind: 'word'; readonly text: Keyword; readonly at: number }
  | { readonly kind: 'number'; readonly text: string; readonly at: number }
  | { readonly kind: 'string'; readonly text: string; readonly at: number }
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly at: number }
  | { readonly kind: 'sign'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly at: number };

export type Keyword =
  | ('AND' | 'OR' | 'NOT' | 'IN' | 'LIKE' | 'IS' | 'NULL' | 'BETWEEN' | 'TRUE' | 'FALSE')
  | ('CASE' | 'WHEN' | 'THEN' | 'ELSE' | 'END' | 'CAST' | 'AS');

const KEYWORDS: readonly Keyword[] = [
  ...(['AND', 'OR', 'NOT', 'IN', 'LIKE', 'IS', 'NULL', 'BETWEEN', 'TRUE', 'FALSE'] as const),
  ...(['CASE', 'WHEN', 'THEN', 'ELSE', 'END', 'CAST', 'AS'] as const),
];

/** In UTF-8, as for a condition. */
const EXPRESSION_BYTES_MAX = 4096;

/** Each at the place where the last match ended. None of them can take more than linear time. */
const SPACE = /[ \t\r\n]+/y;
const BYTES = /[xX]'((?:[0-9a-fA-F]{2})*)'/y;
const WORD = /[\p{L}_$][\p{L}\p{M}\p{N}_$]*/uy;
const QUOTED_NAME = /`((?:[^`]|``)+)`/y;
/** Without a sign: that is an operator. */
const NUMBER = /(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y;
const STRING = /'((?:[^']|'')*)'/y;
const SIGN = /<>|!=|<=|>=|[=<>(),+\-*/]/y;

/** @throws TidingsError MAPPING_INVALID naming the place */
export function lexExpression(text: string): Token[] {
  if (Buffer.byteLength(text) > EXPRESSION_BYTES_MAX) {
    throw expressionError('the expression is too long', 0, `An expression has at most ${EXPRESSION_BYTES_MAX} bytes.`);
  }
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at += found[0].length;
    return found;
  };
  for (;;) {
    take(SPACE);
    const start = at;
    if (start === text.length) return [...tokens, { kind: 'end', at: start }];
    const token = nextToken(take, start);
    if (token === null) {
      const character = String.fromCodePoint(text.codePointAt(start) ?? 0);
      throw expressionError(`"${character}" is not understood`, start, CHARACTER_HINTS[character]);
    }
    tokens.push(token);
  }
}

function nextToken(take: (pattern: RegExp) => RegExpExecArray | null, at: number): Token | null {
  let found = take(BYTES);
  if (found !== null) return { kind: 'bytes', bytes: Buffer.from(found[1] ?? '', 'hex'), at };
  found = take(WORD);
  if (found !== null) return word(found[0], at);
  found = take(QUOTED_NAME);
  if (found !== null) return { kind: 'name', text: (found[1] ?? '').replaceAll('``', '`'), isQuoted: true, at };
  found = take(NUMBER);
  if (found !== null) return { kind: 'number', text: found[0], at };
  found = take(STRING);
  if (found !== null) return { kind: 'string', text: (found[1] ?? '').replaceAll("''", "'"), at };
  found = take(SIGN);
  return found === null ? null : { kind: 'sign', text: found[0], at };
}

function word(text: string, at: number): Token {
  const keyword = KEYWORDS.find((known) => known === text.toUpperCase());
  return keyword === undefined ? { kind: 'name', text, isQuoted: false, at } : { kind: 'word', text: keyword, at };
}

const CHARACTER_HINTS: Readonly<Record<string, string>> = {
  '"': 'Strings stand in single quotes, names of columns in backticks.',
  "'": 'The string has no end: a quote within it is doubled.',
  '`': 'The name has no end, or is empty: a backtick within it is doubled.',
  ';': 'An expression is a single one.',
  '.': 'A column is written without its table.',
  '|': 'Texts are joined with concat(a, b).',
  '%': 'A remainder is mod(a, b).',
};
