import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { COMPILE_CACHE } from './cli-process.ts';

export interface WritingProcessOptions {
  /** What TIDINGS_FAILPOINTS holds. */
  readonly failpoints?: string | undefined;
  /** The most bytes that a file may have, in KiB, until the limit is raised. */
  readonly fileKib?: number | undefined;
}

/** A process that writes something durable, and what it has told so far, line by line. */
export class WritingProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #output = '';
  #errors = '';
  #ended = false;
  readonly #watchers: Set<() => void> = new Set();

  /** @param script a file for Node, and its arguments */
  constructor(script: readonly string[], { failpoints = '', fileKib }: WritingProcessOptions) {
    const command = [process.execPath, ...script];
    const env = { PATH: process.env['PATH'], NODE_COMPILE_CACHE: COMPILE_CACHE, TIDINGS_FAILPOINTS: failpoints };
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
  until(holds: (writer: this) => boolean): Promise<void> {
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
