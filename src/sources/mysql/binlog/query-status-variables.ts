import { ByteCursor } from '../../../base/byte-cursor.ts';
import { type Gno, gnoField } from '../gtid/gno.ts';
import { MARIADB_GTID_EXTRA } from './mariadb-gtid-flags.ts';

/** The session a statement ran in, as far as its event tells. What was not logged is absent. */
export interface QueryStatusVariables {
  /** Session options (MySQL source, sql/query_options.h). */
  readonly flags2?: number;
  /** The servers' bits differ from 2^32 on. */
  readonly sqlMode?: bigint;
  readonly catalog?: string;
  readonly autoIncrementIncrement?: number;
  readonly autoIncrementOffset?: number;
  /** Collation ids. The statement's bytes are in the character set of the first. */
  readonly clientCollation?: number;
  readonly connectionCollation?: number;
  readonly serverCollation?: number;
  readonly timeZone?: string;
  readonly lcTimeNames?: number;
  /** Collation id of the current database. */
  readonly databaseCollation?: number;
  readonly tableMapForUpdate?: bigint;
  readonly invoker?: { readonly user: string; readonly host: string };
  /** MySQL: databases that the statement touches; null when there were too many to list. */
  readonly updatedDatabases?: readonly string[] | null;
  /** Fraction of the statement's start, behind the header's seconds. */
  readonly microseconds?: number;
  readonly explicitDefaultsForTimestamp?: boolean;
  /** Set when the statement is a DDL that commits with the engine's transaction: MySQL's atomic DDL, MariaDB's Q_XID. */
  readonly ddlXid?: bigint;
  /** MySQL: collation id. */
  readonly defaultCollationForUtf8mb4?: number;
  readonly sqlRequirePrimaryKey?: boolean;
  readonly defaultTableEncryption?: boolean;
  /** MariaDB: `MARIADB_GTID_EXTRA` bits of a two-phase ALTER TABLE, and the number of the GTID that started it. */
  readonly gtidFlagsExtra?: number;
  readonly startAlterSequence?: Gno;
  /** MariaDB 11.3 and later: `character_set_collations`, character set to collation, both as collation ids. */
  readonly characterSetCollations?: readonly { readonly charset: number; readonly collation: number }[];
  /** The first code that is not known here. It and what follows was left unread, as the servers do. */
  readonly unknownCode?: number;
}

/** More databases than this are not listed. */
const UPDATED_DATABASES_MAX = 16;

/**
 * The status variables of a QUERY event: a code each, then a value whose layout only the code tells. An unknown code therefore ends
 * the walk; servers write new codes last.
 *
 *       0  flags2             u32                  11  invoker            text8 user, text8 host
 *       1  sql mode           u64                  12  updated databases  u8 count, text ending in 0 each
 *       2  catalog            text8, 0             13  microseconds       u24
 *       3  auto increment     u16, u16             16  explicit defaults  u8
 *       4  collations         u16, u16, u16        17  ddl xid            u64
 *       5  time zone          text8                18  utf8mb4 collation  u16
 *       6  catalog            text8                19  require key        u8
 *       7  lc_time_names      u16                  20  table encryption   u8
 *       8  database collation u16                 128  microseconds       u24               MariaDB
 *       9  table map          u64                 129  xid                u64               MariaDB
 *      10  data written       u32                 130  GTID flags         u8, perhaps u64   MariaDB
 *                                                 131  collations         u8 count, (u16, u16) each   MariaDB
 *
 * `text8` is a u8 length with so many bytes. (MySQL source, libs/mysql/binlog/event/statement_events.cpp; MariaDB source,
 * sql/log_event.cc.) Reads past the end throw ShortFrameError, which the caller's `decodeFrame` translates.
 */
export function readQueryStatusVariables(bytes: Buffer): QueryStatusVariables {
  const cursor = new ByteCursor(bytes);
  const variables: { -readonly [K in keyof QueryStatusVariables]: QueryStatusVariables[K] } = {};
  while (cursor.remaining > 0) {
    const code = cursor.u8('status variable');
    switch (code) {
      case 0:
        variables.flags2 = cursor.u32('flags2');
        break;
      case 1:
        variables.sqlMode = cursor.u64('sql_mode');
        break;
      case 2:
        variables.catalog = text8(cursor, 'catalog');
        cursor.skip(1, 'end of catalog');
        break;
      case 3:
        variables.autoIncrementIncrement = cursor.u16('auto_increment_increment');
        variables.autoIncrementOffset = cursor.u16('auto_increment_offset');
        break;
      case 4:
        variables.clientCollation = cursor.u16('character_set_client');
        variables.connectionCollation = cursor.u16('collation_connection');
        variables.serverCollation = cursor.u16('collation_server');
        break;
      case 5:
        variables.timeZone = text8(cursor, 'time_zone');
        break;
      case 6:
        variables.catalog = text8(cursor, 'catalog');
        break;
      case 7:
        variables.lcTimeNames = cursor.u16('lc_time_names');
        break;
      case 8:
        variables.databaseCollation = cursor.u16('collation_database');
        break;
      case 9:
        variables.tableMapForUpdate = cursor.u64('table map for update');
        break;
      case 10:
        cursor.skip(4, 'master data written');
        break;
      case 11:
        variables.invoker = { user: text8(cursor, 'invoker user'), host: text8(cursor, 'invoker host') };
        break;
      case 12:
        variables.updatedDatabases = updatedDatabases(cursor, bytes);
        break;
      case 13:
      case 128:
        variables.microseconds = cursor.u24('microseconds');
        break;
      case 16:
        variables.explicitDefaultsForTimestamp = cursor.u8('explicit_defaults_for_timestamp') !== 0;
        break;
      case 17:
      case 129:
        variables.ddlXid = cursor.u64('ddl xid');
        break;
      case 18:
        variables.defaultCollationForUtf8mb4 = cursor.u16('default_collation_for_utf8mb4');
        break;
      case 19:
        variables.sqlRequirePrimaryKey = cursor.u8('sql_require_primary_key') !== 0;
        break;
      case 20:
        variables.defaultTableEncryption = cursor.u8('default_table_encryption') !== 0;
        break;
      case 130: {
        const flags = cursor.u8('GTID flags');
        variables.gtidFlagsExtra = flags;
        if ((flags & (MARIADB_GTID_EXTRA.COMMIT_ALTER | MARIADB_GTID_EXTRA.ROLLBACK_ALTER)) !== 0) {
          variables.startAlterSequence = gnoField(cursor, 'sequence of START ALTER');
        }
        break;
      }
      case 131:
        variables.characterSetCollations = Array.from({ length: cursor.u8('number of collations') }, () => ({
          charset: cursor.u16('character set'),
          collation: cursor.u16('collation'),
        }));
        break;
      default:
        variables.unknownCode = code;
        return variables;
    }
  }
  return variables;
}

function text8(cursor: ByteCursor, field: string): string {
  return cursor.text(cursor.u8(`length of ${field}`), field);
}

function updatedDatabases(cursor: ByteCursor, bytes: Buffer): readonly string[] | null {
  const count = cursor.u8('number of updated databases');
  if (count > UPDATED_DATABASES_MAX) return null;
  return Array.from({ length: count }, () => {
    const end = bytes.indexOf(0, cursor.offset);
    const length = end === -1 ? cursor.remaining + 1 : end - cursor.offset;
    const name = cursor.text(length, 'updated database');
    cursor.skip(1, 'end of updated database');
    return name;
  });
}
