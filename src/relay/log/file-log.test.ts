import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  batchesOf,
  itemsOf,
  LogHarness,
  openLog,
  positionOf,
  readItems,
  type ScriptedEntry,
  TABLES,
} from '../../../test/support/log-harness.ts';
import { GrowingRowTarget } from '../../../test/support/row-target.ts';
import { silentLogger } from '../../core/logger.ts';
import { plainRowBatch } from '../../core/plain-rows.ts';
import type { RowTarget } from '../../core/rows/row-target.ts';
import type { RowBatch, TransactionPart } from '../../core/source.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import {
  batchFirstScn,
  batchFlags,
  batchLastScn,
  batchLength,
  batchSourceBytes,
  batchTransactions,
} from '../../formats/log/batch-header.ts';
import { readBatch } from '../../formats/log/batch-reader.ts';
import { FLAG } from '../../formats/log/batch-layout.ts';
import { ShapeRegistry } from '../../formats/log/shape-registry.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import { tableOf } from '../../testing/tables.ts';
import type { LogChunk } from './change-log.ts';
import type { FileLog } from './file-log.ts';

const MIB = 1024 * 1024;

function rows(count: number, textLength: number, table = 0): ScriptedEntry {
  return { type: 'rows', table, kind: 'insert', texts: Array.from({ length: count }, () => textLength) };
}

/** A transaction of one row that is encoded already, so that it takes no memory when it is handed over. */
function largeRow(harness: LogHarness, letter: string, length: number): () => Promise<void> {
  const table = TABLES[0] as TableSchema;
  const plain = plainRowBatch({ table, kind: 'insert', rows: [{ id: 1, text: letter.repeat(length) }] });
  const encoded = new GrowingRowTarget();
  plain.writeTo(encoded);
  const bytes = encoded.written();
  const rows: RowBatch = {
    type: 'rows',
    kind: 'insert',
    statement: null,
    table,
    shape: plain.shape,
    rows: () => plain.rows(),
    keys: () => plain.keys(),
    changes: () => plain.changes(),
    writeTo(target) {
      target.room(bytes.length);
      bytes.copy(target.bytes, target.at);
      target.at += bytes.length;
      target.rows++;
    },
  };
  return async () => {
    const part = harness.part([], { begins: true, ends: true });
    await harness.hand([{ ...part, entries: [rows] }]);
  };
}

