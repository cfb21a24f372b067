import { expect, test } from 'vitest';
import { connect } from '../../../src/client/connect.ts';
import type { StreamEntry } from '../../../src/core/consumer.ts';
import type { SnapshotStatus } from '../../../src/relay/relay-api.ts';
import { RunningRelay } from '../../support/relay/running-relay.ts';
import { TemporaryDirectory } from '../../support/relay/temporary-directory.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { TestServer } from '../../support/servers/test-server.ts';

const PATIENTLY = { timeout: 20_000, interval: 20 };
const ROWS = 600;
/** Several chunks, and time to do something between them. */
const SLOWLY = { rowsPerSecond: 400 };

/** Rows 1 to `ROWS`, each with this text. */
async function fill(server: TestServer, table: string, text: string): Promise<void> {
  const rows = Array.from({ length: ROWS }, (_, i) => `(${i + 1}, '${text}')`);
  await server.query(`INSERT INTO ${table} VALUES ${rows.join()}`);
}

/** What a consumer makes of `shop.t`: how many rows there are of each text. Rows are told apart where there is a key. */
class Copy {
  readonly #keyed: boolean;
  readonly #byKey = new Map<unknown, unknown>();

  constructor({ keyed }: { keyed: boolean }) {
    this.#keyed = keyed;
  }

  take(entry: StreamEntry): void {
    if (!('kind' in entry)) {
      const ends = entry.type === 'truncate' || /^\s*drop\s+(table|database)\b/i.test(entry.sql);
      if (ends && entry.database === 'shop' && (entry.table ?? 't') === 't') this.#byKey.clear();
    } else if (entry.table.name === 't') {
      const { before, after } = entry;
      if (after === null) this.#byKey.delete(before?.['id']);
      else this.#byKey.set(this.#keyed ? after['id'] : this.#byKey.size, after['v']);
    }
  }

