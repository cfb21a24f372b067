import { zstdDecompressSync } from 'node:zlib';
import { TidingsError } from '../../core/errors.ts';
import {
  batchBodyBytes,
  batchBodyStart,
  batchCount,
  batchCrc,
  batchFirstCommitUs,
  batchFirstScn,
  batchFlags,
  batchLength,
  batchMaxCommitUs,
  batchShape,
  batchShapeCount,
  damagedBatch,
} from '../../formats/log/batch-header.ts';
import { batchChecksum, headBytes } from '../../formats/log/batch-builder.ts';
import { BATCH_MAGIC, BATCH_VERSION, FLAG, HEADER, HEADER_BYTES } from '../../formats/log/batch-layout.ts';
import { type BodyRange, walkBody } from './body-walk.ts';
import { BLOCK_BYTES } from './append-file.ts';
import { segmentDamaged } from './damage.ts';
import { readRange } from './disk.ts';
import type { Segment, SegmentMark } from './segment.ts';
import type { ShapeBook } from './shape-book.ts';
import { type TableBook, tableKey } from './table-book.ts';

const WINDOW_BYTES = 1024 * 1024;
const MAGIC = Buffer.from('TDGB', 'latin1');

/** A part of a file in memory, which moves on as it is read. */
export class FileWindow {
  readonly #fd: number;
  readonly size: number;
  bytes: Buffer = Buffer.allocUnsafeSlow(WINDOW_BYTES);
  view: DataView = new DataView(this.bytes.buffer);
  /** Offset in the file of the window's first byte. */
  base = 0;
  #length = 0;

  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.size = size;
  }

  has(offset: number, size: number): boolean {
    return offset >= this.base && offset + size <= this.base + this.#length;
  }

  /** Moves the window so that it begins at `offset` and holds `size` bytes, or up to the file's end. */
  async load(offset: number, size: number): Promise<void> {
    if (size > this.bytes.length) {
      this.bytes = Buffer.allocUnsafeSlow(size);
      this.view = new DataView(this.bytes.buffer);
    }
    const to = Math.min(this.bytes.length, this.size - offset);
    this.base = offset;
    this.#length = await readRange(this.#fd, { bytes: this.bytes, from: 0, to }, offset);
  }

  /** Where the batch magic stands next, at `offset` or behind it; -1 when nowhere in the window. */
  findMagic(offset: number): number {
    const at = this.bytes.subarray(0, this.#length).indexOf(MAGIC, offset - this.base);
    return at < 0 ? -1 : at + this.base;
  }

  get end(): number {
    return this.base + this.#length;
  }
}

/**
 * What is wrong with the header at `at`, as a clause; null when it agrees with itself and a batch of its length fits into `room` bytes.
 */
export function headerProblem(view: DataView, at: number, room: number): string | null {
  if (room < HEADER_BYTES) return 'a batch ends inside its header';
  if (view.getUint32(at + HEADER.magic, true) !== BATCH_MAGIC) return 'no batch begins there';
  const length = batchLength(view, at);
  const bodyStart = batchBodyStart(view, at);
  const positionBytes = view.getUint16(at + HEADER.positionBytes, true);
  if (bodyStart !== headBytes(positionBytes, batchShapeCount(view, at)) || length < bodyStart) {
    return 'the lengths in the header of a batch contradict each other';
  }
  if (length > room) return 'a batch goes beyond the end of the file';
  return null;
}

/**
 * What is wrong with the whole batch at `at`, which the view holds.
 *
 * @throws TidingsError LOG_VERSION_UNKNOWN
 */
export function batchProblem(bytes: Buffer, view: DataView, at: number): string | null {
  return sumProblem(view, at, batchChecksum(bytes, at, at + batchLength(view, at)));
}

/**
 * As `batchProblem`, for who has seen the whole batch and has its header at `at`.
 *
 * @param checksum that its bytes have
 * @throws TidingsError LOG_VERSION_UNKNOWN
 */
