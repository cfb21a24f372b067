import { expect, test, vi } from 'vitest';
import type { Position } from '../../../src/core/position.ts';
import type { SnapshotReader } from '../../../src/core/snapshot.ts';
import { MysqlPosition } from '../../../src/sources/mysql/mysql-position.ts';
import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import { describeServer, describeServers } from '../../support/servers/describe-server.ts';
import type { ServerFlavour } from '../../support/servers/flavour.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { openReader, presentSince, readChunk, takeRows } from './snapshot-reading.ts';
import { inDatabase, withConnection } from './source-reading.ts';

/** A stream that is read as fast as it comes, and how far it has come: the last value of every row of a table (id, v). */
class Latest implements AsyncDisposable {
  readonly source: MysqlSource;
  readonly values = new Map<number, number>();
  position: Position | null = null;
  reader: SnapshotReader | null = null;
  readonly #reading: Promise<void>;

  private constructor(source: MysqlSource) {
    this.source = source;
    this.#reading = this.#read();
  }

  static async start(server: TestServer, tables: readonly string[], from = 'now'): Promise<Latest> {
    const latest = new Latest(new MysqlSource({ url: server.url, tables, heartbeatMs: 200, from }));
    latest.position ??= await latest.source.ready();
    latest.reader = await latest.source.openSnapshots();
    return latest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reader?.close();
    await this.source.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const batch of this.source.batches()) {
      for (const { entries } of batch.parts) {
        for (const entry of entries) {
          if (entry.type !== 'rows') continue;
          for (const row of entry.rows().after ?? []) this.values.set(Number(row['id']), Number(row['v']));
        }
      }
      this.position = batch.position;
    }
  }
}

/** Makes the server wait between writing a transaction to the binlog and committing it in its engine. */
async function holdCommits(server: TestServer, ms: number): Promise<void> {
  await server.query(
    server.flavour === 'mariadb'
      ? // Semi-synchronous replication without a replica: it waits for one, and then no more until it is turned on again.
        `SET GLOBAL rpl_semi_sync_master_enabled = OFF, GLOBAL rpl_semi_sync_master_timeout = ${ms}, GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC', GLOBAL rpl_semi_sync_master_wait_no_slave = ON, GLOBAL rpl_semi_sync_master_enabled = ON`
      : `SET GLOBAL sync_binlog = 0, GLOBAL binlog_group_commit_sync_delay = ${ms * 1000}`,
  );
}

async function letCommitsGo(server: TestServer): Promise<void> {
  await server.query(
    server.flavour === 'mariadb'
      ? 'SET GLOBAL rpl_semi_sync_master_enabled = OFF'
      : 'SET GLOBAL binlog_group_commit_sync_delay = 0',
  );
}

