import { TidingsError } from '../../../core/errors.ts';
import { MysqlPosition } from '../mysql-position.ts';
import type { SnapshotConnection } from './snapshot-connection.ts';

/** The end of a server's binlog, and whose it is: files of another server may have the same names. */
export class BinlogMark extends MysqlPosition {
  /** `Server.identity` */
  readonly identity: string;

  constructor(file: string, offset: number, identity: string) {
    super(file, offset, null);
    this.identity = identity;
  }
}

/** Where the server's binlog ends now: everything that anybody sees of transactions lies before it, as they are logged first. */
export async function binlogEnd({ reader, server }: SnapshotConnection): Promise<BinlogMark> {
  const [row] = await reader.query(server.binlogStatusStatement);
  const file = row?.['File'] ?? null;
  if (file === null) throw new TidingsError('BINLOG_DISABLED', 'the server writes no binary log');
  return new BinlogMark(file, Number(row?.['Position']), server.identity);
}
