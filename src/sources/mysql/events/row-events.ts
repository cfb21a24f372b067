import type { Change, Row, TransactionInfo } from '../../../core/change.ts';
import { keyNames, type Key } from '../../../core/plain-rows.ts';
import type { RowBatch } from '../../../core/source.ts';
import type { TableSchema } from '../../../core/table-schema.ts';
import type { KeyEvent, RawEvent } from './event-types.ts';
import type { RowSubscriptions } from './subscriptions.ts';

/** Where in the stream the events at hand stand. */
export interface EventContext {
  readonly transaction: TransactionInfo;
  readonly redelivered: boolean;
}

export function keyEventOf(
  rows: RowBatch,
  wanted: RowSubscriptions,
  { transaction, redelivered }: EventContext,
): KeyEvent {
  const { table, statement } = rows;
  return {
    name: wanted.name,
    action: wanted.action,
    database: table.database,
    table,
    transaction,
    redelivered,
    statement,
    ...(rows.snapshot === true ? { snapshot: true } : {}),
  };
}

/** Turns the changes of one row batch into raw events, one at a time. */
export function rawEventMaker(rows: RowBatch, event: KeyEvent): (change: Change) => RawEvent {
  const names = keyNames(rows.table);
  const name = `${event.name}_raw`;
  const mark = event.snapshot === true ? { snapshot: true as const } : {};
  return ({ key: keyRow, before, after }) => {
    const key = keyRow === null ? null : keyIn(keyRow, names);
    return {
      name,
      action: event.action,
      database: event.database,
      table: event.table,
      transaction: event.transaction,
      redelivered: event.redelivered,
      statement: event.statement,
      key,
      keyBefore: before === null || key === null ? null : keyBefore(before, names, key),
      before,
      after,
      ...mark,
    };
  };
}

/** As `RowBatch.keys()` gives it: bare when single, a tuple in key order when composite. */
function keyIn(row: Row, names: readonly string[]): Key {
  const [single] = names;
  if (names.length === 1 && single !== undefined) return row[single] ?? null;
  return names.map((name) => row[name] ?? null);
}

/** A key column that the row before does not hold was not changed: servers log the old key whenever an update changes it. */
function keyBefore(before: Row, names: readonly string[], key: Key): Key {
  const [single] = names;
  if (names.length === 1 && single !== undefined) return Object.hasOwn(before, single) ? (before[single] ?? null) : key;
  const values = key as readonly (typeof before)[string][];
  return names.map((name, i) => (Object.hasOwn(before, name) ? before[name] : values[i]) ?? null);
}

/** What the tables are called in logs and in the list of what has been reported. */
export function tableId(table: TableSchema): string {
  return `${table.database}.${table.name}`;
}
