import type { TableSchema } from '../../core/table-schema.ts';
import { QueryConnection } from '../../drivers/mysql/connect.ts';
import { parseMysqlUrl } from '../../drivers/mysql/mysql-url.ts';
import { type MysqlSourceOptions, parseMysqlSourceOptions } from './config.ts';
import { readTableDefinitions } from './schema/read-table-schemas.ts';
import { readServer } from './server.ts';
import { TableSelection } from './table-selection.ts';

/**
 * The tables that a source would watch, as they are defined now. Those that cannot be described exactly are left out.
 *
 * @throws TidingsError CONFIG_INVALID, and what the server does or refuses
 */
export async function readWatchedTables(options: MysqlSourceOptions): Promise<readonly TableSchema[]> {
  const { url, tables, exclude } = parseMysqlSourceOptions(options);
  const address = parseMysqlUrl(url);
  const selection = new TableSelection({ tables, exclude, database: address.database });
  const queries = await QueryConnection.open(address);
  try {
    const { flavour } = await readServer(queries);
    const { definitions } = await readTableDefinitions((sql) => queries.query(sql), { flavour });
    return definitions.map(({ schema }) => schema).filter(({ database, name }) => selection.watches(database, name));
  } finally {
    queries.close();
  }
}
