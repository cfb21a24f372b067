import { expect, test } from 'vitest';
import { LogHarness, numberOf } from '../../../test/support/log-harness.ts';
import { TidingsError } from '../../core/errors.ts';

/** Many small transactions, a large one among them, in several segments; the servers' clocks jump back and forth. */
async function mixed(): Promise<LogHarness> {
  const harness = await LogHarness.open({ options: { segmentBytes: 150_000 } });
  for (let i = 0; i < 400; i++) {
    if (i === 170) {
      for (let part = 0; part < 5; part++) {
        const entry = { type: 'rows', table: 0, kind: 'insert', texts: Array.from({ length: 9 }, () => 9000) } as const;
        await harness.hand([harness.part([entry], { begins: part === 0, ends: part === 4 })]);
        await harness.log.flush();
      }
    } else await harness.insert(i % 50 === 0 ? 40_000 : 20);
    if (i % 3 === 0) await harness.log.flush();
  }
  await harness.log.flush();
  return harness;
}

test('a time leads to the first transaction at or after it, wherever the clocks jumped', async () => {
  await using harness = await mixed();
  for (const reopened of [false, true]) {
    if (reopened) await harness.reopen();
    const { log, transactions, firstScn } = harness;
    const starts = startsOf(harness);
    for (const { committedUs } of transactions.filter((_, i) => i % 11 === 0)) {
      for (const time of [committedUs, committedUs + 1, committedUs - 500_000]) {
        const first = transactions.findIndex((other) => other.committedUs >= time);
        const expected = first < 0 ? log.visible.last : (starts[first] as number) - 1;
        expect(await log.seekTime(time)).toBe(expected);
      }
    }
    expect(await log.seekTime(0)).toBe(firstScn - 1);
    expect(await log.seekTime(4e15)).toBe(log.visible.last);
  }
});

test('a position leads to a place before everything that comes behind it, also inside a transaction of many batches', async () => {
  await using harness = await mixed();
  for (const reopened of [false, true]) {
    if (reopened) await harness.reopen();
    const { log, transactions } = harness;
    const starts = startsOf(harness);
    for (const [i, { end }] of transactions.entries()) {
      if (i % 7 !== 0 && Math.abs(i - 170) > 2) continue;
      const scn = await log.seekPosition((position) => numberOf(position) <= end);
      const next = starts[i + 1] ?? log.visible.last + 1;
      expect(scn).toBeLessThan(next);
      // And not far before: transactions that were written together come together.
      expect(scn).toBeGreaterThanOrEqual((starts[Math.max(i - 3, 0)] as number) - 1);
    }
    expect(await log.seekPosition(() => false)).toBe(log.visible.after);
    expect(await log.seekPosition(() => true)).toBe(log.visible.last);
  }
});

test('positions of another kind at the beginning of a log, as a server has before its first GTID, bar no way to those behind', async () => {
  await using harness = await mixed();
  const { log, transactions } = harness;
  const starts = startsOf(harness);
  const unknown = new TidingsError('POSITION_INVALID', 'they cannot be compared');
  for (const begins of [0, 1, 7, 168, 169, 170, 171, 250]) {
    const firstEnd = transactions[begins]?.end ?? 0;
    const seek = (end: number): Promise<number> =>
      log.seekPosition((position) => {
        if (numberOf(position) < firstEnd) throw unknown;
        return numberOf(position) <= end;
      });
    for (const [i, { end }] of transactions.entries()) {
      if (i < begins || (i % 23 !== 0 && Math.abs(i - 170) > 2 && Math.abs(i - begins) > 3)) continue;
      const scn = await seek(end);
      expect(scn).toBeLessThan(starts[i + 1] ?? log.visible.last + 1);
      // Batches are what is compared: close behind the first that can be, nothing may be known yet.
      if (i > begins + 3) expect(scn).toBeGreaterThanOrEqual((starts[Math.max(i - 3, 0)] as number) - 1);
    }
    // Before all that can be compared: nothing is left out.
    expect(await seek(firstEnd - 1)).toBe(log.visible.after);
  }
  const nothing = log.seekPosition(() => {
    throw unknown;
  });
  await expect(nothing).rejects.toBe(unknown);
});

function startsOf({ transactions, firstScn }: LogHarness): number[] {
  let scn = firstScn;
  return transactions.map(({ items }) => (scn += items.length) - items.length);
}
