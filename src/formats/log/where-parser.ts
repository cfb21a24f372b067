import { conditionError, type Keyword, lexWhere, type WhereToken } from './where-lexer.ts';

/** A condition on the values of a row, as docs/reference/filters.md describes it. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }
  | ValueTest;

/** What is asked of one column's value. `at` of a column is where it stands in the condition, counted from 0. */
export type ValueTest =
  | { readonly kind: 'compare'; readonly column: ColumnName; readonly sign: Comparison; readonly literal: Literal }
  | { readonly kind: 'in'; readonly column: ColumnName; readonly literals: readonly Literal[] }
  | { readonly kind: 'like'; readonly column: ColumnName; readonly literal: Literal }
  | { readonly kind: 'null'; readonly column: ColumnName };

export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>=';

export interface ColumnName {
  readonly name: string;
  readonly at: number;
}

export type Literal =
  | { readonly kind: 'number'; readonly text: string; readonly at: number }
  | { readonly kind: 'string'; readonly text: string; readonly at: number }
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly at: number };

/** Parentheses and `not`s within each other. */
const DEPTH_MAX = 50;
const LIST_LENGTH_MAX = 1000;

/**
 *     condition   := all { OR all }
 *     all         := one { AND one }
 *     one         := NOT one | '(' condition ')' | column test
 *     test        := sign literal | [NOT] IN '(' literal { ',' literal } ')' | [NOT] LIKE string
 *                  | [NOT] BETWEEN literal AND literal | IS [NOT] NULL
 *     sign        := '=' | '!=' | '<>' | '<' | '<=' | '>' | '>='
 *     literal     := number | string | x'hexadecimal digits' | TRUE | FALSE
 *
 * @throws TidingsError CONFIG_INVALID naming the place
 */
export function parseWhere(text: string): Condition {
  return new Parser(lexWhere(text)).condition();
}

