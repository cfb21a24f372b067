import { describe, expect, test } from 'vitest';
import { AppendBuffers } from './append-buffers.ts';
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
