import { CharsetSpecReader } from './charset-parser.ts';
import type { CharsetSpec } from './charsets.ts';
import { acceptEngineAttribute } from './column-parser.ts';
import type { DdlContext } from './effect.ts';
import type { TokenReader } from './token-reader.ts';

export interface TableOptions {
  readonly charset: CharsetSpec;
  readonly versioned: boolean;
}

/** Options that take a value with or without `=`. None of them changes a column. */
const OPTIONS: ReadonlySet<string> = new Set([
  'ENGINE',
  'TYPE',
  'AUTOEXTEND_SIZE',
  'AUTO_INCREMENT',
  'AVG_ROW_LENGTH',
  'CHECKSUM',
  'COMMENT',
  'COMPRESSION',
  'CONNECTION',
  'DELAY_KEY_WRITE',
  'ENCRYPTION',
  'ENGINE_ATTRIBUTE',
  'INSERT_METHOD',
  'KEY_BLOCK_SIZE',
  'MAX_ROWS',
  'MIN_ROWS',
  'PACK_KEYS',
  'PAGE_CHECKSUM',
  'PASSWORD',
  'ROW_FORMAT',
  'SECONDARY_ENGINE',
  'SECONDARY_ENGINE_ATTRIBUTE',
  'SEQUENCE',
  'STATS_AUTO_RECALC',
  'STATS_PERSISTENT',
  'STATS_SAMPLE_PAGES',
  'TABLESPACE',
  'TABLE_CHECKSUM',
  'TRANSACTIONAL',
]);

/** Collects the options of a table, one by one. */
export class TableOptionsReader {
  readonly #reader: TokenReader;
  readonly #charset: CharsetSpecReader;
  #versioned = false;

  constructor(reader: TokenReader, context: DdlContext) {
    this.#reader = reader;
    this.#charset = new CharsetSpecReader(reader, context);
  }

  get options(): TableOptions {
    return { charset: this.#charset.spec, versioned: this.#versioned };
  }

  /** Whether an option came next. */
  accept(): boolean {
    const reader = this.#reader;
    if (this.#charset.acceptOption()) return true;
    if (reader.accept('WITH', 'SYSTEM', 'VERSIONING')) {
      this.#versioned = true;
      return true;
    }
    // What MySQL writes for CREATE TABLE … SELECT: the rows follow as row events of the same transaction.
    if (reader.accept('START', 'TRANSACTION')) return true;
    if (reader.accept('STORAGE')) {
      reader.accept('=');
      reader.name();
      return true;
    }
    if (reader.accept('UNION')) {
      reader.accept('=');
      reader.skipGroup();
      return true;
    }
    if (reader.accept('DATA', 'DIRECTORY') || reader.accept('INDEX', 'DIRECTORY')) {
      reader.accept('=');
      reader.string();
      return true;
    }
    if (reader.atOneOf(OPTIONS)) {
      reader.next();
      reader.accept('=');
      reader.next();
      return true;
    }
    return acceptEngineAttribute(reader);
  }
}
