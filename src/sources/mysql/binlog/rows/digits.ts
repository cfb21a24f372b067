/** Ready-made digit strings: building a number's text from them costs an index instead of a conversion. */

function padded(count: number, width: number): readonly string[] {
  return Array.from({ length: count }, (_, n) => String(n).padStart(width, '0'));
}

/** `00` … `99`, and on to `127`, so that any seven bits have an entry. */
export const TWO_DIGITS: readonly string[] = padded(128, 2);
/** `000` … `999`, and on to `1023`. */
const THREE_DIGITS: readonly string[] = padded(1024, 3);
/** `0000` … `16383`: any fourteen bits. */
export const FOUR_DIGITS: readonly string[] = padded(16_384, 4);

/** `.0` … `.9`, `.00` … `.99`, `.000` … `.999`, `.0000` … `.9999` by count of digits. */
const AFTER_POINT: readonly (readonly string[])[] = [1, 2, 3, 4].map((width) =>
  padded(10 ** width, width).map((digits) => `.${digits}`),
);

/** The point and `value`, 0 ≤ value < 10^width, in exactly `width` (1 to 9) digits: one concatenation at most for up to 6 digits. */
export function afterPoint(value: number, width: number): string {
  if (width <= 4) return AFTER_POINT[width - 1]?.[value] ?? `.${value}`;
  if (width === 6) {
    const high = (value / 1000) | 0;
    return at(AFTER_POINT[2] ?? [], high) + at(THREE_DIGITS, value - high * 1000);
  }
  return `.${fixedDigits(value, width)}`;
}

/** `0` … `9999`. */
const PLAIN: readonly string[] = Array.from({ length: 10_000 }, (_, n) => String(n));

/** A whole number from 0 on. Below 10^8 it takes one concatenation at most, where the engine would convert it. */
export function plainDigits(value: number): string {
  if (value < 10_000) return at(PLAIN, value);
  const high = (value / 10_000) | 0;
  return high < 10_000 ? at(PLAIN, high) + at(FOUR_DIGITS, value - high * 10_000) : String(value);
}

/** `value`, 0 ≤ value < 10^width, in exactly `width` (1 to 9) digits. */
export function fixedDigits(value: number, width: number): string {
  switch (width) {
    case 1:
      return String(value);
    case 2:
      return at(TWO_DIGITS, value);
    case 3:
      return at(THREE_DIGITS, value);
    case 4:
      return at(FOUR_DIGITS, value);
    case 6: {
      const high = (value / 1000) | 0;
      return at(THREE_DIGITS, high) + at(THREE_DIGITS, value - high * 1000);
    }
    default:
      return String(value).padStart(width, '0');
  }
}

function at(table: readonly string[], index: number): string {
  // Beyond the table lie only bytes that no server writes; they print as what they are.
  return table[index] ?? String(index);
}
