/** Flags of MariaDB's GTID event (MariaDB source, sql/log_event.h, Gtid_log_event). */
export const MARIADB_GTID_FLAG = {
  /** The group is one event that ends it, with no COMMIT behind: DDL, mostly. */
  STANDALONE: 0x01,
  /** A commit id follows. */
  GROUP_COMMIT_ID: 0x02,
  /** Can be rolled back: every table in it is transactional. */
  TRANSACTIONAL: 0x04,
  ALLOW_PARALLEL: 0x08,
  /** It waited for a row lock when it ran. */
  WAITED: 0x10,
  DDL: 0x20,
  /** The group is an XA PREPARE; an XID follows. */
  PREPARED_XA: 0x40,
  /** The group is an XA COMMIT or XA ROLLBACK of what an earlier group prepared; an XID follows. */
  COMPLETED_XA: 0x80,
} as const;

/** Flags of the second byte, which is left out when it would be 0. */
export const MARIADB_GTID_EXTRA = {
  /** More than one engine takes part; their number less one follows. */
  MULTI_ENGINE: 0x01,
  /** First phase of an ALTER TABLE (`binlog_alter_two_phase`). */
  START_ALTER: 0x02,
  COMMIT_ALTER: 0x04,
  ROLLBACK_ALTER: 0x08,
  /** MariaDB 11.5 and later: the connection's id follows. */
  THREAD_ID: 0x10,
} as const;
