import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LargeMemory, releaseMemory } from './large-memory.ts';

const MIB = 1024 * 1024;

describe('memory for what is larger than the usual buffers', () => {
  test('is the same for the next one, also when that is a little larger', () => {
    const memory = new LargeMemory();
    const first = memory.take(16_000_000);
    expect(first.length).toBeGreaterThanOrEqual(16_000_000);
    memory.give(first);
    expect(memory.take(16_000_001)).toBe(first);
  });

  test('is given to one at a time and kept up to 32 MiB, whatever is taken and given back', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('take' as const), bytes: fc.integer({ min: 1, max: 50 * MIB }) }),
      fc.record({ do: fc.constantFrom('give' as const, 'unneeded' as const), nth: fc.nat(30) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const memory = new LargeMemory();
        const taken: Buffer[] = [];
        const given = new Set<Buffer>();
        for (const one of steps) {
          if (one.do === 'take') {
            const buffer = memory.take(one.bytes);
            expect(buffer.length).toBeGreaterThanOrEqual(one.bytes);
            expect(taken.includes(buffer)).toBe(false);
            given.delete(buffer);
            taken.push(buffer);
          } else if (one.do === 'give') {
            const [buffer] = taken.splice(one.nth % Math.max(taken.length, 1), 1);
            if (buffer === undefined) continue;
            given.add(buffer);
            memory.give(buffer);
          } else memory.unneeded();
          expect(taken.every(({ length }) => length > 0)).toBe(true);
          // Of what was let go there is nothing left.
          expect([...given].reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(32 * MIB);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('is let go when it was not needed for long', () => {
    const memory = new LargeMemory();
    const large = memory.take(2 * MIB);
    memory.give(large);
    for (let i = 0; i < 30; i++) memory.unneeded();
    expect(large.length).toBeGreaterThan(0);
    for (let i = 0; i < 100; i++) memory.unneeded();
    expect(large.length).toBe(0);
  });

  test('is back with the system as soon as it is released, whatever sizes came before', () => {
    for (const size of [3, 9, 17, 12, 30, 20]) releaseMemory(new LargeMemory().take(size * MIB).fill(1));
    const buffers = Array.from({ length: 10 }, (_, i) => new LargeMemory().take((10 + i) * MIB).fill(1));
    const before = process.memoryUsage.rss();
    // Not the last of them, behind which the rest could be cut off.
    for (const buffer of buffers.slice(0, -1)) releaseMemory(buffer);
    expect(before - process.memoryUsage.rss()).toBeGreaterThan(100 * MIB);
    expect(buffers.at(-1)?.length).toBeGreaterThan(0);
  });
});
