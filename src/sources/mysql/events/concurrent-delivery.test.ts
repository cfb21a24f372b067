import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Key } from '../../../core/plain-rows.ts';
import { FakeSource } from '../../../testing/fake-source.ts';
import { FakePosition, type FakeEntry, FakeStore } from '../../../testing/fake-store.ts';
import { tableOf } from '../../../testing/tables.ts';
import type { RawEvent } from './event-types.ts';
import { TableEvents } from './table-events.ts';

const ITEMS = tableOf('shop.items', { id: 'int', n: 'int' }, ['id']);

/** One change: [key, key after it]. Equal for all but an update of the key. */
type Step = readonly [number, number];

function entryOf([id, to]: Step, n: number): FakeEntry {
  if (id === to) return { kind: 'insert', table: ITEMS, rows: [{ id, n }] };
  return { kind: 'update', table: ITEMS, rows: [{ before: { id, n: 0 }, after: { id: to, n } }] };
}

interface Run {
  readonly transactions: readonly (readonly Step[])[];
  readonly concurrency: number;
  readonly rowsPerBatchMax: number;
  /** How many turns each handler call takes, in the order of the calls. */
  readonly turns: readonly number[];
  /** The call that fails, if any. */
  readonly failing: number;
  readonly raw: boolean;
}

const runs = fc.record<Run>({
  transactions: fc.array(
    fc.array(
      fc.oneof(
        { weight: 6, arbitrary: fc.nat(4).map((id): Step => [id, id]) },
        { weight: 1, arbitrary: fc.tuple(fc.nat(4), fc.nat(4)) },
      ),
      {
        minLength: 1,
        maxLength: 6,
      },
    ),
    { minLength: 1, maxLength: 12 },
  ),
  concurrency: fc.integer({ min: 2, max: 5 }),
  rowsPerBatchMax: fc.integer({ min: 1, max: 8 }),
  turns: fc.array(fc.nat(12), { minLength: 1, maxLength: 40 }),
  failing: fc.oneof({ weight: 3, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat(30) }),
  raw: fc.boolean(),
});

