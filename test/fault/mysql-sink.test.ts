import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { isTidingsError } from '../../src/core/errors.ts';
import { RowsRefused, type Sink, type SinkBatch } from '../../src/core/sink.ts';
import { tableOf } from '../../src/testing/tables.ts';
import { describeServers } from '../support/servers/describe-server.ts';
import { openMysqlSink } from '../support/sinks/open-mysql-sink.ts';
import { batchOf, RowsOf } from '../support/sinks/sink-rows.ts';

const COLUMNS = { id: { type: 'int', nullable: false }, note: { type: 'varchar', length: 20 } } as const;

/** As whoever hands rows to a sink: what may be cured by trying again is tried again. Returns the codes on the way. */
async function writeStubbornly(
  sink: Sink,
  batch: SinkBatch,
  onFailure: (code: string) => unknown = () => {},
): Promise<string[]> {
  const codes: string[] = [];
  for (;;) {
    try {
      await sink.write(batch);
      return codes;
    } catch (error) {
      if (!isTidingsError(error) || (error.retry !== 'backoff' && error.retry !== 'reconnect')) throw error;
      codes.push(error.code);
      await onFailure(error.code);
      await sleep(20);
    }
  }
}

describeServers(
  ['mariadb', 'mysql'],
  'a MySQL sink',
  (server) => {
    let number = 0;
    const fresh = async (): Promise<{ db: string; url: string }> => {
      const db = `fault_${++number}`;
      await server().query(`CREATE DATABASE ${db}`);
      return { db, url: `${server().url}/${db}` };
    };

    test(
      'writes each row once, though the server is killed again and again while it writes',
      { timeout: 180_000 },
      async () => {
        const { db, url } = await fresh();
        await server().query(`CREATE TABLE ${db}.log (n INT, KEY (n))`);
        await using sink = await openMysqlSink(url, { answerTimeoutMs: 5000 });
        const rows = new RowsOf(tableOf(`${db}.log`, { n: 'int' }));
        await sink.prepare(rows.target);
        const progress = { done: false, batches: 0 };
        const writing = (async () => {
          for (let n = 0; !progress.done; n += 100) {
            await writeStubbornly(sink, batchOf(Array.from({ length: 100 }, (_, i) => rows.insert({ n: n + i }))));
            progress.batches++;
          }
        })();
        for (let kills = 0; kills < 4; kills++) {
          const enough = progress.batches + 5;
          while (progress.batches < enough) await turn();
          await server().kill();
          await server().start();
        }
        progress.done = true;
        await writing;
        const [counted] = await server().query(
          `SELECT COUNT(*) AS n, COUNT(DISTINCT n) AS d, MAX(n) + 1 AS m FROM ${db}.log`,
        );
        expect(counted).toEqual({ n: progress.batches * 100, d: progress.batches * 100, m: progress.batches * 100 });
      },
    );

    test(
      'waits for a lock that somebody else holds, and for a server that is read-only, and then goes on',
      { timeout: 120_000 },
      async () => {
        const { db, url } = await fresh();
        await using sink = await openMysqlSink(url);
        const rows = new RowsOf(tableOf(`${db}.t`, COLUMNS, ['id']));
        await sink.prepare(rows.target);
        await sink.write(batchOf([rows.insert({ id: 1, note: 'a' })]));
        const other = await server().connection();
        await other.query(`START TRANSACTION; UPDATE ${db}.t SET note = 'locked' WHERE id = 1`);
        const write = writeStubbornly(sink, batchOf([rows.update({ id: 1, note: 'a' }, { id: 1, note: 'b' })]));
        await waiting(db);
        await other.query('ROLLBACK');
        await write;
        await other.end();
        await server()
          .query('CREATE OR REPLACE USER writer')
          .catch(() => server().query('CREATE USER writer'));
        await server().query(`GRANT ALL ON ${db}.* TO writer; SET GLOBAL read_only = 1`);
        await using plain = await openMysqlSink(url.replace('root@', 'writer@'), {
          name: 'plain',
          partitions: [],
        }).catch(async (error: unknown) => {
          expect(error).toMatchObject({ code: 'SINK_READ_ONLY', retry: 'backoff' });
          await server().query('SET GLOBAL read_only = 0');
          return await openMysqlSink(url.replace('root@', 'writer@'), { name: 'plain' });
        });
        await plain.claim([0]);
        await plain.prepare(rows.target);
        await server().query('SET GLOBAL read_only = 1');
        const codes = await writeStubbornly(plain, batchOf([rows.insert({ id: 2, note: 'c' })]), () =>
          server().query('SET GLOBAL read_only = 0'),
        );
        expect(codes).toEqual(['SINK_READ_ONLY']);
        expect(await server().query(`SELECT * FROM ${db}.t ORDER BY id`)).toEqual([
          { id: 1, note: 'b' },
          { id: 2, note: 'c' },
        ]);
      },
    );

    async function waiting(db: string): Promise<void> {
      for (;;) {
        const rows = await server().query(
          `SELECT 1 FROM information_schema.PROCESSLIST WHERE info LIKE '%INSERT INTO \`${db}\`%' AND id <> CONNECTION_ID()`,
        );
        if (rows.length > 0) return;
      }
    }

    test('ends a deadlock by writing again', async () => {
      const { db, url } = await fresh();
      await using sink = await openMysqlSink(url);
      const rows = new RowsOf(tableOf(`${db}.t`, COLUMNS, ['id']));
      const more = new RowsOf(tableOf(`${db}.u`, COLUMNS, ['id']));
      await sink.prepare(rows.target);
      await sink.prepare(more.target);
      await sink.write(batchOf([rows.insert({ id: 1, note: 'a' }), more.insert({ id: 1, note: 'a' })]));
      const other = await server().connection();
      // The heavier transaction is the one that lives on.
      await other.query(
        `START TRANSACTION; INSERT INTO ${db}.u SELECT 1000 + seq, 'x' FROM (SELECT 1 AS seq UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) s`,
      );
      await other.query(`UPDATE ${db}.u SET note = 'other' WHERE id = 1`);
      const write = writeStubbornly(
        sink,
        batchOf([rows.upsert({ id: 1, note: 'b' }), more.upsert({ id: 1, note: 'b' })]),
      );
      await waiting(db);
      await other.query(`UPDATE ${db}.t SET note = 'other' WHERE id = 1`);
      await other.query('COMMIT');
      await write;
      await other.end();
      expect(await server().query(`SELECT t.note AS t, u.note AS u FROM ${db}.t JOIN ${db}.u USING (id)`)).toEqual([
        { t: 'b', u: 'b' },
      ]);
    });

    test(
      'finds one poison row among 100,000 with few statements, and writes all others',
      { timeout: 180_000 },
      async () => {
        const { db, url } = await fresh();
        await using sink = await openMysqlSink(url);
        const rows = new RowsOf(tableOf(`${db}.t`, COLUMNS, ['id']));
        await sink.prepare(rows.target);
        const all = Array.from({ length: 100_000 }, (_, id) =>
          rows.insert({ id, note: id === 77_777 ? 'x'.repeat(21) : `row ${id}` }),
        );
        const [before] = await server().query<{ Value: string }>("SHOW GLOBAL STATUS LIKE 'Com_savepoint'");
        const refused = await sink.write(batchOf(all)).catch((error: unknown) => error);
        const [after] = await server().query<{ Value: string }>("SHOW GLOBAL STATUS LIKE 'Com_savepoint'");
        expect(refused).toBeInstanceOf(RowsRefused);
        expect((refused as RowsRefused).rows).toMatchObject([
          {
            index: 77_777,
            error: {
              code: 'SINK_ROW_REFUSED',
              message: `${db}.t: a row is refused: the value of column note is too long`,
            },
          },
        ]);
        // Two for each halving: 17 of them.
        expect(Number(after?.Value) - Number(before?.Value)).toBeLessThan(40);
        await sink.write(batchOf(all.filter((_row, i) => i !== 77_777)));
        expect(await server().query(`SELECT COUNT(*) AS n FROM ${db}.t`)).toEqual([{ n: 99_999 }]);
      },
    );

    test(
      'refuses a row that is larger than max_allowed_packet, and keeps to it otherwise',
      { timeout: 120_000 },
      async () => {
        const { db, url } = await fresh();
        const [was] = await server().query<{ n: number }>('SELECT @@global.max_allowed_packet AS n');
        await server().query('SET GLOBAL max_allowed_packet = 1048576');
        await using sink = await openMysqlSink(url, { statementBytesMax: 16 * 1024 * 1024 });
        await server().query(`SET GLOBAL max_allowed_packet = ${was?.n}`);
        const rows = new RowsOf(
          tableOf(`${db}.t`, { id: { type: 'int', nullable: false }, note: { type: 'text', length: 4_294_967_295 } }, [
            'id',
          ]),
        );
        await sink.prepare(rows.target);
        const sized = (id: number, length: number) => rows.insert({ id, note: 'é'.repeat(length) });
        await expect(sink.write(batchOf([sized(1, 10), sized(2, 600_000), sized(3, 10)]))).rejects.toMatchObject({
          rows: [
            {
              index: 1,
              error: { message: `${db}.t: a row is refused: it is larger than the target's max_allowed_packet` },
            },
          ],
        });
        await sink.write(batchOf(Array.from({ length: 40 }, (_, id) => sized(id, 50_000))));
        expect(await server().query(`SELECT COUNT(*) AS n, SUM(LENGTH(note)) AS bytes FROM ${db}.t`)).toMatchObject([
          { n: 40 },
        ]);
      },
    );

    test('loses a privilege while it runs, and nothing of the error holds a value of the rows', async () => {
      const { db, url } = await fresh();
      await using owner = await openMysqlSink(url);
      const rows = new RowsOf(tableOf(`${db}.t`, COLUMNS, ['id']));
      await owner.prepare(rows.target);
      const user = `writer_${number}`;
      await server().query(
        `CREATE USER ${user}; GRANT ALL ON ${db}._tidings_checkpoint TO ${user}; GRANT SELECT, INSERT, UPDATE, DELETE ON ${db}.t TO ${user}`,
      );
      await using sink = await openMysqlSink(url.replace('root@', `${user}@`), { name: 'limited' });
      await sink.prepare(rows.target);
      await server().query(`REVOKE INSERT ON ${db}.t FROM ${user}`);
      const error: unknown = await sink
        .write(batchOf([rows.insert({ id: 1, note: 'a secret' })]))
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'PRIVILEGE_MISSING', retry: 'operator' });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('a secret');
    });

    test('says whose mistake it is when it may not connect or write', async () => {
      const { db, url } = await fresh();
      await expect(openMysqlSink(url.replace('root@', 'nobody:secret@'))).rejects.toMatchObject({
        code: 'ACCESS_DENIED',
        retry: 'operator',
      });
      await server().query(`CREATE USER reader_${number}; GRANT SELECT ON ${db}.* TO reader_${number}`);
      await expect(openMysqlSink(url.replace('root@', `reader_${number}@`))).rejects.toMatchObject({
        code: 'PRIVILEGE_MISSING',
        retry: 'operator',
      });
    });
  },
  { owned: true },
);
