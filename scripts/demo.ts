/**
 * `npm run demo`: a throwaway MariaDB, a small shop at work, Tidings following it, and the proof that nothing was lost on the way:
 * the rows that follow from the changes alone are exactly those that SELECT shows.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Connection } from 'mysql2/promise';
import type { Row } from '../src/core/change.ts';
import { isTidingsError } from '../src/core/errors.ts';
import { MysqlSource } from '../src/sources/mysql/mysql-source.ts';
import { CACHE_FOLDER } from '../test/support/servers/installation.ts';
import { startServer } from '../test/support/servers/start-server.ts';
import type { TestServer } from '../test/support/servers/test-server.ts';
import { type Comparison, compareTable } from './demo/compare.ts';
import { Follower } from './demo/follower.ts';
import { LagMeter } from './demo/lag-meter.ts';
import { Replica } from './demo/replica.ts';
import { Screen } from './demo/screen.ts';
import { SHOP_TABLES, SHOP_TABLE_NAMES } from './demo/shop.ts';
import { ShopLoad } from './demo/shop-load.ts';

const CLIENTS = 4;
const DRAIN_MAX_MS = 15_000;
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

const screen = new Screen(process.stdout, process.env);
const paint = screen.paint.bind(screen);

/** Ends as soon as it is told to; whatever was started is gone then. */
async function demo(seconds: number, signal: AbortSignal): Promise<boolean> {
  screen.line(`\n${paint('bold', 'Tidings demo')}: follows a database and proves that it missed nothing\n`);
  await prepare(signal);
  await using cleanup = new AsyncDisposableStack();
  const server = cleanup.use(await startServer('mariadb'));
  signal.throwIfAborted();
  const database = await makeShop(server, cleanup);
  const where = server.owned ? `started for this demo on 127.0.0.1:${server.port}, removed afterwards` : server.host;
  screen.line(`  ${paint('dim', 'server')}   MariaDB ${server.version}, ${where}`);

  const url = new URL(server.url);
  url.pathname = `/${database}`;
  const source = new MysqlSource({ url: url.href });
  cleanup.defer(() => source.close());
  const replica = new Replica();
  const lag = new LagMeter();
  const follower = new Follower(source, { replica, lag });
  const start = await source.ready();
  screen.line(`  ${paint('dim', 'follows')}  from ${String(start)} on, with the server's default settings`);
  screen.line(
    `  ${paint('dim', 'load')}     ${CLIENTS} clients of a small shop for ${seconds} s, an ALTER TABLE half-way\n`,
  );

  const client = async (): Promise<Connection> => {
    const connection = await server.connection({ database, dateStrings: true });
    cleanup.defer(() => connection.destroy());
    return connection;
  };
  const connections = await Promise.all(Array.from({ length: CLIENTS }, client));
  const admin = await client();
  for (const table of SHOP_TABLES) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await admin.query(table);
  }
  const load = new ShopLoad({ connections, onCommit: (order) => lag.sent(order) });
  await load.open();
  await runLoad(load, {
    seconds,
    admin,
    signal,
    live: () => liveLine(replica, lag, follower),
    failed: follower.finished,
  });

  const stoppedMs = performance.now();
  const end = await endOfBinlog(server);
  await withinDrainTime(follower.reached(end), signal);
  const drainedMs = performance.now() - stoppedMs;
  signal.throwIfAborted();
  const total = lag.total();
  screen.line(
    `  ${number(load.commits)} transactions committed, ${number(load.rollbacks)} rolled back; ` +
      `${number(replica.changes)} changes and ${replica.schemaChanges} schema changes followed.`,
  );
  if (total !== null) {
    screen.line(
      `  Lag from sending COMMIT to the callback: ${ms(total.medianMs)} in the middle, ${ms(total.maxMs)} at most. ` +
        `The last change was there ${ms(drainedMs)} after the load had stopped.`,
    );
  }
  return prove(await compare(admin, replica));
}

