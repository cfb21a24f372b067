import { TidingsError } from '../../core/errors.ts';
import { BATCH_MAGIC, BATCH_VERSION, HEADER, HEADER_BYTES } from './batch-layout.ts';

/** The fields of a batch's header, one by one. `view` lies over the buffer in which the batch begins at `start`. */

const HIGH = 0x1_0000_0000;

/** A u64 or i64 of the format: SCNs and times, all of them safe integers. */
export function readLong(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * HIGH + view.getUint32(at, true);
}

export function writeLong(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true);
  view.setInt32(at + 4, Math.floor(value / HIGH), true);
}

export function batchLength(view: DataView, start: number): number {
  return view.getUint32(start + HEADER.length, true);
}

export function batchFlags(view: DataView, start: number): number {
  return view.getUint8(start + HEADER.flags);
}

/** The CRC-32C that the batch says it has; of all bytes but the field's own. */
export function batchCrc(view: DataView, start: number): number {
  return view.getUint32(start + HEADER.crc, true);
}

/** SCN of the first entry that has one; the next one to be given, when none has. */
export function batchFirstScn(view: DataView, start: number): number {
  return readLong(view, start + HEADER.firstScn);
}

/** How many SCNs the batch covers. */
export function batchCount(view: DataView, start: number): number {
  return view.getUint32(start + HEADER.count, true);
}

/** The SCN of the last change that the batch covers: how far a reader is behind it. */
export function batchLastScn(view: DataView, start: number): number {
  return batchFirstScn(view, start) + batchCount(view, start) - 1;
}

/** How many transactions end in the batch. */
export function batchTransactions(view: DataView, start: number): number {
  return view.getUint32(start + HEADER.transactions, true);
}

/** µs since 1970 UTC; 0 without transactions. */
export function batchFirstCommitUs(view: DataView, start: number): number {
  return readLong(view, start + HEADER.firstCommitUs);
}

export function batchMaxCommitUs(view: DataView, start: number): number {
  return readLong(view, start + HEADER.maxCommitUs);
}

/** Bytes before the body. */
export function batchBodyStart(view: DataView, start: number): number {
  return view.getUint16(start + HEADER.bodyStart, true);
}

/** Of the body before compression. */
export function batchBodyBytes(view: DataView, start: number): number {
  return view.getUint32(start + HEADER.bodyBytes, true);
}

export function batchShapeCount(view: DataView, start: number): number {
  return view.getUint16(start + HEADER.shapeCount, true);
}

/** Bytes of the source's log that the batch covers. */
export function batchSourceBytes(view: DataView, start: number): number {
  return view.getUint32(start + HEADER.sourceBytes, true);
}

/** Where the source resumes once the batch is durable. */
export function batchPosition(bytes: Buffer, view: DataView, start: number): string {
  const at = start + HEADER_BYTES;
  return bytes.toString('utf8', at, at + view.getUint16(start + HEADER.positionBytes, true));
}

/** The fingerprint of the shape that the batch's runs call `index`: 16 hexadecimal digits, as `RowShape.fingerprint`. */
export function batchShape(view: DataView, start: number, index: number): string {
  const at = start + HEADER_BYTES + view.getUint16(start + HEADER.positionBytes, true) + index * 8;
  return hex(view.getUint32(at)) + hex(view.getUint32(at + 4));
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}

/**
 * Checks that the batch at `start` ends at or before `end`, and that its header agrees with itself. The checksum is another matter.
 *
 * @returns the batch's length
 * @throws TidingsError LOG_DAMAGED, LOG_VERSION_UNKNOWN
 */
export function checkBatch(view: DataView, start: number, end: number): number {
  if (end - start < HEADER_BYTES) throw damagedBatch('it ends inside its header', { start, end });
  if (view.getUint32(start + HEADER.magic, true) !== BATCH_MAGIC) {
    throw damagedBatch('there is no batch where one should begin', { start, end });
  }
  const version = view.getUint8(start + HEADER.version);
  if (version !== BATCH_VERSION) {
    throw new TidingsError('LOG_VERSION_UNKNOWN', `a batch has version ${version}, known is ${BATCH_VERSION}`, {
      details: { version, offset: start },
    });
  }
  const length = batchLength(view, start);
  const bodyStart = batchBodyStart(view, start);
  const position = view.getUint16(start + HEADER.positionBytes, true);
  if (length > end - start) throw damagedBatch('it is longer than what is there', { start, end });
  if (bodyStart > length || bodyStart !== HEADER_BYTES + position + batchShapeCount(view, start) * 8) {
    throw damagedBatch('the lengths in its header contradict each other', { start, end });
  }
  return length;
}

/** @param what a clause about "it", the batch */
export function damagedBatch(
  what: string,
  { start, ...details }: { readonly start: number; readonly [name: string]: string | number },
): TidingsError {
  return new TidingsError('LOG_DAMAGED', `a batch of the log is damaged: ${what}`, {
    details: { ...details, offset: start },
  });
}
