import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { RowsRefused, type NestedPatch, type SinkRow } from '../../../src/core/sink.ts';
import { tableOf } from '../../../src/testing/tables.ts';
import { seedOfRun } from '../../support/random.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { openMysqlSink } from '../../support/sinks/open-mysql-sink.ts';
import { patchedTree, patchOf, type Tree, treeOf } from '../../support/sinks/patched-documents.ts';
import { batchOf, RowsOf } from '../../support/sinks/sink-rows.ts';

const SEED = seedOfRun('patches of documents');
const NAME = { type: 'varchar', length: 20, nullable: false } as const;
const INT = { type: 'int', nullable: false } as const;

/** What a document's row is: of orders, which have names, and of lines, which have documents. */
interface Expected {
  name: string | null;
  doc: Tree | undefined;
}

type Step =
  | { readonly kind: 'order' | 'remove'; readonly id: number; readonly name: string }
  | { readonly kind: 'rename'; readonly id: number; readonly name: string; readonly to: number }
  | { readonly kind: 'patch' | 'patch there'; readonly id: number; readonly patches: readonly NestedPatch[] };

const id = fc.integer({ min: 1, max: 3 });
const name = fc.constantFrom('a', 'b');
const patches = fc.array(patchOf('doc'), { minLength: 1, maxLength: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('order' as const), id, name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), id, name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rename' as const), id, name, to: id }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('patch' as const, 'patch there' as const), id, patches }) },
);

/** Rows of two tables that go to one target, and what must come of them. Only steps that a source can have. */
class Orders {
  readonly rows = new Map<number, Expected>();
  readonly orders: RowsOf;
  readonly lines: RowsOf;

  constructor(table: string, key: typeof INT | typeof NAME) {
    this.orders = new RowsOf(tableOf(table, { id: key, name: NAME }, ['id']), { isShared: true });
    this.lines = new RowsOf(tableOf(table, { id: key, doc: 'json' }, ['id']), { isShared: true, patched: ['doc'] });
  }

  take(it: Step, keyOf: (id: number) => number | string): readonly SinkRow[] {
    const { rows } = this;
    const key = { id: keyOf(it.id) };
    const there = rows.get(it.id);
    switch (it.kind) {
      case 'order':
        rows.set(it.id, { doc: there?.doc, name: it.name });
        return [this.orders.upsert({ ...key, name: it.name })];
      case 'remove':
        rows.delete(it.id);
        return [this.orders.delete({ ...key, name: it.name })];
      case 'rename': {
        if (there === undefined || it.to === it.id || rows.has(it.to)) return [];
        rows.delete(it.id);
        rows.set(it.to, { doc: there.doc, name: there.name });
        // Only the columns that changed were logged.
        return [this.orders.update(key, { id: keyOf(it.to) })];
      }
      case 'patch':
      case 'patch there': {
        const isUpdate = it.kind === 'patch there';
        // A part of a row that is not there is refused: other tests see to that.
        if (isUpdate && there === undefined && it.patches.some(({ kind }) => kind !== 'remove')) return [];
        if (!isUpdate || there !== undefined) {
          const doc = it.patches.reduce<Tree | undefined>((tree, patch) => patchedTree(tree, patch), there?.doc);
          rows.set(it.id, { name: there?.name ?? null, doc });
        }
        return [this.lines.patch(key, it.patches, { kind: isUpdate ? 'update' : 'upsert' })];
      }
    }
  }
}

async function shownIn(server: TestServer, table: string): Promise<readonly (Expected & { id: unknown })[]> {
  const rows = await server.query<{ id: unknown; name: string | null; doc: string | null }>(
    `SELECT id, name, CONVERT(doc USING utf8mb4) AS doc FROM ${table} ORDER BY id`,
  );
  return rows.map((row) => ({ ...row, doc: row.doc === null ? undefined : treeOf(row.doc) }));
}

