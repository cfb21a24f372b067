import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { DemoError } from './demo-error.ts';
import type { FromMember, HandedBatch, Taken } from './handed.ts';

const SCRIPT = fileURLToPath(import.meta.resolve('./member.ts'));
const STDERR_MAX = 4000;

export interface ConsumerOptions {
  readonly url: string;
  readonly stream: string;
  readonly group: string;
  /** With their database. */
  readonly tables: readonly string[];
  /** Applies the changes. False: the consumer is not to hear of it, and does not commit. */
  readonly take: (batch: HandedBatch, from: ConsumerProcess) => boolean;
  /** It has ended without having been killed. */
  readonly onFailure: (error: Error) => void;
}

/** A group's member in a process of its own, killed and started again under the same name. */
export class ConsumerProcess implements AsyncDisposable {
  readonly name: string;
  readonly #options: ConsumerOptions;
  #child: ChildProcess | null = null;
  #partitions: readonly number[] = [];
  #killed = false;

  constructor(name: string, options: ConsumerOptions) {
    this.name = name;
    this.#options = options;
  }

  /** What it has by its own account. */
  get partitions(): readonly number[] {
    return this.#partitions;
  }

  start(): void {
    const { url, stream, group, tables, take, onFailure } = this.#options;
    // A session of its own: at Ctrl-C the demo decides what happens to it. It ends by itself when the demo is gone.
    const child = fork(SCRIPT, [url, stream, group, this.name, ...tables], {
      detached: true,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    this.#killed = false;
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_MAX);
    });
    child.on('message', (message: FromMember) => {
      // What is still in the pipe of a dead one was never handed over: it comes again.
      if (this.#killed) return;
      if (message.type === 'partitions') this.#partitions = message.partitions;
      else if (take(message, this)) child.send({ type: 'taken', number: message.number } satisfies Taken, () => {});
    });
    child.on('error', onFailure);
    child.on('close', () => {
      if (!this.#killed) onFailure(new DemoError(`Consumer ${this.name} has ended by itself:\n${stderr.trim()}`));
    });
  }

  /** SIGKILL; resolves when it is dead. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#killed = true;
    this.#partitions = [];
    if (child === null || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