async function readChunk(log: FileLog, after = log.visible.after): Promise<LogChunk> {
  const chunk = await log.openReader(after).read();
  if (chunk === null) throw new Error('there is nothing to read');
  return chunk;
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

describe('appending', () => {
  test('nothing is visible before it is durable', async () => {
    await using harness = await LogHarness.open({ options: { syncDelayMs: 30 } });
    const { log } = harness;
    await harness.insert();
    expect([log.visible.last, log.position, log.openReader(log.visible.after).read()]).toEqual([
      harness.firstScn - 1,
      null,
      null,
    ]);
    await log.flush();
    expect([log.visible.last, log.position]).toEqual([harness.firstScn, 'p1']);
  });

  test('with a delay what comes meanwhile goes with the same sync, and nobody has to ask for it', async () => {
    await using harness = await LogHarness.open({ options: { syncDelayMs: 20 } });
    const { log } = harness;
    const visible: number[] = [];
    const all = Promise.withResolvers<void>();
    log.onChange(() => {
      visible.push(log.visible.last - harness.firstScn + 1);
      if (visible.at(-1) === 10) all.resolve();
    });
    for (let i = 0; i < 10; i++) await harness.insert();
    await all.promise;
    expect(visible).toEqual([10]);
  });

  test('a transaction that is handed over in parts is visible with its last part', async () => {
    await using harness = await LogHarness.open();
    const { log } = harness;
    await harness.insert();
    for (const [begins, ends] of [
      [true, false],
      [false, false],
      [false, true],
    ] as const) {
      await harness.hand([harness.part([rows(20, 20_000)], { begins, ends })]);
      await log.flush();
      expect(log.visible.last - harness.firstScn).toBe(ends ? 60 : 0);
      expect(log.position).toBe(ends ? 'p2' : 'p1');
    }
    expect(await harness.read()).toEqual(harness.items);
  });

  test('the position of an idle source is written once in a while, and never lost', async () => {
    await using harness = await LogHarness.open();
    await harness.insert();
    await harness.log.flush();
    const before = harness.log.visible.bytes;
    for (let i = 0; i < 500; i++) await harness.idle();
    expect(harness.log.visible.bytes - before).toBeLessThan(500);
    await harness.reopen();
    expect(harness.log.position).toBe('p501');
    expect(await harness.read()).toEqual(harness.items);
  });

  test('the position of an idle source becomes durable by itself', async () => {
    await using harness = await LogHarness.open();
    const { log } = harness;
    const last = Promise.withResolvers<void>();
    log.onChange(() => {
      if (log.position === 'p3') last.resolve();
    });
    for (let i = 0; i < 3; i++) await harness.idle();
    await last.promise;
  });

  test('whoever appends faster than the disk is made to wait, and goes on when it has caught up', async () => {
    await using harness = await LogHarness.open({ options: { syncDelayMs: 10_000 } });
    const part = (): ReturnType<LogHarness['part']> => harness.part([rows(30, 60_000)], { begins: true, ends: true });
    let waits = 0;
    for (let i = 0; i < 12; i++) {
      const full = harness.log.append(harness.batch([part()]));
      if (full === null) continue;
      waits++;
      await full;
    }
    expect(waits).toBeGreaterThan(0);
    await harness.log.flush();
    expect(await harness.read()).toEqual(harness.items);
  });

  test('a large transaction takes no more memory than a few buffers', async () => {
    await using harness = await LogHarness.open();
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let i = 0; i < 60; i++) {
      await harness.hand([harness.part([rows(40, 50_000)], { begins: i === 0, ends: i === 59 })]);
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    await harness.log.flush();
    expect(harness.log.visible.bytes).toBeGreaterThan(100 * MIB);
    // 8 MiB that wait, 8 MiB for readers, spare ones, what a batch is made in; and whatever the garbage collector has not seen yet.
    expect(most / MIB).toBeLessThan(64);
  });

  test('a row that is larger than every buffer is kept as it is', async () => {
    await using harness = await LogHarness.open();
    await harness.append(rows(3, 10), rows(1, 3 * MIB), rows(3, 10));
    await harness.log.flush();
    expect(await harness.read()).toEqual(harness.items);
    await harness.reopen();
    expect(await harness.read()).toEqual(harness.items);
  });

  test('rows that are larger than every buffer take the memory of one of them, however many come', async () => {
    await using harness = await LogHarness.open();
    const append = largeRow(harness, 'x', 12 * MIB);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let i = 0; i < 30; i++) {
      await append();
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    await harness.log.flush();
    expect(harness.log.visible.bytes).toBeGreaterThan(360 * MIB);
    // The log's own, and what such memory is rounded up to.
    expect(most / MIB).toBeLessThan(48);
  });

  test('rows that cannot be written take their transaction back, and no other', async () => {
    await using harness = await LogHarness.open();
    const good = harness.part([rows(2, 10)], { begins: true, ends: true });
    const table = TABLES[0] as TableSchema;
    const some = plainRowBatch({ table, kind: 'insert', rows: [{ id: 1, text: 'x' }] });
    const bad = {
      ...some,
      type: 'rows',
      kind: 'insert',
      statement: null,
      shape: some.shape,
      writeTo(target: RowTarget): void {
        some.writeTo(target);
        throw new Error('no such character');
      },
    } as RowBatch;
    const failing = { ...good, entries: [some, bad] };
    expect(() => harness.log.append(harness.batch([good, failing]))).toThrow('no such character');
    await harness.insert();
    await harness.log.flush();
    expect(await harness.read()).toEqual(harness.items);
  });

  test('a transaction that begins again replaces what was appended of it, also in other segments, and takes the same SCNs', async () => {
    await using harness = await LogHarness.open({ options: { segmentBytes: 20_000 } });
    await harness.insert();
    for (let attempt = 0; attempt < 3; attempt++) {
      for (let i = 0; i < 4; i++) {
        const begins = i === 0;
        await harness.hand([
          harness.part([rows(10, 3000, i % 3)], { begins, ends: false, restarted: attempt > 0 && begins }),
        ]);
        if (attempt !== 1) await harness.log.flush();
      }
    }
    expect(harness.segments().length).toBeGreaterThan(2);
    await harness.hand([harness.part([rows(1, 5)], { begins: false, ends: true })]);
    await harness.insert();
    await harness.log.flush();
    expect(harness.log.visible.last).toBe(harness.firstScn + 42);
    expect(await harness.read()).toEqual(harness.items);
    await harness.reopen();
    expect(await harness.read()).toEqual(harness.items);
  });

  test('of a transaction that begins again and is shorter then, nothing is left', async () => {
    await using harness = await LogHarness.open({ options: { segmentBytes: 50_000 } });
    await harness.insert();
    for (let i = 0; i < 5; i++) {
      await harness.hand([harness.part([rows(10, 3000)], { begins: i === 0, ends: false })]);
      await harness.log.flush();
    }
    await harness.hand([harness.part([rows(1, 5)], { begins: true, ends: true, restarted: true })]);
    await harness.log.flush();
    const files = harness.segments();
    expect(files).toHaveLength(1);
    expect(batchesOf(join(harness.directory, files[0]?.name ?? '')).length).toBe(harness.log.visible.bytes);
    await harness.moveTo(harness.copy().directory);
    expect(harness.transactions).toHaveLength(2);
    expect(await harness.read()).toEqual(harness.items);
  });

  test('rows of one statement that come in several batches are one run', async () => {
    await using harness = await LogHarness.open();
    await harness.append(rows(5, 10), rows(5, 20), rows(5, 30, 1), rows(5, 10));
    await harness.log.flush();
    const { bytes, start, end } = await readChunk(harness.log);
    const shapes = new ShapeRegistry();
    const batch = readBatch(bytes, viewOf(bytes), start, shapes, { end });
    const counts = batch.parts[0]?.entries.map((entry) => (entry.type === 'rows' ? entry.rows().count : 0));
    expect(counts).toEqual([10, 5, 5]);
  });

  test('more row shapes than one batch can name are spread over batches', async () => {
    await using harness = await LogHarness.open({ options: { syncDelayMs: 10_000 } });
    const batches = Array.from({ length: 4200 }, (_, i) =>
      plainRowBatch({ table: tableOf(`s.t${i}`, { i: 'int' }), kind: 'insert', rows: [{ i }] }),
    );
    const part = (entries: readonly RowBatch[], end: number): TransactionPart => {
      const transaction = { id: null, committedAtUs: 1, serverId: 1, start: positionOf(0) };
      return { transaction, begins: true, restarted: false, entries, end: positionOf(end) };
    };
    const each = batches.map((batch) => part([batch], 1));
    // When they are described, each on its own, then all in one transaction behind a small one.
    for (const parts of [each, each, [part(batches.slice(0, 10), 2), part(batches, 3)]]) {
      const full = harness.log.append({ parts, position: positionOf(3), bytes: 0 });
      if (full !== null) await full;
    }
    await harness.log.flush();
    const reader = harness.log.openReader(harness.log.visible.after);
    const shapes = new ShapeRegistry();
    const read: number[] = [];
    for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) {
      const { bytes, start, end } = chunk;
      for (let at = start; at < end; at += batchLength(viewOf(bytes), at)) {
        for (const { entries } of readBatch(bytes, viewOf(bytes), at, shapes, { end }).parts) {
          for (const entry of entries) {
            if (entry.type === 'rows') read.push(...(entry.rows().after ?? []).map(({ i }) => Number(i)));
          }
        }
      }
      chunk.release();
    }
    const all = batches.map((_, i) => i);
    expect(read).toEqual([...all, ...all, ...all.slice(0, 10), ...all]);
  });

  test('a batch says how many transactions and how many bytes of the source it covers', async () => {
    await using harness = await LogHarness.open({ options: { syncDelayMs: 10_000 } });
    for (let i = 0; i < 5; i++) await harness.insert();
    await harness.log.flush();
    const { bytes, start, end } = await readChunk(harness.log);
    const view = viewOf(bytes);
    expect(batchLength(view, start)).toBe(end - start);
    expect([batchTransactions(view, start), batchSourceBytes(view, start)]).toEqual([5, 500]);
  });

  test('compressed batches are handed over as they are stored', async () => {
    await using harness = await LogHarness.open({ options: { compression: 'zstd' } });
    await harness.append(rows(50, 1000));
    await harness.log.flush();
    const { bytes, start, end } = await readChunk(harness.log);
    expect(batchFlags(viewOf(bytes), start) & FLAG.zstd).toBe(FLAG.zstd);
    expect(end - start).toBeLessThan(5000);
    expect(await harness.read()).toEqual(harness.items);
  });

  test('a source whose position is longer than a batch can say is told so', async () => {
    await using harness = await LogHarness.open();
    const part = harness.part([rows(1, 1)], { begins: true, ends: true });
    const position = { toString: () => 'x'.repeat(40_000) };
    const full = harness.log.append({ parts: [{ ...part, end: position }], position, bytes: 0 });
    expect(full === null || full instanceof Promise).toBe(true);
    await expect(harness.log.flush()).rejects.toMatchObject({ code: 'POSITION_INVALID' });
  });
});

