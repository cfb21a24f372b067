import type { Column } from '../../../core/table-schema.ts';
import { charsetWidth } from './charsets.ts';
import type { DdlContext } from './effect.ts';
import { requireColumn } from './primary-key.ts';
import type { TableElement } from './table-elements.ts';
import { NotUnderstood } from './token-reader.ts';

/** InnoDB's limit with its default row format and page size. */
const KEY_BYTES_MAX = 3072;
/** No other type takes more in a key. */
const OTHER_BYTES = 40;

/**
 * MariaDB keeps a UNIQUE key that is too long for the engine as a hash in a hidden column, which is part of each row image.
 * Where that happens depends on the engine, its row format and its page size, so a key that may be meant is not understood.
 */
export function refuseLongUnique(columns: readonly Column[], element: TableElement, context: DdlContext): void {
  if (context.flavour !== 'mariadb' || element.kind !== 'unique') return;
  if (element.hash || element.parts === null) throw new NotUnderstood('a unique hash');
  let bytes = 0;
  for (const part of element.parts) {
    if (part.period) bytes += 2 * OTHER_BYTES;
    else bytes += keyBytes(columns[requireColumn(columns, part.column)] as Column, part.prefix, context);
  }
  if (bytes > KEY_BYTES_MAX) throw new NotUnderstood('a long unique key');
}

/**
 * The same for columns of UNIQUE keys that an ALTER TABLE changed: each with its former self, null for a new one. Which of them
 * share a key is not known, so they are taken together.
 */
export function refuseLongerUnique(
  changed: readonly (readonly [before: Column | null, after: Column])[],
  context: DdlContext,
): void {
  if (context.flavour !== 'mariadb') return;
  let bytes = 0;
  let longer = false;
  for (const [before, after] of changed) {
    const now = keyBytes(after, null, context);
    const then = before === null ? 0 : keyBytes(before, null, context);
    // A TEXT that was one before has a key on its first characters.
    if (now === Number.POSITIVE_INFINITY && then === now) continue;
    if (before !== null && now > then) longer = true;
    bytes += now;
  }
  if (longer && bytes > KEY_BYTES_MAX) throw new NotUnderstood('a unique key may get too long');
}

function keyBytes(column: Column, prefix: number | null, context: DdlContext): number {
  switch (column.type) {
    case 'text':
    case 'blob':
    case 'geometry':
    case 'json':
      return prefix === null ? Number.POSITIVE_INFINITY : prefix * width(column, context);
    case 'char':
    case 'varchar':
    case 'binary':
    case 'varbinary':
      return (prefix ?? column.length ?? 0) * width(column, context);
    default:
      return OTHER_BYTES;
  }
}

function width(column: Column, context: DdlContext): number {
  return column.charset === null ? 1 : charsetWidth(column.charset, context.flavour);
}
