import assert from 'node:assert/strict';
import type { PlainRows } from '../../core/plain-rows.ts';
import type { RowPack, RowPacking, SinkBatch } from '../../core/sink.ts';
import type { ConformanceCheck } from '../source-conformance.ts';
import type { SinkRig, SinkSession } from './sink-rig.ts';
import { placesOf, storedRun } from './stored-run.ts';

/** Of a sink that takes rows as bytes. */
export function sinkPackingChecks(rig: SinkRig): readonly ConformanceCheck[] {
  if (rig.harness.packs !== true) return [];
  const { unfitNote } = rig.harness;
  return [
    {
      name: 'rows that come as bytes leave what they would have left one by one, once, however often they come',
      run: () =>
        rig.session(async (it) => {
          const packing = packingOf(it);
          const [a, b, c] = ['a', 'ä🚲', null].map((note, index) => ({ id: index + 1, note }));
          assert.ok(a && b && c);
          await it.write(it.insert(a));
          const first = packing.begin();
          add(first, it, { kind: 'insert', rows: [b, c] });
          add(first, it, { kind: 'update', rows: [{ before: a, after: { id: 1, note: 'a2' } }] });
          const second = packing.begin();
          add(second, it, { kind: 'delete', rows: [b] });
          add(second, it, { kind: 'upsert', rows: [{ id: 4, note: '' }, c] });
          const batch = packed(it, [first, second]);
          await it.writeStubbornly(batch);
          if (it.sink.promise === 'transactional') await it.writeStubbornly(batch);
          await it.write(it.update(c, { id: 3, note: 'c2' }));
          await it.holds(
            [
              { id: 1, note: 'a2' },
              { id: 3, note: 'c2' },
              { id: 4, note: '' },
            ],
            'rows differ',
          );
        }),
    },
    ...(unfitNote === undefined
      ? []
      : [
          {
            name: 'a row that cannot be written is not taken as bytes, and does the others no harm',
            run: () =>
              rig.session(async (it) => {
                const packing = packingOf(it);
                const good = { id: 1, note: 'good' };
                const rows = [good, { id: 2, note: unfitNote }];
                assert.throws(() => add(packing.begin(), it, { kind: 'insert', rows }));
                const pack = packing.begin();
                add(pack, it, { kind: 'insert', rows: [good] });
                await it.writeStubbornly(packed(it, [pack]));
                await it.holds([good], 'rows differ');
              }),
          },
        ]),
  ];
}

function packingOf({ sink }: SinkSession): RowPacking {
  assert.ok(sink.packing !== undefined, 'the sink does not take rows as bytes');
  return sink.packing;
}

type Rows = Pick<PlainRows, 'kind' | 'rows'>;

function add(pack: RowPack, { target, sink, nextScn }: SinkSession, rows: Rows): void {
  const run = storedRun({ table: target.table, ...rows } as PlainRows, nextScn(rows.rows.length));
  assert.ok(sink.packing?.takes(target, run.shape), `rows of ${rows.kind} are not taken as bytes`);
  pack.run(run, { target, committedAtUs: 0 });
  let { scn } = run;
  for (const { start, end } of placesOf(run)) pack.row(scn++, start, end);
}

function packed({ sink, lastScn }: SinkSession, packs: readonly RowPack[]): SinkBatch {
  const checkpoints = sink.promise === 'transactional' ? [{ partition: 0, serial: false, scn: lastScn }] : [];
  return { lane: 0, rows: [], packs, checkpoints, endsTransaction: true };
}
