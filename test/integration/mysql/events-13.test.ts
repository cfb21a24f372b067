import { describe, expect, test } from 'vitest';
import { mysqlEvents, type MysqlEventsOptions } from '../../../src/sources/mysql/mysql-events.ts';
import type { RawEvent } from '../../../src/sources/mysql/events/event-types.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { describeServers } from '../../support/servers/describe-server.ts';

/** The seven statements of Meepo's README, and the thirteen events that it promises for them. */
const STATEMENTS = [
  "INSERT INTO test (data) VALUES ('a')",
  "INSERT INTO test (data) VALUES ('b'), ('c'), ('d')",
  "UPDATE test SET data = 'aa' WHERE id = 1",
  "UPDATE test SET data = 'bb' WHERE id = 2",
  "UPDATE test SET data = 'cc' WHERE id != 1",
  'DELETE FROM test WHERE id != 1',
  'DELETE FROM test WHERE id = 1',
];
const EVENTS = [
  'test_write 1',
  'test_write 2',
  'test_write 3',
  'test_write 4',
  'test_update 1',
  'test_update 2',
  'test_update 2',
  'test_update 3',
  'test_update 4',
  'test_delete 2',
  'test_delete 3',
  'test_delete 4',
  'test_delete 1',
];
const TEST_TABLE = 'CREATE TABLE test (id INT AUTO_INCREMENT PRIMARY KEY, data VARCHAR(20))';

let databases = 0;

/** Runs statements on one connection, in a database of their own, and returns its name. */
async function run(server: TestServer, statements: readonly string[]): Promise<string> {
  const database = `events_${++databases}`;
  await server.query(`CREATE DATABASE ${database}`);
  await runIn(server, database, statements);
  return database;
}

async function runIn(server: TestServer, database: string, statements: readonly string[]): Promise<void> {
  const connection = await server.connection({ database });
  try {
    for (const statement of statements) await connection.query(statement);
  } finally {
    await connection.end();
  }
}

type Lines = Pick<MysqlEventsOptions, 'from' | 'tables' | 'concurrency'>;

/** All events of a database from the beginning of the binlog to its end, one line each. */
async function linesOf(server: TestServer, database: string, options: Lines = {}): Promise<string[]> {
  const lines: string[] = [];
  const events = mysqlEvents(`${server.url}/${database}`, { from: 'earliest', until: 'now', ...options });
  events.on('*', (pk, event) => lines.push(`${event.name} ${JSON.stringify(pk)}`));
  events.on('*_truncate', ({ name }) => lines.push(name));
  events.on('warning', ({ code, details }) =>
    lines.push(`${code} ${String(details['table']).replace(`${database}.`, '')}`),
  );
  await events.run();
  return lines;
}

async function rawsOf(server: TestServer, database: string): Promise<RawEvent[]> {
  const raws: RawEvent[] = [];
  const events = mysqlEvents(`${server.url}/${database}`, { from: 'earliest', until: 'now' });
  events.on('*_raw', (event) => raws.push(event));
  await events.run();
  return raws;
}

