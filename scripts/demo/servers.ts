import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FLAVOURS, type ServerFlavour } from '../../test/support/servers/flavour.ts';
import { CACHE_FOLDER, isAtHand } from '../../test/support/servers/installation.ts';
import { startServer } from '../../test/support/servers/start-server.ts';
import type { TestServer } from '../../test/support/servers/test-server.ts';
import { DemoError } from './demo-error.ts';

/** A server, and the database on it that is the demo's own. */
export interface Place {
  readonly server: TestServer;
  readonly database: string;
}

export interface Places {
  /** Has the shop. */
  readonly source: Place;
  /** Gets the copy of it. */
  readonly target: Place;
}

/**
 * Starts both servers; they go with the clean-up. The copy goes to MySQL where there is one, else to a second MariaDB: nothing is downloaded
 * that can be done without.
 */
export async function startPlaces(signal: AbortSignal, cleanup: AsyncDisposableStack): Promise<Places> {
  const target = (await isAtHand('mysql')) ? 'mysql' : 'mariadb';
  await prepare(target === 'mariadb' ? ['mariadb'] : ['mariadb', 'mysql'], signal);
  const servers = (['mariadb', target] as const).map((flavour) => startServer(flavour));
  for (const server of servers) {
    cleanup.defer(async () => {
      await (await server.catch(() => null))?.stop();
    });
  }
  const [shop, copy] = (await Promise.all(servers)) as [TestServer, TestServer];
  signal.throwIfAborted();
  return {
    source: { server: shop, database: await makeDatabase(shop, { name: 'shop', cleanup }) },
    target: { server: copy, database: await makeDatabase(copy, { name: 'shop_copy', cleanup }) },
  };
}

/** As a headline has it. */
export function describePlace({ server, database }: Place): string {
  const where = server.owned ? `started for this demo on 127.0.0.1:${server.port}` : `${server.host}, in ${database}`;
  return `${productOf(server)} ${server.version}, ${where}`;
}

export function productOf({ flavour }: TestServer): string {
  return FLAVOURS[flavour].label;
}

/** The place as a configuration names it. */
export function urlOf({ server, database }: Place): string {
  const url = new URL(server.url);
  url.pathname = `/${database}`;
  return url.href;
}

/** Finds or fetches the servers. In a process group of its own, so that an interrupted download ends with all its helpers. */
async function prepare(flavours: readonly ServerFlavour[], signal: AbortSignal): Promise<void> {
  const script = fileURLToPath(import.meta.resolve('./prepare.ts'));
  const child = spawn(process.execPath, [script, ...flavours], { stdio: ['ignore', 2, 2], detached: true });
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
async function makeDatabase(
  server: TestServer,
  { name, cleanup }: { readonly name: string; readonly cleanup: AsyncDisposableStack },
): Promise<string> {
  const database = server.owned ? name : `tidings_demo_${process.pid}_${name}`;
  await server.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
  if (!server.owned) {
    cleanup.defer(async () => {
      await server.query(`DROP DATABASE ${database}`);
    });
  }
  return database;
}
