import { expect, test } from 'vitest';
import { LogHarness } from '../../test/support/log-harness.ts';
import { BatchFilter } from '../formats/log/batch-filter.ts';
import { Feed } from './feed.ts';

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
