import { ByteCursor } from '../../../base/byte-cursor.ts';
import { COLUMN_TYPE, columnTypeName, metadataLength } from './column-types.ts';
import type { BinlogFlavour } from './event-types.ts';
import { decodeFrame, corrupt } from './frame-errors.ts';

/** One column as a TABLE_MAP event describes it: enough to find the bytes of its values, not what they mean. */
export interface WireColumn {
  /** `COLUMN_TYPE`; ENUM and SET hidden inside STRING are resolved to themselves. */
  readonly type: number;
  /** VARCHAR, STRING: bytes at most. BLOB family: bytes of the length field. NEWDECIMAL: precision. BIT: bits. ENUM, SET: bytes. Temporal types: digits of the fraction. FLOAT, DOUBLE: bytes. */
  readonly size: number;
  /** NEWDECIMAL: scale. Otherwise 0. */
  readonly scale: number;
  readonly nullable: boolean;
}

/** What `binlog_row_metadata` adds; every part is optional, as versions and settings write different subsets. */
export interface RowMetadata {
  /** Per numeric column (in order of the numeric columns): true when UNSIGNED. */
  readonly unsigned: readonly boolean[] | null;
  readonly charsets: CharsetMetadata | null;
  readonly enumAndSetCharsets: CharsetMetadata | null;
  readonly names: readonly string[] | null;
  /** Members of each SET column, in order of the SET columns; bytes in the column's character set. */
  readonly setMembers: readonly (readonly Buffer[])[] | null;
  readonly enumMembers: readonly (readonly Buffer[])[] | null;
  /** Column indexes of the primary key in key order; empty when the table has none. Null when the event does not tell. */
  readonly primaryKey: readonly number[] | null;
  /** Per column: false when INVISIBLE. */
  readonly visible: readonly boolean[] | null;
  /** Dimensions of each VECTOR column. */
  readonly vectorDimensions: readonly number[] | null;
}

/** Collations of the character columns: a default with exceptions by ordinal among the character columns, or a list of all. */
export type CharsetMetadata =
  | { readonly kind: 'default'; readonly collation: number; readonly exceptions: ReadonlyMap<number, number> }
  | { readonly kind: 'list'; readonly collations: readonly number[] };

export interface TableMapEvent {
  /** Of the server that wrote it: the classes of columns in the metadata differ. */
  readonly flavour: BinlogFlavour;
  readonly tableId: number;
  readonly database: string;
  readonly table: string;
  readonly columns: readonly WireColumn[];
  /** Null when the server wrote no optional metadata (MariaDB's default, MySQL 5.7). */
  readonly metadata: RowMetadata | null;
}

/**
 * TABLE_MAP_EVENT: gives a number to a table and describes the layout of its row images.
 *
 *     table id            u48
 *     flags               u16
 *     database            u8 length, bytes, 0
 *     table               u8 length, bytes, 0
 *     column count        length-encoded
 *     column types        u8 each
 *     metadata            length-encoded length, then 0 to 2 bytes a column
 *     null bitmap         (count + 7) / 8 bytes, bit set: nullable
 *     optional metadata   rest: (type u8, length length-encoded, value) …
 *
 * Source: MySQL, libs/mysql/binlog/event/rows_event.h, class Table_map_event; MariaDB, sql/log_event.h, Table_map_log_event.
 */
export function decodeTableMapEvent(body: Buffer, flavour: BinlogFlavour): TableMapEvent {
  return decodeFrame('TABLE_MAP', () => {
    const cursor = new ByteCursor(body);
    const tableId = cursor.u48('table id');
    cursor.skip(2, 'flags');
    const database = cursor.text(cursor.u8('database length'), 'database');
    cursor.skip(1, 'database terminator');
    const table = cursor.text(cursor.u8('table length'), 'table');
    cursor.skip(1, 'table terminator');
    const count = cursor.lengthEncoded('column count');
    const types = cursor.bytes(count, 'column types');
    const metadata = new ByteCursor(cursor.bytes(cursor.lengthEncoded('metadata length'), 'metadata'));
    const nullBits = cursor.bytes((count + 7) >> 3, 'null bitmap');
    const columns: WireColumn[] = [];
    for (let i = 0; i < count; i++) {
      const nullable = ((byteAt(nullBits, i >> 3) >> (i & 7)) & 1) === 1;
      const where = `${database}.${table} column ${i + 1}`;
      const column = decodeColumn(byteAt(types, i), { metadata, nullable, where });
      if (!isPossible(column)) throw impossibleColumn(column, where);
      columns.push(column);
    }
    if (metadata.remaining > 0) {
      throw corrupt(`${database}.${table} has metadata of more columns than it has`, { event: 'TABLE_MAP', count });
    }
    const optional = decodeOptionalMetadata(cursor);
    const stray = optional?.primaryKey?.find((index) => index >= count);
    if (stray !== undefined) {
      throw corrupt(`${database}.${table} has column ${stray + 1} in its key, and ${count} columns`, {
        event: 'TABLE_MAP',
        count,
      });
    }
    return { flavour, tableId, database, table, columns, metadata: optional };
  });
}

