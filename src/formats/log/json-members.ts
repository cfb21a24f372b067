import type { RowShape } from '../../core/rows/row-shape.ts';
import { jsonRuntime } from '../json-bytes.ts';
import { JsonRowCode, jsonRowSource, type WriteJsonRow } from './json-rows.ts';
import { rowRuntime } from './row-runtime.ts';
import { toldRowCode, toldRuntime } from './told-row.ts';

type Factory = (r: typeof rowRuntime, j: typeof jsonRuntime, t: typeof toldRuntime) => WriteJsonRow;

/**
 * Writes what is told of a row (`toldRowCode`) as members that stand behind others: `,"id":1,"note":null`; documents as they are. The same text as the
 * encoders of row-lines.ts make of the row.
 *
 * @param key of the rows, as indexes into the table's columns
 * @returns null when rows of this shape cannot be told so; the function throws NotTold, DamagedRow, NoJsonForm
 */
export function jsonMembersWriter(shape: RowShape, key: readonly number[]): WriteJsonRow | null {
  const code = new JsonRowCode(shape, 'embedded');
  const told = toldRowCode(shape, key, { told: (index) => code.member(index, ','), left: () => '' });
  if (told === null) return null;
  const { columns } = shape.table;
  const source = jsonRowSource(told, { fixedBytes: code.fixedBytes, columns: columns.length, times: 1 });
  // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- made of numbers and types only, see json-rows.ts
  const factory = new Function('r', 'j', 't', source) as Factory;
  return factory(rowRuntime, jsonRuntime, toldRuntime);
}
