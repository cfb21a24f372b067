import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { COMPILE_CACHE } from '../cli-process.ts';
import type { IsolationAnswer, IsolationRequest, WindowLatency } from './isolation-messages.ts';

/** Something that statements can be sent to; several at once need not be allowed. */
export interface SqlConnection {
  query(sql: string): Promise<unknown>;
}

export interface IsolationOptions {
  /** To the source's server. Used for the load alone while the measurement runs. */
  readonly connection: SqlConnection;
  /** Of the relay, and the stream of the source with (at least) the tables `isolation.*`. */
  readonly url: string;
  readonly stream: string;
  /** @default 17 */
  readonly tailConsumers?: number;
  /** Pairs of windows, one without and one with the troublemakers each. @default 5 */
  readonly rounds?: number;
  /** How long a window is. @default 2000 */
  readonly windowMs?: number;
  /** Single-row transactions per second during a window. @default 100 */
  readonly rate?: number;
}

export interface IsolationResult {
  readonly without: readonly WindowLatency[];
  readonly with: readonly WindowLatency[];
  /** Of all the troublemakers' windows together: how often the failing consumer failed, and what the one far behind was sent. */
  readonly failures: number;
  readonly catchUpBytes: number;
  /** Empty when each tail consumer got each row once and in order. */
  readonly wrong: readonly string[];
}

/** Not measured: connections are made, functions compiled. */
const SETTLE_MS = 400;
const MEASURED_FROM = 1;

/** The tables of the measurement, and what the consumer far behind has to catch up on. @param rows of about 300 bytes */
export async function prepareIsolation(connection: SqlConnection, rows: number): Promise<void> {
  await connection.query('DROP DATABASE IF EXISTS isolation');
  await connection.query('CREATE DATABASE isolation');
  await connection.query(
    'CREATE TABLE isolation.probe (id INT PRIMARY KEY, window_no INT NOT NULL, sent BIGINT NOT NULL) ENGINE=InnoDB',
  );
  await connection.query(
    'CREATE TABLE isolation.backlog (id INT PRIMARY KEY AUTO_INCREMENT, body VARCHAR(400) NOT NULL) ENGINE=InnoDB',
  );
  await addBacklog(connection, rows);
}

/** Further rows of about 300 bytes, in transactions of a thousand. */
export async function addBacklog(connection: SqlConnection, rows: number): Promise<void> {
  const filling = 'x'.repeat(280);
  const values = Array.from({ length: 1000 }, (_, i) => `('${filling}${i % 100 === 0 ? 'needle' : i}')`).join();
  for (let written = 0; written < rows; written += 1000) {
    await connection.query(`INSERT INTO isolation.backlog (body) VALUES ${values}`);
  }
}

/**
 * Commit → consumer of the consumers at the end of a stream, with and without others that misbehave (`troublemakers.ts`), in windows that
 * take turns: whatever else the machine does meets both alike.
 */
export async function measureTailLatency(options: IsolationOptions): Promise<IsolationResult> {
  const { connection, url, stream, tailConsumers = 17, rounds = 5, windowMs = 2000, rate = 100 } = options;
  let id = 0;
  const insert = (window: number): Promise<unknown> => {
    const sent = process.hrtime.bigint() / 1000n;
    return connection.query(`INSERT INTO isolation.probe VALUES (${++id}, ${window}, ${sent})`);
  };
  const load = async (window: number, durationMs: number): Promise<void> => {
    const startMs = performance.now();
    for (let n = 0; ; n++) {
      const dueMs = startMs + (n * 1000) / rate;
      if (dueMs >= startMs + durationMs) return;
      await sleep(Math.max(0, dueMs - performance.now()));
      await insert(window);
    }
  };

  await insert(0);
  await using tail = new IsolationProcess('tail-consumers.ts', [url, stream, String(tailConsumers)]);
  await tail.answer('ready');
  await using troublemakers = new IsolationProcess('troublemakers.ts', [url, stream]);
  await troublemakers.answer('ready');

  const result = {
    without: [] as WindowLatency[],
    with: [] as WindowLatency[],
    failures: 0,
    catchUpBytes: 0,
    wrong: tail.wrong,
  };
  const measure = async (window: number): Promise<WindowLatency> => {
    await load(0, SETTLE_MS);
    await load(window, windowMs);
    tail.tell({ kind: 'window', window, lastId: id });
    const { p50Ms, p99Ms, samples } = await tail.answer('window');
    return { p50Ms, p99Ms, samples };
  };
  for (let round = 0; round < rounds; round++) {
    const window = MEASURED_FROM + round * 2;
    result.without.push(await measure(window));
    troublemakers.tell({ kind: 'start' });
    await troublemakers.answer('ready');
    result.with.push(await measure(window + 1));
    troublemakers.tell({ kind: 'stop' });
    const { failures, catchUpBytes } = await troublemakers.answer('trouble');
    result.failures += failures;
    result.catchUpBytes += catchUpBytes;
  }
  return result;
}

/** The middle one of the windows' p99s: a window in which the machine did something else does not count. */
export function medianP99Ms(windows: readonly WindowLatency[]): number {
  const sorted = windows.map(({ p99Ms }) => p99Ms).toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** A consumer process: told lines of JSON on its standard input, it answers with such. The end of its input ends it. */
class IsolationProcess implements AsyncDisposable {
  readonly wrong: string[] = [];
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #stderr = '';

  constructor(script: string, args: readonly string[]) {
    this.#child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
      stdio: 'pipe',
      env: { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE },
    });
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('stdout was asked for as a pipe');
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  tell(request: IsolationRequest): void {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
  }

  async answer<K extends IsolationAnswer['kind']>(kind: K): Promise<Extract<IsolationAnswer, { readonly kind: K }>> {
    for (;;) {
      const line = await this.#lines.next();
      if (line.done === true) throw new Error(`a consumer process ended: ${this.#stderr.trim()}`);
      const answer = JSON.parse(line.value) as IsolationAnswer;
      if (answer.kind === 'wrong') this.wrong.push(answer.what);
      else if (answer.kind === kind) return answer as Extract<IsolationAnswer, { readonly kind: K }>;
      else throw new Error(`a consumer process said ${answer.kind} instead of ${kind}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(timer);
  }
}
