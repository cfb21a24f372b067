import { expect, test, vi } from 'vitest';
import { LogHarness } from '../../test/support/log-harness.ts';
import { BatchFilter } from '../formats/log/batch-filter.ts';
import { Feed } from './feed.ts';
import { Turns } from './turns.ts';

test('a feed that is closed while others have their turn ends, and is no failure', async () => {
  await using harness = await LogHarness.open();
  for (let i = 0; i < 40; i++) {
    await harness.append({ type: 'rows', table: 0, kind: 'insert', texts: Array.from({ length: 1000 }, () => 5) });
  }
  await harness.log.flush();
  const { log } = harness;
  // Every row is looked at, and none passes: that takes several turns.
  const where = { 'shop.orders': "text like '%nowhere%' and id >= 0" };
  const filter = new BatchFilter({ where, partitionCount: log.partitions, shapes: log });
  const { signal } = new AbortController();
  const feed = new Feed({ log, after: log.visible.after, filter, partitions: null, follow: false, signal });
  (await feed.next())?.release();
  // Comes up before the feed's own next turn.
  setImmediate(() => feed.close());
  expect(await feed.next()).toBeNull();
});

test('a reader far behind lets others go first while one at the end has news, and only then', async () => {
  await using harness = await LogHarness.open();
  const texts = Array.from({ length: 20 }, () => 60_000);
  for (let i = 0; i < 40; i++) await harness.append({ type: 'rows', table: 0, kind: 'insert', texts });
  await harness.log.flush();
  const { log } = harness;
  const { signal } = new AbortController();
  const asked = vi.spyOn(Turns.prototype, 'nextWaiting');
  const atOnce = vi.spyOn(Turns.prototype, 'next');
  const feedOf = (after: number, where: Readonly<Record<string, string>>): Feed => {
    const filter = new BatchFilter({ where, partitionCount: log.partitions, shapes: log });
    return new Feed({ log, after, filter, partitions: null, follow: true, signal });
  };
  /** Looks at every row and passes the last one. */
  const behind = async (): Promise<void> => {
    const feed = feedOf(log.visible.after, { 'shop.orders': `text like '%nowhere%' or id >= ${texts.length * 40}` });
    for (let chunks = 0; chunks < 2; chunks++) (await feed.next())?.release();
    feed.close();
  };
  await behind();
  expect(asked).toHaveBeenCalled();
  expect(atOnce.mock.calls.length).toBeGreaterThanOrEqual(asked.mock.calls.length);
  vi.clearAllMocks();

  const tail = feedOf(log.visible.last, {});
  (await tail.next())?.release();
  const news = tail.next();
  await harness.append({ type: 'rows', table: 0, kind: 'insert', texts: [5] });
  await harness.log.flush();
  (await news)?.release();
  await behind();
  expect(atOnce.mock.calls.length).toBeLessThan(asked.mock.calls.length);
  tail.close();
  vi.restoreAllMocks();
});