describe('reading', () => {
  test('begins behind any change, also inside a transaction of many batches', async () => {
    await using harness = await LogHarness.open({ options: { segmentBytes: 500_000 } });
    await harness.insert();
    await harness.append(rows(60, 20_000));
    for (let i = 0; i < 300; i++) await harness.insert(i);
    await harness.log.flush();
    for (const reopened of [false, true]) {
      if (reopened) await harness.reopen();
      for (let i = 0; i < harness.items.length; i += 7) {
        expect(await harness.read(harness.firstScn - 1 + i)).toEqual(harness.items.slice(i));
      }
    }
  });

  test('outside of what is kept is refused', async () => {
    await using harness = await LogHarness.open();
    await harness.insert();
    await harness.log.flush();
    const { after, last } = harness.log.visible;
    expect(() => harness.log.openReader(after - 1)).toThrow(expect.objectContaining({ code: 'SCN_PURGED' }));
    expect(() => harness.log.openReader(last + 1)).toThrow(expect.objectContaining({ code: 'SCN_UNKNOWN' }));
  });

  test('from memory is synchronous, and a reader at the end waits without a timer until there is more', async () => {
    await using harness = await LogHarness.open();
    const { log } = harness;
    const reader = log.openReader(log.visible.last);
    expect(reader.read()).toBeNull();
    const { signal } = new AbortController();
    const woken = reader.wait(signal);
    await harness.insert();
    await woken;
    const chunk = reader.read();
    expect(chunk).not.toBeInstanceOf(Promise);
    expect(itemsOf(log, chunk as LogChunk, new ShapeRegistry()).map(({ item }) => item)).toEqual(harness.items);
    expect(reader.offset).toBe(log.visible.endOffset);
    // Already there.
    const other = log.openReader(log.visible.after);
    await other.wait(signal);
  });

  test('waiting ends with its signal, and when the log is closed', async () => {
    const harness = await LogHarness.open();
    const reader = harness.log.openReader(harness.log.visible.last);
    const controller = new AbortController();
    const aborted = reader.wait(controller.signal);
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    const closed = reader.wait(new AbortController().signal);
    await harness[Symbol.asyncDispose]();
    await closed;
    expect(() => reader.read()).toThrow(expect.objectContaining({ code: 'RELAY_CLOSING' }));
    expect(() => harness.log.append(harness.batch([]))).toThrow(expect.objectContaining({ code: 'RELAY_CLOSING' }));
  });

  test('what readers hold stays as it is, however far the log goes on', async () => {
    await using harness = await LogHarness.open();
    const held: { chunk: LogChunk; copy: Buffer }[] = [];
    // Many times the tail that is kept in memory, and more buffers than may be held up.
    for (let i = 0; i < 40; i++) {
      const reader = harness.log.openReader(harness.log.visible.last);
      await harness.append(rows(100, 20_000));
      await harness.log.flush();
      const chunk = await reader.read();
      if (chunk === null) throw new Error('there is something to read');
      held.push({ chunk, copy: Buffer.from(chunk.bytes.subarray(chunk.start, chunk.end)) });
    }
    for (const { chunk, copy } of held) {
      expect(chunk.bytes.subarray(chunk.start, chunk.end).equals(copy)).toBe(true);
      chunk.release();
    }
    expect((await harness.read()).length).toBe(4000);
  });

  test('however many small batches are there, a chunk has a few dozen, and they follow each other', async () => {
    await using harness = await LogHarness.open();
    const { after } = harness.log.visible;
    for (let i = 0; i < 500; i++) {
      await harness.insert(5);
      await harness.log.flush();
    }
    for (const fromFile of [false, true]) {
      if (fromFile) await harness.reopen();
      const reader = harness.log.openReader(after);
      let chunks = 0;
      let last = after;
      for (let chunk = await reader.read(); chunk !== null; chunk = await reader.read()) {
        const { bytes, start, end, release } = chunk;
        let batches = 0;
        for (let at = start; at < end; at += batchLength(viewOf(bytes), at)) {
          expect(batchFirstScn(viewOf(bytes), at)).toBe(last + 1);
          last = batchLastScn(viewOf(bytes), at);
          batches++;
        }
        expect(batches).toBeLessThanOrEqual(64);
        expect(reader.after).toBe(last);
        chunks++;
        release();
      }
      expect(last).toBe(after + 500);
      expect(chunks).toBeLessThan(12);
      // Closed with something still to come: its memory is given back all the same.
      const another = harness.log.openReader(after);
      (await another.read())?.release();
      another.close();
    }
  });

  test('a reader holds three chunks at most', async () => {
    await using harness = await LogHarness.open();
    await harness.append(rows(100, 20_000));
    await harness.log.flush();
    const reader = harness.log.openReader(harness.log.visible.after);
    const chunks = [await reader.read(), await reader.read(), await reader.read()];
    expect(chunks.every((chunk) => chunk !== null)).toBe(true);
    expect(() => reader.read()).toThrow('more than 3 chunks');
    chunks[0]?.release();
    chunks[0]?.release();
    expect(await reader.read()).not.toBeNull();
    expect(() => reader.read()).toThrow('more than 3 chunks');
  });

  test('what a reader holds of large rows stays as it is, whatever is appended and read meanwhile', async () => {
    await using harness = await LogHarness.open({ options: { segmentBytes: 20 * MIB } });
    const { log } = harness;
    const fast = log.openReader(log.visible.after);
    const slow = log.openReader(log.visible.after);
    const held: { readonly chunk: LogChunk; readonly letter: string }[] = [];
    const check = ({ chunk: { bytes, end }, letter }: (typeof held)[number]): void => {
      // The row's text is what a batch ends with.
      expect(bytes.subarray(end - 3 * MIB, end).equals(Buffer.alloc(3 * MIB, letter))).toBe(true);
    };
    const letters = Array.from('abcdefghijkl');
    const take = async (reader: typeof slow, letter: string): Promise<(typeof held)[number]> => {
      for (;;) {
        const chunk = await reader.read();
        if (chunk === null) throw new Error('there is nothing to read');
        if (chunk.end - chunk.start > MIB) return { chunk, letter };
        // What the table is like, or how far the source.
        chunk.release();
      }
    };
    for (const [i, letter] of letters.entries()) {
      await largeRow(harness, letter, (3 + ((i * 5) % 9)) * MIB)();
      await log.flush();
      const seen = await take(fast, letter);
      if (i % 4 === 0) held.push(await take(slow, letters[i / 4] as string));
      for (const one of [seen, ...held]) check(one);
      seen.chunk.release();
    }
    for (const one of held.splice(0)) {
      check(one);
      one.chunk.release();
    }
    for (const letter of letters.slice(3)) {
      const late = await take(slow, letter);
      check(late);
      late.chunk.release();
    }
  });

  test('a thousand readers that wait cost next to nothing', async () => {
    await using harness = await LogHarness.open();
    for (let i = 0; i < 50; i++) await harness.insert();
    await harness.log.flush();
    const { log } = harness;
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 1000 }, () => log.openReader(log.visible.after));
    for (const reader of readers) expect(await readItems(log, reader, log.visible.after)).toHaveLength(50);
    const woken = readers.map((reader) => reader.wait(new AbortController().signal));
    expect((process.memoryUsage().arrayBuffers - before) / MIB).toBeLessThan(16);
    await harness.insert();
    await Promise.all(woken);
  });

  test('retention that overtakes a reader is told to it', async () => {
    await using harness = await LogHarness.open({ options: { segmentBytes: 3000 } });
    for (let i = 0; i < 60; i++) {
      await harness.insert(100);
      await harness.log.flush();
    }
    const { log } = harness;
    const reader = log.openReader(log.visible.after);
    await log.retain({ maxAgeMs: Infinity, maxBytes: 4000, groupBytes: 0, lowestCheckpoint: null });
    expect(log.visible.after).toBeGreaterThan(harness.firstScn);
    expect(() => reader.read()).toThrow(expect.objectContaining({ code: 'SCN_PURGED' }));
    expect(await harness.read()).toEqual(harness.items.slice(log.visible.after + 1 - harness.firstScn));
    await harness.reopen();
    expect(await harness.read()).toEqual(harness.items.slice(harness.log.visible.after + 1 - harness.firstScn));
    // Where the log no longer goes back to, a position cannot be told from one before it.
    await expect(harness.log.seekPosition(() => false)).rejects.toMatchObject({ code: 'SCN_PURGED' });
  });

  test('a failing listener harms nobody', async () => {
    await using harness = await LogHarness.open();
    let calls = 0;
    harness.log.onChange(() => {
      throw new Error('oh');
    });
    const stop = harness.log.onChange(() => calls++);
    await harness.insert();
    await harness.log.flush();
    expect(calls).toBe(1);
    stop();
    await harness.insert();
    await harness.log.flush();
    expect(calls).toBe(1);
  });
});

