import { EVENT_HEADER_LENGTH } from '../binlog/event-header.ts';
import { EVENT, eventTypeName } from '../binlog/event-types.ts';
import { corrupt } from '../binlog/frame-errors.ts';
import { readMysqlGtidInto } from '../binlog/gtid-event.ts';
import { readMysqlTaggedGtidInto } from '../binlog/gtid-tagged-event.ts';
import { decodeExecuteLoadQueryEvent } from '../binlog/load-data-events.ts';
import { decodeMariadbGtidEvent, emptyMariadbGtidTarget, readMariadbGtidInto } from '../binlog/mariadb-gtid-event.ts';
import { MARIADB_GTID_EXTRA, MARIADB_GTID_FLAG } from '../binlog/mariadb-gtid-flags.ts';
import { emptyMysqlGtidTarget } from '../binlog/mysql-gtid-target.ts';
import { decodeQueryCompressedEvent, decodeQueryEvent, isBeginQuery, isCommitQuery } from '../binlog/query-event.ts';
import { emptyRowsEvent, isUpdate, readRowsEventInto, type RowsEvent } from '../binlog/rows-event.ts';
import { decodeTransactionPayloadEvent } from '../binlog/transaction-payload-event.ts';
import { uncompressEventData } from '../binlog/uncompress-event.ts';
import { formatXaId } from '../binlog/xa-id.ts';
import { checkXidEvent } from '../binlog/xid-event.ts';
import type { MysqlPosition } from '../mysql-position.ts';
import { BinlogRowBatch } from '../row-batch.ts';
import type { BinlogPlace } from '../server.ts';
import type { Demand, EventSource } from './event-source.ts';
import { LogEvents, type LogEventsOptions } from './log-events.ts';
import { LoggedStatement } from './logged-statement.ts';
import { BinlogTransaction } from './open-transaction.ts';
import { PayloadSource } from './payload-source.ts';
import { QueryEvents, type QueryEventsOptions } from './query-events.ts';
import type { StreamParts } from './stream-parts.ts';
import { StreamPosition } from './stream-position.ts';
import type { MappedTable } from './table-maps.ts';
import { TableResolver } from './table-resolver.ts';
import { TransactionBuilder } from './transaction-builder.ts';

export interface AssemblerOptions extends QueryEventsOptions, LogEventsOptions {
  readonly json: 'text' | 'parsed';
  readonly eventBytesMax: number;
  /** Whether transactions that a sink wrote are passed over. */
  readonly ignoreOrigin: boolean;
}

/**
 * Turns events into transactions: what begins one, the rows in it, what ends it. Statements are left to `QueryEvents`, and events
 * that only tell of the log to `LogEvents`.
 *
 * It keeps the position (I2): `end` moves when a transaction's last event has been seen, and never in between.
 */
export class Assembler {
  readonly #options: AssemblerOptions;
  readonly #position: StreamPosition;
  readonly #tables: TableResolver;
  readonly #queries: QueryEvents;
  readonly #logEvents: LogEvents;
  /** The transactions in the making. */
  readonly transactions: TransactionBuilder;
  readonly #rowsEvent: RowsEvent = emptyRowsEvent();
  readonly #mysqlGtid = emptyMysqlGtidTarget();
  readonly #mariadbGtid = emptyMariadbGtidTarget();

