import { MysqlGtidSet } from '../gtid/mysql-gtid-set.ts';

export interface PreviousGtidsEvent {
  readonly kind: 'previous-gtids';
  /** All that was executed before this file. */
  readonly executed: MysqlGtidSet;
}

/**
 * PREVIOUS_GTIDS_LOG_EVENT: near the start of each of MySQL's binlog files. Its body is a GTID set, see mysql-gtid-set-codec.ts.
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodePreviousGtidsEvent(body: Buffer): PreviousGtidsEvent {
  return { kind: 'previous-gtids', executed: MysqlGtidSet.decode(body) };
}
