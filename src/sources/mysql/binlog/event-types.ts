/** Which of the two families of servers wrote a binlog: they number some events differently. */
export type BinlogFlavour = 'mysql' | 'mariadb';

/**
 * Event type codes by the names of the servers' sources, without their `_EVENT` and `_LOG_EVENT`; MariaDB's GTID_EVENT is MARIADB_GTID
 * here. 0 to 38 mean the same in both; 39 to 43 are MySQL's alone, 160 and above MariaDB's alone.
 * (MySQL source, libs/mysql/binlog/event/binlog_event.h; MariaDB source, sql/log_event.h.)
 */
export const EVENT = {
  UNKNOWN: 0,
  START_V3: 1,
  QUERY: 2,
  STOP: 3,
  ROTATE: 4,
  INTVAR: 5,
  LOAD: 6,
  SLAVE: 7,
  CREATE_FILE: 8,
  APPEND_BLOCK: 9,
  EXEC_LOAD: 10,
  DELETE_FILE: 11,
  NEW_LOAD: 12,
  RAND: 13,
  USER_VAR: 14,
  FORMAT_DESCRIPTION: 15,
  XID: 16,
  BEGIN_LOAD_QUERY: 17,
  EXECUTE_LOAD_QUERY: 18,
  TABLE_MAP: 19,
  PRE_GA_WRITE_ROWS: 20,
  PRE_GA_UPDATE_ROWS: 21,
  PRE_GA_DELETE_ROWS: 22,
  WRITE_ROWS_V1: 23,
  UPDATE_ROWS_V1: 24,
  DELETE_ROWS_V1: 25,
  INCIDENT: 26,
  HEARTBEAT: 27,
  IGNORABLE: 28,
  ROWS_QUERY: 29,
  WRITE_ROWS: 30,
  UPDATE_ROWS: 31,
  DELETE_ROWS: 32,
  GTID: 33,
  ANONYMOUS_GTID: 34,
  PREVIOUS_GTIDS: 35,
  TRANSACTION_CONTEXT: 36,
  VIEW_CHANGE: 37,
  XA_PREPARE: 38,
  // MySQL only
  PARTIAL_UPDATE_ROWS: 39,
  TRANSACTION_PAYLOAD: 40,
  HEARTBEAT_V2: 41,
  GTID_TAGGED: 42,
  LARGE_TRANSACTION_HEADER: 43,
  // MariaDB only
  ANNOTATE_ROWS: 160,
  BINLOG_CHECKPOINT: 161,
  MARIADB_GTID: 162,
  GTID_LIST: 163,
  START_ENCRYPTION: 164,
  QUERY_COMPRESSED: 165,
  WRITE_ROWS_COMPRESSED_V1: 166,
  UPDATE_ROWS_COMPRESSED_V1: 167,
  DELETE_ROWS_COMPRESSED_V1: 168,
  WRITE_ROWS_COMPRESSED: 169,
  UPDATE_ROWS_COMPRESSED: 170,
  DELETE_ROWS_COMPRESSED: 171,
  PARTIAL_ROW_DATA: 172,
} as const;

export type EventTypeName = keyof typeof EVENT;

const MYSQL_ONLY_FROM = EVENT.PARTIAL_UPDATE_ROWS;
const MARIADB_ONLY_FROM = EVENT.ANNOTATE_ROWS;

const NAMES: ReadonlyMap<number, EventTypeName> = new Map(
  Object.entries(EVENT).map(([name, code]) => [code, name as EventTypeName]),
);

/** False for 0, and for a code that the flavour has not (or not yet) given a meaning. */
export function isKnownEventType(code: number, flavour: BinlogFlavour): boolean {
  if (code === EVENT.UNKNOWN || !NAMES.has(code)) return false;
  if (code < MYSQL_ONLY_FROM) return true;
  return code < MARIADB_ONLY_FROM ? flavour === 'mysql' : flavour === 'mariadb';
}

/** For messages: the name above, `event type 77` for a code that the flavour does not have. */
export function eventTypeName(code: number, flavour: BinlogFlavour): string {
  return isKnownEventType(code, flavour) ? (NAMES.get(code) ?? '') : `event type ${code}`;
}