  constructor(
    options: AssemblerOptions,
    start: MysqlPosition,
    { expectRestart, byGtids }: { expectRestart: boolean; byGtids: boolean },
  ) {
    this.#options = options;
    this.#position = new StreamPosition(start, { server: options.server.identity, byGtids });
    this.#tables = new TableResolver(options);
    this.transactions = new TransactionBuilder(this.#position, expectRestart);
    const parts: StreamParts = { position: this.#position, tables: this.#tables, transactions: this.transactions };
    this.#queries = new QueryEvents(options, parts);
    this.#logEvents = new LogEvents(options, parts);
  }

  /** The end of the last complete transaction. */
  get end(): MysqlPosition {
    return this.#position.end;
  }

  /** Where the stream is, inside a transaction or not. */
  get place(): BinlogPlace {
    return this.#position.place;
  }

  accept(event: EventSource): Demand {
    const { bytes, view, start, end } = event;
    const type = bytes[start + 4] as number;
    const body = start + EVENT_HEADER_LENGTH;
    this.#options.xa.keep(type, event);
    switch (type) {
      case EVENT.MARIADB_GTID:
        this.#position.advance(view, start);
        this.#mariadbBegins(bytes, view, start, end);
        return null;
      case EVENT.GTID:
      case EVENT.ANONYMOUS_GTID:
        this.#position.advance(view, start);
        readMysqlGtidInto(bytes, body, end, this.#mysqlGtid);
        this.#mysqlBegins(view, start, type === EVENT.ANONYMOUS_GTID);
        return null;
      case EVENT.GTID_TAGGED:
        this.#position.advance(view, start);
        readMysqlTaggedGtidInto(bytes, body, end, this.#mysqlGtid);
        this.#mysqlBegins(view, start, false);
        return null;
      case EVENT.TABLE_MAP:
        this.#position.advance(view, start);
        return this.#tables.map(bytes, body, end, this.transactions.beginning);
      case EVENT.WRITE_ROWS_V1:
      case EVENT.UPDATE_ROWS_V1:
      case EVENT.DELETE_ROWS_V1:
        this.#position.advance(view, start);
        this.#rows(bytes, view, type, body, end, 1);
        return null;
      case EVENT.WRITE_ROWS:
      case EVENT.UPDATE_ROWS:
      case EVENT.DELETE_ROWS:
      case EVENT.PARTIAL_UPDATE_ROWS:
        this.#position.advance(view, start);
        this.#rows(bytes, view, type, body, end, 2);
        return null;
      case EVENT.WRITE_ROWS_COMPRESSED_V1:
      case EVENT.UPDATE_ROWS_COMPRESSED_V1:
      case EVENT.DELETE_ROWS_COMPRESSED_V1:
        this.#position.advance(view, start);
        this.#compressedRows(bytes, { type, body, end, version: 1 });
        return null;
      case EVENT.WRITE_ROWS_COMPRESSED:
      case EVENT.UPDATE_ROWS_COMPRESSED:
      case EVENT.DELETE_ROWS_COMPRESSED:
        this.#position.advance(view, start);
        this.#compressedRows(bytes, { type, body, end, version: 2 });
        return null;
      case EVENT.ANNOTATE_ROWS:
        this.#position.advance(view, start);
        this.transactions.statement = new LoggedStatement(bytes, body, end);
        return null;
      case EVENT.ROWS_QUERY:
        this.#position.advance(view, start);
        // A length byte that only holds 255 comes first.
        this.transactions.statement = new LoggedStatement(bytes, Math.min(body + 1, end), end);
        return null;
      case EVENT.XID:
        checkXidEvent(body, end);
        this.#position.advance(view, start);
        this.transactions.finish();
        return null;
      case EVENT.QUERY:
        this.#position.advance(view, start);
        if (isBeginQuery(bytes, body, end)) {
          this.transactions.opened().grouped = true;
          return null;
        }
        if (isCommitQuery(bytes, body, end)) {
          this.transactions.finish();
          return null;
        }
        return this.#queries.accept(decodeQueryEvent(bytes.subarray(body, end)), view.getUint16(start + 17, true));
      case EVENT.QUERY_COMPRESSED:
        this.#position.advance(view, start);
        return this.#queries.accept(
          decodeQueryCompressedEvent(bytes.subarray(body, end)),
          view.getUint16(start + 17, true),
        );
      case EVENT.EXECUTE_LOAD_QUERY:
        this.#position.advance(view, start);
        return this.#queries.accept(
          { ...decodeExecuteLoadQueryEvent(bytes.subarray(body, end)), kind: 'query' },
          view.getUint16(start + 17, true),
        );
      case EVENT.XA_PREPARE:
        this.#position.advance(view, start);
        return this.#queries.xaPrepared(bytes.subarray(body, end));
      case EVENT.TRANSACTION_PAYLOAD:
        this.#position.advance(view, start);
        return new PayloadSource(decodeTransactionPayloadEvent(bytes.subarray(body, end)), this.#options.eventBytesMax);
      default:
        this.#logEvents.accept(type, event);
        return null;
    }
  }

  /** The events that follow, up to `endDetour`, are no part of the file at this place: of a payload, or read again. */
  beginDetour(): void {
    this.#position.beginDetour();
  }

  endDetour(): void {
    this.#position.endDetour();
  }

  #mysqlBegins(view: DataView, start: number, anonymous: boolean): void {
    const { source, gno, originalCommitUs, immediateCommitUs } = this.#mysqlGtid;
    const committedAtUs = originalCommitUs || immediateCommitUs || view.getUint32(start, true) * 1_000_000;
    this.#tables.trim();
    this.transactions.begin(
      new BinlogTransaction(this.end, view.getUint32(start + 5, true), committedAtUs, anonymous ? null : source, gno),
      false,
      view.getUint32(start + 9, true),
    );
  }

  // oxlint-disable-next-line max-params -- called for every transaction
  #mariadbBegins(bytes: Buffer, view: DataView, start: number, end: number): void {
    const body = start + EVENT_HEADER_LENGTH;
    const gtid = this.#mariadbGtid;
    readMariadbGtidInto(bytes, body, end, gtid);
    const committedAtUs = view.getUint32(start, true) * 1_000_000;
    const grouped = (gtid.flags & MARIADB_GTID_FLAG.STANDALONE) === 0;
    this.#tables.trim();
    this.transactions.begin(
      new BinlogTransaction(this.end, view.getUint32(start + 5, true), committedAtUs, gtid.domain, gtid.sequence),
      grouped,
      view.getUint32(start + 9, true),
    );
    // The rest of the event matters only to XA and to two-phase ALTER TABLE, which are told by flags.
    if ((gtid.flags & (MARIADB_GTID_FLAG.PREPARED_XA | MARIADB_GTID_FLAG.DDL)) === 0) return;
    const open = this.transactions.opened();
    const { xid, flagsExtra, flags } = decodeMariadbGtidEvent(bytes.subarray(body, end));
    if ((flags & MARIADB_GTID_FLAG.PREPARED_XA) !== 0 && xid !== null) this.#queries.xaBegins(open, formatXaId(xid));
    open.alterWithoutEffect = (flagsExtra & (MARIADB_GTID_EXTRA.START_ALTER | MARIADB_GTID_EXTRA.ROLLBACK_ALTER)) !== 0;
  }

  // Called for every rows event: positional, and into a target that is used again.
  // oxlint-disable-next-line max-params
  #rows(bytes: Buffer, view: DataView, type: number, body: number, end: number, version: 1 | 2): void {
    const event = this.#rowsEvent;
    readRowsEventInto(bytes, body, end, version, isUpdate(type), event);
    const table = this.#mapped(event, type);
    if (table !== null) this.#addRows(bytes, view, type, event, table);
    if (event.endsStatement) this.transactions.statement = null;
  }

