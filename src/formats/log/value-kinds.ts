import { utf8Text } from '../../base/avro-bytes.ts';
import type { Value } from '../../core/change.ts';
import type { TidingsError } from '../../core/errors.ts';
import type { Column } from '../../core/table-schema.ts';
import { compareExactNumbers, type ExactNumber, parseExactNumber, withoutTrailingZeros } from './exact-number.ts';
import { rowRuntime } from './row-runtime.ts';
import { type Canonical, canonicalInet4, canonicalInet6, canonicalUuid } from './address-forms.ts';
import { conditionError } from './where-lexer.ts';
import type { Literal } from './where-parser.ts';

/**
 * How a type's values are read and compared. The text of a value, for `like`, is what a consumer sees.
 *
 * @template V a value, decoded for comparing
 * @template L a literal of the condition
 */
export interface ValueKind<V, L> {
  readonly decode: (bytes: Buffer, view: DataView, at: number) => V;
  /** The same of a value as a consumer gets it, not NULL. */
  readonly of: (value: Value) => V;
  /** @throws TidingsError CONFIG_INVALID when such a literal does not go with the column */
  readonly literal: (literal: Literal) => L;
  /** Negative, 0 or positive. */
  readonly compare: (value: V, literal: L) => number;
  /** False: equal or not is all that can be asked. */
  readonly isOrdered: boolean;
  readonly text: ((bytes: Buffer, view: DataView, at: number) => string) | null;
}

/** Null: there is nothing to compare such values by. */
export function kindOf(column: Column): ValueKind<unknown, unknown> | null {
  return (chooseKind(column) as ValueKind<unknown, unknown> | null) ?? null;
}

function chooseKind(column: Column): object | null {
  switch (column.type) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'year':
      return integers(column, readLong);
    case 'bigint':
      return integers(column, column.unsigned ? unsignedReader(column) : readLong);
    case 'bit':
      return integers(column, (column.length ?? 64) > 63 ? unsignedReader(column) : readLong);
    case 'decimal':
      return decimals(column);
    case 'float':
      return doubles(column, (_, view, at) => rowRuntime.float32(view.getFloat32(at, true)));
    case 'double':
      return doubles(column, (_, view, at) => view.getFloat64(at, true));
    case 'char':
    case 'varchar':
    case 'text':
    case 'enum':
      return texts(column, { isOrdered: true });
    case 'set':
      return texts(column, { isOrdered: false });
    case 'inet4':
      return forms(column, canonicalInet4, "an address, '192.0.2.1'");
    case 'inet6':
      return forms(column, canonicalInet6, "an address, '2001:db8::1'");
    case 'uuid':
      return forms(column, canonicalUuid, "a UUID, '123e4567-e89b-12d3-a456-426655440000'");
    case 'date':
    case 'datetime':
    case 'timestamp':
      return moments(column);
    case 'time':
      return durations(column);
    case 'binary':
    case 'varbinary':
    case 'blob':
      return byteStrings(column);
    case 'json':
    case 'geometry':
    case 'vector':
      return null;
  }
}

interface IntegerLiteral {
  /** The number, or the next integer below it. */
  readonly floor: number | bigint;
  readonly isInteger: boolean;
}

/** Numbers and bigints compare with each other exactly. */
function integers(
  column: Column,
  decode: (bytes: Buffer, view: DataView, at: number) => number | bigint,
): ValueKind<number | bigint, IntegerLiteral> {
  return {
    decode,
    of: (value) => value as number | bigint,
    literal: (literal) => {
      const { isNegative, whole, fraction } = exactNumber(literal, column);
      const magnitude = BigInt(whole === '' ? 0 : whole);
      const truncated = isNegative ? -magnitude : magnitude;
      const floor = isNegative && fraction !== '' ? truncated - 1n : truncated;
      const isSafe = floor >= Number.MIN_SAFE_INTEGER && floor <= Number.MAX_SAFE_INTEGER;
      return { floor: isSafe ? Number(floor) : floor, isInteger: fraction === '' };
    },
    compare: (value, { floor, isInteger }) => {
      if (value < floor) return -1;
      return value > floor ? 1 : isInteger ? 0 : -1;
    },
    isOrdered: true,
    text: null,
  };
}

function doubles(
  column: Column,
  decode: (bytes: Buffer, view: DataView, at: number) => number,
): ValueKind<number, number> {
  return {
    decode,
    of: (value) => value as number,
    literal: (literal) => {
      exactNumber(literal, column);
      return Number((literal as { text: string }).text);
    },
    compare: (value, literal) => (value < literal ? -1 : value > literal ? 1 : 0),
    isOrdered: true,
    text: null,
  };
}