function byteAt(bytes: Buffer, index: number): number {
  return bytes.readUInt8(index);
}

function decodeColumn(
  type: number,
  { metadata, nullable, where }: { metadata: ByteCursor; nullable: boolean; where: string },
): WireColumn {
  const length = metadataLength(type);
  if (length === null) {
    throw corrupt(`${where} has ${columnTypeName(type)}, which no row image is known to hold`, {
      event: 'TABLE_MAP',
      columnType: type,
    });
  }
  switch (type) {
    case COLUMN_TYPE.VARCHAR:
    case COLUMN_TYPE.VAR_STRING:
    case COLUMN_TYPE.VARCHAR_COMPRESSED:
      return { type, size: metadata.u16('maximum length'), scale: 0, nullable };
    case COLUMN_TYPE.NEWDECIMAL: {
      const size = metadata.u8('precision');
      return { type, size, scale: metadata.u8('scale'), nullable };
    }
    case COLUMN_TYPE.BIT: {
      const bits = metadata.u8('bits');
      return { type, size: metadata.u8('bytes') * 8 + bits, scale: 0, nullable };
    }
    case COLUMN_TYPE.ENUM:
    case COLUMN_TYPE.SET:
    case COLUMN_TYPE.STRING: {
      // A length above 255 borrows two bits of the real type, stored inverted: MySQL, sql/field.cc, Field_string::do_save_field_metadata.
      const first = metadata.u8('real type');
      const second = metadata.u8('length');
      if ((first & 0x30) !== 0x30) {
        return { type: first | 0x30, size: second | (((first & 0x30) ^ 0x30) << 4), scale: 0, nullable };
      }
      return { type: first, size: second, scale: 0, nullable };
    }
    default:
      return { type, size: length === 1 ? metadata.u8('metadata') : 0, scale: 0, nullable };
  }
}

/** Whether a server writes this size: row decoders are generated from it, so it must make sense. */
function isPossible({ type, size, scale }: WireColumn): boolean {
  switch (type) {
    case COLUMN_TYPE.NEWDECIMAL:
      return size >= 1 && size <= 65 && scale <= 30 && scale <= size;
    case COLUMN_TYPE.BIT:
      return size >= 1 && size <= 64;
    case COLUMN_TYPE.TIME2:
    case COLUMN_TYPE.DATETIME2:
    case COLUMN_TYPE.TIMESTAMP2:
      return size <= 6;
    case COLUMN_TYPE.ENUM:
      return size === 1 || size === 2;
    case COLUMN_TYPE.SET:
      return size >= 1 && size <= 8;
    case COLUMN_TYPE.FLOAT:
      return size === 4;
    case COLUMN_TYPE.DOUBLE:
      return size === 8;
    case COLUMN_TYPE.TINY_BLOB:
    case COLUMN_TYPE.BLOB:
    case COLUMN_TYPE.MEDIUM_BLOB:
    case COLUMN_TYPE.LONG_BLOB:
    case COLUMN_TYPE.BLOB_COMPRESSED:
    case COLUMN_TYPE.JSON:
    case COLUMN_TYPE.GEOMETRY:
    case COLUMN_TYPE.VECTOR:
      return size >= 1 && size <= 4;
    default:
      return true;
  }
}

function impossibleColumn({ type, size, scale }: WireColumn, where: string): Error {
  return corrupt(`${where} is ${columnTypeName(type)} of size ${size}, scale ${scale}, which no server writes`, {
    event: 'TABLE_MAP',
    columnType: type,
    size,
    scale,
  });
}

