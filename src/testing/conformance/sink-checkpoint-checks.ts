import assert from 'node:assert/strict';
import { isTidingsError } from '../../core/errors.ts';
import type { SinkCheckpoint } from '../../core/sink.ts';
import type { ConformanceCheck } from '../source-conformance.ts';
import { type SinkRig, SinkSession } from './sink-rig.ts';

/** Checkpoints that are kept with the data, and transactions. Those of sinks that keep none are passed over. */
export function sinkCheckpointChecks(rig: SinkRig): readonly ConformanceCheck[] {
  return [
    {
      name: 'a transactional sink, and no other, can claim partitions',
      run: () =>
        rig.session(async ({ sink }) => {
          assert.equal(sink.claim !== undefined, sink.promise === 'transactional');
        }),
    },
    {
      name: 'what was written is what the next claim begins with, by partition and kind of lane',
      run: async () => {
        const name = `claims-${Date.now()}-${Math.random()}`;
        const first = await rig.open('key', name);
        const second = await rig.open('key', name);
        try {
          if (first.promise !== 'transactional') return;
          assert.deepEqual(written(await first.claim?.([0, 1])), []);
          const claimed = (await second.claim?.([])) ?? [];
          assert.ok(claimed.length > 0, 'nothing says that the partitions were claimed');
          assert.deepEqual(written(claimed), []);
          await first.write({
            lane: 0,
            rows: [],
            checkpoints: [{ partition: 1, serial: false, scn: 5 }],
            endsTransaction: true,
          });
          await first.write({
            lane: 'serial',
            rows: [],
            checkpoints: [{ partition: 1, serial: true, scn: 3 }],
            endsTransaction: true,
          });
          assert.deepEqual(
            written(await second.claim?.([0, 1])).toSorted((a, b) => a.scn - b.scn),
            [
              { partition: 1, serial: true, scn: 3 },
              { partition: 1, serial: false, scn: 5 },
            ],
          );
        } finally {
          await first.close();
          await second.close();
        }
      },
    },
    {
      name: 'who lost its partitions writes nothing of them any more',
      run: async () => {
        const name = `fence-${Date.now()}-${Math.random()}`;
        const first = await rig.open('key', name);
        const second = await rig.open('key', name);
        try {
          if (first.promise !== 'transactional') return;
          const target = { table: rig.notes(), options: {} };
          await first.prepare(target);
          await second.prepare(target);
          await first.claim?.([0]);
          const before = new SinkSession(first, rig.harness, target);
          await before.write(before.insert({ id: 1, note: 'a' }));
          await second.claim?.([0]);
          const error = await before.write(before.insert({ id: 2, note: 'b' })).then(
            () => assert.fail('it wrote though another had claimed the partition'),
            (thrown: unknown) => thrown,
          );
          assert.ok(isTidingsError(error) && error.code === 'SINK_FENCED', `not SINK_FENCED: ${String(error)}`);
          await before.holds([{ id: 1, note: 'a' }], 'it wrote though another had claimed the partition');
        } finally {
          await first.close();
          await second.close();
        }
      },
    },
    ...(rig.harness.takesTransactions === false ? [] : [transactionCheck(rig)]),
  ];
}

/** Those that say something. The others only say that the partition was claimed. */
function written(checkpoints: readonly SinkCheckpoint[] = []): readonly SinkCheckpoint[] {
  return checkpoints.filter(({ scn }) => scn > 0);
}

function transactionCheck(rig: SinkRig): ConformanceCheck {
  return {
    name: 'a transaction of several batches is seen whole, or not at all',
    run: () =>
      rig.session(
        async (it) => {
          const [a, b] = [it.insert({ id: 1, note: 'a' }), it.insert({ id: 2, note: 'b' })];
          await it.sink.write(it.batch([a], { endsTransaction: false }));
          await it.holds([], 'a part of a transaction is seen');
          await it.sink.write(it.batch([b]));
          await it.holds(
            [
              { id: 1, note: 'a' },
              { id: 2, note: 'b' },
            ],
            'rows differ',
          );
          await it.sink.write(it.batch([it.delete({ id: 1, note: 'a' })], { endsTransaction: false }));
          await it.sink.close();
          await it.holds(
            [
              { id: 1, note: 'a' },
              { id: 2, note: 'b' },
            ],
            'a part of a transaction stayed when the sink was closed',
          );
        },
        { order: 'transaction' },
      ),
  };
}
