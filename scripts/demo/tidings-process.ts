import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../test/support/servers/free-port.ts';
import { ServerProcess, Watchdog } from '../../test/support/servers/server-process.ts';
import { DemoError } from './demo-error.ts';
import { untilTrue } from './waiting.ts';

const MAIN = fileURLToPath(import.meta.resolve('../../src/cli/main.ts'));
const ANSWER_MAX_MS = 2000;
/** How often to look whether it still runs. */
const LOOK_MS = 200;
const LOG_TAIL_LINES = 6;

/** `tidings run` in a folder of its own, which vanishes with it when this process ends, also when that is killed. */
export class TidingsProcess implements AsyncDisposable {
  readonly url: string;
  readonly #name: string;
  readonly #folder: string;
  readonly #watchdog: Watchdog;
  #process: ServerProcess | null = null;
  #killed = false;

  private constructor(name: string, { folder, port }: { readonly folder: string; readonly port: number }) {
    this.#name = name;
    this.#folder = folder;
    this.url = `http://127.0.0.1:${port}`;
    this.#watchdog = new Watchdog(folder);
  }

  /**
   * Only prepares it.
   *
   * @param name what messages call it
   * @param config of the configuration file, what is not the same for all
   */
  static async create(name: string, config: string): Promise<TidingsProcess> {
    const port = await findFreePort();
    const tidings = new TidingsProcess(name, { folder: await mkdtemp(join(tmpdir(), 'tidings-demo-')), port });
    const text = `# Made by npm run demo.\ndata: data\nhttp: { port: ${port} }\n${config}`;
    await writeFile(tidings.#config, text, { mode: 0o600 });
    return tidings;
  }

  /** Resolves when `isReady`. @throws DemoError when it ends instead */
  async start(isReady: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const command = [process.execPath, MAIN, 'run', this.#config];
    const started = new ServerProcess(command, { logFile: this.#logFile, watchdog: this.#watchdog });
    this.#process = started;
    this.#killed = false;
    await untilTrue(async () => {
      if (!started.running) throw await this.#failure();
      return await isReady();
    }, signal);
  }

  /** Rejects when it has ended without having been killed. */
  async endedByItself(signal: AbortSignal): Promise<never> {
    await untilTrue(async () => this.#process?.running === false && !this.#killed, signal, LOOK_MS);
    signal.throwIfAborted();
    throw await this.#failure();
  }

  /** SIGKILL; resolves when it is dead. */
  async kill(): Promise<void> {
    this.#killed = true;
    await this.#process?.kill();
  }

  /** What it answers; null when it does not, or not with what was asked for. */
  async get(path: string): Promise<unknown> {
    try {
      const response = await fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
      if (response.ok) return await response.json();
      await response.body?.cancel();
    } catch {
      // It is not there yet, or was killed.
    }
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#watchdog.finish();
  }

  get #config(): string {
    return join(this.#folder, 'tidings.yaml');
  }

  get #logFile(): string {
    return join(this.#folder, 'tidings.log');
  }

  async #failure(): Promise<DemoError> {
    const log = await readFile(this.#logFile, 'utf8').catch(() => '');
    const tail = log.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
    return new DemoError(`The ${this.#name} has ended by itself; its log ends with:\n${tail}`);
  }
}
