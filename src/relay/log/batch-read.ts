import { crc32c } from '../../base/crc32c.ts';
import { batchChecksum } from '../../formats/log/batch-builder.ts';
import { batchLength, batchPosition } from '../../formats/log/batch-header.ts';
import { HEADER, HEADER_BYTES } from '../../formats/log/batch-layout.ts';
import { segmentDamaged } from './damage.ts';
import { closeFile, openFile, readRange, type FileRange } from './disk.ts';
import type { Segment } from './segment.ts';
import { batchProblem, headerProblem, sumProblem } from './segment-scan.ts';

/** One batch in a buffer of its own, at its beginning. */
export interface OneBatch {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export type ReadRange = (segment: Segment, range: FileRange, offset: number) => Promise<number>;

/** Of a batch that is only verified no more is in memory at a time. */
const PIECE_BYTES = 1024 * 1024;

/**
 * The header of the batch at `offset`, and the position behind it. The whole batch is verified unless it was before: its header decides
 * where somebody begins to read, and has no checksum of its own.
 *
 * @throws TidingsError LOG_DAMAGED, LOG_VERSION_UNKNOWN
 */
export async function readHead(read: ReadRange, segment: Segment, offset: number): Promise<OneBatch> {
  const { view } = await readHeader(read, segment, offset);
  const length = batchLength(view, 0);
  const size = HEADER_BYTES + view.getUint16(HEADER.positionBytes, true);
  if (segment.isVerified(offset, offset + length)) return readBytes(read, { segment, offset, size });
  const first = await readBytes(read, { segment, offset, size: Math.min(length, PIECE_BYTES) });
  let checksum = batchChecksum(first.bytes, 0, first.bytes.length);
  for (let at = first.bytes.length; at < length; at += PIECE_BYTES) {
    const piece = { segment, offset: offset + at, size: Math.min(length - at, PIECE_BYTES) };
    // oxlint-disable-next-line no-await-in-loop -- a checksum runs over the bytes in their order
    const { bytes } = await readBytes(read, piece);
    checksum = crc32c(bytes, 0, bytes.length, checksum);
  }
  const problem = sumProblem(first.view, 0, checksum);
  if (problem !== null) throw segmentDamaged(segment, offset, problem);
  return first;
}

/** The whole batch at `offset`, verified. @throws TidingsError LOG_DAMAGED, LOG_VERSION_UNKNOWN */
export async function readBatch(read: ReadRange, segment: Segment, offset: number): Promise<OneBatch> {
  const { view } = await readHeader(read, segment, offset);
  const batch = await readBytes(read, { segment, offset, size: batchLength(view, 0) });
  const problem = batchProblem(batch.bytes, batch.view, 0);
  if (problem !== null) throw segmentDamaged(segment, offset, problem);
  return batch;
}

async function readHeader(read: ReadRange, segment: Segment, offset: number): Promise<OneBatch> {
  const header = await readBytes(read, { segment, offset, size: HEADER_BYTES });
  const problem = headerProblem(header.view, 0, segment.size - offset);
  if (problem !== null) throw segmentDamaged(segment, offset, problem);
  return header;
}

/** The source's position that the batch at `offset` carries. */
export async function positionAt(segment: Segment, offset: number): Promise<string> {
  const fd = await openFile(segment.path, 'r');
  try {
    const { bytes, view } = await readBatch((_, range, at) => readRange(fd, range, at), segment, offset);
    return batchPosition(bytes, view, 0);
  } finally {
    await closeFile(fd);
  }
}

async function readBytes(
  read: ReadRange,
  { segment, offset, size }: { readonly segment: Segment; readonly offset: number; readonly size: number },
): Promise<OneBatch> {
  const bytes = Buffer.allocUnsafeSlow(size);
  const got = await read(segment, { bytes, from: 0, to: size }, offset);
  if (got < size) throw segmentDamaged(segment, offset, 'the file ends within a batch');
  return { bytes, view: new DataView(bytes.buffer) };
}
