import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRelay } from '../../../src/config/open-relay.ts';
import { streamOf } from '../../../src/relay/server/served-relay.ts';
import { describeServers } from '../../support/servers/describe-server.ts';

let data: string;

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'tidings-in-process-'));
});

afterEach(async () => {
  await rm(data, { recursive: true, force: true });
});

interface Order {
  readonly id: number;
  readonly state: string;
}

describeServers(['mariadb', 'mysql'], 'a relay within the process', (server) => {
  test('keeps what a server commits, hands it to its own consumers, and goes on where their group was when it is opened again', async () => {
    await server().query(
      `DROP DATABASE IF EXISTS shop; CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY, state VARCHAR(20))`,
    );
    const config = {
      data,
      streams: { shop: { source: { type: 'mysql', url: server().url, tables: ['shop.*'] } } },
    } as const;
    const seen: string[] = [];
    const consume = async (until: number): Promise<void> => {
      await using relay = await openRelay(config);
      const orders = relay.stream<Order>('shop', { group: 'search', from: 'earliest', tables: ['shop.orders'] });
      while (streamOf(relay, 'shop').log.position === null) await new Promise((resolve) => setTimeout(resolve, 10));
      await server().query(
        `INSERT INTO shop.orders VALUES (${until}, 'new'); UPDATE shop.orders SET state = 'paid' WHERE id = ${until}`,
      );
      for await (const batch of orders) {
        for (const { kind, after } of batch.changes) seen.push(`${kind} ${after?.id} ${after?.state}`);
        await batch.commit();
        if (seen.length >= until * 2) break;
      }
    };
    await consume(1);
    await consume(2);
    expect(seen).toEqual(['insert 1 new', 'update 1 paid', 'insert 2 new', 'update 2 paid']);
  });

  test('that is closed hands over nothing more: what is being read ends, and what begins is refused', async () => {
    const config = { data, streams: { shop: { source: { type: 'mysql', url: server().url } } } } as const;
    const relay = await openRelay(config);
    const before = relay.stream('shop');
    const waiting = relay.stream('shop', { group: 'search' })[Symbol.asyncIterator]().next();
    const closing = Promise.all([relay.close(), relay.close()]);
    expect(() => relay.stream('shop')).toThrow(expect.objectContaining({ code: 'RELAY_CLOSING', retry: 'never' }));
    await closing;
    expect((await waiting).done).toBe(true);
    expect((await before[Symbol.asyncIterator]().next()).done).toBe(true);
  });

  test('with a log that cannot be opened throws that for its stream, and hands over the changes of the others', async () => {
    await server().query(
      `DROP DATABASE IF EXISTS shop; CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY, state VARCHAR(20))`,
    );
    const source = { type: 'mysql', url: server().url, tables: ['shop.*'] } as const;
    const config = { data, streams: { broken: { source }, shop: { source } } };
    await (await openRelay(config)).close();
    await writeFile(join(data, 'streams', 'broken', 'stream.json'), '{');
    await using relay = await openRelay(config);
    expect(() => relay.stream('broken')).toThrow(expect.objectContaining({ code: 'LOG_DAMAGED' }));
    while (streamOf(relay, 'shop').log.position === null) await new Promise((resolve) => setTimeout(resolve, 10));
    await server().query(`INSERT INTO shop.orders VALUES (1, 'new')`);
    for await (const { changes } of relay.stream<Order>('shop', { from: 'earliest', tables: ['shop.orders'] })) {
      expect(changes).toMatchObject([{ kind: 'insert', after: { id: 1, state: 'new' } }]);
      break;
    }
  });
});

test('a configuration is refused with everything that is wrong in it', async () => {
  const config = { data, streams: { shop: { source: { type: 'mysql', tables: 'shop' } } }, port: 1 } as never;
  await expect(openRelay(config)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: /port.*url|url.*port/s });
});
