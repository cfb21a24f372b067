import type { BackoffLimits } from '../base/backoff.ts';
import type { Row } from '../core/change.ts';
import type { ChangeStream, StreamOptions } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import type { TableSchema } from '../core/table-schema.ts';
import { createChangeStream } from './change-stream.ts';
import { checkConnectOptions, checkStreamName } from './check-options.ts';
import { verifyChunk } from './chunk-checksums.ts';
import { HttpRequests, type TlsOptions } from './http-requests.ts';
import { HttpTransport } from './http-transport.ts';
import { readDefinitions } from './table-definitions.ts';

export interface ConnectOptions {
  /** Sent as `Authorization: Bearer …`. The role `read` is enough for reading and for being a group's member. */
  readonly token?: string;
  /** For a relay whose certificate no authority of the system has signed, or that asks for one. */
  readonly tls?: TlsOptions;
  /** @default says nothing */
  readonly log?: Logger;
  /** How long a request may take until its answer begins, in ms. @default 30 000 */
  readonly requestTimeoutMs?: number;
  /** A reading of which nothing came for so long is taken for dead and begun again; in ms. The relay gives a sign of life every 5 s. @default 15 000 */
  readonly idleTimeoutMs?: number;
  /** Pauses between two attempts to reach the relay, in ms. @default 100 to 10 000 */
  readonly reconnect?: BackoffLimits;
  /**
   * Verify the checksum of each batch that comes as it is stored: about a fifth more work for a reader that decodes everything.
   *
   * @default true, but where the bytes cannot be damaged unnoticed: over TLS, and on the loopback interface
   */
  readonly verify?: boolean;
}

/** One stream of a relay, in short. The relay's HTTP API tells more: docs/reference/http-api.md. */
export interface StreamSummary {
  readonly name: string;
  /** `starting`, `running`, `paused`, `waiting`, `stalled`, `failed` or `closed`. */
  readonly state: string;
  /** SCNs of the first and the last change that can be read; null while there is none. */
  readonly first: number | null;
  readonly last: number | null;
}

/** What a relay says of a group; `GET /v1/streams/{stream}/groups` has more. */
export interface GroupSummary {
  readonly group: string;
  /** The lowest of its partitions. */
  readonly checkpoint: number;
  readonly paused: boolean;
}

/** A relay, reached over HTTP. */
export interface RelayClient extends AsyncDisposable {
  /**
   * A stream to be read with `for await`. Nothing is sent before reading begins. `R` is the type of the rows in `before` and `after`.
   *
   * @throws TidingsError CONFIG_INVALID when an option cannot be, or options contradict each other
   */
  stream<R = Row>(name: string, options?: StreamOptions): ChangeStream<R>;
  /** @throws TidingsError UNAUTHORIZED, CONNECTION_FAILED, … : one attempt, no retry */
  streams(): Promise<readonly StreamSummary[]>;
  /** A stream's groups. @throws as `streams` */
  groups(stream: string): Promise<readonly GroupSummary[]>;
  /** The latest definition of every table that the stream's log has rows of. @throws as `streams` */
  tables(stream: string): Promise<readonly TableSchema[]>;
  /** Closes all streams that it made, and the connections. Idempotent. */
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 15_000;
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/;

/**
 * A client of the relay at this address: `http://127.0.0.1:8400`, or `https://…`, with a path where a proxy puts it.
 *
 * @throws TidingsError CONFIG_INVALID
 */
export function connect(url: string | URL, options: ConnectOptions = {}): RelayClient {
  checkConnectOptions(options);
  return new HttpRelayClient(parseUrl(url), options);
}

class HttpRelayClient implements RelayClient {
  readonly #options: ConnectOptions;
  readonly #log: Logger;
  readonly #requests: HttpRequests;
  /** Nothing but TCP's own sum guards the bytes. */
  readonly #isExposed: boolean;
  readonly #open = new Set<{ close(): Promise<void> }>();
  #closing: Promise<void> | null = null;

  constructor(url: URL, options: ConnectOptions) {
    const { token, tls, log, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
    this.#options = options;
    this.#log = log ?? silentLogger;
    this.#isExposed = url.protocol === 'http:' && !LOOPBACK.test(url.hostname);
    this.#requests = new HttpRequests({ url, token, tls, timeoutMs: requestTimeoutMs });
  }

  stream<R = Row>(name: string, options: StreamOptions = {}): ChangeStream<R> {
    checkStreamName(name);
    const { idleTimeoutMs = IDLE_TIMEOUT_MS, reconnect, verify = this.#isExposed } = this.#options;
    const transport = new HttpTransport({
      requests: this.#requests,
      stream: name,
      idleTimeoutMs,
      verify: verify ? verifyChunk : null,
    });
    const stream: ChangeStream<R> = createChangeStream<R>(
      transport,
      { log: this.#log.child({ stream: name }), ...options },
      { ...(reconnect === undefined ? {} : { backoff: reconnect }), onClose: () => this.#open.delete(stream) },
    );
    this.#open.add(stream);
    return stream;
  }

  async streams(): Promise<readonly StreamSummary[]> {
    return (await this.#list('/v1/streams', 'streams')) as readonly StreamSummary[];
  }

  async groups(stream: string): Promise<readonly GroupSummary[]> {
    const groups = await this.#list(`/v1/streams/${encodeURIComponent(stream)}/groups`, 'groups');
    return groups as readonly GroupSummary[];
  }

  tables(stream: string): Promise<readonly TableSchema[]> {
    return readDefinitions(this.#requests, stream);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #list(path: string, what: string): Promise<readonly unknown[]> {
    const answer = await this.#requests.json('GET', path);
    if (Array.isArray(answer)) return answer as readonly unknown[];
    throw new TidingsError('PROTOCOL_VIOLATION', `${this.#requests.name} answered with what is no list of ${what}`, {
      hint: 'Check that the address is that of a relay.',
    });
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#open].map((stream) => stream.close()));
    this.#requests.close();
  }
}

function parseUrl(url: string | URL): URL {
  try {
    return new URL(url);
  } catch (error) {
    throw new TidingsError('CONFIG_INVALID', "the relay's URL is none", {
      cause: error,
      hint: 'Give something like http://127.0.0.1:8400.',
    });
  }
}
