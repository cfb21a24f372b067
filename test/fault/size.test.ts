import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Change } from '../../src/core/change.ts';
import { MysqlSource } from '../../src/sources/mysql/mysql-source.ts';
import { type Consumed, consumeInProcess } from '../support/consume-process.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { describeServers } from '../support/servers/describe-server.ts';

const MIB = 1024 * 1024;
const RSS_MAX_BYTES = 256 * MIB;
const soak = process.env['TIDINGS_SOAK'] === '1';
/** `npm run test:soak` does it at full size, which is as much work again for the server that writes it. */
const HUGE_BYTES = soak ? 2048 * MIB : 400 * MIB;
const PAD_BYTES = 50_000;

/** Printed before it is judged, so that a failure tells where the memory was. */
function memoryOf({ peakRssBytes, heap }: Consumed): string {
  const [rss, total, external] = [peakRssBytes, heap.total, heap.external].map((bytes) => Math.round(bytes / MIB));
  return `peak RSS ${rss} MB (heap ${total} MB, outside of it ${external} MB)`;
}

describeServers(
  ['mariadb', 'mysql'],
  'sizes',
  (server, flavour) => {
    const present = async (): Promise<string> => {
      const [row] = await server().query(flavour === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
      return `${String(row?.['File'])}:${String(row?.['Position'])}`;
    };

    /** Tables `big.seq` with the numbers from 1 to `count`, and an empty `big.pads`. */
    const makeTables = async (count: number): Promise<void> => {
      const limit = flavour === 'mysql' ? 'cte_max_recursion_depth' : 'max_recursive_iterations';
      await server().query(`
        DROP DATABASE IF EXISTS big; CREATE DATABASE big; USE big; SET SESSION ${limit} = 10000000;
        CREATE TABLE seq (n INT PRIMARY KEY) ENGINE=InnoDB;
        INSERT INTO seq WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < ${count}) SELECT n FROM s;
        CREATE TABLE pads (id INT PRIMARY KEY, pad LONGTEXT CHARACTER SET latin1) ENGINE=InnoDB`);
    };

    const fill = (rows: number): string =>
      `INSERT INTO big.pads SELECT n, REPEAT(CONCAT(n, ' '), CEIL(${PAD_BYTES} / (LENGTH(n) + 1))) FROM big.seq WHERE n <= ${rows}`;

    test(
      `a transaction of ${HUGE_BYTES / MIB} MB is read with less than 256 MB of memory`,
      { timeout: 300_000 },
      async () => {
        const rows = Math.ceil(HUGE_BYTES / PAD_BYTES);
        await makeTables(rows);
        const from = await present();
        await server().query(fill(rows));
        const consumed = await consumeInProcess(server().url, from);
        expect(consumed).toMatchObject({ rows, wrong: 0, transactions: 1 });
        expect(consumed.padBytes).toBeGreaterThan(HUGE_BYTES * 0.99);
        process.stderr.write(`${flavour}: ${HUGE_BYTES / MIB} MB in one transaction, ${memoryOf(consumed)}\n`);
        expect(consumed.peakRssBytes).toBeLessThan(RSS_MAX_BYTES);
        await server().query('DROP DATABASE big; FLUSH BINARY LOGS');
        await server().query(`PURGE BINARY LOGS TO '${(await present()).split(':')[0] ?? ''}'`);
      },
    );

    test(
      'a compressed transaction of 300 MB is read with less than 256 MB of memory',
      { timeout: 120_000 },
      async ({ skip }) => {
        if (flavour === 'mariadb') skip();
        const rows = Math.ceil((300 * MIB) / PAD_BYTES);
        await makeTables(rows);
        const from = await present();
        await server().query('SET SESSION binlog_transaction_compression = ON');
        await server().query(fill(rows));
        await server().query('SET SESSION binlog_transaction_compression = OFF');
        const consumed = await consumeInProcess(server().url, from);
        expect(consumed).toMatchObject({ rows, wrong: 0, transactions: 1 });
        process.stderr.write(`300 MB in one compressed transaction, ${memoryOf(consumed)}\n`);
        expect(consumed.peakRssBytes).toBeLessThan(RSS_MAX_BYTES);
        await server().query('DROP DATABASE big');
      },
    );

    const images = flavour === 'mysql' ? (['as it is', 'compressed'] as const) : (['as it is'] as const);
    test.each(images)(
      'a row of 64 MB is exact in insert, update and delete (%s)',
      { timeout: 120_000 },
      async (how) => {
        await makeTables(64 * 1024 * 8);
        await server().query('CREATE TABLE big.blobs (id INT PRIMARY KEY, data LONGBLOB)');
        const from = await present();
        const setting =
          flavour === 'mysql'
            ? `SET SESSION binlog_transaction_compression = ${how === 'compressed' ? 'ON' : 'OFF'};`
            : '';
        // Nothing repeats in it, so that a byte out of its place shows in the checksum.
        const [inserted] =
          (
            await server().query<Record<string, string>[]>(`${setting} SET SESSION group_concat_max_len = 1000000000;
          INSERT INTO big.blobs SELECT 7, GROUP_CONCAT(SHA2(n, 512) SEPARATOR '') FROM big.seq;
          SELECT SHA2(data, 256) AS sum, CAST(LENGTH(data) AS CHAR) AS bytes FROM big.blobs`)
          ).at(-1) ?? [];
        expect(inserted?.['bytes']).toBe(String(64 * MIB));
        const [updated] =
          (
            await server().query<Record<string, string>[]>(
              'UPDATE big.blobs SET data = REVERSE(data); SELECT SHA2(data, 256) AS sum FROM big.blobs',
            )
          ).at(-1) ?? [];
        await server().query('DELETE FROM big.blobs');
        if (flavour === 'mysql') await server().query('SET SESSION binlog_transaction_compression = OFF');
        const sums: (readonly [string, string | null, string | null])[] = [];
        const sum = (row: Change['before']): string | null =>
          row === null
            ? null
            : createHash('sha256')
                .update(row['data'] as Uint8Array)
                .digest('hex');
        const source = new MysqlSource({ url: server().url, from, until: 'now', tables: ['big.blobs'] });
        for await (const batch of source.batches()) {
          for (const entry of batch.parts.flatMap((part) => part.entries)) {
            if (entry.type === 'rows') {
              sums.push(...entry.changes().map(({ kind, before, after }) => [kind, sum(before), sum(after)] as const));
            }
          }
        }
        expect(sums).toEqual([
          ['insert', null, inserted?.['sum']],
          ['update', inserted?.['sum'], updated?.['sum']],
          ['delete', updated?.['sum'], null],
        ]);
        await server().query('DROP DATABASE big');
      },
    );

    test(
      'a consumer that is slow makes the server wait, longer than its own patience, and nothing piles up',
      { timeout: 60_000 },
      async () => {
        const rows = 4000;
        await makeTables(rows);
        const from = await present();
        await server().query(fill(rows));
        await using proxy = await FaultProxy.start(server());
        const source = new MysqlSource({ url: proxy.url(), from, until: 'now', tables: ['big.*'] });
        const batches = source.batches();
        let { value, done } = await batches.next();
        const dump = await proxy.dump();
        // net_write_timeout of this server is one second: without a word from us it would end the connection in the meantime.
        const now = async (): Promise<number> =>
          Number((await server().query('SELECT UNIX_TIMESTAMP() AS s'))[0]?.['s']);
        const began = await now();
        await expect.poll(now, { timeout: 10_000 }).toBeGreaterThan(began + 3);
        const passed = dump.bytesPassed;
        expect(passed).toBeLessThan(32 * MIB);
        const threads = await server().query<{ Command: string; State: string | null }>('SHOW PROCESSLIST');
        expect(
          threads.filter(
            ({ Command, State }) => Command.startsWith('Binlog Dump') && /sending|writing/i.test(State ?? ''),
          ),
        ).toHaveLength(1);
        expect(dump.bytesPassed).toBe(passed);
        let seen = 0;
        let begun = 0;
        for (; done !== true && value !== undefined; { value, done } = await batches.next()) {
          for (const part of value.parts) {
            if (part.begins) begun++;
            for (const entry of part.entries) if (entry.type === 'rows') seen += entry.rows().count;
          }
        }
        expect({ seen, begun, dumps: proxy.connections.filter(({ dumping }) => dumping).length }).toEqual({
          seen: rows,
          begun: 1,
          dumps: 1,
        });
        await server().query('DROP DATABASE big');
      },
    );
  },
  {
    owned: true,
    options: [
      '--binlog-row-metadata=FULL',
      '--max-allowed-packet=1G',
      '--max-binlog-size=1G',
      '--net-write-timeout=1',
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-doublewrite=0',
      '--innodb-buffer-pool-size=256M',
    ],
  },
);
