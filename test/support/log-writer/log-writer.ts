import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { silentLogger } from '../../../src/core/logger.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { FileLog } from '../../../src/relay/log/file-log.ts';
import { type Item, numberOf, PARTITIONS, readItems } from '../log-harness.ts';

const PROCESS = resolve(import.meta.dirname, 'process.ts');

export interface LogWriterOptions {
  readonly upTo: number;
  readonly failpoints?: string;
  readonly segmentBytes?: number;
  readonly compression?: 'none' | 'zstd';
  /** The most bytes that a file may have, in KiB, until `raiseLimit`. */
  readonly fileKib?: number;
}

/** A process that writes a log, and what it has told so far. */
export class LogWriter implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #output = '';
  #errors = '';
  #ended = false;
  readonly #watchers: Set<() => void> = new Set();

  constructor(
    directory: string,
    { upTo, failpoints = '', segmentBytes = 100_000, compression = 'none', fileKib }: LogWriterOptions,
  ) {
    const command = [process.execPath, PROCESS, directory, String(upTo), String(segmentBytes), compression];
    const env = { PATH: process.env['PATH'], TIDINGS_FAILPOINTS: failpoints };
    // A soft limit, so that it can be raised again.
    const limited = ['bash', '-c', 'ulimit -S -f "$0"; exec "$@"', String(fileKib), ...command];
    const [program = '', ...args] = fileKib === undefined ? command : limited;
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      for (const watcher of this.#watchers) watcher();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    this.#exit = once(this.#child, 'close').then(([code, signal]) => {
      this.#ended = true;
      for (const watcher of this.#watchers) watcher();
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get lines(): string[] {
    return this.#output.split('\n').slice(0, -1);
  }

  /** The last transaction that it has told to be durable. */
  get durable(): number {
    const line = this.lines.findLast((text) => text.startsWith('durable '));
    return line === undefined ? 0 : Number(line.slice('durable '.length));
  }

  get errors(): string {
    return this.#errors;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  exit(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return this.#exit;
  }

  /** Resolves as soon as the condition holds. */
  until(holds: (writer: LogWriter) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (holds(this)) resolve();
        else if (this.#ended) reject(new Error(`the writer ended:\n${this.#output}${this.#errors}`));
        else return;
        this.#watchers.delete(look);
      };
      this.#watchers.add(look);
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.kill();
    await this.#exit;
  }
}

/** What is in a log, as a relay finds it when it starts. */
export async function contentsOf(directory: string): Promise<{ items: Item[]; position: number; firstScn: number }> {
  const log = await FileLog.open({
    directory,
    name: 'shop',
    partitions: PARTITIONS,
    options: {},
    clock: systemClock,
    log: silentLogger,
  });
  const { after } = log.visible;
  const items = await readItems(log, log.openReader(after), after);
  const { position, createdMs } = log;
  await log.close();
  return { items, position: numberOf(position ?? 'p0'), firstScn: createdMs * 1000 };
}
