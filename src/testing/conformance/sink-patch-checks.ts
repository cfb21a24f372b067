import assert from 'node:assert/strict';
import type { NestedPatch } from '../../core/sink.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import type { ConformanceCheck } from '../source-conformance.ts';
import { tableOf } from '../tables.ts';
import type { SinkRig } from './sink-rig.ts';

const put = (no: number, big: string): NestedPatch => ({
  kind: 'put',
  path: ['doc', 'lines'],
  key: { no: String(no) },
  element: `{"no":${no},"big":${big}}`,
});
const remove = (no: number): NestedPatch => ({ kind: 'remove', path: ['doc', 'lines'], key: { no: String(no) } });
const set = (name: string, value: string | null): NestedPatch => ({ kind: 'set', path: ['doc', 'at', name], value });

/** Changes of parts of documents: made exactly by sinks that can, refused before the first row by all others. */
export function sinkPatchChecks(rig: SinkRig): readonly ConformanceCheck[] {
  if (rig.harness.takesPatches === true) return [madeCheck(rig), twiceCheck(rig)];
  return [
    {
      name: 'a target of which rows bring parts of documents only is refused by a sink that cannot change a part',
      run: () =>
        rig.session(async ({ sink }) => {
          const target = { table: documents(rig.harness.freshName()), options: {}, patched: ['doc'] };
          const error = await sink.prepare(target).then(
            () => assert.fail('it was prepared: what becomes of the parts?'),
            (thrown: unknown) => thrown,
          );
          assert.ok(error instanceof Error, `it threw something other than an error: ${String(error)}`);
        }),
    },
  ];
}

function madeCheck(rig: SinkRig): ConformanceCheck {
  return {
    name: 'parts of documents are changed where they are, with all digits, and everything on the way to them is made',
    run: () =>
      rig.session(
        async (it) => {
          await it.write(
            it.insert({ id: 1, doc: '{"at": {"x": 1}, "lines": [{"no": 7, "big": 1}]}' }),
            it.patch({ id: 1 }, [put(2, '9007199254740993'), set('y', '"it\'s"')]),
            it.patch({ id: 2 }, [put(1, '18446744073709551615')]),
          );
          await it.write(
            it.patch({ id: 1 }, [put(7, '2'), put(3, '3')]),
            it.patch({ id: 1 }, [remove(2), set('x', null)]),
            it.patchThere({ id: 9 }, [remove(1)]),
          );
          assert.deepEqual(await documentsOf(it), [
            '{"at":{"y":"it\'s"},"lines":[{"no":7,"big":2},{"no":3,"big":3}]}',
            '{"lines":[{"no":1,"big":18446744073709551615}]}',
            null,
          ]);
          await it.write(it.delete({ id: 1, doc: null }), it.patch({ id: 1 }, [put(1, '1')]));
          assert.equal((await documentsOf(it))[0], '{"lines":[{"no":1,"big":1}]}', 'a part of a deleted row came back');
        },
        { table: documents, patched: ['doc'] },
      ),
  };
}

function twiceCheck(rig: SinkRig): ConformanceCheck {
  return {
    name: 'parts of documents that come again leave the document as it was',
    run: () =>
      rig.session(
        async (it) => {
          const rows = [
            it.patch({ id: 1 }, [set('x', '1'), put(1, '1'), put(2, '2')]),
            it.patch({ id: 1 }, [remove(1), put(2, '3')]),
          ];
          await it.write(...rows);
          const once = await documentsOf(it);
          assert.equal(once[0], '{"at":{"x":1},"lines":[{"no":2,"big":3}]}');
          // Of a sink that keeps checkpoints, too: after a restore, from a dead letter.
          await it.sink.write({ ...it.batch(rows), checkpoints: [] });
          assert.deepEqual(await documentsOf(it), once);
        },
        { table: documents, patched: ['doc'] },
      ),
  };
}

/** Of the rows 1, 2 and 9, without the spaces that stores put between members; null where there is no row. */
async function documentsOf({ sink, target }: Parameters<Parameters<SinkRig['session']>[0]>[0]): Promise<unknown[]> {
  assert.ok(sink.read !== undefined, 'to see what becomes of documents, the sink must have `read`');
  const rows = await sink.read(
    target,
    [1, 2, 9].map((id) => ({ id })),
  );
  return rows.map((row) => {
    if (row === null) return null;
    const document = row['doc'] ?? 'a row without a document';
    return typeof document === 'string' ? document.replaceAll(/([,:]) /g, '$1') : document;
  });
}

function documents(name: string): TableSchema {
  return tableOf(name, { id: { type: 'int', nullable: false }, doc: 'json' }, ['id']);
}
