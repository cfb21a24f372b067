import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AppendBuffer, AppendBuffers, type CommitGroup } from './append-buffers.ts';
import { Segment } from './segment.ts';

const MIB = 1024 * 1024;
const SEGMENT = new Segment({ directory: '/nowhere', firstScn: 1, base: 0 });

/** Appends so many MiB and makes them durable, in steps as a disk would. */
function fill(buffers: AppendBuffers, mebibytes: number, visible: boolean): void {
  for (let i = 0; i < mebibytes; i++) {
    buffers.added(buffers.reserve(SEGMENT, MIB), MIB);
    const group = buffers.nextGroup();
    if (group === null) throw new Error('something waits for the disk');
    buffers.madeDurable(group);
    if (visible) buffers.becameVisible(buffers.durable);
    buffers.trim();
  }
}

function bytesInMemory(buffers: AppendBuffers): number {
  let place = buffers.end;
  while (place > 0 && buffers.find(place - MIB) !== null) place -= MIB;
  return buffers.end - place;
}

describe('what stays in memory behind the disk', () => {
  test('is the same however much was written', () => {
    const buffers = new AppendBuffers(0);
    fill(buffers, 20, true);
    const kept = bytesInMemory(buffers);
    expect(kept).toBeGreaterThanOrEqual(16 * MIB);
    fill(buffers, 200, true);
    expect(bytesInMemory(buffers)).toBe(kept);
  });

  test('is next to nothing of a long transaction that is open', () => {
    const buffers = new AppendBuffers(0);
    fill(buffers, 30, true);
    fill(buffers, 100, false);
    expect(bytesInMemory(buffers)).toBeLessThanOrEqual(2 * MIB);
    buffers.becameVisible(buffers.durable);
    fill(buffers, 30, true);
    expect(bytesInMemory(buffers)).toBeGreaterThanOrEqual(16 * MIB);
  });

  test('stays as it is while a reader looks into it', () => {
    const buffers = new AppendBuffers(0);
    fill(buffers, 1, true);
    const first = buffers.find(0);
    if (first === null) throw new Error('it is in memory');
    first.bytes.fill(7);
    expect(buffers.pin(first)).toBe(true);
    const memory = new Set([first.bytes]);
    for (let i = 0; i < 100; i++) {
      fill(buffers, 1, true);
      const last = buffers.find(buffers.end - 1);
      if (last === null) throw new Error('it is in memory');
      expect(last.bytes).not.toBe(first.bytes);
      memory.add(last.bytes);
    }
    expect(buffers.find(0)).toBeNull();
    expect(first.bytes.every((byte) => byte === 7)).toBe(true);
    // Memory goes round, and what nobody looks into any more goes round with it.
    expect(memory.size).toBeLessThan(30);
    buffers.unpin(first);
    let isUsedAgain = false;
    for (let i = 0; i < 30; i++) {
      fill(buffers, 1, true);
      isUsedAgain ||= buffers.find(buffers.end - 1)?.bytes === first.bytes;
    }
    expect(isUsedAgain).toBe(true);
  });

  test('is not held up by many readers that are slow: they are told to take copies', () => {
    const buffers = new AppendBuffers(0);
    let refused = 0;
    for (let i = 0; i < 60; i++) {
      fill(buffers, 1, true);
      const last = buffers.find(buffers.end - 1);
      if (last !== null && !buffers.pin(last)) refused++;
    }
    expect(refused).toBeGreaterThan(10);
  });
});

describe('a batch that is larger than a buffer', () => {
  /** Appends one that was made in its own memory, and makes it durable. */
  function appendLarge(buffers: AppendBuffers, size: number): AppendBuffer {
    const large = buffers.takeLarge(size + 100);
    const buffer = buffers.adopt(SEGMENT, { large, from: 100, to: 100 + size });
    if (buffer === null) throw new Error('it is larger than a buffer');
    buffers.added(buffer, size);
    const group = buffers.nextGroup();
    if (group === null) throw new Error('something waits for the disk');
    buffers.madeDurable(group);
    buffers.becameVisible(buffers.durable);
    buffers.trim();
    return buffer;
  }

  test('stays for readers until the next one needs its memory, and gives it to that one', () => {
    const buffers = new AppendBuffers(0);
    const memory = new Set<ArrayBufferLike>();
    for (let i = 0; i < 20; i++) {
      const buffer = appendLarge(buffers, 15 * MIB + i);
      memory.add(buffer.bytes.buffer);
      expect(buffers.find(buffers.end - 1)).toBe(buffer);
    }
    expect(memory.size).toBe(1);
  });

  test('keeps its memory while a reader looks into it; the next one gets another', () => {
    const buffers = new AppendBuffers(0);
    const first = appendLarge(buffers, 15 * MIB);
    expect(buffers.pin(first)).toBe(true);
    const second = appendLarge(buffers, 15 * MIB);
    expect(second.bytes.buffer).not.toBe(first.bytes.buffer);
    expect(first.bytes.length).toBe(15 * MIB);
    buffers.unpin(first);
    expect(appendLarge(buffers, 15 * MIB).bytes.length).toBe(15 * MIB);
  });

  test('leaves those before it in the tail as far as the tail holds them', () => {
    const buffers = new AppendBuffers(0);
    for (let i = 0; i < 20; i++) appendLarge(buffers, 3 * MIB);
    expect(bytesInMemory(buffers)).toBe(15 * MIB);
  });

  test('is copied where a usual buffer is large enough for it, or nothing was left free before it', () => {
    const buffers = new AppendBuffers(0);
    const large = buffers.takeLarge(2 * MIB);
    expect(buffers.adopt(SEGMENT, { large, from: 0, to: MIB })).toBeNull();
    expect(buffers.adopt(SEGMENT, { large, from: -1, to: 2 * MIB })).toBeNull();
  });
});

