import type { RetryDirective } from './errors.ts';

/** One row of `docs/reference/errors.md`, which is generated from this table. */
export interface ErrorEntry {
  readonly retry: RetryDirective;
  /** What happened, in one sentence. */
  readonly cause: string;
  /** What a person can do about it, in one or two sentences. */
  readonly remedy: string;
}

const REPORT = 'Keep the binlog file and report it with the details of the error; nothing was skipped.';

/** Every error code. Stable: a code is never renamed or given another meaning. */
export type ErrorCode =
  | 'ACCESS_DENIED'
  | 'BATCH_EXPIRED'
  | 'BINLOG_CHECKSUM'
  | 'BINLOG_CORRUPT'
  | 'BINLOG_DISABLED'
  | 'BINLOG_EVENT_UNSUPPORTED'
  | 'BINLOG_INCIDENT'
  | 'BINLOG_PURGED'
  | 'BINLOG_RESET'
  | 'BINLOG_TRUNCATED'
  | 'BINLOG_UNAVAILABLE'
  | 'CHANGE_COLUMNS_MIXED'
  | 'CHANGE_KEY_MISSING'
  | 'CHANGE_VALUE_INVALID'
  | 'CHECKPOINT_INVALID'
  | 'COLUMN_TYPE_UNSUPPORTED'
  | 'COMMAND_FAILED'
  | 'CONFIG_INVALID'
  | 'CONNECTION_FAILED'
  | 'CONNECTION_LOST'
  | 'DATABASE_UNKNOWN'
  | 'DEAD_LETTERS_FULL'
  | 'DEAD_LETTER_UNKNOWN'
  | 'DIRECTORY_IN_USE'
  | 'DIRECTORY_UNUSABLE'
  | 'DISK_ERROR'
  | 'DISK_FULL'
  | 'EVENTS_STARTED_TWICE'
  | 'EVENT_HANDLER_FAILED'
  | 'EVENT_NAME_INVALID'
  | 'EVENT_TABLE_WITHOUT_KEY'
  | 'EVENT_TOO_LARGE'
  | 'EVENT_TRUNCATE_UNHEARD'
  | 'FORBIDDEN'
  | 'FORMAT_VALUE'
  | 'GROUP_INVALID'
  | 'GROUP_IN_USE'
  | 'GROUP_MEMBER_UNKNOWN'
  | 'GROUP_UNKNOWN'
  | 'GTID_INVALID'
  | 'HOST_UNKNOWN'
  | 'INTERNAL_ERROR'
  | 'JSON_DIFF_WITHOUT_DOCUMENT'
  | 'LOG_DAMAGED'
  | 'LOG_VERSION_UNKNOWN'
  | 'LOG_WRITE_FAILED'
  | 'MAPPING_FAILED'
  | 'MAPPING_INVALID'
  | 'MAPPING_TIMEOUT'
  | 'OUTPUT_CLOSED'
  | 'PACKAGE_MISSING'
  | 'POSITION_INVALID'
  | 'POSITION_UNKNOWN'
  | 'PREFLIGHT_FAILED'
  | 'PRIVILEGE_MISSING'
  | 'PROTOCOL_VIOLATION'
  | 'RELAY_CLOSING'
  | 'REQUEST_INVALID'
  | 'ROLLBACK_IN_BINLOG'
  | 'ROW_TOO_LARGE'
  | 'SCHEMA_MISMATCH'
  | 'SCHEMA_UNKNOWN'
  | 'SCN_PURGED'
  | 'SCN_UNKNOWN'
  | 'SERVER_BUSY'
  | 'SERVER_CHANGED'
  | 'SERVER_ERROR'
  | 'SERVER_ID_IN_USE'
  | 'SERVER_UNSUPPORTED'
  | 'SINK_BEHIND'
  | 'SINK_BUSY'
  | 'SINK_EMPTY'
  | 'SINK_FENCED'
  | 'SINK_FULL'
  | 'SINK_MODULE_FAILED'
  | 'SINK_NOT_RUNNING'
  | 'SINK_ORDER_UNSUPPORTED'
  | 'SINK_READ_ONLY'
  | 'SINK_ROW_MISSING'
  | 'SINK_ROW_REFUSED'
  | 'SINK_SCHEMA_CONFLICT'
  | 'SINK_STATE_DAMAGED'
  | 'SINK_TRANSACTION_LOST'
  | 'SINK_UNKNOWN'
  | 'SNAPSHOT_CONDITION_INVALID'
  | 'SNAPSHOT_CURSOR_INVALID'
  | 'SNAPSHOT_INVALID'
  | 'SNAPSHOT_KEYS_INVALID'
  | 'SNAPSHOT_KEY_MISSING'
  | 'SNAPSHOT_SERVER_CHANGED'
  | 'SNAPSHOT_TABLE_GONE'
  | 'SNAPSHOT_UNKNOWN'
  | 'SNAPSHOT_UNSUPPORTED'
  | 'SOURCE_ALREADY_READING'
  | 'STATEMENT_CHANGE'
  | 'STATE_DAMAGED'
  | 'STATE_NEWER'
  | 'STREAM_STALLED'
  | 'STREAM_UNKNOWN'
  | 'TEXT_UNDECODABLE'
  | 'TLS_FAILED'
  | 'TRANSACTION_RESTARTED'
  | 'UNAUTHORIZED'
  | 'VALUE_TOO_LONG'
  | 'XA_PREPARE_LOST';

