import type { ColumnType } from '../../../core/table-schema.ts';
import type { DdlContext } from './effect.ts';
import { NotUnderstood, type TokenReader } from './token-reader.ts';

/** A data type as it was written: what it becomes depends on the table's character set, see resolve-column.ts. */
export interface WrittenType {
  readonly type: ColumnType;
  /** As in `Column`, except that a TEXT(n) or BLOB(n) has null here and n in `sizeHint`. */
  readonly length: number | null;
  readonly scale: number | null;
  /** TEXT(n): n characters, BLOB(n): n bytes, which choose among the four sizes. Otherwise null. */
  readonly sizeHint: number | null;
  readonly members: readonly string[] | null;
  readonly unsigned: boolean;
  /** SERIAL: NOT NULL AUTO_INCREMENT UNIQUE. */
  readonly serial: boolean;
  /** The character set that the type itself brings: NCHAR, JSON in MariaDB. */
  readonly charset: string | null;
  readonly collation: string | null;
}

type TypeParser = (reader: TokenReader, context: DdlContext) => WrittenType;

export const LOB_BYTES: {
  readonly tiny: number;
  readonly plain: number;
  readonly medium: number;
  readonly long: number;
} = {
  tiny: 0xff,
  plain: 0xffff,
  medium: 0xff_ffff,
  long: 0xffff_ffff,
};

const DECIMAL_DIGITS = 10;
const FLOAT_BITS_MAX = 24;
const DOUBLE_BITS_MAX = 53;
const MYSQL_VECTOR_DIMENSIONS = 2048;

function written(type: ColumnType, details: Partial<WrittenType> = {}): WrittenType {
  return {
    type,
    length: null,
    scale: null,
    sizeHint: null,
    members: null,
    unsigned: false,
    serial: false,
    charset: null,
    collation: null,
    ...details,
  };
}

const integer =
  (type: ColumnType): TypeParser =>
  (reader) => {
    reader.optionalLength(); // how wide to print it
    return written(type);
  };

const plain =
  (type: ColumnType, details: Partial<WrittenType> = {}): TypeParser =>
  () =>
    written(type, details);

const temporal =
  (type: ColumnType): TypeParser =>
  (reader) =>
    written(type, { length: reader.optionalLength() ?? 0 });

function real(reader: TokenReader, type: 'float' | 'double'): WrittenType {
  if (!reader.accept('(')) return written(type);
  const first = reader.integer();
  if (reader.accept(',')) {
    reader.integer();
    reader.expect(')');
    return written(type);
  }
  // FLOAT(p): precision in bits.
  reader.expect(')');
  if (type === 'double' || first > DOUBLE_BITS_MAX) throw new NotUnderstood('precision');
  return written(first > FLOAT_BITS_MAX ? 'double' : 'float');
}

function decimal(reader: TokenReader): WrittenType {
  let length = 0;
  let scale = 0;
  if (reader.accept('(')) {
    length = reader.integer();
    if (reader.accept(',')) scale = reader.integer();
    reader.expect(')');
  }
  return written('decimal', { length: length === 0 && scale === 0 ? DECIMAL_DIGITS : length, scale });
}

function double(reader: TokenReader): WrittenType {
  reader.accept('PRECISION');
  return real(reader, 'double');
}

function bit(reader: TokenReader): WrittenType {
  const length = reader.optionalLength() ?? 1;
  return written('bit', { length: length === 0 ? 1 : length });
}

function fixedText(reader: TokenReader): WrittenType {
  if (reader.accept('VARYING')) return varyingText(reader);
  return written('char', { length: reader.optionalLength() ?? 1 });
}

function varyingText(reader: TokenReader): WrittenType {
  return written('varchar', { length: requiredLength(reader) });
}

function requiredLength(reader: TokenReader): number {
  const length = reader.optionalLength();
  if (length === null) throw new NotUnderstood('a length is required');
  return length;
}

