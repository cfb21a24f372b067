/**
 * Splits a statement into tokens the way the servers' lexers do. Written by hand, as is the parser on top of it: general SQL
 * parser libraries know neither server's DDL well enough (executable comments by version, charset introducers, engine
 * attributes, system versioning, what each sql_mode does to a quote), and where they differ they guess.
 *
 * Pure, total and linear: any text yields tokens. What is not a token of the servers becomes one of kind `error`, and nothing
 * behind an unterminated string, identifier or comment is trusted.
 *
 * Facts: MySQL sql/sql_lex.cc and MariaDB sql/sql_lex.cc; MySQL Reference Manual 11.1 (literals), 11.2 (identifiers),
 * 11.7 (comments).
 */
export type TokenKind =
  | 'word' // an unquoted identifier or keyword; `upper` is for comparing
  | 'identifier' // a quoted identifier; never a keyword
  | 'string' // unescaped
  | 'number'
  | 'hex' // x'..' and 0x..: `text` are the digits
  | 'bits' // b'..' and 0b..: `text` are the digits
  | 'punctuation' // one character
  | 'error'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** `text` in upper case for a word, the text itself for punctuation, otherwise empty: keywords are compared with it. */
  readonly upper: string;
}

export interface LexerOptions {
  readonly flavour: 'mysql' | 'mariadb';
  /** 50744, 80400, 101118 */
  readonly serverVersion: number;
  readonly ansiQuotes: boolean;
  readonly noBackslashEscapes: boolean;
}

const END: Token = { kind: 'end', text: '', upper: '' };
const SPACE = /[ \t\n\v\f\r]+/y;
const WORD = /[0-9A-Za-z_$\u0080-\uffff]+/y;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const QUOTED_HEX = /[xX]'([0-9A-Fa-f]*)'/y;
const QUOTED_BITS = /[bB]'([01]*)'/y;
const EXECUTABLE_COMMENT = /\/\*(M?)!(\d{5,6})?/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0',
  b: '\b',
  n: '\n',
  r: '\r',
  t: '\t',
  Z: '\u001a',
  // A pattern of LIKE keeps its backslash: the server leaves these two alone.
  '%': '\\%',
  _: '\\_',
};

/** The tokens of a statement, the last one of kind `end`. */
export function tokenize(sql: string, options: LexerOptions): Token[] {
  return new Lexer(sql, options).run();
}

class Lexer {
  readonly #sql: string;
  readonly #options: LexerOptions;
  readonly #tokens: Token[] = [];
  #at = 0;
  /** Inside an executable comment that this server executes: its end mark is no token. */
  #executing = false;

  constructor(sql: string, options: LexerOptions) {
    this.#sql = sql;
    this.#options = options;
  }

