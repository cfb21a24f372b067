import type { Logger } from '../../src/core/logger.ts';
import type { ServedStream } from '../../src/relay/relay-api.ts';
import type { HttpOptions } from '../../src/relay/server/http-options.ts';
import { createRelayServer, type RelayServer, type RelayServerOptions } from '../../src/relay/server/relay-server.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** Remembers what was logged. */
export class MemoryLogger implements Logger {
  readonly lines: LogLine[] = [];

  debug(fields: object, message: string): void {
    this.lines.push({ level: 'debug', fields: { ...fields }, message });
  }

  info(fields: object, message: string): void {
    this.lines.push({ level: 'info', fields: { ...fields }, message });
  }

  warn(fields: object, message: string): void {
    this.lines.push({ level: 'warn', fields: { ...fields }, message });
  }

  error(fields: object, message: string): void {
    this.lines.push({ level: 'error', fields: { ...fields }, message });
  }

  child(): Logger {
    return this;
  }
}

export interface TestServer extends AsyncDisposable {
  readonly server: RelayServer;
  readonly url: string;
  readonly port: number;
  readonly log: MemoryLogger;
  /** What it serves: may be changed while it runs. */
  readonly streams: Map<string, ServedStream>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  send(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

export interface TestServerOptions extends Partial<Pick<RelayServerOptions, 'clock' | 'sinks'>> {
  readonly http?: HttpOptions;
}

/** A server for these streams on a free port. */
export async function startRelayServer(
  streams: readonly ServedStream[],
  { http = {}, ...options }: TestServerOptions = {},
): Promise<TestServer> {
  const log = new MemoryLogger();
  const relay = { streams: new Map(streams.map((stream) => [stream.name, stream])) };
  const server = await createRelayServer({ relay, http: { port: 0, ...http }, log, version: '1.2.3', ...options });
  const { url, port } = await server.listen();
  const send: TestServer['send'] = (method, path, body, headers = {}) =>
    fetch(url + path, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  return {
    server,
    url,
    port,
    log,
    streams: relay.streams,
    get: (path, headers = {}) => send('GET', path, undefined, headers),
    send,
    [Symbol.asyncDispose]: () => server.close({ graceMs: 1000 }),
  };
}

/** Lines of JSON as they come in. */
export class LineReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #separator: string;
  #text = '';

  constructor(response: Response, separator = '\n') {
    if (response.body === null) throw new Error('the response has no body');
    this.#reader = response.body.getReader();
    this.#separator = separator;
  }

  /** Null at the end. Rejects when the response is cut off. */
  async next(): Promise<string | null> {
    for (;;) {
      const at = this.#text.indexOf(this.#separator);
      if (at >= 0) {
        const line = this.#text.slice(0, at);
        this.#text = this.#text.slice(at + this.#separator.length);
        return line;
      }
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#text += Buffer.from(value).toString();
    }
  }

  async take(count: number): Promise<string[]> {
    const lines: string[] = [];
    while (lines.length < count) {
      const line = await this.next();
      if (line === null) throw new Error(`the response ends after ${lines.length} of ${count} lines`);
      lines.push(line);
    }
    return lines;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** Resolves as soon as the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
}
