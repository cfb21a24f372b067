/**
 * The shortest decimal number that is the same float32: of all decimals with the fewest digits the nearest. Slow and plain: tries
 * every decimal beside the value, digit count by digit count.
 */
export function shortestFloat32(value: number): number {
  if (value === 0) return value;
  if (Math.fround(value) !== value) throw new Error(`${value} is no float32`);
  for (let digits = 1; digits <= 9; digits++) {
    const nearest = value.toExponential(digits - 1);
    const [mantissa = '', exponent = '0'] = nearest.split('e');
    const units = BigInt(mantissa.replace('.', ''));
    const candidates = [units, units - 1n, units + 1n]
      .map((unit) => Number(`${unit}e${Number(exponent) - digits + 1}`))
      .filter((candidate) => Math.fround(candidate) === value)
      .toSorted((a, b) => Math.abs(a - value) - Math.abs(b - value));
    if (candidates[0] !== undefined) return candidates[0];
  }
  throw new Error(`${value} takes more than nine digits`);
}
