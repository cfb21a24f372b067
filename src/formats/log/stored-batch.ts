import { zstdDecompressSync } from 'node:zlib';
import {
  batchBodyBytes,
  batchBodyStart,
  batchFirstScn,
  batchFlags,
  batchShapeCount,
  checkBatch,
  damagedBatch,
} from './batch-header.ts';
import { FLAG, HEADER_BYTES } from './batch-layout.ts';
import { viewOf } from './filter-output.ts';

/** The parts of one stored batch, with its body ready to be walked. */
export interface StoredBatch {
  /** The bytes that hold header, position and fingerprints. */
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
  readonly flags: number;
  readonly firstScn: number;
  readonly positionFrom: number;
  readonly shapesFrom: number;
  readonly shapesTo: number;
  readonly body: Buffer;
  readonly bodyView: DataView;
  readonly bodyFrom: number;
  readonly bodyTo: number;
}

/** Decompression works in steps of this size at most. */
const STEP_BYTES_MAX = 4 * 1024 * 1024;
const STEP_BYTES_MIN = 1024;

/**
 * The checksum is not verified again: the log does that when it reads.
 *
 * @throws TidingsError LOG_DAMAGED
 */
export function openStoredBatch(bytes: Buffer, view: DataView, start: number): StoredBatch {
  const end = start + checkBatch(view, start, bytes.length);
  const firstScn = batchFirstScn(view, start);
  const flags = batchFlags(view, start);
  const bodyBytes = batchBodyBytes(view, start);
  const positionFrom = start + HEADER_BYTES;
  const bodyFrom = start + batchBodyStart(view, start);
  const shapesFrom = bodyFrom - batchShapeCount(view, start) * 8;
  if (!Number.isSafeInteger(firstScn)) throw damagedBatch('its SCN is beyond 2^53', { start });
  const common = { bytes, view, start, end, flags, firstScn, positionFrom, shapesFrom, shapesTo: bodyFrom };
  if ((flags & FLAG.zstd) === 0) {
    if (bodyBytes !== end - bodyFrom) {
      throw damagedBatch('its body has another length than it says', { start, firstScn });
    }
    return { ...common, body: bytes, bodyView: view, bodyFrom, bodyTo: end };
  }
  const body = decompressed(bytes.subarray(bodyFrom, end), bodyBytes);
  if (body === null) throw damagedBatch('its body cannot be decompressed', { start, firstScn });
  return { ...common, body, bodyView: viewOf(body), bodyFrom: 0, bodyTo: bodyBytes };
}

/** Null when that fails, or yields another length. */
function decompressed(compressed: Buffer, bodyBytes: number): Buffer | null {
  try {
    const body = zstdDecompressSync(compressed, {
      // Of about the body's size, so that it comes in one piece; nothing is made larger than it is said to be.
      chunkSize: Math.min(Math.max(bodyBytes, STEP_BYTES_MIN), STEP_BYTES_MAX),
      maxOutputLength: Math.max(bodyBytes, 1),
    });
    return body.length === bodyBytes ? body : null;
  } catch {
    return null;
  }
}
