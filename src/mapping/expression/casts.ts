import type { Value } from '../../core/change.ts';
import { epochDays } from '../../formats/calendar.ts';
import { type ExactNumber, parseExactNumber } from '../../formats/log/exact-number.ts';
import { expressionError, fault, ValueFault } from '../faults.ts';
import type { CastType } from './cast-type.ts';
import { type Compiled, constantOf, type Evaluate, strict, textOf, valueOf, valueOfScaled } from './compiled.ts';
import { narrow, type Scaled, scaledOf, shifted } from './scaled-number.ts';
import type { Expression } from './syntax.ts';
import { characterCount } from './text-units.ts';
import { type Family, familyOf, typeText, type ValueType } from './value-type.ts';

/**
 * A value as another type: exactly, or not at all (I1). What would round, cut off or guess is a fault of the row.
 *
 * Null when no value of the one type can be one of the other: that is a mistake in the rule.
 */
export function compileCast(operand: Compiled, wanted: CastType): Compiled | null {
  const { type } = wanted;
  if (operand.type === null) return valueOf(type, () => null, operand.label);
  const target: ValueType = { ...type, nullable: operand.type.nullable };
  if (isSame(operand.type, target)) return { ...operand, literal: null };
  const cast = compileConversion(operand, target, wanted);
  return cast === null || operand.literal === null ? cast : castOfLiteral(cast, operand.literal);
}

/** What is written out has its value at once, or is a mistake in the rule. @throws TidingsError MAPPING_INVALID */
function castOfLiteral(cast: Compiled, literal: Expression): Compiled {
  try {
    const value = cast.evaluate({}, {} as Parameters<Evaluate>[1]) ?? null;
    return { ...constantOf(value, cast.type, literal), label: cast.label, literal: null };
  } catch (error) {
    if (error instanceof ValueFault) throw expressionError(error.reason, literal.at);
    throw error;
  }
}

function compileConversion(operand: Compiled, target: ValueType, { type, text }: CastType): Compiled | null {
  if (operand.type === null) return null;
  const from = familyOf(operand.type.type);
  const name = text.toUpperCase();
  switch (familyOf(type.type)) {
    case 'integer':
      return type.isBoolean ? toBoolean(operand, target) : toInteger(operand, target, { from, name });
    case 'decimal': {
      const scaled = toScaled(operand, { from, scale: type.scale ?? 0, name });
      if (scaled === null) return null;
      const limit = 10n ** BigInt(type.length ?? 10);
      return valueOfScaled(
        target,
        strict(scaled, (value) => (value < limit && value > -limit ? value : fault(`the number is beyond ${name}`))),
        operand.label,
      );
    }
    case 'double':
      return toDouble(operand, target, from);
    case 'text':
      return toText(operand, target, { from, name });
    case 'bytes':
      return toBytes(operand, target, { from, name });
    case 'date':
    case 'datetime':
    case 'timestamp':
    case 'time':
      return toMoment(operand, target, { from, name });
    case 'json':
      return toJson(operand, target);
    case 'vector':
      return null;
  }
}

function isSame(a: ValueType, b: ValueType): boolean {
  return (
    a.type === b.type &&
    a.unsigned === b.unsigned &&
    a.length === b.length &&
    a.scale === b.scale &&
    a.isBoolean === b.isBoolean
  );
}

interface Way {
  readonly from: Family;
  /** Of the type that is wanted, for messages. */
  readonly name: string;
}

const INTEGER_BITS = { tinyint: 8, smallint: 16, mediumint: 24, int: 32, bigint: 64 } as const;
/** YEAR has 0, and what comes behind this one. */
const YEARS_FROM = 1900;

function toInteger(operand: Compiled, type: ValueType, way: Way): Compiled | null {
  const scaled = toScaled(operand, { ...way, scale: 0 });
  if (scaled === null) return null;
  const { min, max } = integerRange(type);
  const evaluate = strict(scaled, (value): Scaled => {
    const isYear = type.type !== 'year' || value === 0 || value > YEARS_FROM;
    if (value < min || value > max || !isYear) fault(`the number is beyond ${way.name}`);
    return typeof value === 'bigint' ? narrow(value) : value;
  });
  return valueOf(type, evaluate, operand.label);
}

function integerRange({ type, unsigned, length }: ValueType): { readonly min: Scaled; readonly max: Scaled } {
  if (type === 'year') return { min: 0, max: 2155 };
  if (type === 'bit') return { min: 0, max: narrow(2n ** BigInt(length ?? 1) - 1n) };
  const bits = BigInt(INTEGER_BITS[type as keyof typeof INTEGER_BITS]);
  return {
    min: narrow(unsigned ? 0n : -(2n ** (bits - 1n))),
    max: narrow(unsigned ? 2n ** bits - 1n : 2n ** (bits - 1n) - 1n),
  };
}