/** Finds or fetches the server. In a process group of its own, so that an interrupted download ends with all its helpers. */
async function prepare(signal: AbortSignal): Promise<void> {
  const script = fileURLToPath(import.meta.resolve('./demo/prepare.ts'));
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
    // oxlint-disable-next-line no-await-in-loop -- two folders
    const names = await readdir(folder).catch(() => []);
    const ours = names.filter((name) => name.endsWith(`.partial-${pid}`));
    // oxlint-disable-next-line no-await-in-loop
    await Promise.all(ours.map((name) => rm(join(folder, name), { recursive: true, force: true })));
  }
}

/** A database of its own also on a server that was there before. */
async function makeShop(server: TestServer, cleanup: AsyncDisposableStack): Promise<string> {
  const database = server.owned ? 'shop' : `tidings_demo_${process.pid}`;
  await server.query(`CREATE DATABASE ${database} CHARACTER SET utf8mb4`);
  if (!server.owned) {
    cleanup.defer(async () => {
      await server.query(`DROP DATABASE ${database}`);
    });
  }
  return database;
}

interface LoadRun {
  readonly seconds: number;
  readonly admin: Connection;
  readonly signal: AbortSignal;
  readonly live: () => () => void;
  /** Rejects when following has failed, which ends the load, too. */
  readonly failed: Promise<void>;
}

async function runLoad(load: ShopLoad, { seconds, admin, signal, live, failed }: LoadRun): Promise<void> {
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  failed.catch(() => ended.abort());
  const show = live();
  const ticker = setInterval(show, screen.isTerminal ? 500 : 1000);
  const running = load.run(both).finally(() => ended.abort());
  try {
    await sleep((seconds * 1000) / 2, undefined, { signal: both }).catch(() => undefined);
    if (!both.aborted) await load.migrate(admin);
    await sleep((seconds * 1000) / 2, undefined, { signal: both }).catch(() => undefined);
  } finally {
    ended.abort();
    clearInterval(ticker);
    await running;
    screen.endLive();
  }
  signal.throwIfAborted();
  screen.line();
}

/** Returns what prints the line: rates since it was printed last. */
function liveLine(replica: Replica, lag: LagMeter, follower: Follower): () => void {
  const startedMs = performance.now();
  let last = { atMs: startedMs, changes: replica.changes, transactions: replica.transactions };
  return () => {
    const atMs = performance.now();
    const seconds = (atMs - last.atMs) / 1000;
    const rate = (now: number, before: number): string => number(Math.round((now - before) / seconds)).padStart(6);
    const { medianMs, maxMs } = lag.take() ?? { medianMs: 0, maxMs: 0 };
    const clock = `${((atMs - startedMs) / 1000).toFixed(0).padStart(3)} s`;
    screen.live(
      `  ${paint('dim', clock)} ${paint('cyan', rate(replica.changes, last.changes))} changes/s ` +
        `${rate(replica.transactions, last.transactions)} tx/s   lag ${ms(medianMs)} ${paint('dim', `(max ${ms(maxMs)})`)}` +
        `   at ${String(follower.position ?? 'start')}`,
    );
    last = { atMs, changes: replica.changes, transactions: replica.transactions };
  };
}

async function endOfBinlog(server: TestServer): Promise<{ file: string; offset: number }> {
  const [row] = await server.query<{ File: string; Position: number }>('SHOW MASTER STATUS');
  return { file: row?.File ?? '', offset: row?.Position ?? 0 };
}

async function withinDrainTime(reached: Promise<void>, signal: AbortSignal): Promise<void> {
  const timer = new AbortController();
  const tooLong = sleep(DRAIN_MAX_MS, undefined, { signal: AbortSignal.any([signal, timer.signal]) }).then(
    () => {
      throw new DemoError(`Tidings had not caught up ${DRAIN_MAX_MS / 1000} s after the load had stopped.`);
    },
    () => undefined,
  );
  try {
    await Promise.race([reached, tooLong]);
  } finally {
    timer.abort();
  }
}

