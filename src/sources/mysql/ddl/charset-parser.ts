import { charsetName, collationName, type CharsetSpec } from './charsets.ts';
import type { DdlContext } from './effect.ts';
import type { TokenReader } from './token-reader.ts';

/** Collects what a definition says about its character set, piece by piece and in any order. */
export class CharsetSpecReader {
  readonly #reader: TokenReader;
  readonly #context: DdlContext;
  #charset: string | null = null;
  #collation: string | null = null;
  #binary = false;

  constructor(reader: TokenReader, context: DdlContext) {
    this.#reader = reader;
    this.#context = context;
  }

  get spec(): CharsetSpec {
    return { charset: this.#charset, collation: this.#collation, binary: this.#binary };
  }

  setCharset(charset: string): void {
    this.#charset = charset;
  }

  /** `CHARACTER SET x`, `CHARSET x`, `ASCII`, `UNICODE`, `BYTE`, `BINARY` or `COLLATE x`: whether one of them came next. */
  acceptAttribute(): boolean {
    const reader = this.#reader;
    if (reader.accept('ASCII')) this.#charset = 'latin1';
    else if (reader.accept('UNICODE')) this.#charset = 'ucs2';
    else if (reader.accept('BYTE')) this.#charset = 'binary';
    else if (reader.accept('BINARY')) this.#binary = true;
    else if (reader.accept('CHARACTER', 'SET') || reader.accept('CHAR', 'SET') || reader.accept('CHARSET')) {
      this.#charset = this.readCharsetName();
    } else if (reader.accept('COLLATE')) this.#collation = this.readCollationName();
    else return false;
    return true;
  }

  /** `[DEFAULT] CHARACTER SET [=] x`, `[DEFAULT] COLLATE [=] x`, … of a table or database: whether one of them came next. */
  acceptOption(): boolean {
    const reader = this.#reader;
    const mark = reader.mark;
    reader.accept('DEFAULT');
    if (reader.accept('CHARACTER', 'SET') || reader.accept('CHAR', 'SET') || reader.accept('CHARSET')) {
      reader.accept('=');
      this.#charset = this.readCharsetName();
      return true;
    }
    if (reader.accept('COLLATE')) {
      reader.accept('=');
      this.#collation = this.readCollationName();
      return true;
    }
    reader.rewind(mark);
    return false;
  }

  readCharsetName(): string {
    return charsetName(this.#readName(), this.#context.utf8);
  }

  readCollationName(): string {
    return collationName(this.#readName(), this.#context.utf8);
  }

  /** A name or a string. `DEFAULT` is not understood: it means one thing in a table and another in MariaDB's columns. */
  #readName(): string {
    const reader = this.#reader;
    if (reader.peek().kind === 'string') return reader.string();
    reader.refuse('DEFAULT');
    return reader.name();
  }
}
