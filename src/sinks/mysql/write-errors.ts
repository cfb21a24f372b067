import type { ErrorCode } from '../../core/error-catalog.ts';
import { TidingsError } from '../../core/errors.ts';
import { driverError } from '../../drivers/mysql/server-errors.ts';

/**
 * What the servers' errors mean to a writer; what is not listed is classified as for everyone who connects.
 *
 * Source: MySQL, share/messages_to_clients.txt; MariaDB, sql/share/errmsg-utf8.txt.
 */
const BY_NUMBER: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [1205, 'SINK_BUSY'], // lock wait timeout
  [1020, 'SINK_BUSY'], // MariaDB, innodb_snapshot_isolation: somebody has changed the row since the transaction began to read
  [1213, 'SINK_BUSY'], // deadlock; also what Galera says of a transaction that it could not certify
  [3058, 'SINK_BUSY'], // deadlock over user locks
  [3101, 'SINK_BUSY'], // Group Replication could not certify the transaction
  [3572, 'SINK_BUSY'], // NOWAIT
  [1317, 'SINK_BUSY'], // the statement was interrupted by somebody (KILL QUERY)
  [1969, 'SINK_BUSY'], // MariaDB: max_statement_time
  [1223, 'SINK_READ_ONLY'], // FLUSH TABLES WITH READ LOCK
  [1290, 'SINK_READ_ONLY'], // --read-only
  [1792, 'SINK_READ_ONLY'], // READ ONLY transaction
  [1836, 'SINK_READ_ONLY'], // read-only mode
  [3100, 'SINK_READ_ONLY'], // Group Replication: the member does not take writes
  [1047, 'SINK_READ_ONLY'], // Galera: the node is not ready
  [1021, 'SINK_FULL'], // disk full
  [1030, 'SINK_FULL'], // an error of the storage engine: see below
  [1041, 'SERVER_BUSY'], // out of memory
  [1114, 'SINK_FULL'], // table full
  [1135, 'SERVER_BUSY'], // no more threads
  [1598, 'SINK_FULL'], // the binlog cannot be written
  [1026, 'SINK_FULL'], // error writing a file
  [3675, 'SINK_FULL'], // tablespace full
  [1054, 'SINK_SCHEMA_CONFLICT'], // unknown column
  [1146, 'SINK_SCHEMA_CONFLICT'], // unknown table
  [1049, 'SINK_SCHEMA_CONFLICT'], // unknown database
  [1051, 'SINK_SCHEMA_CONFLICT'],
  [1412, 'SINK_BUSY'], // the table's definition has changed meanwhile
  [1615, 'SINK_BUSY'],
]);

/** ER_GET_ERRNO stands for everything that an engine reports; these are of a full disk. */
const ENGINE_ERROR = 1030;
const ENGINE_DISK_FULL = /\b(?:28|135|136|ENOSPC)\b|No space|full/i;

/**
 * Errors of a row besides those of the SQLSTATE classes 21, 22, 23, 44 and 45: what the values are is against them, and any other row may do.
 */
const OF_ROWS: ReadonlySet<number> = new Set([
  1048, // column cannot be null
  1153, // larger than max_allowed_packet
  1264,
  1265,
  1292,
  1366,
  1367,
  1406,
  1411, // out of range, truncated, incorrect
  1301, // result larger than max_allowed_packet
  1364, // no default
  1416, // no geometry
  1452,
  1451,
  1062,
  1022,
  1169,
  1586, // keys
  1526, // no partition for the value
  1644, // SIGNAL
  1690, // out of range
  1748, // not in the partition
  3037,
  3055,
  3516,
  3617,
  3643,
  3548, // geometry: data, ring, SRID
  3140,
  3141,
  3144,
  3156,
  3157,
  3158,
  3903, // JSON
  3819,
  4025, // CHECK
  3854, // bytes cannot be converted to the column's character set
  3997, // time zone of a literal
  4098,
  4161,
  4079, // MariaDB: type mismatches
  6136,
  6137,
  6138,
  6139, // vectors
  139,
  1118,
  1390,
  1713, // row or undo record too large
]);
const ROW_STATE = /^(?:21|22|23|44|45)/;

export interface ServerReply {
  readonly number: number;
  readonly message: string;
  readonly state: string;
}

/** The server's own error, if it is one. */
export function serverReply(error: unknown): ServerReply | null {
  const { errno, sqlMessage, sqlState } = error as { errno?: unknown; sqlMessage?: unknown; sqlState?: unknown };
  if (typeof errno !== 'number' || typeof sqlMessage !== 'string') return null;
  return { number: errno, message: sqlMessage, state: typeof sqlState === 'string' ? sqlState : '' };
}