class Parser {
  readonly #tokens: readonly WhereToken[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly WhereToken[]) {
    this.#tokens = tokens;
  }

  condition(): Condition {
    const condition = this.#any();
    const rest = this.#token();
    if (rest.kind !== 'end') throw this.#unexpected('"and", "or" or the end');
    return condition;
  }

  #any(): Condition {
    const parts = [this.#all()];
    while (this.#takeWord('OR')) parts.push(this.#all());
    return parts.length === 1 ? (parts[0] as Condition) : { kind: 'or', parts };
  }

  #all(): Condition {
    const parts = [this.#one()];
    while (this.#takeWord('AND')) parts.push(this.#one());
    return parts.length === 1 ? (parts[0] as Condition) : { kind: 'and', parts };
  }

  #one(): Condition {
    const { at } = this.#token();
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw conditionError('it is nested too deeply', at, `At most ${DEPTH_MAX} levels.`);
    let condition: Condition;
    if (this.#takeWord('NOT')) condition = { kind: 'not', part: this.#one() };
    else if (this.#takeSign('(')) {
      condition = this.#any();
      this.#expectSign(')');
    } else condition = this.#test();
    this.#depth -= 1;
    return condition;
  }

  #test(): Condition {
    const column = this.#column();
    if (this.#takeWord('IS')) {
      const negated = this.#takeWord('NOT');
      if (!this.#takeWord('NULL')) throw this.#unexpected('"null"');
      return inverted({ kind: 'null', column }, negated);
    }
    const negated = this.#takeWord('NOT');
    if (this.#takeWord('IN')) return inverted({ kind: 'in', column, literals: this.#list() }, negated);
    if (this.#takeWord('LIKE')) return inverted({ kind: 'like', column, literal: this.#literal() }, negated);
    if (this.#takeWord('BETWEEN')) {
      const low = this.#literal();
      if (!this.#takeWord('AND')) throw this.#unexpected('"and" and the upper bound');
      const high = this.#literal();
      const parts = [
        { kind: 'compare', column, sign: '>=', literal: low },
        { kind: 'compare', column, sign: '<=', literal: high },
      ] as const;
      return inverted({ kind: 'and', parts }, negated);
    }
    if (negated) throw this.#unexpected('"in", "like" or "between"');
    return { kind: 'compare', column, sign: this.#comparison(), literal: this.#literal() };
  }

  #column(): ColumnName {
    const token = this.#token();
    if (token.kind !== 'name') throw this.#unexpected('the name of a column');
    this.#next += 1;
    return { name: token.text, at: token.at };
  }

  #comparison(): Comparison {
    const token = this.#token();
    const sign = token.kind === 'sign' ? COMPARISONS.get(token.text) : undefined;
    if (sign === undefined) throw this.#unexpected('a comparison: =, <>, <, <=, >, >=, in, like, between or is null');
    this.#next += 1;
    return sign;
  }

  #list(): Literal[] {
    this.#expectSign('(');
    const literals = [this.#literal()];
    while (this.#takeSign(',')) {
      if (literals.length === LIST_LENGTH_MAX) {
        throw conditionError('a list is too long', this.#token().at, `A list has at most ${LIST_LENGTH_MAX} values.`);
      }
      literals.push(this.#literal());
    }
    this.#expectSign(')');
    return literals;
  }

  #literal(): Literal {
    const token = this.#token();
    this.#next += 1;
    switch (token.kind) {
      case 'number':
      case 'string':
      case 'bytes':
        return token;
      case 'word':
        // As in SQL: the numbers 1 and 0.
        if (token.text === 'TRUE') return { kind: 'number', text: '1', at: token.at };
        if (token.text === 'FALSE') return { kind: 'number', text: '0', at: token.at };
        if (token.text === 'NULL') {
          throw conditionError('nothing equals null', token.at, 'Write "is null" or "is not null".');
        }
        break;
      default:
        break;
    }
    this.#next -= 1;
    if (token.kind === 'name') {
      throw conditionError(
        'a column stands where a value is expected',
        token.at,
        'Columns are compared with values, not with each other, and stand on the left. Strings stand in single quotes.',
      );
    }
    throw this.#unexpected('a value');
  }

  #token(): WhereToken {
    return this.#tokens[this.#next] as WhereToken;
  }

  #takeWord(word: Keyword): boolean {
    const token = this.#token();
    if (token.kind !== 'word' || token.text !== word) return false;
    this.#next += 1;
    return true;
  }

  #takeSign(sign: string): boolean {
    const token = this.#token();
    if (token.kind !== 'sign' || token.text !== sign) return false;
    this.#next += 1;
    return true;
  }

  #expectSign(sign: string): void {
    if (!this.#takeSign(sign)) throw this.#unexpected(`"${sign}"`);
  }

  /** Says what is there, but for values: they may be somebody's data (I10). */
  #unexpected(expected: string): Error {
    const token = this.#token();
    const found = describe(token);
    const hint =
      token.kind === 'word' && expected === 'the name of a column'
        ? 'A column of that name is written in backticks.'
        : undefined;
    return conditionError(`expected ${expected}, found ${found}`, token.at, hint);
  }
}

const COMPARISONS: ReadonlyMap<string, Comparison> = new Map([
  ['=', '='],
  ['!=', '<>'],
  ['<>', '<>'],
  ['<', '<'],
  ['<=', '<='],
  ['>', '>'],
  ['>=', '>='],
]);

function inverted(condition: Condition, negated: boolean): Condition {
  return negated ? { kind: 'not', part: condition } : condition;
}

function describe(token: WhereToken): string {
  switch (token.kind) {
    case 'end':
      return 'the end';
    case 'name':
    case 'sign':
      return `"${token.text}"`;
    case 'word':
      return `"${token.text.toLowerCase()}"`;
    case 'number':
      return 'a number';
    case 'string':
      return 'a string';
    case 'bytes':
      return 'bytes';
  }
}
