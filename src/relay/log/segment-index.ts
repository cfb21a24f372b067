import { crc32c } from '../../base/crc32c.ts';
import { readLong, writeLong } from '../../formats/log/batch-header.ts';

/**
 * The sparse index of one segment: where its batches stand, by SCN and by time, and which row shapes it defines. In memory while the
 * segment grows, in a file beside it once it is sealed. All of it can be found again by reading the segment.
 *
 *     file    := header entries shapes tables
 *     header     the fields of HEADER
 *     entries    24 bytes each: u64 SCN, u64 offset of the batch with it, i64 latest commit time in the segment before that batch
 *     shapes     16 bytes each: fingerprint, u64 offset of the batch that defines it
 *     tables     see `encodeTables`; under a checksum of its own, as only the newest index's is ever read
 */
const INDEX_VERSION = 1;

/** `TDGI`, as a little-endian number. */
const INDEX_MAGIC = 0x4947_4454;

const HEADER = {
  magic: 0, // u32
  version: 4, // u16
  reserved: 6, // u16: 0
  mainBytes: 8, // u32: header, entries and shapes
  crc: 12, // u32: CRC-32C of the other main bytes, those before the field first
  firstScn: 16, // u64
  nextScn: 24, // u64: with which the next segment begins
  segmentBytes: 32, // u64
  firstCommitUs: 40, // i64: of the first transaction; 0 when the segment has none
  maxCommitUs: 48, // i64
  completeStart: 56, // u64: of the last batch that leaves no transaction open
  completeEnd: 64, // u64: behind it; 0 when there is none
  completeScn: 72, // u64: the first SCN behind it
  entryCount: 80, // u32
  shapeCount: 84, // u32
  tablesBytes: 88, // u32
  tablesCrc: 92, // u32: CRC-32C
} as const;
const HEADER_BYTES = 96;
const ENTRY_BYTES = 24;
const SHAPE_BYTES = 16;

/** An entry is made for the first batch that begins so far behind the last entry. */
const SPACING_BYTES = 64 * 1024;

/** The last batch of a segment that leaves no transaction open. */
export interface CompleteBatch {
  readonly start: number;
  readonly end: number;
  /** The first SCN behind it. */
  readonly nextScn: number;
}

/** What is known of a sealed segment without reading it. */
export interface SegmentSummary {
  readonly firstScn: number;
  readonly nextScn: number;
  readonly bytes: number;
  readonly firstCommitUs: number;
  readonly maxCommitUs: number;
  readonly complete: CompleteBatch | null;
}

export interface ShapePlace {
  readonly fingerprint: string;
  /** Of the batch that defines it. */
  readonly offset: number;
}

export class SegmentIndex {
  readonly #scns: number[] = [];
  readonly #offsets: number[] = [];
  readonly #commits: number[] = [];
  readonly shapes: ShapePlace[] = [];

  get length(): number {
    return this.#scns.length;
  }

  /** Batches come in the order of the segment. */
  add(offset: number, scn: number, maxCommitUsBefore: number): void {
    const last = this.#offsets.at(-1);
    if (last === undefined || offset - last >= SPACING_BYTES) this.push(offset, scn, maxCommitUsBefore);
  }

  push(offset: number, scn: number, maxCommitUsBefore: number): void {
    this.#scns.push(scn);
    this.#offsets.push(offset);
    this.#commits.push(maxCommitUsBefore);
  }

  /** Forgets what begins at `offset` or behind it. */
  cut(offset: number): void {
    const keep = this.#countUpTo(this.#offsets, offset - 1);
    this.#scns.length = keep;
    this.#offsets.length = keep;
    this.#commits.length = keep;
    while ((this.shapes.at(-1)?.offset ?? -1) >= offset) this.shapes.pop();
  }

  /** A batch that begins at or before the one with the SCN, and not far from it. */
  offsetOfScn(scn: number): number {
    return this.#offsets[this.#countUpTo(this.#scns, scn) - 1] ?? 0;
  }

  /** The offset of a batch before which no transaction of the segment was committed at or after the time. */
  offsetOfTime(committedUs: number): number {
    // Running maxima never fall, whatever the clocks of the servers did.
    return this.#offsets[this.#countUpTo(this.#commits, committedUs - 1) - 1] ?? 0;
  }

  offsetAt(i: number): number {
    return this.#offsets[i] as number;
  }

