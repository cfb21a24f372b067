import { ROW_HEADER_BYTES } from '../core/rows/row-target.ts';
import { damagedBatch } from '../formats/log/batch-header.ts';
import {
  ENTRY,
  FLAG,
  HEADER,
  RUN_BYTES,
  SHAPE_ENTRY_BYTES,
  STATEMENT_ENTRY_BYTES,
  TRANSACTION_BYTES,
} from '../formats/log/batch-layout.ts';
import { rowEnd } from '../formats/log/log-row-batch.ts';
import { openStoredBatch, type StoredBatch } from '../formats/log/stored-batch.ts';

export interface BatchCutOptions {
  /** Whether the row with this partition hash and SCN stays. */
  readonly row: (hash: number, scn: number) => boolean;
  /** Whether the schema change or truncation with this SCN stays. */
  readonly statement: (scn: number) => boolean;
}

/**
 * The batch at `start` without some of its changes, as bytes of its own: what is left when a reading begins inside a batch, or when
 * some of a batch's partitions went to another member before anybody saw them. For the rare case only: it copies everything.
 *
 * @returns null when nothing is left
 * @throws TidingsError LOG_DAMAGED
 */
export function cutBatch(
  source: { readonly bytes: Buffer; readonly view: DataView; readonly start: number },
  options: BatchCutOptions,
): Buffer | null {
  const batch = openStoredBatch(source.bytes, source.view, source.start);
  const body = cutBody(batch, options);
  if (body === null) return null;
  const head = Buffer.from(batch.bytes.subarray(batch.start, batch.shapesTo));
  const cut = Buffer.concat([head, ...body]);
  cut.writeUInt8((batch.flags | FLAG.filtered) & ~FLAG.zstd, HEADER.flags);
  cut.writeUInt32LE(cut.length, HEADER.length);
  cut.writeUInt32LE(cut.length - head.length, HEADER.bodyBytes);
  return cut;
}

/** Null when no change is left. */
function cutBody(
  { body, bodyView: view, bodyFrom, bodyTo, firstScn }: StoredBatch,
  { row, statement }: BatchCutOptions,
): Buffer[] | null {
  const pieces: Buffer[] = [];
  let left = 0;
  /** The transaction whose first change is still to come. */
  let transaction: Buffer | null = null;
  const keep = (piece: Buffer): void => {
    if (transaction !== null) pieces.push(transaction);
    transaction = null;
    pieces.push(piece);
    left++;
  };
  for (let at = bodyFrom; at < bodyTo;) {
    switch (body[at]) {
      case ENTRY.transaction: {
        const end = at + TRANSACTION_BYTES + view.getUint16(at + 2, true);
        transaction = Buffer.from(body.subarray(at, end));
        at = end;
        break;
      }
      case ENTRY.rows: {
        const end = at + RUN_BYTES + view.getUint32(at + 12, true) + view.getUint32(at + 16, true);
        cutRun({ body, view, at, end, firstScn }, row, keep);
        at = end;
        break;
      }
      case ENTRY.shape: {
        const end = at + SHAPE_ENTRY_BYTES + view.getUint32(at + 4, true);
        pieces.push(body.subarray(at, end));
        at = end;
        break;
      }
      case ENTRY.schema:
      case ENTRY.truncate: {
        const names = view.getUint16(at + 2, true) + view.getUint16(at + 8, true);
        const end = at + STATEMENT_ENTRY_BYTES + names + view.getUint32(at + 12, true);
        if (statement(firstScn + view.getUint32(at + 4, true))) keep(body.subarray(at, end));
        at = end;
        break;
      }
      default:
        throw damagedBatch('it has an entry of an unknown kind', { start: at, firstScn });
    }
  }
  return left === 0 ? null : pieces;
}

interface Run {
  readonly body: Buffer;
  readonly view: DataView;
  readonly at: number;
  readonly end: number;
  readonly firstScn: number;
}

/** The rows of a run have consecutive SCNs: what is left is a run for each stretch of rows that stay. */
function cutRun(
  { body, view, at, end, firstScn }: Run,
  row: BatchCutOptions['row'],
  keep: (run: Buffer) => void,
): void {
  const rowsAt = at + RUN_BYTES + view.getUint32(at + 16, true);
  const offset = view.getUint32(at + 4, true);
  let stretchAt = rowsAt;
  let stretchRows = 0;
  let index = 0;
  const close = (stretchEnd: number): void => {
    if (stretchRows === 0) return;
    const head = Buffer.from(body.subarray(at, rowsAt));
    head.writeUInt32LE(offset + index - stretchRows, 4);
    head.writeUInt32LE(stretchRows, 8);
    head.writeUInt32LE(stretchEnd - stretchAt, 12);
    keep(Buffer.concat([head, body.subarray(stretchAt, stretchEnd)]));
    stretchRows = 0;
  };
  for (let p = rowsAt; p < end; index++) {
    const next = end - p < ROW_HEADER_BYTES ? Number.POSITIVE_INFINITY : rowEnd(view, p);
    if (next > end) throw damagedBatch('a run ends inside a row', { start: at, firstScn });
    if (row(view.getUint32(p + 4, true), firstScn + offset + index)) {
      if (stretchRows++ === 0) stretchAt = p;
    } else close(p);
    p = next;
  }
  close(end);
}
