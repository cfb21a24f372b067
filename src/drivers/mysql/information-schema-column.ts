import type { Column, ColumnType } from '../../core/table-schema.ts';

/** A row of information_schema.COLUMNS. */
export interface ColumnRow {
  readonly name: string;
  readonly dataType: string;
  readonly columnType: string;
  readonly nullable: boolean;
  readonly extra: string;
  readonly characters: number | null;
  readonly precision: number | null;
  readonly scale: number | null;
  readonly fraction: number | null;
  readonly charset: string | null;
  readonly collation: string | null;
}

const LOB_BYTES: Readonly<Record<string, number>> = {
  tinytext: 0xff,
  text: 0xffff,
  mediumtext: 0xff_ffff,
  longtext: 0xffff_ffff,
  tinyblob: 0xff,
  blob: 0xffff,
  mediumblob: 0xff_ffff,
  longblob: 0xffff_ffff,
};

/** What DATA_TYPE says, beside the names that are the same here. */
const TYPES: Readonly<Record<string, ColumnType>> = {
  tinytext: 'text',
  mediumtext: 'text',
  longtext: 'text',
  tinyblob: 'blob',
  mediumblob: 'blob',
  longblob: 'blob',
  point: 'geometry',
  linestring: 'geometry',
  polygon: 'geometry',
  multipoint: 'geometry',
  multilinestring: 'geometry',
  multipolygon: 'geometry',
  geometrycollection: 'geometry',
  geomcollection: 'geometry',
};

const SAME_NAME: ReadonlySet<string> = new Set<ColumnType>([
  'tinyint',
  'smallint',
  'mediumint',
  'int',
  'bigint',
  'year',
  'bit',
  'decimal',
  'float',
  'double',
  'date',
  'datetime',
  'timestamp',
  'time',
  'char',
  'varchar',
  'text',
  'binary',
  'varbinary',
  'blob',
  'enum',
  'set',
  'json',
  'geometry',
  'vector',
  'uuid',
  'inet4',
  'inet6',
]);

/** The column that a row of information_schema describes; null when its type is not known here. */
export function columnFromInformationSchema(row: ColumnRow): Column | null {
  const type = TYPES[row.dataType] ?? (SAME_NAME.has(row.dataType) ? (row.dataType as ColumnType) : null);
  if (type === null) return null;
  const isText = type === 'char' || type === 'varchar' || type === 'text';
  const hasMembers = type === 'enum' || type === 'set';
  const members = hasMembers ? parseMembers(row.columnType) : null;
  if (hasMembers && members === null) return null;
  // An ENUM of binary members has the character set `binary`; MySQL shows none.
  const binaryMembers = hasMembers && row.charset === null;
  return {
    name: row.name,
    type,
    nullable: row.nullable,
    unsigned: !hasMembers && / unsigned\b/.test(row.columnType),
    length: columnLength(type, row),
    scale: type === 'decimal' ? row.scale : null,
    charset: binaryMembers ? 'binary' : isText || hasMembers ? utf8mb3(row.charset) : null,
    collation: binaryMembers ? 'binary' : isText || hasMembers ? utf8mb3(row.collation) : null,
    members,
    generated: generation(row.extra),
    invisible: /\bINVISIBLE\b/i.test(row.extra),
  };
}

function columnLength(type: ColumnType, row: ColumnRow): number | null {
  switch (type) {
    case 'char':
    case 'varchar':
    case 'binary':
    case 'varbinary':
      return row.characters;
    case 'text':
    case 'blob':
      return LOB_BYTES[row.dataType] ?? null;
    case 'bit':
    case 'decimal':
      return row.precision;
    case 'datetime':
    case 'timestamp':
    case 'time':
      return row.fraction ?? 0;
    case 'vector':
      return Number(/\((\d+)\)/.exec(row.columnType)?.[1] ?? Number.NaN);
    default:
      return null;
  }
}

function generation(extra: string): Column['generated'] {
  // MariaDB before 10.2 wrote VIRTUAL and PERSISTENT; MySQL's DEFAULT_GENERATED is a default, not a generated column.
  const kind = /(?:^|,? )(VIRTUAL|STORED|PERSISTENT)(?: GENERATED)?\b/i.exec(extra)?.[1]?.toUpperCase();
  if (kind === undefined) return null;
  return kind === 'VIRTUAL' ? 'virtual' : 'stored';
}

/** `utf8` and `utf8_bin`, as servers before MySQL 8.0.29 and MariaDB 10.6 say, by their present names. */
export function utf8mb3(name: string | null): string | null {
  return name?.replace(/^utf8(?=_|$)/, 'utf8mb3') ?? null;
}

const UNESCAPED: Readonly<Record<string, string>> = { '0': '\0', n: '\n', r: '\r' };

/**
 * The members in `enum('a','b''c','d\\e')`; null when it is not of this form. The servers double quotes and escape backslash,
 * line feed, carriage return and zero byte, whatever the sql_mode (`append_unescaped` in both).
 */
export function parseMembers(columnType: string): string[] | null {
  const list = /^(?:enum|set)\((.*)\)/is.exec(columnType)?.[1];
  if (list === undefined) return null;
  const member = /'((?:[^'\\]|''|\\.)*)'(,|$)/sy;
  const members: string[] = [];
  for (let more = true; more;) {
    const match = member.exec(list);
    if (match === null) return null;
    members.push((match[1] ?? '').replace(/''|\\(.)/gs, (_pair, escaped?: string) => unescape(escaped)));
    more = match[2] === ',';
  }
  return member.lastIndex === list.length ? members : null;
}

function unescape(escaped: string | undefined): string {
  return escaped === undefined ? "'" : (UNESCAPED[escaped] ?? escaped);
}
