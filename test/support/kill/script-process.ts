import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { COMPILE_CACHE } from '../cli-process.ts';

/** A script of the tests in a process of its own, killed and started again with the same arguments. */
export class ScriptProcess {
  readonly name: string;
  readonly #command: readonly string[];
  #child: ChildProcess | null = null;
  #stderr = '';
  kills = 0;

  /** @param command the script's path and its arguments */
  constructor(name: string, command: readonly string[]) {
    this.name = name;
    this.#command = command;
  }

  start(): void {
    const child = spawn(process.execPath, this.#command, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE },
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#child = child;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    if (child.exitCode !== null) throw new Error(`${this.name} ended by itself:\n${this.#stderr}`);
    // It was ended by a signal before: its exit has been told, and would not be told again.
    if (child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    this.kills++;
  }

  /** Ends it in good order: SIGTERM is what tells it to. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
    // One that had just been started ends by the signal itself: it has nothing to bring in order yet.
    if (child.exitCode !== 0 && child.signalCode !== 'SIGTERM') {
      throw new Error(`${this.name} failed:\n${this.#stderr}`);
    }
  }
}
