import assert from 'node:assert/strict';
import { isTidingsError } from '../../core/errors.ts';
import { RowsRefused } from '../../core/sink.ts';
import type { ConformanceCheck } from '../source-conformance.ts';
import type { SinkRig } from './sink-rig.ts';

/** What comes twice, what cannot be written. */
export function sinkFaultChecks(rig: SinkRig): readonly ConformanceCheck[] {
  const { harness } = rig;
  return [
    {
      name: 'a batch that comes again changes nothing',
      run: () =>
        rig.session(async (it) => {
          await it.write(it.insert({ id: 1, note: 'a' }), it.insert({ id: 2, note: 'b' }));
          const again = it.batch([
            it.update({ id: 1, note: 'a' }, { id: 3, note: 'c' }),
            it.delete({ id: 2, note: 'b' }),
          ]);
          await it.sink.write(again);
          await it.sink.write(again);
          await it.holds([{ id: 3, note: 'c' }], 'rows differ');
        }),
    },
    ...(harness.loseNextAnswer === undefined
      ? []
      : [
          {
            name: 'a write whose answer was lost is tried again, and takes effect once',
            run: () =>
              rig.session(async (it) => {
                await it.write(it.insert({ id: 1, note: 'a' }));
                await harness.loseNextAnswer?.();
                await it.writeStubbornly(it.batch([it.update({ id: 1, note: 'a' }, { id: 2, note: 'b' })]));
                await it.write(it.insert({ id: 3, note: 'c' }));
                await it.holds(
                  [
                    { id: 2, note: 'b' },
                    { id: 3, note: 'c' },
                  ],
                  'rows differ',
                );
              }),
          },
        ]),
    ...(harness.unfitNote === undefined ? [] : [refusalCheck(rig, harness.unfitNote)]),
  ];
}

function refusalCheck(rig: SinkRig, unfit: string): ConformanceCheck {
  return {
    name: 'rows that cannot be written are named, say nothing of their values, and do the others no harm',
    run: () =>
      rig.session(async (it) => {
        const wrong = new Set([3, 8]);
        const rows = Array.from({ length: 10 }, (_, id) =>
          it.insert({ id, note: wrong.has(id) ? unfit : `fine ${id}` }),
        );
        const error = await it.sink.write(it.batch(rows)).then(
          () => assert.fail('a row that cannot be written was written'),
          (thrown: unknown) => thrown,
        );
        assert.ok(error instanceof RowsRefused, `it threw something other than RowsRefused: ${String(error)}`);
        const named = error.rows.map(({ index }) => index);
        assert.ok(
          named.length > 0 && named.every((index) => wrong.has(index)),
          `it named the rows ${named.join()}, wrong are 3, 8`,
        );
        for (const { error: reason } of error.rows) {
          assert.ok(isTidingsError(reason), 'a row is refused for something other than a TidingsError');
          assert.ok(
            !JSON.stringify([reason.message, reason.details]).includes(unfit.slice(0, 20)),
            'a message holds the value',
          );
        }
        const fine = rows.flatMap(({ after }, id) => (after === null || wrong.has(id) ? [] : [after]));
        if (error.areOthersDurable) {
          assert.equal(named.length, wrong.size, 'the others are durable, it says, and one of them is wrong');
          await it.holds(fine, 'the others are durable, it says, and they are not there');
        }
        let left = rows;
        for (let refused = error; ;) {
          const out = new Set(refused.rows.map(({ index }) => left[index]));
          left = left.filter((row) => !out.has(row));
          try {
            // oxlint-disable-next-line no-await-in-loop -- until all that are wrong were named
            await it.sink.write(it.batch(left));
            break;
          } catch (next) {
            assert.ok(next instanceof RowsRefused, `without the refused rows it fails: ${String(next)}`);
            refused = next;
          }
        }
        await it.holds(fine, 'the rows beside the refused ones are not there');
      }),
  };
}
