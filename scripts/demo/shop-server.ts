import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Connection } from 'mysql2/promise';
import type { Row } from '../../src/core/change.ts';
import { CACHE_FOLDER } from '../../test/support/servers/installation.ts';
import type { TestServer } from '../../test/support/servers/test-server.ts';
import { type Comparison, compareTable } from './compare.ts';
import { DemoError } from './demo-error.ts';
import type { Replica } from './replica.ts';
import { SHOP_TABLE_NAMES } from './shop.ts';

/** Finds or fetches the server. In a process group of its own, so that an interrupted download ends with all its helpers. */
export async function prepareServer(signal: AbortSignal): Promise<void> {
  const script = fileURLToPath(import.meta.resolve('./prepare.ts'));
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 2, 2], detached: true });
  const { pid } = child;
  const kill = (): void => {
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  };
  signal.addEventListener('abort', kill);
  const [code] = (await once(child, 'exit')) as [number | null];
  signal.removeEventListener('abort', kill);
  if (signal.aborted) await removePartial(pid ?? 0);
  signal.throwIfAborted();
  if (code !== 0) throw new DemoError('There is no server to run the demo with; see above for what to do.');
}

/** What an interrupted download or initialisation has left in the project's cache. */
async function removePartial(pid: number): Promise<void> {
  for (const folder of [CACHE_FOLDER, join(CACHE_FOLDER, 'templates')]) {
    const names = await readdir(folder).catch(() => []);
    const ours = names.filter((name) => name.endsWith(`.partial-${pid}`));
    await Promise.all(ours.map((name) => rm(join(folder, name), { recursive: true, force: true })));
  }
}

/** A database of its own also on a server that was there before. */
export async function makeDatabase(server: TestServer, cleanup: AsyncDisposableStack): Promise<string> {
  const database = server.owned ? 'shop' : `tidings_demo_${process.pid}`;
  await server.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
  if (!server.owned) {
    cleanup.defer(async () => {
      await server.query(`DROP DATABASE ${database}`);
    });
  }
  return database;
}

/**
 * The rows as the server shows them now, through an ordinary client, against those that snapshot and changes alone have led to.
 *
 * @param snapshotEnd an SCN at or behind the last row of the snapshot
 */
export async function compareTables(
  connection: Connection,
  replica: Replica,
  { snapshotEnd }: { readonly snapshotEnd: number },
): Promise<readonly Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const table of SHOP_TABLE_NAMES) {
    const [rows] = await connection.query(`SELECT * FROM ${table}`);
    const [keys] = await connection.query(`SHOW KEYS FROM ${table} WHERE Key_name = 'PRIMARY'`);
    const key = (keys as { Column_name: string }[]).map(({ Column_name: column }) => column);
    comparisons.push(compareTable(table, { replica: replica.table(table), selected: rows as Row[], key, snapshotEnd }));
  }
  return comparisons;
}