  run(): Token[] {
    // Each round moves `#at` forward or ends: that is what keeps the lexer from looping on any text.
    while (this.#at < this.#sql.length) {
      const before = this.#at;
      this.#next();
      if (this.#at <= before) this.#fail();
    }
    if (this.#executing) this.#fail();
    this.#tokens.push(END);
    return this.#tokens;
  }

  #next(): void {
    const sql = this.#sql;
    const char = sql.charAt(this.#at);
    if (this.#match(SPACE) !== null) return;
    if (char === '#') return this.#skipLine();
    if (char === '-' && /^--(?:[\u0000-\u0020\u007f]|$)/.test(sql.slice(this.#at, this.#at + 3))) {
      return this.#skipLine();
    }
    if (char === '/' && sql.charAt(this.#at + 1) === '*') return this.#comment();
    if (this.#executing && char === '*' && sql.charAt(this.#at + 1) === '/') {
      this.#executing = false;
      this.#at += 2;
      return;
    }
    if (char === "'") return this.#quoted('string', "'");
    if (char === '`') return this.#quoted('identifier', '`');
    if (char === '"') return this.#quoted(this.#options.ansiQuotes ? 'identifier' : 'string', '"');
    if (this.#literal('hex', QUOTED_HEX) || this.#literal('bits', QUOTED_BITS)) return;
    if (this.#numberOrWord()) return;
    this.#at += 1;
    this.#push('punctuation', char);
  }

  #numberOrWord(): boolean {
    const start = this.#at;
    const afterName = start > 0 && /[0-9A-Za-z_$\u0080-\uffff`"]/.test(this.#sql.charAt(start - 1));
    // `t.1st` is a name behind a point, `.5` a number.
    if (this.#sql.charAt(start) === '.' && !afterName) return this.#number();
    const word = this.#match(WORD)?.[0];
    if (word === undefined) return false;
    const afterPoint = start > 0 && this.#sql.charAt(start - 1) === '.';
    if (!afterPoint && /^\d/.test(word)) {
      const prefixed = /^0(?:x([0-9A-Fa-f]+)|b([01]+))$/.exec(word);
      if (prefixed !== null) {
        this.#push(prefixed[1] === undefined ? 'bits' : 'hex', prefixed[1] ?? prefixed[2] ?? '');
        return true;
      }
      // `1e` and `2nd` are identifiers; `1e5` and `1e+5` numbers.
      if (/^\d+$/.test(word) || /^\d+[eE]\d+$/.test(word) || /^\d+[eE]$/.test(word)) {
        this.#at = start;
        const number = this.#match(NUMBER)?.[0] ?? '';
        if (number.length >= word.length) {
          this.#push('number', number);
          return true;
        }
        this.#at = start + word.length;
      }
    }
    this.#push('word', word);
    return true;
  }

  #number(): boolean {
    const number = this.#match(NUMBER)?.[0];
    if (number === undefined) return false;
    this.#push('number', number);
    return true;
  }

  #literal(kind: 'hex' | 'bits', pattern: RegExp): boolean {
    const digits = this.#match(pattern)?.[1];
    if (digits === undefined) return false;
    this.#push(kind, digits);
    return true;
  }

  #quoted(kind: 'string' | 'identifier', quote: string): void {
    const sql = this.#sql;
    const escapes = kind === 'string' && !this.#options.noBackslashEscapes;
    const parts: string[] = [];
    let from = this.#at + 1;
    let at = from;
    for (; at < sql.length; at += 1) {
      const char = sql.charAt(at);
      if (char === '\\' && escapes) {
        const escaped = sql.charAt(at + 1);
        parts.push(sql.slice(from, at), ESCAPES[escaped] ?? escaped);
        at += 1;
        from = at + 1;
      } else if (char === quote) {
        if (sql.charAt(at + 1) !== quote) break;
        parts.push(sql.slice(from, at + 1));
        at += 1;
        from = at + 1;
      }
    }
    if (at >= sql.length) return this.#fail();
    parts.push(sql.slice(from, at));
    this.#at = at + 1;
    this.#push(kind, parts.join(''));
  }

  #comment(): void {
    const executable = this.#match(EXECUTABLE_COMMENT);
    if (executable === null || (executable[1] === 'M' && this.#options.flavour === 'mysql')) {
      // Also an optimizer hint: no hint changes what a statement does to a definition.
      return this.#skipComment(executable === null ? this.#at + 2 : this.#at, false);
    }
    const version = executable[2] === undefined ? 0 : Number(executable[2]);
    if (!this.#executes(version, executable[1] === 'M')) return this.#skipComment(this.#at, true);
    // Neither server nests executable comments.
    if (this.#executing) return this.#fail();
    this.#executing = true;
  }

  #executes(version: number, mariadbOnly: boolean): boolean {
    if (version > this.#options.serverVersion) return false;
    // MariaDB leaves the features of MySQL 5.7 and later alone.
    return this.#options.flavour === 'mysql' || mariadbOnly || version < 50700 || version > 99999;
  }

  /** Skips to the end of a comment. In one that is executable but not executed, the servers count inner comments. */
  #skipComment(from: number, nesting: boolean): void {
    let depth = 1;
    let at = from;
    while (depth > 0) {
      const end = this.#sql.indexOf('*/', at);
      if (end < 0) return this.#fail();
      if (nesting) {
        for (
          let open = this.#sql.indexOf('/*', at);
          open >= 0 && open < end;
          open = this.#sql.indexOf('/*', open + 2)
        ) {
          depth += 1;
        }
      }
      depth -= 1;
      at = end + 2;
    }
    this.#at = at;
  }

  #skipLine(): void {
    const end = this.#sql.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#sql.length : end + 1;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#sql);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }

  #push(kind: TokenKind, text: string): void {
    const upper = kind === 'word' ? text.toUpperCase() : kind === 'punctuation' ? text : '';
    this.#tokens.push({ kind, text, upper });
  }

  /** What follows cannot be trusted: ends the tokens with an `error`. */
  #fail(): void {
    this.#tokens.push({ kind: 'error', text: '', upper: '' });
    this.#executing = false;
    this.#at = this.#sql.length + 1;
  }
}
