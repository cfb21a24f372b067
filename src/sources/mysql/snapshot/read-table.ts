import { TidingsError } from '../../../core/errors.ts';
import type { Column, TableSchema } from '../../../core/table-schema.ts';
import { readTableDefinitions } from '../schema/read-table-schemas.ts';
import type { TableSelection } from '../table-selection.ts';
import { type ChunkKey, chunkKeys, keySignature, uniqueIndexesSql } from './chunk-key.ts';
import { quoteTable, quoteText, type TableName } from './names.ts';
import type { SnapshotConnection } from './snapshot-connection.ts';
import { TextRowViews } from './text-rows/text-row-batch.ts';

/** What is known of a table whose rows are read, as long as `createText` says the same. */
export interface KnownTable {
  readonly schema: TableSchema;
  readonly views: TextRowViews;
  /** Of nothing but the chunk key. */
  readonly keyViews: TextRowViews;
  readonly key: ChunkKey | null;
  readonly keyColumns: readonly Column[];
  readonly signature: readonly string[];
  /** The table's definition in the server's own words: whether they have changed is quicker to ask than what they mean. */
  readonly createText: string;
  /** Bytes of a row on the wire, by what was read or else by the server's estimate; 0: not known. */
  rowBytes: number;
}

export interface ReadTableOptions {
  readonly selection: TableSelection;
  readonly json: 'text' | 'parsed';
}

/**
 * Reads a table's definition.
 *
 * It takes several statements, so that a DDL between them could make a table that never was. A transaction that has opened the table, if only to
 * read no row of it, keeps every DDL on it waiting on both servers (metadata lock). All of them are asked within one such transaction.
 *
 * @throws TidingsError SNAPSHOT_TABLE_GONE, SCHEMA_UNKNOWN, CONFIG_INVALID when a selected column does not exist
 */
export async function readTable(
  connection: SnapshotConnection,
  table: TableName,
  { selection, json }: ReadTableOptions,
): Promise<KnownTable> {
  const { reader, server } = connection;
  connection.inTransaction = true;
  await reader.query('START TRANSACTION READ ONLY');
  await reader.query(`SELECT 1 FROM ${quoteTable(table)} LIMIT 0`);
  const { definitions, unreadable } = await readTableDefinitions((sql) => reader.query(sql), {
    flavour: server.flavour,
    tables: [table],
  });
  const [definition] = definitions;
  if (definition === undefined) {
    const name = `${table.database}.${table.table}`;
    const [reason] = unreadable;
    if (reason === undefined) throw tableGone(table);
    throw new TidingsError('SCHEMA_UNKNOWN', `${name}: ${reason.reason}`, { details: { table: name } });
  }
  const condition = `TABLE_SCHEMA = ${quoteText(table.database)} AND TABLE_NAME = ${quoteText(table.table)}`;
  const indexes = await reader.query(uniqueIndexesSql(condition));
  const [estimate] = await reader.query(
    `SELECT AVG_ROW_LENGTH AS bytes FROM information_schema.TABLES WHERE ${condition}`,
  );
  const createText = await readCreateText(connection, table);
  await connection.commit();
  const { schema } = definition;
  const key = chunkKeys(indexes).get(`${table.database}\0${table.table}`) ?? null;
  const keyIndexes = (key?.parts ?? []).map(({ column }) => schema.columns.findIndex(({ name }) => name === column));
  return {
    schema,
    views: new TextRowViews(schema, { selected: selection.columns(schema), json, server, keyColumns: keyIndexes }),
    keyViews: new TextRowViews(schema, {
      selected: schema.columns.map(() => false),
      json,
      server,
      keyColumns: keyIndexes,
    }),
    key,
    keyColumns: keyIndexes.map((index) => schema.columns[index] as Column),
    signature: key === null ? [] : keySignature(key, schema),
    createText,
    rowBytes: Number(estimate?.['bytes'] ?? 0),
  };
}

/** The table's definition as text, without what every INSERT changes. */
export async function readCreateText({ reader }: SnapshotConnection, table: TableName): Promise<string> {
  const [row] = await reader.query(`SHOW CREATE TABLE ${quoteTable(table)}`);
  return (row?.['Create Table'] ?? '').replace(/^(\) ENGINE=\S+) AUTO_INCREMENT=\d+/m, '$1');
}

export function tableGone({ database, table }: TableName): TidingsError {
  const name = `${database}.${table}`;
  return new TidingsError('SNAPSHOT_TABLE_GONE', `the table ${name} does not exist any more`, {
    details: { table: name },
  });
}
