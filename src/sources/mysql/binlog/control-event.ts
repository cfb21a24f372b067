import { type AnnotateRowsEvent, decodeAnnotateRowsEvent } from './annotate-rows-event.ts';
import { type BinlogCheckpointEvent, decodeBinlogCheckpointEvent } from './binlog-checkpoint-event.ts';
import type { EventHeader } from './event-header.ts';
import { type BinlogFlavour, EVENT, isKnownEventType } from './event-types.ts';
import { type FormatDescriptionEvent, decodeFormatDescriptionEvent } from './format-description-event.ts';
import { type GtidEvent, decodeGtidEvent } from './gtid-event.ts';
import { type GtidListEvent, decodeGtidListEvent } from './gtid-list-event.ts';
import { decodeGtidTaggedEvent } from './gtid-tagged-event.ts';
import {
  type TransactionContextEvent,
  type ViewChangeEvent,
  decodeTransactionContextEvent,
  decodeViewChangeEvent,
} from './group-replication-events.ts';
import { type HeartbeatEvent, decodeHeartbeatEvent, decodeHeartbeatV2Event } from './heartbeat-event.ts';
import { type IncidentEvent, decodeIncidentEvent } from './incident-event.ts';
import {
  type LargeTransactionHeaderEvent,
  decodeLargeTransactionHeaderEvent,
} from './large-transaction-header-event.ts';
import {
  type DeleteFileEvent,
  type ExecuteLoadQueryEvent,
  type LoadBlockEvent,
  decodeDeleteFileEvent,
  decodeExecuteLoadQueryEvent,
  decodeLoadBlockEvent,
} from './load-data-events.ts';
import { type MariadbGtidEvent, decodeMariadbGtidEvent } from './mariadb-gtid-event.ts';
import { type PartialRowDataEvent, decodePartialRowDataEvent } from './partial-row-data-event.ts';
import { type PreviousGtidsEvent, decodePreviousGtidsEvent } from './previous-gtids-event.ts';
import { type QueryEvent, decodeQueryCompressedEvent, decodeQueryEvent } from './query-event.ts';
import { type RotateEvent, decodeRotateEvent } from './rotate-event.ts';
import { type RowsQueryEvent, decodeRowsQueryEvent } from './rows-query-event.ts';
import { type StartEncryptionEvent, decodeStartEncryptionEvent } from './start-encryption-event.ts';
import {
  type IntvarEvent,
  type RandEvent,
  type UserVarEvent,
  decodeIntvarEvent,
  decodeRandEvent,
  decodeUserVarEvent,
} from './statement-context-events.ts';
import { type TransactionPayloadEvent, decodeTransactionPayloadEvent } from './transaction-payload-event.ts';
import { type XaPrepareEvent, decodeXaPrepareEvent } from './xa-prepare-event.ts';
import { type XidEvent, decodeXidEvent } from './xid-event.ts';

/** Events without fields: the server stopped; a placeholder that says nothing. */
export interface BareEvent {
  readonly kind: 'stop' | 'ignorable';
}

/** Every event but those that hold rows or the tables' layouts. */
export type ControlEvent =
  | AnnotateRowsEvent
  | BareEvent
  | BinlogCheckpointEvent
  | DeleteFileEvent
  | ExecuteLoadQueryEvent
  | FormatDescriptionEvent
  | GtidEvent
  | GtidListEvent
  | HeartbeatEvent
  | IncidentEvent
  | IntvarEvent
  | LargeTransactionHeaderEvent
  | LoadBlockEvent
  | MariadbGtidEvent
  | PartialRowDataEvent
  | PreviousGtidsEvent
  | QueryEvent
  | RandEvent
  | RotateEvent
  | RowsQueryEvent
  | StartEncryptionEvent
  | TransactionContextEvent
  | TransactionPayloadEvent
  | UserVarEvent
  | ViewChangeEvent
  | XaPrepareEvent
  | XidEvent;

