import { type Gno, compareGno, nextGno, previousGno } from './gno.ts';

/**
 * A set of transaction numbers as `[first, last, first, last, …]`, both ends inclusive; ascending, disjoint and with a gap between
 * any two intervals, so that equal sets have equal lists. Never changed in place once handed out.
 */
export type GnoIntervals = readonly Gno[];

/** Calls back for every interval in order. */
export function forEachInterval(list: GnoIntervals, visit: (first: Gno, last: Gno) => void): void {
  for (let i = 0; i + 1 < list.length; i += 2) visit(at(list, i), at(list, i + 1));
}

/** Any intervals in any order, overlapping or not: the form described above. `first <= last` in each. */
export function normaliseIntervals(pairs: readonly (readonly [Gno, Gno])[]): GnoIntervals {
  const sorted = pairs.toSorted((a, b) => compareGno(a[0], b[0]));
  const result: Gno[] = [];
  for (const [first, last] of sorted) append(result, first, last);
  return result;
}

export function uniteIntervals(a: GnoIntervals, b: GnoIntervals): GnoIntervals {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const result: Gno[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const fromA = j >= b.length || (i < a.length && at(a, i) <= at(b, j));
    const list = fromA ? a : b;
    const index = fromA ? i : j;
    append(result, at(list, index), at(list, index + 1));
    if (fromA) i += 2;
    else j += 2;
  }
  return result;
}

export function subtractIntervals(a: GnoIntervals, b: GnoIntervals): GnoIntervals {
  const result: Gno[] = [];
  let j = 0;
  for (let i = 0; i < a.length; i += 2) {
    let first = at(a, i);
    const last = at(a, i + 1);
    while (j < b.length && at(b, j + 1) < first) j += 2;
    // An interval of b may reach into the next one of a, so the outer j stays where it is.
    for (let k = j; k < b.length && at(b, k) <= last && first <= last; k += 2) {
      if (at(b, k) > first) result.push(first, previousGno(at(b, k)));
      first = nextGno(at(b, k + 1));
    }
    if (first <= last) result.push(first, last);
  }
  return result;
}

export function intervalsContain(list: GnoIntervals, gno: Gno): boolean {
  let low = 0;
  let high = list.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(list, middle * 2 + 1) < gno) low = middle + 1;
    else high = middle;
  }
  return low * 2 < list.length && at(list, low * 2) <= gno;
}

/** Whether every number of `b` is in `a`. */
export function intervalsCover(a: GnoIntervals, b: GnoIntervals): boolean {
  let i = 0;
  for (let j = 0; j < b.length; j += 2) {
    while (i < a.length && at(a, i + 1) < at(b, j)) i += 2;
    if (i >= a.length || at(a, i) > at(b, j) || at(a, i + 1) < at(b, j + 1)) return false;
  }
  return true;
}

export function intervalsEqual(a: GnoIntervals, b: GnoIntervals): boolean {
  return a.length === b.length && a.every((gno, i) => gno === b[i]);
}

/** Adds an interval that does not begin before the last one does. */
function append(result: Gno[], first: Gno, last: Gno): void {
  const end = result.length - 1;
  if (end < 0 || first > nextGno(at(result, end))) result.push(first, last);
  else if (last > at(result, end)) result[end] = last;
}

function at(list: readonly Gno[], index: number): Gno {
  return list[index] as Gno; // callers stay below the length
}
