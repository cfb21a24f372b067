import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { cpuSecondsBetween, readProcessCpu } from '../support/process-cpu.ts';

export interface ReaderCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** What a reader answers to one `pass`; bench/README.md describes the exchange. */
export interface PassResult {
  readonly rows: number;
  readonly seconds: number;
  readonly firstRowMs: number;
  readonly idSum: number;
  readonly bodyLength: number;
  readonly latenciesUs: Latencies | null;
  /** Of the reader's process, all threads, from before it connects until its answer; null without /proc. */
  readonly cpuSeconds: number | null;
}

export interface Latencies {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

interface Message {
  readonly event: 'ready' | 'streaming' | 'result';
  readonly rows?: number;
  readonly seconds?: number;
  readonly firstRowMs?: number;
  readonly idSum?: number;
  readonly bodyLength?: number;
  readonly latenciesUs?: Latencies;
}

/** A reader that says nothing for so long has lost its way. */
const SILENCE_MAX_MS = 180_000;

/**
 * One reader in a process of its own. It waits for `pass` on its standard input, reads the workload over a new connection,
 * answers with one JSON line, and waits again. The end of its input ends it, so none outlives the bench.
 */
export class ReaderProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #messages: AsyncIterator<string>;
  #stderr = '';

  constructor({ command, args }: ReaderCommand) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.on('error', (error) => (this.#stderr += error.message));
    this.#child.stdin?.on('error', () => {}); // A reader that died is reported by the answer that does not come.
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('stdout was asked for as a pipe');
    this.#messages = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  async ready(): Promise<void> {
    await this.#next('ready');
  }

  /** One pass. `streaming` runs once the reader has its first row (latency mode only), while the reader goes on. */
  async pass({ streaming }: { readonly streaming?: () => Promise<void> } = {}): Promise<PassResult> {
    const { pid } = this.#child;
    if (pid === undefined) throw this.#failure();
    const before = readProcessCpu(pid);
    this.#child.stdin?.write('pass\n');
    let work: Promise<void> | undefined;
    if (streaming !== undefined) {
      await this.#next('streaming');
      work = streaming();
    }
    const [message] = await Promise.all([this.#next('result'), work]);
    const after = readProcessCpu(pid);
    return {
      rows: message.rows ?? 0,
      seconds: message.seconds ?? 0,
      firstRowMs: message.firstRowMs ?? 0,
      idSum: message.idSum ?? 0,
      bodyLength: message.bodyLength ?? 0,
      latenciesUs: message.latenciesUs ?? null,
      cpuSeconds: before === null || after === null ? null : cpuSecondsBetween(before, after),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await exited;
    clearTimeout(timer);
  }

  async #next(event: Message['event']): Promise<Message> {
    const timer = setTimeout(() => {
      this.#stderr += `no answer in ${SILENCE_MAX_MS / 1000} s`;
      this.#child.kill('SIGKILL');
    }, SILENCE_MAX_MS);
    try {
      const line = await this.#messages.next();
      if (line.done === true) throw this.#failure();
      const message = JSON.parse(line.value) as Message;
      if (message.event !== event) throw new Error(`the reader said ${message.event}, not ${event}`);
      return message;
    } finally {
      clearTimeout(timer);
    }
  }

  #failure(): Error {
    const lines = this.#stderr.trim().split('\n');
    const telling = lines.find((line) => /error|exception|cannot/i.test(line)) ?? lines.at(-1) ?? '';
    return new Error(telling.trim() === '' ? 'the reader ended without an answer' : telling.trim());
  }
}
