import type { Row } from '../../src/core/change.ts';
import { keyText, type ReplicaTable } from './replica.ts';

/** How the rows that follow from the changes and those that SELECT shows differ. */
export interface Comparison {
  readonly table: string;
  /** That SELECT shows. */
  readonly rows: number;
  readonly changes: number;
  /** Changes that came once more, and changed nothing. */
  readonly again: number;
  readonly identical: boolean;
  /** One sentence for each kind of difference, with the keys of some rows. */
  readonly differences: readonly string[];
}

const EXAMPLES_MAX = 3;

/** Compares count, keys and every value of every column. `selected` must come from a SELECT, by way of nothing of ours. */
export function compareTable(
  table: string,
  { replica, selected, key }: { replica: ReplicaTable; selected: readonly Row[]; key: readonly string[] },
): Comparison {
  const missing: string[] = [];
  const different: string[] = [];
  const left = new Set(replica.rows.keys());
  for (const row of selected) {
    const at = keyText(row, key);
    const replayed = replica.rows.get(at);
    left.delete(at);
    if (replayed === undefined) missing.push(at);
    else {
      const column = differingColumn(row, replayed);
      if (column !== null) different.push(`${at} in ${column}`);
    }
  }
  const differences = [
    sentence(missing, 'SELECT shows, the changes do not yield'),
    sentence([...left], 'the changes yield, SELECT does not show'),
    sentence(different, 'have other values'),
    replica.misfits === 0 ? null : `${replica.misfits} changes did not fit the row before them`,
    replica.late === 0 ? null : `${replica.late} changes came behind a later one of the same key`,
  ].filter((text) => text !== null);
  const { changes, again } = replica;
  return { table, rows: selected.length, changes, again, identical: differences.length === 0, differences };
}

function differingColumn(selected: Row, replayed: Row): string | null {
  for (const [column, value] of Object.entries(selected)) {
    // A column that came with an ALTER TABLE is NULL in the rows that were not changed since: no change ever says so.
    if (value !== (Object.hasOwn(replayed, column) ? replayed[column] : null)) return column;
  }
  return Object.keys(replayed).find((column) => !Object.hasOwn(selected, column)) ?? null;
}

function sentence(rows: readonly string[], what: string): string | null {
  if (rows.length === 0) return null;
  const more = rows.length > EXAMPLES_MAX ? ', …' : '';
  return `${rows.length} row${rows.length === 1 ? '' : 's'} ${what}: ${rows.slice(0, EXAMPLES_MAX).join(', ')}${more}`;
}
