import type { Column, ColumnType } from '../../../core/table-schema.ts';
import type { CharsetAndCollation } from '../schema/table-definition.ts';
import { charsetWidth, isAsciiSuperset, resolveCharset } from './charsets.ts';
import type { WrittenColumn } from './column-parser.ts';
import type { DdlContext } from './effect.ts';
import { encodes } from './repertoire.ts';
import { NotUnderstood } from './token-reader.ts';
import { LOB_BYTES, type WrittenType } from './type-parser.ts';

/** The most bytes of a VARCHAR or VARBINARY. Outside of strict mode a longer one silently becomes a TEXT or BLOB. */
const VARCHAR_BYTES_MAX = 65_535;
const CHAR_LENGTH_MAX = 255;

/** The types that have a character set, and what they are when it is `binary`. */
const BINARY_COUNTERPART: ReadonlyMap<ColumnType, ColumnType> = new Map([
  ['char', 'binary'],
  ['varchar', 'varbinary'],
  ['text', 'blob'],
  ['enum', 'enum'],
  ['set', 'set'],
]);

/** The smallest TEXT or BLOB that holds so many bytes. */
function lobBytes(bytes: number): number {
  if (bytes <= LOB_BYTES.tiny) return LOB_BYTES.tiny;
  if (bytes <= LOB_BYTES.plain) return LOB_BYTES.plain;
  return bytes <= LOB_BYTES.medium ? LOB_BYTES.medium : LOB_BYTES.long;
}

/** The column that the server makes of a written definition in a table with this default. A primary key is not yet applied. */
export function resolveColumn(
  column: WrittenColumn,
  tableCharset: CharsetAndCollation | null,
  context: DdlContext,
): Column {
  const { type } = column;
  const base = {
    name: column.name,
    nullable: isNullable(column, context),
    unsigned: column.unsigned,
    scale: type.scale,
    generated: column.generated,
    invisible: column.invisible,
  };
  if (!BINARY_COUNTERPART.has(type.type)) {
    const { charset, collation, binary } = column.charset;
    if (charset !== null || collation !== null || binary) throw new NotUnderstood('a character set where none belongs');
    return { ...base, ...resolveBytes(type), charset: null, collation: null, members: null };
  }
  return { ...base, ...resolveText(column, textCharset(column, tableCharset, context), context) };
}

function isNullable(column: WrittenColumn, context: DdlContext): boolean {
  if (column.autoIncrement) return false;
  if (column.nullable !== null) return column.nullable;
  if (column.type.type !== 'timestamp') return true;
  // A generated column's value is what its expression yields, so no default is invented for it.
  if (column.generated !== null) return true;
  if (context.explicitDefaultsForTimestamp === null) throw new NotUnderstood('explicit_defaults_for_timestamp');
  return context.explicitDefaultsForTimestamp;
}

function textCharset(
  column: WrittenColumn,
  tableCharset: CharsetAndCollation | null,
  context: DdlContext,
): CharsetAndCollation {
  const { type, charset } = column;
  if (type.charset === null) return resolveCharset(charset, tableCharset, context);
  if (charset.charset !== null) throw new NotUnderstood('two character sets');
  if (charset.collation === null && !charset.binary && type.collation !== null) {
    return { charset: type.charset, collation: type.collation };
  }
  return resolveCharset({ ...charset, charset: type.charset }, null, context);
}

type TypePart = Pick<Column, 'type' | 'length' | 'charset' | 'collation' | 'members'>;

/** BINARY, VARBINARY, BLOB and everything that is not text. */
function resolveBytes(type: WrittenType): Pick<Column, 'type' | 'length'> {
  if (type.type === 'blob') return { type: 'blob', length: type.length ?? lobBytes(type.sizeHint ?? 0) };
  if (type.type === 'binary' && type.length !== null && type.length > CHAR_LENGTH_MAX) {
    throw new NotUnderstood('too long');
  }
  if (type.type === 'varbinary' && type.length !== null && type.length > VARCHAR_BYTES_MAX) {
    return { type: 'blob', length: lobBytes(type.length) };
  }
  return { type: type.type, length: type.length };
}