function fenceTests(server: () => TestServer): void {
  test('a chunk waits for a transaction that the stream has brought before its engine has committed it', async () => {
    const database = await inDatabase(server(), [
      'CREATE TABLE t (id INT PRIMARY KEY, v INT)',
      'INSERT INTO t VALUES (1, 1), (2, 1), (3, 1)',
    ]);
    await using latest = await Latest.start(server(), [`${database}.*`]);
    await withConnection(server(), database, async (connection) => {
      for (const [statement, expected] of [
        ['UPDATE t SET v = 2 WHERE id = 2', [1, 2, 3]],
        ['INSERT INTO t VALUES (4, 2)', [1, 2, 3, 4]],
        ['DELETE FROM t WHERE id = 1', [2, 3, 4]],
      ] as const) {
        const before = latest.position;
        await holdCommits(server(), 700);
        const committed = connection.query(statement);
        await vi.waitUntil(() => latest.position !== before, { timeout: 10_000, interval: 1 });
        const since = latest.position as MysqlPosition;
        // Nobody else sees it yet: otherwise this test would prove nothing.
        const seen = await server().query<{ n: string }>(`SELECT SUM(id * v) AS n FROM ${database}.t`);
        const chunk = await readChunk(server(), latest.reader as never, { database, table: 't', since });
        const rows = takeRows(chunk);
        const sum = rows.reduce((total, row) => total + Number(row['id']) * Number(row['v']), 0);
        expect(sum).not.toBe(Number(seen[0]?.n));
        expect(rows.map((row) => row['id'])).toEqual(expected);
        expect(rows.find((row) => row['id'] === 2)?.['v']).toBe(2);
        await letCommitsGo(server());
        await committed;
      }
    });
  });

  test('no chunk ever shows an older value than the stream had brought before it was read', async () => {
    const database = await inDatabase(server(), [
      'CREATE TABLE t (id INT PRIMARY KEY, v INT)',
      'INSERT INTO t VALUES (1, 0), (2, 0), (3, 0), (4, 0)',
    ]);
    await using latest = await Latest.start(server(), [`${database}.*`]);
    if (server().flavour === 'mysql') await holdCommits(server(), 2);
    const done = new AbortController();
    const writers = [1, 2, 3, 4].map(async (id) => {
      await withConnection(server(), database, async (connection) => {
        while (!done.signal.aborted) await connection.query(`UPDATE t SET v = v + 1 WHERE id = ${id}`);
      });
    });
    try {
      const readers = [1, 2].map(async () => {
        for (let i = 0; i < 500; i++) {
          const values = new Map(latest.values);
          const since = latest.position as MysqlPosition;
          const chunk = await readChunk(server(), latest.reader as never, { database, table: 't', since });
          expect(chunk.mark instanceof MysqlPosition).toBe(true);
          for (const row of takeRows(chunk)) {
            expect(row['v']).toBeGreaterThanOrEqual(values.get(Number(row['id'])) ?? 0);
          }
        }
      });
      await Promise.all(readers);
    } finally {
      done.abort();
      await Promise.all(writers);
      await letCommitsGo(server());
    }
    expect(Math.min(...latest.values.values())).toBeGreaterThan(50);
  });
}

