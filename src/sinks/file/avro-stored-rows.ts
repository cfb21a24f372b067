import { avroKind, isAsciiText } from '../../core/rows/avro-schema.ts';
import type { RowShape } from '../../core/rows/row-shape.ts';
import type { Column, TableSchema } from '../../core/table-schema.ts';
import { isAscii } from '../../base/text-window.ts';
import { civilDays } from '../../formats/calendar.ts';
import { copyBytes } from '../../formats/log/copy-bytes.ts';
import { INT, LENGTH, longCode } from '../../formats/log/row-decoder.ts';
import { rowRuntime } from '../../formats/log/row-runtime.ts';
import { NotTold, toldRowCode, toldRuntime } from '../../formats/log/told-row.ts';
import type { AvroOut } from './avro-out.ts';
import { daysOf, type FileColumn, type FileType, microsOf, unscaled } from './file-columns.ts';

/**
 * Writes what is told of the row from `from` to `end` (behind its header) as the columns of a file's record, straight from the log's bytes: the same as
 * `AvroRowWriter` makes of the decoded row. Most values are Avro in the log, too, and are copied. Room is made by the function.
 *
 * @throws NotTold when it has to go as a row object, which says why; DamagedRow, RangeError
 */
export type WriteStoredRow = (bytes: Buffer, view: DataView, from: number, end: number, out: AvroOut) => void;

/** The branch of a union, and what a number or a date can take more than in the log. */
const COLUMN_BYTES = 16;

/** Null when rows of this shape do not go so. */
export function avroStoredRow(
  columns: readonly FileColumn[],
  table: TableSchema,
  shape: RowShape,
): WriteStoredRow | null {
  const { columns: logged } = shape.table;
  if (columns.length !== logged.length || !columns.every(({ column }, i) => isSame(column, logged[i] as Column))) {
    return null;
  }
  const told = toldRowCode(shape, table.key, {
    told: (index) => columnCode(logged[index] as Column, (columns[index] as FileColumn).type),
    left: () => NULL,
  });
  if (told === null) return null;
  const source = `
    'use strict';
    return function (b, v, p, e, o) {
      o.room(e - p + ${columns.length * COLUMN_BYTES + 16});
      let w = o.bytes, wv = o.view, a = o.at, l = 0, q = 0, n = 0;
      ${told}
      if (p !== e) r.damaged(p);
      o.at = a;
    };`;
  // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- made of numbers and types only
  const factory = new Function('r', 't', source) as (r: typeof rowRuntime, t: typeof runtime) => WriteStoredRow;
  return factory(rowRuntime, runtime);
}

/** Whether a column of the target is, in its values, the table's. */
function isSame(a: Column, b: Column): boolean {
  return (
    a.name === b.name && a.type === b.type && a.unsigned === b.unsigned && a.length === b.length && a.scale === b.scale
  );
}

const NULL = 'w[a++] = 0;';
const VALUE = 'w[a++] = 2;';

function columnCode(column: Column, type: FileType): string {
  if (avroKind(column) === 'unsigned') {
    const branch = column.nullable ? 2 : 0;
    const value = `${VALUE} ${outside('o.decimal(n)')}`;
    const none = column.nullable ? `else if (l === 0) { ${NULL} } else r.damaged(p);` : 'else r.damaged(p);';
    return `l = b[p++];
      if (l === ${branch}) { ${longCode('n')} ${value} }
      else if (l === ${branch + 2}) { ${LENGTH} n = r.digits(b, p, p + l); p += l; ${value} } ${none}`;
  }
  const value = `${VALUE} ${valueCode(column, type)}`;
  if (!column.nullable) return value;
  return `l = b[p++]; if (l === 2) { ${value} } else { if (l !== 0) r.damaged(p); ${NULL} }`;
}

/** From where `q` says to `p`, behind the value. */
const COPY = 'a = t.copy(b, v, q, p, w, wv, a);';
const VARINT = 'do { l = b[p++]; w[a++] = l; } while (l > 127);';
const FOUR_BYTES = 'wv.setInt32(a, v.getInt32(p, true), true); p += 4; a += 4;';

function valueCode(column: Column, type: FileType): string {
  switch (type.kind) {
    case 'int':
    case 'long':
      return VARINT;
    case 'float':
      return FOUR_BYTES;
    case 'double':
      return `${FOUR_BYTES} ${FOUR_BYTES}`;
    case 'bytes':
      return `q = p; ${LENGTH} p += l; ${COPY}`;
    case 'floats':
      return `q = p; ${INT} if (l !== 0) { if ((l & 1) !== 0 || !((l >>>= 1) * 4 < e - p)) r.damaged(p); p += l * 4; if (b[p++] !== 0) r.damaged(p); } ${COPY}`;
    case 'string':
    case 'json':
      return `q = p; ${LENGTH} ${isAsciiText(column) ? '' : 't.checkText(b, v, p, p + l);'} p += l; ${COPY}`;
    case 'decimal':
      return `${LENGTH} ${outside(`t.putDecimal(b, p, { end: p + l, precision: ${type.precision}, scale: ${type.scale} }, o)`)} p += l;`;
    case 'date':
      return `${LENGTH} ${outside('o.int(t.days(b, p, p + l))')} p += l;`;
    case 'instant':
    case 'datetime':
      return `${LENGTH} ${outside('o.long(t.micros(b, p, p + l))')} p += l;`;
    case 'ulong':
      return 't.refuse();';
  }
}

