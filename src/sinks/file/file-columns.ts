import type { Row, Value } from '../../core/change.ts';
import type { SinkTarget } from '../../core/sink.ts';
import type { Column } from '../../core/table-schema.ts';
import { civilDays } from '../../formats/calendar.ts';

/** What dates that no calendar has (`0000-00-00`, `2026-02-31`) become in formats that have a type for dates. */
export type ZeroDates = 'refuse' | 'text';

/** What a column is in a file whose columns have types. */
export type FileType =
  | { readonly kind: 'int' } // 32 bits
  | { readonly kind: 'long' } // 64 bits
  | { readonly kind: 'ulong' } // 64 bits without a sign
  | { readonly kind: 'float' }
  | { readonly kind: 'double' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'date' } // days since 1970
  | { readonly kind: 'instant' } // µs since 1970 UTC
  | { readonly kind: 'datetime' } // µs since 1970 on a clock that nobody has told the place of
  | { readonly kind: 'string' }
  | { readonly kind: 'json' } // the document's text
  | { readonly kind: 'bytes' }
  | { readonly kind: 'floats' };

function fileType(column: Column, zeroDates: ZeroDates): FileType {
  switch (column.type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'year':
      return { kind: 'int' };
    case 'int':
      return { kind: column.unsigned ? 'long' : 'int' };
    case 'bigint':
      return { kind: column.unsigned ? 'ulong' : 'long' };
    case 'bit':
      return { kind: (column.length ?? 64) > 63 ? 'ulong' : 'long' };
    case 'float':
      return { kind: 'float' };
    case 'double':
      return { kind: 'double' };
    case 'decimal':
      if (column.length === null) return { kind: 'string' };
      return { kind: 'decimal', precision: column.length, scale: column.scale ?? 0 };
    case 'date':
      return { kind: zeroDates === 'text' ? 'string' : 'date' };
    case 'datetime':
      return { kind: zeroDates === 'text' ? 'string' : 'datetime' };
    case 'timestamp':
      return { kind: zeroDates === 'text' ? 'string' : 'instant' };
    case 'binary':
    case 'varbinary':
    case 'blob':
    case 'geometry':
      return { kind: 'bytes' };
    case 'vector':
      return { kind: 'floats' };
    case 'json':
      return { kind: 'json' };
    // A TIME goes from -838 to 838 hours, which no type for the time of day has.
    case 'time':
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
    case 'set':
    case 'uuid':
    case 'inet4':
    case 'inet6':
      return { kind: 'string' };
  }
}

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/** The digits of a DECIMAL as a whole number of its smallest unit; null when it has more of them than the type. */
export function unscaled(value: Value, precision: number, scale: number): bigint | null {
  if (typeof value !== 'string') return null;
  const parts = DECIMAL.exec(value);
  if (parts === null) return null;
  const [, sign, whole = '', fraction = ''] = parts;
  if (/[^0]/.test(fraction.slice(scale))) return null;
  const number = BigInt(whole + fraction.slice(0, scale).padEnd(scale, '0'));
  if (number >= 10n ** BigInt(precision)) return null;
  return sign === '-' ? -number : number;
}

const DATE_LENGTH = 10;
/** `2026-11-20 09:15:02` */
const CLOCK_LENGTH = 19;
const ZERO = 0x30;
const UPPER_T = 0x54;
const UPPER_Z = 0x5a;
const SPACE = 0x20;
const HYPHEN = 0x2d;
const POINT = 0x2e;
const COLON = 0x3a;

/** Days since 1970; null for what no calendar has. */
export function daysOf(value: Value): number | null {
  return typeof value === 'string' && value.length === DATE_LENGTH ? daysAt(value) : null;
}

/** µs since 1970 of a DATETIME or TIMESTAMP; null for what no calendar has. A bigint where a number has too few digits: from the year 2255 on. */
export function microsOf(value: Value): number | bigint | null {
  if (typeof value !== 'string') return null;
  const days = daysAt(value);
  if (days === null) return null;
  const length = value.length - (value.charCodeAt(value.length - 1) === UPPER_Z ? 1 : 0);
  const seconds = length === DATE_LENGTH ? 0 : secondsOf(value, length);
  const micros = length <= CLOCK_LENGTH ? 0 : fractionOf(value, length);
  if (seconds < 0 || micros < 0) return null;
  const number = (days * 86_400 + seconds) * 1_000_000 + micros;
  return Number.isSafeInteger(number) ? number : BigInt(days * 86_400 + seconds) * 1_000_000n + BigInt(micros);
}

/** Of the date that a text begins with. */
function daysAt(text: string): number | null {
  const [century, year, month, day] = [twoDigits(text, 0), twoDigits(text, 2), twoDigits(text, 5), twoDigits(text, 8)];
  if (century < 0 || year < 0 || text.charCodeAt(4) !== HYPHEN || text.charCodeAt(7) !== HYPHEN) return null;
  return civilDays(century * 100 + year, month, { day });
}

/** Of the day, of `2026-11-20 09:15:02`; -1 when there is no such time. */
function secondsOf(text: string, length: number): number {
  const [hours, minutes, seconds] = [twoDigits(text, 11), twoDigits(text, 14), twoDigits(text, 17)];
  const between = text.charCodeAt(10);
  const isForm =
    length >= CLOCK_LENGTH &&
    (between === SPACE || between === UPPER_T) &&
    text.charCodeAt(13) === COLON &&
    text.charCodeAt(16) === COLON;
  if (!isForm || hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59) return -1;
  return hours * 3600 + minutes * 60 + seconds;
}

/** µs of `.5`, from behind the seconds on; -1 when it is none. */
function fractionOf(text: string, length: number): number {
  const digits = length - CLOCK_LENGTH - 1;
  if (text.charCodeAt(CLOCK_LENGTH) !== POINT || digits < 1 || digits > 6) return -1;
  let micros = 0;
  for (let i = 0; i < 6; i++) {
    const digit = i < digits ? text.charCodeAt(CLOCK_LENGTH + 1 + i) - ZERO : 0;
    if (digit < 0 || digit > 9) return -1;
    micros = micros * 10 + digit;
  }
  return micros;
}

/** -1 when they are none. */
function twoDigits(text: string, at: number): number {
  const [tens, ones] = [text.charCodeAt(at) - ZERO, text.charCodeAt(at + 1) - ZERO];
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}

/** What writing a column takes to know. */
export interface FileColumn {
  readonly column: Column;
  readonly name: string;
  readonly type: FileType;
  /** Every object inherits a property of this name: reading it takes the question whether the row has it. */
  readonly isInherited: boolean;
}

export function fileColumns({ table }: SinkTarget, zeroDates: ZeroDates): FileColumn[] {
  return table.columns.map((column) => ({
    column,
    name: column.name,
    type: fileType(column, zeroDates),
    isInherited: column.name in Object.prototype,
  }));
}

/** Undefined where the row does not have it. */
export function valueOf(row: Row, { name, isInherited }: Pick<FileColumn, 'name' | 'isInherited'>): Value | undefined {
  return isInherited && !Object.hasOwn(row, name) ? undefined : row[name];
}

/** The names of the columns that a row does not have, as a JSON array; null when it has all. */
export function absentNames(columns: readonly FileColumn[], row: Row): string | null {
  let names: string[] | null = null;
  for (const column of columns) {
    if (valueOf(row, column) !== undefined) continue;
    names ??= [];
    names.push(column.name);
  }
  return names === null ? null : JSON.stringify(names);
}
