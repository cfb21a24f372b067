import { expect } from 'vitest';
import type { TestServer } from '../servers/test-server.ts';
import type { RunningRelay, RunningRelayOptions } from './running-relay.ts';

const PATIENTLY = { timeout: 20_000 };

/** A relay that follows the tables of `makeShop`. */
export function shop(server: TestServer, directory: string, changes: object = {}): RunningRelayOptions {
  const stream = { source: { url: server.url, tables: ['shop.*'] }, log: { segmentBytes: 256 * 1024 }, ...changes };
  return { directory, streams: { shop: stream } };
}

/** `shop.orders` and `shop.lines`, with so many rows each. */
export async function makeShop(server: TestServer, rows: number): Promise<void> {
  await server.query(`DROP DATABASE IF EXISTS shop; CREATE DATABASE shop;
    CREATE TABLE shop.orders (id INT PRIMARY KEY, v INT NOT NULL, pad VARCHAR(100) NOT NULL);
    CREATE TABLE shop.lines (id VARCHAR(20) PRIMARY KEY, v INT NOT NULL)`);
  await insert(
    server,
    'orders',
    Array.from({ length: rows }, (_, i) => `(${i}, ${i}, REPEAT('x', 50))`),
  );
  await insert(
    server,
    'lines',
    Array.from({ length: rows }, (_, i) => `('line ${i}', ${i})`),
  );
}

export async function insert(server: TestServer, table: string, values: readonly string[]): Promise<void> {
  await server.query(`INSERT INTO shop.${table} VALUES ${values.join()}`);
}

/** What SELECT shows, as `TableCopy` has it. */
export async function selected(server: TestServer, tables: readonly string[] = ['orders', 'lines']): Promise<string[]> {
  const lines: string[] = [];
  for (const table of tables) {
    for (const { id, ...rest } of await server.query(`SELECT * FROM shop.${table}`)) {
      lines.push(`${table} ${String(id)}: ${Object.values(rest).map(String).join(' ')}`);
    }
  }
  return lines.toSorted();
}

/** Resolves when the snapshot has come to its end, and to a good one. */
export async function over(relay: RunningRelay, id = 1): Promise<void> {
  const state = (): string | undefined => relay.stream('shop').snapshots.get(id)?.state;
  await expect.poll(state, PATIENTLY).toMatch(/^(done|failed)$/);
  expect(relay.stream('shop').snapshots.get(id)).toMatchObject({ state: 'done', error: null });
}
