import type { Clock } from '../../../src/base/clock.ts';
import { type Logger, silentLogger } from '../../../src/core/logger.ts';
import type {
  LogOptions,
  RelayStream,
  RetentionOptions,
  SnapshotOptions,
  StreamDefinition,
} from '../../../src/relay/relay-api.ts';
import { Relay } from '../../../src/relay/relay.ts';
import type { HttpOptions } from '../../../src/relay/server/http-options.ts';
import { createRelayServer, type RelayServer } from '../../../src/relay/server/relay-server.ts';
import { streamOf } from '../../../src/relay/server/served-relay.ts';
import type { MysqlSourceOptions } from '../../../src/sources/mysql/config.ts';
import { MysqlSource } from '../../../src/sources/mysql/mysql-source.ts';
import { covers } from '../../../src/sources/mysql/position-order.ts';

export interface StreamOfServer {
  readonly source: MysqlSourceOptions;
  readonly partitions?: number;
  readonly retention?: RetentionOptions;
  readonly log?: LogOptions;
  readonly snapshots?: SnapshotOptions;
}

export interface RunningRelayOptions {
  readonly directory: string;
  readonly streams: Readonly<Record<string, StreamOfServer>>;
  readonly http?: HttpOptions;
  readonly clock?: Clock;
  readonly log?: Logger;
}

export interface Readiness {
  readonly status: number;
  readonly ready: boolean;
  readonly reasons: readonly { readonly stream: string | null; readonly code: string; readonly detail: string }[];
}

/** A relay with its server in this process, over sources as `tidings run` opens them: stopped and started again on the same directory and port. */
export class RunningRelay implements AsyncDisposable {
  #options: RunningRelayOptions;
  #relay: Relay | null = null;
  #server: RelayServer | null = null;
  #port = 0;

  private constructor(options: RunningRelayOptions) {
    this.#options = options;
  }

  static async start(options: RunningRelayOptions): Promise<RunningRelay> {
    const running = new RunningRelay(options);
    await running.start();
    return running;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get relay(): Relay {
    if (this.#relay === null) throw new Error('the relay does not run');
    return this.#relay;
  }

  stream(name: string): RelayStream {
    return streamOf(this.relay, name);
  }

  /** Starts it again, from now on with these changes. */
  async start(changes: Partial<RunningRelayOptions> = {}): Promise<void> {
    this.#options = { ...this.#options, ...changes };
    const { directory, streams, http = {}, clock, log = silentLogger } = this.#options;
    const definitions = Object.entries(streams).map(([name, stream]) => [name, definitionOf(stream, log)] as const);
    this.#relay = await Relay.open({ directory, streams: Object.fromEntries(definitions), log, clock });
    this.#server = await createRelayServer({
      relay: this.#relay,
      http: { ...http, port: this.#port },
      log,
      version: '0.0.0',
      ...(clock === undefined ? {} : { clock }),
    });
    ({ port: this.#port } = await this.#server.listen());
  }

  /** Resolves when all streams have a position: from then on no commit is missed. */
  async positioned(): Promise<void> {
    for (const name of this.relay.streams.keys()) {
      const { log } = this.stream(name);
      while (log.position === null) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  async stop(): Promise<void> {
    await this.#server?.close({ graceMs: 1000 });
    await this.#relay?.close();
    this.#server = null;
    this.#relay = null;
  }

  /** What `/readyz` says. */
  async readiness(): Promise<Readiness> {
    const response = await fetch(`${this.url}/readyz`);
    return { status: response.status, ...((await response.json()) as Omit<Readiness, 'status'>) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function definitionOf({ source, ...stream }: StreamOfServer, log: Logger): StreamDefinition {
  return {
    ...stream,
    covers,
    openSource: ({ position, tables, anew = false }) =>
      Promise.resolve(
        new MysqlSource({
          heartbeatMs: 100,
          answerTimeoutMs: 10_000,
          reconnect: { delayMinMs: 1, delayMaxMs: 100 },
          log,
          ...source,
          ...(position === null || anew ? {} : { from: position }),
          ...(tables.length === 0 || anew ? {} : { knownTables: tables }),
          json: 'text',
          waitForServer: true,
        }),
      ),
  };
}
