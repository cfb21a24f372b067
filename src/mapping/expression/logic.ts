import { expressionError } from '../faults.ts';
import type { Call } from './call.ts';
import { castMistake, compileCast } from './casts.ts';
import { type Compiled, condition, constantOf, type Evaluate, valueOf } from './compiled.ts';
import { compileComparison } from './comparisons.ts';
import type { Expression } from './syntax.ts';
import { familyOf, textLengthMax, typeText, TYPES, type ValueType } from './value-type.ts';

/** SQL's logic: 1, 0 and NULL; undefined where a column was not logged, which may be any of them. */
type Truth = Evaluate<0 | 1>;
type Part = readonly [syntax: Expression, compiled: Compiled];

export function compileAnd(parts: readonly Part[]): Compiled {
  const truths = parts.map(truthOf);
  return condition((row, change) => {
    let result: 1 | null | undefined = 1;
    for (let i = 0; i < truths.length; i++) {
      const value = (truths[i] as Truth)(row, change);
      if (value === 0) return 0;
      if (value === undefined || (value === null && result !== undefined)) result = value;
    }
    return result;
  }, 'the outcome of and');
}

export function compileOr(parts: readonly Part[]): Compiled {
  const truths = parts.map(truthOf);
  return condition((row, change) => {
    let result: 0 | null | undefined = 0;
    for (let i = 0; i < truths.length; i++) {
      const value = (truths[i] as Truth)(row, change);
      if (value === 1) return 1;
      if (value === undefined || (value === null && result !== undefined)) result = value;
    }
    return result;
  }, 'the outcome of or');
}

export function compileNot(syntax: Expression, operand: Compiled): Compiled {
  const truth = truthOf([syntax, operand]);
  return condition((row, change) => {
    const value = truth(row, change);
    return value === null || value === undefined ? value : value === 1 ? 0 : 1;
  }, 'the outcome of not');
}

function truthOf([{ at }, { type, evaluate, label }]: Part): Truth {
  if (type !== null && !type.isBoolean) {
    throw expressionError(`${label} is ${typeText(type)}, not a condition`, at, 'Compare it with something.');
  }
  return evaluate as Truth;
}

export function compileCase(
  { at, branches: written }: Extract<Expression, { kind: 'case' }>,
  branches: readonly (readonly [when: Compiled, result: Compiled])[],
  otherwise: Compiled,
): Compiled {
  const type = commonType([...branches.map(([, result]) => result), otherwise], at);
  if (type === null) return constantOf(null, null, { kind: 'null', at });
  const truths = branches.map(([when], i) => truthOf([written[i]?.when as Expression, when]));
  const results = branches.map(([, result]) => converted(result, type, at));
  const last = converted(otherwise, type, at);
  const evaluate: Evaluate = (row, change) => {
    for (let i = 0; i < truths.length; i++) {
      const truth = (truths[i] as Truth)(row, change);
      if (truth === 1) return (results[i] as Evaluate)(row, change);
      // Which branch it is cannot be known.
      if (truth === undefined) return undefined;
    }
    return last(row, change);
  };
  return valueOf(type, evaluate, 'the outcome of case');
}

export function compileCoalesce(call: Call): Compiled {
  const type = commonType(call.args, call.at);
  if (type === null) return constantOf(null, null, { kind: 'null', at: call.at });
  const values = call.args.map((argument) => converted(argument, type, call.at));
  const isNeverNull = call.args.some((argument) => argument.type !== null && !argument.type.nullable);
  const evaluate: Evaluate = (row, change) => {
    for (let i = 0; i < values.length; i++) {
      const value = (values[i] as Evaluate)(row, change);
      if (value !== null) return value;
    }
    return null;
  };
  return valueOf({ ...type, nullable: !isNeverNull }, evaluate, call.label);
}

export function compileNullIf(call: Call): Compiled {
  const value = call.argument(0);
  if (value.type === null) return value;
  const equal = compileComparison(
    { kind: 'compare', sign: '=', left: NOTHING, right: NOTHING, at: call.at },
    value,
    call.argument(1),
  ).evaluate;
  const evaluate: Evaluate = (row, change) => {
    const isEqual = equal(row, change);
    return isEqual === 1 ? null : isEqual === undefined ? undefined : value.evaluate(row, change);
  };
  return valueOf({ ...value.type, nullable: true }, evaluate, call.label);
}

const NOTHING: Expression = { kind: 'null', at: 0 };

