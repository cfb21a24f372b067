import type { QueryEvent } from '../binlog/query-event.ts';
import { charsetByName } from '../charset/charset.ts';
import {
  charsetOfCollation,
  charsetOfCollationName,
  collationName,
  defaultCollationOf,
} from '../charset/collations.ts';
import type { Catalog } from '../ddl/catalog.ts';
import type { DdlContext } from '../ddl/effect.ts';
import { parseVersion } from '../../../drivers/mysql/server-version.ts';
import type { Server } from '../server.ts';
import type { CharsetAndCollation } from './table-definition.ts';

/** sql_mode bits that change how a statement is read. Source: MySQL, sql/system_variables.h; MariaDB, sql/sql_class.h. */
const SQL_MODE = {
  REAL_AS_FLOAT: 1n,
  ANSI_QUOTES: 4n,
  ORACLE: 512n,
  MAXDB: 4096n,
  NO_BACKSLASH_ESCAPES: 1n << 20n,
} as const;

/** LOG_EVENT_THREAD_SPECIFIC_F */
const THREAD_SPECIFIC = 0x4;

export interface StatementCircumstances {
  readonly event: QueryEvent;
  /** Of the event's header. */
  readonly flags: number;
  readonly server: Server;
  /** Of the server that wrote this binlog file, by its FORMAT_DESCRIPTION. */
  readonly writtenBy: string;
  readonly catalog: Catalog;
}

/** Everything that reading a statement of the binlog depends on. */
export function statementContext({ event, flags, server, writtenBy, catalog }: StatementCircumstances): DdlContext {
  const { variables } = event;
  const mode = variables.sqlMode ?? 0n;
  const has = (bit: bigint): boolean => (mode & bit) !== 0n;
  const { flavour } = server;
  const session = sessionCollations(event, server);
  return {
    database: event.database,
    flavour,
    serverVersion: parseVersion(writtenBy) || server.version,
    sqlMode: {
      ansiQuotes: has(SQL_MODE.ANSI_QUOTES),
      noBackslashEscapes: has(SQL_MODE.NO_BACKSLASH_ESCAPES),
      realAsFloat: has(SQL_MODE.REAL_AS_FLOAT),
      oracle: flavour === 'mariadb' && has(SQL_MODE.ORACLE),
      maxdb: has(SQL_MODE.MAXDB),
    },
    lowerCaseTableNames: server.lowerCaseTableNames,
    explicitDefaultsForTimestamp: variables.explicitDefaultsForTimestamp ?? server.explicitDefaultsForTimestamp,
    utf8: server.utf8,
    serverCharset: charsetAndCollation(variables.serverCollation, flavour),
    threadSpecific: (flags & THREAD_SPECIFIC) !== 0,
    errorCode: event.errorCode,
    lookup: (database, table) => catalog.lookup(database, table),
    lookupDatabase: (database) => catalog.lookupDatabase(database),
    defaultCollation: (charset) => session.get(charset) ?? defaultCollationOf(charset, flavour),
    charsetOfCollation: (collation) => charsetOfCollationName(collation),
  };
}

/**
 * The session's own default collations: charset → collation. What MariaDB logs of `character_set_collations` is all of it, also when that is
 * nothing: the server's setting of today has no part in such a statement.
 */
function sessionCollations({ variables }: QueryEvent, server: Server): ReadonlyMap<string, string> {
  const collations = new Map(variables.characterSetCollations === undefined ? server.defaultCollations : []);
  const utf8mb4 = variables.defaultCollationForUtf8mb4;
  if (utf8mb4 !== undefined) {
    const name = collationName(utf8mb4, server.flavour);
    if (name !== null) collations.set('utf8mb4', name);
  }
  for (const { charset, collation } of variables.characterSetCollations ?? []) {
    const charsetName = charsetOfCollation(charset, server.flavour);
    const name = collationName(collation, server.flavour);
    if (charsetName !== null && name !== null) collations.set(charsetName, name);
  }
  return collations;
}

function charsetAndCollation(id: number | undefined, flavour: 'mysql' | 'mariadb'): CharsetAndCollation | null {
  if (id === undefined) return null;
  const charset = charsetOfCollation(id, flavour);
  return charset === null ? null : { charset, collation: collationName(id, flavour) };
}

/** The statement's text; null when its bytes are not in the character set that the event says. */
export function statementText({ query, variables }: QueryEvent, flavour: 'mysql' | 'mariadb'): string | null {
  const name =
    variables.clientCollation === undefined ? 'utf8mb4' : charsetOfCollation(variables.clientCollation, flavour);
  // A client that declares `binary` sends whatever it likes; UTF-8 is what nearly all of them mean.
  const charset = charsetByName(name === null || name === 'binary' ? 'utf8mb4' : name, flavour);
  try {
    return charset?.decode(query, 0, query.length) ?? null;
  } catch {
    // Which tables it names cannot be told, so the caller treats it as a statement that may touch any.
    return null;
  }
}
