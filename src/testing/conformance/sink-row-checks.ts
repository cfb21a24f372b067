import assert from 'node:assert/strict';
import type { ConformanceCheck } from '../source-conformance.ts';
import { tableOf } from '../tables.ts';
import type { SinkRig } from './sink-rig.ts';

/** What rows do to a target. */
export function sinkRowChecks(rig: SinkRig): readonly ConformanceCheck[] {
  return [
    {
      name: 'of several changes of a key the last one counts, within a batch and over batches',
      run: () =>
        rig.session(async (it) => {
          const [a, b, c] = ['a', 'b', 'c'].map((note) => ({ id: 1, note }));
          assert.ok(a && b && c);
          await it.write(it.insert(a), it.update(a, b), it.delete(b), it.insert(c), it.insert({ id: 2, note: 'x' }));
          await it.holds([c, { id: 2, note: 'x' }], 'after one batch');
          await it.write(it.update(c, a), it.delete({ id: 2, note: 'x' }));
          await it.write(it.update(a, b));
          await it.holds([b], 'after three batches');
        }),
    },
    {
      name: 'an insert of a row that is there, and an update of one that is not, leave the row as it came',
      run: () =>
        rig.session(async (it) => {
          await it.write(it.insert({ id: 1, note: 'old' }));
          await it.write(it.insert({ id: 1, note: 'new' }), it.update({ id: 2, note: 'a' }, { id: 2, note: 'b' }));
          await it.holds(
            [
              { id: 1, note: 'new' },
              { id: 2, note: 'b' },
            ],
            'after one batch',
          );
          await it.write(it.upsert({ id: 3, note: 'c' }), it.upsert({ id: 1, note: null }));
          await it.holds(
            [
              { id: 1, note: null },
              { id: 2, note: 'b' },
              { id: 3, note: 'c' },
            ],
            'rows differ',
          );
        }),
    },
    {
      name: 'deleting what is not there does no harm',
      run: () =>
        rig.session(async (it) => {
          await it.write(it.insert({ id: 1, note: 'a' }), it.delete({ id: 7, note: 'b' }));
          await it.holds([{ id: 1, note: 'a' }], 'rows differ');
        }),
    },
    {
      name: 'a key that moves leaves nothing behind',
      run: () =>
        rig.session(async (it) => {
          await it.write(it.insert({ id: 1, note: 'a' }), it.insert({ id: 2, note: 'b' }));
          await it.write(
            it.update({ id: 1, note: 'a' }, { id: 3, note: 'a' }),
            it.update({ id: 2, note: 'b' }, { id: 1, note: 'b' }),
          );
          await it.holds(
            [
              { id: 1, note: 'b' },
              { id: 3, note: 'a' },
            ],
            'rows differ',
          );
        }),
    },
    ...(rig.harness.takesPartialRows === false
      ? []
      : [
          {
            name: 'columns that are absent from an update stay as they are',
            run: () =>
              rig.session(
                async (it) => {
                  await it.write(it.insert({ id: 1, note: 'a', size: 5 }));
                  await it.write(it.update({ id: 1 }, { id: 1, size: 6 }));
                  await it.write(it.insert({ id: 2, note: 'b', size: 1 }), it.update({ id: 2 }, { id: 2, note: null }));
                  await it.holds(
                    [
                      { id: 1, note: 'a', size: 6 },
                      { id: 2, note: null, size: 1 },
                    ],
                    'rows differ',
                  );
                },
                {
                  table: (name) =>
                    tableOf(
                      name,
                      { id: { type: 'int', nullable: false }, note: { type: 'varchar', length: 50 }, size: 'int' },
                      ['id'],
                    ),
                },
              ),
          },
        ]),
    {
      name: 'rows with a column more go there once the target was prepared for it',
      run: () =>
        rig.session(async (it) => {
          await it.write(it.insert({ id: 1, note: 'a' }));
          const { database, name } = it.target.table;
          const columns = {
            id: { type: 'int', nullable: false },
            note: { type: 'varchar', length: 50 },
            more: 'int',
          } as const;
          it.target = { table: tableOf(`${database}.${name}`, columns, ['id']), options: {} };
          await it.sink.prepare(it.target);
          await it.write(it.insert({ id: 2, note: 'b', more: 7 }));
          await it.holds(
            [
              { id: 1, note: 'a', more: null },
              { id: 2, note: 'b', more: 7 },
            ],
            'rows differ',
          );
        }),
    },
    {
      name: 'a truncation empties its target, and what comes behind it is there',
      run: () =>
        rig.session(async (it) => {
          await it.write(it.insert({ id: 1, note: 'a' }));
          const { checkpoints } = it.batch([it.delete({ id: 0 })]);
          await it.sink.truncate(it.target, checkpoints);
          await it.holds([], 'the target is not empty');
          await it.write(it.insert({ id: 2, note: 'b' }));
          await it.holds([{ id: 2, note: 'b' }], 'rows differ');
        }),
    },
    {
      name: 'a truncation of a target of which only the name is known does no harm',
      run: () =>
        rig.session(async (it) => {
          const table = tableOf(rig.harness.freshName(), {});
          const { checkpoints } = it.batch([it.delete({ id: 0 })]);
          await it.sink.truncate({ table, options: {} }, checkpoints);
          await it.write(it.insert({ id: 1, note: 'a' }));
          await it.holds([{ id: 1, note: 'a' }], 'rows differ');
        }),
    },
    {
      name: 'closing twice does no harm',
      run: () =>
        rig.session(async (it) => {
          await it.sink.close();
          await it.sink.close();
        }),
    },
  ];
}
