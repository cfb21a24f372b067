import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { addBacklog, measureTailLatency, medianP99Ms, prepareIsolation } from '../../test/support/relay/isolation.ts';
import type { BenchServer } from '../support/bench-server.ts';
import { Child } from '../support/child.ts';
import { note, timed } from '../support/progress.ts';

export interface IsolationBenchOptions {
  readonly server: Pick<BenchServer, 'url' | 'connection'>;
  /** Under which the relay reads. */
  readonly serverId: number;
  /** Pairs of windows, without and with the troublemakers. @default 10 */
  readonly rounds?: number;
  /** @default 4 */
  readonly windowSeconds?: number;
  /** Single-row transactions per second. @default 500 */
  readonly rate?: number;
  /** Rows of 300 bytes that the consumer far behind has before it. @default 500_000 */
  readonly backlogRows?: number;
}

export interface IsolationFigures {
  /** Commit → consumer of the 17 consumers at the tail, the median of the windows' p99s, in ms. */
  readonly aloneP99Ms: number;
  /** The same while two consumers do not read, one fails all the time, and one catches up through a filter. */
  readonly togetherP99Ms: number;
  /** How much higher the second is: 0.2 is the limit. */
  readonly increase: number;
  /** One line for the report. */
  readonly line: string;
}

/**
 * What consumers that stopped, fail or are far behind do to the others. Starts a relay of its own on the server's tables `isolation.*`,
 * which it makes anew.
 *
 * @throws when a consumer at the tail missed a row or got one twice
 */
export async function measureIsolation(options: IsolationBenchOptions): Promise<IsolationFigures> {
  const { server, serverId, rounds = 10, windowSeconds = 4, rate = 500, backlogRows = 500_000 } = options;
  const { connection } = server;
  await prepareIsolation(connection, 0);
  const folder = join(import.meta.dirname, '..', '..', '.cache', 'bench');
  await mkdir(folder, { recursive: true });
  const data = await mkdtemp(join(folder, 'isolation-'));
  try {
    const told = { data, url: server.url, table: 'isolation.*', 'server-id': serverId };
    const args = Object.entries(told).flatMap(([name, value]) => [`--${name}`, String(value)]);
    await using relay = new Child(fileURLToPath(new URL('./relay-process.ts', import.meta.url)), args);
    relay.tell('isolation');
    const { url } = await relay.answer<{ readonly event: 'opened'; readonly url: string }>('opened');
    relay.tell('go');
    await positioned(url);
    await timed(`writing ${backlogRows} rows to catch up on`, () => addBacklog(connection, backlogRows));
    note(`${rounds} windows of ${windowSeconds} s without and with consumers that misbehave`);
    const result = await measureTailLatency({
      connection,
      url,
      stream: 'isolation',
      rounds,
      windowMs: windowSeconds * 1000,
      rate,
    });
    const [wrong] = result.wrong;
    if (wrong !== undefined) throw new Error(`wrong: ${wrong}`);
    const aloneP99Ms = medianP99Ms(result.without);
    const togetherP99Ms = medianP99Ms(result.with);
    const increase = togetherP99Ms / aloneP99Ms - 1;
    const line =
      `17 consumers at the tail, ${rate} tx/s, p99 of commit → consumer: ${aloneP99Ms.toFixed(2)} ms alone, ` +
      `${togetherP99Ms.toFixed(2)} ms beside two that do not read, one that fails (${result.failures} times) and one ` +
      `that catches up through a filter: ${increase < 0 ? '' : '+'}${(increase * 100).toFixed(0)} % (at most +20 %)`;
    return { aloneP99Ms, togetherP99Ms, increase, line };
  } finally {
    await rm(data, { recursive: true, force: true });
    await connection.query('DROP DATABASE IF EXISTS isolation');
  }
}

/** Resolves when the stream has a position: from then on no commit is missed. */
async function positioned(url: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${url}/v1/streams/isolation`);
    const { position } = (await answer.json()) as { readonly position: string | null };
    if (position !== null) return;
    await sleep(20);
  }
}
