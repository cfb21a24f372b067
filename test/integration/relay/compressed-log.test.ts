import { expect, test } from 'vitest';
import { connect } from '../../../src/client/connect.ts';
import type { StreamOptions } from '../../../src/core/consumer.ts';
import { batchFlags, batchLength } from '../../../src/formats/log/batch-header.ts';
import { FLAG } from '../../../src/formats/log/batch-layout.ts';
import { controlLength, isControl } from '../../../src/formats/log/control-frame.ts';
import { viewOf } from '../../../src/formats/log/filter-output.ts';
import { insert, makeShop } from '../../support/relay/shop.ts';
import { RunningRelay } from '../../support/relay/running-relay.ts';
import { TemporaryDirectory } from '../../support/relay/temporary-directory.ts';
import { describeServers } from '../../support/servers/describe-server.ts';

const PATIENTLY = { timeout: 20_000 };
const ROWS = 2000;
const CHANGES = 4 * ROWS + 1;

/** All changes of the stream, without their SCNs, which are the stream’s own. */
async function read(url: string, stream: string, options: StreamOptions): Promise<unknown[]> {
  await using client = connect(url, { verify: true });
  const changes: unknown[] = [];
  for await (const batch of client.stream(stream, { from: 'earliest', untilEnd: true, ...options })) {
    for (const { scn: _scn, ...change } of batch.changes) changes.push(change);
    await batch.commit();
  }
  return changes;
}

/** The stored batches as a client gets them: the flags of each, and the bytes of all. */
async function onTheWire(url: string, stream: string): Promise<{ flags: number[]; bytes: number }> {
  const accept = 'application/vnd.tidings.batches';
  const answer = await fetch(`${url}/v1/streams/${stream}/changes?from=earliest`, { headers: { accept } });
  const body = Buffer.from(await answer.arrayBuffer());
  const view = viewOf(body);
  const flags: number[] = [];
  for (let at = 0; at < body.length;) {
    if (isControl(view, at)) at += controlLength(view, at);
    else {
      flags.push(batchFlags(view, at));
      at += batchLength(view, at);
    }
  }
  return { flags, bytes: body.length };
}

describeServers(['mariadb', 'mysql'], 'a log that is compressed', (server) => {
  test('goes to a client as it is stored, who has the same changes of it as of one that is not', async () => {
    using directory = new TemporaryDirectory();
    await server().query('DROP DATABASE IF EXISTS shop; CREATE DATABASE shop');
    const source = { url: server().url, tables: ['shop.*'] };
    await using relay = await RunningRelay.start({
      directory: directory.path,
      streams: { plain: { source }, packed: { source, log: { compression: 'zstd' } } },
    });
    await relay.positioned();
    await makeShop(server(), ROWS);
    await server().query(`UPDATE shop.orders SET v = v + 1; UPDATE shop.orders SET pad = CONCAT(id, ' ', v)`);
    await insert(server(), 'lines', [`('the last', 1)`]);
    const hasAll = async (stream: string): Promise<void> =>
      expect.poll(async () => (await read(relay.url, stream, {})).length, PATIENTLY).toBe(CHANGES);
    await hasAll('plain');
    await hasAll('packed');

    const plain = await onTheWire(relay.url, 'plain');
    const packed = await onTheWire(relay.url, 'packed');
    expect(plain.flags.every((flags) => (flags & FLAG.zstd) === 0)).toBe(true);
    expect(packed.flags.some((flags) => (flags & FLAG.zstd) !== 0)).toBe(true);
    expect(packed.bytes).toBeLessThan(plain.bytes / 2);

    const wishes: readonly (readonly [number, StreamOptions])[] = [
      [CHANGES, {}],
      [ROWS + 1, { tables: ['shop.lines'] }],
      [20, { where: { 'shop.orders': 'id < 10' }, tables: ['shop.orders'], ops: ['update'] }],
      [3 * ROWS, { columns: { 'shop.orders': ['v'] }, tables: ['shop.orders'] }],
      [CHANGES, { group: 'g', member: 'a' }],
    ];
    for (const [count, options] of wishes) {
      // oxlint-disable-next-line no-await-in-loop -- one reader after the other
      const changes = await read(relay.url, 'plain', options);
      expect(changes.length).toBe(count);
      // oxlint-disable-next-line no-await-in-loop -- as above
      expect(await read(relay.url, 'packed', options)).toEqual(changes);
    }
  });
});
