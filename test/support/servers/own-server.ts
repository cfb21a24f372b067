import { randomInt } from 'node:crypto';
import { access, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, ConnectionOptions } from 'mysql2/promise';
import { createDataFolder } from './data-folder.ts';
import { FLAVOURS, type ServerFlavour } from './flavour.ts';
import { findFreePort } from './free-port.ts';
import { type Installation, rootOptions } from './installation.ts';
import { ServerProcess, Watchdog } from './server-process.ts';
import { type SelectedRow, SqlClient, type StartChanges, type TestServer } from './test-server.ts';

const START_MAX_MS = 90_000;
const POLL_MS = 25;
const PORT_ATTEMPTS = 5;
const LOG_TAIL_LINES = 12;

/** Quick and small, yet every committed transaction survives a SIGKILL: it is with the operating system by then. */
const COMMON_OPTIONS = [
  '--bind-address=127.0.0.1',
  '--skip-name-resolve',
  '--log-bin=binlog',
  '--sync-binlog=0',
  '--innodb-flush-log-at-trx-commit=2',
  '--innodb-buffer-pool-size=64M',
  '--innodb-use-native-aio=0',
];

const FLAVOUR_OPTIONS: Readonly<Record<ServerFlavour, readonly string[]>> = {
  mariadb: ['--binlog-format=ROW', '--log-warnings=1'],
  mysql: ['--gtid-mode=ON', '--enforce-gtid-consistency=ON', '--loose-mysqlx=OFF', '--secure-file-priv='],
};

export interface OwnServerOptions {
  readonly options?: readonly string[];
  readonly dataDir?: string;
  readonly port?: number;
}

/** A server that this process started, in its own temporary folder. */
export class OwnServer implements TestServer {
  readonly owned = true;
  readonly host = '127.0.0.1';
  readonly flavour: ServerFlavour;
  readonly dataDir: string;
  readonly #installation: Installation;
  readonly #folder: string;
  readonly #keepsData: boolean;
  readonly #watchdog: Watchdog;
  readonly #serverId: number;
  #options: readonly string[];
  #port: number;
  #sql: SqlClient;
  #process: ServerProcess | null = null;
  #version = '';
  #stopped = false;

  private constructor(
    installation: Installation,
    folder: string,
    options: OwnServerOptions & { readonly port: number },
  ) {
    this.flavour = installation.flavour;
    this.dataDir = options.dataDir ?? join(folder, 'data');
    this.#installation = installation;
    this.#folder = folder;
    this.#keepsData = options.dataDir !== undefined;
    this.#watchdog = new Watchdog(folder);
    this.#serverId = randomInt(1_000, 2 ** 31);
    this.#options = options.options ?? [];
    this.#port = options.port;
    this.#sql = this.#newClient();
  }

  static async create(installation: Installation, options: OwnServerOptions): Promise<OwnServer> {
    const folder = await mkdtemp(join(tmpdir(), `tidings-${installation.flavour}-`));
    const server = new OwnServer(installation, folder, { ...options, port: options.port ?? (await findFreePort()) });
    try {
      const isNew = options.dataDir === undefined || !(await hasData(options.dataDir));
      if (isNew) await createDataFolder(installation, server.dataDir);
      await server.#startOnFreePort(options.port === undefined);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get version(): string {
    return this.#version;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `mysql://root@${this.host}:${this.#port}`;
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  async query<T extends object = SelectedRow>(sql: string, params?: readonly unknown[]): Promise<T[]> {
    return await this.#sql.query<T>(sql, params);
  }

  async connection(options?: ConnectionOptions): Promise<Connection> {
    return await this.#sql.connection(options);
  }

  async start({ options }: StartChanges = {}): Promise<void> {
    if (this.#stopped) throw new Error('the server was stopped for good and its data removed');
    if (this.#process?.running === true) throw new Error('the server is already running');
    if (options !== undefined) this.#options = options;
    this.#process = new ServerProcess(this.#commandLine(), { logFile: this.#logFile, watchdog: this.#watchdog });
    try {
      await this.#untilReady(this.#process);
    } catch (error) {
      await this.#process.kill();
      throw error;
    }
  }

  async restart(changes: StartChanges = {}): Promise<void> {
    await this.shutdown();
    await this.start(changes);
  }

  async shutdown(): Promise<void> {
    this.#sql.drop();
    await this.#process?.shutdown();
  }

  async kill(): Promise<void> {
    this.#sql.drop();
    await this.#process?.kill();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await (this.#keepsData ? this.shutdown() : this.kill());
    await this.#watchdog.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #logFile(): string {
    return join(this.#folder, 'server.log');
  }

  #newClient(): SqlClient {
    return new SqlClient({ host: this.host, port: this.#port, user: 'root' });
  }

  #commandLine(): string[] {
    return [
      ...this.#installation.command,
      ...rootOptions(),
      `--datadir=${this.dataDir}`,
      `--tmpdir=${this.#folder}`,
      `--port=${this.#port}`,
      '--socket=server.sock', // Relative to the data folder: a full path could exceed a socket's 107 bytes.
      `--pid-file=${join(this.#folder, 'server.pid')}`,
      `--server-id=${this.#serverId}`,
      ...COMMON_OPTIONS,
      ...FLAVOUR_OPTIONS[this.flavour],
      ...this.#options, // Last, so that they win.
    ];
  }

  /** The port was free a moment ago; should another process have been quicker, take the next one. */
  async #startOnFreePort(mayMove: boolean): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.start();
        return;
      } catch (error) {
        if (!mayMove || attempt === PORT_ATTEMPTS || !/address already in use/i.test(String(error))) throw error;
        this.#port = await findFreePort();
        this.#sql = this.#newClient();
      }
    }
  }

  async #untilReady(server: ServerProcess): Promise<void> {
    const deadlineMs = performance.now() + START_MAX_MS;
    for (;;) {
      const version = await this.#readVersion();
      if (!server.running || performance.now() > deadlineMs) {
        const outcome = server.running ? `does not answer after ${START_MAX_MS / 1000} s` : 'ended while starting';
        throw new Error(`${FLAVOURS[this.flavour].label} ${outcome}; its log ends with:\n${await this.#logTail()}`);
      }
      if (version !== null) {
        this.#version = version;
        return;
      }
      await sleep(POLL_MS);
    }
  }

  async #readVersion(): Promise<string | null> {
    try {
      const [row] = await this.#sql.query<{ version: string }>('SELECT VERSION() AS version');
      return row?.version ?? null;
    } catch {
      return null;
    }
  }

  async #logTail(): Promise<string> {
    const text = await readFile(this.#logFile, 'utf8').catch(() => '');
    return text.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  }
}

async function hasData(dataDir: string): Promise<boolean> {
  return await access(join(dataDir, 'ibdata1')).then(
    () => true,
    () => false,
  );
}