/** Whether a row's values are what the server objects to. */
export function isRowError({ number, state }: ServerReply): boolean {
  return !BY_NUMBER.has(number) && (OF_ROWS.has(number) || ROW_STATE.test(state));
}

/** Whether the server has undone, or will after a ROLLBACK, what can be done again at once. */
export function isConflict(error: unknown): boolean {
  return error instanceof TidingsError && error.code === 'SINK_BUSY';
}

/** An error that stands for a whole statement: no row's values are in it (I10). */
export function writeError(error: unknown, doing: string): TidingsError {
  const reply = serverReply(error);
  if (reply === null) return driverError(error, doing);
  const code = BY_NUMBER.get(reply.number);
  if (code === undefined || (reply.number === ENGINE_ERROR && !ENGINE_DISK_FULL.test(reply.message))) {
    const known = driverError(error, doing);
    // A statement's text may be in a message that nobody has looked at.
    return known.code === 'SERVER_ERROR' ? unknownError(reply, doing) : known;
  }
  return new TidingsError(code, `${doing}: ${named(reply.message)} (error ${reply.number})`, {
    details: { serverError: reply.number },
  });
}

function unknownError({ number, message }: ServerReply, doing: string): TidingsError {
  // Values and pieces of statements stand in quotes; names do, too, but a wrong guess would be worse than a short message.
  const safe = message.replaceAll(/'.*'/gsu, "'…'").replaceAll(/".*"/gsu, '"…"');
  return new TidingsError('SERVER_ERROR', `${doing}: ${safe} (error ${number})`, { details: { serverError: number } });
}

/** Messages of these codes name tables, columns, settings and files, never values. */
function named(message: string): string {
  return message.slice(0, 300);
}

/** What is against a row, in words without its values. */
export function rowReason({ number, message }: ServerReply, names: ReadonlySet<string>): string {
  const column = columnIn(message, names);
  const at = column === null ? '' : ` of column ${column}`;
  switch (number) {
    case 1062:
    case 1586: {
      const key = /for key '([^']*)'$/s.exec(message)?.[1]?.replace(/^.*\./s, '') ?? null;
      return `another row has the same values in the unique key${key === null || !names.has(key) ? '' : ` ${key}`}`;
    }
    case 1048:
      return `the value${at} is NULL, and the target's is NOT NULL`;
    case 1364:
      return `the row has no value${at || ' of a column'}, and the target has no default for it`;
    case 1406:
    case 1441:
      return `the value${at} is too long`;
    case 1264:
    case 1690:
      return `the value${at} is out of range`;
    case 1265:
    case 1292:
    case 1366:
    case 1367:
    case 1411:
    case 3854:
      return `the value${at} cannot be kept as it is`;
    case 1416:
      return 'a value is no geometry to the target';
    case 3643:
      return 'the SRID of a geometry is not that of the column';
    case 1451:
      return 'rows of another table refer to it (foreign key)';
    case 1452:
      return 'the row that it refers to is missing (foreign key)';
    case 3819:
    case 4025:
      return 'a CHECK constraint is against it';
    case 1644:
      return 'a trigger of the target refuses it (SIGNAL)';
    case 1526:
      return 'the target has no partition for it';
    case 1153:
    case 1301:
      return "it is larger than the target's max_allowed_packet";
    case 1118:
    case 1713:
    case 139:
      return 'it is larger than a row of the target can be';
    default:
      return `the target does not take its values${at}`;
  }
}

/** The column that a message names, if it is one that we know: anything else might be a value. */
export function columnIn(message: string, names: ReadonlySet<string>): string | null {
  for (const [, rest = ''] of message.matchAll(/(?:column|Field) '(?=(.*))/gs)) {
    const name = /^(.*?)'(?: at row \d+$| cannot be null$| doesn't have|\.?$)/s.exec(rest)?.[1];
    if (name === undefined) continue;
    if (names.has(name)) return name;
    // Of MySQL's messages about JSON: with the table in front.
    const short = name.slice(name.indexOf('.') + 1);
    if (names.has(short)) return short;
  }
  // MariaDB, of values that it cannot read.
  const name = /for column `.*`\.`.*`\.`(.*)` at row \d+$/s.exec(message)?.[1];
  return name !== undefined && names.has(name) ? name : null;
}
