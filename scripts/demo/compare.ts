import type { Connection } from 'mysql2/promise';
import type { Row } from '../../src/core/change.ts';
import { keyText, type Replica, type ReplicaTable } from './replica.ts';
import { SHOP_TABLE_NAMES } from './shop.ts';

/** How the rows that follow from the changes and those that SELECT shows differ. */
export interface Comparison {
  readonly table: string;
  /** That SELECT shows. */
  readonly rows: number;
  /** Rows that the snapshot brought. */
  readonly snapshotRows: number;
  readonly changes: number;
  /** Changes and rows of the snapshot that came once more, and changed nothing. */
  readonly again: number;
  readonly identical: boolean;
  /** One sentence for each kind of difference, with the keys of some rows. */
  readonly differences: readonly string[];
}

const EXAMPLES_MAX = 3;

interface CompareOptions {
  readonly replica: ReplicaTable;
  /** Must come from a SELECT, by way of nothing of ours. */
  readonly selected: readonly Row[];
  readonly key: readonly string[];
  /** An SCN at or behind the last row of the snapshot: changes of rows that it has not brought must not come behind it. */
  readonly snapshotEnd: number;
}

/**
 * The rows as the server shows them now, through an ordinary client, against those that snapshot and changes alone have led to.
 *
 * @param snapshotEnd an SCN at or behind the last row of the snapshot
 */
export async function compareTables(
  connection: Connection,
  replica: Replica,
  { snapshotEnd }: { readonly snapshotEnd: number },
): Promise<readonly Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const table of SHOP_TABLE_NAMES) {
    const [rows] = await connection.query(`SELECT * FROM ${table}`);
    const [keys] = await connection.query(`SHOW KEYS FROM ${table} WHERE Key_name = 'PRIMARY'`);
    const key = (keys as { Column_name: string }[]).map(({ Column_name: column }) => column);
    comparisons.push(compareTable(table, { replica: replica.table(table), selected: rows as Row[], key, snapshotEnd }));
  }
  return comparisons;
}

/** Compares count, keys and every value of every column. */
export function compareTable(table: string, { replica, selected, key, snapshotEnd }: CompareOptions): Comparison {
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
  const unexpected = replica.overtaking.filter((scn) => scn > snapshotEnd).length;
  const differences = [
    sentence(missing, 'SELECT shows, what came does not yield'),
    sentence([...left], 'what came yields, SELECT does not show'),
    sentence(different, 'have other values'),
    replica.misfits === 0 ? null : `${replica.misfits} changes did not fit the row before them`,
    replica.unfit === 0 ? null : `${replica.unfit} rows of the snapshot were not what the changes had left`,
    unexpected === 0 ? null : `${unexpected} changes of rows that the snapshot should have brought, and had not`,
    replica.late === 0 ? null : `${replica.late} changes came behind a later one of the same key`,
  ].filter((text) => text !== null);
  const { snapshotRows, changes, again } = replica;
  const counts = { rows: selected.length, snapshotRows, changes, again };
  return { table, ...counts, identical: differences.length === 0, differences };
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
