import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogHarness, type ScriptedEntry } from '../../test/support/log-harness.ts';
import { BatchFilter, type FilterOptions } from '../formats/log/batch-filter.ts';
import { readBatch } from '../formats/log/batch-reader.ts';
import { controlLength, decodeControl, isControl } from '../formats/log/control-frame.ts';
import { FilterOutput } from '../formats/log/filter-output.ts';
import { ShapeRegistry } from '../formats/log/shape-registry.ts';
import { Feed } from './feed.ts';
import { SharedFilters, SharedOutputs, type SharedReading } from './shared-outputs.ts';

const WISH: FilterOptions = {
  tables: ['shop.orders', 'shop.items'],
  columns: { 'shop.*': ['text'] },
  ops: ['insert', 'update'],
};

/** What one receiver gets, taken apart as a client does it: it knows no shape but those that it was told of. */
class Receiver {
  readonly lines: string[] = [];
  readonly #feed: Feed;
  readonly #shapes = new ShapeRegistry();
  ended = false;

  constructor(
    harness: LogHarness,
    { after, audience, shared }: { after: number; audience: string | null; shared: SharedReading | null },
  ) {
    const { log } = harness;
    const filter = new BatchFilter({ ...WISH, partitionCount: log.partitions, shapes: log });
    const signal = new AbortController().signal;
    this.#feed = new Feed({ log, after, filter, partitions: null, audience, follow: false, signal, shared });
  }

  async step(): Promise<void> {
    const chunk = await this.#feed.next();
    if (chunk === null) {
      this.ended = true;
      this.#feed.close();
      return;
    }
    const { bytes, start, end } = chunk;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = start; at < end;) {
      if (isControl(view, at)) {
        const frame = decodeControl(bytes, view, at);
        if (frame?.kind === 'shapes') for (const text of frame.shapes) this.#shapes.learn(text);
        at += controlLength(view, at);
        continue;
      }
      const batch = readBatch(bytes, view, at, this.#shapes, { end });
      for (const part of batch.parts) {
        this.lines.push(`${part.begins ? 'begin' : 'go on'} ${String(part.transaction.id)}`);
        for (const entry of part.entries) {
          if (entry.type === 'rows') this.lines.push(JSON.stringify([entry.kind, entry.table.name, entry.rows()]));
          else this.lines.push(`${entry.type} ${String(entry.table)} ${entry.scn}`);
        }
        this.lines.push(part.end === null ? 'open' : 'end');
      }
      at += batch.length;
    }
    chunk.release();
  }
}

/** A transaction that only consumers of this name get; null: everyone. */
async function handTo(harness: LogHarness, audience: string | null, entries: readonly ScriptedEntry[]): Promise<void> {
  const part = harness.part(entries, { begins: true, ends: true });
  const addressed = audience === null ? {} : { id: null, audience };
  await harness.hand([{ ...part, transaction: { ...part.transaction, ...addressed } }]);
}

