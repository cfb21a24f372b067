import type { ColumnType } from '../../core/table-schema.ts';
import { fault } from '../faults.ts';
import type { Call, FunctionSpec } from './call.ts';
import { type Compiled, strict, strictPair, valueOf, valueOfScaled } from './compiled.ts';
import { floorOf, negated, remainder, rounded, type Scaled, shifted } from './scaled-number.ts';
import { TYPES, type ValueType } from './value-type.ts';

export const DIGITS_MAX = 65;
export const SCALE_MAX = 30;

export const NUMBER_FUNCTIONS: Readonly<Record<string, FunctionSpec>> = {
  abs: { form: 'abs(number)', args: [1, 1], compile: abs },
  round: { form: 'round(number[, digits])', args: [1, 2], compile: round },
  floor: { form: 'floor(number)', args: [1, 1], compile: (call) => whole(call, floorOf) },
  ceil: {
    form: 'ceil(number)',
    args: [1, 1],
    compile: (call) => whole(call, (value, scale) => negated(floorOf(negated(value), scale))),
  },
  mod: { form: 'mod(number, divisor)', args: [2, 2], compile: mod },
};

/** Every integer of so many digits is a BIGINT; every BIGINT has at most so many. */
const BIGINT_DIGITS = 18;
const INTEGER_DIGITS = 20;

/** The type of a number whose digits behind the point have become these. */
function exactType({ type }: Compiled, scale: number): ValueType {
  const isDecimal = type?.type === 'decimal';
  if (!isDecimal && scale === 0) return type === null || type.isBoolean ? TYPES.bigint : type;
  // Rounding up can make one digit more.
  const whole = isDecimal ? (type.length ?? DIGITS_MAX) - (type.scale ?? 0) + 1 : INTEGER_DIGITS;
  return scale === 0 && whole <= BIGINT_DIGITS
    ? TYPES.bigint
    : TYPES.decimal(Math.min(DIGITS_MAX, whole + scale), scale);
}

const SIGNED: ReadonlySet<ColumnType> = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint']);

function abs(call: Call): Compiled {
  const { type } = call.argument(0);
  if (call.family(0) === 'double') {
    return valueOf(TYPES.double, strict(call.of<number>(0, ['double'], 'a number'), Math.abs), call.label);
  }
  const { scaled } = call.scaled(0);
  // The least number of a signed type has no positive one there: -128 of a TINYINT.
  const canGrow = type === null || (SIGNED.has(type.type) && !type.unsigned);
  return valueOfScaled(
    canGrow ? TYPES.bigint : type,
    strict(scaled, (value) => (value < 0 ? negated(value) : value)),
    call.label,
  );
}

/** Half away from zero. Of exact numbers only: a DOUBLE has no such digits. */
function round(call: Call): Compiled {
  const { scaled, scale } = call.scaled(0);
  const digits = call.args.length === 2 ? call.integerLiteral(1) : 0;
  if (digits < 0 || digits > SCALE_MAX) throw call.mistake(1, `0 to ${SCALE_MAX} digits`);
  const apply: (value: Scaled) => Scaled =
    digits < scale ? (value) => rounded(value, scale - digits) : (value) => shifted(value, digits - scale);
  return valueOfScaled(exactType(call.argument(0), digits), strict(scaled, apply), call.label);
}

function whole(call: Call, apply: (value: Scaled, scale: number) => Scaled): Compiled {
  const { scaled, scale } = call.scaled(0);
  return valueOfScaled(
    exactType(call.argument(0), 0),
    strict(scaled, (value) => apply(value, scale)),
    call.label,
  );
}

function mod(call: Call): Compiled {
  const a = call.scaled(0);
  const b = call.scaled(1);
  const scale = Math.max(a.scale, b.scale);
  const evaluate = strictPair(a.scaled, b.scaled, (left, right) =>
    right === 0 || right === 0n
      ? fault('division by zero')
      : remainder(shifted(left, scale - a.scale), shifted(right, scale - b.scale)),
  );
  return valueOfScaled(exactType(call.argument(0), scale), evaluate, call.label);
}