/**
 * Decodes whatever is not about rows. `body` is what lies between header and checksum; of a FORMAT_DESCRIPTION it is everything behind
 * the header. Null for TABLE_MAP and the row events, for the types that went out with MySQL 5.0, and for those that `flavour` does
 * not have: what becomes of them is not decided here.
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function decodeControlEvent(header: EventHeader, flavour: BinlogFlavour, body: Buffer): ControlEvent | null {
  if (!isKnownEventType(header.type, flavour)) return null;
  switch (header.type) {
    case EVENT.QUERY:
      return decodeQueryEvent(body);
    case EVENT.STOP:
      return { kind: 'stop' };
    case EVENT.ROTATE:
      return decodeRotateEvent(body);
    case EVENT.INTVAR:
      return decodeIntvarEvent(body);
    case EVENT.APPEND_BLOCK:
      return decodeLoadBlockEvent(body, 'append-block');
    case EVENT.DELETE_FILE:
      return decodeDeleteFileEvent(body);
    case EVENT.RAND:
      return decodeRandEvent(body);
    case EVENT.USER_VAR:
      return decodeUserVarEvent(body);
    case EVENT.FORMAT_DESCRIPTION:
      return decodeFormatDescriptionEvent(body);
    case EVENT.XID:
      return decodeXidEvent(body);
    case EVENT.BEGIN_LOAD_QUERY:
      return decodeLoadBlockEvent(body, 'begin-load-query');
    case EVENT.EXECUTE_LOAD_QUERY:
      return decodeExecuteLoadQueryEvent(body);
    case EVENT.INCIDENT:
      return decodeIncidentEvent(body);
    case EVENT.HEARTBEAT:
      return decodeHeartbeatEvent(body, { hasPosition: flavour === 'mariadb' && header.nextPosition === 0 });
    case EVENT.IGNORABLE:
      return { kind: 'ignorable' };
    case EVENT.ROWS_QUERY:
      return decodeRowsQueryEvent(body);
    case EVENT.GTID:
    case EVENT.ANONYMOUS_GTID:
      return decodeGtidEvent(body);
    case EVENT.PREVIOUS_GTIDS:
      return decodePreviousGtidsEvent(body);
    case EVENT.TRANSACTION_CONTEXT:
      return decodeTransactionContextEvent(body);
    case EVENT.VIEW_CHANGE:
      return decodeViewChangeEvent(body);
    case EVENT.XA_PREPARE:
      return decodeXaPrepareEvent(body);
    default:
      return flavour === 'mysql' ? decodeMysqlEvent(header.type, body) : decodeMariadbEvent(header.type, body);
  }
}

function decodeMysqlEvent(type: number, body: Buffer): ControlEvent | null {
  switch (type) {
    case EVENT.TRANSACTION_PAYLOAD:
      return decodeTransactionPayloadEvent(body);
    case EVENT.HEARTBEAT_V2:
      return decodeHeartbeatV2Event(body);
    case EVENT.GTID_TAGGED:
      return decodeGtidTaggedEvent(body);
    case EVENT.LARGE_TRANSACTION_HEADER:
      return decodeLargeTransactionHeaderEvent(body);
    default:
      return null;
  }
}

function decodeMariadbEvent(type: number, body: Buffer): ControlEvent | null {
  switch (type) {
    case EVENT.ANNOTATE_ROWS:
      return decodeAnnotateRowsEvent(body);
    case EVENT.BINLOG_CHECKPOINT:
      return decodeBinlogCheckpointEvent(body);
    case EVENT.MARIADB_GTID:
      return decodeMariadbGtidEvent(body);
    case EVENT.GTID_LIST:
      return decodeGtidListEvent(body);
    case EVENT.START_ENCRYPTION:
      return decodeStartEncryptionEvent(body);
    case EVENT.QUERY_COMPRESSED:
      return decodeQueryCompressedEvent(body);
    case EVENT.PARTIAL_ROW_DATA:
      return decodePartialRowDataEvent(body);
    default:
      return null;
  }
}
