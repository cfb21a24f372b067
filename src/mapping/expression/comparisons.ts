import type { Value } from '../../core/change.ts';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import { kindOf, type ValueKind } from '../../formats/log/value-kinds.ts';
import type { Comparison, Literal } from '../../formats/log/where-parser.ts';
import { expressionError } from '../faults.ts';
import { doubleOf } from './arithmetic.ts';
import { type Compiled, condition, type Evaluate, strict, strictPair } from './compiled.ts';
import { multiply, type Scaled } from './scaled-number.ts';
import type { Expression } from './syntax.ts';
import { familyOf, typeText } from './value-type.ts';

type Place = { readonly at: number };

/** As docs/reference/filters.md compares: exactly, text by code points, dates in time. */
export function compileComparison(
  { sign, at }: Extract<Expression, { kind: 'compare' }>,
  left: Compiled,
  right: Compiled,
): Compiled {
  const isSwapped = left.literal !== null && right.literal === null;
  const [a, b] = isSwapped ? [right, left] : [left, right];
  const order = compileOrder(a, b, { at, isOrdered: sign !== '=' && sign !== '<>' });
  const passes = OUTCOMES[isSwapped ? SWAPPED[sign] : sign];
  return condition(strict(order, passes), `the outcome of ${sign}`);
}

/** As a chain of ORs has it: NULL in the list makes what is not found NULL. */
export function compileIn({ at }: Place, left: Compiled, list: readonly Compiled[]): Compiled {
  const orders = list.map((item) => compileOrder(left, item, { at, isOrdered: false }));
  return condition((row, change) => {
    let isNull = false;
    let isUnknown = false;
    for (const order of orders) {
      const value = order(row, change);
      if (value === 0) return 1;
      if (value === null) isNull = true;
      else if (value === undefined) isUnknown = true;
    }
    return isUnknown ? undefined : isNull ? null : 0;
  }, 'the outcome of in');
}

const OUTCOMES: Readonly<Record<Comparison, (order: number) => 0 | 1>> = {
  '=': (order) => (order === 0 ? 1 : 0),
  '<>': (order) => (order === 0 ? 0 : 1),
  '<': (order) => (order < 0 ? 1 : 0),
  '<=': (order) => (order <= 0 ? 1 : 0),
  '>': (order) => (order > 0 ? 1 : 0),
  '>=': (order) => (order >= 0 ? 1 : 0),
};

const SWAPPED: Readonly<Record<Comparison, Comparison>> = {
  '=': '=',
  '<>': '<>',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

/** Negative, 0 or positive: how the left value stands to the right one. */
function compileOrder(
  left: Compiled,
  right: Compiled,
  { at, isOrdered }: Place & { readonly isOrdered: boolean },
): Evaluate<number> {
  if (left.type === null || right.type === null) {
    throw expressionError('nothing equals null', at, 'Write "is null" or "is not null".');
  }
  const [a, b] = [familyOf(left.type.type), familyOf(right.type.type)];
  const isNumber = (family: string): boolean => family === 'integer' || family === 'decimal' || family === 'double';
  if (isNumber(a) && isNumber(b)) {
    if (left.scaled !== null && right.scaled !== null) {
      return compileExact(left.scaled, right.scaled, scaleOf(right) - scaleOf(left));
    }
    const isExponent = left.scaled !== null && right.literal !== null;
    if (!isExponent) return strictPair(orderedOf(left), orderedOf(right), orderOf);
  }
  const kind = kindOf({ name: left.label.replaceAll('"', ''), ...left.type });
  if (kind === null || (!kind.isOrdered && isOrdered)) {
    throw expressionError(
      `${left.label} is ${typeText(left.type)}, whose values ${kind === null ? 'cannot be compared' : 'have no order'}`,
      at,
    );
  }
  const literal = literalOf(right);
  if (literal !== null) return compileLiteral(left, kind, literal);
  if (a !== b) {
    throw expressionError(
      `${left.label} is ${typeText(left.type)} and ${right.label} is ${typeText(right.type)}: they cannot be compared`,
      at,
      'Cast one of them.',
    );
  }
  return strictPair(left.evaluate, right.evaluate, (x, y) => kind.compare(kind.of(x), kind.of(y)));
}

function literalOf({ literal }: Compiled): Literal | null {
  return literal?.kind === 'string' || literal?.kind === 'bytes' || literal?.kind === 'number' ? literal : null;
}

function compileLiteral(
  left: Compiled,
  { of, literal, compare }: ValueKind<unknown, unknown>,
  right: Literal,
): Evaluate<number> {
  const value = understood(() => literal(right));
  return strict(left.evaluate, (found: Value) => compare(of(found), value));
}

/** A mistake in a condition is one of the mapping here. */
export function understood<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!isTidingsError(error)) throw error;
    throw new TidingsError('MAPPING_INVALID', error.message.replace(/ of the condition$/, ''), {
      hint: error.hint,
      details: error.details,
    });
  }
}

function scaleOf({ type }: Compiled): number {
  return type?.scale ?? 0;
}

/** @param digits how many more digits behind the point the right side has */
function compileExact(left: Evaluate<Scaled>, right: Evaluate<Scaled>, digits: number): Evaluate<number> {
  if (digits === 0) return strictPair(left, right, orderOf);
  const unit = 10n ** BigInt(Math.abs(digits));
  const factor = unit <= Number.MAX_SAFE_INTEGER ? Number(unit) : unit;
  if (digits > 0) return strictPair(left, right, (a, b) => orderOf(multiply(a, factor), b));
  return strictPair(left, right, (a, b) => orderOf(a, multiply(b, factor)));
}

function orderOf(a: number | bigint, b: number | bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Beside a double, an integer is compared as it is, a DECIMAL as the double that it is nearest to. */
function orderedOf(side: Compiled): Evaluate<number | bigint> {
  return side.type !== null && familyOf(side.type.type) === 'integer'
    ? (side.scaled as Evaluate<Scaled>)
    : doubleOf(side);
}