  /** How many of the ascending values are at most `limit`. */
  #countUpTo(values: readonly number[], limit: number): number {
    let low = 0;
    let high = values.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((values[middle] as number) <= limit) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  encode(summary: SegmentSummary, tables: Buffer): Buffer {
    const mainBytes = HEADER_BYTES + this.length * ENTRY_BYTES + this.shapes.length * SHAPE_BYTES;
    const bytes = Buffer.alloc(mainBytes + tables.length);
    const view = viewOf(bytes);
    view.setUint32(HEADER.magic, INDEX_MAGIC, true);
    view.setUint16(HEADER.version, INDEX_VERSION, true);
    view.setUint32(HEADER.mainBytes, mainBytes, true);
    writeLong(view, HEADER.firstScn, summary.firstScn);
    writeLong(view, HEADER.nextScn, summary.nextScn);
    writeLong(view, HEADER.segmentBytes, summary.bytes);
    writeLong(view, HEADER.firstCommitUs, summary.firstCommitUs);
    writeLong(view, HEADER.maxCommitUs, summary.maxCommitUs);
    writeLong(view, HEADER.completeStart, summary.complete?.start ?? 0);
    writeLong(view, HEADER.completeEnd, summary.complete?.end ?? 0);
    writeLong(view, HEADER.completeScn, summary.complete?.nextScn ?? 0);
    view.setUint32(HEADER.entryCount, this.length, true);
    view.setUint32(HEADER.shapeCount, this.shapes.length, true);
    view.setUint32(HEADER.tablesBytes, tables.length, true);
    view.setUint32(HEADER.tablesCrc, crc32c(tables, 0, tables.length), true);
    let at = HEADER_BYTES;
    for (let i = 0; i < this.length; i++, at += ENTRY_BYTES) {
      writeLong(view, at, this.#scns[i] as number);
      writeLong(view, at + 8, this.#offsets[i] as number);
      writeLong(view, at + 16, this.#commits[i] as number);
    }
    for (const { fingerprint, offset } of this.shapes) {
      bytes.write(fingerprint, at, 'hex');
      writeLong(view, at + 8, offset);
      at += SHAPE_BYTES;
    }
    tables.copy(bytes, at);
    view.setUint32(HEADER.crc, mainChecksum(bytes, mainBytes), true);
    return bytes;
  }
}

function mainChecksum(bytes: Buffer, mainBytes: number): number {
  return crc32c(bytes, HEADER.firstScn, mainBytes, crc32c(bytes, 0, HEADER.crc));
}

export interface DecodedIndex {
  readonly index: SegmentIndex;
  readonly summary: SegmentSummary;
  /** The tables block; null when it is damaged. */
  readonly tables: Buffer | null;
}

/** Null when the bytes are no whole index of this version: it is to be made again. */
export function decodeIndex(bytes: Buffer): DecodedIndex | null {
  if (bytes.length < HEADER_BYTES) return null;
  const view = viewOf(bytes);
  if (view.getUint32(HEADER.magic, true) !== INDEX_MAGIC) return null;
  if (view.getUint16(HEADER.version, true) !== INDEX_VERSION) return null;
  const mainBytes = view.getUint32(HEADER.mainBytes, true);
  const entryCount = view.getUint32(HEADER.entryCount, true);
  const shapeCount = view.getUint32(HEADER.shapeCount, true);
  if (mainBytes > bytes.length || mainBytes !== HEADER_BYTES + entryCount * ENTRY_BYTES + shapeCount * SHAPE_BYTES) {
    return null;
  }
  if (view.getUint32(HEADER.crc, true) !== mainChecksum(bytes, mainBytes)) return null;
  const index = new SegmentIndex();
  let at = HEADER_BYTES;
  for (let i = 0; i < entryCount; i++, at += ENTRY_BYTES) {
    index.push(readLong(view, at + 8), readLong(view, at), readLong(view, at + 16));
  }
  for (let i = 0; i < shapeCount; i++, at += SHAPE_BYTES) {
    index.shapes.push({ fingerprint: bytes.toString('hex', at, at + 8), offset: readLong(view, at + 8) });
  }
  const completeEnd = readLong(view, HEADER.completeEnd);
  const summary: SegmentSummary = {
    firstScn: readLong(view, HEADER.firstScn),
    nextScn: readLong(view, HEADER.nextScn),
    bytes: readLong(view, HEADER.segmentBytes),
    firstCommitUs: readLong(view, HEADER.firstCommitUs),
    maxCommitUs: readLong(view, HEADER.maxCommitUs),
    complete:
      completeEnd === 0
        ? null
        : {
            start: readLong(view, HEADER.completeStart),
            end: completeEnd,
            nextScn: readLong(view, HEADER.completeScn),
          },
  };
  const tables = bytes.subarray(mainBytes);
  const isWhole =
    tables.length === view.getUint32(HEADER.tablesBytes, true) &&
    crc32c(tables, 0, tables.length) === view.getUint32(HEADER.tablesCrc, true);
  return { index, summary, tables: isWhole ? tables : null };
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
