import { COLUMN_TYPE } from '../binlog/column-types.ts';
import { corrupt } from '../binlog/frame-errors.ts';
import type { CharsetMetadata, TableMapEvent } from '../binlog/table-map-event.ts';
import { charsetByName } from '../charset/charset.ts';
import type { Flavour } from '../../../drivers/mysql/server-version.ts';

/** The optional metadata of one column, where the event has it. */
export interface ColumnMetadata {
  readonly unsigned: boolean;
  /** Collation id; null for a column without text, or when the event does not tell. */
  readonly collation: number | null;
  readonly members: readonly Buffer[] | null;
  readonly dimensions: number | null;
}

/**
 * Deals the event's metadata out to its columns. The metadata counts per class of columns (numeric, character, ENUM and SET), and
 * the classes are those of the server that wrote it.
 */
export function metadataColumns(event: TableMapEvent): readonly ColumnMetadata[] {
  const { metadata } = event;
  let numeric = 0;
  let character = 0;
  let enumOrSet = 0;
  let enums = 0;
  let sets = 0;
  let vectors = 0;
  return event.columns.map(({ type }): ColumnMetadata => {
    const unsigned = isNumeric(type) && metadata?.unsigned?.[numeric++] === true;
    let collation: number | null = null;
    let members: readonly Buffer[] | null = null;
    let dimensions: number | null = null;
    if (isCharacter(type)) {
      // GEOMETRY counts on MariaDB, VECTOR on MySQL: both are derived from BLOB there. Neither has text.
      const own = collationAt(metadata?.charsets ?? null, character++);
      if (type !== COLUMN_TYPE.GEOMETRY && type !== COLUMN_TYPE.VECTOR) collation = own;
    } else if (type === COLUMN_TYPE.ENUM || type === COLUMN_TYPE.SET) {
      collation = collationAt(metadata?.enumAndSetCharsets ?? null, enumOrSet++);
      members = (type === COLUMN_TYPE.ENUM ? metadata?.enumMembers?.[enums++] : metadata?.setMembers?.[sets++]) ?? null;
    }
    if (type === COLUMN_TYPE.VECTOR) dimensions = metadata?.vectorDimensions?.[vectors++] ?? null;
    return { unsigned, collation, members, dimensions };
  });

  function isCharacter(type: number): boolean {
    switch (type) {
      case COLUMN_TYPE.STRING:
      case COLUMN_TYPE.VAR_STRING:
      case COLUMN_TYPE.VARCHAR:
      case COLUMN_TYPE.BLOB:
      case COLUMN_TYPE.TINY_BLOB:
      case COLUMN_TYPE.MEDIUM_BLOB:
      case COLUMN_TYPE.LONG_BLOB:
      case COLUMN_TYPE.VARCHAR_COMPRESSED:
      case COLUMN_TYPE.BLOB_COMPRESSED:
      case COLUMN_TYPE.VECTOR:
        return true;
      case COLUMN_TYPE.GEOMETRY:
        return event.flavour === 'mariadb';
      default:
        return false;
    }
  }
}

/** YEAR is a number to both servers, BIT to none. */
function isNumeric(type: number): boolean {
  switch (type) {
    case COLUMN_TYPE.TINY:
    case COLUMN_TYPE.SHORT:
    case COLUMN_TYPE.INT24:
    case COLUMN_TYPE.LONG:
    case COLUMN_TYPE.LONGLONG:
    case COLUMN_TYPE.FLOAT:
    case COLUMN_TYPE.DOUBLE:
    case COLUMN_TYPE.NEWDECIMAL:
    case COLUMN_TYPE.YEAR:
      return true;
    default:
      return false;
  }
}

function collationAt(charsets: CharsetMetadata | null, ordinal: number): number | null {
  if (charsets === null) return null;
  if (charsets.kind === 'default') return charsets.exceptions.get(ordinal) ?? charsets.collation;
  return charsets.collations[ordinal] ?? null;
}

/** ENUM and SET members are logged in the column's character set. */
export function decodeMembers(members: readonly Buffer[], charset: string | null, flavour: Flavour): readonly string[] {
  const decoder = charset === null ? null : charsetByName(charset, flavour);
  if (decoder === null) throw corrupt(`ENUM or SET members are in character set ${charset ?? 'unknown'}`, {});
  return members.map((bytes) => decoder.decode(bytes, 0, bytes.length));
}
