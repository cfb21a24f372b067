import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const SHUTDOWN_MAX_MS = 30_000;

/**
 * Reads process ids from its stdin, one per line (an empty line: none). When its stdin ends, because this process closed it or
 * died in whatever way, it kills the last one and removes the folder.
 */
const WATCHDOG = `
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  kill -9 "$pid" 2>/dev/null
  tries=0
  while kill -0 "$pid" 2>/dev/null && [ $tries -lt 40 ]; do sleep 0.05; tries=$((tries + 1)); done
fi
rm -rf -- "$1"
`;

/** A folder and at most one server process that both vanish with this process, also when it is killed. */
export class Watchdog {
  readonly #child: ChildProcess;

  constructor(folder: string) {
    // A session of its own: Ctrl-C must not reach it before it has done its work.
    const child = spawn('/bin/sh', ['-c', WATCHDOG, 'tidings-server-watchdog', folder], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.on('error', () => {});
    child.stdin.on('error', () => {}); // It was killed: then there is no watchdog, and nothing to be done about it.
    child.unref();
    (child.stdin as Socket).unref();
    this.#child = child;
  }

  watch(pid: number | null): void {
    this.#child.stdin?.write(`${pid ?? ''}\n`);
  }

  /** Kills what is watched, removes the folder, and resolves when that is done. */
  async finish(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.ref();
    this.#child.stdin?.end();
    await exit;
  }
}

/** One run of a server program. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  constructor(command: readonly string[], { logFile, watchdog }: { logFile: string; watchdog: Watchdog }) {
    const [program = '', ...args] = command;
    const log = openSync(logFile, 'a');
    // A session of its own: at Ctrl-C the owner decides what happens to the server, and when.
    this.#child = spawn(program, args, { detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    if (this.#child.pid !== undefined) watchdog.watch(this.#child.pid);
    const { promise, resolve } = Promise.withResolvers<void>();
    const onEnd = (): void => {
      watchdog.watch(null); // The id may soon belong to another process.
      resolve();
    };
    this.#child.once('error', onEnd);
    this.#child.once('exit', onEnd);
    this.#exited = promise;
    this.#child.unref();
  }

  get pid(): number | null {
    return this.running ? (this.#child.pid ?? null) : null;
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#signal('SIGKILL');
  }

  /** SIGTERM, so that the server shuts down in good order; SIGKILL if it takes too long. */
  async shutdown(): Promise<void> {
    const deadline = new AbortController();
    await Promise.race([
      this.#signal('SIGTERM'),
      sleep(SHUTDOWN_MAX_MS, undefined, { signal: deadline.signal }).catch(() => {}),
    ]);
    deadline.abort();
    await this.kill();
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    if (!this.running) return;
    this.#child.ref(); // Awaiting the end must keep this process alive.
    this.#child.kill(signal);
    await this.#exited;
  }
}
