import { describe, expect, test, vi } from 'vitest';
import type { TestServer } from '../../support/servers/test-server.ts';
import { describeServer, describeServers } from '../../support/servers/describe-server.ts';
import { drain, inDatabase, killDumps, linesOf, LiveReader, presentPosition, rowsOf, run } from './source-reading.ts';

const KV = 'CREATE TABLE kv (id INT PRIMARY KEY, v INT)';
const insert = (id: number): string => `INSERT INTO kv VALUES (${id}, 0)`;
const line = (id: number): string => `insert kv {"id":${id},"v":0}`;

async function commit(server: TestServer, database: string, ...ids: readonly number[]): Promise<void> {
  await run(server, database, ids.map(insert));
}

describeServers(['mariadb', 'mysql'], 'where reading begins', (server, flavour) => {
  test('`now` yields what is committed afterwards, and nothing from before', async () => {
    const database = await inDatabase(server(), [KV, insert(1)]);
    await using reader = await LiveReader.start(server(), { url: `${server().url}/${database}` });
    await commit(server(), database, 2, 3);
    expect(await reader.until(2)).toEqual([
      `insert ${database}.kv {"id":2,"v":0}`,
      `insert ${database}.kv {"id":3,"v":0}`,
    ]);
  });

  test('`earliest` yields everything that the server still has, over all files', async () => {
    const database = await inDatabase(server(), [
      KV,
      insert(1),
      'FLUSH BINARY LOGS',
      insert(2),
      'FLUSH BINARY LOGS',
      insert(3),
    ]);
    expect(await linesOf(server(), database)).toEqual([`schema kv ${KV}`, line(1), line(2), line(3)]);
  });

  test('`until` now ends where the server was, also when nothing of it is watched, and at once when nothing lies between', async () => {
    const database = await inDatabase(server(), [KV, insert(1)]);
    await commit(server(), database, 2);
    const { place, gtids } = await presentPosition(server());
    for (const from of [place, gtids, 'now']) {
      expect(await rowsOf(server(), database, { from }), `from ${from}`).toEqual([]);
    }
    expect(await rowsOf(server(), 'nothing', { from: 'earliest' })).toEqual([]);
  });

  test('a position as file:offset or as GTIDs yields exactly what was committed behind it', async () => {
    const database = await inDatabase(server(), [KV, insert(1)]);
    const positions = [await presentPosition(server())];
    for (const id of [2, 3, 4]) {
      await commit(server(), database, id);
      if (id === 3) await server().query('FLUSH BINARY LOGS');
      positions.push(await presentPosition(server()));
    }
    const rest = [[2, 3, 4], [3, 4], [4], []];
    for (const [i, { place, gtids }] of positions.entries()) {
      for (const from of [place, gtids]) {
        expect(await rowsOf(server(), database, { from }), `from ${from}`).toEqual(rest[i]?.map(line));
      }
    }
  });

  test('`until` takes a position in both forms, and ends right there', async () => {
    const database = await inDatabase(server(), [KV, insert(1), insert(2)]);
    const { place, gtids } = await presentPosition(server());
    await commit(server(), database, 3);
    for (const until of [place, gtids]) {
      expect(await rowsOf(server(), database, { until }), `until ${until}`).toEqual([line(1), line(2)]);
    }
  });

  test('`until` a position ahead waits for it', async () => {
    const database = await inDatabase(server(), [KV]);
    const { place } = await presentPosition(server());
    const [file = '', offset = ''] = place.split(':');
    const ahead = rowsOf(server(), database, { until: `${file}:${Number(offset) + 500}` });
    for (let id = 1; id <= 5; id++) await commit(server(), database, id);
    expect((await ahead)[0]).toBe(line(1));
  });

  test('a time yields the transactions committed from then on, in whichever file they are', async () => {
    const database = await inDatabase(server(), [
      KV,
      'SET timestamp = 1700000000',
      insert(1),
      'SET timestamp = DEFAULT',
    ]);
    await server().query('FLUSH BINARY LOGS');
    // A commit time has whole seconds on MariaDB: the next one is surely later.
    const atMs = Math.floor(Date.now() / 1000) * 1000 + 2000;
    await vi.waitUntil(() => Date.now() >= atMs, { timeout: 5000 });
    const time = new Date(atMs).toISOString();
    await commit(server(), database, 2);
    await server().query('FLUSH BINARY LOGS');
    await commit(server(), database, 3);
    expect(await rowsOf(server(), database, { from: time })).toEqual([line(2), line(3)]);
    expect(await rowsOf(server(), database, { from: '2001-01-01T00:00:00Z' })).toEqual([line(1), line(2), line(3)]);
    expect(await rowsOf(server(), database, { from: new Date(Date.now() + 3_600_000).toISOString() })).toEqual([]);
  });

  test('reading goes on from the start and the end of every transaction, with exactly the rest', async () => {
    const database = await inDatabase(server(), [
      KV,
      'BEGIN',
      insert(1),
      insert(2),
      'COMMIT',
      'CREATE TABLE other (id INT PRIMARY KEY)',
      insert(3),
      'FLUSH BINARY LOGS',
      'INSERT INTO other VALUES (1)',
      insert(4),
      'TRUNCATE TABLE other',
      'UPDATE kv SET v = 1 WHERE id < 3',
    ]);
    const { transactions } = await drain(server(), { tables: [`${database}.*`] });
    expect(transactions).toHaveLength(8);
    const whole = transactions.map(({ lines }) => lines);
    for (const [i, { start, end }] of transactions.entries()) {
      const again = async (from: string): Promise<string[][]> =>
        (await drain(server(), { tables: [`${database}.*`], from })).transactions.map(({ lines }) => lines);
      expect(await again(start), `from the start of ${i}`).toEqual(whole.slice(i));
      expect(await again(end ?? ''), `from the end of ${i}`).toEqual(whole.slice(i + 1));
    }
  });

  test('heartbeats and transactions of others keep the position of an idle stream fresh', async () => {
    const database = await inDatabase(server(), [KV]);
    await using reader = await LiveReader.start(server(), { url: `${server().url}/${database}`, heartbeatMs: 200 });
    const before = reader.positions.length;
    await inDatabase(server(), [KV, insert(1)]);
    const { gtids } = await presentPosition(server());
    await vi.waitUntil(() => reader.positions.slice(before).includes(gtids), { timeout: 10_000 });
    expect(reader.lines).toEqual([]);
  });

  test('a rotation in between is no event of the stream, and the position follows it', async () => {
    const database = await inDatabase(server(), [KV]);
    const { place } = await presentPosition(server());
    await using reader = await LiveReader.start(server(), { url: `${server().url}/${database}`, from: place });
    await run(server(), database, [
      insert(1),
      'FLUSH BINARY LOGS',
      insert(2),
      'FLUSH BINARY LOGS',
      'FLUSH BINARY LOGS',
      insert(3),
    ]);
    expect(await reader.until(3)).toHaveLength(3);
    const end = reader.log.transactions.at(-1)?.end ?? '';
    await commit(server(), database, 4);
    expect(await rowsOf(server(), database, { from: end })).toEqual([line(4)]);
  });

  test('the position that a source was closed at is where another one goes on', async () => {
    const database = await inDatabase(server(), [KV]);
    const seen: string[] = [];
    let from: string = (await presentPosition(server())).gtids;
    for (let id = 1; id <= 5; id++) {
      await commit(server(), database, id);
      const reader = await LiveReader.start(server(), { url: `${server().url}/${database}`, from });
      await reader.until(1);
      seen.push(...reader.lines);
      from = reader.log.transactions.at(-1)?.end ?? '';
      await reader[Symbol.asyncDispose]();
    }
    expect(seen).toEqual([1, 2, 3, 4, 5].map((id) => `insert ${database}.kv {"id":${id},"v":0}`));
  });

  test('a connection that an administrator ends costs no change and repeats none', async () => {
    const database = await inDatabase(server(), [KV]);
    await using reader = await LiveReader.start(server(), {
      url: `${server().url}/${database}`,
      reconnect: { delayMinMs: 10, delayMaxMs: 50 },
    });
    for (let id = 1; id <= 40; id += 2) {
      await commit(server(), database, id, id + 1);
      if (id % 8 === 1) await killDumps(server());
    }
    await reader.until(40);
    expect(reader.lines).toEqual(Array.from({ length: 40 }, (_, i) => `insert ${database}.kv {"id":${i + 1},"v":0}`));
  });

  test('a place inside a transaction is refused, and says so', async () => {
    const database = await inDatabase(server(), [KV, 'BEGIN', insert(1), insert(2), 'COMMIT']);
    const { place } = await presentPosition(server());
    const file = place.split(':')[0] ?? '';
    const events = await server().query<{ Pos: number; Event_type: string }>(`SHOW BINLOG EVENTS IN '${file}'`);
    const inside = events.filter(({ Event_type: type }) => /^Table_map/i.test(type)).at(-1)?.Pos ?? 0;
    await expect(rowsOf(server(), database, { from: `${file}:${inside}` })).rejects.toMatchObject({
      code: 'POSITION_INVALID',
      message: expect.stringContaining('inside a transaction'),
    });
    const error: unknown = await rowsOf(server(), database, { from: `${file}:${inside + 3}` }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ retry: 'operator' });
    expect(error).toMatchObject({ code: flavour === 'mariadb' ? 'POSITION_INVALID' : 'BINLOG_UNAVAILABLE' });
  });

  test('a file that is gone, one that never was, and an offset behind the end each have an error of their own', async () => {
    const database = await inDatabase(server(), [KV]);
    const before = await presentPosition(server());
    await commit(server(), database, 1);
    await server().query('FLUSH BINARY LOGS');
    const { place } = await presentPosition(server());
    const [file = ''] = place.split(':');
    const refused = (from: string): Promise<unknown> =>
      rowsOf(server(), database, { from }).catch((error: unknown) => error);
    expect(await refused(`${file}:99999999`)).toMatchObject({ code: 'BINLOG_RESET' });
    expect(await refused('elsewhere.000001:4')).toMatchObject({ code: 'POSITION_UNKNOWN' });
    expect(await refused(file.replace(/\d+$/, '999999:4'))).toMatchObject({ code: 'BINLOG_RESET' });
    // A file that the server believes to be read by someone stays.
    await vi.waitUntil(async () => {
      await server().query(`PURGE BINARY LOGS TO '${file}'`);
      const [first] = await server().query<{ Log_name: string }>('SHOW BINARY LOGS');
      return first?.Log_name === file;
    }, 10_000);
    expect(await refused(before.place)).toMatchObject({ code: 'BINLOG_PURGED', retry: 'operator' });
    expect(await refused(before.gtids)).toMatchObject({ code: 'BINLOG_PURGED', retry: 'operator' });
    expect(await refused('2001-01-01T00:00:00Z')).toMatchObject({ code: 'BINLOG_PURGED', retry: 'operator' });
    expect(await rowsOf(server(), database, { from: (await presentPosition(server())).gtids })).toEqual([]);
  });

  test("the other kind of server's GTIDs are refused before anything is read", async () => {
    const foreign = flavour === 'mariadb' ? '8b3e6c1e-8a1f-11ee-9c7d-0242ac120002:1-5' : '0-1-5';
    await expect(rowsOf(server(), 'x', { from: foreign })).rejects.toMatchObject({ code: 'POSITION_INVALID' });
    await expect(rowsOf(server(), 'x', { until: foreign })).rejects.toMatchObject({ code: 'POSITION_INVALID' });
  });

  test('GTIDs that the server has never executed are refused', async () => {
    const { gtids } = await presentPosition(server());
    const ahead = gtids.replace(/\d+$/, '99999');
    await expect(rowsOf(server(), 'x', { from: ahead })).rejects.toMatchObject({ code: 'POSITION_UNKNOWN' });
  });
});

