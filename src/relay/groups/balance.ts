/** What one member has, as far as the balance is concerned. */
export interface Load {
  readonly member: string;
  /** How many partitions it has and keeps, those apart that it is to release already. */
  readonly has: number;
}

/**
 * How many partitions each member should have: as even as can be, with sizes that differ by at most one, and the larger share for
 * those who have most, so that as few partitions as possible move. Equal ones are told apart by their order.
 */
export function shares(partitions: number, loads: readonly Load[]): ReadonlyMap<string, number> {
  const least = Math.floor(partitions / loads.length);
  let larger = partitions % loads.length;
  const result = new Map<string, number>();
  for (const { member } of loads.toSorted((a, b) => b.has - a.has)) {
    result.set(member, larger-- > 0 ? least + 1 : least);
  }
  return result;
}
