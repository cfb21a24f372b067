/**
 * Column type codes of a TABLE_MAP event (`enum_field_types`).
 *
 * Source: MySQL, include/field_types.h; MariaDB, include/mysql.h.pp and sql/field.h for 140 and 141.
 */
export const COLUMN_TYPE = {
  DECIMAL: 0, // before 5.0
  TINY: 1,
  SHORT: 2,
  LONG: 3,
  FLOAT: 4,
  DOUBLE: 5,
  NULL: 6,
  TIMESTAMP: 7, // before 5.6
  LONGLONG: 8,
  INT24: 9,
  DATE: 10,
  TIME: 11, // before 5.6
  DATETIME: 12, // before 5.6
  YEAR: 13,
  NEWDATE: 14,
  VARCHAR: 15,
  BIT: 16,
  TIMESTAMP2: 17,
  DATETIME2: 18,
  TIME2: 19,
  TYPED_ARRAY: 20,
  BLOB_COMPRESSED: 140, // MariaDB
  VARCHAR_COMPRESSED: 141, // MariaDB
  VECTOR: 242, // MySQL 9
  JSON: 245, // MySQL
  NEWDECIMAL: 246,
  ENUM: 247,
  SET: 248,
  TINY_BLOB: 249,
  MEDIUM_BLOB: 250,
  LONG_BLOB: 251,
  BLOB: 252,
  VAR_STRING: 253,
  STRING: 254,
  GEOMETRY: 255,
} as const;

/** How many bytes of TABLE_MAP metadata a column of this type has; null for a type that no row image holds. */
export function metadataLength(type: number): number | null {
  switch (type) {
    case COLUMN_TYPE.TINY:
    case COLUMN_TYPE.SHORT:
    case COLUMN_TYPE.LONG:
    case COLUMN_TYPE.LONGLONG:
    case COLUMN_TYPE.INT24:
    case COLUMN_TYPE.NULL:
    case COLUMN_TYPE.TIMESTAMP:
    case COLUMN_TYPE.DATE:
    case COLUMN_TYPE.NEWDATE:
    case COLUMN_TYPE.TIME:
    case COLUMN_TYPE.DATETIME:
    case COLUMN_TYPE.YEAR:
      return 0;
    case COLUMN_TYPE.FLOAT:
    case COLUMN_TYPE.DOUBLE:
    case COLUMN_TYPE.TIMESTAMP2:
    case COLUMN_TYPE.DATETIME2:
    case COLUMN_TYPE.TIME2:
    case COLUMN_TYPE.BLOB_COMPRESSED:
    case COLUMN_TYPE.VECTOR:
    case COLUMN_TYPE.JSON:
    case COLUMN_TYPE.TINY_BLOB:
    case COLUMN_TYPE.MEDIUM_BLOB:
    case COLUMN_TYPE.LONG_BLOB:
    case COLUMN_TYPE.BLOB:
    case COLUMN_TYPE.GEOMETRY:
      return 1;
    case COLUMN_TYPE.VARCHAR:
    case COLUMN_TYPE.VARCHAR_COMPRESSED:
    case COLUMN_TYPE.BIT:
    case COLUMN_TYPE.NEWDECIMAL:
    case COLUMN_TYPE.ENUM:
    case COLUMN_TYPE.SET:
    case COLUMN_TYPE.VAR_STRING:
    case COLUMN_TYPE.STRING:
      return 2;
    default:
      return null;
  }
}

/** The name of a type code for messages: `VARCHAR (15)`. */
export function columnTypeName(type: number): string {
  const found = Object.entries(COLUMN_TYPE).find(([, code]) => code === type);
  return `${found === undefined ? 'unknown type' : found[0]} (${type})`;
}
