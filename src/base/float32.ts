/** Below it float32 has fewer bits, down to one: then a single digit can be enough. */
const FLOAT32_NORMAL_MIN = 2 ** -126;

/**
 * Below a power of two float32 is twice as dense as above. For these three that makes the shortest decimal one above that is not
 * the nearest of its length, which is what the search by `toPrecision` looks at.
 */
const SHORTEST_ABOVE: ReadonlyMap<number, number> = new Map([
  [2 ** -96, 1.262_177_5e-29],
  [2 ** 87, 1.547_425_1e26],
  [2 ** 90, 1.237_940_1e27],
]);

/** FLOAT: the shortest decimal number that is the same float32, as a double that prints as that decimal. */
export function float32(value: number): number {
  if (Number.isInteger(value) && Math.abs(value) < 16_777_216) return value;
  for (let digits = Math.abs(value) < FLOAT32_NORMAL_MIN ? 1 : 6; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  const above = SHORTEST_ABOVE.get(Math.abs(value));
  return above === undefined ? Number(value.toPrecision(9)) : Math.sign(value) * above;
}
