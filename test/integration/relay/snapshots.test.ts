import { describe, expect, test } from 'vitest';
import { HastyClock } from '../../support/relay/hasty-clock.ts';
import { RunningRelay } from '../../support/relay/running-relay.ts';
import { insert, makeShop, over, selected, shop } from '../../support/relay/shop.ts';
import { TableCopy } from '../../support/relay/table-copy.ts';
import { TemporaryDirectory } from '../../support/relay/temporary-directory.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { TestServer } from '../../support/servers/test-server.ts';

const PATIENTLY = { timeout: 20_000 };
const MINUTE = { timeout: 60_000 };

/** Only the present binlog file is left. One that somebody still reads is not purged: the former connection may take a moment to end. */
async function purge(server: TestServer): Promise<void> {
  await server.query('FLUSH BINARY LOGS');
  const left = async (): Promise<number> => {
    const files = await server.query<{ Log_name: string }>('SHOW BINARY LOGS');
    await server.query(`PURGE BINARY LOGS TO '${files.at(-1)?.Log_name}'`);
    return (await server.query('SHOW BINARY LOGS')).length;
  };
  await expect.poll(left, PATIENTLY).toBe(1);
}

describeServers(['mariadb', 'mysql'], 'a relay that reads the rows that exist', (server) => {
  test('begins a new stream with them, goes on with changes, and does so once', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 3000);
    await server().query(`CREATE DATABASE IF NOT EXISTS other; DROP TABLE IF EXISTS other.extra;
      CREATE TABLE other.extra (id INT PRIMARY KEY, v INT); INSERT INTO other.extra VALUES (5, 50), (6, 60)`);
    const options = shop(server(), directory.path, { snapshots: { initial: true } });
    await using relay = await RunningRelay.start(options);
    await over(relay);
    await server().query('UPDATE shop.orders SET v = -1 WHERE id < 10; DELETE FROM shop.lines WHERE v > 2990');
    const expected = await selected(server());
    await expect.poll(async () => (await TableCopy.readAll(relay.url, 'shop')).lines, PATIENTLY).toEqual(expected);
    const copy = await TableCopy.readAll(relay.url, 'shop');
    expect(Object.fromEntries(copy.snapshotRows)).toEqual({ lines: 3000, orders: 3000 });
    expect(relay.stream('shop').snapshots.get(1)).toMatchObject({
      rows: 6000,
      percent: 100,
      spec: { reason: 'initial' },
    });

    // A table that the stream has seen being made needs no snapshot after a restart; one that comes into the selection does.
    await server().query('CREATE TABLE shop.made (id INT PRIMARY KEY, v INT); INSERT INTO shop.made VALUES (1, 1)');
    await expect.poll(async () => (await TableCopy.readAll(relay.url, 'shop')).rows.get('made 1')).toBe('1');
    await relay.stop();
    const wider = shop(server(), directory.path, {
      source: { url: server().url, tables: ['shop.*', 'other.extra'] },
      snapshots: { initial: true },
    });
    await relay.start(wider);
    await expect.poll(() => relay.stream('shop').snapshots.list().length, PATIENTLY).toBe(2);
    await over(relay, 2);
    const after = await TableCopy.readAll(relay.url, 'shop');
    expect(after.snapshotRows.get('extra')).toBe(2);
    expect(after.snapshotRows.get('made')).toBeUndefined();
    expect(after.snapshotRows.get('orders')).toBe(3000);
  });

  test('gives them to a new group alone, shared among its members, and nobody else sees one', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 2000);
    await using relay = await RunningRelay.start(shop(server(), directory.path));
    await relay.positioned();
    await using stranger = new TableCopy(relay.url, 'shop', { group: 'strangers', from: 'earliest' });
    await using one = new TableCopy(relay.url, 'shop', { group: 'search', member: 'one', bootstrap: 'auto' });
    await using two = new TableCopy(relay.url, 'shop', { group: 'search', member: 'two', bootstrap: 'auto' });
    for (let i = 0; i < 20; i++) {
      await server().query(
        `UPDATE shop.orders SET v = v + 10000 WHERE id % 20 = ${i}; DELETE FROM shop.lines WHERE v = ${i}`,
      );
    }
    await over(relay);
    const expected = await selected(server());
    await expect.poll(() => [...one.lines, ...two.lines].toSorted(), PATIENTLY).toEqual(expected);
    expect(one.rows.size).toBeGreaterThan(500);
    expect(two.rows.size).toBeGreaterThan(500);
    expect(relay.stream('shop').snapshots.list()).toMatchObject([{ spec: { reason: 'bootstrap', group: 'search' } }]);
    // Two thousand updates, twenty deletes, and no row of a snapshot.
    const reader = await TableCopy.readAll(relay.url, 'shop');
    expect(reader.snapshotRows.size).toBe(0);
    await expect.poll(() => stranger.rows.size, PATIENTLY).toBe(2000);
    expect(stranger.snapshotRows.size).toBe(0);
  });

  test(
    'a group whose place is no longer kept is told to begin anew, has what the source has, and nothing of a table that was dropped meanwhile',
    MINUTE,
    async () => {
      using directory = new TemporaryDirectory();
      await makeShop(server(), 500);
      const keepNothing = { retention: { maxBytes: 1, maxAgeMs: 1, groupBytes: 0 }, log: { segmentBytes: 64 * 1024 } };
      const clock = new HastyClock();
      await using relay = await RunningRelay.start({ ...shop(server(), directory.path, keepNothing), clock });
      await relay.positioned();
      const { log, groups } = relay.stream('shop');
      await groups.reset('search', log.visible.last);
      const knows = (): boolean => log.tables().some(({ name }) => name === 'lines');
      await server().query('DELETE FROM shop.lines WHERE v = 1');
      await expect.poll(knows, PATIENTLY).toBe(true);
      await server().query('DROP TABLE shop.lines');
      await expect.poll(knows, PATIENTLY).toBe(false);
      const dropped = log.visible.last;
      for (let i = 0; i < 20; i++) await server().query('UPDATE shop.orders SET v = v + 1');
      clock.hurry();
      await expect.poll(() => log.visible.after, { timeout: 30_000 }).toBeGreaterThan(dropped);
      await relay.stop();
      await relay.start();
      await using member = new TableCopy(relay.url, 'shop', { group: 'search', bootstrap: 'auto' });
      const expected = await selected(server(), ['orders']);
      await expect.poll(() => member.lines, PATIENTLY).toEqual(expected);
      await expect.poll(() => member.truncated.toSorted(), PATIENTLY).toEqual(['lines', 'orders']);
    },
  );

  test('that lost the binlog repairs itself: rows that vanished meanwhile go', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 300);
    const options = shop(server(), directory.path, { snapshots: { initial: true, onGap: 'snapshot' } });
    await using relay = await RunningRelay.start(options);
    await over(relay);
    await expect.poll(async () => (await TableCopy.readAll(relay.url, 'shop')).rows.size, PATIENTLY).toBe(600);
    await relay.stop();
    await server().query(
      'DELETE FROM shop.orders WHERE id < 100; INSERT INTO shop.orders VALUES (7000, 1, ""); DROP TABLE shop.lines',
    );
    await purge(server());
    await relay.start();
    await expect.poll(() => relay.stream('shop').snapshots.list().at(-1)?.spec.reason, PATIENTLY).toBe('gap');
    await over(relay, 2);
    const expected = await selected(server(), ['orders']);
    await expect.poll(async () => (await TableCopy.readAll(relay.url, 'shop')).lines, PATIENTLY).toEqual(expected);
    const copy = await TableCopy.readAll(relay.url, 'shop');
    expect(copy.truncated.toSorted()).toEqual(['lines', 'orders']);
    // And the stream flows on from there.
    await server().query('INSERT INTO shop.orders VALUES (7001, 2, "")');
    await expect
      .poll(async () => (await TableCopy.readAll(relay.url, 'shop')).rows.has('orders 7001'), PATIENTLY)
      .toBe(true);
    expect(relay.stream('shop').status()).toMatchObject({ state: 'running', error: null });
  });

  test('that lost the binlog leaves alone what it watches no more', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 50);
    const snapshots = { initial: true, onGap: 'snapshot' as const };
    await using relay = await RunningRelay.start(shop(server(), directory.path, { snapshots }));
    await over(relay);
    await relay.stop();
    await server().query("INSERT INTO shop.lines VALUES ('unseen', 1)");
    await purge(server());
    const source = { url: server().url, tables: ['shop.orders'] };
    await relay.start(shop(server(), directory.path, { source, snapshots }));
    await expect.poll(() => relay.stream('shop').snapshots.list().at(-1)?.spec.reason, PATIENTLY).toBe('gap');
    await over(relay, 2);
    const copy = await TableCopy.readAll(relay.url, 'shop');
    expect(copy.truncated).toEqual(['orders']);
    expect(copy.rows.size).toBe(100);
    expect(copy.rows.has('lines unseen')).toBe(false);
  });

  describe('on demand', () => {
    test(
      'reads the tables and rows that were asked for, pauses, goes on after a restart, and is cancelled',
      MINUTE,
      async () => {
        using directory = new TemporaryDirectory();
        await makeShop(server(), 4000);
        await using relay = await RunningRelay.start(shop(server(), directory.path));
        await relay.positioned();
        const snapshots = (): ReturnType<RunningRelay['stream']>['snapshots'] => relay.stream('shop').snapshots;
        await snapshots().start({ tables: ['shop.orders'], where: 'v >= 1000', limits: { rowsPerSecond: 2000 } });
        await expect.poll(() => snapshots().get(1)?.rows ?? 0, PATIENTLY).toBeGreaterThan(0);
        await snapshots().pause(1);
        const { rows } = snapshots().get(1) ?? { rows: 0 };
        expect(rows).toBeLessThan(3000);
        await relay.stop();
        await relay.start();
        expect(snapshots().get(1)).toMatchObject({ state: 'paused', rows });
        await snapshots().resume(1);
        await over(relay);
        const copy = await TableCopy.readAll(relay.url, 'shop');
        expect(copy.lines).toEqual(
          (await selected(server(), ['orders'])).filter((line) => Number(line.split(' ')[2]) >= 1000),
        );
        expect(copy.snapshotRows.get('orders')).toBeGreaterThanOrEqual(3000);

        await snapshots().start({ limits: { rowsPerSecond: 100 } });
        await snapshots().cancel(2);
        expect(snapshots().get(2)?.state).toBe('cancelled');
        await expect(snapshots().resume(2)).rejects.toMatchObject({ code: 'SNAPSHOT_INVALID' });
        await expect(snapshots().start({ group: 'nobody' })).rejects.toMatchObject({ code: 'GROUP_UNKNOWN' });
      },
    );

    test(
      'reads on under a new definition, ends the part of a table that is dropped, and outlives the source',
      MINUTE,
      async () => {
        using directory = new TemporaryDirectory();
        await makeShop(server(), 4000);
        await using relay = await RunningRelay.start(shop(server(), directory.path));
        await relay.positioned();
        const { snapshots } = relay.stream('shop');
        await snapshots.start({ limits: { rowsPerSecond: 3000, parallel: 2 } });
        await expect.poll(() => snapshots.get(1)?.rows ?? 0, PATIENTLY).toBeGreaterThan(0);
        await server().query('ALTER TABLE shop.orders ADD COLUMN extra INT NOT NULL DEFAULT 7; DROP TABLE shop.lines');
        await server().restart();
        await over(relay);
        const { tables } = snapshots.get(1) ?? { tables: [] };
        expect(tables.map(({ table, state }) => `${table} ${state}`)).toEqual(['lines gone', 'orders done']);
        const copy = await TableCopy.readAll(relay.url, 'shop');
        const ids = [...copy.rows.keys()].filter((key) => key.startsWith('orders ')).length;
        expect(ids).toBe(4000);
        // Whatever was read behind the ALTER has its column.
        expect([...copy.rows.values()].filter((row) => row.endsWith(' 7')).length).toBeGreaterThan(1000);
      },
    );

    test(
      'reads a table without a key in one piece, behind a truncate entry, and again while it changes',
      MINUTE,
      async () => {
        using directory = new TemporaryDirectory();
        await makeShop(server(), 100);
        await server().query('CREATE TABLE shop.heap (v INT, pad VARCHAR(200))');
        await insert(
          server(),
          'heap',
          Array.from({ length: 30_000 }, (_, i) => `(${i % 7}, REPEAT('y', 150))`),
        );
        await using relay = await RunningRelay.start(shop(server(), directory.path));
        await relay.positioned();
        const { snapshots } = relay.stream('shop');
        await snapshots.start({ tables: ['shop.heap'] });
        await server().query('DELETE FROM shop.heap WHERE v = 6 LIMIT 10');
        await over(relay);
        const copy = await TableCopy.readAll(relay.url, 'shop');
        expect(copy.truncated.length).toBeGreaterThanOrEqual(1);
        const [counted] = await server().query<{ n: number }>('SELECT COUNT(*) AS n FROM shop.heap');
        await snapshots.start({ tables: ['shop.heap'], where: 'v = 1' });
        await expect.poll(() => snapshots.get(2)?.state, PATIENTLY).toBe('failed');
        expect(snapshots.get(2)?.tables).toMatchObject([{ table: 'heap', error: { code: 'SNAPSHOT_KEY_MISSING' } }]);
        expect((await TableCopy.readAll(relay.url, 'shop')).truncated).toEqual(copy.truncated);
        // What came behind the last truncate entry is the table.
        expect(copy.withoutKey.get('heap')).toBe(Number(counted?.n));
      },
    );
  });
});