function resolveText(column: WrittenColumn, charset: CharsetAndCollation, context: DdlContext): TypePart {
  const { type } = column;
  if (type.members !== null) {
    return {
      type: type.type,
      length: null,
      ...charset,
      members: resolveMembers(type.members, charset.charset, context),
    };
  }
  const size = textSize(type, charsetWidth(charset.charset, context.flavour));
  if (charset.charset !== 'binary') return { ...size, ...charset, members: null };
  const counterpart = BINARY_COUNTERPART.get(size.type) ?? size.type;
  return { type: counterpart, length: size.length, charset: null, collation: null, members: null };
}

function textSize(type: WrittenType, width: number): { readonly type: ColumnType; readonly length: number } {
  const length = type.length ?? 0;
  if (type.type === 'char' && length > CHAR_LENGTH_MAX) throw new NotUnderstood('too long');
  if (type.type === 'varchar' && length * width > VARCHAR_BYTES_MAX) {
    return { type: 'text', length: lobBytes(length * width) };
  }
  if (type.type === 'text' && type.sizeHint !== null) return { type: 'text', length: lobBytes(type.sizeHint * width) };
  return { type: type.type, length };
}

/** Members lose their trailing spaces, and a character that the column's set lacks becomes a question mark. */
function resolveMembers(members: readonly string[], charset: string, context: DdlContext): readonly string[] {
  if (charset === 'binary') {
    // The bytes then are those of the session's character set.
    if (members.some((text) => !isAscii(text))) throw new NotUnderstood('members in bytes');
    return members;
  }
  if (!members.every((text) => encodes(charset, text, context.flavour))) {
    throw new NotUnderstood('members in another character set');
  }
  return members.map((text) => text.replace(/ +$/, ''));
}

function isAscii(text: string): boolean {
  return /^[\u0000-\u007f]*$/.test(text);
}

/** What every superset of ASCII spells with the same bytes, and nobody shows as something else. */
const PRINTABLE = /^[ -~]+$/;

/**
 * `column` after CONVERT TO CHARACTER SET. A TEXT grows so that it holds as many characters as before, and shrinks when that
 * takes a smaller size; a VARCHAR that gets too long becomes a TEXT. Columns without a character set stay as they are.
 * MySQL sql/sql_table.cc and MariaDB sql/sql_table.cc, `mysql_prepare_create_table`; tested on both.
 */
export function convertColumn(column: Column, to: CharsetAndCollation, flavour: DdlContext['flavour']): Column {
  const from = column.charset;
  if (from === null || from === 'binary') return column;
  if (column.members !== null) {
    // The servers keep the members' bytes, which spell other characters in another set. A question mark may be what
    // information_schema shows in place of others.
    const same = from === to.charset || (from === 'utf8mb3' && to.charset === 'utf8mb4');
    const plain = column.members.every((member) => PRINTABLE.test(member) && !member.includes('?'));
    const kept = isAsciiSuperset(from) && (isAsciiSuperset(to.charset) || to.charset === 'binary');
    if (!same && !(plain && kept)) throw new NotUnderstood('members in another character set');
    return { ...column, ...to };
  }
  const size = convertedSize(column, charsetWidth(from, flavour), charsetWidth(to.charset, flavour));
  if (to.charset !== 'binary') return { ...column, ...size, ...to };
  return { ...column, ...size, type: BINARY_COUNTERPART.get(size.type) ?? size.type, charset: null, collation: null };
}

function convertedSize(
  column: Column,
  from: number,
  to: number,
): { readonly type: ColumnType; readonly length: number } {
  const length = column.length ?? 0;
  if (column.type === 'text') return { type: 'text', length: lobBytes(Math.floor(length / from) * to) };
  if (column.type === 'varchar' && length * to > VARCHAR_BYTES_MAX) {
    return { type: 'text', length: lobBytes(length * to) };
  }
  return { type: column.type, length };
}
