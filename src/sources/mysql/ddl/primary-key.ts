import type { Column } from '../../../core/table-schema.ts';
import type { KeyPart, TableElement } from './table-elements.ts';
import { NotUnderstood } from './token-reader.ts';

/**
 * Where `name` is among the columns. The servers compare column names without case and accents; without accents is left out,
 * so a name that is not found may still be one of the columns.
 */
export function findColumn(columns: readonly Column[], name: string): number {
  const lower = name.toLowerCase();
  return columns.findIndex((column) => column.name.toLowerCase() === lower);
}

/** For IF [NOT] EXISTS, where the answer decides what happens. */
export function hasColumn(columns: readonly Column[], name: string): boolean {
  if (findColumn(columns, name) >= 0) return true;
  const plain = (text: string): boolean => /^[\u0000-\u007f]*$/.test(text);
  if (!plain(name) || !columns.every((column) => plain(column.name))) throw new NotUnderstood('accents decide');
  return false;
}

export function requireColumn(columns: readonly Column[], name: string): number {
  const index = findColumn(columns, name);
  if (index < 0) throw new NotUnderstood('unknown column');
  return index;
}

/** The column indexes of a primary key. A period stands for its end and its start, as MariaDB appends them. */
export function resolveKey(
  columns: readonly Column[],
  parts: readonly KeyPart[],
  elements: readonly TableElement[],
): number[] {
  return parts.flatMap((part) => {
    if (!part.period) return [requireColumn(columns, part.column)];
    const period = elements.find(
      (element) => element.kind === 'period' && element.name.toLowerCase() === part.column.toLowerCase(),
    );
    if (period?.kind !== 'period') throw new NotUnderstood('unknown period');
    return [requireColumn(columns, period.to), requireColumn(columns, period.from)];
  });
}

/** The same columns, with these NOT NULL. */
export function notNull(columns: readonly Column[], indexes: readonly number[]): Column[] {
  return columns.map((column, index) => (indexes.includes(index) ? { ...column, nullable: false } : column));
}
