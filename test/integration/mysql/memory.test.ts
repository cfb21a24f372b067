import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import { describeServers } from '../../support/servers/describe-server.ts';
import { inDatabase, presentPosition, run } from './source-reading.ts';

const ROW_BYTES = 10_000;
const ROWS = 10_000;
const MIB = 1024 * 1024;

describeServers(['mariadb', 'mysql'], 'memory', (server) => {
  test('a transaction of 100 MB with a slow consumer takes little of it, and comes in small batches', async () => {
    const database = await inDatabase(server(), ['CREATE TABLE kv (id INT PRIMARY KEY, v TEXT)']);
    const { place } = await presentPosition(server());
    const values = (first: number): string =>
      Array.from(
        { length: 500 },
        (_, i) => `(${first + i}, REPEAT('${String.fromCodePoint(97 + (i % 26))}', ${ROW_BYTES}))`,
      ).join(',');
    await run(server(), database, [
      'BEGIN',
      ...Array.from({ length: ROWS / 500 }, (_, i) => `INSERT INTO kv VALUES ${values(i * 500)}`),
      'COMMIT',
    ]);
    const source = new MysqlSource({ url: `${server().url}/${database}`, from: place, until: 'now' });
    globalThis.gc?.();
    const before = process.memoryUsage();
    let grown = 0;
    let batchMax = 0;
    let next = 0;
    for await (const batch of source.batches()) {
      batchMax = Math.max(batchMax, batch.bytes);
      for (const { entries } of batch.parts) {
        for (const entry of entries) {
          if (entry.type !== 'rows') continue;
          for (const key of entry.keys() ?? []) expect(key).toBe(next++);
        }
      }
      // A consumer that takes its time: whoever reads ahead would fill memory meanwhile.
      for (let turn = 0; turn < 5; turn++) await nextTurn();
      const now = process.memoryUsage();
      grown = Math.max(grown, now.arrayBuffers + now.external - before.arrayBuffers - before.external);
    }
    expect(next).toBe(ROWS);
    expect(batchMax).toBeLessThan(8 * MIB);
    expect(grown / MIB).toBeLessThan(32);
  }, 120_000);

  test('a consumer that stops asking stops the reading', async () => {
    const database = await inDatabase(server(), ['CREATE TABLE kv (id INT PRIMARY KEY, v TEXT)']);
    const { place } = await presentPosition(server());
    for (let i = 0; i < 10; i++) {
      await run(server(), database, [
        `INSERT INTO kv SELECT ${i} * 200 + seq, REPEAT('x', 30000) FROM (${numbers(200)}) AS n`,
      ]);
    }
    const source = new MysqlSource({ url: `${server().url}/${database}`, from: place });
    const batches = source.batches();
    await batches.next();
    // 60 MB are waiting: far more than the buffers between the two processes hold.
    await expect.poll(isWaiting, { timeout: 10_000 }).toBe(true);
    const started = process.memoryUsage().arrayBuffers;
    for (let turn = 0; turn < 2000; turn++) await nextTurn();
    expect((process.memoryUsage().arrayBuffers - started) / MIB).toBeLessThan(8);
    await source.close();
  }, 120_000);

  function numbers(count: number): string {
    return Array.from({ length: count }, (_, i) => `SELECT ${i} AS seq`).join(' UNION ALL ');
  }

  /** Whether the dump thread waits for us to take what it has sent. */
  async function isWaiting(): Promise<boolean> {
    const dumps = await server().query<{ state: string | null }>(
      "SELECT STATE AS state FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'",
    );
    return dumps.some(({ state }) => /sending|reading|writing/i.test(state ?? ''));
  }
});