/** NATIONAL CHAR, NCHAR, NATIONAL VARCHAR, … : always utf8mb3. */
function national(reader: TokenReader): WrittenType {
  if (reader.accept('VARCHAR') || reader.accept('VARCHARACTER')) return nationalVarying(reader);
  if (!reader.accept('CHAR') && !reader.accept('CHARACTER')) throw new NotUnderstood('NATIONAL');
  return nationalFixed(reader);
}

function nationalFixed(reader: TokenReader): WrittenType {
  if (reader.accept('VARYING') || reader.accept('VARCHAR')) return nationalVarying(reader);
  return written('char', { length: reader.optionalLength() ?? 1, charset: 'utf8mb3' });
}

function nationalVarying(reader: TokenReader): WrittenType {
  return written('varchar', { length: requiredLength(reader), charset: 'utf8mb3' });
}

const sized =
  (type: 'text' | 'blob'): TypeParser =>
  (reader, context) => {
    const sizeHint = reader.optionalLength();
    if (sizeHint !== null && sizeHint > 0) return written(type, { sizeHint });
    // A size of 0 once meant none, and makes the smallest type in MySQL 9.
    if (sizeHint === 0 && context.flavour === 'mysql') throw new NotUnderstood('size 0');
    return written(type, { length: LOB_BYTES.plain });
  };

/** LONG, LONG VARCHAR, LONG CHAR VARYING, LONG VARBINARY */
function long(reader: TokenReader): WrittenType {
  if (reader.accept('VARBINARY')) return written('blob', { length: LOB_BYTES.medium });
  if (reader.accept('CHAR', 'VARYING') || reader.accept('CHARACTER', 'VARYING')) {
    return written('text', { length: LOB_BYTES.medium });
  }
  if (!reader.accept('VARCHAR')) reader.accept('VARCHARACTER');
  return written('text', { length: LOB_BYTES.medium });
}

const memberList =
  (type: 'enum' | 'set'): TypeParser =>
  (reader, context) => {
    const members: string[] = [];
    reader.group(() => members.push(member(reader, context)));
    return written(type, { members });
  };

function member(reader: TokenReader, context: DdlContext): string {
  const token = reader.next();
  let text = token.text;
  if (token.kind === 'hex' && token.text.length % 2 === 0) {
    text = Buffer.from(token.text, 'hex').toString('latin1');
    // Which characters other bytes are depends on more than the statement.
    if (/[^\u0020-\u007e]/.test(text)) throw new NotUnderstood('a member in bytes');
  } else if (token.kind !== 'string') throw new NotUnderstood('expected a member');
  // A definition that the server wrote itself (for CREATE … SELECT) escapes whatever the mode says, and nothing tells it apart.
  if (context.sqlMode.noBackslashEscapes && text.includes('\\')) throw new NotUnderstood('a backslash in a member');
  // MariaDB's own file format takes a zero byte for the end of the list and shifts the members of later columns.
  if (context.flavour === 'mariadb' && text.includes('\0')) throw new NotUnderstood('a member with a zero byte');
  return text;
}

function json(_reader: TokenReader, context: DdlContext): WrittenType {
  if (context.flavour === 'mysql') return written('json');
  return written('text', { length: LOB_BYTES.long, charset: 'utf8mb4', collation: 'utf8mb4_bin' });
}

function vector(reader: TokenReader, context: DdlContext): WrittenType {
  const length = reader.optionalLength();
  if (length === null && context.flavour === 'mariadb') throw new NotUnderstood('a length is required');
  return written('vector', { length: length ?? MYSQL_VECTOR_DIMENSIONS });
}

const mariadbOnly =
  (type: ColumnType): TypeParser =>
  (_reader, context) => {
    if (context.flavour !== 'mariadb') throw new NotUnderstood('unknown type');
    return written(type);
  };

function timestamp(reader: TokenReader, context: DdlContext): WrittenType {
  return temporal(context.sqlMode.maxdb ? 'datetime' : 'timestamp')(reader, context);
}

