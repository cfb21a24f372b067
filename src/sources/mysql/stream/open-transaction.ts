import type { TransactionInfo } from '../../../core/change.ts';
import type { Entry } from '../../../core/source.ts';
import type { Gno } from '../gtid/gno.ts';
import type { MysqlGtidSource } from '../gtid/mysql-gtid-source.ts';
import type { MysqlPosition } from '../mysql-position.ts';

/** What is known of a transaction from its GTID event. The identifier's text is made when it is asked for. */
export class BinlogTransaction implements TransactionInfo {
  readonly committedAtUs: number;
  readonly serverId: number;
  readonly start: MysqlPosition;
  /** MySQL: the GTID's source; MariaDB: its domain; null for an anonymous transaction. */
  readonly origin: MysqlGtidSource | number | null;
  readonly gno: Gno;

  // One for each transaction: positional, as an options object would double what the stream allocates.
  // oxlint-disable-next-line max-params
  constructor(
    start: MysqlPosition,
    serverId: number,
    committedAtUs: number,
    origin: MysqlGtidSource | number | null,
    gno: Gno,
  ) {
    this.start = start;
    this.serverId = serverId;
    this.committedAtUs = committedAtUs;
    this.origin = origin;
    this.gno = gno;
  }

  get id(): string | null {
    if (this.origin === null) return null;
    return typeof this.origin === 'number'
      ? `${this.origin}-${this.serverId}-${this.gno}`
      : `${this.origin}:${this.gno}`;
  }
}

export interface TransactionFailure {
  readonly code: 'ROLLBACK_IN_BINLOG' | 'STATEMENT_CHANGE';
  readonly message: string;
}

/**
 * The transaction whose end has not been read yet. One object serves a whole stream, as a new one for each transaction would be most
 * of what the stream allocates.
 */
export class OpenTransaction {
  info: BinlogTransaction;
  /** Where its first event stands. */
  atFile = '';
  atOffset = 0;
  entries: Entry[] = [];
  /** A part of it was handed over already. */
  handedOver = false;
  /** Ends with an XID, COMMIT or ROLLBACK; otherwise with its first statement. */
  grouped = false;
  /** Its changes are not wanted: it lies before the start time, or a sink wrote it. */
  skipped = false;
  /** A row of some table was seen, be it watched or not. */
  hasRows = false;
  /** Rows events of watched tables so far. */
  watchedRows = 0;
  /** How many of them there were at each savepoint, by its name. */
  readonly savepoints: Map<string, number> = new Map();
  /** Why it cannot be handed over. Said at its end, where reading can go on. */
  failure: TransactionFailure | null = null;
  /** Of the XA transaction that this group prepares. */
  xid: string | null = null;
  /** MariaDB: this group is the first or the abandoned half of a two-phase ALTER TABLE. */
  alterWithoutEffect = false;

  constructor(info: BinlogTransaction) {
    this.info = info;
  }

  begin(info: BinlogTransaction, grouped: boolean, skipped: boolean): void {
    this.info = info;
    this.entries = [];
    this.handedOver = false;
    this.grouped = grouped;
    this.skipped = skipped;
    this.hasRows = false;
    this.watchedRows = 0;
    if (this.savepoints.size > 0) this.savepoints.clear();
    this.failure = null;
    this.xid = null;
    this.alterWithoutEffect = false;
  }
}
