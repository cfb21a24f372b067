import type { Entry, TransactionPart } from '../core/source.ts';

/** What came through a relay knows its SCNs: of an entry, and of a row batch's first row; its rows' follow one by one. */
interface Numbered {
  readonly scn: number;
  /** Of a row batch: how many rows it has. */
  readonly count?: number;
}

/** The SCN of the first change in a part; null when it has none. */
export function firstScn({ entries: [first] }: TransactionPart): number | null {
  return first === undefined ? null : numbered(first).scn;
}

/** The SCN of the last change in some parts; null when there is none. */
export function lastScnOf(parts: readonly TransactionPart[]): number | null {
  const last = parts.findLast(({ entries }) => entries.length > 0)?.entries.at(-1);
  if (last === undefined) return null;
  const { scn, count = 1 } = numbered(last);
  return scn + count - 1;
}

function numbered(entry: Entry): Numbered {
  return entry as Entry & Numbered;
}
