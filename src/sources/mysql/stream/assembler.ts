import type { SchemaChange, Truncation } from '../../../core/change.ts';
import { isTidingsError, TidingsError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/logger.ts';
import type { ChangeBatch, TransactionPart } from '../../../core/source.ts';
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
import { decodeTableMapEvent } from '../binlog/table-map-event.ts';
import { decodeTransactionPayloadEvent } from '../binlog/transaction-payload-event.ts';
import { uncompressEventData } from '../binlog/uncompress-event.ts';
import { formatXaId } from '../binlog/xa-id.ts';
import { decodeXaPrepareEvent } from '../binlog/xa-prepare-event.ts';
import { GtidTrail } from '../gtid/gtid-trail.ts';
import { MariadbGtidPosition } from '../gtid/mariadb-gtid.ts';
import { MysqlPosition } from '../mysql-position.ts';
import { BinlogRowBatch } from '../row-batch.ts';
import { bindTable, hasFullMetadata, isAmbiguous, schemaFromMetadata } from '../schema/table-binding.ts';
import type { SchemaHistory } from '../schema/schema-history.ts';
import type { BinlogPlace, Server } from '../server.ts';
import type { TableSelection } from '../table-selection.ts';
import type { EventSource } from './event-source.ts';
import { LoggedStatement } from './logged-statement.ts';
import { BinlogTransaction, OpenTransaction } from './open-transaction.ts';
import { PayloadSource } from './payload-source.ts';
import { applyStatement, classifyControl } from './statements.ts';
import { MappedTable } from './table-maps.ts';
import type { XaTransactions } from './xa-transactions.ts';

const HEADER_LENGTH = 19;
/** LOG_EVENT_IGNORABLE_F: whoever does not know the event may pass over it. */
const IGNORABLE = 0x80;
/** LOG_EVENT_ARTIFICIAL_F: made up for the connection, in no file. */
const ARTIFICIAL = 0x20;
/** So many table ids are remembered at most. */
const TABLES_MAX = 10_000;

export interface AssemblerOptions {
  readonly server: Server;
  readonly selection: TableSelection;
  readonly history: SchemaHistory;
  readonly xa: XaTransactions;
  readonly json: 'text' | 'parsed';
  readonly eventBytesMax: number;
  /** What to do about a statement that changed a watched table without row events. */
  readonly statementChanges: 'stop' | 'report';
  readonly log: Logger;
  /** The format of the file that is being read, once it was announced. */
  readonly format: () => FormatDescriptionEvent | null;
}

/** What an event asks of whoever reads the stream before the next one: events from elsewhere, or time. */
export type Demand = EventSource | Promise<EventSource | null> | null;

/**
 * Turns events into transactions: the one place that knows what every event type means for what is handed over.
 *
 * It keeps the position (I2): `end` moves when a transaction's last event has been seen, and never in between.
 */
export class Assembler {
  /** The end of the last complete transaction. */
  end: MysqlPosition;
  /** Transactions that committed before this are passed over; null once the first later one came. µs since 1970 UTC. */
  skipBeforeUs: number | null = null;

  readonly #options: AssemblerOptions;
  #file: string;
  #offset: number;
  #tables = new Map<number, MappedTable>();
  #lastTableId = -1;
  #lastTable: MappedTable | null = null;
  #open: OpenTransaction | null = null;
  #reused: OpenTransaction | null = null;
  #last: BinlogTransaction | null = null;
  #parts: TransactionPart[] = [];
  #statement: LoggedStatement | null = null;
  #expectRestart: boolean;
  readonly #rowsEvent: RowsEvent = emptyRowsEvent();
  readonly #mysqlGtid = emptyMysqlGtidTarget();
  readonly #mariadbGtid = emptyMariadbGtidTarget();

  constructor(options: AssemblerOptions, start: MysqlPosition, { expectRestart }: { expectRestart: boolean }) {
    this.#options = options;
    this.end = start;
    this.#file = start.file;
    this.#offset = start.offset;
    this.#expectRestart = expectRestart;
  }

  /** The transaction that ended last. */
  get last(): BinlogTransaction | null {
    return this.#last;
  }

  /** Where the stream is, inside a transaction or not. */
  get place(): BinlogPlace {
    return { file: this.#file, offset: this.#offset };
  }

  get inTransaction(): boolean {
    return this.#open !== null;
  }

  /** A part of the open transaction was handed over: after a reconnect it comes again. */
  get openWasHandedOver(): boolean {
    // Or it was before an earlier reconnect, and nothing of it has come since.
    return this.#expectRestart || this.#open?.handedOver === true;
  }

  get hasParts(): boolean {
    return this.#parts.length > 0 || (this.#open !== null && this.#open.entries.length > 0);
  }

  /** Takes what is there; call before the bytes behind it go. */
  takeBatch(bytes: number): ChangeBatch {
    const open = this.#open;
    if (open !== null && open.entries.length > 0) this.#pushPart(open, null);
    const parts = this.#parts;
    this.#parts = [];
    this.#statement?.settle();
    return { parts, position: this.end, bytes };
  }

  /** Takes the complete transactions only: the rest of the stream will not come. */
  takeComplete(bytes: number): ChangeBatch {
    const parts = this.#parts;
    this.#parts = [];
    return { parts, position: this.end, bytes };
  }

  accept(event: EventSource): Demand {
    const { bytes, view, start, end } = event;
    const type = bytes[start + 4] as number;
    const body = start + HEADER_LENGTH;
    this.#options.xa.keep(type, event);
    switch (type) {
      case EVENT.MARIADB_GTID:
        this.#advance(view, start);
        this.#mariadbBegins(bytes, view, start, end);
        return null;
      case EVENT.GTID:
      case EVENT.ANONYMOUS_GTID:
        this.#advance(view, start);
        readMysqlGtidInto(bytes, body, end, this.#mysqlGtid);
        this.#mysqlBegins(view, start, type === EVENT.ANONYMOUS_GTID);
        return null;
      case EVENT.TABLE_MAP:
        this.#advance(view, start);
        return this.#tableMap(bytes, body, end);
      case EVENT.WRITE_ROWS_V1:
      case EVENT.UPDATE_ROWS_V1:
      case EVENT.DELETE_ROWS_V1:
        this.#advance(view, start);
        this.#rows(bytes, view, type, body, end, 1);
        return null;
      case EVENT.WRITE_ROWS:
      case EVENT.UPDATE_ROWS:
      case EVENT.DELETE_ROWS:
      case EVENT.PARTIAL_UPDATE_ROWS:
        this.#advance(view, start);
        this.#rows(bytes, view, type, body, end, 2);
        return null;
      case EVENT.WRITE_ROWS_COMPRESSED_V1:
      case EVENT.UPDATE_ROWS_COMPRESSED_V1:
      case EVENT.DELETE_ROWS_COMPRESSED_V1:
        this.#advance(view, start);
        this.#compressedRows(bytes, { type, body, end, version: 1 });
        return null;
      case EVENT.WRITE_ROWS_COMPRESSED:
      case EVENT.UPDATE_ROWS_COMPRESSED:
      case EVENT.DELETE_ROWS_COMPRESSED:
        this.#advance(view, start);
        this.#compressedRows(bytes, { type, body, end, version: 2 });
        return null;
      case EVENT.ANNOTATE_ROWS:
        this.#advance(view, start);
        this.#statement = new LoggedStatement(bytes, body, end);
        return null;
      case EVENT.ROWS_QUERY:
        this.#advance(view, start);
        // A length byte that only holds 255 comes first.
        this.#statement = new LoggedStatement(bytes, Math.min(body + 1, end), end);
        return null;
      case EVENT.XID:
        this.#advance(view, start);
        this.#commit();
        return null;
      case EVENT.QUERY:
        this.#advance(view, start);
        if (isBeginQuery(bytes, body, end)) {
          this.#opened().grouped = true;
          return null;
        }
        if (isCommitQuery(bytes, body, end)) {
          this.#commit();
          return null;
        }
        return this.#query(decodeQueryEvent(bytes.subarray(body, end)), view.getUint16(start + 17, true));
      case EVENT.QUERY_COMPRESSED:
        this.#advance(view, start);
        return this.#query(decodeQueryCompressedEvent(bytes.subarray(body, end)), view.getUint16(start + 17, true));
      default:
        return this.#rare(type, event);
    }
  }

  /** Everything that does not come with every transaction. */
  #rare(type: number, { bytes, view, start, end }: EventSource): Demand {
    const { server, log } = this.#options;
    const frame = bytes.subarray(start + HEADER_LENGTH, end);
    const nextPosition = view.getUint32(start + 13, true);
    const flags = view.getUint16(start + 17, true);
    switch (type) {
      case EVENT.ROTATE: {
        const { file, position } = decodeRotateEvent(frame);
        this.#rotate(file, position);
        return null;
      }
      case EVENT.FORMAT_DESCRIPTION:
        // Table ids start anew with each server run, and a file never depends on one before it.
        this.#forgetTables();
        if (nextPosition !== 0 && (flags & ARTIFICIAL) === 0) this.#advance(view, start);
        return null;
      case EVENT.HEARTBEAT:
      case EVENT.HEARTBEAT_V2: {
        const beat =
          type === EVENT.HEARTBEAT
            ? decodeHeartbeatEvent(frame, { hasPosition: nextPosition === 0 && server.flavour === 'mariadb' })
            : decodeHeartbeatV2Event(frame);
        this.#heartbeat(beat.file, beat.position ?? nextPosition);
        return null;
      }
      case EVENT.GTID_TAGGED:
        this.#advance(view, start);
        readMysqlTaggedGtidInto(bytes, start + HEADER_LENGTH, end, this.#mysqlGtid);
        this.#mysqlBegins(view, start, false);
        return null;
      case EVENT.PREVIOUS_GTIDS:
        this.#advance(view, start);
        if (server.gtid && this.end.gtids === null && this.#open === null) {
          this.#moveEnd(GtidTrail.from(decodePreviousGtidsEvent(frame).executed));
        }
        return null;
      case EVENT.GTID_LIST:
        this.#advance(view, start);
        if (this.end.gtids === null && this.#open === null) {
          this.#moveEnd(MariadbGtidPosition.of(decodeGtidListEvent(frame).gtids));
        }
        return null;
      case EVENT.XA_PREPARE:
        this.#advance(view, start);
        return this.#xaPrepared(frame);
      case EVENT.TRANSACTION_PAYLOAD:
        this.#advance(view, start);
        return new PayloadSource(decodeTransactionPayloadEvent(frame), this.#options.eventBytesMax);
      case EVENT.EXECUTE_LOAD_QUERY: {
        this.#advance(view, start);
        const load = decodeExecuteLoadQueryEvent(frame);
        return this.#query({ ...load, kind: 'query' }, flags);
      }
      case EVENT.INCIDENT: {
        const { message } = decodeIncidentEvent(frame);
        throw new TidingsError(
          'BINLOG_INCIDENT',
          `the server logged an incident in ${this.#file} at ${this.#offset}: ${message}`,
          {
            details: { file: this.#file, offset: this.#offset, resumeAt: `${this.#file}:${nextPosition}` },
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
        this.#advance(view, start);
        if (this.#open === null) this.#moveEnd(this.end.gtids);
        return null;
      default: {
        const name = eventTypeName(type, server.flavour);
        if (!isKnownEventType(type, server.flavour) && (flags & IGNORABLE) !== 0) {
          log.warn(
            { eventType: type, file: this.#file, offset: this.#offset },
            'event passed over: unknown, and marked as ignorable by the server',
          );
          this.#advance(view, start);
          return null;
        }
        throw new TidingsError(
          'BINLOG_EVENT_UNSUPPORTED',
          `${name} (${type}) in ${this.#file} at ${this.#offset} cannot be decoded`,
          {
            details: { eventType: type, event: name, file: this.#file, offset: this.#offset },
          },
        );
      }
    }
  }

  /**
   * Moves the offset behind an event. MariaDB from 11.4 on writes 0 as the next position of events inside a transaction, events of a
   * payload have none, and beyond 4 GiB the field has wrapped around.
   */
  #advance(view: DataView, start: number): void {
    const next = view.getUint32(start + 13, true);
    if (next === 0) {
      // Inside a payload or a kept XA transaction offsets stand still, and artificial events are in no file.
      const inFile = (view.getUint16(start + 17, true) & ARTIFICIAL) === 0;
      if (inFile && !this.#options.xa.replaying && this.#insidePayload === 0) {
        this.#offset += view.getUint32(start + 9, true);
      }
      return;
    }
    if (this.#options.xa.replaying) return;
    const low = this.#offset % 0x1_0000_0000;
    const high = this.#offset - low;
    // A jump back by more than half the range is a wrap; anything else is the server's word.
    this.#offset = next + (low - next > 0x8000_0000 ? high + 0x1_0000_0000 : high);
  }

  /** Set while the events of a TRANSACTION_PAYLOAD are accepted. */
  #insidePayload = 0;

  enterPayload(): void {
    this.#insidePayload++;
  }

  leavePayload(): void {
    this.#insidePayload--;
  }

  #rotate(file: string, position: number): void {
    const fileChanged = file !== this.#file;
    this.#file = file;
    this.#offset = position;
    // The artificial ROTATE at the start of a dump repeats where we are; a real one comes between transactions.
    if (this.#open === null && (fileChanged || this.end.offset !== position)) this.#moveEnd(this.end.gtids);
  }

  #heartbeat(file: string, position: number): void {
    if (this.#open !== null || file !== this.#file || position === 0) return;
    if (position > this.#offset) {
      this.#offset = position;
      this.#moveEnd(this.end.gtids);
    }
  }

  #moveEnd(gtids: MysqlPosition['gtids']): void {
    this.end = new MysqlPosition(this.#file, this.#offset, gtids);
  }

  #mysqlBegins(view: DataView, start: number, anonymous: boolean): void {
    const { source, gno, originalCommitUs, immediateCommitUs } = this.#mysqlGtid;
    const committedAtUs = originalCommitUs || immediateCommitUs || view.getUint32(start, true) * 1_000_000;
    this.#begin(
      new BinlogTransaction(this.end, view.getUint32(start + 5, true), committedAtUs, anonymous ? null : source, gno),
      false,
      view.getUint32(start + 9, true),
    );
  }

  // oxlint-disable-next-line max-params -- called for every transaction
  #mariadbBegins(bytes: Buffer, view: DataView, start: number, end: number): void {
    const body = start + HEADER_LENGTH;
    const gtid = this.#mariadbGtid;
    readMariadbGtidInto(bytes, body, end, gtid);
    const committedAtUs = view.getUint32(start, true) * 1_000_000;
    const grouped = (gtid.flags & MARIADB_GTID_FLAG.STANDALONE) === 0;
    this.#begin(
      new BinlogTransaction(this.end, view.getUint32(start + 5, true), committedAtUs, gtid.domain, gtid.sequence),
      grouped,
      view.getUint32(start + 9, true),
    );
    // The rest of the event matters only to XA and to two-phase ALTER TABLE, which are told by flags.
    if ((gtid.flags & (MARIADB_GTID_FLAG.PREPARED_XA | MARIADB_GTID_FLAG.DDL)) === 0) return;
    const open = this.#opened();
    const { xid, flagsExtra, flags } = decodeMariadbGtidEvent(bytes.subarray(body, end));
    if ((flags & MARIADB_GTID_FLAG.PREPARED_XA) !== 0 && xid !== null) this.#xaBegins(open, formatXaId(xid));
    open.alterWithoutEffect = (flagsExtra & (MARIADB_GTID_EXTRA.START_ALTER | MARIADB_GTID_EXTRA.ROLLBACK_ALTER)) !== 0;
  }

  #begin(info: BinlogTransaction, grouped: boolean, eventLength: number): void {
    if (this.#open !== null) {
      throw corrupt(`a transaction begins in ${this.#file} at ${this.#offset} before the one before has ended`, {
        file: this.#file,
        offset: this.#offset,
      });
    }
    // A server that opens and closes tables all the time gives each a new id every time.
    if (this.#tables.size > TABLES_MAX) this.#forgetTables();
    let skipped = false;
    if (this.skipBeforeUs !== null) {
      skipped = info.committedAtUs < this.skipBeforeUs;
      if (!skipped) this.skipBeforeUs = null;
    }
    this.#reused ??= new OpenTransaction(info);
    const open = this.#reused;
    open.begin(info, grouped, skipped);
    // The position may lag: a dump by GTIDs begins with the file that holds them. The event itself tells where it stands.
    open.atFile = this.#file;
    open.atOffset = this.#offset - eventLength;
    this.#open = open;
  }

  #opened(): OpenTransaction {
    if (this.#open === null) {
      throw new TidingsError('POSITION_INVALID', `${this.#file}:${this.#offset} lies inside a transaction`, {
        hint: 'Start at a transaction’s end: the positions that Tidings prints always are.',
        details: { file: this.#file, offset: this.#offset },
      });
    }
    return this.#open;
  }

  #commit(): void {
    this.#finish(this.#opened());
  }

  /** The transaction is complete: the position moves behind it. */
  #finish(open: OpenTransaction): void {
    const { origin, gno, serverId } = open.info;
    let { gtids } = this.end;
    if (gtids instanceof GtidTrail) {
      if (typeof origin === 'string') gtids = gtids.add(origin, gno);
    } else if (gtids !== null && typeof origin === 'number') {
      gtids = gtids.with(origin, serverId, gno);
    }
    this.end = new MysqlPosition(this.#file, this.#offset, gtids);
    this.#open = null;
    this.#last = open.info;
    this.#statement = null;
    if (open.entries.length > 0 || open.handedOver) this.#pushPart(open, this.end);
  }

  #pushPart(open: OpenTransaction, end: MysqlPosition | null): void {
    const begins = !open.handedOver;
    this.#parts.push({
      transaction: open.info,
      begins,
      restarted: begins && this.#expectRestart,
      entries: open.entries,
      end,
    });
    this.#expectRestart = false;
    open.handedOver = true;
    open.entries = [];
  }

  #forgetTables(): void {
    this.#tables.clear();
    this.#lastTableId = -1;
    this.#lastTable = null;
  }

  #tableMap(bytes: Buffer, body: number, end: number): Demand {
    const eventLength = end - body;
    if (end - body < 8) throw new TidingsError('BINLOG_TRUNCATED', 'TABLE_MAP event: it ends inside its header');
    const tableId = bytes.readUInt32LE(body) + bytes.readUInt16LE(body + 4) * 0x1_0000_0000;
    const known = tableId === this.#lastTableId ? this.#lastTable : (this.#tables.get(tableId) ?? null);
    if (known !== null && known.eventLength === eventLength) {
      this.#lastTableId = tableId;
      this.#lastTable = known;
      return null;
    }
    const { selection, history, server, json } = this.#options;
    const event = decodeTableMapEvent(bytes.subarray(body, end), server.flavour);
    const keep = (table: MappedTable): void => {
      this.#tables.set(tableId, table);
      this.#lastTableId = tableId;
      this.#lastTable = table;
    };
    if (!selection.watches(event.database, event.table)) {
      keep(new MappedTable(eventLength, null, json));
      return null;
    }
    const bind = (schema: Parameters<typeof bindTable>[1]): void => {
      const binding = bindTable(event, schema, {
        flavour: server.flavour,
        selected: (table) => selection.columns(table),
      });
      keep(new MappedTable(eventLength, binding, json));
    };
    const full = hasFullMetadata(event);
    const remembered = history.known(event);
    if (full && (remembered !== null || !isAmbiguous(event, server.flavour))) {
      bind(schemaFromMetadata(event, server.flavour, remembered));
      return null;
    }
    if (remembered !== null) {
      bind(remembered);
      return null;
    }
    const { atFile, atOffset } = this.#opened();
    return history.establish(event, { file: atFile, offset: atOffset }).then(
      (schema) => {
        bind(full ? schemaFromMetadata(event, server.flavour, schema) : schema);
        return null;
      },
      (error: unknown) => {
        // A statement maps every table that it locks for writing, also those in which it changes nothing: only rows need the definition.
        if (!isTidingsError(error) || (error.code !== 'SCHEMA_UNKNOWN' && error.code !== 'SCHEMA_MISMATCH'))
          throw error;
        keep(MappedTable.undecodable(eventLength, error));
        return null;
      },
    );
  }

  // Called for every rows event: positional, and into a target that is used again.
  // oxlint-disable-next-line max-params
  #rows(bytes: Buffer, view: DataView, type: number, body: number, end: number, version: 1 | 2): void {
    const event = this.#rowsEvent;
    readRowsEventInto(bytes, body, end, version, isUpdate(type), event);
    const table = this.#mapped(event, type);
    if (table !== null) this.#addRows(bytes, view, type, event, table);
    if (event.endsStatement) this.#statement = null;
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
    if (event.endsStatement) this.#statement = null;
  }

  /** Null when nobody watches the table, or the transaction is passed over. */
  #mapped(event: RowsEvent, type: number): MappedTable | null {
    const open = this.#opened();
    const table = event.tableId === this.#lastTableId ? this.#lastTable : (this.#tables.get(event.tableId) ?? null);
    if (table === null) {
      // An empty rows event with a made-up table id only marks a statement's end.
      if (event.rowsStart === event.rowsEnd || event.tableId === 0xff_ffff) return null;
      throw corrupt(
        `${eventTypeName(type, this.#options.server.flavour)} event in ${this.#file} at ${this.#offset}: no TABLE_MAP gave the table id ${event.tableId}`,
        {
          tableId: event.tableId,
          file: this.#file,
          offset: this.#offset,
        },
      );
    }
    if (table.failure !== null && !open.skipped) throw table.failure;
    return table.binding === null || open.skipped ? null : table;
  }

  // oxlint-disable-next-line max-params -- called for every rows event
  #addRows(bytes: Buffer, view: DataView, type: number, event: RowsEvent, table: MappedTable): void {
    const open = this.#open as OpenTransaction;
    open.watchedRows++;
    // Until XA COMMIT nobody knows whether the rows count; they are kept by XaTransactions.
    if (open.xid !== null) return;
    open.entries.push(new BinlogRowBatch(bytes, view, event, table.views(bytes, type, event), this.#statement));
  }

  #query(event: QueryEvent, flags: number): Demand {
    const control = classifyControl(event.query);
    const open = this.#opened();
    const where = { file: this.#file, offset: this.#offset };
    switch (control.kind) {
      case 'begin':
        open.grouped = true;
        return null;
      case 'commit':
        this.#finish(open);
        return null;
      case 'rollback':
        // Written when the rows cannot be taken back out of the log: tables without transactions took part.
        if (open.watchedRows > 0) throw this.#rolledBack(open);
        this.#finish(open);
        return null;
      case 'savepoint':
        open.watchedRows = 0;
        return null;
      case 'rollback-to':
        if (open.watchedRows > 0) throw this.#rolledBack(open);
        return null;
      case 'xa-start':
        this.#xaBegins(open, control.xid);
        return null;
      case 'xa-end':
        return null;
      case 'xa-commit':
        return this.#options.xa.committed(control.xid, where, () => this.#finish(open));
      case 'xa-rollback':
        this.#options.xa.forget(control.xid);
        this.#finish(open);
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
      if (outcome.changesSchema) this.#forgetTables();
      if (outcome.rowsWithoutEvents !== null) this.#rowsWithoutEvents(outcome.rowsWithoutEvents, statementChanges, log);
      if (!open.skipped) open.entries.push(...(outcome.entries as (SchemaChange | Truncation)[]));
    }
    if (!open.grouped) this.#finish(open);
  }

  #rowsWithoutEvents(what: string, statementChanges: 'stop' | 'report', log: Logger): void {
    const message = `${what} in ${this.#file} before ${this.#offset}, and the binlog has no rows for it`;
    if (statementChanges === 'report') {
      log.warn({ file: this.#file, offset: this.#offset }, message);
      return;
    }
    throw new TidingsError('STATEMENT_CHANGE', message, {
      details: { file: this.#file, offset: this.#offset, resumeAt: `${this.#file}:${this.#offset}` },
    });
  }

  #xaBegins(open: OpenTransaction, xid: string): void {
    open.xid = xid;
    open.grouped = true;
    this.#options.xa.begin(xid, open.info.start);
  }

  #xaPrepared(frame: Buffer): Demand {
    const { onePhase, xid } = decodeXaPrepareEvent(frame);
    const open = this.#opened();
    const { xa } = this.#options;
    if (!onePhase) {
      xa.prepared(formatXaId(xid));
      this.#finish(open);
      return null;
    }
    // XA COMMIT … ONE PHASE: what the group holds counts after all, and this event is its commit.
    open.xid = null;
    return xa.committedOnePhase(formatXaId(xid), this.place, () => this.#finish(open));
  }

  #rolledBack(open: OpenTransaction): TidingsError {
    return new TidingsError(
      'ROLLBACK_IN_BINLOG',
      `a transaction in ${this.#file} holds rows of watched tables and then rolls back`,
      {
        details: { file: this.#file, offset: this.#offset, transaction: open.info.id ?? '' },
      },
    );
  }
}