export function sumProblem(view: DataView, at: number, checksum: number): string | null {
  if (batchCrc(view, at) !== checksum) return 'the checksum of a batch is wrong';
  const version = view.getUint8(at + HEADER.version);
  if (version === BATCH_VERSION) return null;
  // With a checksum that is right it is no damage.
  if (version > BATCH_VERSION) {
    throw new TidingsError('LOG_VERSION_UNKNOWN', `a batch has version ${version}, known is ${BATCH_VERSION}`);
  }
  return 'a batch has a version that never was';
}

/** The body of the batch at `at`, decompressed where it has to be. @throws TidingsError LOG_DAMAGED */
export function batchBody(bytes: Buffer, view: DataView, at: number): BodyRange {
  const from = at + batchBodyStart(view, at);
  const to = at + batchLength(view, at);
  if ((batchFlags(view, at) & FLAG.zstd) === 0) return { bytes, view, from, to };
  const size = batchBodyBytes(view, at);
  const body = zstdDecompressSync(bytes.subarray(from, to), { maxOutputLength: Math.max(size, 1) });
  if (body.length !== size) throw damagedBatch('its body has another length than it says', { start: at });
  return { bytes: body, view: new DataView(body.buffer, body.byteOffset, body.byteLength), from: 0, to: size };
}

export interface ScanOptions {
  readonly segment: Segment;
  readonly window: FileWindow;
  readonly shapes: ShapeBook;
  /** As of the segment's beginning; afterwards, as of its end. What an open transaction at the end says of tables is not committed. */
  readonly tables: TableBook;
}

export interface Scanned {
  /** What is wrong with what begins at `segment.size`; null when that is the file's end. */
  readonly problem: string | null;
  /** The segment as of the last place in it at which no transaction is open. */
  readonly mark: SegmentMark;
}

/** Reads a segment from its beginning and verifies it, and fills in what is known of it: index, sizes, times. */
export async function scanSegment(options: ScanOptions): Promise<Scanned> {
  const { segment, window } = options;
  let mark = segment.mark();
  while (segment.size < window.size) {
    // oxlint-disable-next-line no-await-in-loop -- a file is read in order; no promise while the window has the batch
    const problem = nextProblem(segment, window) ?? (await loadBatch(segment, window));
    if (problem !== null && problem !== '') {
      // oxlint-disable-next-line no-await-in-loop -- the last thing that is read
      if (await isPadding(window, segment.size)) break;
      return { problem, mark };
    }
    const wrong = addBatch(options);
    if (wrong !== null) return { problem: wrong, mark };
    if (segment.complete?.end === segment.size) mark = segment.mark();
  }
  segment.verified(0, segment.size);
  return { problem: null, mark };
}

/** Whether the file's last bytes are what a write in whole blocks has filled its last block up with. */
async function isPadding(window: FileWindow, offset: number): Promise<boolean> {
  const size = window.size - offset;
  if (size >= BLOCK_BYTES || window.size % BLOCK_BYTES !== 0) return false;
  if (!window.has(offset, size)) await window.load(offset, size);
  const from = offset - window.base;
  return window.bytes.subarray(from, from + size).every((byte) => byte === 0);
}

/** Empty: the window has the batch that begins at `segment.size`. Null: it does not. */
function nextProblem(segment: Segment, window: FileWindow): string | null {
  const offset = segment.size;
  const room = window.size - offset;
  if (!window.has(offset, Math.min(room, HEADER_BYTES))) return null;
  const at = offset - window.base;
  return headerProblem(window.view, at, room) ?? (window.has(offset, batchLength(window.view, at)) ? '' : null);
}

async function loadBatch(segment: Segment, window: FileWindow): Promise<string | null> {
  await window.load(segment.size, HEADER_BYTES);
  const problem = nextProblem(segment, window);
  if (problem === null) await window.load(segment.size, batchLength(window.view, 0));
  return problem;
}