describeServers(['mariadb', 'mysql'], 'changes of parts of documents', (server) => {
  let number = 0;
  const database = async (): Promise<string> => {
    const db = `patches_${++number}`;
    await server().query(`CREATE DATABASE ${db}`);
    return db;
  };
  const url = (db: string): string => `${server().url}/${db}`;
  const lane = 'serial';

  test.each([
    { title: 'whole numbers', key: INT, keyOf: (n: number) => n, extra: '' },
    { title: 'texts', key: NAME, keyOf: (n: number) => `it's ${n}`, extra: '' },
    { title: 'whole numbers, in a table that is written in place', key: INT, keyOf: (n: number) => n, extra: 'u' },
  ])(
    `of rows of two tables leave each document as its values say, in any batches, and twice as once: keys are $title (TIDINGS_SEED=${SEED})`,
    { timeout: 240_000 },
    async ({ key, keyOf, extra }) => {
      const db = await database();
      await using sink = await openMysqlSink(url(db));
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(step, { maxLength: 12 }), { maxLength: 4 }), async (batches) => {
          const table = `${db}.t${++round}`;
          const world = new Orders(table, key);
          if (extra !== '') {
            await server().query(`CREATE TABLE ${table} (id INT PRIMARY KEY, ${extra} INT UNIQUE AUTO_INCREMENT)`);
          }
          await sink.prepare(world.orders.target);
          await sink.prepare(world.lines.target);
          for (const steps of batches) {
            const rows = steps.flatMap((each) => world.take(each, keyOf));
            if (rows.length === 0) continue;
            await sink.write(batchOf(rows, { lane }));
          }
          const expected = [...world.rows].map(([at, row]) => ({ id: keyOf(at), ...row }));
          expect(await shownIn(server(), table)).toEqual(expected.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
        }),
        { seed: SEED, numRuns: process.env['TIDINGS_SOAK'] === '1' ? 400 : 40 },
      );
    },
  );

  test('find the row that the target finds, where two keys are one to it', async () => {
    const db = await database();
    await using sink = await openMysqlSink(url(db));
    const world = new Orders(`${db}.t`, NAME);
    await sink.prepare(world.orders.target);
    await sink.prepare(world.lines.target);
    const put = (no: number): NestedPatch => ({
      kind: 'put',
      path: ['doc'],
      key: { no: `${no}` },
      element: `{"no":${no}}`,
    });
    // The column's collation tells no case apart.
    await sink.write(
      batchOf(
        [
          world.orders.insert({ id: 'a', name: 'x' }),
          world.lines.patch({ id: 'A' }, [put(1)]),
          world.lines.patch({ id: 'A' }, [put(2)]),
          world.lines.patch({ id: 'a' }, [put(3)]),
          world.orders.delete({ id: 'A', name: 'x' }),
          world.lines.patch({ id: 'a' }, [put(4)]),
          world.orders.upsert({ id: 'A', name: 'y' }),
          world.lines.patch({ id: 'a' }, [put(5)]),
        ],
        { lane },
      ),
    );
    const shown = await shownIn(server(), `${db}.t`);
    expect(shown.map(({ name: of, doc }) => [of, doc])).toEqual([['y', treeOf('[{"no":4},{"no":5}]')]]);
  });

  test('that come again leave the documents as they are', async () => {
    const db = await database();
    await using sink = await openMysqlSink(url(db));
    const world = new Orders(`${db}.t`, INT);
    await sink.prepare(world.orders.target);
    await sink.prepare(world.lines.target);
    const put = (no: string, v: string): NestedPatch => ({
      kind: 'put',
      path: ['doc', 'lines'],
      key: { no },
      element: `{"no":${no},"v":${v}}`,
    });
    const first = [
      world.lines.patch({ id: 1 }, [put('1', '12345678901234567890.5')]),
      world.orders.insert({ id: 1, name: 'a' }),
      world.lines.patch({ id: 1 }, [put('2', '1'), { kind: 'remove', path: ['doc', 'lines'], key: { no: '7' } }]),
    ];
    const second = [world.lines.patch({ id: 1 }, [put('2', '2')])];
    await sink.write(batchOf([...first, ...second], { lane }));
    const once = await shownIn(server(), `${db}.t`);
    expect(once).toEqual([
      { id: 1, name: 'a', doc: treeOf('{"lines":[{"no":1,"v":12345678901234567890.5},{"no":2,"v":2}]}') },
    ]);
    for (const rows of [first, [...first, ...second], second]) {
      await sink.write(batchOf(rows, { lane, checkpoints: [] }));
    }
    expect(await shownIn(server(), `${db}.t`)).toEqual(once);
  });

  test('of many rows keep their order behind one another, and behind whole rows of another table', async () => {
    const db = await database();
    await using sink = await openMysqlSink(url(db));
    const world = new Orders(`${db}.t`, INT);
    await sink.prepare(world.orders.target);
    await sink.prepare(world.lines.target);
    const rows: SinkRow[] = [];
    for (let order = 1; order <= 300; order++) {
      rows.push(world.orders.insert({ id: order, name: 'a' }));
      for (let no = 0; no < 5; no++) {
        const element = `{"no":${no}}`;
        rows.push(world.lines.patch({ id: order }, [{ kind: 'put', path: ['doc'], key: { no: String(no) }, element }]));
      }
    }
    await sink.write(batchOf(rows, { lane }));
    const shown = await shownIn(server(), `${db}.t`);
    expect(shown).toHaveLength(300);
    expect(new Set(shown.map(({ doc }) => JSON.stringify(doc)))).toEqual(
      new Set([JSON.stringify([0, 1, 2, 3, 4].map((no) => ({ no: `#${no}` })))]),
    );
  });

  test('that have nowhere to go are refused, and do the other rows no harm', async () => {
    const db = await database();
    await using sink = await openMysqlSink(url(db));
    const world = new Orders(`${db}.t`, INT);
    await sink.prepare(world.orders.target);
    await sink.prepare(world.lines.target);
    await server().query(
      `INSERT INTO ${db}.t (id, name, doc) VALUES (1, 'a', '7'), (2, 'b', '{"list": {}}'), (3, 'c', 'null'), (4, 'd', NULL)`,
    );
    const set: NestedPatch = { kind: 'set', path: ['doc', 'secret'], value: '"hidden"' };
    const put: NestedPatch = { kind: 'put', path: ['doc', 'list'], key: { no: '1' }, element: '{"no":1}' };
    const rows = [
      world.lines.patch({ id: 1 }, [set]),
      world.lines.patch({ id: 2 }, [put]),
      world.lines.patch({ id: 3 }, [set]),
      world.lines.patch({ id: 4 }, [set]),
      world.lines.patch({ id: 5 }, [set], { kind: 'update' }),
      world.lines.patch({ id: 6 }, [{ kind: 'remove', path: ['doc'], key: { no: '1' } }], { kind: 'update' }),
    ];
    const error = await sink.write(batchOf(rows, { lane })).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RowsRefused);
    const refused = (error as RowsRefused).rows;
    expect(refused.map(({ index, error: { code, message } }) => [index, code, message])).toEqual([
      [0, 'SINK_ROW_REFUSED', `${db}.t: a row is refused: column doc: the document has no object at doc`],
      [1, 'SINK_ROW_REFUSED', `${db}.t: a row is refused: column doc: the document has no list at doc.list`],
      [2, 'SINK_ROW_REFUSED', `${db}.t: a row is refused: column doc: the document has no object at doc`],
      [4, 'SINK_ROW_MISSING', `${db}.t: a row is refused: the target does not have the row of which it changes a part`],
    ]);
    const wrong = new Set(refused.map(({ index }) => index));
    await sink.write(
      batchOf(
        rows.filter((_row, index) => !wrong.has(index)),
        { lane },
      ),
    );
    expect((await shownIn(server(), `${db}.t`)).map(({ id: key, doc }) => [key, doc])).toEqual([
      [1, '#7'],
      [2, { list: {} }],
      [3, null],
      [4, { secret: '"hidden' }],
    ]);
  });

  test('are refused beforehand where nothing tells one row from another', async () => {
    const db = await database();
    await using sink = await openMysqlSink(url(db));
    const { target } = new RowsOf(tableOf(`${db}.t`, { doc: 'json' }), { patched: ['doc'] });
    await expect(sink.prepare(target)).rejects.toMatchObject({ code: 'SINK_SCHEMA_CONFLICT' });
  });
});
