import { TidingsError } from '../../../core/errors.ts';
import type { Column, ColumnType, TableSchema } from '../../../core/table-schema.ts';
import { COLUMN_TYPE, columnTypeName } from '../binlog/column-types.ts';
import type { BoundColumn } from '../binlog/rows/bound-column.ts';
import type { RowMetadata, TableMapEvent, WireColumn } from '../binlog/table-map-event.ts';
import { charsetByName } from '../charset/charset.ts';
import { charsetOfCollation, collationName } from '../charset/collations.ts';
import type { Flavour } from '../../../drivers/mysql/server-version.ts';
import { decodeMembers, metadataColumns } from './metadata-columns.ts';
import { wireMismatch } from './wire-check.ts';

/** A TABLE_MAP together with what its columns mean: all that decoding its rows takes. */
export interface TableBinding {
  readonly schema: TableSchema;
  readonly columns: readonly BoundColumn[];
}

export interface BindOptions {
  readonly flavour: Flavour;
  /** Which columns are decoded. */
  readonly selected: (schema: TableSchema) => readonly boolean[];
}

/** True when the event's own metadata gives every column a name: `binlog_row_metadata=FULL`. */
export function hasFullMetadata(event: TableMapEvent): boolean {
  return event.metadata?.names?.length === event.columns.length;
}

/**
 * True when the metadata alone cannot tell what a column means. MariaDB logs UUID, INET4, INET6 and VECTOR columns exactly as
 * BINARY and VARBINARY ones, and columns made with mysql56_temporal_format=OFF without the digits of their fraction, on which
 * their length depends: only the table's definition knows.
 */
export function isAmbiguous(event: TableMapEvent, flavour: Flavour): boolean {
  if (flavour === 'mysql') return false;
  return metadataColumns(event).some(({ collation }, i) => {
    const wire = event.columns[i];
    switch (wire?.type) {
      case COLUMN_TYPE.TIME:
      case COLUMN_TYPE.DATETIME:
      case COLUMN_TYPE.TIMESTAMP:
        return true;
      case COLUMN_TYPE.STRING:
        return collation === BINARY_COLLATION && (wire.size === 16 || wire.size === 4);
      case COLUMN_TYPE.VARCHAR:
        return collation === BINARY_COLLATION && wire.size % 4 === 0 && wire.size > 0;
      default:
        return false;
    }
  });
}

const BINARY_COLLATION = 63;

/** The schema that full metadata describes; `known` fills in what the metadata cannot tell. */
export function schemaFromMetadata(event: TableMapEvent, flavour: Flavour, known: TableSchema | null): TableSchema {
  const metadata = event.metadata as RowMetadata;
  const details = metadataColumns(event);
  const columns = event.columns.map((wire, i): Column => {
    const name = metadata.names?.[i] ?? '';
    const { unsigned, collation, members, dimensions } = details[i] ?? {
      unsigned: false,
      collation: null,
      members: null,
      dimensions: null,
    };
    const charset = collation === null ? null : charsetOfCollation(collation, flavour);
    if (collation !== null && charset === null) {
      throw new TidingsError(
        'COLUMN_TYPE_UNSUPPORTED',
        `${event.database}.${event.table}.${name} has collation ${collation}, which is not known`,
        {
          details: { table: `${event.database}.${event.table}`, column: name, collation },
        },
      );
    }
    const before = known?.columns[i];
    const type = typeOf(wire, { charset, known: before?.name === name ? before : undefined });
    return {
      name,
      type,
      nullable: wire.nullable,
      unsigned,
      length: lengthOf(wire, { type, charset, flavour, dimensions, known: before?.name === name ? before : undefined }),
      scale: wire.type === COLUMN_TYPE.NEWDECIMAL ? wire.scale : null,
      charset,
      collation: collation === null ? null : collationName(collation, flavour),
      members: members === null ? null : decodeMembers(members, charset, flavour),
      generated: before?.name === name ? before.generated : null,
      invisible: metadata.visible?.[i] === false,
    };
  });
  return { database: event.database, name: event.table, columns, key: metadata.primaryKey ?? [] };
}

/**
 * Joins a TABLE_MAP with a definition.
 *
 * @throws TidingsError SCHEMA_MISMATCH when the definition cannot be the one the rows were written with
 */
export function bindTable(event: TableMapEvent, schema: TableSchema, { flavour, selected }: BindOptions): TableBinding {
  const mismatch = wireMismatch(event, schema, flavour);
  const table = `${event.database}.${event.table}`;
  if (mismatch !== null) {
    throw new TidingsError('SCHEMA_MISMATCH', `${table}: ${mismatch}`, { details: { table } });
  }
  const wanted = selected(schema);
  const columns = schema.columns.map((column, i): BoundColumn => {
    const wire = event.columns[i] as WireColumn;
    const charset = column.charset === null ? null : charsetByName(column.charset, flavour);
    if (column.charset !== null && charset === null) {
      throw new TidingsError(
        'COLUMN_TYPE_UNSUPPORTED',
        `${table}.${column.name} has character set ${column.charset}, which is not known`,
        {
          details: { table, column: column.name, charset: column.charset },
        },
      );
    }
    return { column, wire, charset, selected: wanted[i] === true };
  });
  return { schema, columns };
}

