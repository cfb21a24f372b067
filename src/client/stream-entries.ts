import type { StreamChange, StreamEntry } from '../core/consumer.ts';
import type { RowShape } from '../core/rows/row-shape.ts';
import type { LogTransactionPart } from '../formats/log/batch-reader.ts';
import type { LogRowBatch } from '../formats/log/log-row-batch.ts';
import { keyRowFunction, type KeyRowFunction } from '../formats/log/shape-registry.ts';

/**
 * All changes, schema changes and truncations as objects, in order.
 *
 * @param partitions how many the stream has, for each change to say its own; null: it does not
 */
export function entriesOf<R>(parts: readonly LogTransactionPart[], partitions: number | null): StreamEntry<R>[] {
  const result: StreamEntry<R>[] = [];
  for (const { transaction, entries } of parts) {
    const { committedAtUs } = transaction;
    for (const entry of entries) {
      if (entry.type !== 'rows') {
        result.push({ ...entry, committedAtUs });
        continue;
      }
      const isPlain = partitions === null && entry.moved === null && !entry.snapshot;
      if (isPlain) pushChanges(result, entry, committedAtUs);
      else pushPlacedChanges(result, entry, { committedAtUs, partitions });
    }
  }
  return result;
}

/** One object literal per change, in its final form: this is what a consumer that takes changes one by one waits for. */
function pushChanges<R>(result: StreamEntry<R>[], rows: LogRowBatch, committedAtUs: number): void {
  const { before, after, count } = rows.rows();
  const { kind, table, statement, scn } = rows;
  const keyOf = keyFunction(rows.shape);
  for (let i = 0; i < count; i++) {
    const old = before?.[i] ?? null;
    const now = after?.[i] ?? null;
    result.push({
      kind,
      table,
      scn: scn + i,
      key: keyOf === null ? null : keyOf(old, now),
      before: old as R | null,
      after: now as R | null,
      statement,
      committedAtUs,
    });
  }
}

/** Those of a group's member, of a snapshot, and halves of updates that moved the key. */
function pushPlacedChanges<R>(
  result: StreamEntry<R>[],
  rows: LogRowBatch,
  { committedAtUs, partitions }: { readonly committedAtUs: number; readonly partitions: number | null },
): void {
  const { before, after, count } = rows.rows();
  const { kind, table, statement, scn, moved, snapshot } = rows;
  const keyOf = keyFunction(rows.shape);
  const hashes = partitions === null ? null : rows.hashes();
  for (let i = 0; i < count; i++) {
    const old = before?.[i] ?? null;
    const now = after?.[i] ?? null;
    const change: Mutable<StreamChange<R>> = {
      kind,
      table,
      scn: scn + i,
      key: keyOf === null ? null : keyOf(old, now),
      before: old as R | null,
      after: now as R | null,
      statement,
      committedAtUs,
    };
    if (snapshot) change.snapshot = true;
    if (moved !== null) change.moved = moved;
    if (hashes !== null) change.partition = (hashes[i] ?? 0) % (partitions ?? 1);
    result.push(change);
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const keyFunctions = new WeakMap<RowShape, KeyRowFunction | null>();

/** Null when the rows have no key to tell. */
function keyFunction(shape: RowShape): KeyRowFunction | null {
  let known = keyFunctions.get(shape);
  if (known === undefined) {
    known = keyRowFunction(shape);
    keyFunctions.set(shape, known);
  }
  return known;
}
