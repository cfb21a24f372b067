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

export interface RelayOptions {
  readonly stream: string;
  /** The database, as the relay's configuration names it. */
  readonly sourceUrl: string;
  /** So that a snapshot takes a while. */
  readonly snapshotRowsPerSecond: number;
}

/** How far the snapshot of a group is, by the relay's account. */
export interface SnapshotProgress {
  readonly state: 'running' | 'paused' | 'done' | 'failed' | 'cancelled';
  /** That were read. */
  readonly rows: number;
  /** Of all of it, pauses included; null until it is over. */
  readonly tookMs: number | null;
}

interface Failure {
  readonly code: string;
  readonly message: string;
}

interface SnapshotAnswer {
  readonly id: number;
  readonly state: SnapshotProgress['state'];
  readonly group: string | null;
  readonly rows: number;
  readonly created: string;
  readonly ended: string | null;
  readonly error: Failure | null;
  /** Only where one is asked for. */
  readonly tables?: readonly { readonly table: string; readonly error: Failure | null }[];
}

/** `tidings run` in a folder of its own, which vanishes with it when this process ends, also when that is killed. */
export class RelayProcess implements AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  readonly #options: RelayOptions;
  readonly #watchdog: Watchdog;
  #process: ServerProcess | null = null;
  #killed = false;

  private constructor(options: RelayOptions, folder: string, port: number) {
    this.#options = options;
    this.folder = folder;
    this.url = `http://127.0.0.1:${port}`;
    this.#watchdog = new Watchdog(folder);
  }

  /** Only prepares it. */
  static async create(options: RelayOptions): Promise<RelayProcess> {
    const port = await findFreePort();
    const relay = new RelayProcess(options, await mkdtemp(join(tmpdir(), 'tidings-demo-')), port);
    const { stream, sourceUrl, snapshotRowsPerSecond } = options;
    const config = `# Made by npm run demo.
data: data
http: { port: ${port} }
streams:
  ${stream}:
    source:
      type: mysql
      url: ${JSON.stringify(sourceUrl)}
      from: now
    snapshotLimits: { rowsPerSecond: ${snapshotRowsPerSecond} }
`;
    await writeFile(relay.#config, config, { mode: 0o600 });
    return relay;
  }

  /** Resolves when it serves. @throws DemoError when it ends instead */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const command = [process.execPath, MAIN, 'run', this.#config];
    const relay = new ServerProcess(command, { logFile: this.#logFile, watchdog: this.#watchdog });
    this.#process = relay;
    this.#killed = false;
    await untilTrue(async () => {
      if (!relay.running) throw await this.#failure();
      return (await this.#get(`/v1/streams/${this.#options.stream}`)) !== null;
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

  /** How many changes a group has still before it, all members together; null when the relay does not say. */
  async lagOf(group: string): Promise<number | null> {
    const answer = await this.#get(`/v1/streams/${this.#options.stream}/groups/${group}`);
    return (answer as { readonly lag?: { readonly changes: number } } | null)?.lag?.changes ?? null;
  }

  /** Null while there is none, or the relay does not say. */
  async snapshotOf(group: string): Promise<SnapshotProgress | null> {
    const answer = await this.#get(`/v1/streams/${this.#options.stream}/snapshots`);
    const snapshot = (answer as readonly SnapshotAnswer[] | null)?.find((each) => each.group === group);
    if (snapshot === undefined) return null;
    const { state, rows, created, ended } = snapshot;
    return { state, rows, tookMs: ended === null ? null : Date.parse(ended) - Date.parse(created) };
  }

  /** What is wrong with the snapshot of a group and with its tables, in words; empty when the relay does not say. */
  async snapshotFailures(group: string): Promise<readonly string[]> {
    const path = `/v1/streams/${this.#options.stream}/snapshots`;
    const list = (await this.#get(path)) as readonly SnapshotAnswer[] | null;
    const id = list?.find((each) => each.group === group)?.id;
    const snapshot = id === undefined ? null : ((await this.#get(`${path}/${id}`)) as SnapshotAnswer | null);
    const failures = [{ table: 'all', error: snapshot?.error ?? null }, ...(snapshot?.tables ?? [])];
    return failures.flatMap(({ table, error }) => (error === null ? [] : `${table}: ${error.code}: ${error.message}`));
  }

  /** SCN of the stream's last change; null when the relay does not say. */
  async end(): Promise<number | null> {
    const answer = await this.#get(`/v1/streams/${this.#options.stream}`);
    return (answer as { readonly last: number | null } | null)?.last ?? null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#watchdog.finish();
  }

  get #config(): string {
    return join(this.folder, 'tidings.yaml');
  }

  get #logFile(): string {
    return join(this.folder, 'relay.log');
  }

  async #failure(): Promise<DemoError> {
    const log = await readFile(this.#logFile, 'utf8').catch(() => '');
    const tail = log.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
    return new DemoError(`The relay has ended by itself; its log ends with:\n${tail}`);
  }

  async #get(path: string): Promise<unknown> {
    try {
      const response = await fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(ANSWER_MAX_MS) });
      if (response.ok) return await response.json();
      await response.body?.cancel();
    } catch {
      // It is not there yet, or was killed.
    }
    return null;
  }
}
