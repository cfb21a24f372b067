import { corrupt } from './frame-errors.ts';
import { requireBytes } from './frame-bounds.ts';

/** Of every event since MySQL 5.0; FORMAT_DESCRIPTION says so again, and anything else is refused there. */
export const EVENT_HEADER_LENGTH = 19;

/** Bytes of the CRC32 behind every event when the FORMAT_DESCRIPTION's algorithm says so. */
export const EVENT_CHECKSUM_LENGTH = 4;

/** Flags of the header (MySQL source, sql/log_event.h; the last is MariaDB's). */
export const EVENT_FLAG = {
  /** In a FORMAT_DESCRIPTION: the file was not closed, the server runs or has crashed. */
  BINLOG_IN_USE: 0x1,
  /** The statement depends on its connection: temporary tables. */
  THREAD_SPECIFIC: 0x4,
  /** The statement does not depend on the current database. */
  SUPPRESS_USE: 0x8,
  /** Made for this connection, in no file: its position must not be taken. */
  ARTIFICIAL: 0x20,
  RELAY_LOG: 0x40,
  /** A reader that does not know the type may leave the event out. */
  IGNORABLE: 0x80,
  NO_FILTER: 0x100,
  /** MySQL: the applier isolates this transaction. */
  MTS_ISOLATE: 0x200,
  /** MariaDB: written with `skip_replication` on. */
  SKIP_REPLICATION: 0x8000,
} as const;

export interface EventHeader {
  /** Seconds since 1970 UTC, of the statement's start; 0 for artificial events. */
  timestamp: number;
  /** `EVENT`, or a code that is not known. */
  type: number;
  serverId: number;
  /** Of the whole event: header, body and checksum. */
  length: number;
  /**
   * Where the next event starts in the file, modulo 2^32. 0 for artificial events, for events of a transaction payload, and on
   * MariaDB from 11.4 on for events inside a transaction.
   */
  nextPosition: number;
  /** `EVENT_FLAG` */
  flags: number;
}

export function emptyEventHeader(): EventHeader {
  return { timestamp: 0, type: 0, serverId: 0, length: 0, nextPosition: 0, flags: 0 };
}

/**
 * The header that every event begins with, format version 4.
 *
 *     timestamp      u32 LE
 *     type           u8
 *     server id      u32 LE
 *     length         u32 LE   of the whole event
 *     next position  u32 LE
 *     flags          u16 LE
 *
 * Fills `target`, which the hot path reuses. Checks that the length is no less than the header's own.
 * @throws TidingsError BINLOG_TRUNCATED, BINLOG_CORRUPT
 */
export function readEventHeaderInto(buffer: Buffer, start: number, end: number, target: EventHeader): void {
  requireBytes('event header', { field: 'header', start, needed: EVENT_HEADER_LENGTH, end });
  target.timestamp = buffer.readUInt32LE(start);
  target.type = buffer.readUInt8(start + 4);
  target.serverId = buffer.readUInt32LE(start + 5);
  target.length = buffer.readUInt32LE(start + 9);
  target.nextPosition = buffer.readUInt32LE(start + 13);
  target.flags = buffer.readUInt16LE(start + 17);
  if (target.length < EVENT_HEADER_LENGTH) {
    throw corrupt(`an event says that it is ${target.length} bytes long, less than its header`, {
      event: 'event header',
      field: 'length',
      type: target.type,
      length: target.length,
    });
  }
}

export function decodeEventHeader(bytes: Buffer): EventHeader {
  const header = emptyEventHeader();
  readEventHeaderInto(bytes, 0, bytes.length, header);
  return header;
}