test('whatever handlers take: keys keep their order, no position leads, never too many run, and all is done in the end', async () => {
  await fc.assert(
    fc.asyncProperty(runs, async ({ transactions, concurrency, rowsPerBatchMax, turns, failing, raw }) => {
      const store = new FakeStore();
      let n = 0;
      /** By number of the change: which transaction it belongs to, and its keys. */
      const changes = transactions.flatMap((steps, transaction) => steps.map((step) => ({ transaction, step })));
      for (const steps of transactions) store.commit(...steps.map((step) => entryOf(step, n++)));

      const started: number[] = [];
      const finished = new Set<number>();
      const running = new Set<number>();
      const events = new TableEvents({
        tables: ['*'],
        concurrency,
        openSource: () => new FakeSource(store, { from: 'earliest', until: store.end, rowsPerBatchMax }),
      });
      const handle = async (number: number): Promise<void> => {
        for (const other of running) expect(shareKey(changes[other]?.step, changes[number]?.step, raw)).toBe(false);
        running.add(number);
        expect(running.size).toBeLessThanOrEqual(concurrency);
        const call = started.push(number) - 1;
        for (let turn = turns[call % turns.length] ?? 0; turn > 0; turn--) await Promise.resolve();
        running.delete(number);
        if (call === failing) throw new Error('scripted');
        finished.add(number);
      };
      if (raw) {
        events.on('items_*_raw', ({ after }: RawEvent) => handle(after?.['n'] as number));
      } else {
        // Without the rows a change is known by its key and by how many of that key came before it.
        const counts = new Map<Key, number>();
        events.on('items_*', (pk) => {
          const nth = counts.get(pk) ?? 0;
          counts.set(pk, nth + 1);
          return handle(
            changes.findIndex(
              (change, i) =>
                change.step[1] === pk && changes.slice(0, i).filter(({ step }) => step[1] === pk).length === nth,
            ),
          );
        });
      }
      const positions: number[] = [];
      events.on('position', (position) => {
        const index = FakePosition.parse(String(position)).index;
        positions.push(index);
        for (const [number, { transaction }] of changes.entries()) {
          if (transaction < index) expect(finished).toContain(number);
        }
      });
      const error: unknown = await events.run().catch((thrown: unknown) => thrown);

      expect(positions).toEqual(positions.toSorted((a, b) => a - b));
      expect(running.size).toBe(0);
      if (failing < 0 || failing >= started.length) {
        expect(error).toBeUndefined();
        expect(finished.size).toBe(changes.length);
        expect(String(events.position)).toBe(`fake:${transactions.length}`);
      } else {
        expect(error).toMatchObject({ code: 'EVENT_HANDLER_FAILED' });
        const reached = events.position === null ? 0 : FakePosition.parse(String(events.position)).index;
        expect(reached).toBeLessThanOrEqual(changes[started[failing] ?? 0]?.transaction ?? 0);
      }
      // Per key in commit order: of two changes that share a key the earlier one was started, and finished, first.
      for (const [i, later] of started.entries()) {
        for (const earlier of started.slice(i + 1)) {
          if (earlier < later) expect(shareKey(changes[earlier]?.step, changes[later]?.step, raw)).toBe(false);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('different keys run side by side, over the ends of transactions', async () => {
  const store = new FakeStore();
  for (let id = 0; id < 4; id++) store.commit(entryOf([id, id], id));
  const gate = Promise.withResolvers<void>();
  let running = 0;
  const events = new TableEvents({
    tables: ['*'],
    concurrency: 4,
    openSource: () => new FakeSource(store, { from: 'earliest', until: store.end }),
  });
  events.on('items_write', async () => {
    if (++running === 4) gate.resolve();
    await gate.promise;
  });
  await events.run();
  expect(running).toBe(4);
});

test('one slow handler does not let memory grow: the source is not read on for ever', async () => {
  const store = new FakeStore();
  for (let i = 0; i < 1000; i++) store.commit(entryOf([i % 2, i % 2], i));
  const gate = Promise.withResolvers<void>();
  let others = 0;
  const source = new FakeSource(store, { from: 'earliest', until: store.end, rowsPerBatchMax: 1 });
  const events = new TableEvents({ tables: ['*'], concurrency: 2, openSource: () => source });
  events.on('items_write', async (pk) => {
    if (pk === 0) await gate.promise;
    else others++;
  });
  const run = events.run();
  await expect.poll(() => others).toBeGreaterThan(0);
  await new Promise((resolve) => setImmediate(resolve));
  expect(source.position.index).toBeLessThan(40);
  gate.resolve();
  await run;
  expect(others).toBe(500);
});

test('a position listener that is slower than the stream is told the newest position, and the last one always', async () => {
  const store = new FakeStore();
  for (let i = 0; i < 50; i++) store.commit(entryOf([i, i], i));
  const told: string[] = [];
  const events = new TableEvents({
    tables: ['*'],
    concurrency: 2,
    openSource: () => new FakeSource(store, { from: 'earliest', until: store.end, rowsPerBatchMax: 1 }),
  });
  events.on('items_write', () => {});
  events.on('position', async (position) => {
    for (let i = 0; i < 30; i++) await Promise.resolve();
    told.push(String(position));
  });
  await events.run();
  expect(told.at(-1)).toBe('fake:50');
  expect(told.length).toBeLessThan(50);
});

/** With the rows in hand an update of the key belongs to both keys; without, it is known by the new one only. */
function shareKey(a: Step | undefined, b: Step | undefined, raw: boolean): boolean {
  if (a === undefined || b === undefined) return false;
  return raw ? a.some((key) => b.includes(key)) : a[1] === b[1];
}