/** What a column's values are, from its bytes' layout and character set; `known` decides where these leave it open. */
function typeOf(
  wire: WireColumn,
  { charset, known }: { charset: string | null; known: Column | undefined },
): ColumnType {
  const binary = charset === 'binary';
  switch (wire.type) {
    case COLUMN_TYPE.TINY:
      return 'tinyint';
    case COLUMN_TYPE.SHORT:
      return 'smallint';
    case COLUMN_TYPE.INT24:
      return 'mediumint';
    case COLUMN_TYPE.LONG:
      return 'int';
    case COLUMN_TYPE.LONGLONG:
      return 'bigint';
    case COLUMN_TYPE.YEAR:
      return 'year';
    case COLUMN_TYPE.BIT:
      return 'bit';
    case COLUMN_TYPE.NEWDECIMAL:
      return 'decimal';
    case COLUMN_TYPE.FLOAT:
      return 'float';
    case COLUMN_TYPE.DOUBLE:
      return 'double';
    case COLUMN_TYPE.DATE:
    case COLUMN_TYPE.NEWDATE:
      return 'date';
    case COLUMN_TYPE.TIME:
    case COLUMN_TYPE.TIME2:
      return 'time';
    case COLUMN_TYPE.DATETIME:
    case COLUMN_TYPE.DATETIME2:
      return 'datetime';
    case COLUMN_TYPE.TIMESTAMP:
    case COLUMN_TYPE.TIMESTAMP2:
      return 'timestamp';
    case COLUMN_TYPE.ENUM:
      return 'enum';
    case COLUMN_TYPE.SET:
      return 'set';
    case COLUMN_TYPE.JSON:
      return 'json';
    case COLUMN_TYPE.GEOMETRY:
      return 'geometry';
    case COLUMN_TYPE.VECTOR:
      return 'vector';
    case COLUMN_TYPE.STRING:
      if (!binary) return 'char';
      return known?.type === 'uuid' || known?.type === 'inet4' || known?.type === 'inet6' ? known.type : 'binary';
    case COLUMN_TYPE.VARCHAR:
    case COLUMN_TYPE.VAR_STRING:
    case COLUMN_TYPE.VARCHAR_COMPRESSED:
      if (!binary) return 'varchar';
      return known?.type === 'vector' ? 'vector' : 'varbinary';
    case COLUMN_TYPE.BLOB:
    case COLUMN_TYPE.BLOB_COMPRESSED:
    case COLUMN_TYPE.TINY_BLOB:
    case COLUMN_TYPE.MEDIUM_BLOB:
    case COLUMN_TYPE.LONG_BLOB:
      return binary ? 'blob' : 'text';
    default:
      throw new TidingsError('COLUMN_TYPE_UNSUPPORTED', `${columnTypeName(wire.type)} is not known`, {
        details: { columnType: wire.type },
      });
  }
}

function lengthOf(
  wire: WireColumn,
  {
    type,
    charset,
    flavour,
    dimensions,
    known,
  }: {
    type: ColumnType;
    charset: string | null;
    flavour: Flavour;
    dimensions: number | null;
    known: Column | undefined;
  },
): number | null {
  const perCharacter = charset === null ? 1 : (charsetByName(charset, flavour)?.bytesPerCharMax ?? 1);
  switch (type) {
    case 'char':
      return wire.size / perCharacter;
    case 'varchar':
      // A compressed column's length counts its header byte.
      return (wire.size - (wire.type === COLUMN_TYPE.VARCHAR_COMPRESSED ? 1 : 0)) / perCharacter;
    case 'varbinary':
      return wire.size - (wire.type === COLUMN_TYPE.VARCHAR_COMPRESSED ? 1 : 0);
    case 'binary':
    case 'bit':
    case 'decimal':
      return wire.size;
    case 'text':
    case 'blob':
      return 256 ** wire.size - 1;
    case 'vector':
      return wire.type === COLUMN_TYPE.VECTOR ? dimensions : wire.size / 4;
    case 'time':
    case 'datetime':
    case 'timestamp':
      // MariaDB with mysql56_temporal_format=OFF logs no digits at all.
      return wire.type === COLUMN_TYPE.TIME || wire.type === COLUMN_TYPE.DATETIME || wire.type === COLUMN_TYPE.TIMESTAMP
        ? (known?.length ?? 0)
        : wire.size;
    default:
      return null;
  }
}