describeServer('mariadb', 'MariaDB GTID domains', (server) => {
  test('transactions of several domains and servers are resumed by one position', async () => {
    const database = await inDatabase(server(), [
      KV,
      insert(1),
      'SET SESSION gtid_domain_id = 7',
      insert(2),
      'SET SESSION server_id = 99',
      insert(3),
      'SET SESSION gtid_domain_id = 0',
      insert(4),
      'SET SESSION gtid_domain_id = 4294967295',
      insert(5),
    ]);
    const { transactions } = await drain(server(), { tables: [`${database}.kv`] });
    expect(transactions.map(({ id }) => id?.split('-')[0])).toEqual(['0', '0', '7', '7', '0', '4294967295']);
    for (const [i, { end }] of transactions.entries()) {
      expect(await rowsOf(server(), database, { from: end ?? '' })).toEqual([1, 2, 3, 4, 5].slice(i).map(line));
    }
    expect(transactions.at(-1)?.end?.split(',')).toHaveLength(3);
  });
});

describeServer('mysql', 'MySQL tagged GTIDs', (server) => {
  test('transactions with tags are resumed like others', async () => {
    const database = await inDatabase(server(), [
      KV,
      insert(1),
      "SET gtid_next = 'AUTOMATIC:orders'",
      insert(2),
      insert(3),
      "SET gtid_next = 'AUTOMATIC'",
      insert(4),
      "SET gtid_next = 'AUTOMATIC:zz'",
      insert(5),
      'FLUSH BINARY LOGS',
      insert(6),
    ]);
    const { transactions } = await drain(server(), { tables: [`${database}.kv`] });
    expect(transactions.map(({ id }) => id?.split(':').slice(1, -1).join(':'))).toEqual([
      '',
      '',
      'orders',
      'orders',
      '',
      'zz',
      'zz',
    ]);
    for (const [i, { end }] of transactions.entries()) {
      expect(await rowsOf(server(), database, { from: end ?? '' }), `from ${end}`).toEqual(
        [1, 2, 3, 4, 5, 6].slice(i).map(line),
      );
    }
  });
});

