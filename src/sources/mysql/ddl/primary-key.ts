import type { Column } from '../../../core/table-schema.ts';
import { foldName } from './fold-name.ts';
import type { KeyPart, TableElement } from './table-elements.ts';
import { NotUnderstood } from './token-reader.ts';

/** Where `name` is among the columns; -1 when it is none of them. */
export function findColumn(columns: readonly Column[], name: string): number {
  const folded = foldName(name);
  return columns.findIndex((column) => foldName(column.name) === folded);
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
      (element) => element.kind === 'period' && foldName(element.name) === foldName(part.column),
    );
    if (period?.kind !== 'period') throw new NotUnderstood('unknown period');
    return [requireColumn(columns, period.to), requireColumn(columns, period.from)];
  });
}

/** The same columns, with these NOT NULL. */
export function notNull(columns: readonly Column[], indexes: readonly number[]): Column[] {
  return columns.map((column, index) => (indexes.includes(index) ? { ...column, nullable: false } : column));
}
