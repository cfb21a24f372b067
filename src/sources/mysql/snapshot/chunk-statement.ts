import type { Column } from '../../../core/table-schema.ts';
import type { ChunkKey } from './chunk-key.ts';
import { quoteTable, type TableName } from './names.ts';
import { type Comparison, comparison, isComparedPlainly } from './text-rows/key-comparison.ts';
import { quoteName } from './text-rows/text-columns.ts';

export interface ChunkStatement extends TableName {
  readonly selectList: string;
  /** Null: the whole table, in no order. */
  readonly key: ChunkKey | null;
  /** Of the key. */
  readonly keyColumns: readonly Column[];
  /** The literals behind which the chunk begins. */
  readonly after: readonly string[] | null;
  /** The literals with which it ends, should there be so many rows; null: with the table. */
  readonly upTo: readonly string[] | null;
  /** Literals of the keys that are wanted. */
  readonly keys: readonly (readonly string[])[] | null;
  /** Of those only what is one of these, too. */
  readonly among?: readonly (readonly string[])[] | null;
  readonly where: string | null;
  readonly limit: number | null;
  /** Rows to pass over before the first one. */
  readonly skip: number;
  /** What makes it a locking read; empty: none. */
  readonly lock: string;
}

/** The SELECT of a chunk. */
export function chunkStatement(chunk: ChunkStatement): string {
  const { selectList, key, after, upTo, keys, among = null, where, limit, skip, lock } = chunk;
  const conditions: string[] = [];
  if (key !== null && after !== null) conditions.push(beside(chunk, key, { side: 'behind', literals: after }));
  if (key !== null && upTo !== null) conditions.push(beside(chunk, key, { side: 'up to', literals: upTo }));
  for (const list of [keys, among]) if (key !== null && list !== null) conditions.push(anyOf(chunk, key, list));
  // Last, so that no value stands behind it, where the server quotes the statement in its errors. The line's end ends a comment.
  if (where !== null) conditions.push(`(${where}\n)`);
  return [
    `SELECT ${selectList} FROM ${quoteTable(chunk)}`,
    key === null ? '' : ` FORCE INDEX (${quoteName(key.index)})`,
    conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`,
    key === null ? '' : ` ORDER BY ${order(chunk, key)}`,
    limit === null ? '' : ` LIMIT ${limit}`,
    skip === 0 ? '' : ` OFFSET ${skip}`,
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

interface ComparedPart {
  /** Of the part in the key. */
  readonly index: number;
  readonly operator: Comparison;
  readonly literal: string;
}

function comparedPart(chunk: ChunkStatement, { index, operator, literal }: ComparedPart): string {
  const column = chunk.keyColumns[index] as Column;
  return comparison(column, operator, { quoted: columnOf(chunk, column.name), literal });
}

/**
 * Everything behind a key, or up to it, in the order of the index. The servers use no index for `(a, b) > (1, 2)`; they do for
 * `a >= 1 AND (a > 1 OR (a = 1 AND b > 2))`.
 */
function beside(
  chunk: ChunkStatement,
  { parts }: ChunkKey,
  { side, literals }: { readonly side: 'behind' | 'up to'; readonly literals: readonly string[] },
): string {
  let condition = '';
  let orSame = '';
  for (const [index, { descending }] of [...parts.entries()].toReversed()) {
    const literal = literals[index] ?? 'NULL';
    const isGreater = (side === 'behind') !== descending;
    const compared = (operator: Comparison): string => comparedPart(chunk, { index, operator, literal });
    orSame = compared(isGreater ? '>=' : '<=');
    const further = compared(isGreater ? '>' : '<');
    if (condition !== '') condition = `(${further} OR (${compared('=')} AND ${condition}))`;
    else condition = side === 'behind' ? further : orSame;
  }
  return parts.length === 1 ? condition : `${orSame} AND ${condition}`;
}

function anyOf(chunk: ChunkStatement, { parts }: ChunkKey, keys: readonly (readonly string[])[]): string {
  if (keys.length === 0) return 'FALSE';
  const [first] = chunk.keyColumns;
  if (parts.length === 1 && first !== undefined && isComparedPlainly(first)) {
    return `${columnOf(chunk, first.name)} IN (${keys.map((key) => key[0] ?? 'NULL').join(', ')})`;
  }
  const each = keys.map((key) =>
    parts.map((_, index) => comparedPart(chunk, { index, operator: '=', literal: key[index] ?? 'NULL' })).join(' AND '),
  );
  return `(${each.map((condition) => `(${condition})`).join(' OR ')})`;
}