/** The rows as the server shows them now, through an ordinary client, against those that the changes alone have led to. */
async function compare(connection: Connection, replica: Replica): Promise<readonly Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const table of SHOP_TABLE_NAMES) {
    // oxlint-disable-next-line no-await-in-loop -- one connection
    const [rows] = await connection.query(`SELECT * FROM ${table}`);
    // oxlint-disable-next-line no-await-in-loop
    const [keys] = await connection.query(`SHOW KEYS FROM ${table} WHERE Key_name = 'PRIMARY'`);
    const key = (keys as { Column_name: string }[]).map(({ Column_name: column }) => column);
    comparisons.push(compareTable(table, { replica: replica.table(table), selected: rows as Row[], key }));
  }
  return comparisons;
}

function prove(comparisons: readonly Comparison[]): boolean {
  const heads = ['table', 'rows by SELECT', 'changes replayed', 'identical'].map((text) => paint('dim', text));
  const verdict = (identical: boolean): string => (identical ? paint('green', 'yes') : paint('red', 'no'));
  screen.line();
  screen.table([
    heads,
    ...comparisons.map(({ table, rows, changes, identical }) => [
      table,
      number(rows),
      number(changes),
      verdict(identical),
    ]),
  ]);
  screen.line();
  const different = comparisons.filter(({ identical }) => !identical);
  for (const { table, differences } of different) {
    for (const difference of differences) screen.line(`  ${paint('red', table)}: ${difference}`);
  }
  if (different.length > 0) {
    screen.line(
      `\n  ${paint('red', 'Not proved')}: the changes do not lead to the rows that SELECT shows. Please report this.`,
    );
    return false;
  }
  const rows = comparisons.reduce((sum, comparison) => sum + comparison.rows, 0);
  screen.line(
    `  ${paint('green', 'Proved')}: replaying the changes gives all ${number(rows)} rows, equal in every value.`,
  );
  return true;
}

function goOn(): void {
  screen.line(`
  ${paint('bold', 'Go on')} with your own server:

    npm run -s tidings -- doctor mysql://user:password@host/shop    what it lacks, with the statements that cure it
    npm run -s tidings -- tail mysql://user:password@host/shop      its changes, one per line
    docs/reference/cli.md, docs/concepts/events.md                  all options; named events in your own code
`);
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

/** Something that is no defect of ours: its message is all there is to say. */
class DemoError extends Error {}

function parseSeconds(): number | null {
  try {
    const { values } = parseArgs({ options: { seconds: { type: 'string', default: '10' } } });
    const seconds = Number(values.seconds);
    return Number.isFinite(seconds) && seconds >= 1 && seconds <= 3600 ? seconds : null;
  } catch {
    return null;
  }
}

const seconds = parseSeconds();
const stop = new AbortController();
let interruptedWith: number | null = null;
for (const [signal, code] of Object.entries(SIGNALS)) {
  process.on(signal, () => {
    // The second one does not wait: the server's watchdog cleans up in any case.
    if (interruptedWith !== null) process.exit(code);
    interruptedWith = code;
    stop.abort();
  });
}
if (seconds === null) {
  console.error('Usage: npm run demo [-- --seconds 10]');
  process.exitCode = 2;
} else {
  try {
    const proved = await demo(seconds, stop.signal);
    if (proved) goOn();
    process.exitCode = proved ? 0 : 1;
  } catch (error) {
    screen.endLive();
    if (interruptedWith === null) {
      process.exitCode = 1;
      if (error instanceof DemoError) console.error(error.message);
      else if (isTidingsError(error)) console.error(`error ${error.code}: ${error.message}\n${error.hint}`);
      else console.error(error);
    }
  }
  if (interruptedWith !== null) {
    console.error('Stopped; nothing was left behind.');
    process.exitCode = interruptedWith;
  }
}