describeServers(['mariadb', 'mysql'], 'what a chunk sees', (server, flavour: ServerFlavour) => {
  fenceTests(server);

  // MySQL does not let a stream begin there until its engine has committed.
  test.skipIf(flavour === 'mysql')(
    'a chunk waits for it also behind the GTIDs at which a stream resumes, whose place in the binlog nobody has told',
    async () => {
      const database = await inDatabase(server(), [
        'CREATE TABLE t (id INT PRIMARY KEY, v INT)',
        'INSERT INTO t VALUES (1, 1), (2, 1)',
      ]);
      await using latest = await Latest.start(server(), [`${database}.*`]);
      await using one = await server().connection({ database });
      await using two = await server().connection({ database });
      // Both in one group: the first one's GTIDs are not those of the binlog's end, whose place would be known.
      const { gtids } = await presentSince(server());
      const first = String(gtids).replace(/\d+$/, (sequence) => String(Number(sequence) + 1));
      await server().query('SET GLOBAL binlog_commit_wait_count = 2, GLOBAL binlog_commit_wait_usec = 5000000');
      await holdCommits(server(), 1000);
      const committed = [one.query('UPDATE t SET v = 2 WHERE id = 1'), two.query('UPDATE t SET v = 2 WHERE id = 2')];
      await vi.waitUntil(() => latest.values.get(2) === 2, { timeout: 10_000, interval: 1 });
      await server().query('SET GLOBAL binlog_commit_wait_count = 0');
      const resumed = new MysqlSource({ url: server().url, tables: [`${database}.*`], from: first });
      const reading = resumed.batches().next();
      const since = (await resumed.ready()) as MysqlPosition;
      const reader = await resumed.openSnapshots();
      // Nobody else sees it yet: otherwise this test would prove nothing.
      const [seen] = await server().query<{ v: number }>(`SELECT MIN(v) AS v FROM ${database}.t`);
      const rows = takeRows(await readChunk(server(), reader as never, { database, table: 't', since }));
      expect(seen?.v).toBe(1);
      expect(rows.map((row) => row['v'])).toContain(2);
      await reader.close();
      await resumed.close();
      await reading;
      await letCommitsGo(server());
      await Promise.all(committed);
    },
  );

  test.skipIf(flavour === 'mysql')(
    'no chunk waits for a replication domain of which the server has nothing',
    async () => {
      const database = await inDatabase(server(), ['CREATE TABLE t (id INT PRIMARY KEY)', 'INSERT INTO t VALUES (1)']);
      const { gtids } = await presentSince(server());
      const source = new MysqlSource({ url: server().url, tables: [`${database}.*`], from: `${String(gtids)},77-1-5` });
      const reading = source.batches().next();
      const since = await source.ready();
      const reader = openReader(server(), { answerTimeoutMs: 300 });
      try {
        expect(takeRows(await readChunk(server(), reader, { database, table: 't', since }))).toHaveLength(1);
      } finally {
        await reader.close();
        await source.close();
        await reading;
      }
    },
  );

  test('on an idle server the stream comes to the end of the binlog, whatever was written last', async () => {
    const database = await inDatabase(server(), [
      'CREATE TABLE t (id INT PRIMARY KEY, v INT)',
      'INSERT INTO t VALUES (1, 1)',
    ]);
    const other = await inDatabase(server(), ['CREATE TABLE o (id INT PRIMARY KEY)']);
    await using latest = await Latest.start(server(), [`${database}.*`]);
    const comes = async (): Promise<void> => {
      const chunk = await readChunk(server(), latest.reader as never, {
        database,
        table: 't',
        since: latest.position as MysqlPosition,
      });
      latest.source.hurry(true);
      await vi.waitUntil(() => latest.reader?.reached(latest.position as Position, chunk.mark) === true, {
        timeout: 5000,
        interval: 5,
      });
      latest.source.hurry(false);
      chunk.release();
    };
    await comes();
    const statements = [
      `INSERT INTO ${other}.o VALUES (1)`,
      `CREATE TABLE ${other}.p (id INT)`,
      'FLUSH BINARY LOGS',
      `INSERT INTO ${other}.o VALUES (2)`,
      'FLUSH BINARY LOGS',
      'FLUSH BINARY LOGS',
      `DROP TABLE ${other}.p`,
      `INSERT INTO ${database}.t VALUES (2, 1)`,
      "CREATE USER IF NOT EXISTS 'snapshot_idle'@'%'",
      'FLUSH TABLES',
      ...(flavour === 'mariadb'
        ? []
        : [
            'SET GLOBAL binlog_transaction_compression = ON',
            `INSERT INTO ${other}.o VALUES (3)`,
            'SET GLOBAL binlog_transaction_compression = OFF',
          ]),
    ];
    for (const statement of statements) {
      await server().query(statement);
      await comes();
    }
  });

  test('a chunk of a place that the server has not come to is refused after a while', async () => {
    const database = await inDatabase(server(), ['CREATE TABLE t (id INT PRIMARY KEY)', 'INSERT INTO t VALUES (1)']);
    const reader = openReader(server(), { answerTimeoutMs: 300 });
    try {
      const { file, offset, gtids, server: identity } = await presentSince(server());
      const later =
        gtids !== null && 'add' in gtids
          ? gtids.add('11111111-2222-3333-4444-555555555555', 1)
          : (gtids?.with(77, 1, 1) ?? null);
      const since = new MysqlPosition(file, offset + 1_000_000, later, identity);
      const refused = readChunk(server(), reader, { database, table: 't', since });
      await expect(refused).rejects.toMatchObject({ code: 'SNAPSHOT_SERVER_CHANGED' });
    } finally {
      await reader.close();
    }
  });

  test('bookkeeping of the binlog behind the last transaction holds no chunk up', async () => {
    const database = await inDatabase(server(), ['CREATE TABLE t (id INT PRIMARY KEY)', 'INSERT INTO t VALUES (1)']);
    const reader = openReader(server());
    try {
      const { file, offset, gtids, server: identity } = await presentSince(server());
      // As if an event that is no transaction followed, which the server counts and the snapshot's place does not.
      const since = new MysqlPosition(file, offset + 40, gtids, identity);
      expect(takeRows(await readChunk(server(), reader, { database, table: 't', since }))).toHaveLength(1);
    } finally {
      await reader.close();
    }
  });
});

describeServer(
  'mysql',
  'what a chunk sees without GTIDs',
  (server) => {
    fenceTests(server);
  },
  { options: ['--gtid-mode=OFF', '--enforce-gtid-consistency=OFF'] },
);
