import { TidingsError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/logger.ts';
import { EVENT_FLAG, EVENT_HEADER_LENGTH } from '../binlog/event-header.ts';
import { EVENT, eventTypeName, isKnownEventType } from '../binlog/event-types.ts';
import type { FormatDescriptionEvent } from '../binlog/format-description-event.ts';
import { corrupt } from '../binlog/frame-errors.ts';
import { readMysqlGtidInto } from '../binlog/gtid-event.ts';
import { decodeGtidListEvent } from '../binlog/gtid-list-event.ts';
import { readMysqlTaggedGtidInto } from '../binlog/gtid-tagged-event.ts';
import { decodeHeartbeatEvent, decodeHeartbeatV2Event } from '../binlog/heartbeat-event.ts';
import { decodeIncidentEvent } from '../binlog/incident-event.ts';
import { decodeExecuteLoadQueryEvent } from '../binlog/load-data-events.ts';
import { decodeMariadbGtidEvent, emptyMariadbGtidTarget, readMariadbGtidInto } from '../binlog/mariadb-gtid-event.ts';
import { MARIADB_GTID_EXTRA, MARIADB_GTID_FLAG } from '../binlog/mariadb-gtid-flags.ts';
import { emptyMysqlGtidTarget } from '../binlog/mysql-gtid-target.ts';
import { decodePreviousGtidsEvent } from '../binlog/previous-gtids-event.ts';
import {
  decodeQueryCompressedEvent,
  decodeQueryEvent,
  isBeginQuery,
  isCommitQuery,
  type QueryEvent,
} from '../binlog/query-event.ts';
import { decodeRotateEvent } from '../binlog/rotate-event.ts';
import { emptyRowsEvent, isUpdate, readRowsEventInto, type RowsEvent } from '../binlog/rows-event.ts';
import { decodeTransactionPayloadEvent } from '../binlog/transaction-payload-event.ts';
import { uncompressEventData } from '../binlog/uncompress-event.ts';
import { formatXaId } from '../binlog/xa-id.ts';
import { checkXidEvent } from '../binlog/xid-event.ts';
import { decodeXaPrepareEvent } from '../binlog/xa-prepare-event.ts';
import { GtidTrail } from '../gtid/gtid-trail.ts';
import { MariadbGtidPosition } from '../gtid/mariadb-gtid.ts';
import type { MysqlPosition } from '../mysql-position.ts';
import { BinlogRowBatch } from '../row-batch.ts';
import type { SchemaHistory } from '../schema/schema-history.ts';
import type { BinlogPlace, Server } from '../server.ts';
import type { TableSelection } from '../table-selection.ts';
import type { EventSource } from './event-source.ts';
import { LoggedStatement } from './logged-statement.ts';
import { BinlogTransaction, type OpenTransaction } from './open-transaction.ts';
import { PayloadSource } from './payload-source.ts';
import type { BinlogFileSeen } from './reset-check.ts';
import { applyStatement, classifyControl } from './statements.ts';
import { StreamPosition } from './stream-position.ts';
import type { MappedTable } from './table-maps.ts';
import { TableResolver } from './table-resolver.ts';
import { TransactionBuilder } from './transaction-builder.ts';
import type { XaTransactions } from './xa-transactions.ts';

export interface AssemblerOptions {
  readonly server: Server;
  readonly selection: TableSelection;
  readonly history: SchemaHistory;
  readonly xa: XaTransactions;
  readonly json: 'text' | 'parsed';
  readonly eventBytesMax: number;
  /** What to do about a statement that changed a watched table without row events. */
  readonly statementChanges: 'stop' | 'report';
  /** Whether transactions that a sink wrote are passed over. */
  readonly ignoreOrigin: boolean;
  readonly log: Logger;
  /** The format of the file that is being read, once it was announced. */
  readonly format: () => FormatDescriptionEvent | null;
  /** Told when a file's format was read. @throws TidingsError to stop */
  readonly fileBegins: (file: BinlogFileSeen) => void;
}

/** What an event asks of whoever reads the stream before the next one: events from elsewhere, or time. */
export type Demand = EventSource | Promise<EventSource | null> | null;

/**
 * Turns events into transactions: the one place that knows what every event type means for what is handed over.
 *
 * It keeps the position (I2): `end` moves when a transaction's last event has been seen, and never in between.
 */
export class Assembler {
  readonly #options: AssemblerOptions;
  readonly #position: StreamPosition;
  readonly #tables: TableResolver;
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
        return this.#query(decodeQueryEvent(bytes.subarray(body, end)), view.getUint16(start + 17, true));
      case EVENT.QUERY_COMPRESSED:
        this.#position.advance(view, start);
        return this.#query(decodeQueryCompressedEvent(bytes.subarray(body, end)), view.getUint16(start + 17, true));
      default:
        return this.#rare(type, event);
    }
  }

  /** Everything that does not come with every transaction. */
  #rare(type: number, { bytes, view, start, end }: EventSource): Demand {
    const { server, log } = this.#options;
    const frame = bytes.subarray(start + EVENT_HEADER_LENGTH, end);
    const nextPosition = view.getUint32(start + 13, true);
    const flags = view.getUint16(start + 17, true);
    switch (type) {
      case EVENT.ROTATE: {
        const { file, position } = decodeRotateEvent(frame);
        this.#position.rotate(file, position, this.transactions.open === null);
        return null;
      }
      case EVENT.FORMAT_DESCRIPTION:
        // Table ids start anew with each server run, and a file never depends on one before it.
        this.#tables.forget();
        this.#options.fileBegins({ file: this.#position.file, beganAtS: view.getUint32(start, true) });
        if (nextPosition !== 0 && (flags & EVENT_FLAG.ARTIFICIAL) === 0) this.#position.advance(view, start);
        return null;
      case EVENT.HEARTBEAT:
      case EVENT.HEARTBEAT_V2: {
        const beat =
          type === EVENT.HEARTBEAT
            ? decodeHeartbeatEvent(frame, { hasPosition: nextPosition === 0 && server.flavour === 'mariadb' })
            : decodeHeartbeatV2Event(frame);
        if (this.transactions.open === null) this.#position.heartbeat(beat.file, beat.position ?? nextPosition);
        return null;
      }
      case EVENT.GTID_TAGGED:
        this.#position.advance(view, start);
        readMysqlTaggedGtidInto(bytes, start + EVENT_HEADER_LENGTH, end, this.#mysqlGtid);
        this.#mysqlBegins(view, start, false);
        return null;
      case EVENT.PREVIOUS_GTIDS:
        this.#position.advance(view, start);
        if (this.transactions.open !== null) return null;
        if (!server.gtid || this.end.gtids !== null) this.#position.settle();
        else this.#position.settle(GtidTrail.from(decodePreviousGtidsEvent(frame).executed));
        return null;
      case EVENT.GTID_LIST:
        this.#position.advance(view, start);
        if (this.transactions.open !== null) return null;
        if (this.end.gtids !== null) this.#position.settle();
        else this.#position.settle(MariadbGtidPosition.of(decodeGtidListEvent(frame).gtids));
        return null;
      case EVENT.XA_PREPARE:
        this.#position.advance(view, start);
        return this.#xaPrepared(frame);
      case EVENT.TRANSACTION_PAYLOAD:
        this.#position.advance(view, start);
        return new PayloadSource(decodeTransactionPayloadEvent(frame), this.#options.eventBytesMax);
      case EVENT.EXECUTE_LOAD_QUERY: {
        this.#position.advance(view, start);
        const load = decodeExecuteLoadQueryEvent(frame);
        return this.#query({ ...load, kind: 'query' }, flags);
      }
      case EVENT.INCIDENT: {
        const { message } = decodeIncidentEvent(frame);
        throw new TidingsError(
          'BINLOG_INCIDENT',
          `the server logged an incident in ${this.#position.file} at ${this.#position.offset}: ${message}`,
          {
            details: {
              file: this.#position.file,
              offset: this.#position.offset,
              resumeAt: `${this.#position.file}:${nextPosition}`,
            },
          },
        );
      }
      case EVENT.STOP:
      case EVENT.INTVAR:
      case EVENT.RAND:
      case EVENT.USER_VAR:
      case EVENT.BEGIN_LOAD_QUERY:
      case EVENT.APPEND_BLOCK:
      case EVENT.DELETE_FILE:
      case EVENT.IGNORABLE:
      case EVENT.TRANSACTION_CONTEXT:
      case EVENT.VIEW_CHANGE:
      case EVENT.BINLOG_CHECKPOINT:
      // The server decrypts what it sends; this event only says that the file on its disk is encrypted.
      case EVENT.START_ENCRYPTION:
        // They prepare statements or describe the log. Whether a statement matters is decided when it comes.
        this.#position.advance(view, start);
        if (this.transactions.open === null) this.#position.settle();
        return null;
      default: {
        const name = eventTypeName(type, server.flavour);
        if (!isKnownEventType(type, server.flavour) && (flags & EVENT_FLAG.IGNORABLE) !== 0) {
          log.warn(
            { eventType: type, file: this.#position.file, offset: this.#position.offset },
            'event passed over: unknown, and marked as ignorable by the server',
          );
          this.#position.advance(view, start);
          return null;
        }
        throw new TidingsError(
          'BINLOG_EVENT_UNSUPPORTED',
          `${name} (${type}) in ${this.#position.file} at ${this.#position.offset} cannot be decoded`,
          {
            details: { eventType: type, event: name, file: this.#position.file, offset: this.#position.offset },
          },
        );
      }
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
    if ((flags & MARIADB_GTID_FLAG.PREPARED_XA) !== 0 && xid !== null) this.#xaBegins(open, formatXaId(xid));
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

  #query(event: QueryEvent, flags: number): Demand {
    const control = classifyControl(event.query);
    const open = this.transactions.opened();
    const where = { file: this.#position.file, offset: this.#position.offset };
    switch (control.kind) {
      case 'begin':
        open.grouped = true;
        return null;
      case 'commit':
        this.transactions.finish();
        return null;
      case 'rollback':
        // Written when the rows cannot be taken back out of the log: tables without transactions took part.
        if (open.watchedRows > 0) this.#rolledBack();
        this.transactions.finish();
        return null;
      case 'savepoint':
        open.savepoints.set(control.name, open.watchedRows);
        return null;
      case 'rollback-to':
        if (open.watchedRows > (open.savepoints.get(control.name) ?? 0)) this.#rolledBack();
        return null;
      case 'xa-start':
        this.#xaBegins(open, control.xid);
        return null;
      case 'xa-end':
        return null;
      case 'xa-commit':
        return this.#options.xa.committed(control.xid, where, () => this.transactions.finish());
      case 'xa-rollback':
        this.#options.xa.forget(control.xid);
        this.transactions.finish();
        return null;
      case 'statement':
        this.#applyStatement(event, flags, open);
        return null;
    }
  }

  #applyStatement(event: QueryEvent, flags: number, open: OpenTransaction): void {
    const { server, selection, history, statementChanges, log, format } = this.#options;
    if (!open.alterWithoutEffect) {
      const outcome = applyStatement(event, {
        flags,
        server,
        writtenBy: format()?.serverVersion ?? server.versionText,
        history,
        selection,
      });
      // New definitions come with new table ids, except for what a rename moved: better none than a stale one.
      if (outcome.changesSchema) this.#tables.forget();
      if (outcome.rowsWithoutEvents !== null && !open.skipped) {
        const message = `${outcome.rowsWithoutEvents} in ${this.#position.file} before ${this.#position.offset}, and the binlog has no rows for it`;
        if (statementChanges === 'stop') this.transactions.fail({ code: 'STATEMENT_CHANGE', message });
        else log.warn({ file: this.#position.file, offset: this.#position.offset }, message);
      }
      this.transactions.add(outcome.entries);
    }
    if (!open.grouped) this.transactions.finish();
  }

  #xaBegins(open: OpenTransaction, xid: string): void {
    open.xid = xid;
    open.grouped = true;
    this.#options.xa.begin(xid, open.info.start);
  }

  #xaPrepared(frame: Buffer): Demand {
    const { onePhase, xid } = decodeXaPrepareEvent(frame);
    const open = this.transactions.opened();
    const { xa } = this.#options;
    if (!onePhase) {
      xa.prepared(formatXaId(xid));
      this.transactions.finish();
      return null;
    }
    // XA COMMIT … ONE PHASE: what the group holds counts after all, and this event is its commit.
    open.xid = null;
    return xa.committedOnePhase(formatXaId(xid), this.place, () => this.transactions.finish());
  }

  #rolledBack(): void {
    const message = `a transaction in ${this.#position.file} holds rows of watched tables and then rolls back`;
    this.transactions.fail({ code: 'ROLLBACK_IN_BINLOG', message });
  }
}
