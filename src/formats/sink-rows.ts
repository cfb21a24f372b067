import { isJson } from '../base/is-json.ts';
import type { Row, Value } from '../core/change.ts';
import { keyNames } from '../core/plain-rows.ts';
import { isSameValue } from '../core/same-value.ts';
import { TidingsError } from '../core/errors.ts';
import type { SinkRow, SinkTarget } from '../core/sink.ts';
import type { Column } from '../core/table-schema.ts';

/** What happened to a row, as sinks tell it that pass on rows as they stand. */
export type RowOp = 'insert' | 'update' | 'upsert' | 'delete' | 'truncate';

/** Takes what happened, and of the row what is told. */
export type TakeRow = (op: RowOp, values: Row) => void;

/**
 * The rows that are told of a change. One: the row after the change; of a delete the key alone, or the row that went where there is no key. But an update
 * that moved the key is two: the delete of the old key, and the insert of the new one with all that is known of the row.
 */
export function eachRow(row: SinkRow, take: TakeRow): void {
  const { kind, key, before, after } = row;
  if (kind === 'delete') {
    take(kind, key ?? before ?? {});
    return;
  }
  const old = kind === 'update' && key !== null && before !== null ? movedFrom(row, key, { before }) : null;
  if (old === null) {
    take(kind, after ?? {});
  } else {
    take('delete', old);
    take('insert', { ...before, ...after });
  }
}

/** The key before the change; null when it did not change. */
function movedFrom({ target }: SinkRow, key: Row, { before }: { readonly before: Row }): Row | null {
  const names = keyNamesOf(target.table);
  const isMoved = names.some((name) => Object.hasOwn(before, name) && !isSameValue(before[name], key[name]));
  if (!isMoved) return null;
  return Object.fromEntries(names.map((name) => [name, (Object.hasOwn(before, name) ? before : key)[name] ?? null]));
}

const names: WeakMap<object, readonly string[]> = new WeakMap();

function keyNamesOf(table: SinkRow['target']['table']): readonly string[] {
  let known = names.get(table);
  if (known === undefined) {
    known = keyNames(table);
    names.set(table, known);
  }
  return known;
}

/** All rows of a target went at once. */
export interface TargetTruncation {
  readonly target: SinkTarget;
  readonly scn: number;
  readonly atUs: number;
}

/** A value that has no exact form. The value itself stays out of the message (I10). */
export function unfit(target: SinkTarget, column: Column, wanted: string): TidingsError {
  const { database, name } = target.table;
  return new TidingsError(
    'SINK_ROW_REFUSED',
    `a value of ${database}.${name}.${column.name} (${column.type}) is not ${wanted}`,
    { details: { database, table: name, column: column.name, columnType: column.type } },
  );
}

/** The text of a JSON document, parsed or not; null when it is none. */
export function documentText(value: Value): string | null {
  if (typeof value === 'string') return isJson(value) ? value : null;
  if (typeof value === 'bigint' || ArrayBuffer.isView(value)) return null;
  return JSON.stringify(value);
}
