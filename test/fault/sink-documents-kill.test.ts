import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { FailpointName } from '../../src/core/failpoint.ts';
import { RelayUnderFire } from '../support/kill/relay-under-fire.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { describeServers, isAvailable } from '../support/servers/describe-server.ts';
import type { TestServer } from '../support/servers/test-server.ts';
import { startServer } from '../support/servers/start-server.ts';
import { treeOf } from '../support/sinks/patched-documents.ts';

const seed = seedOfRun('documents of two tables, and kills');
const SOAK = process.env['TIDINGS_SOAK'] === '1';
const PLACES: readonly FailpointName[] = ['sink-write', 'sink-written', 'checkpoint-write'];
const KILLS_PER_PLACE = SOAK ? 20 : 1;
const OTHER = { mariadb: 'mysql', mysql: 'mariadb' } as const;
const ORDERS = 12;

const MAPPING = {
  tables: {
    'docs.orders': { to: 'docs.orders', merge: 'any' },
    'docs.order_lines': {
      to: 'docs.orders',
      into: 'lines[]',
      key: { id: 'order_id' },
      elementKey: ['no'],
      columns: { no: 'line' },
    },
  },
};

describeServers(
  ['mariadb', 'mysql'],
  'a sink that is killed while it makes documents of two tables',
  (server, flavour) => {
    test.skipIf(!isAvailable(OTHER[flavour], 'into the other server'))(
      `leaves each order with its lines, whatever became of them and wherever it died (TIDINGS_SEED=${seed})`,
      { timeout: SOAK ? 3_600_000 : 600_000 },
      async () => {
        const random = new SeededRandom(seed);
        await using target = await startServer(OTHER[flavour]);
        const folder = await mkdtemp(join(tmpdir(), 'tidings-documents-'));
        await server().query(
          'CREATE DATABASE docs; CREATE TABLE docs.orders (id INT PRIMARY KEY, name VARCHAR(20) NOT NULL); ' +
            'CREATE TABLE docs.order_lines (order_id INT, line INT, big BIGINT UNSIGNED, price DECIMAL(20,4), PRIMARY KEY (order_id, line))',
        );
        for (let i = 0; i < 50; i++) await server().query(statement(random));
        const relay = await RelayUnderFire.create({
          folder,
          sourceUrl: server().url,
          tables: ['docs.*'],
          stream: 'docs',
          group: 'sink-copy',
          sinks: {
            copy: {
              stream: 'docs',
              type: 'mysql',
              url: `${target.url}/tidings`,
              batch: { rows: 7 },
              retry: { delayMin: '10ms', delayMax: '100ms' },
              ...MAPPING,
            },
          },
        });
        try {
          await relay.start();
          for (let kill = 0; kill < KILLS_PER_PLACE; kill++) {
            for (const name of PLACES) {
              await relay.kill();
              await relay.start({ name, at: 1 + random.below(6) });
              const dead = new AbortController();
              const died = relay.died().finally(() => dead.abort());
              while (!dead.signal.aborted) await server().query(statement(random));
              await died;
              await relay.start();
              for (let i = 0; i < 20; i++) await server().query(statement(random));
            }
          }
          const expected = await ordersOf(server());
          expect(expected.length).toBeGreaterThan(0);
          await expect.poll(() => documentsIn(target), { timeout: 60_000, interval: 100 }).toEqual(expected);
          expect(relay.kills).toBe(KILLS_PER_PLACE * PLACES.length * 2);
          await relay.stop();
        } finally {
          await relay.kill().catch(() => undefined);
          await rm(folder, { recursive: true, force: true });
        }
      },
    );
  },
);

/** One transaction. */
function statement(random: SeededRandom): string {
  const id = 1 + random.below(ORDERS);
  const other = 1 + random.below(ORDERS);
  const line = 1 + random.below(4);
  const big = `1844674407370955${1000 + random.below(600)}`;
  const order = `INSERT INTO docs.orders VALUES (${id}, 'n${random.below(99)}') ON DUPLICATE KEY UPDATE name = VALUES(name)`;
  const put = `REPLACE INTO docs.order_lines VALUES (${id}, ${line}, ${big}, ${random.below(1000)}.5000)`;
  const noLines = `DELETE FROM docs.order_lines WHERE order_id = ${id}`;
  const noOrder = `DELETE FROM docs.orders WHERE id = ${id}`;
  const work = [
    [order, put],
    [put, order],
    [order, `UPDATE docs.order_lines SET price = price + 1 WHERE order_id = ${id}`],
    [`DELETE FROM docs.order_lines WHERE order_id = ${id} AND line = ${line}`],
    [`UPDATE IGNORE docs.order_lines SET line = line + 10 WHERE order_id = ${id} AND line = ${line}`],
    [
      `UPDATE IGNORE docs.order_lines SET order_id = ${other} WHERE order_id = ${id} AND EXISTS (SELECT * FROM docs.orders WHERE id = ${other})`,
    ],
    [noLines, noOrder],
    [noOrder, noLines],
  ][random.below(8)] ?? [order];
  return ['START TRANSACTION', ...work, 'COMMIT'].join('; ');
}

interface Line {
  readonly order_id: number;
  readonly no: number;
  readonly big: string;
  readonly price: string;
}

async function ordersOf(source: TestServer): Promise<readonly object[]> {
  const orders = await source.query<{ id: number; name: string }>('SELECT id, name FROM docs.orders ORDER BY id');
  const lines = await source.query<Line>(
    'SELECT order_id, line AS no, CAST(big AS CHAR) AS big, CAST(price AS CHAR) AS price FROM docs.order_lines ORDER BY line',
  );
  return orders.map((order) => ({
    ...order,
    lines: lines
      .filter(({ order_id: id }) => id === order.id)
      .map(({ no, big, price }) => ({ no: `#${no}`, big: `#${big}`, price: `"${price}` })),
  }));
}

async function documentsIn(target: TestServer): Promise<readonly object[]> {
  const rows = await target.query<{ id: number; name: string | null; doc: string | null }>(
    'SELECT id, name, CONVERT(`lines` USING utf8mb4) AS doc FROM docs.orders ORDER BY id',
  );
  const numberOf = (line: unknown): number => Number((line as { readonly no: string }).no.slice(1));
  return rows.map(({ id, name, doc }) => {
    const lines = doc === null ? [] : (treeOf(doc) as readonly object[]);
    return { id, name, lines: lines.toSorted((a, b) => numberOf(a) - numberOf(b)) };
  });
}
