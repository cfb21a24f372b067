import assert from 'node:assert/strict';
import { isTidingsError } from '../../core/errors.ts';
import type { ConformanceCheck } from '../source-conformance.ts';
import type { ConformanceRig } from './rig.ts';

/** Lost connections and what cannot be decoded. */
export function faultChecks(rig: ConformanceRig): readonly ConformanceCheck[] {
  const { harness } = rig;
  return [
    ...(harness.cutConnection === undefined ? [] : cutChecks(rig)),
    ...(harness.spoil === undefined || harness.repair === undefined ? [] : errorChecks(rig)),
  ];
}

function cutChecks(rig: ConformanceRig): readonly ConformanceCheck[] {
  return [
    {
      name: 'after a connection lost between transactions it goes on by itself: nothing is missing, nothing comes twice',
      run: () =>
        rig.reading(null, async (reading) => {
          const first = await rig.writeMixed();
          await reading.transactions(1);
          const next = reading.next();
          await rig.harness.cutConnection?.();
          const second = await rig.writeMixed();
          await next;
          await reading.transactions(2);
          assert.deepEqual(
            reading.seen.map(({ lines }) => lines),
            [first.lines, second.lines],
          );
          assert.ok(
            reading.seen.every(({ restarted }) => !restarted),
            'a transaction was marked as restarted, though none was cut in two',
          );
        }),
    },
    {
      name: 'a transaction cut in two by a lost connection comes again from its beginning, marked as restarted',
      run: () =>
        rig.reading(null, async (reading) => {
          const large = await rig.writeLarge();
          while (!reading.insideTransaction) {
            // oxlint-disable-next-line no-await-in-loop -- a stream is read in order
            assert.notEqual(await reading.next(), null, 'the iteration ended early');
            assert.equal(
              reading.complete.length,
              0,
              'the large transaction came in one batch: largeTransactionRows is too small',
            );
          }
          await rig.harness.cutConnection?.();
          const after = await rig.writeMixed();
          await reading.transactions(2);
          const [torn, whole, last] = reading.seen;
          // A source that had the rest of the transaction already may hand it over; then nothing was cut in two.
          if (reading.seen.length === 2) {
            assert.deepEqual(
              reading.seen.map(({ lines }) => lines),
              [large.lines, after.lines],
            );
            return;
          }
          assert.equal(torn?.end, null, 'a transaction that had ended came again');
          assert.deepEqual(
            torn?.lines,
            large.lines.slice(0, torn?.lines.length),
            'the first attempt was not the beginning of the transaction',
          );
          assert.equal(whole?.restarted, true, 'the second attempt is not marked as restarted');
          assert.equal(whole?.start, torn?.start, 'the second attempt names another start');
          assert.deepEqual(whole?.lines, large.lines, 'the second attempt is not whole');
          assert.deepEqual(last?.lines, after.lines);
        }),
    },
  ];
}

function errorChecks(rig: ConformanceRig): readonly ConformanceCheck[] {
  return [
    {
      name: 'what it cannot decode stops it with a TidingsError, and its position is where to resume',
      run: async () => {
        const { position, before } = await rig.reading(null, async (reading, source) => {
          const first = await rig.writeMixed();
          await rig.harness.spoil?.();
          await reading.transactions(1);
          const error = await reading.next().then(
            () => assert.fail('it read on over something that it cannot decode'),
            (thrown: unknown) => thrown,
          );
          assert.ok(isTidingsError(error), 'it threw something other than a TidingsError');
          assert.equal(await reading.next(), null, 'the iteration goes on after an error');
          return { position: String(source.position), before: { lines: first.lines, end: reading.complete[0]?.end } };
        });
        assert.equal(position, before.end, 'the position after the error is not the end of the last whole transaction');
        await rig.harness.repair?.();
        await rig.reading(position, async (reading) => {
          const second = await rig.writeMixed();
          await reading.transactions(1);
          assert.deepEqual(
            reading.complete.at(-1)?.lines,
            second.lines,
            'resuming after the error lost or repeated something',
          );
        });
      },
    },
  ];
}
