import type { Column, ColumnType } from '../../core/table-schema.ts';

/** What the values of an expression are: a column's definition without its name. */
export interface ValueType extends Omit<Column, 'name'> {
  /** A condition's outcome: 1 or 0 in a column, true or false in a document. */
  readonly isBoolean: boolean;
}

/** Types whose values look alike and go with each other. */
export type Family =
  | 'integer'
  | 'decimal'
  | 'double'
  | 'text'
  | 'bytes'
  | 'date'
  | 'datetime'
  | 'timestamp'
  | 'time'
  | 'json'
  | 'vector';

export function familyOf(type: ColumnType): Family {
  switch (type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'year':
    case 'bit':
      return 'integer';
    case 'decimal':
      return 'decimal';
    case 'float':
    case 'double':
      return 'double';
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return 'text';
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
      return 'bytes';
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
    case 'json':
    case 'vector':
      return type;
  }
}

const LONGEST_TEXT = 4_294_967_295;
/** More characters of four bytes than this are no VARCHAR in MySQL. */
const VARCHAR_MAX = 16_383;

function plain(type: ColumnType): ValueType {
  return {
    type,
    nullable: true,
    unsigned: false,
    length: null,
    scale: null,
    charset: null,
    collation: null,
    members: null,
    generated: null,
    invisible: false,
    isBoolean: false,
  };
}

const text: ValueType = { ...plain('text'), length: LONGEST_TEXT, charset: 'utf8mb4' };

interface Types {
  plain(type: ColumnType): ValueType;
  readonly boolean: ValueType;
  readonly bigint: ValueType;
  readonly double: ValueType;
  readonly date: ValueType;
  readonly json: ValueType;
  readonly text: ValueType;
  readonly blob: ValueType;
  decimal(digits: number, scale: number): ValueType;
  moment(type: 'datetime' | 'timestamp' | 'time', digits: number): ValueType;
  /** TEXT where it would be too long. */
  varchar(length: number): ValueType;
}

/** The types that expressions have. All may be NULL until something says otherwise. */
export const TYPES: Types = {
  plain,
  boolean: { ...plain('tinyint'), isBoolean: true },
  bigint: plain('bigint'),
  double: plain('double'),
  date: plain('date'),
  json: plain('json'),
  text,
  blob: { ...plain('blob'), length: LONGEST_TEXT, charset: 'binary' },
  decimal: (digits, scale) => ({ ...plain('decimal'), length: digits, scale }),
  moment: (type, digits) => ({ ...plain(type), length: digits }),
  varchar: (length) =>
    length > VARCHAR_MAX ? text : { ...plain('varchar'), length: Math.max(1, length), charset: 'utf8mb4' },
};

export function ofColumn(column: Column): ValueType {
  const { name: _, ...type } = column;
  return { ...type, isBoolean: false };
}

/** How many characters a value's text can have; null: nobody knows. */
export function textLengthMax({ type, length, scale, members }: ValueType): number | null {
  switch (type) {
    case 'tinyint':
    case 'year':
      return 4;
    case 'smallint':
      return 6;
    case 'mediumint':
      return 8;
    case 'int':
      return 11;
    case 'bigint':
    case 'bit':
      return 20;
    case 'decimal':
      return (length ?? 65) + (scale === 0 ? 1 : 3);
    case 'float':
    case 'double':
      return 25;
    case 'char':
    case 'varchar':
      return length;
    case 'enum':
      return Math.max(1, ...(members ?? []).map((member) => member.length));
    case 'set':
      return Math.max(1, (members ?? []).join(',').length);
    case 'uuid':
      return 36;
    case 'inet4':
      return 15;
    case 'inet6':
      return 45;
    case 'date':
      return 10;
    case 'datetime':
    case 'timestamp':
      return 27;
    case 'time':
      return 17;
    default:
      return null;
  }
}

/** For messages: `DECIMAL(10,2)`. */
export function typeText({ type, length, scale, unsigned, isBoolean }: ValueType): string {
  if (isBoolean) return 'BOOLEAN';
  const name = type.toUpperCase();
  if (type === 'decimal') return `${name}(${length},${scale})`;
  const hasLength =
    ['char', 'varchar', 'binary', 'varbinary'].includes(type) || (length !== null && length > 0 && length <= 6);
  return `${name}${hasLength && length !== null ? `(${length})` : ''}${unsigned ? ' UNSIGNED' : ''}`;
}
