import type { SnapshotTable } from '../../../core/snapshot.ts';
import type { TableSelection } from '../table-selection.ts';
import { chunkKeys, uniqueIndexesSql } from './chunk-key.ts';
import { quoteText } from './names.ts';
import type { SnapshotConnection } from './snapshot-connection.ts';

/** The tables of the selection, views and sequences left out, by database and name. */
export async function listTables(
  { reader }: SnapshotConnection,
  selection: TableSelection,
): Promise<readonly SnapshotTable[]> {
  const databases = (await reader.query('SELECT SCHEMA_NAME AS db FROM information_schema.SCHEMATA'))
    .map((row) => row['db'] ?? '')
    .filter((database) => selection.touches(database));
  if (databases.length === 0) return [];
  const condition = `TABLE_SCHEMA IN (${databases.map(quoteText).join(', ')})`;
  const tables = await reader.query(
    'SELECT TABLE_SCHEMA AS db, TABLE_NAME AS tbl, TABLE_ROWS AS estimate FROM information_schema.TABLES ' +
      `WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND ${condition}`,
  );
  const keys = chunkKeys(await reader.query(uniqueIndexesSql(condition)));
  return tables
    .map((row): SnapshotTable => {
      const database = row['db'] ?? '';
      const name = row['tbl'] ?? '';
      const key = keys.get(`${database}\0${name}`)?.parts.map(({ column }) => column) ?? null;
      return { database, name, rows: Number(row['estimate'] ?? 0), key };
    })
    .filter(({ database, name }) => selection.watches(database, name))
    .toSorted((a, b) => compareTexts(a.database, b.database) || compareTexts(a.name, b.name));
}

/** By code unit: the same order everywhere. */
function compareTexts(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
