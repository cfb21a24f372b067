import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { COMPILE_CACHE } from '../cli-process.ts';
import { type Journal, readJournal } from './journal.ts';

const SCRIPT = join(import.meta.dirname, 'consumer.ts');

/** A group's member in a process of its own, killed and started again under the same name and journal. */
export class Member {
  readonly name: string;
  readonly #args: readonly string[];
  readonly #journal: string;
  #child: ChildProcess | null = null;
  #stderr = '';
  kills = 0;

  constructor(name: string, options: { url: string; stream: string; group: string; folder: string }) {
    this.name = name;
    this.#journal = join(options.folder, `${name}.journal`);
    this.#args = [options.url, options.stream, options.group, name, this.#journal];
  }

  start(): void {
    const child = spawn(process.execPath, [SCRIPT, ...this.#args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE },
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#child = child;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    if (child.exitCode !== null) throw new Error(`member ${this.name} ended by itself:\n${this.#stderr}`);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    this.kills++;
  }

  /** Ends it in good order: what it has is committed or not, and it leaves its group. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
    if (child.exitCode !== 0) throw new Error(`member ${this.name} failed:\n${this.#stderr}`);
  }

  journal(): Journal {
    return existsSync(this.#journal)
      ? readJournal(this.#journal, this.name)
      : { changes: [], committedNs: new Map(), starts: 0 };
  }
}
