import { describe, expect, test } from 'vitest';
import { LargeMemory, releaseMemory } from './large-memory.ts';

const MIB = 1024 * 1024;

function residentBytes(): number {
  return process.memoryUsage.rss();
}

describe('memory for what is larger than the usual buffers', () => {
  test('is the same for the next one, also when that is a little larger', () => {
    const memory = new LargeMemory();
    const first = memory.take(16_000_000);
    expect(first.length).toBeGreaterThanOrEqual(16_000_000);
    memory.give(first);
    expect(memory.take(16_000_001)).toBe(first);
  });

  test('is never the same for two at a time', () => {
    const memory = new LargeMemory();
    expect(memory.take(2 * MIB)).not.toBe(memory.take(2 * MIB));
  });

  test('is kept once: the larger one of two', () => {
    const memory = new LargeMemory();
    const small = memory.take(2 * MIB);
    const large = memory.take(20 * MIB);
    const another = memory.take(2 * MIB);
    memory.give(small);
    memory.give(large);
    memory.give(another);
    expect([small.length, another.length]).toEqual([0, 0]);
    expect(memory.take(2 * MIB)).toBe(large);
  });

  test('is not kept when there is very much of it, nor when it was not needed for long', () => {
    const memory = new LargeMemory();
    const huge = memory.take(100 * MIB);
    memory.give(huge);
    expect(huge.length).toBe(0);
    const large = memory.take(2 * MIB);
    memory.give(large);
    for (let i = 0; i < 30; i++) memory.unneeded();
    expect(large.length).toBeGreaterThan(0);
    for (let i = 0; i < 100; i++) memory.unneeded();
    expect(large.length).toBe(0);
  });

  test('is back with the system as soon as it is released, without the collector', () => {
    const buffer = Buffer.allocUnsafeSlow(200 * MIB).fill(1);
    const before = residentBytes();
    releaseMemory(buffer);
    expect(before - residentBytes()).toBeGreaterThan(150 * MIB);
  });
});