describe('readers with the same filter', () => {
  test('get what each would get alone, wherever they begin and however they take turns', async () => {
    const entry = fc.oneof(
      fc.record({
        type: fc.constant('rows' as const),
        table: fc.nat(2),
        kind: fc.constantFrom('insert' as const, 'update' as const, 'delete' as const),
        // A transaction of the larger ones takes several batches.
        texts: fc.array(fc.constantFrom(5, 300, 60_000), { minLength: 1, maxLength: 8 }),
      }),
      fc.record({ type: fc.constantFrom('schema' as const, 'truncate' as const), table: fc.nat(2) }),
    );
    const audience = fc.option(fc.constantFrom('reader:a', 'reader:b'), { freq: 2 });
    const transaction = fc.record({ entries: fc.array(entry, { minLength: 1, maxLength: 4 }), audience });
    const transactions = fc.array(transaction, { minLength: 1, maxLength: 12 });
    const start = fc.record({ share: fc.double({ min: 0, max: 0.99, noNaN: true }), audience });
    const starts = fc.array(start, { minLength: 2, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(transactions, starts, fc.array(fc.nat(3), { maxLength: 60 }), async (written, places, turns) => {
        await using harness = await LogHarness.open();
        for (const { entries, audience: of } of written) {
          await handTo(harness, of, entries);
        }
        await harness.log.flush();
        const { after, last } = harness.log.visible;
        const filters = new SharedFilters();
        const wishes = places.map(({ share, audience: of }) => ({
          after: share < 0.5 ? after : after + Math.floor((last - after) * share),
          audience: of,
        }));
        const together = wishes.map((wish) => new Receiver(harness, { ...wish, shared: filters.join('wish') }));
        for (const turn of turns) {
          const receiver = together[turn % together.length];
          if (receiver?.ended === false) await receiver.step();
        }
        for (const [i, receiver] of together.entries()) {
          while (!receiver.ended) await receiver.step();
          const alone = new Receiver(harness, { after, audience: null, ...wishes[i], shared: null });
          while (!alone.ended) await alone.step();
          expect(receiver.lines).toEqual(alone.lines);
        }
      }),
      { numRuns: 150 },
    );
  });
});

test('a reader gets what is for everyone and what is for it, and nothing that is for another', async () => {
  await using harness = await LogHarness.open();
  const row = { type: 'rows', table: 0, kind: 'insert', texts: [20_000] } as const;
  for (const audience of [null, 'reader:a', 'reader:b', 'group:a', 'reader:', 'reader:a', null]) {
    await handTo(harness, audience, [row, { type: 'truncate', table: 0 }]);
  }
  await harness.log.flush();
  const { after } = harness.log.visible;
  const filters = new SharedFilters();
  const receivers = [null, 'reader:a', 'reader:b', 'reader:c'].flatMap((audience) => [
    { audience, receiver: new Receiver(harness, { after, audience, shared: filters.join('wish') }) },
    { audience, receiver: new Receiver(harness, { after, audience, shared: null }) },
  ]);
  const seen: string[] = [];
  for (const { audience, receiver } of receivers) {
    while (!receiver.ended) await receiver.step();
    const ids = receiver.lines.map((line) => /"id":"?(\d+)/.exec(line)?.[1]).filter((id) => id !== undefined);
    const truncates = receiver.lines.filter((line) => line.startsWith('truncate')).length;
    seen.push(`${audience}: ${ids.join()}, ${truncates}`);
  }
  const expected = ['null: 1,7, 2', 'reader:a: 1,2,6,7, 4', 'reader:b: 1,3,7, 3', 'reader:c: 1,7, 2'];
  expect(seen).toEqual(expected.flatMap((line) => [line, line]));
});

describe('shared outputs', () => {
  const made = (): { output: FilterOutput; end: number; openAfter: 'none'; shapes: [] } => ({
    output: new FilterOutput(1024),
    end: 10,
    openAfter: 'none',
    shapes: [],
  });

  test('are made once while two want them, and not kept for one alone', () => {
    const filters = new SharedFilters();
    const first = filters.join('a');
    expect(first.outputs.isShared).toBe(false);
    const second = filters.join('a');
    expect(second.outputs).toBe(first.outputs);
    expect(filters.join('b').outputs).not.toBe(first.outputs);
    expect(first.outputs.isShared).toBe(true);
    first.outputs.release(first.outputs.add(1, 'none', made()));
    expect(first.outputs.find(1, 'none')).not.toBeNull();
    expect(first.outputs.find(1, 'sent')).toBeNull();
    second.leave();
    second.leave();
    expect(first.outputs.isShared).toBe(false);
    expect(first.outputs.find(1, 'none')).toBeNull();
  });

  test('are remembered up to a few MiB, whatever one of them has', () => {
    const outputs = new SharedOutputs();
    const add = (scn: number, bytes: number): void =>
      outputs.release(outputs.add(scn, 'none', { ...made(), output: outputs.takeOutput(), end: bytes }));
    const remembered = (): number[] => Array.from({ length: 40 }, (_, scn) => scn).filter((scn) => isKnown(scn));
    const isKnown = (scn: number): boolean => {
      const found = outputs.find(scn, 'none');
      if (found !== null) outputs.release(found);
      return found !== null;
    };
    for (let scn = 0; scn < 10; scn++) add(scn, 3_000_000);
    expect(remembered()).toEqual([8, 9]);
    add(10, 16_000_000);
    expect(remembered()).toEqual([10]);
    for (let scn = 11; scn < 40; scn++) add(scn, 1000);
    expect(remembered()).toHaveLength(24);
  });

  test('are not written over while somebody sends them', () => {
    const outputs = new SharedOutputs();
    const held = outputs.add(0, 'none', made());
    for (let scn = 1; scn < 200; scn++) {
      outputs.release(outputs.add(scn, 'none', { ...made(), output: outputs.takeOutput() }));
    }
    expect(outputs.find(0, 'none')).toBeNull();
    const taken = Array.from({ length: 10 }, () => outputs.takeOutput());
    expect(taken).not.toContain(held.output);
    outputs.release(held);
    expect(outputs.takeOutput()).toBe(held.output);
  });
});
