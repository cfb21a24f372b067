import type { Comparison } from '../../formats/log/where-parser.ts';
import { expressionError } from '../faults.ts';
import { type CastType, parseCastType } from './cast-type.ts';
import { type Keyword, lexExpression, type Token } from './lexer.ts';
import type { ArithmeticSign, CaseBranch, Expression } from './syntax.ts';

/** Parentheses, calls, cases and `not`s within each other. */
const DEPTH_MAX = 50;
/** Values of a list, arguments of a call. */
const LIST_LENGTH_MAX = 1000;

/**
 *     expression := all { OR all }
 *     all        := one { AND one }
 *     one        := NOT one | sum [ test ]
 *     test       := sign sum | [NOT] IN '(' expression { ',' expression } ')' | [NOT] LIKE string
 *                 | [NOT] BETWEEN sum AND sum | IS [NOT] NULL
 *     sign       := '=' | '!=' | '<>' | '<' | '<=' | '>' | '>='
 *     sum        := product { ( '+' | '-' ) product }
 *     product    := unit { ( '*' | '/' ) unit }
 *     unit       := '-' unit | literal | column | name '(' [ expression { ',' expression } ] ')' | '(' expression ')'
 *                 | CASE [ expression ] WHEN expression THEN expression { WHEN … } [ ELSE expression ] END
 *                 | CAST '(' expression AS type ')'
 *     literal    := number | string | x'hexadecimal digits' | TRUE | FALSE | NULL
 *
 * @throws TidingsError MAPPING_INVALID naming the place
 */
