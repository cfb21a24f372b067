import assert from 'node:assert/strict';
import type { Change } from '../../core/change.ts';
import type { ChangeBatch, RowBatch } from '../../core/source.ts';
import { keyNames, type Key } from '../../core/plain-rows.ts';
import type { ConformanceCheck } from '../source-conformance.ts';
import type { ConformanceRig } from './rig.ts';

/** Order, completeness, and what a batch says of itself. */
export function orderChecks(rig: ConformanceRig): readonly ConformanceCheck[] {
  return [
    {
      name: 'changes come in commit order, and in the order they were made in within a transaction',
      run: () =>
        rig.reading(null, async (reading) => {
          const written = [await rig.writeMixed(), await rig.writeMixed(1), await rig.writeMixed(40)];
          const seen = await reading.transactions(written.length);
          assert.deepEqual(
            seen.map(({ lines }) => lines),
            written.map(({ lines }) => lines),
          );
        }),
    },
    {
      name: 'a transaction larger than a batch comes in parts: the first begins it, the last alone has an end, none is interleaved',
      run: () =>
        rig.reading(null, async (reading) => {
          const written = [await rig.writeLarge(), await rig.writeMixed()];
          let batches = 0;
          while (reading.complete.length < 1) {
            batches++;
            // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
            assert.notEqual(await reading.next(), null, 'the iteration ended inside a transaction');
          }
          assert.ok(
            batches > 1,
            'the large transaction came in one batch: memory is not bounded, or largeTransactionRows is too small',
          );
          const seen = await reading.transactions(2);
          assert.deepEqual(
            seen.map(({ lines }) => lines),
            written.map(({ lines }) => lines),
          );
        }),
    },
    {
      name: "a batch's position is the end of the last whole transaction in or before it",
      run: () =>
        rig.reading(null, async (reading) => {
          await rig.writeMixed();
          await rig.writeLarge();
          await rig.writeMixed();
          let last: string | null = null;
          while (reading.complete.length < 3) {
            // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
            const batch = await reading.next();
            assert.notEqual(batch, null, 'the iteration ended early');
            const end = lastEnd(batch);
            // Without an end in it, a batch may only repeat the position (or name that of an idle stream, outside transactions).
            if (end !== null) {
              assert.equal(String(batch?.position), end, 'the position is not that of the last end in the batch');
            } else if (last !== null && reading.insideTransaction) {
              assert.equal(String(batch?.position), last, 'the position moved inside a transaction');
            }
            last = String(batch?.position);
          }
        }),
    },
    {
      name: "the source's own position follows what the consumer has left behind, and never leads it",
      run: () =>
        rig.reading(null, async (reading, source) => {
          await rig.writeMixed();
          await reading.transactions(1);
          const [first] = reading.complete;
          assert.notEqual(String(source.position), first?.end, 'the position leads: the batch was not left behind yet');
          const next = reading.next();
          await rig.writeMixed();
          await next;
          await reading.transactions(2);
          assert.ok(
            source.position !== null && String(source.position) !== String(reading.complete[1]?.end),
            'the position leads: the second batch was not left behind yet',
          );
          assert.equal(String(source.position), first?.end, 'the position does not follow what was left behind');
        }),
    },
    {
      name: 'rows, keys and changes of a row batch are views of the same rows, and may be asked for repeatedly',
      run: () =>
        rig.reading(null, async (reading) => {
          await rig.writeMixed(5);
          await reading.transactions(0);
          for (;;) {
            // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
            const batch = await reading.next();
            for (const rows of rowBatches(batch)) checkViews(rows);
            if (reading.complete.length > 0) return;
          }
        }),
    },
    {
      name: 'what was taken out of a batch stays as it was when the next batches come',
      run: () =>
        rig.reading(null, async (reading) => {
          await rig.writeMixed(20);
          await rig.writeLarge();
          const taken: { readonly values: unknown; readonly copy: string }[] = [];
          while (reading.complete.length < 2) {
            // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
            const batch = await reading.next();
            for (const rows of rowBatches(batch)) {
              const values = [rows.rows(), rows.keys(), rows.changes(), String(batch?.position)];
              taken.push({ values, copy: textOf(values) });
            }
          }
          for (const { values, copy } of taken) {
            assert.equal(textOf(values), copy, 'a value changed after its batch was left behind');
          }
        }),
    },
    {
      name: 'a batch stays readable, and the same, until the next one is asked for',
      run: () =>
        rig.reading(null, async (reading) => {
          await rig.writeMixed(20);
          const batch = await reading.next();
          const before = rowBatches(batch).map((rows) => textOf(rows.changes()));
          await rig.writeLarge();
          const after = rowBatches(batch).map((rows) => textOf(rows.changes()));
          assert.deepEqual(after, before, 'the batch changed under its reader');
        }),
    },
    {
      name: 'a transaction tells its commit time in whole microseconds',
      run: () =>
        rig.reading(null, async (reading) => {
          await rig.writeMixed();
          const batch = await reading.next();
          for (const { transaction } of batch?.parts ?? []) {
            assert.ok(Number.isSafeInteger(transaction.committedAtUs), 'committedAtUs is not a whole number');
            assert.ok(
              transaction.committedAtUs > 1e15 && transaction.committedAtUs < 1e16,
              'committedAtUs is not in microseconds since 1970',
            );
          }
        }),
    },
  ];
}

function lastEnd(batch: ChangeBatch | null): string | null {
  const end = batch?.parts.findLast((part) => part.end !== null)?.end ?? null;
  return end === null ? null : String(end);
}

function rowBatches(batch: ChangeBatch | null): RowBatch[] {
  return (batch?.parts ?? []).flatMap((part) => part.entries.filter((entry) => entry.type === 'rows'));
}

function checkViews(rows: RowBatch): void {
  const changes = rows.changes();
  const decoded = rows.rows();
  assert.equal(changes.length, decoded.count, 'changes() and rows() differ in number');
  assert.deepEqual(
    changes.map(({ before }) => before),
    decoded.before ?? changes.map(() => null),
    'changes() and rows() differ in `before`',
  );
  assert.deepEqual(
    changes.map(({ after }) => after),
    decoded.after ?? changes.map(() => null),
    'changes() and rows() differ in `after`',
  );
  assert.deepEqual(
    rows.keys(),
    changes.map((change) => bareKey(change)),
    'keys() and changes() differ in the key',
  );
  assert.equal(textOf(rows.changes()), textOf(changes), 'changes() differs when asked for again');
  for (const change of changes) {
    assert.equal(change.kind, rows.kind, 'a change is of another kind than its batch');
    assert.equal(change.table, rows.table, 'a change is of another table than its batch');
    assert.equal(
      change.before === null,
      change.kind === 'insert' || (change.kind === 'upsert' && change.before === null),
      '`before` is null for inserts only',
    );
    assert.equal(change.after === null, change.kind === 'delete', '`after` is null for deletes only');
  }
}

function bareKey({ table, key }: Change): Key | null {
  const values = keyNames(table).map((name) => key?.[name] ?? null);
  return values.length === 1 ? (values[0] ?? null) : values;
}

/** Bytes and big numbers included, so that two texts are equal only if the values are. Tables' definitions are left out. */
function textOf(values: unknown): string {
  return JSON.stringify(values, (name, value: unknown) => {
    if (name === 'table') return undefined;
    if (typeof value === 'bigint') return `${value}n`;
    return value instanceof Uint8Array ? [...value] : value;
  });
}
