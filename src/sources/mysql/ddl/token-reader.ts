import { foldName } from './fold-name.ts';
import type { DdlContext, TableName } from './effect.ts';
import type { Token } from './lexer.ts';

/**
 * Thrown wherever a statement stops being understood, and turned into `unknown` steps by whoever knows what the statement may
 * touch. Never leaves this folder.
 */
export class NotUnderstood extends Error {
  override readonly name: string = 'NotUnderstood';
}

/** Reads a statement's tokens from left to right. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  readonly #context: DdlContext;
  #at = 0;

  constructor(tokens: readonly Token[], context: DdlContext) {
    this.#tokens = tokens;
    this.#context = context;
  }

  /** For looking ahead by more than a token: come back with `rewind`. */
  get mark(): number {
    return this.#at;
  }

  rewind(mark: number): void {
    this.#at = mark;
  }

  peek(ahead = 0): Token {
    const last = this.#tokens.length - 1;
    return this.#tokens[Math.min(this.#at + ahead, last)] as Token; // there always is an `end`
  }

  next(): Token {
    const token = this.peek();
    if (token.kind === 'end' || token.kind === 'error') throw new NotUnderstood('the statement ends too early');
    this.#at += 1;
    return token;
  }

  /** Whether the next tokens are these keywords or punctuation, each in upper case. */
  at(...uppers: string[]): boolean {
    return uppers.every((upper, index) => this.peek(index).upper === upper);
  }

  atOneOf(uppers: ReadonlySet<string>): boolean {
    return uppers.has(this.peek().upper);
  }

  /** Reads these keywords or punctuation if they come next, all of them or none. */
  accept(...uppers: string[]): boolean {
    if (!this.at(...uppers)) return false;
    this.#at += uppers.length;
    return true;
  }

  expect(...uppers: string[]): void {
    if (!this.accept(...uppers)) throw new NotUnderstood(`expected ${uppers.join(' ')}`);
  }

  refuse(upper: string): void {
    if (this.at(upper)) throw new NotUnderstood(`${upper} is not understood here`);
  }

  atEnd(): boolean {
    const { kind, upper } = this.peek();
    return kind === 'end' || (upper === ';' && this.peek(1).kind === 'end');
  }

  expectEnd(): void {
    if (!this.atEnd()) throw new NotUnderstood('expected the end of the statement');
  }

  atName(): boolean {
    const { kind } = this.peek();
    return kind === 'word' || kind === 'identifier';
  }

  name(): string {
    if (!this.atName()) throw new NotUnderstood('expected a name');
    return this.next().text;
  }

  string(): string {
    const token = this.next();
    if (token.kind !== 'string') throw new NotUnderstood('expected a string');
    return token.text;
  }

  integer(): number {
    const token = this.next();
    if (token.kind !== 'number' || !/^\d{1,10}$/.test(token.text)) throw new NotUnderstood('expected a whole number');
    return Number(token.text);
  }

  /** A number in parentheses, if there is one. */
  optionalLength(): number | null {
    if (!this.accept('(')) return null;
    const length = this.integer();
    this.expect(')');
    return length;
  }

  databaseName(): string {
    return this.#fold(this.name());
  }

  tableName(): TableName {
    // `.t` is the table t of the default database.
    const first = this.at('.') ? null : this.#fold(this.name());
    if (this.accept('.')) {
      const name = this.#fold(this.name());
      return { database: first ?? this.#defaultDatabase(), name };
    }
    return { database: this.#defaultDatabase(), name: first ?? '' };
  }

  ifExists(): boolean {
    return this.accept('IF', 'EXISTS');
  }

  ifNotExists(): boolean {
    return this.accept('IF', 'NOT', 'EXISTS');
  }

  /** Reads a parenthesised group whatever is in it; the opening parenthesis comes next. */
  skipGroup(): void {
    this.expect('(');
    for (let depth = 1; depth > 0;) {
      const { upper } = this.next();
      if (upper === '(') depth += 1;
      else if (upper === ')') depth -= 1;
    }
  }

  /** Reads up to a comma, closing parenthesis or end outside of parentheses. */
  skipElement(): void {
    while (!this.atEnd() && !this.at(',') && !this.at(')')) {
      if (this.at('(')) this.skipGroup();
      else this.next();
    }
  }

  /** `element, element, …` */
  list(element: () => void): void {
    do element();
    while (this.accept(','));
  }

  /** `(element, element, …)` */
  group(element: () => void): void {
    this.expect('(');
    this.list(element);
    this.expect(')');
  }

  #defaultDatabase(): string {
    if (this.#context.database === '') throw new NotUnderstood('no default database');
    return this.#fold(this.#context.database);
  }

  #fold(name: string): string {
    if (this.#context.lowerCaseTableNames !== 1) return name;
    return foldName(name);
  }
}
