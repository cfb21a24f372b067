import { longRow, shortRow } from './text-errors.ts';
import type { TextRows } from './text-row-batch.ts';

/** A value as a result row has it. */
export interface TextValue {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

const NULL = 0xfb;

/** One row of `count` columns, in place; null for NULL. For rows now and then: the layout is in text-code.ts. */
export function readRow({ bytes, starts, ends }: TextRows, index: number, count: number): (TextValue | null)[] {
  const end = ends[index] ?? 0;
  let p = starts[index] ?? end;
  const values: (TextValue | null)[] = [];
  for (let i = 0; i < count; i++) {
    const first = p < end ? (bytes[p++] as number) : 0xff;
    if (first === NULL) {
      values.push(null);
      continue;
    }
    const lengthBytes = first < NULL ? 0 : first === 0xfc ? 2 : first === 0xfd ? 3 : first === 0xfe ? 6 : end;
    if (lengthBytes > end - p) shortRow();
    const length = lengthBytes === 0 ? first : bytes.readUIntLE(p, lengthBytes);
    // Of the eight bytes of the longest form the last two are never needed.
    p += lengthBytes === 6 ? 8 : lengthBytes;
    if (length > end - p) shortRow();
    values.push({ bytes, start: p, end: p + length });
    p += length;
  }
  if (p !== end) longRow();
  return values;
}
