/**
 * Exact arithmetic on numbers with a fixed number of digits behind the point: an integer of that many more digits. A number as long as it
 * is exact, a bigint beyond that.
 */
export type Scaled = number | bigint;

/** So many characters, sign and point included, are always an exact number. */
const SHORT_TEXT = 16;

/** Of a DECIMAL's text, which has as many digits behind the point as its type says. */
export function scaledOf(text: string): Scaled {
  const point = text.indexOf('.');
  const digits = point < 0 ? text : text.slice(0, point) + text.slice(point + 1);
  // Adding 0 makes 0 of -0.
  return digits.length < SHORT_TEXT ? Number(digits) + 0 : BigInt(digits);
}

/** The other way around: `-12.30`. */
export function decimalText(value: Scaled, scale: number): string {
  if (scale === 0) return String(value);
  const isNegative = value < 0;
  const digits = String(isNegative ? -value : value).padStart(scale + 1, '0');
  const point = digits.length - scale;
  return `${isNegative ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`;
}

export function add(a: Scaled, b: Scaled): Scaled {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return BigInt(a) + BigInt(b);
}

export function subtract(a: Scaled, b: Scaled): Scaled {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b;
    if (Number.isSafeInteger(difference)) return difference;
  }
  return BigInt(a) - BigInt(b);
}

export function multiply(a: Scaled, b: Scaled): Scaled {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b;
    if (Number.isSafeInteger(product)) return product + 0;
  }
  return BigInt(a) * BigInt(b);
}

/** With that many digits more behind the point. */
export function shifted(value: Scaled, digits: number): Scaled {
  return digits === 0 ? value : multiply(value, digits <= 15 ? 10 ** digits : 10n ** BigInt(digits));
}

/** `a · 10^digits / b`, rounded to an integer, half away from zero. `b` is not 0. */
export function quotient(a: Scaled, b: Scaled, { digits }: { readonly digits: number }): Scaled {
  const dividend = BigInt(a) * 10n ** BigInt(digits);
  const divisor = BigInt(b);
  const whole = dividend / divisor;
  const rest = dividend - whole * divisor;
  const isHalf = absolute(rest) * 2n >= absolute(divisor);
  return narrow(isHalf ? whole + (dividend < 0n === divisor < 0n ? 1n : -1n) : whole);
}

/** Without that many of the digits behind the point, rounded half away from zero. */
export function rounded(value: Scaled, digits: number): Scaled {
  return digits === 0 ? value : quotient(value, 10n ** BigInt(digits), { digits: 0 });
}

/** The largest integer that is not greater. */
export function floorOf(value: Scaled, scale: number): Scaled {
  const unit = 10n ** BigInt(scale);
  const whole = BigInt(value) / unit;
  return narrow(BigInt(value) < whole * unit ? whole - 1n : whole);
}

/** The remainder with the sign of the dividend, as in SQL. `b` is not 0. */
export function remainder(a: Scaled, b: Scaled): Scaled {
  if (typeof a === 'number' && typeof b === 'number') return (a % b) + 0;
  return narrow(BigInt(a) % BigInt(b));
}

export function negated(value: Scaled): Scaled {
  return typeof value === 'number' ? 0 - value : -value;
}

/** A number where that is exact. */
export function narrow(value: bigint): Scaled {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

function absolute(value: bigint): bigint {
  return value < 0n ? -value : value;
}
