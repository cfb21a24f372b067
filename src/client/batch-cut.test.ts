import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeStates, type StateChange } from '../../test/support/stream/log-bytes.ts';
import { makeTransactions } from '../../test/support/stream/raw-relay.ts';
import { readBatch } from '../formats/log/batch-reader.ts';
import { viewOf } from '../formats/log/filter-output.ts';
import { ShapeRegistry } from '../formats/log/shape-registry.ts';
import { cutBatch } from './batch-cut.ts';

interface Read {
  readonly scn: number;
  readonly state: unknown;
  readonly committedAtUs: number;
}

function read(bytes: Buffer): Read[] {
  const { parts } = readBatch(bytes, viewOf(bytes), 0, new ShapeRegistry());
  return parts.flatMap(({ transaction, entries }) =>
    entries.flatMap((entry) =>
      entry.type === 'rows'
        ? entry.changes().map(({ scn, after }) => ({
            scn: scn ?? 0,
            state: after?.['state'],
            committedAtUs: transaction.committedAtUs,
          }))
        : [{ scn: entry.scn, state: null, committedAtUs: transaction.committedAtUs }],
    ),
  );
}

const cases = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 }),
  kept: fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
  filtered: fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
});

test('exactly the wanted changes stay, with their SCNs, values and transactions, also of a batch that was filtered before', () => {
  fc.assert(
    fc.property(cases, ({ sizes, kept, filtered }) => {
      const transactions = makeTransactions(sizes);
      const count = sizes.reduce((sum, size) => sum + size, 0);
      const only = ({ scn }: StateChange): boolean => filtered[scn % filtered.length] === true;
      for (const options of [{}, { only }]) {
        const bytes = encodeStates(transactions, { firstScn: 1, count, ...options });
        const wanted = (scn: number): boolean => kept[scn % kept.length] === true;
        const cut = cutBatch(
          { bytes, view: viewOf(bytes), start: 0 },
          { row: (_hash, scn) => wanted(scn), statement: () => true },
        );
        const expected = read(bytes).filter(({ scn }) => wanted(scn));
        expect(cut === null ? [] : read(cut)).toEqual(expected);
      }
    }),
  );
});

test('the cut batch covers the same SCNs and ends as the whole one does', () => {
  const bytes = encodeStates(makeTransactions([4]), { firstScn: 1, count: 4, open: true });
  const cut = cutBatch({ bytes, view: viewOf(bytes), start: 0 }, { row: (_, scn) => scn === 2, statement: () => true });
  const { firstScn, lastScn, open } = readBatch(cut as Buffer, viewOf(cut as Buffer), 0, new ShapeRegistry());
  expect({ firstScn, lastScn, open }).toEqual({ firstScn: 1, lastScn: 4, open: true });
});

test('statements that only the first of several runs holds stay with the runs that are left', () => {
  const bytes = encodeStates(makeTransactions([6]), {
    firstScn: 1,
    count: 6,
    only: ({ scn }) => scn !== 3,
    statement: 'INSERT INTO states VALUES (1, 1)',
  });
  const cut = cutBatch({ bytes, view: viewOf(bytes), start: 0 }, { row: (_, scn) => scn > 4, statement: () => true });
  const { parts } = readBatch(cut as Buffer, viewOf(cut as Buffer), 0, new ShapeRegistry());
  const statements = parts.flatMap(({ entries }) =>
    entries.map((entry) => (entry.type === 'rows' ? entry.statement : '')),
  );
  expect(statements).toEqual(['INSERT INTO states VALUES (1, 1)']);
});

test('a batch of which nothing is wanted is none', () => {
  const bytes = encodeStates(makeTransactions([4]), { firstScn: 1, count: 4 });
  expect(cutBatch({ bytes, view: viewOf(bytes), start: 0 }, { row: () => false, statement: () => false })).toBeNull();
});
