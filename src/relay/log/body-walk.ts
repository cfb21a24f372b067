import { damagedBatch, readLong } from '../../formats/log/batch-header.ts';
import {
  ENTRY,
  RUN_BYTES,
  SAME_STATEMENT,
  SHAPE_ENTRY_BYTES,
  STATEMENT_ENTRY_BYTES,
  TRANSACTION_BYTES,
} from '../../formats/log/batch-layout.ts';

/** What a walk over a batch's body tells. Rows are passed over. */
export interface BodyVisitor {
  /** @param scnOffset of the first SCN behind it */
  transaction?(committedUs: number, scnOffset: number): void;
  rows?(shapeIndex: number): void;
  /** A schema change or a truncation. @param table null: of a whole database */
  statement?(database: string, table: string | null): void;
  shape?(text: string): void;
}

/** A batch's body, not compressed. */
export interface BodyRange {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly from: number;
  readonly to: number;
}

/** @throws TidingsError LOG_DAMAGED when the entries are none */
export function walkBody({ bytes, view, from, to }: BodyRange, visitor: BodyVisitor): void {
  let scnOffset = 0;
  for (let at = from; at < to;) {
    const size = entryBytes(view, at, to);
    switch (view.getUint8(at)) {
      case ENTRY.transaction:
        visitor.transaction?.(readLong(view, at + 8), scnOffset);
        break;
      case ENTRY.rows:
        visitor.rows?.(view.getUint16(at + 2, true));
        scnOffset = view.getUint32(at + 4, true) + view.getUint32(at + 8, true);
        break;
      case ENTRY.shape:
        visitor.shape?.(bytes.toString('utf8', at + SHAPE_ENTRY_BYTES, at + size));
        break;
      default:
        scnOffset = view.getUint32(at + 4, true) + 1;
        if (visitor.statement !== undefined) {
          const databaseEnd = at + STATEMENT_ENTRY_BYTES + view.getUint16(at + 2, true);
          const tableEnd = databaseEnd + view.getUint16(at + 8, true);
          visitor.statement(
            bytes.toString('utf8', at + STATEMENT_ENTRY_BYTES, databaseEnd),
            (view.getUint8(at + 1) & 1) === 0 ? null : bytes.toString('utf8', databaseEnd, tableEnd),
          );
        }
    }
    at += size;
  }
}

/** Subtracts from the SCN offsets of all entries from 0 to `to`: a transaction was moved into a batch of its own. */
export function moveRuns(view: DataView, to: number, scns: number): void {
  for (let at = 0; at < to;) {
    const type = view.getUint8(at);
    if (type !== ENTRY.transaction && type !== ENTRY.shape) {
      view.setUint32(at + 4, view.getUint32(at + 4, true) - scns, true);
    }
    at += entryBytes(view, at, to);
  }
}

function entryBytes(view: DataView, at: number, to: number): number {
  const type = view.getUint8(at);
  const room = to - at;
  const size = room < SHAPE_ENTRY_BYTES ? 0 : sizeOf(view, { at, type, room });
  if (size === 0 || size > room) throw damagedBatch('an entry of its body goes beyond the end', { start: at, type });
  return size;
}

/** 0 for what is no entry. */
function sizeOf(
  view: DataView,
  { at, type, room }: { readonly at: number; readonly type: number; readonly room: number },
): number {
  switch (type) {
    case ENTRY.transaction:
      return TRANSACTION_BYTES + view.getUint16(at + 2, true);
    case ENTRY.rows: {
      if (room < RUN_BYTES) return 0;
      const statement = view.getUint32(at + 16, true);
      return RUN_BYTES + view.getUint32(at + 12, true) + (statement === SAME_STATEMENT ? 0 : statement);
    }
    case ENTRY.schema:
    case ENTRY.truncate:
      if (room < STATEMENT_ENTRY_BYTES) return 0;
      return (
        STATEMENT_ENTRY_BYTES +
        view.getUint16(at + 2, true) +
        view.getUint16(at + 8, true) +
        view.getUint32(at + 12, true)
      );
    case ENTRY.shape:
      return SHAPE_ENTRY_BYTES + view.getUint32(at + 4, true);
    default:
      return 0;
  }
}
