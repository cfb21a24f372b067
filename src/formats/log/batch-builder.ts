import { crc32c } from '../../base/crc32c.ts';
import { writeLong } from './batch-header.ts';
import { BATCH_MAGIC, BATCH_VERSION, HEADER, HEADER_BYTES } from './batch-layout.ts';

/** What stands before a batch's body. */
export interface BatchHead {
  /** See FLAG. */
  readonly flags: number;
  readonly firstScn: number;
  /** SCNs that the batch covers. */
  readonly count: number;
  /** Transactions that end in it. */
  readonly transactions: number;
  /** µs since 1970 UTC; 0 without transactions. */
  readonly firstCommitUs: number;
  readonly maxCommitUs: number;
  /** Of the body before compression. */
  readonly bodyBytes: number;
  /** Bytes of the source's log that it covers. */
  readonly sourceBytes: number;
  /** UTF-8, at most POSITION_BYTES_MAX. */
  readonly position: Buffer;
  /** Fingerprints of 16 hexadecimal digits, at most `shapesMax` of the position's length. */
  readonly shapes: readonly string[];
}

/** What a header can say of the bytes before the body. */
const HEAD_BYTES_MAX = 0xffff;
/** So that a batch has room for a few thousand shapes, whatever the position. */
export const POSITION_BYTES_MAX: number = 32 * 1024;
const SHAPE_BYTES = 8;

/** How many shapes a batch can refer to that has a position of this length. */
export function shapesMax(positionBytes: number): number {
  return (HEAD_BYTES_MAX - HEADER_BYTES - positionBytes) >> 3;
}

/** Bytes before the body. */
export function headBytes(positionBytes: number, shapeCount: number): number {
  return HEADER_BYTES + positionBytes + shapeCount * SHAPE_BYTES;
}

/**
 * Writes header, position and shapes from `start` on. The length and the checksum come last: see `sealBatch`.
 *
 * @param view over the same bytes as `bytes`, with the same offsets
 * @returns where the body begins
 */
export function writeBatchHead(
  bytes: Buffer,
  view: DataView,
  { start, head }: { readonly start: number; readonly head: BatchHead },
): number {
  const { position, shapes } = head;
  const bodyStart = headBytes(position.length, shapes.length);
  view.setUint32(start + HEADER.magic, BATCH_MAGIC, true);
  view.setUint8(start + HEADER.version, BATCH_VERSION);
  view.setUint8(start + HEADER.flags, head.flags);
  view.setUint16(start + HEADER.bodyStart, bodyStart, true);
  view.setUint32(start + HEADER.length, 0, true);
  view.setUint32(start + HEADER.crc, 0, true);
  writeLong(view, start + HEADER.firstScn, head.firstScn);
  view.setUint32(start + HEADER.count, head.count, true);
  view.setUint32(start + HEADER.transactions, head.transactions, true);
  writeLong(view, start + HEADER.firstCommitUs, head.firstCommitUs);
  writeLong(view, start + HEADER.maxCommitUs, head.maxCommitUs);
  view.setUint32(start + HEADER.bodyBytes, head.bodyBytes, true);
  view.setUint16(start + HEADER.positionBytes, position.length, true);
  view.setUint16(start + HEADER.shapeCount, shapes.length, true);
  view.setUint32(start + HEADER.sourceBytes, head.sourceBytes, true);
  view.setUint32(start + HEADER.unsynced, 0, true);
  position.copy(bytes, start + HEADER_BYTES);
  let at = start + HEADER_BYTES + position.length;
  for (const fingerprint of shapes) {
    view.setUint32(at, Number.parseInt(fingerprint.slice(0, 8), 16));
    view.setUint32(at + 4, Number.parseInt(fingerprint.slice(8), 16));
    at += SHAPE_BYTES;
  }
  return at;
}

/** Fills in the length and the checksum of the batch that lies from `start` to `end`. */
export function sealBatch(bytes: Buffer, view: DataView, { start, end }: { start: number; end: number }): void {
  view.setUint32(start + HEADER.length, end - start, true);
  view.setUint32(start + HEADER.crc, batchChecksum(bytes, start, end), true);
}

/** The checksum that the batch from `start` to `end` must have: of everything but the field that holds it. */
export function batchChecksum(bytes: Buffer, start: number, end: number): number {
  return crc32c(bytes, start + BEHIND_CRC, end, crc32c(bytes, start, start + HEADER.crc));
}

const BEHIND_CRC = HEADER.crc + 4;
