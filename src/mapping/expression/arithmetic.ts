import { expressionError, fault } from '../faults.ts';
import { type Compiled, type Evaluate, strict, strictPair, valueOf, valueOfScaled } from './compiled.ts';
import { doubleOfInteger } from './casts.ts';
import { DIGITS_MAX, SCALE_MAX } from './number-functions.ts';
import { add, multiply, negated, quotient, type Scaled, shifted, subtract } from './scaled-number.ts';
import type { ArithmeticSign, Expression } from './syntax.ts';
import { familyOf, typeText, TYPES, type ValueType } from './value-type.ts';

/** So many digits more than the dividend has, as in MySQL. */
const DIVISION_DIGITS = 4;

type Arithmetic = Extract<Expression, { kind: 'arithmetic' }>;

/**
 * Integers and DECIMALs are calculated exactly, whatever their size; division is rounded, half away from zero. With a DOUBLE or FLOAT the whole operation
 * is done in doubles.
 */
export function compileArithmetic({ sign, at }: Arithmetic, left: Compiled, right: Compiled): Compiled {
  const label = `the result of ${sign}`;
  if (left.type === null || right.type === null) return { ...valueOf(TYPES.bigint, () => null, label), type: null };
  for (const side of [left, right]) checkNumber(side, sign, at);
  if (isDouble(left) || isDouble(right)) {
    const apply = DOUBLE_OPERATIONS[sign];
    const evaluate = strictPair(doubleOf(left), doubleOf(right), (a, b) => finite(apply(a, b)));
    return valueOf(TYPES.double, evaluate, label);
  }
  return compileExact(sign, { left, right, label, at });
}

export function compileNegative({ at }: { readonly at: number }, operand: Compiled): Compiled {
  if (operand.type === null) return operand;
  checkNumber(operand, '-', at);
  if (operand.scaled === null) {
    return valueOf(
      TYPES.double,
      strict(doubleOf(operand), (value) => -value),
      operand.label,
    );
  }
  const type = operand.type.type === 'decimal' ? operand.type : TYPES.bigint;
  return valueOfScaled(type, strict(operand.scaled, negated), operand.label);
}

function compileExact(
  sign: ArithmeticSign,
  {
    left,
    right,
    label,
    at,
  }: { readonly left: Compiled; readonly right: Compiled; readonly label: string; readonly at: number },
): Compiled {
  const a = exactOf(left);
  const b = exactOf(right);
  const common = Math.max(a.scale, b.scale);
  const leftShift = common - a.scale;
  const rightShift = common - b.scale;
  const isInteger = [left, right].every(({ type }) => type?.type !== 'decimal');
  const typeOf = ({ scale, whole }: { readonly scale: number; readonly whole: number }): ValueType =>
    isInteger ? TYPES.bigint : TYPES.decimal(Math.min(DIGITS_MAX, whole + scale), scale);
  switch (sign) {
    case '+':
    case '-': {
      const apply = sign === '+' ? add : subtract;
      const scaled = strictPair(a.scaled, b.scaled, (x, y) => apply(shifted(x, leftShift), shifted(y, rightShift)));
      return valueOfScaled(typeOf({ scale: common, whole: Math.max(a.whole, b.whole) + 1 }), scaled, label);
    }
    case '*': {
      const scale = a.scale + b.scale;
      if (scale > SCALE_MAX) throw tooManyDigits(at);
      return valueOfScaled(
        typeOf({ scale, whole: a.whole + b.whole }),
        strictPair(a.scaled, b.scaled, multiply),
        label,
      );
    }
    case '/': {
      const scale = Math.min(a.scale + DIVISION_DIGITS, SCALE_MAX);
      const digits = scale - a.scale + b.scale;
      const scaled = strictPair(a.scaled, b.scaled, (x, y) =>
        y === 0 || y === 0n ? fault('division by zero') : quotient(x, y, { digits }),
      );
      return valueOfScaled(TYPES.decimal(Math.min(DIGITS_MAX, a.whole + b.scale + scale), scale), scaled, label);
    }
  }
}

interface Exact {
  readonly scaled: Evaluate<Scaled>;
  readonly scale: number;
  /** Digits before the point, at most. */
  readonly whole: number;
}

const INTEGER_DIGITS = 20;
const DIGITS: Readonly<Record<string, number>> = { tinyint: 3, smallint: 5, mediumint: 8, int: 10, year: 4 };

function exactOf({ type, scaled, literal }: Compiled): Exact {
  const scale = type?.scale ?? 0;
  const written = literal?.kind === 'number' ? literal.text.replace(/^-|\..*$/g, '').length : null;
  const whole =
    type?.type === 'decimal'
      ? (type.length ?? DIGITS_MAX) - scale
      : (written ?? DIGITS[type?.type ?? ''] ?? INTEGER_DIGITS);
  return { scaled: scaled as Evaluate<Scaled>, scale, whole };
}

function tooManyDigits(at: number): Error {
  return expressionError(
    `the product has more than ${SCALE_MAX} digits behind the point`,
    at,
    'Round or cast one of the factors first.',
  );
}

function isDouble({ type }: Compiled): boolean {
  return type !== null && familyOf(type.type) === 'double';
}

function checkNumber({ type, label }: Compiled, sign: string, at: number): void {
  if (type === null || ['integer', 'decimal', 'double'].includes(familyOf(type.type))) return;
  throw expressionError(`"${sign}" takes numbers, and ${label} is ${typeText(type)}`, at, 'Cast it to a number.');
}

/** Of a number; an integer that no double is must be cast by whoever wants to lose its last digits. */
export function doubleOf({ type, evaluate }: Compiled): Evaluate<number> {
  if (type === null) return () => null;
  switch (familyOf(type.type)) {
    case 'integer':
      return strict(evaluate as Evaluate<Scaled>, doubleOfInteger);
    case 'decimal':
      return strict(evaluate as Evaluate<string>, Number);
    default:
      return evaluate as Evaluate<number>;
  }
}

const DOUBLE_OPERATIONS: Readonly<Record<ArithmeticSign, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => (b === 0 ? fault('division by zero') : a / b),
};

function finite(value: number): number {
  return Number.isFinite(value) ? value : fault('the result is beyond a DOUBLE');
}
