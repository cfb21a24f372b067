import type { Row, Value } from '../core/change.ts';
import type { SinkRow } from '../core/sink.ts';

/** For the objects that a row is: the change, its images and keys, what the mapping made of it. */
const ROW_BYTES = 400;
const NESTED_BYTES = 256;

/** How much memory a row takes, roughly: what batches are limited by. */
export function rowSize({ before, after }: SinkRow): number {
  return ROW_BYTES + imageSize(before) + imageSize(after);
}

function imageSize(row: Row | null): number {
  let bytes = 0;
  // A for-in loop makes no list of the names.
  for (const name in row) bytes += valueSize(row[name] as Value);
  return bytes;
}

function valueSize(value: Value): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  return ArrayBuffer.isView(value) ? value.byteLength : NESTED_BYTES;
}
