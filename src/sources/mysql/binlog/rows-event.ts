import { TidingsError } from '../../../core/errors.ts';
import { corrupt } from './frame-errors.ts';
import { EVENT } from './event-types.ts';

/** What a rows event does, whatever its version and server. */
export type RowsAction = 'insert' | 'update' | 'delete';

/** A rows event's header, read into an object that is used again for the next; the row images lie between `rowsStart` and `rowsEnd` of the same buffer. */
export interface RowsEvent {
  tableId: number;
  /** Last rows event of its statement: table ids are free again. */
  endsStatement: boolean;
  columnCount: number;
  /** Offset of the bitmap of columns in the first image, `(columnCount + 7) >> 3` bytes. */
  firstBitmap: number;
  /** Offset of the after image's bitmap for an update; the same as `firstBitmap` otherwise. */
  secondBitmap: number;
  rowsStart: number;
  rowsEnd: number;
}

/**
 * WRITE_, UPDATE_ and DELETE_ROWS_EVENT, versions 1 (MariaDB, MySQL before 5.6) and 2, and PARTIAL_UPDATE_ROWS_EVENT.
 *
 *     table id          u48
 *     flags             u16; 1: end of statement
 *     extra data        version 2 only: u16 length, counting itself, then the data (NDB's conflict detection, partition ids)
 *     column count      length-encoded
 *     present bitmap    (count + 7) / 8 bytes; an update has a second one, for the after image
 *     rows              rest
 *
 * `start` and `end` bound the event's body: header and checksum are cut off already.
 * Source: MySQL, libs/mysql/binlog/event/rows_event.cpp, Rows_event::Rows_event().
 */
// oxlint-disable-next-line max-params -- called for every rows event; fills a target that is used again
export function readRowsEventInto(
  bytes: Buffer,
  start: number,
  end: number,
  version: 1 | 2,
  update: boolean,
  target: RowsEvent,
): void {
  let p = start + 8;
  if (p + (version === 2 ? 3 : 1) > end) throw tooShort();
  target.tableId = bytes.readUInt32LE(start) + bytes.readUInt16LE(start + 4) * 0x1_0000_0000;
  target.endsStatement = (bytes.readUInt8(start + 6) & 1) === 1;
  if (version === 2) {
    const extra = bytes.readUInt16LE(p);
    if (extra < 2) throw corrupt(`a rows event's extra data is ${extra} bytes long, 2 at least`, { extra });
    p += extra;
  }
  if (p + 1 > end) throw tooShort();
  let columnCount = bytes.readUInt8(p);
  p += 1;
  if (columnCount === 0xfc) {
    if (p + 2 > end) throw tooShort();
    columnCount = bytes.readUInt16LE(p);
    p += 2;
  } else if (columnCount > 0xfa) {
    throw corrupt('a rows event has more columns than a table can have', { columnCount });
  }
  const bitmap = (columnCount + 7) >> 3;
  target.columnCount = columnCount;
  target.firstBitmap = p;
  target.secondBitmap = update ? p + bitmap : p;
  target.rowsStart = target.secondBitmap + bitmap;
  target.rowsEnd = end;
  if (target.rowsStart > end) throw tooShort();
}

export function emptyRowsEvent(): RowsEvent {
  return {
    tableId: 0,
    endsStatement: false,
    columnCount: 0,
    firstBitmap: 0,
    secondBitmap: 0,
    rowsStart: 0,
    rowsEnd: 0,
  };
}

/** Update events have two bitmaps. */
export function isUpdate(eventType: number): boolean {
  return rowsAction(eventType) === 'update';
}

function tooShort(): Error {
  return new TidingsError('BINLOG_TRUNCATED', 'a rows event ends inside its header');
}

/** What a rows event of this type does; null for other event types. */
export function rowsAction(eventType: number): RowsAction | null {
  switch (eventType) {
    case EVENT.WRITE_ROWS_V1:
    case EVENT.WRITE_ROWS:
    case EVENT.WRITE_ROWS_COMPRESSED_V1:
    case EVENT.WRITE_ROWS_COMPRESSED:
      return 'insert';
    case EVENT.UPDATE_ROWS_V1:
    case EVENT.UPDATE_ROWS:
    case EVENT.PARTIAL_UPDATE_ROWS:
    case EVENT.UPDATE_ROWS_COMPRESSED_V1:
    case EVENT.UPDATE_ROWS_COMPRESSED:
      return 'update';
    case EVENT.DELETE_ROWS_V1:
    case EVENT.DELETE_ROWS:
    case EVENT.DELETE_ROWS_COMPRESSED_V1:
    case EVENT.DELETE_ROWS_COMPRESSED:
      return 'delete';
    default:
      return null;
  }
}
