import { utf8Text } from '../../base/avro-bytes.ts';
import { float32 } from '../../base/float32.ts';
import { isAscii, windowFrom } from '../../base/text-window.ts';
import type { JsonValue } from '../../core/change.ts';

/** Functions that generated row decoders call for what takes more than reading a small integer. */

/** A row's bytes contradict its shape. Whoever decodes turns it into an error that names the table. */
export class DamagedRow extends Error {
  override readonly name: string = 'DamagedRow';
  readonly offset: number;

  constructor(offset: number) {
    super('the bytes of a row contradict its shape');
    this.offset = offset;
  }
}

function damaged(offset: number): never {
  throw new DamagedRow(offset);
}

/** A long that may lie beyond ±2^52; `start` is its first byte. */
function wideLong(bytes: Buffer, start: number): number | bigint {
  let low = 0;
  let high = 0;
  let p = start;
  let byte = 0x80;
  // Four bytes of 28 bits, then up to six of the other 36.
  for (let shift = 0; shift < 28; shift += 7) {
    byte = bytes[p++] as number;
    low |= (byte & 0x7f) << shift;
  }
  for (let factor = 1; byte > 0x7f && p < start + 10; factor *= 128) {
    byte = bytes[p++] as number;
    high += (byte & 0x7f) * factor;
  }
  const zigZag = BigInt.asUintN(64, (BigInt(high) << 28n) | BigInt(low));
  const value = (zigZag & 1n) === 0n ? zigZag >> 1n : -((zigZag + 1n) >> 1n);
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** Behind the rest of a long of which eight bytes were read, and the eighth says that more follow: one or two. */
function longEnd(bytes: Buffer, at: number): number {
  if ((bytes[at] as number) <= 0x7f) return at + 1;
  if ((bytes[at + 1] as number) <= 0x7f) return at + 2;
  return damaged(at);
}

/** Behind an int or a long that nobody wants. */
function skipLong(bytes: Buffer, at: number): number {
  for (let p = at; p < at + 10; p++) if ((bytes[p] as number) <= 0x7f) return p + 1;
  return damaged(at);
}

/** An integer above 2^63 - 1, as its digits. */
function digits(bytes: Buffer, start: number, end: number): bigint {
  const text = bytes.toString('latin1', start, end);
  if (!/^[0-9]{1,20}$/.test(text)) damaged(start);
  return BigInt(text);
}

function json(text: string, offset: number): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // Its message quotes the document (I10).
    return damaged(offset);
  }
}

/** A copy: a view would hold the whole batch, and change with its buffer. */
function blob(bytes: Buffer, start: number, end: number): Uint8Array {
  const length = end - start;
  const copy = new Uint8Array(length);
  if (length > 64) copy.set(bytes.subarray(start, end));
  else for (let i = 0; i < length; i++) copy[i] = bytes[start + i] as number;
  return copy;
}

function floats(view: DataView, start: number, count: number): Float32Array {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = view.getFloat32(start + i * 4, true);
  return values;
}

export const rowRuntime: {
  readonly damaged: typeof damaged;
  readonly wideLong: typeof wideLong;
  readonly longEnd: typeof longEnd;
  readonly skipLong: typeof skipLong;
  readonly digits: typeof digits;
  readonly isAscii: typeof isAscii;
  readonly windowFrom: typeof windowFrom;
  readonly utf8: typeof utf8Text;
  readonly json: typeof json;
  readonly blob: typeof blob;
  readonly floats: typeof floats;
  readonly float32: typeof float32;
} = {
  damaged,
  wideLong,
  longEnd,
  skipLong,
  digits,
  isAscii,
  windowFrom,
  utf8: utf8Text,
  json,
  blob,
  floats,
  float32,
};
