import { expect, test } from 'vitest';
import { keyText } from '../../../src/core/snapshot.ts';
import type { MysqlSnapshotReader } from '../../../src/sources/mysql/snapshot/mysql-snapshot-reader.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import type { TestServer } from '../../support/servers/test-server.ts';
import { openReader, presentSince, readAll, readChunk, type ReaderOptions, takeRows } from './snapshot-reading.ts';
import { inDatabase, run } from './source-reading.ts';

async function withReader<T>(
  server: TestServer,
  options: ReaderOptions,
  use: (reader: MysqlSnapshotReader) => Promise<T>,
): Promise<T> {
  const reader = openReader(server, options);
  try {
    return await use(reader);
  } finally {
    await reader.close();
  }
}

/** `rows` rows of a key `id` from 1 on, and a value of `bytes` bytes. */
function filled(rows: number, bytes: number): string[] {
  return [
    'CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)',
    `INSERT INTO t WITH RECURSIVE seq (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM seq WHERE i < ${rows}) SELECT i, REPEAT('x', ${bytes}) FROM seq`,
  ];
}

const MIB = 1024 * 1024;

describeServers(
  ['mariadb', 'mysql'],
  'chunks',
  (server, flavour) => {
    test('the tables are those of the selection, without views, each with the key it is read by', async () => {
      const database = await inDatabase(server(), [
        'CREATE TABLE a (id INT PRIMARY KEY, n INT)',
        'CREATE TABLE b (x INT NOT NULL, y INT NOT NULL, UNIQUE KEY u (y, x))',
        'CREATE TABLE c (x INT, UNIQUE KEY u (x))',
        'CREATE TABLE d (t VARCHAR(100), PRIMARY KEY (t(10)))',
        'CREATE VIEW v AS SELECT * FROM a',
        'CREATE TABLE hidden (id INT PRIMARY KEY)',
        'INSERT INTO a VALUES (1, 1), (2, 2), (3, 3)',
        'ANALYZE TABLE a',
      ]);
      const tables = await withReader(server(), { tables: [`${database}.*`] }, (reader) => reader.tables());
      expect(tables.map(({ name, key }) => [name, key])).toEqual([
        ['a', ['id']],
        ['b', ['y', 'x']],
        ['c', null],
        ['d', null],
        ['hidden', ['id']],
      ]);
      expect(tables[0]?.rows).toBe(3);
      expect(tables[0]?.database).toBe(database);
    });

    test('a chunk ends with its budget, and the next one goes on behind it', async () => {
      const database = await inDatabase(server(), filled(300, 10_000));
      await withReader(server(), {}, async (reader) => {
        // The second time the size of rows is known, and little is asked for in vain.
        for (let round = 0; round < 2; round++) {
          const counts: number[] = [];
          const ids: unknown[] = [];
          for (let after: string | null = null; ;) {
            const chunk = await readChunk(server(), reader, {
              database,
              table: 't',
              after,
              rows: 1000,
              bytes: 500_000,
            });
            counts.push(chunk.count);
            expect(chunk.bytes).toBeLessThanOrEqual(500_000 + 10_020);
            after = chunk.next;
            ids.push(...takeRows(chunk).map((row) => row['id']));
            if (after === null) break;
          }
          expect(ids).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
          expect(Math.max(...counts)).toBe(50);
        }
      });
    });

    test('what the server still has to send of a chunk that was too large does not have to be read', async () => {
      const database = await inDatabase(server(), filled(20, 2 * MIB));
      await withReader(server(), {}, async (reader) => {
        // Nothing tells that rows are as large as they are.
        await server().query(`INSERT INTO ${database}.t SELECT id + 100, 'small' FROM ${database}.t`);
        const rows = await readAll(server(), reader, { database, table: 't', rows: 1000, bytes: MIB });
        expect(rows).toHaveLength(40);
        expect(rows.slice(0, 20).every((row) => (row['v'] as string).length === 2 * MIB)).toBe(true);
      });
    });

    test('rows of 20 MB come whole, each alone, and small ones beside them', async () => {
      const database = await inDatabase(server(), ['CREATE TABLE t (id INT PRIMARY KEY, v LONGBLOB, n INT)']);
      await run(server(), database, [
        "INSERT INTO t VALUES (1, x'01', 1), (4, x'04', 4)",
        "INSERT INTO t VALUES (2, REPEAT(x'61', 20000000), 2), (3, REPEAT(x'62', 16777215 - 20), 3)",
        // The payload of the row is 16777215 bytes and one less: 4 for the length, 2 each for id and n.
        "INSERT INTO t VALUES (5, REPEAT(x'63', 16777215 - 8), 5), (6, REPEAT(x'64', 16777215 - 9), 6)",
      ]);
      await withReader(server(), {}, async (reader) => {
        const seen: [unknown, number, unknown][] = [];
        const counts: number[] = [];
        for (let after: string | null = null; ;) {
          const chunk = await readChunk(server(), reader, { database, table: 't', after, bytes: MIB });
          counts.push(chunk.count);
          after = chunk.next;
          for (const row of takeRows(chunk)) {
            const bytes = row['v'] as Uint8Array;
            const first = bytes[0] ?? 0;
            expect(bytes.every((byte) => byte === first)).toBe(true);
            seen.push([row['id'], bytes.length, row['n']]);
          }
          if (after === null) break;
        }
        expect(seen).toEqual([
          [1, 1, 1],
          [2, 20_000_000, 2],
          [3, 16_777_195, 3],
          [4, 1, 4],
          [5, 16_777_207, 5],
          [6, 16_777_206, 6],
        ]);
        expect(counts.slice(0, 5)).toEqual([1, 1, 1, 1, 1]);
      });
    });

    test('a condition is put between parentheses, whatever it says', async () => {
      const database = await inDatabase(server(), filled(10, 3));
      await withReader(server(), {}, async (reader) => {
        const ids = async (where: string): Promise<unknown[]> =>
          (await readAll(server(), reader, { database, table: 't', rows: 2, where })).map((row) => row['id']);
        expect(await ids('id = 3 OR id > 8')).toEqual([3, 9, 10]);
        expect(await ids('id < 3 -- and no more')).toEqual([1, 2]);
        expect(await ids("v LIKE '%)%' OR id = 5 # ) comment")).toEqual([5]);
        expect(await ids('t.id IN (SELECT 2) /* ) */')).toEqual([2]);
        expect(await ids('v IS NULL')).toEqual([]);
        expect(await ids("id = 7 OR v = ';'")).toEqual([7]);
        // Every chunk is of two rows of the table, however many of them are meant.
        const chunk = await readChunk(server(), reader, { database, table: 't', rows: 2, where: 'id = 9' });
        expect([chunk.count, JSON.parse(chunk.next ?? '')]).toMatchObject([0, { after: ['2'] }]);
        chunk.release();
      });
    });

    test('a condition that is none is refused, and the next chunk is read as if nothing had been', async () => {
      const database = await inDatabase(server(), filled(3, 3));
      await withReader(server(), {}, async (reader) => {
        const bad = [
          'id = 1) OR (1',
          'id = 1; DELETE FROM t',
          "v = 'x",
          'id = `x',
          'id = 1 /* ',
          'id = 1 /*! ',
          '',
          ' -- ',
          'nope = 1',
          'id = = 1',
          'no_such_function(id)',
          'id = (SELECT 1 FROM no_such_table)',
          'id IN (SELECT 1 UNION SELECT 2) AND id = (SELECT 1 UNION SELECT 2)',
          '(id = 1',
          'id = 1 \0',
        ];
        for (const where of bad) {
          const failure = readChunk(server(), reader, { database, table: 't', where });
          await expect(failure).rejects.toMatchObject({ code: 'SNAPSHOT_CONDITION_INVALID' });
        }
        expect(takeRows(await readChunk(server(), reader, { database, table: 't' }))).toHaveLength(3);
      });
    });

    test('keys name the rows that are wanted, of any number of columns', async () => {
      const database = await inDatabase(server(), [
        ...filled(10, 3),
        'CREATE TABLE u (a INT, b VARCHAR(10) CHARACTER SET latin1, c DATETIME(3), PRIMARY KEY (b, a, c))',
        "INSERT INTO u VALUES (1, 'é', '2026-01-01'), (1, 'f', '2026-01-01'), (2, 'é', '2026-01-01 00:00:00.001')",
      ]);
      await withReader(server(), {}, async (reader) => {
        const one = await readChunk(server(), reader, { database, table: 't', keys: [7, 2, 99, 3n] });
        expect(one.next).toBe(null);
        expect(takeRows(one).map((row) => row['id'])).toEqual([2, 3, 7]);
        const many = await readChunk(server(), reader, {
          database,
          table: 'u',
          keys: [
            ['é', 2, '2026-01-01 00:00:00.001'],
            ['f', 1, '2026-01-01 00:00:00.000'],
            ['f', 2, '2026-01-01 00:00:00.000'],
          ],
        });
        expect(takeRows(many).map((row) => [row['a'], row['b']])).toEqual([
          [2, 'é'],
          [1, 'f'],
        ]);
        expect(takeRows(await readChunk(server(), reader, { database, table: 't', keys: [] }))).toEqual([]);
        const all = Array.from({ length: 1000 }, (_, i) => i);
        expect(takeRows(await readChunk(server(), reader, { database, table: 't', keys: all }))).toHaveLength(10);
      });
    });

    test('rows whose keys the stream has changed are left out, by the key that the chunks are cut by', async () => {
      const database = await inDatabase(server(), [
        ...filled(5, 3),
        'CREATE TABLE u (a INT NOT NULL, b VARCHAR(9) NOT NULL, UNIQUE KEY (b, a))',
        "INSERT INTO u VALUES (1, 'x'), (2, 'x'), (3, 'y')",
      ]);
      await withReader(server(), {}, async (reader) => {
        const chunk = await readChunk(server(), reader, { database, table: 't' });
        const except = new Set([keyText(2), keyText(4n), keyText(77)]);
        expect(chunk.rows(except).flatMap((batch) => batch.keys() ?? [])).toEqual([1, 3, 5]);
        expect(chunk.rows(new Set([1, 2, 3, 4, 5].map(keyText)))).toEqual([]);
        expect(takeRows(chunk)).toHaveLength(5);
        const unique = await readChunk(server(), reader, { database, table: 'u' });
        expect(takeRows(unique, new Set([keyText(['x', 2])])).map((row) => row['a'])).toEqual([1, 3]);
      });
    });

    test('only the selected columns are read, and the key is known all the same', async () => {
      const database = await inDatabase(server(), [
        'CREATE TABLE t (id INT, v TEXT, w INT, k INT, PRIMARY KEY (k, id))',
        "INSERT INTO t VALUES (1, 'a', 10, 2), (2, 'b', 20, 1)",
      ]);
      await withReader(server(), { columns: { [`${database}.t`]: ['w'] } }, async (reader) => {
        const chunk = await readChunk(server(), reader, { database, table: 't', rows: 1 });
        expect(chunk.columns).toBe(1);
        expect(chunk.rows(new Set()).flatMap((batch) => batch.keys() ?? [])).toEqual([[1, 2]]);
        expect(takeRows(chunk)).toEqual([{ w: 20 }]);
        expect(await readAll(server(), reader, { database, table: 't', rows: 1 })).toEqual([{ w: 20 }, { w: 10 }]);
      });
    });

    test('a place that does not fit the key, or is anything but values, is refused', async () => {
      const database = await inDatabase(server(), [
        'CREATE TABLE t (id INT, v VARCHAR(10) CHARACTER SET utf8mb4, PRIMARY KEY (id, v))',
        "INSERT INTO t VALUES (1, 'a'), (1, 'b'), (2, 'a')",
      ]);
      await withReader(server(), {}, async (reader) => {
        const { next } = await readChunk(server(), reader, { database, table: 't', rows: 1 });
        const cursor = JSON.parse(next ?? '') as { key: string[]; after: string[] };
        const refused = async (after: string): Promise<void> => {
          const failure = readChunk(server(), reader, { database, table: 't', after });
          await expect(failure).rejects.toMatchObject({ code: 'SNAPSHOT_CURSOR_INVALID' });
        };
        for (const text of ['', 'null', '[]', '{}', '7', '{"key":null,"after":["1"]}']) await refused(text);
        const literals = [
          '1 OR 1',
          '1)',
          'id',
          '(SELECT 1)',
          "'a' --",
          '1;',
          "x'zz'",
          "_utf8mb4 X'6'",
          '`v`',
          '@@version',
          'SLEEP(1)',
          '1/*',
          "'a''b'",
          "'\\'",
          '',
        ];
        for (const literal of literals) await refused(JSON.stringify({ ...cursor, after: ['1', literal] }));
        await refused(JSON.stringify({ ...cursor, after: ['1'] }));
        await refused(JSON.stringify({ ...cursor, key: cursor.key.toReversed() }));
        await run(server(), database, ['ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (v, id)']);
        await refused(next ?? '');
        await run(server(), database, ['ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (id, v)']);
        expect(takeRows(await readChunk(server(), reader, { database, table: 't', after: next }))).toHaveLength(2);
        await run(server(), database, ['ALTER TABLE t MODIFY v VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin']);
        await refused(next ?? '');
      });
    });

    test('a table that is altered between two chunks is read on under its new definition', async () => {
      const database = await inDatabase(server(), filled(6, 1));
      await withReader(server(), {}, async (reader) => {
        const first = await readChunk(server(), reader, { database, table: 't', rows: 2 });
        expect(takeRows(first)).toEqual([
          { id: 1, v: 'x' },
          { id: 2, v: 'x' },
        ]);
        await run(server(), database, ['ALTER TABLE t ADD n INT DEFAULT 7 FIRST']);
        const second = await readChunk(server(), reader, { database, table: 't', rows: 2, after: first.next });
        expect(second.table.columns.map(({ name }) => name)).toEqual(['n', 'id', 'v']);
        expect(takeRows(second)).toEqual([
          { n: 7, id: 3, v: 'x' },
          { n: 7, id: 4, v: 'x' },
        ]);
        await run(server(), database, ['ALTER TABLE t DROP COLUMN v, RENAME COLUMN n TO m']);
        const third = await readChunk(server(), reader, { database, table: 't', rows: 2, after: second.next });
        expect(takeRows(third)).toEqual([
          { m: 7, id: 5 },
          { m: 7, id: 6 },
        ]);
        // A change that the columns of the result do not show.
        await run(server(), database, ["ALTER TABLE t ADD e ENUM('a','b') DEFAULT 'b'"]);
        await readChunk(server(), reader, { database, table: 't', rows: 1 });
        await run(server(), database, ["ALTER TABLE t MODIFY e ENUM('c','a','b') DEFAULT 'b'"]);
        const last = await readChunk(server(), reader, { database, table: 't', rows: 1 });
        expect(last.table.columns.at(-1)?.members).toEqual(['c', 'a', 'b']);
        last.release();
      });
    });

    test('a chunk always comes under the definition that its rows have, while the table is altered without a pause', async () => {
      const database = await inDatabase(server(), filled(50, 10));
      const done = new AbortController();
      const alter = (async () => {
        for (let i = 0; !done.signal.aborted; i++) {
          await run(server(), database, [
            i % 2 === 0 ? `ALTER TABLE t ADD c${i} INT DEFAULT ${i} FIRST` : `ALTER TABLE t DROP COLUMN c${i - 1}`,
          ]);
        }
      })();
      await withReader(server(), {}, async (reader) => {
        try {
          const since = await presentSince(server());
          for (let i = 0; i < 40; i++) {
            const chunk = await readChunk(server(), reader, { database, table: 't', since }).catch((error: unknown) => {
              if ((error as { code?: string }).code === 'SERVER_BUSY') return null;
              throw error;
            });
            if (chunk === null) continue;
            const added = chunk.table.columns.map(({ name }) => name).find((name) => name.startsWith('c'));
            for (const row of takeRows(chunk)) {
              expect(Object.keys(row)).toEqual(added === undefined ? ['id', 'v'] : [added, 'id', 'v']);
              expect(row['v']).toBe('xxxxxxxxxx');
              if (added !== undefined) expect(row[added]).toBe(Number(added.slice(1)));
            }
          }
        } finally {
          done.abort();
          await alter;
        }
      });
    });

    test('a table that was dropped is gone, also in the middle of its snapshot', async () => {
      const database = await inDatabase(server(), filled(6, 1));
      await withReader(server(), {}, async (reader) => {
        const { next } = await readChunk(server(), reader, { database, table: 't', rows: 2 });
        await run(server(), database, ['DROP TABLE t']);
        const failure = readChunk(server(), reader, { database, table: 't', rows: 2, after: next });
        await expect(failure).rejects.toMatchObject({ code: 'SNAPSHOT_TABLE_GONE' });
        const where = readChunk(server(), reader, { database, table: 't', where: 'id > 0' });
        await expect(where).rejects.toMatchObject({ code: 'SNAPSHOT_TABLE_GONE' });
        await server().query(`DROP DATABASE ${database}`);
        const other = readChunk(server(), reader, { database, table: 't' });
        await expect(other).rejects.toMatchObject({ code: 'SNAPSHOT_TABLE_GONE' });
      });
    });

    test('a table without a key is not read in chunks, but in one consistent read', async () => {
      const database = await inDatabase(server(), [
        'CREATE TABLE t (a INT, v TEXT)',
        `INSERT INTO t WITH RECURSIVE seq (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM seq WHERE i < 1000) SELECT i, REPEAT('x', 9000) FROM seq`,
      ]);
      await withReader(server(), {}, async (reader) => {
        const failure = readChunk(server(), reader, { database, table: 't' });
        await expect(failure).rejects.toMatchObject({ code: 'SNAPSHOT_KEY_MISSING' });
        const seen: unknown[] = [];
        let chunks = 0;
        const since = await presentSince(server());
        const signal = new AbortController().signal;
        const whole = { database, table: 't', rows: 90, bytes: 500_000, where: 'a <> 500', since, signal };
        for await (const chunk of reader.readWhole(whole)) {
          chunks++;
          expect(chunk.next).toBe(null);
          expect(reader.reached(await presentSince(server()), chunk.mark)).toBe(true);
          // What is committed while it is read is no part of it, and DDL waits.
          await server().query(`INSERT INTO ${database}.t VALUES (5000 + ${chunks}, 'late')`);
          await server().query(`UPDATE ${database}.t SET v = 'changed' WHERE a = 999`);
          for (const row of takeRows(chunk)) {
            seen.push(row['a']);
            expect((row['v'] as string).length).toBe(9000);
          }
        }
        expect(chunks).toBeGreaterThan(10);
        expect(seen.toSorted((a, b) => Number(a) - Number(b))).toEqual(
          Array.from({ length: 1000 }, (_, i) => i + 1).filter((a) => a !== 500),
        );
      });
    });

    test('a read of a whole table that nobody goes on with ends, and lets go of the table', async () => {
      const database = await inDatabase(server(), [
        'CREATE TABLE t (a INT, v LONGTEXT)',
        ...Array.from({ length: 8 }, (_, i) => `INSERT INTO t VALUES (${i}, REPEAT('x', 4000000))`),
      ]);
      await withReader(server(), {}, async (reader) => {
        const since = await presentSince(server());
        const signal = new AbortController().signal;
        for await (const chunk of reader.readWhole({
          database,
          table: 't',
          rows: 1,
          bytes: 100,
          where: null,
          since,
          signal,
        })) {
          chunk.release();
          break;
        }
        await run(server(), database, ['ALTER TABLE t ADD n INT']);
        const gone = reader
          .readWhole({ database, table: 'gone', rows: 1, bytes: 100, where: null, since, signal })
          .next();
        await expect(gone).rejects.toMatchObject({ code: 'SNAPSHOT_TABLE_GONE' });
      });
    });

    test('a generated invisible key, invisible and generated columns are read as the stream has them', async () => {
      const invisible = flavour === 'mysql' ? 'SET sql_generate_invisible_primary_key = ON' : 'DO 1';
      const database = await inDatabase(server(), [
        invisible,
        'CREATE TABLE t (a INT, b INT INVISIBLE DEFAULT 7, c INT AS (a + 1) STORED, d INT AS (a + 2) VIRTUAL)',
        'INSERT INTO t (a) VALUES (1), (2), (3)',
      ]);
      if (flavour === 'mariadb') await run(server(), database, ['ALTER TABLE t ADD PRIMARY KEY (a)']);
      await withReader(server(), {}, async (reader) => {
        const rows = await readAll(server(), reader, { database, table: 't', rows: 2 });
        expect(rows.map((row) => ({ ...row, my_row_id: undefined }))).toMatchObject([
          { a: 1, b: 7, c: 2, d: 3 },
          { a: 2, b: 7, c: 3, d: 4 },
          { a: 3, b: 7, c: 4, d: 5 },
        ]);
      });
    });
  },
  { options: ['--max-allowed-packet=64M'] },
);
