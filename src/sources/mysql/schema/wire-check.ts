import type { Column, TableSchema } from '../../../core/table-schema.ts';
import { COLUMN_TYPE, columnTypeName } from '../binlog/column-types.ts';
import type { TableMapEvent, WireColumn } from '../binlog/table-map-event.ts';
import { charsetByName } from '../charset/charset.ts';
import { charsetOfCollation } from '../charset/collations.ts';
import type { Flavour } from '../../../drivers/mysql/server-version.ts';
import { metadataColumns } from './metadata-columns.ts';

/**
 * Why a definition cannot be the one that a TABLE_MAP was written with; null when nothing speaks against it.
 *
 * The check that stands between a wrong definition and wrong values (I9): column count, types, lengths, and what the
 * event's metadata says of signs, character sets and names.
 */
export function wireMismatch(event: TableMapEvent, schema: TableSchema, flavour: Flavour): string | null {
  if (event.columns.length !== schema.columns.length) {
    return `the rows have ${event.columns.length} columns, the known definition ${schema.columns.length}`;
  }
  const metadata = metadataColumns(event);
  for (const [i, column] of schema.columns.entries()) {
    const wire = event.columns[i] as WireColumn;
    if (!fits(wire, column, flavour)) {
      return `column ${column.name} is known as ${column.type}${column.length === null ? '' : `(${column.length})`}, the rows hold ${columnTypeName(wire.type)} of size ${wire.size}`;
    }
    const name = event.metadata?.names?.[i];
    if (name !== undefined && name !== column.name) {
      return `column ${i + 1} is known as ${column.name}, the rows call it ${name}`;
    }
    const { unsigned, collation } = metadata[i] ?? { unsigned: false, collation: null };
    if ((event.metadata?.unsigned ?? null) !== null && isInteger(column) && unsigned !== column.unsigned) {
      return `column ${column.name} is ${unsigned ? '' : 'not '}unsigned in the rows`;
    }
    if (collation !== null && isBytes(column) && collation !== BINARY_COLLATION) {
      return `column ${column.name} is known as ${column.type}, the rows hold text`;
    }
    if (
      collation !== null &&
      column.charset !== null &&
      charsetOfCollation(collation, flavour) !== canonical(column.charset)
    ) {
      return `column ${column.name} is known in ${column.charset}, the rows are in ${charsetOfCollation(collation, flavour) ?? `collation ${collation}`}`;
    }
  }
  return null;
}

function canonical(charset: string): string {
  return charset === 'utf8' ? 'utf8mb3' : charset;
}

/** The collation `binary`, of columns without a character set, on every server. */
const BINARY_COLLATION = 63;

function isBytes({ type, charset }: Column): boolean {
  if (charset !== null) return false;
  return ['binary', 'varbinary', 'blob', 'uuid', 'inet4', 'inet6'].includes(type);
}

function isInteger({ type }: Column): boolean {
  return type === 'tinyint' || type === 'smallint' || type === 'mediumint' || type === 'int' || type === 'bigint';
}

const PLAIN: Readonly<Partial<Record<Column['type'], readonly number[]>>> = {
  tinyint: [COLUMN_TYPE.TINY],
  smallint: [COLUMN_TYPE.SHORT],
  mediumint: [COLUMN_TYPE.INT24],
  int: [COLUMN_TYPE.LONG],
  bigint: [COLUMN_TYPE.LONGLONG],
  year: [COLUMN_TYPE.YEAR],
  float: [COLUMN_TYPE.FLOAT],
  double: [COLUMN_TYPE.DOUBLE],
  date: [COLUMN_TYPE.DATE, COLUMN_TYPE.NEWDATE],
  json: [COLUMN_TYPE.JSON],
  geometry: [COLUMN_TYPE.GEOMETRY],
};

function fits(wire: WireColumn, column: Column, flavour: Flavour): boolean {
  const plain = PLAIN[column.type];
  if (plain !== undefined) return plain.includes(wire.type);
  const length = column.length;
  const perCharacter = column.charset === null ? 1 : (charsetByName(column.charset, flavour)?.bytesPerCharMax ?? 1);
  switch (column.type) {
    case 'bit':
      return wire.type === COLUMN_TYPE.BIT && wire.size === length;
    case 'decimal':
      return wire.type === COLUMN_TYPE.NEWDECIMAL && wire.size === length && wire.scale === (column.scale ?? 0);
    case 'time':
      return wire.type === COLUMN_TYPE.TIME || (wire.type === COLUMN_TYPE.TIME2 && wire.size === (length ?? 0));
    case 'datetime':
      return wire.type === COLUMN_TYPE.DATETIME || (wire.type === COLUMN_TYPE.DATETIME2 && wire.size === (length ?? 0));
    case 'timestamp':
      return (
        wire.type === COLUMN_TYPE.TIMESTAMP || (wire.type === COLUMN_TYPE.TIMESTAMP2 && wire.size === (length ?? 0))
      );
    case 'char':
      return wire.type === COLUMN_TYPE.STRING && wire.size === (length ?? 0) * perCharacter;
    case 'binary':
      return wire.type === COLUMN_TYPE.STRING && wire.size === length;
    case 'varchar':
    case 'varbinary':
      if (wire.type === COLUMN_TYPE.VARCHAR_COMPRESSED) return wire.size === (length ?? 0) * perCharacter + 1;
      return (
        (wire.type === COLUMN_TYPE.VARCHAR || wire.type === COLUMN_TYPE.VAR_STRING) &&
        wire.size === (length ?? 0) * perCharacter
      );
    case 'text':
    case 'blob':
      return (
        (wire.type === COLUMN_TYPE.BLOB || wire.type === COLUMN_TYPE.BLOB_COMPRESSED) && 256 ** wire.size - 1 === length
      );
    case 'enum':
      return wire.type === COLUMN_TYPE.ENUM && wire.size === ((column.members?.length ?? 0) < 256 ? 1 : 2);
    case 'set':
      return wire.type === COLUMN_TYPE.SET && wire.size === setBytes(column.members?.length ?? 0);
    case 'vector':
      return wire.type === COLUMN_TYPE.VECTOR || (wire.type === COLUMN_TYPE.VARCHAR && wire.size === (length ?? 0) * 4);
    case 'uuid':
    case 'inet6':
      return wire.type === COLUMN_TYPE.STRING && wire.size === 16;
    case 'inet4':
      return wire.type === COLUMN_TYPE.STRING && wire.size === 4;
    default:
      return false;
  }
}

/** SET takes 1, 2, 3, 4 or 8 bytes. */
function setBytes(members: number): number {
  const bytes = (members + 7) >> 3;
  return bytes > 4 ? 8 : bytes;
}
