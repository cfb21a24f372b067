import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
/** The tests start the command a few hundred times: compiling it once is enough. */
export const COMPILE_CACHE: string = resolve(import.meta.dirname, '../../.cache/compiled');

export interface CliExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface CliProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** @default that of the tests */
  readonly cwd?: string | undefined;
  /** Does not read stdout, so that its pipe fills up. */
  readonly stalled?: boolean;
  /** Of the user whom it runs as, for whoever may say so. */
  readonly uid?: number | undefined;
}

/** The real command, as its own process. Ends it when it is disposed of. */
export class CliProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exit: Promise<CliExit>;
  readonly #watchers: Set<() => void> = new Set();
  #ended = false;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], { env = {}, cwd, stalled = false, uid }: CliProcessOptions = {}) {
    this.#child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: COMPILE_CACHE, ...env },
      ...(cwd === undefined ? {} : { cwd }),
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    if (!stalled) this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#take('stdout', text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#take('stderr', text));
    const settled = stalled ? 'exit' : 'close'; // 'close' waits until all of the output was read.
    this.#exit = once(this.#child, settled).then(([code, signal]) => {
      this.#ended = true;
      this.#wake();
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
  }

  get lines(): string[] {
    return this.stdout.split('\n').slice(0, -1);
  }

  get json(): Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** The position that the last run reported at its end. */
  get resumePosition(): string {
    const reported = this.stderr
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { message: string; position?: string })
      .findLast(({ message }) => message.startsWith('stopped'));
    if (reported?.position === undefined) throw new Error(`no position in stderr:\n${this.stderr}`);
    return reported.position;
  }

  exit(): Promise<CliExit> {
    return this.#exit;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when the first bytes of its output have arrived; reads none of them. */
  async stdoutStarted(): Promise<void> {
    if (this.#child.stdout !== null) await once(this.#child.stdout, 'readable');
  }

  /** Closes the reading end of its stdout, as `head` does. */
  closeStdout(): void {
    this.#child.stdout?.destroy();
  }

  /** The same of its stderr, which is where its log goes. */
  closeStderr(): void {
    this.#child.stderr?.destroy();
  }

  /** Resolves once the condition holds; rejects when the process ended before. */
  async until(condition: (cli: CliProcess) => boolean): Promise<void> {
    while (!condition(this)) {
      if (this.#ended) throw new Error(`the command ended too early:\n${this.stdout}\n${this.stderr}`);
      const { promise, resolve: wake } = Promise.withResolvers<void>();
      this.#watchers.add(wake);
      await promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#child.kill('SIGKILL');
    this.#child.stdout?.destroy();
    await this.#exit;
  }

  #take(stream: 'stdout' | 'stderr', text: string): void {
    this[stream] += text;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#watchers) wake();
    this.#watchers.clear();
  }
}

/** Runs the command to its end. */
export async function runCommand(
  args: readonly string[],
  options: CliProcessOptions = {},
): Promise<CliProcess & CliExit> {
  await using cli = new CliProcess(args, options);
  return Object.assign(cli, await cli.exit());
}
