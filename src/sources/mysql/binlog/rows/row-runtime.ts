import { float32 } from '../../../../base/float32.ts';
import type { JsonValue } from '../../../../core/change.ts';
import { TidingsError } from '../../../../core/errors.ts';
import type { Charset } from '../../charset/charset.ts';
import { corrupt } from '../frame-errors.ts';
import { applyJsonDiffs } from '../json/json-diff.ts';
import { decodeJsonText } from '../json/json-text.ts';
import { decimalText, shortDecimalText } from './decimal-text.ts';
import {
  dateFrom3,
  datetime1,
  datetime2,
  datetimeHires,
  fraction,
  time1,
  time2,
  timeHires,
  timestamp2,
  timestampHires,
} from './temporal-text.ts';
import { windowText } from './text-window.ts';
import {
  bigSigned,
  bitValue,
  blob,
  enumMember,
  inet4,
  inet6,
  paddedBinary,
  setMembers,
  uncompressColumn,
  uuid,
  vector,
} from './value-runtime.ts';

/** The row ends before a value that its layout promises. */
function short(end: number): never {
  throw new TidingsError('BINLOG_TRUNCATED', 'a row reaches past the end of its event', { details: { end } });
}

/** A row has NULL in a column that its TABLE_MAP calls NOT NULL; or it has ended already, and what was read is not its. */
function impossibleNull(offset: number, end: number): never {
  if (offset >= end) short(end);
  throw corrupt('a row has NULL in a column that its TABLE_MAP calls NOT NULL', { offset });
}

function bytesWithoutColumns(offset: number): never {
  throw corrupt('a rows event has bytes of rows, but logs no column', { offset });
}

/** Fixed-length bytes, trailing zero bytes dropped by the log, as text. */
function fixed(
  bytes: Buffer,
  {
    start,
    end,
    size,
    text,
  }: { start: number; end: number; size: number; text: (bytes: Buffer, start: number) => string },
): string {
  const length = end - start;
  if (length === size) return text(bytes, start);
  if (length > size) throw corrupt('a fixed-length value is longer than its type', { length, size });
  const padded = Buffer.alloc(size);
  bytes.copy(padded, 0, start, end);
  return text(padded, 0);
}

function compressed(bytes: Buffer, start: number, end: number, charset: Charset | null): string | Uint8Array {
  const value = uncompressColumn(bytes, start, end);
  return charset === null || charset.name === 'binary'
    ? blob(value, 0, value.length)
    : charset.decode(value, 0, value.length);
}

function bigUnsigned(bytes: Buffer, start: number, length: number): bigint {
  let value = 0n;
  for (let i = 0; i < length; i++) value = (value << 8n) | BigInt(bytes[start + i] ?? 0);
  return value;
}

/** PARTIAL_UPDATE_ROWS: the document of the before image with the diffs of the after image applied. */
function patch(
  bytes: Buffer,
  before: { readonly start: number; readonly end: number },
  diffs: { readonly start: number; readonly end: number },
  json: 'text' | 'parsed',
): JsonValue {
  if (before.start < 0) {
    throw new TidingsError(
      'JSON_DIFF_WITHOUT_DOCUMENT',
      'an update holds a partial JSON value, but not the document it changes',
    );
  }
  const text = applyJsonDiffs(bytes.subarray(before.start, before.end), bytes.subarray(diffs.start, diffs.end));
  return json === 'parsed' ? (JSON.parse(text) as JsonValue) : text;
}

function unknownOptions(options: number): never {
  throw new TidingsError(
    'BINLOG_EVENT_UNSUPPORTED',
    `a PARTIAL_UPDATE_ROWS event has value options ${options}, of which only 1 (partial JSON) is known`,
    {
      details: { options },
    },
  );
}

/** Everything that generated row decoders call, as `r`. Untyped here: generated code is its only reader. */
export const rowRuntime: Readonly<Record<string, unknown>> = {
  big: bigSigned,
  bigUnsigned,
  bitValue,
  blob,
  bytesWithoutColumns,
  compressed,
  dateFrom3,
  datetime1,
  datetime2,
  datetimeHires,
  decimalText,
  enumMember,
  fixed,
  float32,
  fraction,
  impossibleNull,
  inet4,
  inet6,
  json: decodeJsonText,
  paddedBinary,
  patch,
  setMembers,
  short,
  shortDecimalText,
  time1,
  time2,
  timeHires,
  timestamp2,
  timestampHires,
  unknownOptions,
  uuid,
  vector,
  windowText,
};
