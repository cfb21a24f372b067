import { expect, test } from 'vitest';
import type { RowKey } from '../../../src/core/snapshots/key-list.ts';
import type { SnapshotStatus } from '../../../src/relay/relay-api.ts';
import { RunningRelay, type RunningRelayOptions } from '../../support/relay/running-relay.ts';
import { TableCopy } from '../../support/relay/table-copy.ts';
import { TemporaryDirectory } from '../../support/relay/temporary-directory.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { TestServer } from '../../support/servers/test-server.ts';

const PATIENTLY = { timeout: 20_000 };
const MINUTE = { timeout: 60_000 };

function shop(server: TestServer, directory: string): RunningRelayOptions {
  return { directory, streams: { shop: { source: { url: server.url, tables: ['shop.*'] } } } };
}

/** Orders 0 to rows - 1, in one table by number and in another by two columns. */
async function makeShop(server: TestServer, rows: number): Promise<void> {
  await server.query(`DROP DATABASE IF EXISTS shop; CREATE DATABASE shop;
    CREATE TABLE shop.orders (id BIGINT UNSIGNED PRIMARY KEY, v INT NOT NULL);
    CREATE TABLE shop.parts (kind VARBINARY(8), id INT, v INT, PRIMARY KEY (kind, id));
    CREATE TABLE shop.heap (id INT, v INT)`);
  const values = Array.from({ length: rows }, (_, i) => `(${i}, ${i})`).join();
  await server.query(`INSERT INTO shop.orders VALUES ${values}, (18446744073709551615, -1);
    INSERT INTO shop.parts SELECT IF(id % 2, X'00ff', X'01'), id, v FROM shop.orders WHERE v >= 0`);
}