/** A batch in a buffer, marked so that it is seen when another one was written over it. */
interface Marked {
  readonly buffer: AppendBuffer;
  readonly at: number;
  readonly size: number;
  readonly id: number;
}

function places({ at, size }: Marked): number[] {
  return [at, at + (size >> 1), at + size - 4];
}

function expectUnchanged(batches: readonly Marked[]): void {
  for (const batch of batches) {
    for (const place of places(batch)) expect(batch.buffer.view.getUint32(place)).toBe(batch.id);
  }
}

test('whatever is appended, taken back, made durable and read in whatever order: no batch changes while the disk, the tail or a reader has it', () => {
  const size = fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 16, max: 300_000 }) },
    { weight: 2, arbitrary: fc.integer({ min: 300_000, max: 4 * MIB }) },
    { weight: 1, arbitrary: fc.integer({ min: 4 * MIB, max: 40 * MIB }) },
  );
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('append' as const), size, made: fc.boolean(), isOpen: fc.boolean() }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('make' as const), size }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('write' as const, 'sync' as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('pin' as const, 'unpin' as const), nth: fc.nat(20) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 80, size: 'max' }), (steps) => {
      const buffers = new AppendBuffers(0);
      let id = 1;
      /** Of the log, the last of them of an open transaction. */
      let batches: (Marked & { readonly place: number })[] = [];
      /** Where the open transaction begins. */
      let openAt = 0;
      let group: CommitGroup | null = null;
      let onTheirWay: readonly Marked[] = [];
      const pinned: { readonly buffer: AppendBuffer; readonly batches: readonly Marked[] }[] = [];
      for (const one of steps) {
        switch (one.do) {
          case 'append': {
            const large = one.made ? buffers.takeLarge(one.size + 10) : null;
            const adopted = large === null ? null : buffers.adopt(SEGMENT, { large, from: 10, to: 10 + one.size });
            if (large !== null && adopted === null) buffers.giveLarge(large);
            const buffer = adopted ?? buffers.reserve(SEGMENT, one.size);
            const batch = { buffer, at: buffer.filled, size: one.size, id: id++, place: buffers.end };
            for (const place of places(batch)) buffer.view.setUint32(place, batch.id);
            buffers.added(buffer, one.size);
            batches.push(batch);
            if (!one.isOpen) openAt = buffers.end;
            break;
          }
          case 'make': {
            const large = buffers.takeLarge(one.size);
            large.fill(0xff, 0, Math.min(large.length, 8 * MIB));
            buffers.giveLarge(large);
            break;
          }
          case 'write':
            if (group !== null) break;
            group = buffers.nextGroup();
            onTheirWay = group === null ? [] : batches.filter(({ place }) => place >= buffers.durable);
            break;
          case 'sync':
            if (group === null) break;
            expectUnchanged(onTheirWay);
            buffers.madeDurable(group);
            buffers.becameVisible(Math.min(openAt, buffers.durable));
            buffers.trim();
            group = null;
            onTheirWay = [];
            break;
          case 'cut':
            // What is visible is never taken back.
            if (openAt === buffers.end) break;
            buffers.cut(openAt);
            batches = batches.filter(({ place }) => place < openAt);
            break;
          case 'pin': {
            const seen = batches.filter(({ place }) => place < Math.min(openAt, buffers.durable));
            const batch = seen[seen.length - 1 - (one.nth % Math.max(seen.length, 1))];
            const buffer = batch === undefined ? null : buffers.find(batch.place);
            if (buffer === null || !buffers.pin(buffer)) break;
            pinned.push({ buffer, batches: seen.filter((other) => other.buffer === buffer) });
            break;
          }
          case 'unpin': {
            const [released] = pinned.splice(one.nth % Math.max(pinned.length, 1), 1);
            if (released !== undefined) buffers.unpin(released.buffer);
          }
        }
        expectUnchanged(onTheirWay);
        for (const { batches: looked } of pinned) expectUnchanged(looked);
        expectUnchanged(batches.filter(({ place, buffer }) => buffers.find(place) === buffer));
        expectUnchanged(batches.filter(({ place }) => place >= buffers.durable));
      }
    }),
    { numRuns: 60 },
  );
});
