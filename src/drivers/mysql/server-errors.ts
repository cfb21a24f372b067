import type { ErrorCode } from '../../core/error-catalog.ts';
import { TidingsError } from '../../core/errors.ts';

/**
 * Server and driver errors, by number or code, as Tidings' own. What is not listed becomes SERVER_ERROR, which waits for a person.
 *
 * Source: MySQL, share/messages_to_clients.txt; MariaDB, sql/share/errmsg-utf8.txt.
 */
const BY_NUMBER: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [1040, 'SERVER_BUSY'], // too many connections
  [1203, 'SERVER_BUSY'], // too many connections of this user
  [1226, 'SERVER_BUSY'], // a resource limit of this user
  [1053, 'CONNECTION_LOST'], // shutdown in progress
  [1927, 'CONNECTION_LOST'], // MariaDB: connection was killed
  [3169, 'CONNECTION_LOST'], // MySQL: session was killed
  [4031, 'CONNECTION_LOST'], // disconnected for inactivity
  [1044, 'ACCESS_DENIED'],
  [1045, 'ACCESS_DENIED'],
  [1130, 'ACCESS_DENIED'], // host not allowed
  [1251, 'ACCESS_DENIED'], // authentication protocol
  [1698, 'ACCESS_DENIED'],
  [1820, 'ACCESS_DENIED'], // password expired
  [1862, 'ACCESS_DENIED'],
  [3118, 'ACCESS_DENIED'], // account locked
  [3159, 'ACCESS_DENIED'], // MySQL requires TLS; MariaDB says 1045
  [4151, 'ACCESS_DENIED'], // MariaDB: account locked
  [1142, 'PRIVILEGE_MISSING'],
  [1143, 'PRIVILEGE_MISSING'],
  [1227, 'PRIVILEGE_MISSING'],
  [1049, 'DATABASE_UNKNOWN'],
  [1789, 'BINLOG_PURGED'], // ER_MASTER_HAS_PURGED_REQUIRED_GTIDS
  [1945, 'POSITION_UNKNOWN'], // MariaDB: GTID not in the binlog
  [1955, 'POSITION_UNKNOWN'],
  [4052, 'SERVER_ID_IN_USE'], // ER_SLAVE_SAME_ID of MariaDB: another reader has taken the id over
]);

/** Codes of node:net, node:dns and the driver. */
const BY_CODE: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ['ENOTFOUND', 'HOST_UNKNOWN'],
  ['EAI_AGAIN', 'CONNECTION_FAILED'],
  ['ECONNREFUSED', 'CONNECTION_FAILED'],
  ['EHOSTUNREACH', 'CONNECTION_FAILED'],
  ['ENETUNREACH', 'CONNECTION_FAILED'],
  ['ETIMEDOUT', 'CONNECTION_FAILED'],
  ['ENOENT', 'CONNECTION_FAILED'], // the Unix socket's file
  ['ECONNRESET', 'CONNECTION_LOST'],
  ['EPIPE', 'CONNECTION_LOST'],
  ['PROTOCOL_CONNECTION_LOST', 'CONNECTION_LOST'],
  ['HANDSHAKE_NO_SSL_SUPPORT', 'TLS_FAILED'],
  ['HANDSHAKE_SSL_ERROR', 'TLS_FAILED'],
  ['AUTH_SWITCH_PLUGIN_ERROR', 'ACCESS_DENIED'],
]);

/** ER_MASTER_FATAL_ERROR_READING_BINLOG: one number for everything that a dump thread gives up for. */
const DUMP_FAILED = 1236;

/**
 * Only the text tells the cases of 1236 apart, on every version. A text that none of these match stops the source all the same,
 * as BINLOG_UNAVAILABLE: the classification decides about the remedy that is named, never about going on.
 */
const DUMP_FAILURES: readonly (readonly [RegExp, ErrorCode])[] = [
  [/same server_uuid\/server_id|same server_id|duplicate server/i, 'SERVER_ID_IN_USE'],
  [
    /purged required|could not find first log|(?:has|have) been purged|missing transactions|purged binary logs/i,
    'BINLOG_PURGED',
  ],
  [/impossible position|position > file size|from position .* file size|start replication from/i, 'POSITION_UNKNOWN'],
  [
    /requested (?:slave|replica) to start at|GTID .*not in the (?:master|source|primary|server)|diverged|has more GTIDs|errant/i,
    'POSITION_UNKNOWN',
  ],
  [/max_allowed_packet/i, 'EVENT_TOO_LARGE'],
];

/** An ERR packet: 0xff, code u16, '#', SQL state 5 bytes, message. */
export function serverError(packet: Buffer): TidingsError {
  const number = packet.length >= 3 ? packet.readUInt16LE(1) : 0;
  const message = packet.toString('utf8', packet.length > 3 && packet[3] === 0x23 ? 9 : 3);
  return classified(number, message, undefined);
}

/** An error that connecting or querying through the driver threw. */
export function driverError(error: unknown, doing: string): TidingsError {
  if (error instanceof TidingsError) return error;
  const fields = error as { errno?: unknown; code?: unknown; sqlMessage?: unknown };
  const code = typeof fields.code === 'string' ? fields.code : '';
  if (typeof fields.sqlMessage === 'string' && typeof fields.errno === 'number') {
    return classified(fields.errno, `${doing}: ${fields.sqlMessage}`, error);
  }
  const message = error instanceof Error ? error.message : String(error);
  // The driver calls whatever ends a TLS handshake by one code, be it a certificate or a connection that broke.
  const broke = code === 'HANDSHAKE_SSL_ERROR' && /disconnected before|ECONNRESET|EPIPE/.test(message);
  const tls =
    code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL') || code.includes('CERT') || code.includes('SIGNATURE');
  const known = broke ? 'CONNECTION_LOST' : tls ? 'TLS_FAILED' : (BY_CODE.get(code) ?? 'SERVER_ERROR');
  return new TidingsError(known, `${doing}: ${message || code}`, {
    cause: error,
    details: code === '' ? {} : { code },
  });
}

function classified(number: number, message: string, cause: unknown): TidingsError {
  const code =
    number === DUMP_FAILED
      ? (DUMP_FAILURES.find(([text]) => text.test(message))?.[1] ?? 'BINLOG_UNAVAILABLE')
      : (BY_NUMBER.get(number) ?? 'SERVER_ERROR');
  return new TidingsError(code, `the server says: ${message} (error ${number})`, {
    cause,
    details: { serverError: number },
  });
}
