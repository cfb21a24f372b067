import assert from 'node:assert/strict';
import type { ConformanceCheck } from '../source-conformance.ts';
import type { ConformanceRig } from './rig.ts';

/** Starting, waiting, ending. */
export function lifecycleChecks(rig: ConformanceRig): readonly ConformanceCheck[] {
  const { harness } = rig;
  const noneOpen = async (): Promise<void> => {
    if (harness.openConnections !== undefined) {
      assert.equal(await harness.openConnections(), 0, 'a connection was left open');
    }
  };
  return [
    {
      name: 'it has a type name',
      run: () =>
        rig.reading(null, async (_reading, source) => {
          assert.match(source.type, /^[a-z][a-z0-9-]*$/u, 'the type is not a name that could be registered');
        }),
    },
    {
      name: 'it waits for changes that are still to come',
      run: () =>
        rig.reading(null, async (reading) => {
          const next = reading.next();
          const written = await rig.writeMixed();
          await next;
          const [seen] = await reading.transactions(1);
          assert.deepEqual(seen?.lines, written.lines);
        }),
    },
    {
      name: 'closing ends an iteration that waits, and leaves no connection',
      run: () =>
        rig.reading(null, async (reading, source) => {
          await rig.writeMixed();
          await reading.transactions(1);
          const waiting = reading.next();
          await reading.within(source.close(), 'the end of close()');
          // A source may still hand over what it had at the time; then the iteration ends.
          if ((await waiting) !== null) assert.equal(await reading.next(), null, 'the iteration goes on after close()');
          await noneOpen();
        }),
    },
    {
      name: 'closing twice, or before reading, does no harm',
      run: async () => {
        await rig.reading(null, async (reading, source) => {
          await reading.within(Promise.all([source.close(), source.close()]), 'the end of close()');
        });
        await noneOpen();
      },
    },
    {
      name: 'leaving the iteration closes the connection',
      run: () =>
        rig.reading(null, async (reading) => {
          await rig.writeMixed();
          await reading.transactions(1);
          await reading.within(Promise.resolve(reading.iterator.return?.()), 'the end of return()');
          assert.equal(await reading.next(), null, 'the iteration goes on after return()');
          await noneOpen();
        }),
    },
    {
      name: 'a second iteration is refused while the first runs, and does not disturb it',
      run: () =>
        rig.reading(null, async (reading, source) => {
          await rig.writeMixed();
          await reading.transactions(1);
          const refused = await reading.within(
            (async () => source.batches().next())().then(
              () => false,
              () => true,
            ),
            'the refusal of a second iteration',
          );
          assert.ok(refused, 'two iterations run at the same time');
          await rig.writeMixed();
          await reading.transactions(2);
        }),
    },
    ...(harness.readAhead === undefined ? [] : [readAheadCheck(rig)]),
  ];
}

function readAheadCheck(rig: ConformanceRig): ConformanceCheck {
  return {
    name: 'it reads on only when the next batch is asked for',
    run: () =>
      rig.reading(null, async (reading, source) => {
        await rig.writeLarge();
        await reading.next();
        // Were the source reading on by itself, it would have the time for it while this is written.
        await rig.writeLarge();
        const { amount, max } = rig.harness.readAhead?.(source) ?? { amount: 0, max: 0 };
        assert.ok(amount <= max, `it has read ${amount} ahead of its consumer, more than ${max}`);
      }),
  };
}