  get texts(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [...Map.groupBy(this.#byKey.values(), String)].map(([text, rows]) => [text, rows.length]),
    );
  }
}

async function copyOf(relay: RunningRelay, { keyed }: { keyed: boolean }): Promise<Readonly<Record<string, number>>> {
  const copy = new Copy({ keyed });
  const client = connect(relay.url);
  for await (const batch of client.stream('s', { from: 'earliest', untilEnd: true })) {
    for (const entry of batch.entries) copy.take(entry);
  }
  await client.close();
  return copy.texts;
}

function snapshotsOf(relay: RunningRelay): readonly SnapshotStatus[] {
  return relay.stream('s').snapshots.list();
}

async function allOver(relay: RunningRelay, count: number): Promise<void> {
  await expect
    .poll(
      () => snapshotsOf(relay).map(({ state, tables }) => tables.find(({ error }) => error !== null)?.error ?? state),
      PATIENTLY,
    )
    .toEqual(Array.from({ length: count }, () => 'done'));
}

function relayOf(server: TestServer, directory: string, snapshots: object): Promise<RunningRelay> {
  return RunningRelay.start({
    directory,
    streams: { s: { source: { url: server.url, tables: ['shop.*'] }, snapshots } },
  });
}

async function createShop(server: TestServer, columns: string): Promise<void> {
  await server.query(`DROP DATABASE IF EXISTS shop; DROP DATABASE IF EXISTS stage; CREATE DATABASE shop; CREATE DATABASE stage;
    CREATE TABLE shop.t (${columns}); CREATE TABLE stage.t (${columns})`);
  await fill(server, 'shop.t', 'old');
  await fill(server, 'stage.t', 'new');
}

describeServers(['mariadb', 'mysql'], 'a table of which another one takes the name', (server) => {
  const KEYED = 'id INT PRIMARY KEY, v VARCHAR(20)';

  test.for([
    ['while it is read', false],
    ['while its snapshot is paused', true],
  ] as const)('is read from the beginning when it is dropped %s', async ([, paused]) => {
    await createShop(server(), KEYED);
    using directory = new TemporaryDirectory();
    await using relay = await relayOf(server(), directory.path, { initial: true, limits: SLOWLY });
    await expect.poll(() => snapshotsOf(relay)[0]?.rows ?? 0, PATIENTLY).toBeGreaterThan(ROWS / 4);
    const { snapshots } = relay.stream('s');
    if (paused) await snapshots.pause(1);
    expect(snapshots.get(1)?.tables).toMatchObject([{ state: 'reading' }]);
    await server().query('DROP TABLE shop.t; RENAME TABLE stage.t TO shop.t');
    if (paused) {
      await expect.poll(() => snapshots.get(1)?.rows, PATIENTLY).toBe(0);
      await snapshots.resume(1);
    }
    // Of one that was seen as gone between the two statements, another snapshot brings the rows.
    await expect.poll(() => copyOf(relay, { keyed: true }), PATIENTLY).toEqual({ new: ROWS });
    await allOver(relay, snapshotsOf(relay).length);
  });

  test('gets its rows again when it went with its database', async () => {
    await createShop(server(), KEYED);
    using directory = new TemporaryDirectory();
    await using relay = await relayOf(server(), directory.path, { initial: true });
    await allOver(relay, 1);
    await server().query('DROP DATABASE shop; CREATE DATABASE shop; RENAME TABLE stage.t TO shop.t');
    await expect.poll(() => snapshotsOf(relay).length, PATIENTLY).toBe(2);
    await allOver(relay, 2);
    expect(await copyOf(relay, { keyed: true })).toEqual({ new: ROWS });
  });

  test('is read in one piece, from its beginning, when it loses its key on the way', async () => {
    await createShop(server(), KEYED);
    using directory = new TemporaryDirectory();
    await using relay = await relayOf(server(), directory.path, { initial: true, limits: SLOWLY });
    await expect.poll(() => snapshotsOf(relay)[0]?.rows ?? 0, PATIENTLY).toBeGreaterThan(ROWS / 4);
    await server().query('ALTER TABLE shop.t DROP PRIMARY KEY');
    await allOver(relay, 1);
    expect(await copyOf(relay, { keyed: false })).toEqual({ old: ROWS });
  });
});

describeServers(['mariadb', 'mysql'], 'a table without a key', (server) => {
  const KEYLESS = 'id INT, v VARCHAR(20)';

  test('has each row once after two snapshots at the same time', async () => {
    await createShop(server(), KEYLESS);
    using directory = new TemporaryDirectory();
    await using relay = await relayOf(server(), directory.path, {});
    await relay.positioned();
    const { snapshots } = relay.stream('s');
    await Promise.all([snapshots.start({ limits: SLOWLY }), snapshots.start({ limits: SLOWLY })]);
    await allOver(relay, 2);
    expect(await copyOf(relay, { keyed: false })).toEqual({ old: ROWS });
  });

  test('keeps what its consumers have when its snapshot comes to no row, cancelled while it waits for another one', async () => {
    await createShop(server(), KEYLESS);
    using directory = new TemporaryDirectory();
    await using relay = await relayOf(server(), directory.path, {});
    await relay.positioned();
    const { snapshots } = relay.stream('s');
    const slow = await snapshots.start({ limits: SLOWLY });
    await expect.poll(() => snapshots.get(slow.id)?.tables[0]?.state, PATIENTLY).toBe('reading');
    const waiting = await snapshots.start({});
    await expect.poll(() => snapshots.get(waiting.id)?.tables[0]?.state, PATIENTLY).toBe('reading');
    await snapshots.cancel(waiting.id);
    await expect.poll(() => snapshots.get(slow.id)?.state, PATIENTLY).toBe('done');
    expect(snapshots.get(waiting.id)?.state).toBe('cancelled');
    expect(await copyOf(relay, { keyed: false })).toEqual({ old: ROWS });
  });
});

describeServers(['mariadb'], 'a snapshot', (server) => {
  test('of tables that are not there fails and names them, and reads none of the others', async () => {
    await createShop(server(), 'id INT PRIMARY KEY, v VARCHAR(20)');
    using directory = new TemporaryDirectory();
    await using relay = await relayOf(server(), directory.path, {});
    await relay.positioned();
    const { snapshots } = relay.stream('s');
    const { id } = await snapshots.start({ tables: ['shop.t', 'shop.nope', 'stage.t'] });
    await expect.poll(() => snapshots.get(id)?.state, PATIENTLY).toBe('failed');
    expect(snapshots.get(id)).toMatchObject({
      rows: 0,
      error: { code: 'SNAPSHOT_TABLE_GONE', message: expect.stringContaining('shop.nope,stage.t') },
    });
    await server().query('CREATE TABLE shop.nope (id INT PRIMARY KEY)');
    await snapshots.start({ tables: ['shop.t', 'shop.n*'] });
    await expect.poll(() => snapshots.get(id + 1)?.state, PATIENTLY).toBe('done');
  });

  test('for a group that was paused by hand before it had begun stays so when members come', async () => {
    await createShop(server(), 'id INT PRIMARY KEY, v VARCHAR(20)');
    using directory = new TemporaryDirectory();
    await using relay = await relayOf(server(), directory.path, {});
    await relay.positioned();
    const { snapshots } = relay.stream('s');
    // As many as are read at a time.
    for (let i = 0; i < 4; i++) await snapshots.start({ limits: { rowsPerSecond: 20 } });
    await expect.poll(() => snapshots.get(4)?.tables[0]?.state, PATIENTLY).toBe('reading');
    const client = connect(relay.url);
    const join = async (): Promise<void> => {
      const stop = new AbortController();
      const stream = client.stream('s', { group: 'g', bootstrap: 'auto', signal: stop.signal });
      const end = setTimeout(() => stop.abort(), 300);
      for await (const batch of stream) await batch.commit();
      clearTimeout(end);
    };
    await join();
    const bootstrap = 5;
    expect(snapshots.get(bootstrap)).toMatchObject({ state: 'running', spec: { reason: 'bootstrap', group: 'g' } });
    await snapshots.pause(bootstrap);
    await relay.stop();
    await relay.start();
    await relay.positioned();
    await join();
    expect(relay.stream('s').snapshots.get(bootstrap)?.state).toBe('paused');
    await client.close();
  });
});