describeServers(['mariadb', 'mysql'], 'Meepo’s promise', (server, flavour) => {
  test('the seven statements of its README yield exactly its thirteen events, in that order', async () => {
    const database = await run(server(), [TEST_TABLE, ...STATEMENTS]);
    expect(await linesOf(server(), database)).toEqual(EVENTS);
    expect((await linesOf(server(), database, { concurrency: 4 })).toSorted()).toEqual(EVENTS.toSorted());
  });

  test('live: what is committed after start has resolved is published, in order', async () => {
    const database = await run(server(), [TEST_TABLE]);
    const lines: string[] = [];
    const all = Promise.withResolvers<void>();
    await using events = mysqlEvents(`${server().url}/${database}`);
    events.on('test_*', (pk, event) => {
      lines.push(`${event.name} ${String(pk)}`);
      if (lines.length === EVENTS.length) all.resolve();
    });
    await events.start();
    await runIn(server(), database, STATEMENTS);
    await all.promise;
    expect(lines).toEqual(EVENTS);
  });

  test('raw events carry the row before and after', async () => {
    const database = await run(server(), [TEST_TABLE, ...STATEMENTS]);
    const raws = await rawsOf(server(), database);
    expect(raws.map(({ name, key }) => `${name.replace('_raw', '')} ${String(key)}`)).toEqual(EVENTS);
    expect(raws[0]).toMatchObject({ before: null, after: { id: 1, data: 'a' } });
    expect(raws[6]).toMatchObject({ before: { id: 2, data: 'bb' }, after: { id: 2, data: 'cc' } });
    expect(raws[12]).toMatchObject({ before: { id: 1, data: 'aa' }, after: null, database });
  });

  test('reading goes on from every position that was told, without a gap or a repetition', async () => {
    const database = await run(server(), [TEST_TABLE, ...STATEMENTS]);
    const told: { readonly text: string; readonly seen: number }[] = [];
    let seen = 0;
    const events = mysqlEvents(`${server().url}/${database}`, { from: 'earliest', until: 'now' });
    events.on('test_*', () => seen++);
    events.on('mysql_binlog_pos', (text) => told.push({ text, seen }));
    await events.run();
    // Zero for what stands before the first row: other databases, and the table's own definition.
    expect(new Set(told.map((position) => position.seen).filter((count) => count > 0))).toEqual(
      new Set([1, 4, 5, 6, 9, 12, 13]),
    );
    for (const { text, seen: before } of told) {
      expect(await linesOf(server(), database, { from: text }), `from ${text}`).toEqual(EVENTS.slice(before));
    }
  }, 120_000);

  test('reading goes on behind a statement of many events as behind a small one', async () => {
    const values = Array.from({ length: 2000 }, () => `('${'x'.repeat(20)}')`).join(',');
    const database = await run(server(), [
      TEST_TABLE,
      `INSERT INTO test (data) VALUES ${values}`,
      "INSERT INTO test (data) VALUES ('last')",
    ]);
    const positions = new Map<number, string>();
    let seen = 0;
    const events = mysqlEvents(`${server().url}/${database}`, { from: 'earliest', until: 'now' });
    events.on('test_write', () => seen++);
    events.on('position', (position) => positions.set(seen, String(position)));
    await events.run();
    expect([...positions.keys()]).toEqual([0, 2000, 2001].filter((count) => positions.has(count)));
    expect(await linesOf(server(), database, { from: positions.get(2000) ?? 'missing' })).toEqual(['test_write 2001']);
  });

  describe('edges', () => {
    const KV = 'CREATE TABLE kv (id INT PRIMARY KEY, v INT)';
    test.each<{ what: string; statements: readonly string[]; lines: readonly string[] }>([
      {
        what: 'an update of the key carries the new one',
        statements: [KV, 'INSERT INTO kv VALUES (1, 1)', 'UPDATE kv SET id = 9 WHERE id = 1'],
        lines: ['kv_write 1', 'kv_update 9'],
      },
      {
        what: 'an update that changes nothing yields nothing',
        statements: [KV, 'INSERT INTO kv VALUES (1, 1)', 'UPDATE kv SET v = 1'],
        lines: ['kv_write 1'],
      },
      {
        what: 'INSERT … ON DUPLICATE KEY UPDATE of an existing row is an update',
        statements: [KV, 'INSERT INTO kv VALUES (1, 1)', 'INSERT INTO kv VALUES (1, 2) ON DUPLICATE KEY UPDATE v = 2'],
        lines: ['kv_write 1', 'kv_update 1'],
      },
      {
        what: 'a transaction that was rolled back yields nothing, of one with a savepoint what survived',
        statements: [
          KV,
          'BEGIN',
          'INSERT INTO kv VALUES (1, 1)',
          'ROLLBACK',
          'BEGIN',
          'INSERT INTO kv VALUES (2, 1)',
          'SAVEPOINT a',
          'INSERT INTO kv VALUES (3, 1)',
          'ROLLBACK TO SAVEPOINT a',
          'INSERT INTO kv VALUES (4, 1)',
          'COMMIT',
        ],
        lines: ['kv_write 2', 'kv_write 4'],
      },
      {
        what: 'TRUNCATE is an event of its own',
        statements: [KV, 'INSERT INTO kv VALUES (1, 1)', 'TRUNCATE TABLE kv', 'INSERT INTO kv VALUES (1, 1)'],
        lines: ['kv_write 1', 'kv_truncate', 'kv_write 1'],
      },
      {
        what: 'a table without a primary key is reported once',
        statements: [
          'CREATE TABLE notes (note INT)',
          KV,
          'INSERT INTO notes VALUES (1)',
          'INSERT INTO kv VALUES (1, 1)',
          'INSERT INTO notes VALUES (2)',
        ],
        lines: ['EVENT_TABLE_WITHOUT_KEY notes', 'kv_write 1'],
      },
      {
        what: 'a key over a prefix of a column carries the whole column',
        statements: ['CREATE TABLE p (k VARCHAR(20), v INT, PRIMARY KEY (k(3)))', "INSERT INTO p VALUES ('abcdef', 1)"],
        lines: ['p_write "abcdef"'],
      },
      {
        what: 'a composite key comes in key order, not in the order of the columns',
        statements: [
          'CREATE TABLE c (a INT, b INT, v INT, PRIMARY KEY (b, a))',
          'INSERT INTO c VALUES (1, 2, 0)',
          'UPDATE c SET v = 1',
          'DELETE FROM c',
        ],
        lines: ['c_write [2,1]', 'c_update [2,1]', 'c_delete [2,1]'],
      },
      {
        what: 'the keys 0 and the empty text are published',
        statements: [
          "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
          KV,
          'CREATE TABLE t (k VARCHAR(5) PRIMARY KEY)',
          'INSERT INTO kv VALUES (0, 1)',
          "INSERT INTO t VALUES ('')",
        ],
        lines: ['kv_write 0', 't_write ""'],
      },
      {
        what: 'with a minimal row image the key is there all the same',
        statements: [
          'SET SESSION binlog_row_image = MINIMAL',
          KV,
          'INSERT INTO kv VALUES (7, 1)',
          'UPDATE kv SET v = 2',
          'UPDATE kv SET id = 8',
          'DELETE FROM kv',
        ],
        lines: ['kv_write 7', 'kv_update 7', 'kv_update 8', 'kv_delete 8'],
      },
    ])('$what', async ({ statements, lines }) => {
      const database = await run(server(), statements);
      expect(await linesOf(server(), database)).toEqual(lines);
    });

    test('REPLACE of an existing row is what the server logs for it', async () => {
      const database = await run(server(), [KV, 'INSERT INTO kv VALUES (1, 1)', 'REPLACE INTO kv VALUES (1, 2)']);
      // Without other unique keys and foreign keys, both servers log one update.
      expect(await linesOf(server(), database)).toEqual(['kv_write 1', 'kv_update 1']);
    });

    test('an update of the key has both keys in its raw form, with a minimal row image too', async () => {
      const database = await run(server(), [
        KV,
        'INSERT INTO kv VALUES (1, 5)',
        'UPDATE kv SET id = 2',
        'SET SESSION binlog_row_image = MINIMAL',
        'UPDATE kv SET id = 3',
      ]);
      const [, full, minimal] = await rawsOf(server(), database);
      expect(full).toMatchObject({ key: 2, keyBefore: 1, before: { id: 1, v: 5 }, after: { id: 2, v: 5 } });
      expect(minimal).toMatchObject({ key: 3, keyBefore: 2 });
      expect(minimal?.before).toEqual({ id: 2 });
      expect(minimal?.after).toEqual({ id: 3 });
    });

    test('the same table in two databases is told apart', async () => {
      const first = await run(server(), [KV, 'INSERT INTO kv VALUES (1, 1)']);
      const second = await run(server(), [KV, 'INSERT INTO kv VALUES (2, 1)']);
      expect(await linesOf(server(), first)).toEqual(['kv_write 1']);
      const lines: string[] = [];
      const events = mysqlEvents(server().url, {
        from: 'earliest',
        until: 'now',
        tables: [`${first}.*`, `${second}.kv`],
      });
      events.on('kv_write', (pk, { database }) => lines.push(`${database} ${String(pk)}`));
      events.on(`${second}.kv_write`, (pk) => lines.push(`second ${String(pk)}`));
      await events.run();
      expect(lines).toEqual([`${first} 1`, `${second} 2`, 'second 2']);
    });

    test('only the tables that were asked for are published', async () => {
      const database = await run(server(), [KV, TEST_TABLE, 'INSERT INTO kv VALUES (1, 1)', ...STATEMENTS.slice(0, 1)]);
      expect(await linesOf(server(), database, { tables: ['test'] })).toEqual(['test_write 1']);
    });

    test('JSON columns are values, or the server’s text on request', async () => {
      const database = await run(server(), [
        'CREATE TABLE j (id INT PRIMARY KEY, doc JSON)',
        `INSERT INTO j VALUES (1, '{"a": [1, 2]}')`,
      ]);
      const docs: unknown[] = [];
      for (const json of ['parsed', 'text'] as const) {
        const events = mysqlEvents(`${server().url}/${database}`, { from: 'earliest', until: 'now', json });
        events.on('j_write_raw', ({ after }) => docs.push(after?.['doc']));
        await events.run();
      }
      // MariaDB's JSON is a text type of its own making: it is told from other texts only where the server says so.
      if (flavour === 'mysql') expect(docs[0]).toEqual({ a: [1, 2] });
      expect(JSON.parse(docs[1] as string)).toEqual({ a: [1, 2] });
    });

    test('tables that are added while it runs are published from then on, and nothing of the others is missed', async () => {
      const database = await run(server(), [KV, TEST_TABLE]);
      const lines: string[] = [];
      await using events = mysqlEvents(`${server().url}/${database}`, { tables: ['kv'] });
      events.on('*', (pk, event) => lines.push(`${event.name} ${String(pk)}`));
      await events.start();
      await runIn(server(), database, ['INSERT INTO kv VALUES (1, 1)', ...STATEMENTS.slice(0, 1)]);
      await expect.poll(() => lines).toEqual(['kv_write 1']);
      events.addTables(['test']);
      await runIn(server(), database, [
        'INSERT INTO kv VALUES (2, 1)',
        ...STATEMENTS.slice(0, 1),
        'INSERT INTO kv VALUES (3, 1)',
      ]);
      await expect.poll(() => lines.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(4);
      expect(lines.filter((line) => line !== 'test_write 1')).toEqual([
        'kv_write 1',
        'kv_write 2',
        'test_write 2',
        'kv_write 3',
      ]);
    });

    test('a handler that throws stops the stream before its transaction, and reading goes on from there', async () => {
      const database = await run(server(), [TEST_TABLE, ...STATEMENTS]);
      const events = mysqlEvents(`${server().url}/${database}`, { from: 'earliest', until: 'now' });
      events.on('test_write', (pk) => {
        if (pk === 3) throw new Error('no');
      });
      await expect(events.run()).rejects.toMatchObject({
        code: 'EVENT_HANDLER_FAILED',
        details: { event: 'test_write' },
      });
      expect(await linesOf(server(), database, { from: String(events.position) })).toEqual(EVENTS.slice(1));
    });
  });

  test('with `snapshot` begins with a write for each row that exists, marked, and goes on with what changes', async () => {
    const database = await run(server(), [TEST_TABLE, ...STATEMENTS.slice(0, 2)]);
    const events = mysqlEvents(`${server().url}/${database}`, { snapshot: true });
    const lines: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const writing: Promise<void>[] = [];
    events.on('*_raw', ({ name, key, snapshot }: RawEvent) => {
      lines.push(`${name} ${JSON.stringify(key)}${snapshot === true ? ' snapshot' : ''}`);
      if (lines.length === 4) writing.push(runIn(server(), database, ["UPDATE test SET data = 'x' WHERE id = 3"]));
      if (lines.length === 5) resolve();
    });
    await promise;
    await Promise.all(writing);
    await events.close();
    expect(lines).toEqual([...[1, 2, 3, 4].map((id) => `test_write_raw ${id} snapshot`), 'test_update_raw 3']);
    expect(() => mysqlEvents(`${server().url}/${database}`, { snapshot: true, from: 'earliest' })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error,
    );
  });
});
