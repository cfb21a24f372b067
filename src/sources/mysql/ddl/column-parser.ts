import { CharsetSpecReader } from './charset-parser.ts';
import type { CharsetSpec } from './charsets.ts';
import type { DdlContext } from './effect.ts';
import { NotUnderstood, type TokenReader } from './token-reader.ts';
import { parseType, type WrittenType } from './type-parser.ts';

/** A column definition as it was written. */
export interface WrittenColumn {
  readonly name: string;
  readonly type: WrittenType;
  readonly charset: CharsetSpec;
  readonly unsigned: boolean;
  /** Null where it says neither NULL nor NOT NULL. */
  readonly nullable: boolean | null;
  readonly autoIncrement: boolean;
  readonly generated: 'stored' | 'virtual' | null;
  readonly invisible: boolean;
  readonly primaryKey: boolean;
  readonly unique: boolean;
  /** MariaDB: GENERATED ALWAYS AS ROW START | END. */
  readonly rowPeriod: 'start' | 'end' | null;
  /** MariaDB: WITH SYSTEM VERSIONING on a column makes the whole table versioned. */
  readonly versioned: boolean;
}

/** Words behind a DEFAULT that take a string: `DEFAULT DATE '2026-11-21'`, `DEFAULT _latin1'x'`. */
const LITERAL_PREFIX = /^(?:N|DATE|TIME|TIMESTAMP|_.+)$/;

/** Reads `name type attribute…`, in any order of attributes, up to the comma or parenthesis behind it. */
export function parseColumn(reader: TokenReader, context: DdlContext): WrittenColumn {
  const name = reader.name();
  return new ColumnReader(reader, context).read(name);
}

class ColumnReader {
  readonly #reader: TokenReader;
  readonly #context: DdlContext;
  readonly #charset: CharsetSpecReader;
  #unsigned = false;
  #nullable: boolean | null = null;
  #autoIncrement = false;
  #generated: 'stored' | 'virtual' | null = null;
  #invisible = false;
  #primaryKey = false;
  #unique = false;
  #rowPeriod: 'start' | 'end' | null = null;
  #versioned = false;

  constructor(reader: TokenReader, context: DdlContext) {
    this.#reader = reader;
    this.#context = context;
    this.#charset = new CharsetSpecReader(reader, context);
  }

  read(name: string): WrittenColumn {
    const reader = this.#reader;
    const type = parseType(reader, this.#context);
    while (!reader.atEnd() && !reader.at(',') && !reader.at(')') && !reader.at('FIRST') && !reader.at('AFTER')) {
      if (!this.#attribute()) throw new NotUnderstood('unknown column attribute');
    }
    return {
      name,
      type,
      charset: this.#charset.spec,
      unsigned: this.#unsigned || type.unsigned,
      nullable: this.#nullable,
      autoIncrement: this.#autoIncrement || type.serial,
      generated: this.#generated,
      invisible: this.#invisible,
      primaryKey: this.#primaryKey,
      unique: this.#unique || type.serial,
      rowPeriod: this.#rowPeriod,
      versioned: this.#versioned,
    };
  }

  /** Whether an attribute came next. */
  #attribute(): boolean {
    return this.#value() || this.#key() || this.#generation() || this.#charset.acceptAttribute() || this.#other();
  }

  #value(): boolean {
    const reader = this.#reader;
    if (reader.accept('UNSIGNED') || reader.accept('ZEROFILL')) this.#unsigned = true;
    else if (reader.accept('SIGNED')) return true;
    else if (reader.accept('NOT', 'NULL')) this.#nullable = false;
    else if (reader.accept('NULL')) this.#nullable = true;
    else if (reader.accept('DEFAULT')) skipDefault(reader);
    else if (reader.accept('ON', 'UPDATE')) skipOperand(reader);
    else if (reader.accept('AUTO_INCREMENT')) this.#autoIncrement = true;
    else if (reader.accept('SERIAL', 'DEFAULT', 'VALUE')) {
      this.#autoIncrement = true;
      this.#unique = true;
    } else return false;
    return true;
  }

