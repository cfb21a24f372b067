import fc from 'fast-check';
import { expect, test } from 'vitest';
import { column, table } from '../../../test/support/changes.ts';
import { changeOf } from '../../../test/support/mapped.ts';
import type { ConsumerBatch, StartAt, StreamChange } from '../../core/consumer.ts';
import { changesFrom, lastChanges, type RecentChangesOptions } from './recent-changes.ts';

const ORDERS = table('shop.orders', [column('id', 'int')]);
const OTHERS = table('shop.others', [column('id', 'int')]);

/** A stream with the SCNs from `first` on, in batches of five. */
function streamOf(
  wanted: readonly boolean[],
  first: number,
): { all: StreamChange[]; from: (place: StartAt) => AsyncIterable<ConsumerBatch>; read: number[] } {
  const all = wanted.map((isWanted, index) => changeOf(isWanted ? ORDERS : OTHERS, { scn: first + index }));
  const read: number[] = [];
  return {
    all,
    read,
    // oxlint-disable-next-line typescript/require-await -- a stream is asynchronous
    async *from(place) {
      const behind = place === 'earliest' ? 0 : Number(place);
      const left = all.filter(({ scn }) => scn > behind);
      read.push(left.length);
      for (let at = 0; at < left.length; at += 5) yield { entries: left.slice(at, at + 5) } as unknown as ConsumerBatch;
    },
  };
}

function options(from: RecentChangesOptions['open'], limit: number): RecentChangesOptions {
  return { open: from, limit, selects: (_database, name) => name === 'orders' };
}

test('the last changes are those that reading everything would have ended with', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 1, arbitrary: fc.constant(true) }, { weight: 20, arbitrary: fc.constant(false) }), {
        minLength: 1,
        maxLength: 6000,
        size: 'max',
      }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 8000 }),
      async (wanted, limit, reach) => {
        const first = 1_700_000_000_000_000;
        const { all, from } = streamOf(wanted, first);
        const last = first + wanted.length - 1;
        const { entries, among } = await lastChanges({ first, last, reach }, options(from, limit));
        const within = all.slice(-Math.max(reach, limit)).filter((change) => change.table === ORDERS);
        expect(entries).toEqual(within.slice(-limit));
        const looked = Math.min(Math.max(reach, limit), wanted.length);
        expect(entries.length < limit ? (among ?? wanted.length) : looked).toBe(looked);
      },
    ),
    { numRuns: 100 },
  );
});

test('of a long stream no more is read than the changes that are shown need', async () => {
  const wanted = Array.from({ length: 100_000 }, (_, index) => index % 100 === 0);
  const { from, read } = streamOf(wanted, 1);
  await lastChanges({ first: 1, last: 100_000, reach: 100_000 }, options(from, 20));
  expect(read).toEqual([1000, 8000]);
});

test('from a place on the first changes are shown, and no more is read', async () => {
  const { all, from } = streamOf([true, false, true, true, true], 1);
  expect(await changesFrom(1, options(from, 2))).toEqual([all[2], all[3]]);
  expect(await changesFrom('earliest', options(from, 9))).toEqual([all[0], all[2], all[3], all[4]]);
});

test('the two halves of an update that moved its key are not parted', async () => {
  const halves = [
    changeOf(ORDERS, { scn: 1 }),
    { ...changeOf(ORDERS, { scn: 2 }), moved: 'from' as const },
    { ...changeOf(ORDERS, { scn: 2 }), moved: 'to' as const },
    changeOf(ORDERS, { scn: 3 }),
  ];
  // oxlint-disable-next-line typescript/require-await -- a stream is asynchronous
  async function* open(): AsyncIterable<ConsumerBatch> {
    yield { entries: halves } as unknown as ConsumerBatch;
  }
  expect((await lastChanges({ first: 1, last: 3, reach: 9 }, options(open, 2))).entries).toEqual(halves.slice(1));
  expect(await changesFrom('earliest', options(open, 2))).toEqual(halves.slice(0, 3));
});