describe('what the log knows of tables', () => {
  const names = (log: FileLog): string[] => log.tables().map(({ name }) => name);

  test('is the latest definition that rows were written with, until a statement makes it stale', async () => {
    await using harness = await LogHarness.open({ options: { segmentBytes: 2000 } });
    await harness.append(rows(1, 10, 0), rows(1, 10, 1));
    await harness.append(rows(1, 10, 2));
    await harness.append({ type: 'schema', table: 1 });
    expect(names(harness.log).toSorted()).toEqual(['customers', 'orders']);
    await harness.append({ type: 'truncate', table: 0 });
    await harness.append(rows(1, 10, 1));
    for (let i = 0; i < 40; i++) {
      await harness.append(rows(1, 100, 2));
      await harness.log.flush();
    }
    expect(names(harness.log).toSorted()).toEqual(['customers', 'items']);
    expect(harness.segments().length).toBeGreaterThan(2);
    await harness.reopen();
    expect(harness.log.tables().toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([TABLES[2], TABLES[1]]);
  });

  test('does not come from a transaction that was not finished', async () => {
    await using harness = await LogHarness.open();
    await harness.append(rows(1, 10, 0));
    await harness.hand([harness.part([rows(1, 10, 1), { type: 'schema', table: 0 }], { begins: true, ends: false })]);
    await harness.log.flush();
    expect(names(harness.log)).toEqual(['orders']);
    // It begins again, and is another one.
    await harness.hand([harness.part([rows(1, 10, 2)], { begins: true, ends: true, restarted: true })]);
    expect(names(harness.log)).toEqual(['orders', 'customers']);
    await harness.hand([harness.part([rows(1, 10, 1), { type: 'schema', table: 0 }], { begins: true, ends: false })]);
    await harness.reopen();
    expect(names(harness.log)).toEqual(['orders', 'customers']);
  });

  test('a row shape is found that only an old segment describes', async () => {
    await using harness = await LogHarness.open({ options: { segmentBytes: 2000 } });
    await harness.append(rows(1, 10, 1));
    for (let i = 0; i < 40; i++) {
      await harness.append(rows(1, 100, 0));
      await harness.log.flush();
    }
    await harness.append({ type: 'schema', table: 1 });
    await harness.reopen();
    const { shape } = plainRowBatch({ table: TABLES[1] as TableSchema, kind: 'insert', rows: [{ id: 1, text: 'x' }] });
    expect(harness.log.shape(shape.fingerprint).text).toBe(shape.text);
    expect(() => harness.log.shape('0123456789abcdef')).toThrow(expect.objectContaining({ code: 'LOG_DAMAGED' }));
  });
});

test('the log is set back with its clock and still numbers its changes upwards', async () => {
  await using harness = await LogHarness.open();
  await harness.insert();
  await harness.log.close();
  const clock = new ManualClock(1000);
  harness.log = await openLog(harness.directory, { clock, options: {}, logger: silentLogger });
  await harness.insert();
  await harness.log.flush();
  expect(harness.log.visible.last).toBe(harness.firstScn + 1);
});
