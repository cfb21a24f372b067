import type { Row, Value } from '../core/change.ts';
import { keyNames } from '../core/plain-rows.ts';
import type { DecodedRows, RowBatch } from '../core/source.ts';

/**
 * The primary keys of rows that do not hold all of their key themselves, because only other columns were asked for; null when the
 * rows do. Which columns the rows of one batch have is the same for all of them, so the first row tells.
 */
export function leftOutKeys(batch: RowBatch, { before, after }: DecodedRows): readonly Row[] | null {
  const names = keyNames(batch.table);
  const [old, now] = [before?.[0], after?.[0]];
  const has = (row: Row | undefined, name: string): boolean => row !== undefined && Object.hasOwn(row, name);
  if (names.every((name) => has(now, name) || has(old, name))) return null;
  const keys = batch.keys();
  if (keys === null) return null;
  return keys.map((key) => {
    const values = names.length === 1 ? [key as Value] : (key as readonly Value[]);
    return Object.fromEntries(names.map((name, index) => [name, values[index] ?? null]));
  });
}
