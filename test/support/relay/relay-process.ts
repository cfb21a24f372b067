import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CliExit, CliProcess, type CliProcessOptions } from '../cli-process.ts';
import { findFreePort } from '../servers/free-port.ts';
import type { Readiness } from './running-relay.ts';

export interface RelayProcessOptions {
  /** For its configuration and, in `data`, its data. */
  readonly folder: string;
  /** The streams as the configuration file has them. */
  readonly streams?: Readonly<Record<string, object>>;
  readonly http?: object;
  /** The sinks as the configuration file has them. */
  readonly sinks?: Readonly<Record<string, object>>;
}

/** What the API says of a stream, as far as tests look at it. */
export interface StreamAnswer {
  readonly state: string;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
  readonly stall: { readonly reason: string; readonly message: string } | null;
  readonly first: number | null;
  readonly last: number | null;
  readonly bytes: number;
  readonly position: string | null;
  readonly connections: number;
  readonly sourceBytes: number;
}

/** What the API says of a sink, as far as tests look at it. */
export interface SinkAnswer {
  readonly state: string;
  readonly promise: string | null;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
  readonly rows: number;
  readonly pending: number;
  readonly deadLetters: number;
  readonly blockedKeys: number;
}

/** `tidings run` as a process of its own, on one directory and port. Killed when it is disposed of. */
export class RelayProcess implements AsyncDisposable {
  readonly url: string;
  readonly data: string;
  readonly config: string;
  #process: CliProcess | null = null;

  private constructor({ folder, http = {}, ...rest }: RelayProcessOptions, port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.data = join(folder, 'data');
    this.config = join(folder, 'tidings.yaml');
    writeFileSync(this.config, JSON.stringify({ data: this.data, http: { port, ...http }, ...rest }));
  }

  static async create(options: RelayProcessOptions): Promise<RelayProcess> {
    return new RelayProcess(options, await findFreePort());
  }

  /** Of the running process, as it tells others of itself. */
  get pid(): number {
    return (JSON.parse(readFileSync(join(this.data, 'relay.lock'), 'utf8')) as { readonly pid: number }).pid;
  }

  /** What it logged since it was started. */
  get stderr(): string {
    return this.#process?.stderr ?? '';
  }

  /** What its sinks printed since it was started. */
  get stdout(): string {
    return this.#process?.stdout ?? '';
  }

  /** Resolves when it serves. */
  async start(options: Pick<CliProcessOptions, 'uid' | 'env'> = {}): Promise<void> {
    const relay = new CliProcess(['run', this.config], options);
    this.#process = relay;
    await relay.until(({ stderr }) => stderr.includes('"message":"ready"'));
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal);
  }

  /** Whoever reads its stdout goes away. */
  closeStdout(): void {
    this.#process?.closeStdout();
  }

  async exit(): Promise<CliExit> {
    if (this.#process === null) throw new Error('the relay was not started');
    return this.#process.exit();
  }

  async stream(name: string): Promise<StreamAnswer> {
    return (await (await fetch(`${this.url}/v1/streams/${name}`)).json()) as StreamAnswer;
  }

  async sink(name: string): Promise<SinkAnswer> {
    return (await (await fetch(`${this.url}/v1/sinks/${name}`)).json()) as SinkAnswer;
  }

  /** Resolves when the stream has a position: from then on no commit is missed. */
  async positioned(name: string): Promise<void> {
    while ((await this.stream(name)).position === null) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async readiness(): Promise<Readiness> {
    const response = await fetch(`${this.url}/readyz`);
    return { status: response.status, ...((await response.json()) as Omit<Readiness, 'status'>) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }
}