  #key(): boolean {
    const reader = this.#reader;
    if (reader.accept('UNIQUE')) {
      if (!reader.accept('KEY')) reader.accept('INDEX');
      this.#unique = true;
    } else if (reader.accept('PRIMARY', 'KEY') || reader.accept('KEY')) this.#primaryKey = true;
    else if (reader.at('CONSTRAINT') || reader.at('CHECK')) skipCheck(reader);
    else if (reader.accept('REFERENCES')) skipReferences(reader);
    else return false;
    return true;
  }

  #generation(): boolean {
    const reader = this.#reader;
    const always = reader.accept('GENERATED', 'ALWAYS');
    if (!reader.accept('AS')) {
      if (always) throw new NotUnderstood('GENERATED ALWAYS');
      return false;
    }
    if (always && reader.accept('ROW')) {
      this.#generated = 'stored';
      this.#nullable = false;
      if (reader.accept('START')) this.#rowPeriod = 'start';
      else {
        reader.expect('END');
        this.#rowPeriod = 'end';
      }
      return true;
    }
    reader.skipGroup();
    this.#generated = 'virtual';
    return true;
  }

  #other(): boolean {
    const reader = this.#reader;
    if (reader.accept('STORED') || reader.accept('PERSISTENT')) {
      if (this.#generated === null) throw new NotUnderstood('STORED');
      this.#generated = 'stored';
    } else if (reader.accept('VIRTUAL')) {
      if (this.#generated === null) throw new NotUnderstood('VIRTUAL');
    } else if (reader.accept('INVISIBLE')) this.#invisible = true;
    else if (reader.accept('VISIBLE')) this.#invisible = false;
    else if (reader.accept('COMMENT')) reader.string();
    else if (reader.accept('COLUMN_FORMAT') || reader.accept('STORAGE')) reader.name();
    else if (reader.accept('SRID')) reader.integer();
    else if (reader.accept('NOT', 'SECONDARY')) return true;
    else if (reader.accept('ENGINE_ATTRIBUTE') || reader.accept('SECONDARY_ENGINE_ATTRIBUTE')) {
      reader.accept('=');
      reader.string();
    } else if (reader.accept('WITHOUT', 'SYSTEM', 'VERSIONING')) return true;
    else if (reader.accept('WITH', 'SYSTEM', 'VERSIONING')) this.#versioned = true;
    else if (reader.accept('COMPRESSED')) {
      if (reader.accept('=')) reader.next();
    } else return acceptEngineAttribute(reader);
    return true;
  }
}

/** `name = value` of a storage engine, and REF_SYSTEM_ID. */
export function acceptEngineAttribute(reader: TokenReader): boolean {
  if (!reader.atName() || reader.peek(1).upper !== '=') return false;
  reader.name();
  reader.expect('=');
  const { kind } = reader.next();
  if (kind === 'punctuation') throw new NotUnderstood('a value is required');
  return true;
}

/** The expression behind DEFAULT. */
function skipDefault(reader: TokenReader): void {
  if (reader.accept('NEXT', 'VALUE', 'FOR')) {
    reader.tableName();
    return;
  }
  skipOperand(reader);
}

/** A literal, `(expression)`, or a function with or without arguments. Operators occur in parentheses only. */
function skipOperand(reader: TokenReader): void {
  while (reader.accept('-') || reader.accept('+'));
  if (reader.at('(')) {
    reader.skipGroup();
    return;
  }
  const first = reader.next();
  if (first.kind === 'punctuation') throw new NotUnderstood('expected an expression');
  if (first.kind === 'string') {
    while (reader.peek().kind === 'string') reader.next(); // 'a' 'b' is 'ab'
    return;
  }
  if (first.kind !== 'word' && first.kind !== 'identifier') return;
  const { kind } = reader.peek();
  if (
    first.kind === 'word' &&
    LITERAL_PREFIX.test(first.upper) &&
    (kind === 'string' || kind === 'hex' || kind === 'bits')
  ) {
    reader.next();
    while (reader.peek().kind === 'string') reader.next();
    return;
  }
  while (reader.accept('.')) reader.name();
  if (reader.at('(')) reader.skipGroup();
}

/** `[CONSTRAINT [name]] CHECK (…) [[NOT] ENFORCED]` */
function skipCheck(reader: TokenReader): void {
  if (reader.accept('CONSTRAINT') && !reader.at('CHECK')) reader.name();
  reader.expect('CHECK');
  reader.skipGroup();
  if (!reader.accept('NOT', 'ENFORCED')) reader.accept('ENFORCED');
}

/** `table [(columns)] [MATCH …] [ON DELETE …] [ON UPDATE …]` */
function skipReferences(reader: TokenReader): void {
  reader.tableName();
  if (reader.at('(')) reader.skipGroup();
  if (reader.accept('MATCH')) reader.name();
  while (reader.accept('ON', 'DELETE') || reader.accept('ON', 'UPDATE')) {
    if (reader.accept('NO', 'ACTION') || reader.accept('SET', 'NULL') || reader.accept('SET', 'DEFAULT')) continue;
    if (!reader.accept('CASCADE')) reader.expect('RESTRICT');
  }
}
