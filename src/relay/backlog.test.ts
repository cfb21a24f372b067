import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Backlog } from './backlog.ts';

const MIB = 1024 * 1024;

let nowMs = 0;

beforeEach(() => {
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** A log that grows, and a reader in it, both by MiB per second: second by second, whether the reader can wait. */
function seconds(
  count: number,
  { from, grows, reads, waiting = reads }: { from: number; grows: number; reads: number; waiting?: number },
): { waits: boolean[]; distance: number } {
  const log = { visible: { endOffset: from * MIB } } as ConstructorParameters<typeof Backlog>[0];
  const visible = log.visible as { endOffset: number };
  const backlog = new Backlog(log);
  let offset = 0;
  const waits: boolean[] = [];
  for (let second = 0; second < count; second++) {
    const canWait = backlog.canWait({ offset });
    waits.push(canWait);
    nowMs += 1000;
    visible.endOffset += grows * MIB;
    offset = Math.min(visible.endOffset, offset + (canWait ? waiting : reads) * MIB);
  }
  return { waits, distance: (visible.endOffset - offset) / MIB };
}

describe('a reader', () => {
  test('near the end does not wait, and one far behind does, until it is there', () => {
    expect(seconds(3, { from: 16, grows: 0, reads: 1 }).waits).toEqual([false, false, false]);
    const { waits } = seconds(8, { from: 20, grows: 0, reads: 4 });
    expect(waits).toEqual([true, true, true, true, true, false, false, false]);
  });

  test('that comes nearer while it waits goes on waiting', () => {
    expect(seconds(10, { from: 1000, grows: 10, reads: 100, waiting: 11 }).waits).not.toContain(false);
  });

  test('that would never arrive if it waited arrives', () => {
    const { waits, distance } = seconds(40, { from: 1000, grows: 60, reads: 100, waiting: 10 });
    // It was tried once.
    expect(waits.filter((waited) => waited).length).toBe(1);
    expect(distance).toBe(0);
  });

  test('that has arrived and falls back is near for as long as it is not far', () => {
    const { waits } = seconds(5, { from: 0, grows: 10, reads: 6 });
    expect(waits).toEqual([false, false, false, false, false]);
    expect(seconds(7, { from: 0, grows: 10, reads: 6 }).waits[5]).toBe(true);
  });
});
