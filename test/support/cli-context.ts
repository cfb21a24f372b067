import { Readable } from 'node:stream';
import type { CliContext } from '../../src/cli/context.ts';
import type { Output } from '../../src/cli/output.ts';
import { createRedact } from '../../src/cli/redact.ts';
import type { Finding } from '../../src/core/finding.ts';
import type { Source } from '../../src/core/source.ts';
import { sinkTypes, type SourceRequest, sourceTypes } from '../../src/registry.ts';

/** Keeps what was written; writes wait while it is held back. */
export class MemoryOutput implements Output {
  text = '';
  readonly writes: string[] = [];
  readonly columns: number | null;
  #gate: PromiseWithResolvers<void> | null = null;
  readonly #waiters: (() => void)[] = [];

  constructor({ columns = null }: { columns?: number | null } = {}) {
    this.columns = columns;
  }

  get isTerminal(): boolean {
    return this.columns !== null;
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }

  hold(): void {
    this.#gate = Promise.withResolvers();
  }

  release(): void {
    this.#gate?.resolve();
    this.#gate = null;
  }

  /** Resolves once something that satisfies the condition has been written. */
  async until(condition: (text: string) => boolean): Promise<void> {
    while (!condition(this.text)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiters.push(resolve);
      await promise;
    }
  }

  async write(text: string): Promise<void> {
    this.text += text;
    this.writes.push(text);
    for (const wake of this.#waiters.splice(0)) wake();
    await this.#gate?.promise;
  }
}

export interface TestCli {
  readonly context: CliContext;
  readonly stdout: MemoryOutput;
  /** All of stderr so far. */
  readonly stderr: () => string;
  /** The first Ctrl-C. */
  readonly interrupt: () => void;
  readonly requests: readonly SourceRequest[];
}

export interface TestCliOptions {
  readonly source?: Source;
  readonly findings?: readonly Finding[];
  readonly stdout?: MemoryOutput;
  readonly env?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly cwd?: string;
  readonly stdin?: string;
  /** The person at the terminal; left out where there is none. */
  readonly confirm?: (question: string) => boolean;
}

/** A command's world in memory, with one source that opens whatever the URL. */
export function testCli({
  source,
  findings = [],
  stdout = new MemoryOutput(),
  env = {},
  secrets = [],
  cwd = '/',
  stdin = '',
  confirm,
}: TestCliOptions = {}): TestCli {
  const stop = new AbortController();
  const hidden = [...secrets];
  const requests: SourceRequest[] = [];
  let stderr = '';
  const mysql = sourceTypes.get('mysql');
  if (mysql === undefined) throw new Error('there is no source type for MySQL');
  const type = {
    type: 'mysql',
    open: async (request: SourceRequest): Promise<Source> => {
      requests.push(request);
      if (source === undefined) throw new Error('this test opens no source');
      return source;
    },
    preflight: async (request: SourceRequest): Promise<readonly Finding[]> => {
      requests.push(request);
      return findings;
    },
    configSchema: () => mysql.configSchema(),
  };
  return {
    context: {
      stdout,
      stderr: { isTerminal: false, write: (text) => void (stderr += text) },
      stdin: Readable.from([Buffer.from(stdin)]),
      env,
      cwd,
      redact: (text) => createRedact(hidden)(text),
      hide: (more) => void hidden.push(...more),
      confirm: confirm === undefined ? null : async (question) => confirm(question),
      stop: stop.signal,
      sources: new Map([
        ['mysql', type],
        ['mariadb', type],
      ]),
      sinks: sinkTypes,
      version: '1.2.3',
    },
    stdout,
    stderr: () => stderr,
    interrupt: () => stop.abort(),
    requests,
  };
}