/** A call that writes to the output by itself, and may change its buffer. */
function outside(call: string): string {
  return `o.at = a; ${call}; w = o.bytes; wv = o.view; a = o.at;`;
}

function refuse(): never {
  throw new NotTold('a value has no exact form');
}

/** The log has lone surrogates as WTF-8. */
function checkText(bytes: Buffer, view: DataView, start: number, end: number): void {
  if (isAscii(bytes, view, start, end)) return;
  for (let p = start; p < end; p++) if (bytes[p] === 0xed && (bytes[p + 1] as number) > 0x9f && p + 1 < end) refuse();
}

/** Digits that every number has. */
const SHORT_DIGITS = 15;
const ZERO = 0x30;
const HYPHEN = 0x2d;
const POINT = 0x2e;
const COLON = 0x3a;
const SPACE = 0x20;
const UPPER_T = 0x54;
const UPPER_Z = 0x5a;
/** `2026-11-20 09:15:02` */
const CLOCK_LENGTH = 19;

interface DecimalValue {
  readonly end: number;
  readonly precision: number;
  readonly scale: number;
}

function putDecimal(bytes: Buffer, start: number, { end, precision, scale }: DecimalValue, out: AvroOut): void {
  const isNegative = bytes[start] === HYPHEN;
  const first = isNegative ? start + 1 : start;
  const digits = end - first - (scale === 0 ? 0 : 1);
  const point = scale === 0 ? end : end - scale - 1;
  if (digits > SHORT_DIGITS || digits <= scale || (scale !== 0 && bytes[point] !== POINT)) {
    out.decimal(unscaled(bytes.toString('latin1', start, end), precision, scale) ?? refuse());
    return;
  }
  let number = 0;
  for (let p = first; p < end; p++) {
    if (p === point) continue;
    const digit = (bytes[p] as number) - ZERO;
    if (digit < 0 || digit > 9) refuse();
    number = number * 10 + digit;
  }
  if (digits > precision && number >= 10 ** precision) refuse();
  out.decimal(isNegative ? -number : number);
}

function days(bytes: Buffer, start: number, end: number): number {
  return daysOf(bytes.toString('latin1', start, end)) ?? refuse();
}

/** As `microsOf`, which is asked where it is not the common form. */
function micros(bytes: Buffer, start: number, end: number): number | bigint {
  const last = bytes[end - 1] === UPPER_Z ? end - 1 : end;
  const isForm =
    last - start >= CLOCK_LENGTH &&
    bytes[start + 4] === HYPHEN &&
    bytes[start + 7] === HYPHEN &&
    (bytes[start + 10] === SPACE || bytes[start + 10] === UPPER_T) &&
    bytes[start + 13] === COLON &&
    bytes[start + 16] === COLON;
  const hours = two(bytes, start + 11);
  const minutes = two(bytes, start + 14);
  const seconds = two(bytes, start + 17);
  const fraction = fractionAt(bytes, start + CLOCK_LENGTH, last);
  if (!isForm || hours > 23 || minutes > 59 || seconds > 59 || fraction < 0) return anyMicros(bytes, start, end);
  const year = two(bytes, start) * 100 + two(bytes, start + 2);
  const day = civilDays(year, two(bytes, start + 5), { day: two(bytes, start + 8) }) ?? refuse();
  const sinceMidnight = (hours * 60 + minutes) * 60 + seconds;
  const number = (day * 86_400 + sinceMidnight) * 1_000_000 + fraction;
  return Number.isSafeInteger(number) ? number : anyMicros(bytes, start, end);
}

function anyMicros(bytes: Buffer, start: number, end: number): number | bigint {
  return microsOf(bytes.toString('latin1', start, end)) ?? refuse();
}

/** µs of `.5`, 0 where nothing is, -1 when it is something else. */
function fractionAt(bytes: Buffer, start: number, end: number): number {
  if (start === end) return 0;
  const digits = end - start - 1;
  if (bytes[start] !== POINT || digits < 1 || digits > 6) return -1;
  let fraction = 0;
  for (let i = 1; i <= 6; i++) {
    const digit = i <= digits ? (bytes[start + i] as number) - ZERO : 0;
    if (digit < 0 || digit > 9) return -1;
    fraction = fraction * 10 + digit;
  }
  return fraction;
}

/** Beyond all that a date can have, when they are no digits. */
function two(bytes: Buffer, at: number): number {
  const tens = (bytes[at] as number) - ZERO;
  const ones = (bytes[at + 1] as number) - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : 1_000_000;
}

const runtime = { ...toldRuntime, copy: copyBytes, checkText, putDecimal, days, micros, refuse };