function toBoolean(operand: Compiled, type: ValueType): Compiled | null {
  if (operand.scaled === null || operand.type?.type === 'decimal') return null;
  const evaluate = strict(operand.scaled, (value): Scaled => {
    if (value !== 0 && value !== 1) fault('only 0 and 1 are BOOLEAN');
    return value;
  });
  return valueOf(type, evaluate, operand.label);
}

/** With so many digits behind the point, when none is lost. */
function toScaled(operand: Compiled, { from, scale, name }: Way & { readonly scale: number }): Evaluate<Scaled> | null {
  const lost = `the number has more digits behind the point than ${name}: round it`;
  if (operand.scaled !== null) {
    const present = operand.type?.type === 'decimal' ? (operand.type.scale ?? 0) : 0;
    if (present <= scale) return strict(operand.scaled, (value) => shifted(value, scale - present));
    const unit = 10n ** BigInt(present - scale);
    return strict(operand.scaled, (value) => {
      const wide = BigInt(value);
      return wide % unit === 0n ? narrow(wide / unit) : fault(lost);
    });
  }
  const exact = (text: string): Scaled => {
    const number = parseExactNumber(text) ?? fault(`the text is no ${name}`);
    return number.fraction.length > scale ? fault(lost) : scaledExact(number, scale);
  };
  if (from === 'text') return strict(operand.evaluate as Evaluate<string>, exact);
  if (from === 'double') return strict(operand.evaluate as Evaluate<number>, (value) => exact(String(value)));
  return null;
}

function scaledExact({ isNegative, whole, fraction }: ExactNumber, scale: number): Scaled {
  return scaledOf(`${isNegative ? '-' : ''}${whole}${fraction.padEnd(scale, '0')}` || '0');
}

/** Up to so many digits, a decimal number is the shortest one of its double. */
const DOUBLE_DIGITS = 15;

function toDouble(operand: Compiled, type: ValueType, from: Family): Compiled | null {
  switch (from) {
    case 'double':
      return { ...operand, type, literal: null };
    case 'integer':
      return valueOf(type, strict(operand.evaluate as Evaluate<Scaled>, doubleOfInteger), operand.label);
    case 'decimal': {
      const isAlwaysExact = (operand.type?.length ?? Infinity) <= DOUBLE_DIGITS;
      return valueOf(
        type,
        strict(operand.evaluate as Evaluate<string>, isAlwaysExact ? Number : doubleOfText),
        operand.label,
      );
    }
    case 'text':
      return valueOf(type, strict(operand.evaluate as Evaluate<string>, doubleOfText), operand.label);
    default:
      return null;
  }
}

export function doubleOfInteger(value: Scaled): number {
  const double = Number(value);
  return typeof value === 'bigint' && BigInt(double) !== value ? fault('the number is not exact as a DOUBLE') : double;
}

function doubleOfText(text: string): number {
  const number = parseExactNumber(text) ?? fault('the text is no number');
  const double = Number(text);
  if (number.whole.length + number.fraction.length <= DOUBLE_DIGITS && Number.isFinite(double)) return double;
  const back = Number.isFinite(double) ? parseExactNumber(String(double)) : null;
  return back?.whole === number.whole && back.fraction === number.fraction
    ? double
    : fault('the number is not exact as a DOUBLE');
}

function toText(operand: Compiled, type: ValueType, { from, name }: Way): Compiled | null {
  const max = type.type === 'text' ? null : type.length;
  const checked = (text: string): string =>
    max !== null && text.length > max && characterCount(text) > max
      ? fault(`the text is longer than ${name}: truncate it`)
      : text;
  if (from === 'bytes') {
    return valueOf(
      type,
      strict(operand.evaluate as Evaluate<Uint8Array>, (bytes) => checked(utf8(bytes))),
      operand.label,
    );
  }
  const text = operand.type === null ? null : textOf(operand.type);
  return text === null
    ? null
    : valueOf(
        type,
        strict(operand.evaluate, (value) => checked(text(value))),
        operand.label,
      );
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    return fault('the bytes are no text in UTF-8');
  }
}

