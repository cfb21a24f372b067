import type { Check } from './check.ts';
import { privileges } from './checks-access.ts';
import {
  binlogChecksum,
  binlogCompression,
  binlog,
  binlogEncryption,
  binlogFormat,
  binlogSessions,
  binlogStorage,
  jsonDiffs,
  packetSize,
  rowImage,
  rowMetadata,
} from './checks-binlog.ts';
import { binlogFilters, gtids, replicaUpdates, retention, serverId, serverVersion, tls } from './checks-server.ts';
import { cascades, engines, generatedColumns, primaryKeys, tableAccess, tablesMatched } from './checks-tables.ts';

/** Everything that is looked at, in the order in which it is reported. Another check is another line here. */
export const CHECKS: readonly Check[] = [
  serverVersion,
  tls,
  privileges,
  binlog,
  binlogStorage,
  binlogFormat,
  binlogSessions,
  rowImage,
  jsonDiffs,
  rowMetadata,
  binlogChecksum,
  binlogEncryption,
  binlogCompression,
  binlogFilters,
  replicaUpdates,
  serverId,
  gtids,
  retention,
  packetSize,
  tablesMatched,
  tableAccess,
  primaryKeys,
  engines,
  generatedColumns,
  cascades,
];
