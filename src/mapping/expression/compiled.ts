import type { Row, Value } from '../../core/change.ts';
import type { StreamChange } from '../../core/consumer.ts';
import { jsonNumber } from '../../formats/json-text.ts';
import { fault } from '../faults.ts';
import { decimalText, narrow, type Scaled, scaledOf } from './scaled-number.ts';
import type { Expression } from './syntax.ts';
import { familyOf, TYPES, type ValueType } from './value-type.ts';

/**
 * The value for a row. Undefined: it cannot be known, as a column that it needs was not logged. Of the change only what holds for the change as a
 * whole is looked at (its SCN, its time), never its images.
 *
 * @throws ValueFault when there is no exact value
 */
export type Evaluate<V = Value> = (row: Row, change: StreamChange) => V | null | undefined;

/** An expression that was checked against a table, ready to be evaluated row by row. */
export interface Compiled {
  /** Null: it is NULL, and of any type. */
  readonly type: ValueType | null;
  readonly evaluate: Evaluate;
  /** Of integers and decimals: the value with the type's digits behind the point, and of any size. Null for the others. */
  readonly scaled: Evaluate<Scaled> | null;
  /** What a message calls it: a column's name, a function's. */
  readonly label: string;
  /** Where it is a literal: as it was written. */
  readonly literal: Expression | null;
}

export function valueOf(type: ValueType, evaluate: Evaluate, label: string): Compiled {
  return { type, evaluate, scaled: scaledEvaluate(type, evaluate), label, literal: null };
}

function scaledEvaluate({ type }: ValueType, evaluate: Evaluate): Evaluate<Scaled> | null {
  switch (familyOf(type)) {
    case 'integer':
      return evaluate as Evaluate<Scaled>;
    case 'decimal':
      return (row, change) => {
        const value = evaluate(row, change);
        return value === null || value === undefined ? value : scaledOf(value as string);
      };
    default:
      return null;
  }
}

/** An integer or a decimal that was calculated. */
export function valueOfScaled(type: ValueType, scaled: Evaluate<Scaled>, label: string): Compiled {
  const evaluate: Evaluate =
    type.type === 'decimal'
      ? (row, change) => {
          const value = scaled(row, change);
          return value === null || value === undefined
            ? value
            : decimalText(checkedDigits(value, type), type.scale ?? 0);
        }
      : (row, change) => {
          const value = scaled(row, change);
          return typeof value === 'bigint' ? checkedBigint(value, type) : value;
        };
  return { type, evaluate, scaled, label, literal: null };
}

function checkedBigint(value: bigint, { unsigned }: ValueType): Scaled {
  if (unsigned ? BigInt.asUintN(64, value) !== value : BigInt.asIntN(64, value) !== value) {
    fault('the result is beyond a BIGINT: cast it to a DECIMAL');
  }
  return narrow(value);
}

function checkedDigits(value: Scaled, { length }: ValueType): Scaled {
  if (typeof value === 'bigint' && String(value).length - (value < 0n ? 1 : 0) > (length ?? 65)) {
    fault('the result has more than 65 digits');
  }
  return value;
}

/** Whatever the row, the same value. */
export function constantOf(value: Value, type: ValueType | null, literal: Expression): Compiled {
  if (type === null) return { type, evaluate: () => value, scaled: null, label: 'null', literal };
  const scaled = familyOf(type.type) === 'decimal' ? scaledOf(value as string) : (value as Scaled);
  const isExact = ['integer', 'decimal'].includes(familyOf(type.type));
  return { type, evaluate: () => value, scaled: isExact ? () => scaled : null, label: 'the literal', literal };
}

/** NULL for NULL, unknown for unknown. */
export function strict<V, R = Value>(evaluate: Evaluate<V>, apply: (value: V) => R | null): Evaluate<R> {
  return (row, change) => {
    const value = evaluate(row, change);
    if (value === null) return null;
    return value === undefined ? undefined : apply(value);
  };
}

/** NULL when either is, whatever the other one would be. */
export function strictPair<A, B, R = Value>(
  left: Evaluate<A>,
  right: Evaluate<B>,
  apply: (a: A, b: B) => R,
): Evaluate<R> {
  return (row, change) => {
    const a = left(row, change);
    if (a === null) return null;
    const b = right(row, change);
    if (b === null) return null;
    return a === undefined || b === undefined ? undefined : apply(a, b);
  };
}

/** The text of a value, as SELECT shows it; null for types that have none. */
export function textOf({ type, isBoolean }: ValueType): ((value: Value) => string) | null {
  switch (familyOf(type)) {
    case 'integer':
      return isBoolean ? (value) => (value === 1 ? 'true' : 'false') : (value) => `${value as Scaled}`;
    case 'double':
      return (value) => jsonNumber(value as number) ?? fault('the number is not finite');
    case 'bytes':
    case 'vector':
      return null;
    default:
      return (value) => value as string;
  }
}

export function condition(evaluate: Evaluate<0 | 1>, label: string): Compiled {
  return valueOf(TYPES.boolean, evaluate, label);
}
