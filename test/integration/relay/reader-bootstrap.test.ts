import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createChangeStream } from '../../../src/client/change-stream.ts';
import { fileCheckpoints } from '../../../src/client/file-checkpoints.ts';
import type { SnapshotStatus } from '../../../src/relay/relay-api.ts';
import { HastyClock } from '../../support/relay/hasty-clock.ts';
import { RunningRelay } from '../../support/relay/running-relay.ts';
import { makeShop, over, selected, shop } from '../../support/relay/shop.ts';
import { TableCopy } from '../../support/relay/table-copy.ts';
import { TemporaryDirectory } from '../../support/relay/temporary-directory.ts';
import { describeServers } from '../../support/servers/describe-server.ts';

const PATIENTLY = { timeout: 20_000 };
const MINUTE = { timeout: 60_000 };
/** Slow enough to do something in the middle of it. */
const SLOWLY = { snapshots: { limits: { rowsPerSecond: 2000 } } };

function list(relay: RunningRelay): readonly SnapshotStatus[] {
  return relay.stream('shop').snapshots.list();
}

describeServers(['mariadb', 'mysql'], 'a reader without a group that wants the rows that exist', (server) => {
  test('gets them among what is committed meanwhile, and readers beside it see none of its rows', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 2000);
    await using relay = await RunningRelay.start(shop(server(), directory.path));
    await relay.positioned();
    await using stranger = new TableCopy(relay.url, 'shop', { from: 'earliest' });
    await using filtered = new TableCopy(relay.url, 'shop', { from: 'earliest', tables: ['shop.lines'] });
    await using reader = new TableCopy(relay.url, 'shop', { bootstrap: 'auto' });
    await using other = new TableCopy(relay.url, 'shop', { bootstrap: 'auto', tables: ['shop.lines'] });
    for (let i = 0; i < 20; i++) {
      await server().query(
        `UPDATE shop.orders SET v = v + 10000 WHERE id % 20 = ${i}; DELETE FROM shop.lines WHERE v = ${i}`,
      );
    }
    await expect.poll(() => list(relay).length, PATIENTLY).toBe(2);
    await over(relay);
    await over(relay, 2);
    const [expected, lines] = [await selected(server()), await selected(server(), ['lines'])];
    await expect.poll(() => reader.lines, PATIENTLY).toEqual(expected);
    await expect.poll(() => other.lines, PATIENTLY).toEqual(lines);
    expect(reader.truncated).toEqual([]);
    // Each got its own rows, and every row at most once beside its changes.
    expect(reader.snapshotRows.get('orders')).toBeLessThanOrEqual(2000);
    expect(other.snapshotRows.get('lines')).toBeLessThanOrEqual(2000);
    // Two thousand updates, and no row of a snapshot.
    await expect.poll(() => stranger.rows.size, PATIENTLY).toBe(2000);
    for (const { snapshotRows } of [stranger, filtered, await TableCopy.readAll(relay.url, 'shop')]) {
      expect(snapshotRows.size).toBe(0);
    }
  });

  test('has only its tables read', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 300);
    await using relay = await RunningRelay.start(shop(server(), directory.path));
    await relay.positioned();
    await using reader = new TableCopy(relay.url, 'shop', { bootstrap: 'auto', tables: ['/^shop[.]l/'] });
    await expect.poll(() => list(relay).length, PATIENTLY).toBe(1);
    await over(relay);
    const expected = await selected(server(), ['lines']);
    await expect.poll(() => reader.lines, PATIENTLY).toEqual(expected);
    expect(list(relay)).toMatchObject([
      { rows: 300, spec: { reason: 'bootstrap', group: null, tables: ['/^shop[.]l/'] }, tables: [{ table: 'lines' }] },
    ]);
  });

  test("gets them within the relay's process, too", MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 500);
    await using relay = await RunningRelay.start(shop(server(), directory.path));
    await relay.positioned();
    const ids = new Set<string>();
    const { transport } = relay.stream('shop');
    for await (const batch of createChangeStream(transport, { bootstrap: 'auto', tables: ['shop.orders'] })) {
      for (const { snapshot, after } of batch.changes) if (snapshot === true) ids.add(String(after?.['id']));
      if (ids.size === 500) break;
    }
    expect([...ids].map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  test('goes on with the rest of its rows after it was ended in the middle, and the relay, too', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 3000);
    const options = {
      bootstrap: 'auto',
      checkpoints: fileCheckpoints(join(directory.path, 'checkpoint')),
    } as const;
    await using relay = await RunningRelay.start(shop(server(), join(directory.path, 'data'), SLOWLY));
    await relay.positioned();
    let former = new TableCopy(relay.url, 'shop', options);
    for (let restart = 0; restart < 3; restart++) {
      const { size } = former.rows;
      await expect.poll(() => former.rows.size, PATIENTLY).toBeGreaterThan(size);
      await former[Symbol.asyncDispose]();
      // One that another process writes and reads.
      const checkpoints = fileCheckpoints(join(directory.path, 'checkpoint'));
      if (restart === 1) {
        await relay.stop();
        await relay.start();
      }
      await server().query(`UPDATE shop.orders SET v = v + 1; DELETE FROM shop.lines WHERE v % 100 = ${restart}`);
      former = new TableCopy(relay.url, 'shop', { ...options, checkpoints, former });
    }
    await using reader = former;
    await over(relay);
    const expected = await selected(server());
    await expect.poll(() => reader.lines, PATIENTLY).toEqual(expected);
    expect(list(relay)).toHaveLength(1);
  });

  test('that fell behind what is kept begins anew, and rows that vanished meanwhile go', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 500);
    const keepNothing = { retention: { maxBytes: 1, maxAgeMs: 1, groupBytes: 0 }, log: { segmentBytes: 64 * 1024 } };
    const clock = new HastyClock();
    await using relay = await RunningRelay.start({
      ...shop(server(), join(directory.path, 'data'), keepNothing),
      clock,
    });
    await relay.positioned();
    const checkpoints = fileCheckpoints(join(directory.path, 'checkpoint'));
    const former = new TableCopy(relay.url, 'shop', { bootstrap: 'auto', checkpoints });
    await expect.poll(() => former.rows.size, PATIENTLY).toBe(1000);
    await former[Symbol.asyncDispose]();
    await server().query('DELETE FROM shop.orders WHERE id < 100; TRUNCATE shop.lines');
    for (let i = 0; i < 20; i++) await server().query('UPDATE shop.orders SET v = v + 1');
    const checkpoint = (await checkpoints.load()) ?? 0;
    const { log } = relay.stream('shop');
    clock.hurry();
    await expect.poll(() => log.visible.after, { timeout: 30_000 }).toBeGreaterThan(checkpoint);

    await using strict = new TableCopy(relay.url, 'shop', { checkpoints });
    await expect(strict.finished).rejects.toMatchObject({
      code: 'SCN_PURGED',
      hint: expect.stringContaining("bootstrap: 'auto'") as string,
    });
    await using reader = new TableCopy(relay.url, 'shop', { bootstrap: 'auto', checkpoints, former });
    const expected = await selected(server());
    await expect.poll(() => reader.lines, PATIENTLY).toEqual(expected);
    expect(reader.truncated.toSorted()).toEqual(['lines', 'orders']);
    expect(list(relay).map(({ spec }) => spec.truncate)).toEqual([false, true]);
    expect(new Set(list(relay).map(({ spec }) => spec.reader?.name)).size).toBe(2);
  });

  test('leaves nothing to be read behind when nobody can go on under its name', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 3000);
    await using relay = await RunningRelay.start(shop(server(), join(directory.path, 'data'), SLOWLY));
    await relay.positioned();
    const begun = async (options: object): Promise<TableCopy> => {
      const copy = new TableCopy(relay.url, 'shop', { bootstrap: 'always', ...options });
      await expect.poll(() => copy.rows.size, PATIENTLY).toBeGreaterThan(0);
      return copy;
    };
    await (await begun({}))[Symbol.asyncDispose]();
    await expect.poll(() => list(relay).map(({ state }) => state), PATIENTLY).toEqual(['cancelled']);
    const options = { checkpoints: fileCheckpoints(join(directory.path, 'checkpoint')) };
    await (await begun(options))[Symbol.asyncDispose]();
    expect(list(relay).map(({ state }) => state)).toEqual(['cancelled', 'running']);
    await using last = await begun(options);
    await expect.poll(() => list(relay).map(({ state }) => state)).toEqual(['cancelled', 'cancelled', 'running']);
    await over(relay, 3);
    const expected = await selected(server());
    await expect.poll(() => last.lines, PATIENTLY).toEqual(expected);
  });
});