/** What each code means, and the directive that `retry` acts on. Sorted by code. */
export const ERROR_CATALOG: Readonly<Record<ErrorCode, ErrorEntry>> = {
  ACCESS_DENIED: {
    retry: 'operator',
    cause: 'The server refuses this user, password or host, or a connection without TLS.',
    remedy:
      'Check user, password and the host that the account is made for, and whether server or account require TLS (`?tls=on` in the URL); `tidings doctor` prints the statements that make a fitting account.',
  },
  BATCH_EXPIRED: {
    retry: 'operator',
    cause:
      'A batch of a stream was looked into after the next one had been asked for: its bytes may be those of other changes by then.',
    remedy: 'Take out what is needed (`changes`, rows, keys) before asking for the next batch.',
  },
  BINLOG_CHECKSUM: {
    retry: 'never',
    cause: 'The CRC32 checksum of a binlog event does not fit its bytes: the log or the connection has damaged it.',
    remedy:
      'Run `mariadb-binlog --verify-binlog-checksum` (or `mysqlbinlog`) over the file that the message names. Nothing of the event was used.',
  },
  BINLOG_CORRUPT: {
    retry: 'never',
    cause: 'The bytes of a binlog event contradict its own layout.',
    remedy: REPORT,
  },
  BINLOG_DISABLED: {
    retry: 'operator',
    cause: 'The server writes no binary log.',
    remedy: 'Start the server with `log_bin`, and `binlog_format=ROW`.',
  },
  BINLOG_EVENT_UNSUPPORTED: {
    retry: 'never',
    cause: 'The binlog holds an event, or a part of one, that this version of Tidings cannot decode.',
    remedy:
      'Turn off the server feature that the message names, or use a version of Tidings that knows it. Nothing was skipped: reading can resume at the position.',
  },
  BINLOG_INCIDENT: {
    retry: 'operator',
    cause: 'The server has logged an incident: changes may be missing from its binlog.',
    remedy:
      'Compare or take a new snapshot of the tables, then start behind the incident, at the position that the details name.',
  },
  BINLOG_PURGED: {
    retry: 'operator',
    cause: 'The server no longer has the binlog that reading would resume from.',
    remedy:
      'Take a new snapshot and start from `now`, or from `earliest` if a gap is acceptable. Raise binlog_expire_logs_seconds (expire_logs_days) above the longest outage.',
  },
  BINLOG_RESET: {
    retry: 'operator',
    cause: "The server's binlog was reset: it is shorter than the position that reading would resume from.",
    remedy: 'Take a new snapshot and start from `now`; a position from before RESET MASTER means nothing any more.',
  },
  BINLOG_TRUNCATED: {
    retry: 'never',
    cause: 'A binlog event ends before a field that its layout promises.',
    remedy: REPORT,
  },
  BINLOG_UNAVAILABLE: {
    retry: 'operator',
    cause: 'The server cannot send its binlog.',
    remedy: "The message is the server's own. Check the binlog files on the server with `SHOW BINARY LOGS`.",
  },
  CHANGE_COLUMNS_MIXED: {
    retry: 'never',
    cause: 'The rows that a source handed over together have different columns.',
    remedy:
      'Hand rows with different columns over as batches of their own: one batch, one set of columns for all its rows.',
  },
  CHANGE_KEY_MISSING: {
    retry: 'never',
    cause: 'A row that a source handed over has no value for a column of its primary key.',
    remedy: 'Report it with the details of the error: a source must know the key of every change.',
  },
  CHANGE_VALUE_INVALID: {
    retry: 'never',
    cause: 'A row that a source handed over has a value that its column cannot have.',
    remedy:
      'Correct the source, or the definition of the table that it gives; docs/concepts/values.md says what each type takes.',
  },
  CHECKPOINT_INVALID: {
    retry: 'operator',
    cause: 'A stored checkpoint cannot be read or written, is damaged, or is one of another stream.',
    remedy: 'Correct the path, or restore the file; without it reading begins at `from`.',
  },
  COLUMN_TYPE_UNSUPPORTED: {
    retry: 'never',
    cause: 'A column has a type that no decoder is known for.',
    remedy: 'Leave the table or the column out of the selection, or use a version of Tidings that knows the type.',
  },
  COMMAND_FAILED: {
    retry: 'operator',
    cause: 'The command given to `tidings consume --exec`, or to an exec sink, cannot be run, or breaks the protocol.',
    remedy:
      'Run the command by hand; docs/reference/cli.md has the protocol. Nothing that it did not acknowledge counts as done.',
  },
  CONFIG_INVALID: {
    retry: 'never',
    cause: 'An option or a setting cannot be used as it is given.',
    remedy: 'Correct the option that the message names; docs/reference/cli.md lists what each takes.',
  },
  CONNECTION_FAILED: {
    retry: 'backoff',
    cause: 'The server cannot be reached.',
    remedy: 'Check host, port and that the server runs; Tidings tries again by itself.',
  },
  CONNECTION_LOST: {
    retry: 'reconnect',
    cause: 'The connection to the server was lost.',
    remedy: 'None is needed: Tidings connects again and resumes at its position.',
  },
  DATABASE_UNKNOWN: {
    retry: 'operator',
    cause: 'The database that the URL names does not exist.',
    remedy: "Correct the URL's path, or leave it away.",
  },
  DEAD_LETTERS_FULL: {
    retry: 'operator',
    cause: 'As many changes of a sink are set aside as its `parkedMax` allows, and there is another one.',
    remedy:
      'Look at them with `tidings dead-letters list`, cure the reason and redrive them, or drop them; then resume the sink.',
  },
  DEAD_LETTER_UNKNOWN: {
    retry: 'operator',
    cause: 'The sink has no dead letter of that number.',
    remedy: '`tidings dead-letters list` prints those that there are.',
  },
  DIRECTORY_IN_USE: {
    retry: 'operator',
    cause: 'Another relay works on this data directory.',
    remedy: 'End the other relay, or give this one a directory of its own.',
  },
  DIRECTORY_UNUSABLE: {
    retry: 'operator',
    cause: 'The data directory, or a directory or file in it, cannot be made, read or written.',
    remedy: 'Check that it is a directory on a local disk, and that the user whom the relay runs as may write there.',
  },
  DISK_ERROR: {
    retry: 'backoff',
    cause: 'The disk reports an error when it is read or written.',
    remedy: "Check the disk and the system's log; the same is tried again by itself, and nothing was acknowledged.",
  },
  DISK_FULL: {
    retry: 'backoff',
    cause: 'There is no room on the disk, or in the quota of the user whom the process runs as.',
    remedy: 'Make room; it goes on by itself, and nothing is lost.',
  },
  EVENTS_STARTED_TWICE: {
    retry: 'operator',
    cause: 'One `mysqlEvents` object was started a second time.',
    remedy: 'Make a new object for every run; give it `from` to go on where the last one ended.',
  },
  EVENT_HANDLER_FAILED: {
    retry: 'operator',
    cause: 'A handler given to `mysqlEvents` threw; the position stays before its transaction.',
    remedy: 'Mend the handler (the cause says what it threw) and start again, or decide with `onError`.',
  },
  EVENT_NAME_INVALID: {
    retry: 'operator',
    cause: '`mysqlEvents` was asked for an event of a name that it never publishes.',
    remedy:
      'Use `{table}_write`, `_update`, `_delete`, their `_raw` forms, `_truncate`, a `*` in place of table or action, or one of the names in docs/concepts/events.md.',
  },
  EVENT_TABLE_WITHOUT_KEY: {
    retry: 'operator',
    cause: 'A table that key events are wanted of has no primary key, so none can be published.',
    remedy:
      'Give the table a primary key, or listen to its `_raw` events. With a log or a `warning` listener this is a warning, else it stops the stream.',
  },
  EVENT_TOO_LARGE: {
    retry: 'operator',
    cause: 'A binlog event is larger than the limit.',
    remedy: "Raise `eventBytesMax`, or max_allowed_packet on the server if the message is the server's.",
  },
  EVENT_TRUNCATE_UNHEARD: {
    retry: 'operator',
    cause: 'All rows of a table went at once, and nothing listens to its `_truncate` event.',
    remedy:
      'Listen to `{table}_truncate` or `*_truncate`: no delete event is published for those rows. With a log or a `warning` listener this is a warning, else it stops the stream.',
  },
  FORBIDDEN: {
    retry: 'operator',
    cause: 'The token is known, and its role does not allow the request.',
    remedy: 'Use a token with the role that the message names (read, operate or admin).',
  },
  FORMAT_VALUE: {
    retry: 'never',
    cause: 'A value cannot be written exactly in the output format that was chosen.',
    remedy: 'Choose another format, or leave the column out with `--columns`.',
  },
  GROUP_INVALID: {
    retry: 'never',
    cause: "A request of a group's member, or for a group, cannot be carried out.",
    remedy: 'Correct what the message names; docs/concepts/groups.md has the limits.',
  },
  GROUP_IN_USE: {
    retry: 'operator',
    cause: 'The group still has members.',
    remedy: 'Stop its members first, or wait until their sessions have ended.',
  },
  GROUP_MEMBER_UNKNOWN: {
    retry: 'reconnect',
    cause:
      'The group does not know this member any more: it was not heard of for too long, another process joined under its name, or the relay was restarted.',
    remedy: 'None is needed: a client joins again and goes on at the checkpoints.',
  },
  GROUP_UNKNOWN: {
    retry: 'operator',
    cause: 'The stream has no such group.',
    remedy:
      'Check the name with `tidings groups`; a group comes into being when its first member joins, or when its checkpoint is set.',
  },
  GTID_INVALID: {
    retry: 'operator',
    cause: 'A text that should name transactions by GTID does not.',
    remedy:
      'Give a set as `gtid_executed` shows it (MySQL: `uuid:1-5,…`) or a position as `gtid_current_pos` shows it (MariaDB: `0-1-42,…`).',
  },
  HOST_UNKNOWN: {
    retry: 'operator',
    cause: 'The host name of the server cannot be resolved.',
    remedy: 'Correct the host in the URL.',
  },
  INTERNAL_ERROR: {
    retry: 'never',
    cause: 'The relay failed in a way that no error describes: a bug.',
    remedy: 'Look at the log of the relay at the time of the request, and report it.',
  },
  JSON_DIFF_WITHOUT_DOCUMENT: {
    retry: 'operator',
    cause: 'An update logs only a part of a JSON document, and not the document itself.',
    remedy:
      "Set binlog_row_value_options to '', or binlog_row_image to FULL, and start from a position behind this one.",
  },
  LOG_DAMAGED: {
    retry: 'never',
    cause: 'Bytes of a log, or of batches on their way from one, are not what was written.',
    remedy:
      'Nothing behind the place that the message names is served. Check the disk; restore the file from a copy and resume the stream, or begin a new stream with a new snapshot.',
  },
  LOG_VERSION_UNKNOWN: {
    retry: 'operator',
    cause: 'A log, or a batch on its way from one, was written by a newer version of Tidings.',
    remedy: 'Use that version, or one after it, on both sides.',
  },
  LOG_WRITE_FAILED: {
    retry: 'operator',
    cause:
      'The disk refused to write a log, for another reason than that it is full. What it says afterwards cannot be trusted.',
    remedy:
      "Check the disk and the system's log, then resume the stream or restart the relay: it verifies the end of the log, and the source hands over again what is not in it.",
  },
  MAPPING_FAILED: {
    retry: 'operator',
    cause: 'No row can be made of a change: a value cannot be cast, or a rule or hook fails on it.',
    remedy: 'Change the rule that the message names, then redrive the dead letter; or edit or drop it.',
  },
  MAPPING_INVALID: {
    retry: 'operator',
    cause: "A sink's mapping contradicts itself, or does not go with a table of the stream.",
    remedy: 'Correct the rule that the message names; docs/mapping.md describes what a rule takes.',
  },
  MAPPING_TIMEOUT: {
    retry: 'never',
    cause: 'A hook of a mapping did not answer in time.',
    remedy: 'Mend the hook, or raise `hookTimeout`, then let the row be tried again.',
  },
  OUTPUT_CLOSED: {
    retry: 'operator',
    cause: 'A sink prints to the standard output, and nobody reads that any more.',
    remedy: 'Start the relay again with a reader that stays. What the reader had not taken comes again.',
  },
  PACKAGE_MISSING: {
    retry: 'operator',
    cause: 'Something was asked for that needs a package which is not installed.',
    remedy: 'Install the package that the message names, beside tidings, and start again.',
  },
  POSITION_INVALID: {
    retry: 'operator',
    cause: 'A text is no position of this source.',
    remedy:
      "Give `now`, `earliest`, a time such as 2026-11-20T09:00:00Z, `file:offset`, or a GTID set of this server's kind.",
  },
  POSITION_UNKNOWN: {
    retry: 'operator',
    cause: 'The server does not know the position that reading would resume from.',
    remedy:
      'Check that it is the same server, or a replica that has executed everything up to the position; otherwise take a new snapshot and start from `now`.',
  },
  PREFLIGHT_FAILED: {
    retry: 'operator',
    cause:
      'The server is set up in a way, or the account has so few privileges, that reading is impossible or would miss changes.',
    remedy: 'Do what the message lists, all of it at once; `tidings doctor` prints it with the exact statements.',
  },
  PRIVILEGE_MISSING: {
    retry: 'operator',
    cause: 'The account lacks a privilege.',
    remedy: 'Grant it: `tidings doctor` prints the statements.',
  },
  PROTOCOL_VIOLATION: {
    retry: 'reconnect',
    cause: 'The bytes from the server are no packets of its protocol.',
    remedy:
      "Check that the port is a MySQL or MariaDB server's and that nothing between changes the stream; Tidings connects again.",
  },
  RELAY_CLOSING: {
    retry: 'reconnect',
    cause: 'The relay is being stopped.',
    remedy: 'None is needed: connect again when it runs.',
  },
  REQUEST_INVALID: {
    retry: 'never',
    cause: 'A request to the relay cannot be understood.',
    remedy: 'Correct what the message and `field` name; docs/reference/http-api.md lists what each request takes.',
  },
  ROLLBACK_IN_BINLOG: {
    retry: 'never',
    cause:
      'The binlog holds rows together with the order to roll them back: tables with and without transactions were changed in one.',
    remedy:
      'Use InnoDB for the tables that are watched, or leave those of other engines out. Reading can resume behind the transaction, at the position that the details name.',
  },
  ROW_TOO_LARGE: {
    retry: 'operator',
    cause: 'A row takes more bytes than the log allows for one.',
    remedy: 'Leave the table or its largest columns out of the selection; the limit is in docs/formats/relay-log.md.',
  },
  SCHEMA_MISMATCH: {
    retry: 'operator',
    cause: "A table's definition, as far as it is known, does not fit the rows in the binlog.",
    remedy: 'Set binlog_row_metadata=FULL on the server, and start from a position behind this one.',
  },
  SCHEMA_UNKNOWN: {
    retry: 'operator',
    cause: 'The definition that a table had when a row was written is not known and cannot be established.',
    remedy:
      'Set binlog_row_metadata=FULL on the server, grant SELECT on the table, or start from a position behind its last DDL.',
  },
  SCN_PURGED: {
    retry: 'operator',
    cause: 'The changes that reading would begin with are no longer kept.',
    remedy:
      "Let the consumer have `bootstrap: 'auto'`, which then begins anew with the rows that exist; or begin at `earliest`, where the gap is acceptable. Raise the retention of the stream above the longest time a consumer is away.",
  },
  SCN_UNKNOWN: {
    retry: 'operator',
    cause: 'The stream does not have this SCN yet.',
    remedy: 'Give an SCN that the stream has reached; `tidings streams` shows its last one.',
  },
  SERVER_BUSY: {
    retry: 'backoff',
    cause: 'The server accepts no further connection now.',
    remedy: "Raise max_connections or the account's limits; Tidings tries again by itself.",
  },
  SERVER_CHANGED: {
    retry: 'operator',
    cause: 'Another server answers at this address, and the position is one of the former server.',
    remedy: 'Use a GTID position, which any server of the group understands, or take a new snapshot.',
  },
  SERVER_ERROR: {
    retry: 'operator',
    cause: 'The server, or the connection to it, reports an error that Tidings has no remedy for.',
    remedy: "The message is the server's own.",
  },
  SERVER_ID_IN_USE: {
    retry: 'operator',
    cause: 'Another client reads the binlog under the same server id, and the server has ended this one.',
    remedy: 'Give each reader its own server id (`--server-id`, `serverId`).',
  },
  SERVER_UNSUPPORTED: {
    retry: 'operator',
    cause: 'The server is of a kind or version that is not supported.',
    remedy: 'Supported are MySQL 5.7 to 9 and MariaDB 10.5 to 12.',
  },
  SINK_BEHIND: {
    retry: 'operator',
    cause:
      'The store of a sink has less than it had: it was restored to an earlier state, or is another one. The group of the sink has read on, so that the rows in between would be missing.',
    remedy:
      'Set the group back (`tidings checkpoint set <relay> --stream <stream> --group sink-<sink> --to earliest`) and resume the sink: what the store has is passed over. When the log does not reach back so far, empty the store with its checkpoints, so that it is filled anew.',
  },
  SINK_BUSY: {
    retry: 'backoff',
    cause:
      'The target has ended a transaction of the sink: a deadlock, a lock that somebody else held for too long, or a conflict within its cluster.',
    remedy:
      'None is needed as long as it passes: Tidings writes the batch again. When it does not, look at what holds the locks (`SHOW ENGINE INNODB STATUS`).',
  },
  SINK_EMPTY: {
    retry: 'operator',
    cause:
      'The store of a sink has none of the checkpoints that the sink keeps there, though its group has read on: it is another store, or was emptied.',
    remedy:
      'Let the sink begin with the rows that exist (`bootstrap: auto`), or remove its group so that it begins at `from`.',
  },
  SINK_FENCED: {
    retry: 'backoff',
    cause: 'Another process has taken over partitions of the sink: what this one had not written comes to that one.',
    remedy: 'Nothing, if that was meant. Two processes that run one sink take it from each other: stop one of them.',
  },
  SINK_FULL: {
    retry: 'backoff',
    cause: 'The target has no room for more rows: its disk, tablespace or quota is full.',
    remedy: 'Make room there; Tidings goes on by itself, and nothing is lost.',
  },
  SINK_MODULE_FAILED: {
    retry: 'operator',
    cause: 'The module of a sink of your own cannot be loaded, or does not make a sink.',
    remedy: 'Correct the module: its default export is a function that returns a sink; `examples/own-sink` has one.',
  },
  SINK_NOT_RUNNING: {
    retry: 'operator',
    cause: 'The sink is paused, has failed or is being started: nothing can be written by it now.',
    remedy: '`tidings sinks` says why. Resume it first.',
  },
  SINK_ORDER_UNSUPPORTED: {
    retry: 'operator',
    cause:
      'The sink has no transactions that it could keep together with a checkpoint, and so cannot apply those of the source whole.',
    remedy: 'Leave out `order: transaction`.',
  },
  SINK_READ_ONLY: {
    retry: 'backoff',
    cause: 'The target accepts no writes at present: it is read-only.',
    remedy: 'None is needed if it becomes writable again; otherwise point the sink at the primary server.',
  },
  SINK_ROW_MISSING: {
    retry: 'never',
    cause: 'A change holds only some columns of a row that the target does not have.',
    remedy:
      'Bring the table to the target first (a snapshot), or have the source log whole rows (binlog_row_image=FULL).',
  },
  SINK_ROW_REFUSED: {
    retry: 'operator',
    cause: 'The store refuses a row as it is: a value does not fit the target, or a constraint is against it.',
    remedy: 'Change the target, the mapping or the row, then redrive the dead letter; or drop it.',
  },
  SINK_SCHEMA_CONFLICT: {
    retry: 'operator',
    cause:
      'The rows of a table cannot go to their target: it lacks columns, or has others, and the sink may not change it.',
    remedy: 'Change the target, or let the sink do it (`schema: evolve`), or leave columns out by the mapping.',
  },
  SINK_STATE_DAMAGED: {
    retry: 'never',
    cause:
      'What a sink keeps beside its data (which files are complete, checkpoints) cannot be read, or is that of another stream.',
    remedy: 'Restore the directory from a backup, or give the sink an empty one; it then begins anew.',
  },
  SINK_TRANSACTION_LOST: {
    retry: 'backoff',
    cause:
      'The connection was lost inside a transaction that is too long to be kept in memory; all of it was undone in the target.',
    remedy: 'Nothing: the sink begins again by itself at its checkpoint, which lies before the transaction.',
  },
  SINK_UNKNOWN: {
    retry: 'operator',
    cause: 'There is no sink of that name.',
    remedy: '`tidings sinks` prints those that there are.',
  },
  SNAPSHOT_CONDITION_INVALID: {
    retry: 'operator',
    cause: 'The server does not accept the condition of a snapshot.',
    remedy:
      "Give an SQL expression over the table's columns that is true or false for each row, as it would stand behind WHERE.",
  },
  SNAPSHOT_CURSOR_INVALID: {
    retry: 'operator',
    cause: 'The place at which a snapshot was to go on does not fit the key that the table has now.',
    remedy: "The table's key was changed meanwhile; start the snapshot of the table anew.",
  },
  SNAPSHOT_INVALID: {
    retry: 'operator',
    cause: 'What was asked of a snapshot cannot be done, or not in the state it is in.',
    remedy: 'The message names what is wrong; `tidings snapshot list` shows the snapshots and their states.',
  },
  SNAPSHOT_KEYS_INVALID: {
    retry: 'operator',
    cause: 'The rows of a snapshot cannot be asked for by these keys.',
    remedy:
      'Name one table, and give for each row the values of its primary key, in the order of the key and as docs/concepts/values.md has them in JSON; the message names the first one that is wrong.',
  },
  SNAPSHOT_KEY_MISSING: {
    retry: 'operator',
    cause:
      'A table has no key by which it could be read in chunks or its rows be found, and cannot be read in one piece either.',
    remedy: 'Give the table a primary key, or a unique one over columns that are NOT NULL.',
  },
  SNAPSHOT_SERVER_CHANGED: {
    retry: 'backoff',
    cause: "The snapshot's connection has reached another server than the stream's.",
    remedy:
      'Nothing need be done while servers change places; where one name stands for several servers, give the address of one.',
  },
  SNAPSHOT_TABLE_GONE: {
    retry: 'operator',
    cause: 'A table of a snapshot does not exist any more.',
    remedy: 'Nothing need be done if it was dropped on purpose; its part of the snapshot has ended.',
  },
  SNAPSHOT_UNKNOWN: {
    retry: 'operator',
    cause: 'There is no snapshot of that number.',
    remedy: '`tidings snapshot list` shows those that there are.',
  },
  SNAPSHOT_UNSUPPORTED: {
    retry: 'operator',
    cause: "The stream's source cannot read the rows that exist already.",
    remedy: 'Use a source that can (MySQL and MariaDB), or load the rows by other means.',
  },
  SOURCE_ALREADY_READING: {
    retry: 'operator',
    cause: 'A second iteration of a source was started while the first was running.',
    remedy: 'Make one source per reader, or end the first iteration before the next.',
  },
  STATEMENT_CHANGE: {
    retry: 'operator',
    cause: 'A statement changed rows of a watched table and the binlog holds the statement instead of the rows.',
    remedy:
      'Set binlog_format=ROW for every session (also on replicas in the chain), take a new snapshot of the table, and start behind this position.',
  },
  STATE_DAMAGED: {
    retry: 'operator',
    cause: "The file that holds the relay's checkpoints and groups is damaged, or is no such file.",
    remedy:
      'Restore `state.db` from a copy, or move it away with `state.db-wal`: groups then begin anew, and `tidings checkpoint set` says where.',
  },
  STATE_NEWER: {
    retry: 'operator',
    cause: "The relay's state was written by a newer version of Tidings.",
    remedy: 'Run that version again, or one after it.',
  },
  STREAM_STALLED: {
    retry: 'reconnect',
    cause: 'The server sent nothing for several heartbeat periods.',
    remedy: 'None is needed: Tidings connects again and resumes at its position.',
  },
  STREAM_UNKNOWN: {
    retry: 'operator',
    cause: 'The relay has no stream of this name.',
    remedy: 'Check the name with `tidings streams`, or in the configuration of the relay.',
  },
  TEXT_UNDECODABLE: {
    retry: 'operator',
    cause:
      'A text contains bytes that its character set does not define; SELECT shows question marks or garbage for them.',
    remedy:
      'Correct the row on the server and start again behind this transaction, or leave the column out of the selection, or make it a binary column.',
  },
  TLS_FAILED: {
    retry: 'operator',
    cause: 'The encrypted connection could not be made.',
    remedy: 'Check that the server offers TLS and that `tls-ca` names the authority that signed its certificate.',
  },
  TRANSACTION_RESTARTED: {
    retry: 'reconnect',
    cause: 'The connection was lost inside a transaction that had been handed over in part.',
    remedy: 'Undo what was applied of it and read on: the next transaction is the same one, whole.',
  },
  UNAUTHORIZED: {
    retry: 'operator',
    cause: 'The relay asks for a token, and none that it knows came with the request.',
    remedy: 'Send one of the configured tokens as `Authorization: Bearer <token>`.',
  },
  VALUE_TOO_LONG: {
    retry: 'operator',
    cause: 'A text or JSON value is longer than a JavaScript string can be (about 512 MiB).',
    remedy: 'Leave the column out of the selection, or shorten the value, and start again from the same position.',
  },
  XA_PREPARE_LOST: {
    retry: 'operator',
    cause: 'An XA transaction is committed whose changes, logged when it was prepared, are no longer in the binlog.',
    remedy: 'Take a new snapshot of the tables; keep binlogs longer than XA transactions stay prepared.',
  },
};
