import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { FailpointName } from '../../../src/core/failpoint.ts';
import { CliProcess } from '../cli-process.ts';
import type { CheckpointSample } from './oracle.ts';

export interface RelayUnderFireOptions {
  /** For its data, its configuration. */
  readonly folder: string;
  /** The database's. */
  readonly sourceUrl: string;
  readonly tables: readonly string[];
  readonly stream: string;
  readonly group: string;
  /** What else the configuration says of the stream. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** As the configuration has them. */
  readonly sinks?: Readonly<Record<string, object>>;
}

/** The real command `tidings run`, killed and started again on the same directory and port. */
export class RelayUnderFire {
  readonly url: string;
  readonly #options: RelayUnderFireOptions;
  readonly #config: string;
  #process: CliProcess | null = null;
  kills = 0;

  private constructor(options: RelayUnderFireOptions, port: number) {
    this.#options = options;
    this.url = `http://127.0.0.1:${port}`;
    this.#config = join(options.folder, 'tidings.yaml');
    // Segments as small as they may be, so that they roll all the time.
    writeFileSync(
      this.#config,
      JSON.stringify({
        data: join(options.folder, 'data'),
        http: { port },
        streams: {
          [options.stream]: {
            source: { type: 'mysql', url: options.sourceUrl, tables: options.tables },
            partitions: 16,
            log: { segmentBytes: '64KiB' },
            ...options.settings,
          },
        },
        sinks: options.sinks ?? {},
      }),
    );
  }

  /** What the process has logged that was started last. */
  get stderr(): string {
    return this.#process?.stderr ?? '';
  }

  static async create(options: RelayUnderFireOptions): Promise<RelayUnderFire> {
    return new RelayUnderFire(options, await freePort());
  }

  /** Resolves when it serves. @param failpoint where it is to die */
  async start(failpoint?: { readonly name: FailpointName; readonly at: number }): Promise<void> {
    const env = failpoint === undefined ? {} : { TIDINGS_FAILPOINTS: `${failpoint.name}:kill@${failpoint.at}` };
    const relay = new CliProcess(['run', this.#config], { env });
    this.#process = relay;
    await Promise.race([this.#answers(), relay.exit()]).then((exit) => {
      // A failpoint can come before it serves: that is a death like any other.
      if (exit === undefined || (failpoint !== undefined && exit.signal === 'SIGKILL')) return;
      throw new Error(`the relay ended:\n${relay.stderr}`);
    });
  }

  /** Resolves when the place where the stream begins is durable: what commits from then on has to come. */
  async begun(): Promise<void> {
    for (;;) {
      const response = await fetch(`${this.url}/v1/streams/${this.#options.stream}`);
      const { position } = (await response.json()) as { position: string | null };
      if (position !== null) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Resolves when it is dead: by now, or by the failpoint that it was started with. */
  async kill(): Promise<void> {
    this.#process?.signal('SIGKILL');
    await this.died();
  }

  async died(): Promise<void> {
    const exit = await this.#process?.exit();
    if (exit?.signal !== 'SIGKILL') throw new Error(`the relay was not killed:\n${this.#process?.stderr ?? ''}`);
    this.kills++;
  }

  /** As `died`, for a place that it must come to by itself. @throws Error with what it says of itself when it does not within so long */
  async diedWithin(limitMs: number): Promise<void> {
    if (await this.isDead(limitMs)) return this.died();
    const said = await Promise.all(
      [`streams/${this.#options.stream}`, 'sinks'].map(async (what) => (await fetch(`${this.url}/v1/${what}`)).text()),
    );
    throw new Error(`the relay did not come to the place where it was to die:\n${said.join('\n')}\n${this.stderr}`);
  }

  /** True while the process lives. */
  async isDead(withinMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), withinMs);
    void this.#process?.exit().then(() => resolve(true));
    const dead = await promise;
    clearTimeout(timer);
    return dead;
  }

  /** Ends it as an operator would. */
  async stop(): Promise<void> {
    this.#process?.signal('SIGTERM');
    const exit = await this.#process?.exit();
    if (exit !== undefined && exit.code !== 0) {
      throw new Error(`the relay did not stop:\n${this.#process?.stderr ?? ''}`);
    }
  }

  /** What it says of the group's checkpoints; null when it does not answer or the group is not there yet. */
  async sample(): Promise<CheckpointSample | null> {
    const { stream, group } = this.#options;
    try {
      const response = await fetch(`${this.url}/v1/streams/${stream}/groups/${group}`);
      if (!response.ok) return null;
      const { partitions } = (await response.json()) as { partitions: { partition: number; checkpoint: number }[] };
      // After the answer: whatever a checkpoint stands for was dealt with before it was asked for.
      return {
        atNs: process.hrtime.bigint(),
        checkpoints: new Map(partitions.map(({ partition, checkpoint }) => [partition, checkpoint])),
      };
    } catch {
      return null;
    }
  }

  async #answers(): Promise<void> {
    for (;;) {
      try {
        const response = await fetch(`${this.url}/v1/streams/${this.#options.stream}`);
        await response.body?.cancel();
        if (response.ok) return;
      } catch {
        // Not yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return address.port;
}