function realByMode(reader: TokenReader, context: DdlContext): WrittenType {
  return real(reader, context.sqlMode.realAsFloat ? 'float' : 'double');
}

function year(reader: TokenReader): WrittenType {
  reader.optionalLength();
  return written('year');
}

/** By the first keyword; MySQL Reference Manual 13, MariaDB Knowledge Base "Data Types". What is not here is not understood. */
const TYPES: ReadonlyMap<string, TypeParser> = new Map<string, TypeParser>([
  ...names('TINYINT INT1', integer('tinyint')),
  ...names('SMALLINT INT2', integer('smallint')),
  ...names('MEDIUMINT INT3 MIDDLEINT', integer('mediumint')),
  ...names('INT INTEGER INT4', integer('int')),
  ...names('BIGINT INT8', integer('bigint')),
  ...names('BOOL BOOLEAN', plain('tinyint')),
  ...names('SERIAL', plain('bigint', { unsigned: true, serial: true })),
  ...names('DECIMAL DEC NUMERIC FIXED', decimal),
  ...names('FLOAT FLOAT4', (reader) => real(reader, 'float')),
  ...names('DOUBLE FLOAT8', double),
  ...names('REAL', realByMode),
  ...names('BIT', bit),
  ...names('YEAR', year),
  ...names('DATE', plain('date')),
  ...names('TIME', temporal('time')),
  ...names('DATETIME', temporal('datetime')),
  ...names('TIMESTAMP', timestamp),
  ...names('CHAR CHARACTER', fixedText),
  ...names('VARCHAR VARCHARACTER', varyingText),
  ...names('NATIONAL', national),
  ...names('NCHAR', nationalFixed),
  ...names('NVARCHAR', nationalVarying),
  ...names('BINARY', (reader) => written('binary', { length: reader.optionalLength() ?? 1 })),
  ...names('VARBINARY', (reader) => written('varbinary', { length: requiredLength(reader) })),
  ...names('TINYTEXT', plain('text', { length: LOB_BYTES.tiny })),
  ...names('TEXT', sized('text')),
  ...names('MEDIUMTEXT', plain('text', { length: LOB_BYTES.medium })),
  ...names('LONGTEXT', plain('text', { length: LOB_BYTES.long })),
  ...names('LONG', long),
  ...names('TINYBLOB', plain('blob', { length: LOB_BYTES.tiny })),
  ...names('BLOB', sized('blob')),
  ...names('MEDIUMBLOB', plain('blob', { length: LOB_BYTES.medium })),
  ...names('LONGBLOB', plain('blob', { length: LOB_BYTES.long })),
  ...names('ENUM', memberList('enum')),
  ...names('SET', memberList('set')),
  ...names('JSON', json),
  ...names(
    'GEOMETRY POINT LINESTRING POLYGON MULTIPOINT MULTILINESTRING MULTIPOLYGON GEOMETRYCOLLECTION GEOMCOLLECTION',
    plain('geometry'),
  ),
  ...names('VECTOR', vector),
  ...names('UUID', mariadbOnly('uuid')),
  ...names('INET4', mariadbOnly('inet4')),
  ...names('INET6', mariadbOnly('inet6')),
]);

function names(words: string, parser: TypeParser): [string, TypeParser][] {
  return words.split(' ').map((word) => [word, parser]);
}

/** Reads a data type, without the attributes that may follow it. */
export function parseType(reader: TokenReader, context: DdlContext): WrittenType {
  if (context.sqlMode.oracle) throw new NotUnderstood('another dialect');
  // How MariaDB writes a type whose meaning depends on sql_mode.
  reader.accept('MARIADB_SCHEMA', '.');
  const word = reader.next();
  const parser = TYPES.get(word.upper);
  if (word.kind !== 'word' || parser === undefined) throw new NotUnderstood('unknown type');
  return parser(reader, context);
}
