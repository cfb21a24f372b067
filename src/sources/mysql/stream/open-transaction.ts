import type { TransactionInfo } from '../../../core/change.ts';
import type { Entry } from '../../../core/source.ts';
import type { Gno } from '../gtid/gno.ts';
import type { MysqlGtidSource } from '../gtid/mysql-gtid-source.ts';
import type { MysqlPosition } from '../mysql-position.ts';
import type { BinlogPlace } from '../server.ts';

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
  constructor(start: MysqlPosition, serverId: number, committedAtUs: number, origin: MysqlGtidSource | number | null, gno: Gno) {
    this.start = start;
    this.serverId = serverId;
    this.committedAtUs = committedAtUs;
    this.origin = origin;
    this.gno = gno;
  }

  get id(): string | null {
    if (this.origin === null) return null;
    return typeof this.origin === 'number' ? `${this.origin}-${this.serverId}-${this.gno}` : `${this.origin}:${this.gno}`;
  }
}

/** A transaction whose end has not been read yet. */
export class OpenTransaction {
  readonly info: BinlogTransaction;
  /** Where its first event stands. */
  readonly at: BinlogPlace;
  entries: Entry[] = [];
  /** A part of it was handed over already. */
  handedOver = false;
  /** The part handed over first after a reconnect repeats one from before. */
  restarted = false;
  /** Ends with an XID, COMMIT or ROLLBACK; otherwise with its first statement. */
  grouped: boolean;
  /** Its changes are not wanted: it lies before the start time. */
  readonly skipped: boolean;
  /** There were rows, watched or not, handed over or not. */
  hasRows = false;
  /** Rows since the last savepoint statement. */
  watchedRows = 0;
  /** Of the XA transaction that this group prepares. */
  xid: string | null = null;
  /** MariaDB: this group is the first or the abandoned half of a two-phase ALTER TABLE. */
  alterWithoutEffect = false;

  constructor(info: BinlogTransaction, { grouped, skipped, at }: { grouped: boolean; skipped: boolean; at: BinlogPlace }) {
    this.at = at;
    this.info = info;
    this.grouped = grouped;
    this.skipped = skipped;
  }
}