/** Adds the batch at `segment.size` to what is known of the segment. @returns what is wrong with it */
function addBatch({ segment, window, shapes, tables }: ScanOptions): string | null {
  const offset = segment.size;
  const { bytes, view } = window;
  const at = offset - window.base;
  const problem = batchProblem(bytes, view, at);
  if (problem !== null) return problem;
  const firstScn = batchFirstScn(view, at);
  if (firstScn !== segment.nextScn) {
    throw segmentDamaged(segment, offset, `a batch begins with SCN ${firstScn} instead of ${segment.nextScn}`);
  }
  const open = (batchFlags(view, at) & FLAG.open) !== 0;
  segment.add({
    bytes: batchLength(view, at),
    firstScn,
    count: batchCount(view, at),
    open,
    firstCommitUs: batchFirstCommitUs(view, at),
    maxCommitUs: batchMaxCommitUs(view, at),
    defines: learn({ bytes, view, at, shapes, tables, segment, offset }),
  });
  if (!open) tables.commit();
  return null;
}

interface LearnOptions {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly at: number;
  readonly shapes: ShapeBook;
  readonly tables: TableBook;
  readonly segment: Segment;
  readonly offset: number;
}

/** Takes note of the shapes that a batch defines and of what it says of tables. @returns fingerprints of the shapes */
function learn({ bytes, view, at, shapes, tables, segment, offset }: LearnOptions): string[] {
  const defines: string[] = [];
  let lastIndex = -1;
  walkBody(batchBody(bytes, view, at), {
    rows(index) {
      // Nearly always the same as before.
      if (index === lastIndex) return;
      lastIndex = index;
      const fingerprint = batchShape(view, at, index);
      const shape = shapes.get(fingerprint);
      if (shape === undefined) {
        throw segmentDamaged(
          segment,
          offset,
          `a batch refers to the row shape ${fingerprint}, which the segment does not define`,
        );
      }
      tables.use(tableKey(shape.table.database, shape.table.name), shape);
    },
    statement(database, table) {
      lastIndex = -1;
      tables.forget(database, table);
    },
    shape(text) {
      const { fingerprint } = shapes.learn(text);
      shapes.addPlace(fingerprint, { segment, offset });
      defines.push(fingerprint);
    },
  });
  return defines;
}

/**
 * Whether the bytes from `offset` on were durable once, though no batch begins there: some batch behind them was written when they
 * were known to be. Without that they are what a crash left of a write.
 */
export async function wasDurable(window: FileWindow, offset: number, nextScn: number): Promise<boolean> {
  let from = offset + 1;
  while (from + HEADER_BYTES <= window.size) {
    // oxlint-disable-next-line no-await-in-loop -- a file is read in order
    if (!window.has(from, HEADER_BYTES)) await window.load(from, WINDOW_BYTES);
    const found = window.findMagic(from);
    if (found < 0) {
      // The magic may be cut in two by the window's end.
      from = Math.max(window.end - MAGIC.length + 1, from + 1);
      if (window.end >= window.size) return false;
      continue;
    }
    from = found + 1;
    // oxlint-disable-next-line no-await-in-loop -- one window over the file, moved along
    if (await isEvidence({ window, found, offset, nextScn })) return true;
  }
  return false;
}

interface Found {
  readonly window: FileWindow;
  readonly found: number;
  readonly offset: number;
  readonly nextScn: number;
}

async function isEvidence({ window, found, offset, nextScn }: Found): Promise<boolean> {
  const room = window.size - found;
  if (room < HEADER_BYTES) return false;
  if (!window.has(found, HEADER_BYTES)) await window.load(found, HEADER_BYTES);
  if (headerProblem(window.view, found - window.base, room) !== null) return false;
  const length = batchLength(window.view, found - window.base);
  if (!window.has(found, length)) await window.load(found, length);
  const at = found - window.base;
  const durable = found - window.view.getUint32(at + HEADER.unsynced, true);
  return (
    durable > offset &&
    durable <= found &&
    batchFirstScn(window.view, at) >= nextScn &&
    batchProblem(window.bytes, window.view, at) === null
  );
}