  #compressedRows(
    bytes: Buffer,
    { type, body, end, version }: { type: number; body: number; end: number; version: 1 | 2 },
  ): void {
    const event = this.#rowsEvent;
    readRowsEventInto(bytes, body, end, version, isUpdate(type), event);
    const table = this.#mapped(event, type);
    if (table !== null) {
      const rows = uncompressEventData(bytes.subarray(event.rowsStart, event.rowsEnd), eventTypeName(type, 'mariadb'));
      // The header stays where it is, uncompressed; one buffer with both is what row batches are made of.
      const header = bytes.subarray(body, event.rowsStart);
      const whole = Buffer.concat([header, rows]);
      const moved: RowsEvent = {
        ...event,
        firstBitmap: event.firstBitmap - body,
        secondBitmap: event.secondBitmap - body,
        rowsStart: header.length,
        rowsEnd: whole.length,
      };
      this.#addRows(whole, new DataView(whole.buffer, whole.byteOffset, whole.byteLength), type, moved, table);
    }
    if (event.endsStatement) this.transactions.statement = null;
  }

  /** Null when nobody watches the table, or the transaction is passed over. */
  #mapped(event: RowsEvent, type: number): MappedTable | null {
    const open = this.transactions.opened();
    const table = this.#tables.find(event.tableId);
    if (table === null) {
      // An empty rows event with a made-up table id only marks a statement's end.
      if (event.rowsStart === event.rowsEnd || event.tableId === 0xff_ffff) return null;
      throw corrupt(
        `${eventTypeName(type, this.#options.server.flavour)} event in ${this.#position.file} at ${this.#position.offset}: no TABLE_MAP gave the table id ${event.tableId}`,
        {
          tableId: event.tableId,
          file: this.#position.file,
          offset: this.#position.offset,
        },
      );
    }
    if (!open.hasRows) {
      open.hasRows = true;
      // The mark comes first, so that a transaction of any length is known from its beginning.
      if (table.marksOrigin && this.#options.ignoreOrigin) open.skipped = true;
    }
    if (table.failure !== null && !open.skipped) throw table.failure;
    return table.binding === null || open.skipped ? null : table;
  }

  // oxlint-disable-next-line max-params -- called for every rows event
  #addRows(bytes: Buffer, view: DataView, type: number, event: RowsEvent, table: MappedTable): void {
    const open = this.transactions.opened();
    open.watchedRows++;
    // Until XA COMMIT nobody knows whether the rows count; they are kept by XaTransactions.
    if (open.xid !== null) return;
    open.entries.push(
      new BinlogRowBatch(bytes, view, event, table.views(bytes, type, event), this.transactions.statement),
    );
  }
}
