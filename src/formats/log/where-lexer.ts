import { TidingsError } from '../../core/errors.ts';

/** A piece of a `where`. `at` is where it begins, counted in characters from 0. */
export type WhereToken =
  | { readonly kind: 'name'; readonly text: string; readonly at: number }
  /** Upper case. */
  | { readonly kind: 'word'; readonly text: Keyword; readonly at: number }
  | { readonly kind: 'number'; readonly text: string; readonly at: number }
  | { readonly kind: 'string'; readonly text: string; readonly at: number }
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly at: number }
  | { readonly kind: 'sign'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly at: number };

const KEYWORDS = ['AND', 'OR', 'NOT', 'IN', 'LIKE', 'IS', 'NULL', 'BETWEEN', 'TRUE', 'FALSE'] as const;
export type Keyword = (typeof KEYWORDS)[number];

/** In UTF-8. */
const EXPRESSION_BYTES_MAX = 4096;

/** Each at the place where the last match ended. None of them can take more than linear time. */
const SPACE = /[ \t\r\n]+/y;
const BYTES = /[xX]'((?:[0-9a-fA-F]{2})*)'/y;
const WORD = /[\p{L}_$][\p{L}\p{M}\p{N}_$]*/uy;
const QUOTED_NAME = /`((?:[^`]|``)+)`/y;
const NUMBER = /[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y;
const STRING = /'((?:[^']|'')*)'/y;
const SIGN = /<>|!=|<=|>=|[=<>(),]/y;

/** @throws TidingsError CONFIG_INVALID naming the place */
export function lexWhere(text: string): WhereToken[] {
  const bytes = Buffer.byteLength(text);
  if (bytes > EXPRESSION_BYTES_MAX) {
    throw new TidingsError('CONFIG_INVALID', `a condition has ${bytes} bytes`, {
      hint: `A condition has at most ${EXPRESSION_BYTES_MAX} bytes.`,
      details: { bytes },
    });
  }
  const tokens: WhereToken[] = [];
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
    if (token === null) throw unexpectedCharacter(text, start);
    tokens.push(token);
  }
}

function nextToken(take: (pattern: RegExp) => RegExpExecArray | null, at: number): WhereToken | null {
  let found = take(BYTES);
  if (found !== null) return { kind: 'bytes', bytes: Buffer.from(found[1] ?? '', 'hex'), at };
  found = take(WORD);
  if (found !== null) return word(found[0], at);
  found = take(QUOTED_NAME);
  if (found !== null) return { kind: 'name', text: (found[1] ?? '').replaceAll('``', '`'), at };
  found = take(NUMBER);
  if (found !== null) return { kind: 'number', text: found[0], at };
  found = take(STRING);
  if (found !== null) return { kind: 'string', text: (found[1] ?? '').replaceAll("''", "'"), at };
  found = take(SIGN);
  return found === null ? null : { kind: 'sign', text: found[0], at };
}

function word(text: string, at: number): WhereToken {
  const keyword = KEYWORDS.find((known) => known === text.toUpperCase());
  return keyword === undefined ? { kind: 'name', text, at } : { kind: 'word', text: keyword, at };
}

const CHARACTER_HINTS: Readonly<Record<string, string>> = {
  '"': 'Strings stand in single quotes, names of columns in backticks.',
  "'": 'The string has no end: a quote within it is doubled.',
  '`': 'The name has no end, or is empty: a backtick within it is doubled.',
  ';': 'A condition is a single expression.',
  '.': 'A column is written without its table.',
};

function unexpectedCharacter(text: string, at: number): TidingsError {
  const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
  return conditionError(`"${character}" is not understood`, at, CHARACTER_HINTS[character]);
}

/** @param at where in the condition, counted from 0; people count from 1 */
export function conditionError(what: string, at: number, hint?: string): TidingsError {
  return new TidingsError('CONFIG_INVALID', `${what}, at character ${at + 1} of the condition`, {
    hint: hint ?? "A condition looks like this: status = 'paid' and (amount >= 100 or note is null).",
    details: { character: at + 1 },
  });
}