/** Field codes of the optional metadata. */
const FIELD = {
  SIGNEDNESS: 1,
  DEFAULT_CHARSET: 2,
  COLUMN_CHARSET: 3,
  COLUMN_NAME: 4,
  SET_STR_VALUE: 5,
  ENUM_STR_VALUE: 6,
  GEOMETRY_TYPE: 7,
  SIMPLE_PRIMARY_KEY: 8,
  PRIMARY_KEY_WITH_PREFIX: 9,
  ENUM_AND_SET_DEFAULT_CHARSET: 10,
  ENUM_AND_SET_COLUMN_CHARSET: 11,
  COLUMN_VISIBILITY: 12,
  VECTOR_DIMENSIONALITY: 13,
} as const;

function decodeOptionalMetadata(cursor: ByteCursor): RowMetadata | null {
  if (cursor.remaining === 0) return null;
  const found: { -readonly [K in keyof RowMetadata]: RowMetadata[K] } = {
    unsigned: null,
    charsets: null,
    enumAndSetCharsets: null,
    names: null,
    setMembers: null,
    enumMembers: null,
    primaryKey: null,
    visible: null,
    vectorDimensions: null,
  };
  while (cursor.remaining > 0) {
    const code = cursor.u8('metadata field');
    const value = new ByteCursor(cursor.bytes(cursor.lengthEncoded('metadata field length'), 'metadata field value'));
    switch (code) {
      case FIELD.SIGNEDNESS:
        found.unsigned = bits(value);
        break;
      case FIELD.DEFAULT_CHARSET:
        found.charsets = defaultCharset(value);
        break;
      case FIELD.COLUMN_CHARSET:
        found.charsets = { kind: 'list', collations: integers(value) };
        break;
      case FIELD.COLUMN_NAME:
        found.names = list(value, () => value.text(value.lengthEncoded('name length'), 'name'));
        break;
      case FIELD.SET_STR_VALUE:
        found.setMembers = members(value);
        break;
      case FIELD.ENUM_STR_VALUE:
        found.enumMembers = members(value);
        break;
      case FIELD.SIMPLE_PRIMARY_KEY:
        found.primaryKey = integers(value);
        break;
      case FIELD.PRIMARY_KEY_WITH_PREFIX:
        // A prefix length stands behind each index; 0 means the whole column. The key's columns are the same either way.
        found.primaryKey = list(value, () => {
          const index = value.lengthEncoded('key column');
          value.lengthEncoded('prefix length');
          return index;
        });
        break;
      case FIELD.ENUM_AND_SET_DEFAULT_CHARSET:
        found.enumAndSetCharsets = defaultCharset(value);
        break;
      case FIELD.ENUM_AND_SET_COLUMN_CHARSET:
        found.enumAndSetCharsets = { kind: 'list', collations: integers(value) };
        break;
      case FIELD.COLUMN_VISIBILITY:
        found.visible = bits(value);
        break;
      case FIELD.VECTOR_DIMENSIONALITY:
        found.vectorDimensions = integers(value);
        break;
      default:
        // GEOMETRY_TYPE and fields of later versions only describe: a value's bytes and meaning never depend on them alone.
        break;
    }
  }
  return found;
}

/** Bitmap, most significant bit first. Holds spare bits at the end. */
function bits(value: ByteCursor): boolean[] {
  return list(value, () => value.u8('bits')).flatMap((byte) =>
    [7, 6, 5, 4, 3, 2, 1, 0].map((bit) => ((byte >> bit) & 1) === 1),
  );
}

function integers(value: ByteCursor): number[] {
  return list(value, () => value.lengthEncoded('value'));
}

function members(value: ByteCursor): Buffer[][] {
  return list(value, () => {
    const count = value.lengthEncoded('member count');
    const names: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      names.push(Buffer.from(value.bytes(value.lengthEncoded('member length'), 'member')));
    }
    return names;
  });
}

function defaultCharset(value: ByteCursor): CharsetMetadata {
  const collation = value.lengthEncoded('default collation');
  const exceptions = new Map<number, number>();
  while (value.remaining > 0) exceptions.set(value.lengthEncoded('column'), value.lengthEncoded('collation'));
  return { kind: 'default', collation, exceptions };
}

function list<T>(value: ByteCursor, read: () => T): T[] {
  const items: T[] = [];
  while (value.remaining > 0) items.push(read());
  return items;
}