describeServers(['mariadb'], "a relay's readers", (server) => {
  const begin = (relay: RunningRelay, name: string, body: object = {}): Promise<Response> =>
    fetch(`${relay.url}/v1/streams/shop/readers/${name}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const dismiss = (relay: RunningRelay, name: string): Promise<Response> =>
    fetch(`${relay.url}/v1/streams/shop/readers/${name}`, { method: 'DELETE' });

  test(
    'begin once under each name, however often they ask and whatever the relay does in between',
    MINUTE,
    async () => {
      using directory = new TemporaryDirectory();
      await makeShop(server(), 10);
      await using relay = await RunningRelay.start(shop(server(), directory.path));
      await relay.positioned();
      const texts = await Promise.all([1, 2, 3].map(async () => (await begin(relay, 'one')).text()));
      await over(relay);
      await server().query('UPDATE shop.orders SET v = v + 1');
      await relay.stop();
      await relay.start();
      await relay.positioned();
      texts.push(await (await begin(relay, 'one', { truncate: true })).text());
      expect(new Set(texts).size).toBe(1);
      expect(list(relay)).toMatchObject([{ id: 1, state: 'done' }]);
      const { after } = JSON.parse(texts[0] ?? '') as { after: number };
      const lines = async (query: string): Promise<number> => {
        const response = await fetch(`${relay.url}/v1/streams/shop/changes?from=${after}&ops=upsert${query}`);
        return (await response.text()).split('\n').filter((line) => line.includes('"snapshot":true')).length;
      };
      expect([await lines('&reader=one'), await lines('&reader=two'), await lines('')]).toEqual([20, 0, 0]);
    },
  );

  test('are as many as may be, and one that was let go of cannot begin under its name again', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 10);
    const hours = { snapshots: { limits: { hours: otherHours() } } };
    await using relay = await RunningRelay.start(shop(server(), directory.path, hours));
    await relay.positioned();
    for (let i = 0; i < 100; i++) expect((await begin(relay, `reader-${i}`)).status).toBe(200);
    const refused = await begin(relay, 'reader-100');
    expect([refused.status, await refused.json()]).toMatchObject([409, { code: 'SNAPSHOT_INVALID' }]);
    expect((await begin(relay, 'reader-99')).status).toBe(200);
    for (let i = 0; i < 100; i++) expect((await dismiss(relay, `reader-${i}`)).status).toBe(204);
    expect((await dismiss(relay, 'nobody')).status).toBe(204);
    const again = await begin(relay, 'reader-99');
    expect([again.status, await again.json()]).toMatchObject([
      409,
      { code: 'SNAPSHOT_INVALID', detail: expect.stringContaining('reader-99') as string },
    ]);
    expect((await begin(relay, 'reader-100')).status).toBe(200);
    // Of those that are over only the last ones are kept.
    expect(list(relay).length).toBeLessThanOrEqual(21);
  });
});

/** Hours of the day at which it is not now, nor soon. */
function otherHours(): string {
  const at = (hours: number): string => `${String((new Date().getUTCHours() + hours) % 24).padStart(2, '0')}:00`;
  return `${at(6)}-${at(7)}`;
}
