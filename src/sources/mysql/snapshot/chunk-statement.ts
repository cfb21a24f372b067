import type { Column } from '../../../core/table-schema.ts';
import type { ChunkKey } from './chunk-key.ts';
import { quoteTable, type TableName } from './names.ts';
import { isAfter } from './text-rows/key-literals.ts';
import { quoteName } from './text-rows/text-columns.ts';

export interface ChunkStatement extends TableName {
  readonly selectList: string;
  /** Null: the whole table, in no order. */
  readonly key: ChunkKey | null;
  /** Of the key. */
  readonly keyColumns: readonly Column[];
  /** The literals behind which the chunk begins. */
  readonly after: readonly string[] | null;
  /** Literals of the keys that are wanted. */
  readonly keys: readonly (readonly string[])[] | null;
  readonly where: string | null;
  readonly limit: number | null;
  /** What makes it a locking read; empty: none. */
  readonly lock: string;
}

/** The SELECT of a chunk. */
export function chunkStatement(chunk: ChunkStatement): string {
  const { selectList, key, after, keys, where, limit, lock } = chunk;
  const conditions: string[] = [];
  if (key !== null && after !== null) conditions.push(behind(chunk, key, after));
  if (key !== null && keys !== null) conditions.push(among(chunk, key, keys));
  // Last, so that no value stands behind it, where the server quotes the statement in its errors. The line's end ends a comment.
  if (where !== null) conditions.push(`(${where}\n)`);
  return [
    `SELECT ${selectList} FROM ${quoteTable(chunk)}`,
    key === null ? '' : ` FORCE INDEX (${quoteName(key.index)})`,
    conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`,
    key === null ? '' : ` ORDER BY ${order(chunk, key)}`,
    limit === null ? '' : ` LIMIT ${limit}`,
    lock === '' ? '' : ` ${lock}`,
  ].join('');
}

/** With the table's name in front: a bare name could be one of the select list. */
function columnOf({ table }: TableName, column: string): string {
  return `${quoteName(table)}.${quoteName(column)}`;
}

function order(table: TableName, { parts }: ChunkKey): string {
  return parts.map(({ column, descending }) => columnOf(table, column) + (descending ? ' DESC' : '')).join(', ');
}

/**
 * Everything behind a key in the order of the index. The servers use no index for `(a, b) > (1, 2)`; they do for
 * `a >= 1 AND (a > 1 OR (a = 1 AND b > 2))`.
 */
function behind(chunk: ChunkStatement, { parts }: ChunkKey, after: readonly string[]): string {
  let condition = '';
  let orSame = '';
  for (const [index, { column, descending }] of [...parts.entries()].toReversed()) {
    const name = columnOf(chunk, column);
    const literal = after[index] ?? 'NULL';
    const definition = chunk.keyColumns[index];
    const further =
      descending || definition === undefined ? isBefore(definition, name, literal) : isAfter(definition, name, literal);
    condition = condition === '' ? further : `(${further} OR (${name} = ${literal} AND ${condition}))`;
    orSame = definition?.type === 'enum' ? '' : `${name} ${descending ? '<=' : '>='} ${literal} AND `;
  }
  return parts.length === 1 ? condition : orSame + condition;
}

/** As `isAfter`, the other way round. */
function isBefore(column: Column | undefined, name: string, literal: string): string {
  if (column?.type !== 'enum') return `${name} < ${literal}`;
  const count = Number(literal);
  return count === 0 ? 'FALSE' : `${name} IN (${Array.from({ length: count }, (_, i) => i).join(', ')})`;
}

function among(table: TableName, { parts }: ChunkKey, keys: readonly (readonly string[])[]): string {
  const [first] = parts;
  if (keys.length === 0 || first === undefined) return 'FALSE';
  if (parts.length === 1) {
    return `${columnOf(table, first.column)} IN (${keys.map((key) => key[0] ?? 'NULL').join(', ')})`;
  }
  const each = keys.map((key) =>
    parts.map(({ column }, index) => `${columnOf(table, column)} = ${key[index] ?? 'NULL'}`).join(' AND '),
  );
  return `(${each.map((condition) => `(${condition})`).join(' OR ')})`;
}