function toBytes(operand: Compiled, type: ValueType, { from, name }: Way): Compiled | null {
  const { length } = type;
  const checked = (bytes: Uint8Array): Uint8Array => {
    if (length === null || bytes.length === length) return bytes;
    if (bytes.length > length) fault(`the bytes are more than ${name}: truncate them`);
    // BINARY(n) has all its n bytes: docs/concepts/values.md.
    return type.type === 'binary' ? Buffer.concat([bytes], length) : bytes;
  };
  if (from === 'bytes') return valueOf(type, strict(operand.evaluate as Evaluate<Uint8Array>, checked), operand.label);
  if (from !== 'text' && from !== 'json') return null;
  const encode = (text: string): Uint8Array =>
    text.isWellFormed() ? checked(Buffer.from(text)) : fault('the text is no Unicode text');
  return valueOf(type, strict(operand.evaluate as Evaluate<string>, encode), operand.label);
}

/** A DATETIME is taken as one in UTC where an instant is wanted, and the other way around. */
function toMoment(operand: Compiled, type: ValueType, { from, name }: Way): Compiled | null {
  const wanted = type.type as 'date' | 'datetime' | 'timestamp' | 'time';
  const isPossible =
    from === 'text' ||
    (wanted === 'time' ? from === 'time' : from === 'date' || from === 'datetime' || from === 'timestamp');
  if (!isPossible) return null;
  const parts = momentParts(from, { wanted, none: `the value is no ${name}`, digits: operand.type?.length ?? 0 });
  const digits = type.length ?? 0;
  const cast = (text: string): string => {
    const { day, seconds, fraction } = parts(text);
    const time = withFraction(seconds, { fraction, digits });
    if (wanted === 'time') return time;
    if (wanted !== 'date') return wanted === 'datetime' ? `${day} ${time}` : `${day}T${time}Z`;
    return seconds === '00:00:00' ? day : fault('it has a time of day: take its date(…)');
  };
  return valueOf(type, strict(operand.evaluate as Evaluate<string>, cast), operand.label);
}

interface MomentParts {
  /** Empty for a TIME. */
  readonly day: string;
  readonly seconds: string;
  readonly fraction: string;
}

const DATE_TIME = /^(\d{4}-\d{2}-\d{2})(?:[ T]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d{1,6}))?(Z?))?$/;
const TIME = /^(-?\d{2,3}:[0-5]\d:[0-5]\d)(?:\.(\d{1,6}))?$/;

/** What comes from a column has one form, and passes on as it is, zero dates included; a text must be a day of the calendar. */
function momentParts(
  from: Family,
  {
    wanted,
    none,
    digits,
  }: { readonly wanted: 'date' | 'datetime' | 'timestamp' | 'time'; readonly none: string; readonly digits: number },
): (text: string) => MomentParts {
  if (from === 'date') return (day) => ({ day, seconds: '00:00:00', fraction: '' });
  if (from === 'datetime' || from === 'timestamp') {
    return (text) => ({ day: text.slice(0, 10), seconds: text.slice(11, 19), fraction: text.slice(20, 20 + digits) });
  }
  if (from === 'time') {
    return (text) => {
      const point = text.length - (digits === 0 ? 0 : digits + 1);
      return { day: '', seconds: text.slice(0, point), fraction: text.slice(point + 1) };
    };
  }
  if (wanted === 'time') {
    return (text) => {
      const [, seconds = '', fraction = ''] = TIME.exec(text) ?? fault(none);
      return { day: '', seconds, fraction };
    };
  }
  return (text) => {
    const [, day = '', seconds = '00:00:00', fraction = ''] = DATE_TIME.exec(text) ?? fault(none);
    return epochDays(day) === null ? fault(none) : { day, seconds, fraction };
  };
}

function withFraction(
  seconds: string,
  { fraction, digits }: { readonly fraction: string; readonly digits: number },
): string {
  for (let i = digits; i < fraction.length; i++) {
    if (fraction[i] !== '0') {
      fault(digits === 0 ? 'it has fractions of a second' : `it has more than ${digits} digits of a second`);
    }
  }
  return digits === 0 ? seconds : `${seconds}.${fraction.slice(0, digits).padEnd(digits, '0')}`;
}

function toJson(operand: Compiled, type: ValueType): Compiled | null {
  const { evaluate, type: from } = operand;
  if (from === null) return null;
  switch (familyOf(from.type)) {
    case 'text':
      return valueOf(type, strict(evaluate as Evaluate<string>, checkedJson), operand.label);
    case 'integer':
    case 'double': {
      const text = textOf(from) as (value: Value) => string;
      return valueOf(type, strict(evaluate, text), operand.label);
    }
    case 'decimal':
      return valueOf(type, evaluate, operand.label);
    default:
      return null;
  }
}

function checkedJson(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return fault('the text is no JSON document');
  }
}

/** For messages: why a cast cannot work. */
export function castMistake({ type, label }: Compiled, { text }: CastType): string {
  return `${label} is ${type === null ? 'NULL' : typeText(type)}, which is never ${text.toUpperCase()}`;
}
