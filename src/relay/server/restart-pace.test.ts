import { describe, expect, test } from 'vitest';
import { RestartPace } from './restart-pace.ts';

const READING = '127.0.0.1 /v1/streams/shop/changes?from=earliest';

/** A consumer that leaves what it began after so long and begins anew at once, for so long: when it began. */
function beginnings(pace: RestartPace, { leavesAfterMs, forMs }: { leavesAfterMs: number; forMs: number }): number[] {
  const begun: number[] = [];
  let nowMs = 1_000_000;
  const endMs = nowMs + forMs;
  while (nowMs < endMs) {
    nowMs += pace.waitMs(READING, nowMs);
    begun.push(nowMs);
    const beganMs = nowMs;
    nowMs += leavesAfterMs;
    pace.left(READING, { beganMs, nowMs });
  }
  return begun;
}

describe('readings that begin over and over', () => {
  test('are let go on at once a few times, and then twice a second', () => {
    const begun = beginnings(new RestartPace(), { leavesAfterMs: 4, forMs: 10_000 });
    expect(begun.length).toBeGreaterThan(25);
    expect(begun.length).toBeLessThan(33);
    const [first = 0] = begun;
    expect(begun.filter((ms) => ms < first + 100).length).toBeGreaterThanOrEqual(10);
  });

  test('do not wait when each was read for a second, or seldom began', () => {
    for (const leavesAfterMs of [500, 1000, 1500]) {
      const begun = beginnings(new RestartPace(), { leavesAfterMs, forMs: 20_000 });
      expect(begun.length).toBe(Math.ceil(20_000 / leavesAfterMs));
    }
  });

  test('are forgiven when they have been away for a while', () => {
    const pace = new RestartPace();
    for (let i = 0; i < 100; i++) pace.left(READING, { beganMs: 1000, nowMs: 1001 });
    expect(pace.waitMs(READING, 1001)).toBe(5000);
    expect(pace.waitMs(READING, 1001 + 4999)).toBe(1);
    expect(pace.waitMs(READING, 1001 + 5000)).toBe(0);
  });

  test('do not hold up another reading, nor themselves after the clock was set back', () => {
    const pace = new RestartPace();
    for (let i = 0; i < 14; i++) pace.left(READING, { beganMs: 7_200_000, nowMs: 7_200_001 });
    expect(pace.waitMs(`${READING}&tables=shop.orders`, 7_200_001)).toBe(0);
    expect(pace.waitMs(READING, 7_200_001)).toBe(2000);
    expect(pace.waitMs(READING, 0)).toBe(5000);
    pace.left(READING, { beganMs: 7_200_001, nowMs: 0 });
    expect(pace.waitMs(READING, 7_200_002)).toBe(1999);
    pace.left(READING, { beganMs: 0, nowMs: 1 });
    expect(pace.waitMs(READING, 1 + 5000)).toBe(0);
  });

  test('are remembered up to a limit', () => {
    const pace = new RestartPace();
    const leave = (reading: string): void => {
      for (let i = 0; i < 12; i++) pace.left(reading, { beganMs: 0, nowMs: 0 });
    };
    for (let i = 0; i < 1001; i++) leave(String(i));
    const waiting = Array.from({ length: 1001 }, (_, i) => pace.waitMs(String(i), 0)).filter((ms) => ms > 0);
    expect(waiting.length).toBe(1000);
    expect(pace.waitMs('0', 0)).toBe(0);
  });
});
