import { float32 } from '../../base/float32.ts';
import type { Value } from '../../core/change.ts';
import type { Column, ColumnType } from '../../core/table-schema.ts';
import { ValueUnfit } from './literals.ts';

const WHOLE: ReadonlySet<ColumnType> = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'bit', 'year']);
const NUMERIC: ReadonlySet<ColumnType> = new Set([...WHOLE, 'decimal', 'float', 'double']);
const FRACTIONS: ReadonlySet<ColumnType> = new Set(['datetime', 'timestamp', 'time']);
/** What the servers take for a year of this or the last century. */
const YEARS_SHORT = { from: 1, to: 99 };
/** Of a FLOAT: every whole number up to here is one. */
const FLOAT_WHOLE_MAX = 2 ** 24;

/** True for a value that is in the target's column what it is in the source's. */
type IsExact = (value: Value) => boolean;

/**
 * Where the servers convert values to the target's type and say nothing of what is lost, not even as a warning: a test that a value loses nothing. Null where
 * the types are such that they would refuse or warn, or nothing can be lost.
 */
export function exactnessOf(source: Column, target: Column): IsExact | null {
  if (target.type === 'enum' || target.type === 'set') return membersKept(source, target);
  if (NUMERIC.has(target.type)) return numberKept(source, target);
  if (target.type === 'char') return spacesKept(source, target);
  if (target.type === 'binary') return paddingKept(source, target);
  if (FRACTIONS.has(target.type) || target.type === 'date') return fractionKept(source, target);
  return null;
}

/** A CHAR loses the spaces at its end, but where a space is five characters: a thing of MariaDB's. */
export function keepsSpaces({ charset }: Column): boolean {
  return charset === 'filename';
}

function spacesKept(source: Column, target: Column): IsExact | null {
  const hasNone = source.type === 'char' && !keepsSpaces(source);
  return hasNone || keepsSpaces(target) ? null : (value) => !textOf(value).endsWith(' ');
}

/** @throws ValueUnfit */
export function checked(isExact: IsExact | null, literal: (value: Value) => string): (value: Value) => string {
  if (isExact === null) return literal;
  return (value) => {
    if (isExact(value)) return literal(value);
    throw new ValueUnfit("the target's column cannot hold the value as it is");
  };
}

/** A number would be taken for the place of a member, and so would a text that is none of them. */
function membersKept(source: Column, { type, members }: Column): IsExact | null {
  if (members === null) return null;
  // There the servers warn.
  if (source.type === type) return null;
  if (NUMERIC.has(source.type)) return () => false;
  const places = new Map(members.map((member, i) => [asTold(member), i]));
  // The error value of an ENUM is written in a way of its own.
  if (type === 'enum') return (value) => value === '' || places.has(asTold(textOf(value)));
  return (value) => {
    if (value === '') return true;
    const found = asTold(textOf(value))
      .split(',')
      .map((member) => places.get(member) ?? -1);
    return found.every((place, i) => place > (i === 0 ? -1 : (found[i - 1] ?? -1)));
  };
}

/** The servers' descriptions of tables are in utf8mb3: a question mark stands for each character beyond. */
function asTold(text: string): string {
  return text.replace(/[\u{10000}-\u{10FFFF}]/gu, '?');
}

function numberKept(source: Column, target: Column): IsExact | null {
  // Bytes would be read as the digits of a number.
  if (!NUMERIC.has(source.type)) {
    return (value) => (typeof value === 'string' ? isNumberText(value, target) : !ArrayBuffer.isView(value));
  }
  if (target.type === 'year') {
    return source.type === 'year'
      ? null
      : (value) => Number(value) < YEARS_SHORT.from || Number(value) > YEARS_SHORT.to;
  }
  if (WHOLE.has(target.type)) return WHOLE.has(source.type) ? null : (value) => fractionOf(value) === '';
  if (target.type === 'decimal') {
    const scale = target.scale ?? 0;
    const fits = WHOLE.has(source.type) || (source.type === 'decimal' && (source.scale ?? 0) <= scale);
    return fits ? null : (value) => (fractionOf(value)?.length ?? Number.POSITIVE_INFINITY) <= scale;
  }
  if (source.type === target.type) return null;
  if (target.type === 'float') {
    if (WHOLE.has(source.type)) return (value) => Math.abs(Number(value)) <= FLOAT_WHOLE_MAX;
    return (value) => isSameNumber(value, float32(Math.fround(Number(value))));
  }
  return source.type === 'float' ? null : (value) => isSameNumber(value, Number(value));
}

/** The text that the number would be shown as, so that two texts never become one number. */
function isNumberText(text: string, { type, scale }: Column): boolean {
  if (type === 'decimal' && (scale ?? 0) > 0) {
    return /^-?(?:0|[1-9]\d*)\.\d+$/.test(text) && text.split('.')[1]?.length === scale && !/^-0\.0*$/.test(text);
  }
  if (type === 'float' || type === 'double') return String(Number(text)) === text;
  return /^(?:0|-?[1-9]\d*)$/.test(text) && (type !== 'year' || text.length === 4);
}

/** Values of the types that are looked at are texts and numbers. */
function textOf(value: Value): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' ? String(value) : '';
}

/** Without zeros at its end; null: it has an exponent. */
function fractionOf(value: Value): string | null {
  if (typeof value === 'number' && Number.isInteger(value)) return '';
  const text = textOf(value);
  if (text.includes('e')) return null;
  return (text.split('.')[1] ?? '').replace(/0+$/, '');
}

function isSameNumber(value: Value, number: number): boolean {
  if (typeof value === 'number') return value === number;
  if (typeof value === 'bigint') return Number.isInteger(number) && BigInt(number) === value;
  // Where they are the same, their sizes are too.
  return digitsOf(textOf(value)) === digitsOf(number.toExponential().replace(/e.*/, ''));
}

/** Those that say something. */
function digitsOf(text: string): string {
  const digits = text.replace(/[-.]/g, '').replace(/^0+/, '');
  return digits.replace(/0+$/, '');
}

/** Zeros are put behind what is shorter. */
function paddingKept(source: Column, { length }: Column): IsExact | null {
  if (source.type === 'binary' && source.length === length) return null;
  return (value) => !(value instanceof Uint8Array) || value.byteLength === length;
}

/** Rounded to the digits that the column has, or cut at the day. */
function fractionKept(source: Column, target: Column): IsExact | null {
  if (!FRACTIONS.has(source.type) && source.type !== 'date') return null;
  // The one would get a day, and the other lose it.
  if ((source.type === 'time') !== (target.type === 'time')) return () => false;
  if (source.type === 'date') return null;
  if (target.type === 'date') return (value) => /[ T]00:00:00(?:\.0*)?Z?$/.test(textOf(value));
  const digits = target.length ?? 0;
  if ((source.length ?? 0) <= digits) return null;
  return (value) => (/\.(\d+)/.exec(textOf(value))?.[1] ?? '').replace(/0+$/, '').length <= digits;
}