describe.each(['OFF', 'OFF_PERMISSIVE', 'ON_PERMISSIVE'])('gtid_mode=%s', (mode) => {
  describeServer(
    'mysql',
    'anonymous transactions',
    (server) => {
      test('positions are file and offset, and reading goes on from each of them', async () => {
        const database = await inDatabase(server(), [KV, insert(1), insert(2), 'FLUSH BINARY LOGS', insert(3)]);
        const { transactions } = await drain(server(), { tables: [`${database}.*`] });
        expect(transactions.map(({ lines }) => lines.at(0)?.replace(`${database}.`, ''))).toEqual([
          `schema kv ${KV}`,
          ...[1, 2, 3].map(line),
        ]);
        for (const [i, { end }] of transactions.entries()) {
          expect(end).toMatch(/^binlog\.\d+:\d+$/);
          expect(await rowsOf(server(), database, { from: end ?? '' }), `from ${end}`).toEqual(
            [1, 2, 3].slice(i).map(line),
          );
        }
        await using reader = await LiveReader.start(server(), { url: `${server().url}/${database}` });
        await commit(server(), database, 4);
        expect(await reader.until(1)).toHaveLength(1);
      });
    },
    { options: [`--gtid-mode=${mode}`, `--enforce-gtid-consistency=${mode === 'ON_PERMISSIVE' ? 'ON' : 'OFF'}`] },
  );
});

describeServer(
  'mysql',
  'gtid_mode turned on and off while it runs',
  (server) => {
    test('a stream goes on over each step, and so does one that starts from the beginning', async () => {
      const database = await inDatabase(server(), [KV]);
      const { place } = await presentPosition(server());
      await using reader = await LiveReader.start(server(), { url: `${server().url}/${database}`, from: place });
      let id = 0;
      for (const mode of ['OFF', 'OFF_PERMISSIVE', 'ON_PERMISSIVE', 'ON', 'ON_PERMISSIVE', 'OFF_PERMISSIVE']) {
        await server().query(`SET GLOBAL gtid_mode = ${mode}`);
        await commit(server(), database, ++id);
        // With gtid_mode ON or OFF the server sends only transactions of the one kind.
        await reader.until(id);
      }
      const all = Array.from({ length: id }, (_, i) => line(i + 1));
      expect(reader.lines.map((text) => text.replace(`${database}.`, ''))).toEqual(all);
      expect(await rowsOf(server(), database)).toEqual(all);
    });
  },
  { owned: true, options: ['--gtid-mode=OFF', '--enforce-gtid-consistency=ON'] },
);
