import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { cpuSecondsBetween, type CpuReading, readProcessCpu } from './process-cpu.ts';

/** A child that says nothing for so long has lost its way. */
const SILENCE_MAX_MS = 300_000;

/** A process of the bench: told lines on its standard input, it answers with lines of JSON. The end of its input ends it. */
export class Child implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #stderr = '';

  constructor(script: string, args: readonly string[]) {
    this.#child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdin, stdout, stderr } = this.#child;
    stdin?.on('error', () => {}); // A child that died is reported by the answer that does not come.
    stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    if (stdout === null) throw new Error('stdout was asked for as a pipe');
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the process did not start');
    return this.#child.pid;
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async answer<T extends { readonly event: string }>(event: T['event']): Promise<T> {
    const timer = setTimeout(() => {
      this.#stderr += `\nerror: no answer in ${SILENCE_MAX_MS / 1000} s`;
      this.#child.kill('SIGKILL');
    }, SILENCE_MAX_MS);
    try {
      const line = await this.#lines.next();
      if (line.done === true) throw new Error(`a process of the bench ended without an answer: ${this.#stderr.trim()}`);
      const message = JSON.parse(line.value) as T;
      if (message.event !== event) throw new Error(`the process said ${message.event}, not ${event}`);
      return message;
    } finally {
      clearTimeout(timer);
    }
  }

  cpu(): CpuReading | null {
    return readProcessCpu(this.pid);
  }

  /** CPU seconds of all threads since a reading; NaN without /proc. */
  cpuSince(before: CpuReading | null): number {
    const after = this.cpu();
    return before === null || after === null ? Number.NaN : cpuSecondsBetween(before, after);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 20_000);
    await exited;
    clearTimeout(timer);
  }
}