/** The type that has room for all of them; null when all are NULL. Literals adapt to the others where they can. */
function commonType(values: readonly Compiled[], at: number): ValueType | null {
  let type: ValueType | null = null;
  for (const value of values.toSorted((a, b) => Number(a.literal !== null) - Number(b.literal !== null))) {
    if (value.type === null || (type !== null && isIntegerIn(value, type))) continue;
    const wider: ValueType | null = type === null ? value.type : widerOf(type, literalType(value, type));
    if (wider === null) {
      throw expressionError(
        `the values are ${typeText(type as ValueType)} and ${typeText(value.type)}`,
        at,
        'Cast them to one type.',
      );
    }
    type = wider;
  }
  return type === null
    ? null
    : { ...type, nullable: values.some((value) => value.type === null || value.type.nullable) };
}

const INTEGER_BITS: Readonly<Record<string, bigint>> = {
  tinyint: 8n,
  smallint: 16n,
  mediumint: 24n,
  int: 32n,
  bigint: 64n,
};

/** Whether the value is an integer written out that the type can hold. */
function isIntegerIn({ literal }: Compiled, { type, unsigned, isBoolean }: ValueType): boolean {
  const bits = INTEGER_BITS[type];
  if (literal?.kind !== 'number' || bits === undefined || isBoolean || !/^-?[0-9]+$/.test(literal.text)) return false;
  const value = BigInt(literal.text);
  return unsigned ? value >= 0n && value < 2n ** bits : value >= -(2n ** (bits - 1n)) && value < 2n ** (bits - 1n);
}

/** A number written out is a DOUBLE beside one; an integer beside a DECIMAL has as many digits as are written. */
function literalType({ literal, type }: Compiled, beside: ValueType): ValueType {
  if (literal?.kind === 'number' && familyOf(beside.type) === 'double') return TYPES.double;
  const isDecimal = literal?.kind === 'number' && beside.type === 'decimal' && type?.type === 'bigint';
  return isDecimal ? TYPES.decimal(literal.text.replace('-', '').length, 0) : (type as ValueType);
}

const INTEGER_DIGITS = 20;
const INTEGERS: readonly string[] = ['tinyint', 'smallint', 'mediumint', 'int', 'bigint'];

function widerOf(a: ValueType, b: ValueType): ValueType | null {
  const [family, other] = [familyOf(a.type), familyOf(b.type)];
  const numbers = [family, other].toSorted().join(' ');
  if (numbers === 'decimal integer' || numbers === 'decimal decimal') {
    const scale = Math.max(a.scale ?? 0, b.scale ?? 0);
    return TYPES.decimal(Math.min(65, Math.max(wholeDigits(a), wholeDigits(b)) + scale), scale);
  }
  if (family !== other) return null;
  switch (family) {
    case 'integer':
      if (a.isBoolean && b.isBoolean) return TYPES.boolean;
      if (isPlainInteger(a) && isPlainInteger(b) && a.unsigned === b.unsigned) {
        const wide = INTEGERS.indexOf(a.type) >= INTEGERS.indexOf(b.type) ? a : b;
        return { ...wide, isBoolean: false };
      }
      return isWide(a) || isWide(b) ? TYPES.decimal(INTEGER_DIGITS, 0) : TYPES.bigint;
    case 'double':
      return TYPES.double;
    case 'text': {
      const [length, otherLength] = [textLengthMax(a), textLengthMax(b)];
      return length === null || otherLength === null ? TYPES.text : TYPES.varchar(Math.max(length, otherLength));
    }
    case 'datetime':
    case 'timestamp':
    case 'time':
      return (a.length ?? 0) >= (b.length ?? 0) ? a : b;
    case 'bytes':
      return TYPES.blob;
    default:
      return a;
  }
}

function isPlainInteger({ type }: ValueType): boolean {
  return type !== 'bit' && type !== 'year';
}

/** Beyond a BIGINT with a sign. */
function isWide({ type, unsigned }: ValueType): boolean {
  return type === 'bit' || (type === 'bigint' && unsigned);
}

function wholeDigits({ type, length, scale }: ValueType): number {
  return type === 'decimal' ? (length ?? 65) - (scale ?? 0) : INTEGER_DIGITS;
}

function converted(value: Compiled, type: ValueType, at: number): Evaluate {
  const wanted = { type, text: typeText(type) };
  const cast = compileCast(value, wanted);
  if (cast === null) throw expressionError(castMistake(value, wanted), at);
  return cast.evaluate;
}