function decimals(column: Column): ValueKind<ExactNumber, ExactNumber> {
  return {
    decode: (bytes, _, at) => {
      const start = textStart(bytes, at);
      // The log wrote it: a text that is no number is damage.
      return parseExactNumber(bytes.toString('latin1', start, textEnd)) ?? rowRuntime.damaged(at);
    },
    of: (value) => parseExactNumber(value as string) ?? noSuchValue(column),
    literal: (literal) => exactNumber(literal, column),
    compare: compareExactNumbers,
    isOrdered: true,
    text: null,
  };
}

function exactNumber(literal: Literal, column: Column): ExactNumber {
  if (literal.kind !== 'number') throw mismatch(column, literal, 'a number');
  const number = parseExactNumber(literal.text);
  if (number === null) throw conditionError('a number is out of range', literal.at);
  return number;
}

/** Compared by code points, as they are: no collation. */
function texts(column: Column, { isOrdered }: { isOrdered: boolean }): ValueKind<string, string> {
  const decode = (bytes: Buffer, _view: DataView, at: number): string => readText(bytes, at);
  return {
    decode,
    of: (value) => value as string,
    literal: (literal) => {
      if (literal.kind !== 'string') throw mismatch(column, literal, 'a string');
      return literal.text;
    },
    compare: compareCodePoints,
    isOrdered,
    text: decode,
  };
}

/** Equal when they mean the same, however they are written. */
function forms(column: Column, canonical: Canonical, wanted: string): ValueKind<string, string> {
  const of = (text: string): string => canonical(text) ?? text;
  return {
    decode: (bytes, _view, at) => of(readText(bytes, at)),
    of: (value) => of(value as string),
    literal: (literal) => {
      const form = literal.kind === 'string' ? canonical(literal.text) : null;
      if (form === null) throw mismatch(column, literal, wanted);
      return form;
    },
    compare: (value, literal) => (value === literal ? 0 : 1),
    isOrdered: false,
    text: (bytes, _view, at) => readText(bytes, at),
  };
}

function compareCodePoints(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return aboveSurrogates(left) - aboveSurrogates(right);
  }
  return a.length - b.length;
}

/** A surrogate stands for a character above all that are a single unit. */
function aboveSurrogates(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit;
}

const MOMENT = /^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.([0-9]{1,9}))?(Z)?)?$/;

/** Dates and times as text of one form, which is in their order: `2026-11-20`, `2026-11-20 09:15:02.5`. */
function moments(column: Column): ValueKind<string, string> {
  const text = (bytes: Buffer, _view: DataView, at: number): string => readText(bytes, at);
  return {
    decode: (bytes, view, at) => canonicalMoment(text(bytes, view, at)),
    of: (value) => canonicalMoment(value as string),
    literal: (literal) => {
      if (literal.kind !== 'string') throw mismatch(column, literal, MOMENT_HINTS[column.type] ?? '');
      const parts = MOMENT.exec(literal.text);
      const [, date = '', time, , zone] = parts ?? [];
      const isFitting =
        parts !== null &&
        isDate(date) &&
        isTime(time ?? '00:00') &&
        (column.type !== 'date' || time === undefined) &&
        (column.type !== 'datetime' || zone === undefined);
      if (!isFitting) throw mismatch(column, literal, MOMENT_HINTS[column.type] ?? '');
      if (column.type === 'date') return date;
      const seconds = time === undefined ? '00:00:00' : time.length === 5 ? `${time}:00` : time;
      return canonicalMoment(`${date} ${seconds}.${parts?.[3] ?? ''}`);
    },
    compare: (value, literal) => (value < literal ? -1 : value > literal ? 1 : 0),
    isOrdered: true,
    text,
  };
}

const MOMENT_HINTS: Readonly<Record<string, string>> = {
  date: "a date, '2026-11-20'",
  datetime: "a date with or without time, '2026-11-20 09:15:02.5'",
  timestamp: "a date with or without time, in UTC, '2026-11-20T09:15:02.5Z'",
};