export function parseExpression(text: string): Expression {
  return new Parser(lexExpression(text), text).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #text: string;
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], text: string) {
    this.#tokens = tokens;
    this.#text = text;
  }

  whole(): Expression {
    const expression = this.#any();
    if (this.#token().kind !== 'end') throw this.#unexpected('an operator or the end');
    return expression;
  }

  #any(): Expression {
    const { at } = this.#token();
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw expressionError('it is nested too deeply', at, `At most ${DEPTH_MAX} levels.`);
    const parts = [this.#all()];
    while (this.#takeWord('OR')) parts.push(this.#all());
    this.#depth -= 1;
    return parts.length === 1 ? (parts[0] as Expression) : { kind: 'or', parts, at };
  }

  #all(): Expression {
    const { at } = this.#token();
    const parts = [this.#one()];
    while (this.#takeWord('AND')) parts.push(this.#one());
    return parts.length === 1 ? (parts[0] as Expression) : { kind: 'and', parts, at };
  }

  #one(): Expression {
    const { at } = this.#token();
    if (!this.#takeWord('NOT')) return this.#test(this.#sum());
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw expressionError('it is nested too deeply', at, `At most ${DEPTH_MAX} levels.`);
    const operand = this.#one();
    this.#depth -= 1;
    return { kind: 'not', operand, at };
  }

  #test(left: Expression): Expression {
    const { at } = this.#token();
    if (this.#takeWord('IS')) {
      const isNegated = this.#takeWord('NOT');
      if (!this.#takeWord('NULL')) throw this.#unexpected('"null"');
      return inverted({ kind: 'isNull', operand: left, at }, isNegated);
    }
    const isNegated = this.#takeWord('NOT');
    if (this.#takeWord('IN')) {
      this.#expectSign('(');
      return inverted({ kind: 'in', left, list: this.#list(), at }, isNegated);
    }
    if (this.#takeWord('LIKE')) {
      const token = this.#token();
      if (token.kind !== 'string') throw this.#unexpected('a string');
      this.#next += 1;
      return inverted({ kind: 'like', left, pattern: token.text, at }, isNegated);
    }
    if (this.#takeWord('BETWEEN')) {
      const low = this.#sum();
      if (!this.#takeWord('AND')) throw this.#unexpected('"and" and the upper bound');
      const parts: Expression[] = [
        { kind: 'compare', sign: '>=', left, right: low, at },
        { kind: 'compare', sign: '<=', left, right: this.#sum(), at },
      ];
      return inverted({ kind: 'and', parts, at }, isNegated);
    }
    if (isNegated) throw this.#unexpected('"in", "like" or "between"');
    const token = this.#token();
    const sign = token.kind === 'sign' ? COMPARISONS.get(token.text) : undefined;
    if (sign === undefined) return left;
    this.#next += 1;
    return { kind: 'compare', sign, left, right: this.#sum(), at };
  }

  #sum(): Expression {
    let left = this.#product();
    for (;;) {
      const { at } = this.#token();
      const sign = this.#takeOneOf('+', '-');
      if (sign === null) return left;
      left = { kind: 'arithmetic', sign, left, right: this.#product(), at };
    }
  }

  #product(): Expression {
    let left = this.#unit();
    for (;;) {
      const { at } = this.#token();
      const sign = this.#takeOneOf('*', '/');
      if (sign === null) return left;
      left = { kind: 'arithmetic', sign, left, right: this.#unit(), at };
    }
  }

  #unit(): Expression {
    const token = this.#token();
    this.#next += 1;
    switch (token.kind) {
      case 'number':
      case 'string':
      case 'bytes':
        return token;
      case 'name':
        if (!token.isQuoted && this.#takeSign('(')) return this.#call(token.text.toLowerCase(), token.at);
        return { kind: 'column', name: token.text, at: token.at };
      case 'word':
        if (token.text === 'TRUE' || token.text === 'FALSE') {
          return { kind: 'boolean', value: token.text === 'TRUE', at: token.at };
        }
        if (token.text === 'NULL') return { kind: 'null', at: token.at };
        if (token.text === 'CASE') return this.#case(token.at);
        if (token.text === 'CAST') return this.#cast(token.at);
        break;
      case 'sign':
        if (token.text === '(') {
          const expression = this.#any();
          this.#expectSign(')');
          return expression;
        }
        if (token.text === '-') return this.#negative(token.at);
        break;
      case 'end':
        break;
    }
    this.#next -= 1;
    throw this.#unexpected('a value, a column or a function');
  }

  #negative(at: number): Expression {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw expressionError('it is nested too deeply', at, `At most ${DEPTH_MAX} levels.`);
    const operand = this.#unit();
    this.#depth -= 1;
    // A literal keeps its sign, so that it is one where a literal is wanted.
    return operand.kind === 'number' && !operand.text.startsWith('-')
      ? { kind: 'number', text: `-${operand.text}`, at }
      : { kind: 'negative', operand, at };
  }

  /** Behind the opening parenthesis. */
  #call(name: string, at: number): Expression {
    const args = this.#takeSign(')') ? [] : this.#list();
    if (name !== 'if') return { kind: 'call', name, args, at };
    const [when, result, otherwise] = args;
    if (args.length !== 3 || when === undefined || result === undefined || otherwise === undefined) {
      throw expressionError('"if" takes 3 arguments', at, 'if(condition, value, other value)');
    }
    return { kind: 'case', branches: [{ when, result }], otherwise, at };
  }

  /** At least one, to the closing parenthesis. */
  #list(): Expression[] {
    const list = [this.#any()];
    while (this.#takeSign(',')) {
      if (list.length === LIST_LENGTH_MAX) {
        throw expressionError('a list is too long', this.#token().at, `A list has at most ${LIST_LENGTH_MAX} values.`);
      }
      list.push(this.#any());
    }
    this.#expectSign(')');
    return list;
  }

  #case(at: number): Expression {
    const first = this.#token();
    const subject = first.kind === 'word' && first.text === 'WHEN' ? null : this.#any();
    const branches: CaseBranch[] = [];
    while (this.#takeWord('WHEN')) {
      const { at: whenAt } = this.#token();
      const value = this.#any();
      const when: Expression =
        subject === null ? value : { kind: 'compare', sign: '=', left: subject, right: value, at: whenAt };
      if (!this.#takeWord('THEN')) throw this.#unexpected('"then"');
      branches.push({ when, result: this.#any() });
    }
    if (branches.length === 0) throw this.#unexpected('"when"');
    const otherwise: Expression = this.#takeWord('ELSE') ? this.#any() : { kind: 'null', at };
    if (!this.#takeWord('END')) throw this.#unexpected('"when", "else" or "end"');
    return { kind: 'case', branches, otherwise, at };
  }

  #cast(at: number): Expression {
    this.#expectSign('(');
    const operand = this.#any();
    if (!this.#takeWord('AS')) throw this.#unexpected('"as" and a type');
    const type = this.#type();
    return { kind: 'cast', operand, type, at };
  }

  /** The text up to the closing parenthesis of the cast. */
  #type(): CastType {
    const from = this.#token().at;
    for (let depth = 0; ; this.#next++) {
      const token = this.#token();
      if (token.kind === 'end') throw this.#unexpected('")"');
      if (token.kind !== 'sign') continue;
      if (token.text === '(') depth += 1;
      if (token.text !== ')' || depth-- > 0) continue;
      this.#next += 1;
      return parseCastType(this.#text.slice(from, token.at), from);
    }
  }

  #token(): Token {
    return this.#tokens[this.#next] as Token;
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

  #takeOneOf<S extends ArithmeticSign>(...signs: readonly S[]): S | null {
    return signs.find((sign) => this.#takeSign(sign)) ?? null;
  }

  #expectSign(sign: string): void {
    if (!this.#takeSign(sign)) throw this.#unexpected(`"${sign}"`);
  }

  /** Says what is there, but for values: they may be somebody's data (I10). */
  #unexpected(expected: string): Error {
    const token = this.#token();
    return expressionError(`expected ${expected}, found ${describe(token)}`, token.at, hintOf(token));
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

function inverted(expression: Expression, isNegated: boolean): Expression {
  return isNegated ? { kind: 'not', operand: expression, at: expression.at } : expression;
}

function describe(token: Token): string {
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

function hintOf(token: Token): string | undefined {
  return token.kind === 'word' ? 'A column of that name is written in backticks.' : undefined;
}
