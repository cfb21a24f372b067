import { TidingsError } from '../../../core/errors.ts';
import type { Logger } from '../../../core/logger.ts';
import { EVENT_FLAG, EVENT_HEADER_LENGTH } from '../binlog/event-header.ts';
import { EVENT, eventTypeName, isKnownEventType } from '../binlog/event-types.ts';
import { decodeGtidListEvent } from '../binlog/gtid-list-event.ts';
import { decodeHeartbeatEvent, decodeHeartbeatV2Event } from '../binlog/heartbeat-event.ts';
import { decodeIncidentEvent } from '../binlog/incident-event.ts';
import { decodePreviousGtidsEvent } from '../binlog/previous-gtids-event.ts';
import { decodeRotateEvent } from '../binlog/rotate-event.ts';
import { GtidTrail } from '../gtid/gtid-trail.ts';
import { MariadbGtidPosition } from '../gtid/mariadb-gtid.ts';
import type { Server } from '../server.ts';
import type { EventSource } from './event-source.ts';
import type { BinlogFileSeen } from './reset-check.ts';
import type { StreamParts } from './stream-parts.ts';
import type { StreamPosition } from './stream-position.ts';
import type { TableResolver } from './table-resolver.ts';
import type { TransactionBuilder } from './transaction-builder.ts';

export interface LogEventsOptions {
  readonly server: Server;
  readonly log: Logger;
  /** Told when a file's format was read. @throws TidingsError to stop */
  readonly fileBegins: (file: BinlogFileSeen) => void;
}

/**
 * Events that tell of the log itself and change no row: where its files begin and end, which GTIDs came before, how far the server is, what has gone
 * wrong. And those that nobody knows: they stop the source (I1).
 */
export class LogEvents {
  readonly #options: LogEventsOptions;
  readonly #position: StreamPosition;
  readonly #tables: TableResolver;
  readonly #transactions: TransactionBuilder;

  constructor(options: LogEventsOptions, { position, tables, transactions }: StreamParts) {
    this.#options = options;
    this.#position = position;
    this.#tables = tables;
    this.#transactions = transactions;
  }

  /** @throws TidingsError BINLOG_INCIDENT, BINLOG_EVENT_UNSUPPORTED */
  accept(type: number, { bytes, view, start, end }: EventSource): void {
    const { server } = this.#options;
    const frame = bytes.subarray(start + EVENT_HEADER_LENGTH, end);
    const nextPosition = view.getUint32(start + 13, true);
    const flags = view.getUint16(start + 17, true);
    const isBetween = this.#transactions.open === null;
    switch (type) {
      case EVENT.ROTATE: {
        const { file, position } = decodeRotateEvent(frame);
        this.#position.rotate(file, position, isBetween);
        return;
      }
      case EVENT.FORMAT_DESCRIPTION:
        // Table ids start anew with each server run, and a file never depends on one before it.
        this.#tables.forget();
        this.#options.fileBegins({ file: this.#position.file, beganAtS: view.getUint32(start, true) });
        if (nextPosition !== 0 && (flags & EVENT_FLAG.ARTIFICIAL) === 0) this.#position.advance(view, start);
        return;
      case EVENT.HEARTBEAT:
      case EVENT.HEARTBEAT_V2: {
        const beat =
          type === EVENT.HEARTBEAT
            ? decodeHeartbeatEvent(frame, { hasPosition: nextPosition === 0 && server.flavour === 'mariadb' })
            : decodeHeartbeatV2Event(frame);
        if (isBetween) this.#position.heartbeat(beat.file, beat.position ?? nextPosition);
        return;
      }
      case EVENT.PREVIOUS_GTIDS:
        this.#position.advance(view, start);
        if (!isBetween) return;
        if (!server.gtid || this.#position.end.gtids !== null) this.#position.settle();
        else this.#position.settle(GtidTrail.from(decodePreviousGtidsEvent(frame).executed));
        return;
      case EVENT.GTID_LIST:
        this.#position.advance(view, start);
        if (!isBetween) return;
        if (this.#position.end.gtids !== null) this.#position.settle();
        else this.#position.settle(MariadbGtidPosition.of(decodeGtidListEvent(frame).gtids));
        return;
      case EVENT.INCIDENT:
        throw this.#incident(frame, nextPosition);
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
        if (isBetween) this.#position.settle();
        return;
      default:
        this.#passUnknown(type, flags);
        this.#position.advance(view, start);
    }
  }

  #incident(frame: Buffer, nextPosition: number): TidingsError {
    const { message } = decodeIncidentEvent(frame);
    const { file, offset } = this.#position;
    return new TidingsError('BINLOG_INCIDENT', `the server logged an incident in ${file} at ${offset}: ${message}`, {
      details: { file, offset, resumeAt: `${file}:${nextPosition}` },
    });
  }

  /** @throws TidingsError BINLOG_EVENT_UNSUPPORTED unless the server itself says that whoever does not know the event may go on */
  #passUnknown(type: number, flags: number): void {
    const { server, log } = this.#options;
    const { file, offset } = this.#position;
    if (!isKnownEventType(type, server.flavour) && (flags & EVENT_FLAG.IGNORABLE) !== 0) {
      log.warn({ eventType: type, file, offset }, 'event passed over: unknown, and marked as ignorable by the server');
      return;
    }
    const name = eventTypeName(type, server.flavour);
    throw new TidingsError('BINLOG_EVENT_UNSUPPORTED', `${name} (${type}) in ${file} at ${offset} cannot be decoded`, {
      details: { eventType: type, event: name, file, offset },
    });
  }
}
