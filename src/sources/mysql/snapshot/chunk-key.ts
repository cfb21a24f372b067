import { createHash } from 'node:crypto';
import type { Column, TableSchema } from '../../../core/table-schema.ts';
import type { TextRow } from './result-reader.ts';
import { quoteName } from './text-rows/text-columns.ts';

/** The index by which a table is cut into chunks: unique, without NULL, and whole columns only. */
export interface ChunkKey {
  /** The index's name. */
  readonly index: string;
  readonly parts: readonly KeyPart[];
}

export interface KeyPart {
  readonly column: string;
  /** The index is kept in this direction, and so it is read: the other one would sort the rest of the table for every chunk. */
  readonly descending: boolean;
}

/** All unique indexes of the tables that the condition is true for, column by column: what `chunkKeys` takes. Not of every version has all columns. */
export function uniqueIndexesSql(condition: string): string {
  return (
    `SELECT * FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 AND ${condition} ` +
    'ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX'
  );
}

/** The chunk key of every table that has one, by `database NUL table`: the primary key, or the unique index of the fewest columns. */
export function chunkKeys(rows: readonly TextRow[]): Map<string, ChunkKey> {
  const indexes = Map.groupBy(rows, (row) => `${row['TABLE_SCHEMA']}\0${row['TABLE_NAME']}\0${row['INDEX_NAME']}`);
  const keys = new Map<string, ChunkKey>();
  for (const parts of indexes.values()) {
    const [first] = parts;
    if (first === undefined || !parts.every(isUsable)) continue;
    const table = `${first['TABLE_SCHEMA']}\0${first['TABLE_NAME']}`;
    const key: ChunkKey = {
      index: first['INDEX_NAME'] ?? '',
      parts: parts.map((row) => ({ column: row['COLUMN_NAME'] ?? '', descending: row['COLLATION'] === 'D' })),
    };
    const known = keys.get(table);
    if (known === undefined || rank(key) < rank(known)) keys.set(table, key);
  }
  return keys;
}

function rank({ index, parts }: ChunkKey): number {
  return index.toUpperCase() === 'PRIMARY' ? 0 : parts.length;
}

/**
 * A prefix of a column does not tell rows apart, an expression (MySQL) is no column, an index that the optimizer may not see cannot be
 * forced, and a hash (MariaDB's of long columns, MEMORY's) has no order.
 */
function isUsable(row: TextRow): boolean {
  return (
    row['COLUMN_NAME'] !== null &&
    row['SUB_PART'] === null &&
    row['NULLABLE'] !== 'YES' &&
    row['INDEX_TYPE']?.toUpperCase() === 'BTREE' &&
    (row['IS_VISIBLE'] ?? 'YES') === 'YES' &&
    (row['IGNORED'] ?? 'NO') === 'NO' &&
    (row['EXPRESSION'] ?? null) === null
  );
}

/**
 * What the order of the key depends on, as text: a chunk may go on where another ended only if it is still the same. One entry for each
 * part: column, kind of value with collation or members, direction.
 */
export function keySignature({ parts }: ChunkKey, { columns }: TableSchema): readonly string[] {
  return parts.map(({ column: name, descending }) => {
    const column = columns.find((candidate) => candidate.name === name);
    const kind = column === undefined ? '?' : orderKind(column);
    return `${quoteName(name)} ${kind}${descending ? ' desc' : ''}`;
  });
}

function orderKind({ type, charset, collation, members }: Column): string {
  switch (type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
      return 'integer';
    case 'char':
    case 'varchar':
    case 'text':
      return `text ${collation ?? charset ?? ''}`;
    case 'binary':
    case 'varbinary':
    case 'blob':
      return 'bytes';
    case 'enum':
    case 'set': {
      const hash = createHash('sha256').update(JSON.stringify(members));
      return `${type} ${hash.digest('hex').slice(0, 16)}`;
    }
    default:
      return type;
  }
}
