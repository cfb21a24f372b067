import { batchLength, batchPosition } from '../../formats/log/batch-header.ts';
import { HEADER, HEADER_BYTES } from '../../formats/log/batch-layout.ts';
import { segmentDamaged } from './damage.ts';
import { closeFile, openFile, readRange, type FileRange } from './disk.ts';
import type { Segment } from './segment.ts';
import { batchProblem, headerProblem } from './segment-scan.ts';

/** One batch in a buffer of its own, at its beginning. */
export interface OneBatch {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export type ReadRange = (segment: Segment, range: FileRange, offset: number) => Promise<number>;

/**
 * The header of the batch at `offset`, and the position behind it.
 *
 * @throws TidingsError LOG_DAMAGED
 */
export async function readHead(read: ReadRange, segment: Segment, offset: number): Promise<OneBatch> {
  const header = await readBytes(read, { segment, offset, size: HEADER_BYTES });
  const room = segment.size - offset;
  const problem = headerProblem(header.view, 0, room);
  if (problem !== null) throw segmentDamaged(segment, offset, problem);
  const size = HEADER_BYTES + header.view.getUint16(HEADER.positionBytes, true);
  return readBytes(read, { segment, offset, size });
}

/** The whole batch at `offset`, verified. @throws TidingsError LOG_DAMAGED */
export async function readBatch(read: ReadRange, segment: Segment, offset: number): Promise<OneBatch> {
  const { view } = await readHead(read, segment, offset);
  const batch = await readBytes(read, { segment, offset, size: batchLength(view, 0) });
  const problem = batchProblem(batch.bytes, batch.view, 0);
  if (problem !== null) throw segmentDamaged(segment, offset, problem);
  return batch;
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
