/** A decimal number of any length, for comparing without rounding. Without zeros in front of the point's left part and behind its right one. */
export interface ExactNumber {
  readonly isNegative: boolean;
  /** Digits before the point; empty for 0. */
  readonly whole: string;
  /** Digits behind it; empty for an integer. */
  readonly fraction: string;
}

const PARTS = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?$/;

/** Beyond it a number is no number that a column could hold, and its digits would fill the memory. */
const EXPONENT_MAX = 400;

/** Null when the text is no number, or its exponent out of all reason. */
export function parseExactNumber(text: string): ExactNumber | null {
  const parts = PARTS.exec(text);
  if (parts === null) return null;
  const exponent = Number(parts[4] ?? 0);
  if (Math.abs(exponent) > EXPONENT_MAX) return null;
  let whole = parts[2] ?? '';
  let fraction = parts[3] ?? '';
  if (whole === '' && fraction === '') return null;
  if (exponent > 0) {
    whole += fraction.slice(0, exponent).padEnd(exponent, '0');
    fraction = fraction.slice(exponent);
  } else if (exponent < 0) {
    const padded = whole.padStart(-exponent, '0');
    fraction = padded.slice(padded.length + exponent) + fraction;
    whole = padded.slice(0, padded.length + exponent);
  }
  whole = withoutLeadingZeros(whole);
  fraction = withoutTrailingZeros(fraction);
  return { isNegative: parts[1] === '-' && (whole !== '' || fraction !== ''), whole, fraction };
}

export function compareExactNumbers(a: ExactNumber, b: ExactNumber): number {
  if (a.isNegative !== b.isNegative) return a.isNegative ? -1 : 1;
  return a.isNegative ? compareMagnitudes(b, a) : compareMagnitudes(a, b);
}

function compareMagnitudes(a: ExactNumber, b: ExactNumber): number {
  if (a.whole.length !== b.whole.length) return a.whole.length - b.whole.length;
  if (a.whole !== b.whole) return a.whole < b.whole ? -1 : 1;
  if (a.fraction === b.fraction) return 0;
  // The shorter of two that begin alike is the smaller one, as text is ordered.
  return a.fraction < b.fraction ? -1 : 1;
}

function withoutLeadingZeros(digits: string): string {
  let from = 0;
  while (digits[from] === '0') from++;
  return digits.slice(from);
}

export function withoutTrailingZeros(digits: string): string {
  let to = digits.length;
  while (digits[to - 1] === '0') to--;
  return digits.slice(0, to);
}