async function over(relay: RunningRelay, id = 1): Promise<SnapshotStatus> {
  const state = (): string | undefined => relay.stream('shop').snapshots.get(id)?.state;
  await expect.poll(state, PATIENTLY).toMatch(/^(done|failed)$/);
  return relay.stream('shop').snapshots.get(id) as SnapshotStatus;
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

describeServers(['mariadb', 'mysql'], 'a snapshot of the rows with certain keys', (server) => {
  test('brings them to everybody, and says how many there were', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 100);
    await using relay = await RunningRelay.start(shop(server(), directory.path));
    await relay.positioned();
    const keys = '[7,18446744073709551615,3,1000000,7]';
    const answer = await fetch(`${relay.url}/v1/streams/shop/snapshots`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"tables":["shop.orders"],"keys":${keys}}`,
    });
    expect(await answer.json()).toMatchObject({ keyCount: 4 });
    expect(await over(relay)).toMatchObject({ state: 'done', rows: 3, percent: 100 });
    const { snapshots } = relay.stream('shop');
    // By base64, as JSON has bytes, and by the bytes themselves.
    await snapshots.start({
      tables: ['shop.parts'],
      keys: [
        ['AP8=', 5],
        [new Uint8Array([1]), 6],
        ['AP8=', 6],
      ],
    });
    expect(await over(relay, 2)).toMatchObject({ state: 'done', rows: 2, tables: [{ rows: 2, estimate: 2 }] });
    const { lines, snapshotRows } = await TableCopy.readAll(relay.url, 'shop');
    expect(lines).toEqual([
      'orders 18446744073709551615: -1',
      'orders 3: 3',
      'orders 7: 7',
      'parts 5: 0,255 5',
      'parts 6: 1 6',
    ]);
    expect(Object.fromEntries(snapshotRows)).toEqual({ orders: 3, parts: 2 });
  });

  test('leaves to the stream what it changes meanwhile', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 3000);
    await using relay = await RunningRelay.start(shop(server(), directory.path));
    await relay.positioned();
    const wanted = upTo(3000).filter((id) => id % 2 === 1);
    await relay.stream('shop').snapshots.start({
      tables: ['shop.orders'],
      keys: wanted,
      limits: { rowsPerSecond: 1500 },
    });
    for (let round = 0; round < 60; round++) {
      await server().query(`UPDATE shop.orders SET v = v + 10000 WHERE id % 61 = ${round};
        DELETE FROM shop.orders WHERE id % 601 = ${round}; UPDATE shop.orders SET id = id + 10000 WHERE id % 401 = ${round} AND id < 3000`);
    }
    expect(await over(relay)).toMatchObject({ state: 'done' });
    const rows = await server().query<{ id: bigint; v: number }>('SELECT id, v FROM shop.orders');
    const truth = new Map(rows.map(({ id, v }) => [Number(id), v]));
    const expected = wanted.flatMap((id) => (truth.has(id) ? [`orders ${id}: ${truth.get(id)}`] : []));
    const wantedOf = (lines: readonly string[]): string[] =>
      lines.filter((line) => wanted.some((id) => line.startsWith(`orders ${id}:`)));
    await expect
      .poll(async () => wantedOf((await TableCopy.readAll(relay.url, 'shop')).lines), PATIENTLY)
      .toEqual(expected.toSorted());
    expect((await TableCopy.readAll(relay.url, 'shop')).snapshotRows.get('orders')).toBeGreaterThan(500);
  });

  test('brings them to one group alone', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 100);
    await using relay = await RunningRelay.start(shop(server(), directory.path));
    await relay.positioned();
    await using member = new TableCopy(relay.url, 'shop', { group: 'search' });
    const { groups, snapshots } = relay.stream('shop');
    await expect.poll(() => groups.get('search')?.members.length, PATIENTLY).toBe(1);
    await snapshots.start({ tables: ['shop.orders'], keys: [1, 2], group: 'search' });
    expect(await over(relay)).toMatchObject({ state: 'done', rows: 2 });
    await expect.poll(() => member.lines, PATIENTLY).toEqual(['orders 1: 1', 'orders 2: 2']);
    expect((await TableCopy.readAll(relay.url, 'shop')).lines).toEqual([]);
  });

  test(
    'is paused, outlives the relay, goes on behind the last keys that were read, and is cancelled',
    MINUTE,
    async () => {
      using directory = new TemporaryDirectory();
      await makeShop(server(), 4000);
      await using relay = await RunningRelay.start(shop(server(), directory.path));
      await relay.positioned();
      const snapshots = (): ReturnType<RunningRelay['stream']>['snapshots'] => relay.stream('shop').snapshots;
      // As many keys again of which none has a row.
      const keys = upTo(8000).toReversed();
      await snapshots().start({ tables: ['shop.orders'], keys, limits: { rowsPerSecond: 2000 } });
      await expect.poll(() => snapshots().get(1)?.rows ?? 0, PATIENTLY).toBeGreaterThan(500);
      await snapshots().pause(1);
      const paused = snapshots().get(1);
      expect(paused).toMatchObject({ state: 'paused', estimate: 4000 });
      expect(paused?.rows).toBeLessThan(4000);
      await relay.stop();
      await relay.start();
      expect(snapshots().get(1)).toMatchObject({ state: 'paused', rows: paused?.rows, estimate: 4000 });
      await snapshots().resume(1);
      expect(await over(relay)).toMatchObject({ state: 'done', rows: 4000, estimate: 4000 });
      const copy = await TableCopy.readAll(relay.url, 'shop');
      expect(copy.rows.size).toBe(4000);
      // Those at hand may have come twice: of 500 keys at a time, as the rate has it.
      expect(copy.snapshotRows.get('orders')).toBeLessThanOrEqual(4500);
      await snapshots().start({ tables: ['shop.orders'], keys, limits: { rowsPerSecond: 10 } });
      await snapshots().cancel(2);
      expect(snapshots().get(2)).toMatchObject({ state: 'cancelled' });
    },
  );

  test('that cannot be says why, and brings nothing', MINUTE, async () => {
    using directory = new TemporaryDirectory();
    await makeShop(server(), 10);
    await using relay = await RunningRelay.start(shop(server(), directory.path));
    await relay.positioned();
    const { snapshots } = relay.stream('shop');
    const good = { tables: ['shop.orders'], keys: [1] };
    for (const [request, field] of [
      [{ ...good, tables: ['shop.*'] }, 'tables'],
      [{ ...good, where: '1' }, 'where'],
      [{ ...good, truncate: true }, 'truncate'],
      [{ ...good, keys: [1, Number.NaN] }, 'keys.1'],
    ] as const) {
      await expect(snapshots.start(request)).rejects.toMatchObject({
        code: 'SNAPSHOT_KEYS_INVALID',
        details: { field },
      });
    }
    expect(snapshots.list()).toEqual([]);
    const failures: readonly [string, RowKey, string, string][] = [
      ['shop.orders', 'secret', 'SNAPSHOT_KEYS_INVALID', "key 2 of the list: a key's value for column id (bigint) is"],
      ['shop.orders', [1, 2], 'SNAPSHOT_KEYS_INVALID', 'key 2 of the list: a key of shop.orders is (id), not 2 values'],
      ['shop.heap', 1, 'SNAPSHOT_KEY_MISSING', 'shop.heap has no key to find its rows by'],
    ];
    for (const [index, [table, key, code, message]] of failures.entries()) {
      await snapshots.start({ tables: [table], keys: [1, key] });
      const { state, tables } = await over(relay, index + 1);
      expect([state, tables]).toMatchObject(['failed', [{ state: 'failed', error: { code } }]]);
      expect(tables[0]?.error?.message).toContain(message);
      expect(JSON.stringify(tables)).not.toContain('secret');
    }
    await snapshots.start({ tables: ['shop.nothing'], keys: [1] });
    expect(await over(relay, 4)).toMatchObject({ state: 'failed', error: { code: 'SNAPSHOT_TABLE_GONE' } });
    expect((await TableCopy.readAll(relay.url, 'shop')).lines).toEqual([]);
  });

  test(
    "fails when the table's key is one of other columns meanwhile, and goes on when they only became wider",
    MINUTE,
    async () => {
      using directory = new TemporaryDirectory();
      await makeShop(server(), 4000);
      await using relay = await RunningRelay.start(shop(server(), directory.path));
      await relay.positioned();
      const { snapshots } = relay.stream('shop');
      const started = async (id: number, keys: readonly RowKey[]): Promise<void> => {
        await snapshots.start({ tables: ['shop.parts'], keys, limits: { rowsPerSecond: 2000 } });
        await expect.poll(() => snapshots.get(id)?.rows ?? 0, PATIENTLY).toBeGreaterThan(0);
      };
      const keys = upTo(4000).map((id): RowKey => [id % 2 === 1 ? 'AP8=' : 'AQ==', id]);
      await started(1, keys);
      await server().query('ALTER TABLE shop.parts MODIFY id BIGINT, MODIFY kind VARBINARY(30), ADD COLUMN extra INT');
      expect(await over(relay)).toMatchObject({ state: 'done', rows: 4000 });
      await started(2, keys);
      await server().query('ALTER TABLE shop.parts DROP PRIMARY KEY, ADD PRIMARY KEY (kind, v)');
      const { state, tables } = await over(relay, 2);
      expect([state, tables]).toMatchObject([
        'failed',
        [{ state: 'failed', error: { code: 'SNAPSHOT_CURSOR_INVALID' } }],
      ]);
      await snapshots.start({ tables: ['shop.parts'], keys: keys.slice(0, 5) });
      expect(await over(relay, 3)).toMatchObject({ state: 'done', rows: 5 });
      await started(4, keys);
      await server().query('DROP TABLE shop.parts');
      expect(await over(relay, 4)).toMatchObject({ state: 'done', tables: [{ state: 'gone' }] });
    },
  );
});
