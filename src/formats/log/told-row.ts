import type { RowShape } from '../../core/rows/row-shape.ts';
import type { Column } from '../../core/table-schema.ts';
import { skipCode } from './row-decoder.ts';

/** Statements for one column, over the variables of generated functions that read a stored row: `b`, `v`, `p`, `e`, `l`, `r` as in row-decoder.ts. */
export interface ToldColumns {
  /** `p` stands at the value, and is to be behind it then. */
  readonly told: (index: number) => string;
  /** The column is none that is told: `p` stays. */
  readonly left: (index: number) => string;
}

/**
 * What is told of a stored row where rows are told as they stand, as `eachRow` has it: the row after the change, or of a delete its key. Statements for every
 * column of the table, in order. An update that moved its key is none that can be told so: `t.isSame` finds it, and `t.moved` throws.
 *
 * @param key of the rows, as indexes into the table's columns
 * @returns null when not all of it was logged
 */
export function toldRowCode(shape: RowShape, key: readonly number[], { told, left }: ToldColumns): string | null {
  const { table, before, after } = shape;
  const skip = (index: number): string => skipCode(table.columns[index] as Column);
  if (before !== null && !key.every((index) => before.includes(index))) return null;
  if (after === null) {
    const columns = [...table.columns.keys()].map((index) => {
      if (!before?.includes(index)) return left(index);
      return key.includes(index) ? told(index) : `${skip(index)} ${left(index)}`;
    });
    return columns.join('\n');
  }
  if (after.length !== table.columns.length) return null;
  const isCompared = (index: number): boolean => before !== null && key.includes(index);
  const passed = (before ?? []).map((index) =>
    isCompared(index) ? `const x${index} = p; ${skip(index)} const X${index} = p;` : skip(index),
  );
  const columns = after.map((index) =>
    isCompared(index)
      ? `const y${index} = p; ${told(index)} if (!t.isSame(b, x${index}, X${index}, y${index}, p)) t.moved();`
      : told(index),
  );
  return [...passed, ...columns].join('\n');
}

/** A row that cannot be told as it lies there. */
export class NotTold extends Error {
  override readonly name: string = 'NotTold';
}

/** Whether two values are the same, byte by byte. */
// oxlint-disable-next-line max-params -- called for every row: two ranges
function isSame(bytes: Buffer, from: number, to: number, otherFrom: number, otherTo: number): boolean {
  if (to - from !== otherTo - otherFrom) return false;
  for (let p = from, q = otherFrom; p < to; p++, q++) if (bytes[p] !== bytes[q]) return false;
  return true;
}

function moved(): never {
  throw new NotTold('an update has moved its key');
}

/** What the statements call as `t`. */
export const toldRuntime: { readonly isSame: typeof isSame; readonly moved: typeof moved } = { isSame, moved };