function canonicalMoment(text: string): string {
  const withoutZone = text.endsWith('Z') ? text.slice(0, -1) : text;
  const point = withoutZone.indexOf('.');
  const seconds = point < 0 ? withoutZone : withoutZone.slice(0, point);
  const fraction = point < 0 ? '' : withoutTrailingZeros(withoutZone.slice(point + 1));
  const spaced = seconds.charCodeAt(10) === 0x54 ? `${seconds.slice(0, 10)} ${seconds.slice(11)}` : seconds;
  return fraction === '' ? spaced : `${spaced}.${fraction}`;
}

/** Zero and partial dates exist: docs/concepts/values.md. */
function isDate(text: string): boolean {
  return Number(text.slice(5, 7)) <= 12 && Number(text.slice(8, 10)) <= 31;
}

function isTime(text: string): boolean {
  return Number(text.slice(0, 2)) <= 23 && Number(text.slice(3, 5)) <= 59 && Number(text.slice(6, 8)) <= 59;
}

const DURATION = /^(-?)([0-9]{1,3}):([0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]{1,6}))?)?$/;

/** TIME: µs, from -838:59:59 to 838:59:59. */
function durations(column: Column): ValueKind<number, number> {
  const text = (bytes: Buffer, _view: DataView, at: number): string => readText(bytes, at);
  return {
    decode: (bytes, view, at) => microseconds(text(bytes, view, at)) ?? rowRuntime.damaged(at),
    of: (value) => microseconds(value as string) ?? noSuchValue(column),
    literal: (literal) => {
      const value = literal.kind === 'string' ? microseconds(literal.text) : null;
      if (value === null) throw mismatch(column, literal, "a time, '-01:30:00.5'");
      return value;
    },
    compare: (value, literal) => value - literal,
    isOrdered: true,
    text,
  };
}

function microseconds(text: string): number | null {
  const parts = DURATION.exec(text);
  if (parts === null) return null;
  const [, sign, hours, minutes, seconds = '0', fraction = ''] = parts;
  const wholeSeconds = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  const value = wholeSeconds * 1_000_000 + Number(fraction.padEnd(6, '0'));
  return sign === '-' ? 0 - value : value;
}

function byteStrings(column: Column): ValueKind<Uint8Array, Buffer> {
  return {
    decode: (bytes, _, at) => {
      const start = textStart(bytes, at);
      return bytes.subarray(start, textEnd);
    },
    of: (value) => value as Uint8Array,
    literal: (literal) => {
      if (literal.kind !== 'bytes') throw mismatch(column, literal, "bytes, x'00ff'");
      return literal.bytes;
    },
    compare: (value, literal) => Buffer.compare(value, literal),
    isOrdered: true,
    text: null,
  };
}

/** The stream has no such value: whoever made the row did not keep to docs/concepts/values.md. */
function noSuchValue({ name, type }: Column): never {
  throw new TypeError(`a value of "${name}" is no ${type.toUpperCase()}`);
}

function mismatch(column: Column, literal: Literal, wanted: string): TidingsError {
  return conditionError(
    `"${column.name}" is ${article(column)} column and cannot be compared with this ${literal.kind === 'bytes' ? 'byte string' : literal.kind}`,
    literal.at,
    `It is compared with ${wanted}.`,
  );
}

/** For messages: `an INT`. */
export function article({ type }: Column): string {
  return `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type.toUpperCase()}`;
}

/** An Avro int or long. */
function readLong(bytes: Buffer, _view: DataView, at: number): number | bigint {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[at + i] as number;
    value |= (byte & 0x7f) << (7 * i);
    if (byte <= 0x7f) return (value >>> 1) ^ -(value & 1);
  }
  return rowRuntime.wideLong(bytes, at);
}

/** A union of long and string, with null before them when the column is nullable; `at` is its first byte. */
function unsignedReader({ nullable }: Column): (bytes: Buffer, view: DataView, at: number) => number | bigint {
  const longBranch = nullable ? 2 : 0;
  return (bytes, view, at) => {
    if (bytes[at] === longBranch) return readLong(bytes, view, at + 1);
    const start = textStart(bytes, at + 1);
    return rowRuntime.digits(bytes, start, textEnd);
  };
}

/** Where the last text that `textStart` found ends. */
let textEnd = 0;

/** An Avro string or bytes at `at`: where its content begins. */
function textStart(bytes: Buffer, at: number): number {
  let length = 0;
  let p = at;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[p++] as number;
    length |= (byte & 0x7f) << shift;
    if (byte <= 0x7f) break;
  }
  textEnd = p + (length >>> 1);
  return p;
}

function readText(bytes: Buffer, at: number): string {
  const start = textStart(bytes, at);
  return utf8Text(bytes, start, textEnd);
}
