import { TidingsError } from '../../../core/errors.ts';
import { MysqlPosition } from '../mysql-position.ts';
import type { SnapshotConnection } from './snapshot-connection.ts';

/** Where the server's binlog ends now: everything that anybody sees of transactions lies before it, as they are logged first. */
export async function binlogEnd({ reader, server }: SnapshotConnection): Promise<MysqlPosition> {
  const [row] = await reader.query(server.binlogStatusStatement);
  const file = row?.['File'] ?? null;
  if (file === null) throw new TidingsError('BINLOG_DISABLED', 'the server writes no binary log');
  return new MysqlPosition(file, Number(row?.['Position']), null, server.identity);
}
