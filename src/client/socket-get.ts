import { connect, isIPv6, type Socket } from 'node:net';
import { TidingsError } from '../core/errors.ts';
import { ChunkedDecoder } from './chunked-decoder.ts';
import type { BodyReceiver, ResponseBody } from './response-body.ts';

export interface SocketGetOptions {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** How long the head of the answer may take. */
  readonly timeoutMs: number;
  readonly onTimeout: () => Error;
}

export interface SocketResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: ResponseBody;
}

/** One read of the kernel: a few stored batches. */
const READ_BYTES = 256 * 1024;
const HEAD_BYTES_MAX = 64 * 1024;

/**
 * GET over a connection of its own, whose bytes the kernel reads into one fixed buffer.
 *
 * Why not node:http: it allocates a buffer for every 64 KiB and passes it through a stream, which costs a reader of the whole log more
 * than all that is done with the bytes, decoding apart. This is for plain connections, where there is nothing else to do.
 */
export function socketGet(options: SocketGetOptions): Promise<SocketResponse> {
  return new Promise((resolve, reject) => {
    const exchange = new Exchange(options, resolve, reject);
    exchange.begin();
  });
}

class Exchange implements ResponseBody {
  readonly #options: SocketGetOptions;
  readonly #resolve: (response: SocketResponse) => void;
  readonly #reject: (error: unknown) => void;
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  readonly #abort = (): void => this.#fail(asError(this.#options.signal.reason));
  /** Of the head: what has come of it. */
  #head: Buffer = Buffer.alloc(0);
  #isHead = true;
  /** Of the body: what came with the head. */
  #early: Buffer | null = null;
  #receiver: BodyReceiver | null = null;
  #chunks: ChunkedDecoder | null = null;
  /** Bytes still to come of a body of known length; null: nobody knows. */
  #left: number | null = null;
  #over = false;
  #isPaused = false;
  /** How it ended before anybody received it. */
  #earlyEnd: (() => void) | null = null;
  readonly #pass = (bytes: Uint8Array): void => {
    if (this.#receiver?.data(bytes) === false) this.#isPaused = true;
  };

  constructor(
    options: SocketGetOptions,
    resolve: (response: SocketResponse) => void,
    reject: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    this.#socket = connect({
      host: options.host,
      port: options.port,
      noDelay: true,
      onread: { buffer, callback: (count) => this.#onRead(buffer.subarray(0, count)) },
    });
    this.#timer = setTimeout(() => this.#fail(options.onTimeout()), options.timeoutMs);
  }

  begin(): void {
    const { host, port, path, headers, signal } = this.#options;
    const socket = this.#socket;
    socket.on('error', (error) => this.#fail(error));
    socket.on('end', () => this.#end(false));
    socket.on('close', () => this.#end(false));
    // Without it the socket would not tell its end.
    socket.resume();
    if (signal.aborted) {
      this.#abort();
      return;
    }
    signal.addEventListener('abort', this.#abort);
    const name = isIPv6(host) ? `[${host}]` : host;
    const lines = [`GET ${path} HTTP/1.1`, `host: ${name}:${port}`, 'connection: close'];
    for (const [header, value] of Object.entries(headers)) lines.push(`${header}: ${value}`);
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  }

  start(receiver: BodyReceiver): void {
    this.#receiver = receiver;
    const early = this.#early;
    this.#early = null;
    if (early !== null) this.#body(early);
    if (this.#earlyEnd !== null) this.#earlyEnd();
    else if (!this.#over && !this.#isPaused) this.#socket.resume();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (!this.#over) this.#socket.resume();
  }

  destroy(): void {
    this.#over = true;
    this.#release();
    this.#socket.destroy();
  }

  /** False: the socket is not read until it is told to resume. */
  #onRead(bytes: Buffer): boolean {
    if (this.#over) return false;
    try {
      if (this.#isHead) this.#takeHead(bytes);
      else this.#body(bytes);
    } catch (error) {
      this.#fail(error as Error);
      return false;
    }
    // Behind the head the socket waits for a receiver.
    return this.#isHead || (!this.#over && !this.#isPaused && this.#receiver !== null);
  }

  #takeHead(bytes: Buffer): void {
    this.#head = Buffer.concat([this.#head, bytes]);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) {
      if (this.#head.length > HEAD_BYTES_MAX) throw noHttp();
      return;
    }
    const { status, headers } = parseHead(this.#head.toString('latin1', 0, end));
    const rest = this.#head.subarray(end + 4);
    this.#head = Buffer.alloc(0);
    if (status >= 100 && status < 200) {
      if (rest.length > 0) this.#takeHead(rest);
      return;
    }
    this.#isHead = false;
    this.#early = Buffer.from(rest);
    clearTimeout(this.#timer);
    const length = headers.get('content-length');
    if (headers.get('transfer-encoding')?.toLowerCase() === 'chunked') this.#chunks = new ChunkedDecoder();
    else if (length !== undefined && /^\d{1,15}$/.test(length)) this.#left = Number(length);
    this.#resolve({ status, headers, body: this });
  }

  #body(bytes: Buffer): void {
    if (this.#chunks !== null) {
      this.#chunks.decode(bytes, this.#pass);
      if (this.#chunks.done) this.#end(true);
      return;
    }
    const count = this.#left === null ? bytes.length : Math.min(this.#left, bytes.length);
    if (count > 0) this.#pass(bytes.subarray(0, count));
    if (this.#left === null) return;
    this.#left -= count;
    if (this.#left === 0) this.#end(true);
  }

  /** Without a length nobody can tell a body that ended from one that was cut off: it counts as cut off. */
  #end(whole: boolean): void {
    if (this.#over) return;
    if (this.#isHead) {
      this.#fail(new Error('the connection was closed without an answer'));
      return;
    }
    this.#over = true;
    this.#release();
    this.#socket.destroy();
    if (this.#receiver !== null) this.#receiver.end(whole);
    else this.#earlyEnd = (): void => this.#receiver?.end(whole);
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#release();
    this.#socket.destroy();
    if (this.#isHead) this.#reject(error);
    else if (this.#receiver !== null) this.#receiver.fail(error);
    else this.#earlyEnd = (): void => this.#receiver?.fail(error);
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.#options.signal.removeEventListener('abort', this.#abort);
  }
}

/** @throws TidingsError PROTOCOL_VIOLATION */
function parseHead(text: string): { readonly status: number; readonly headers: Map<string, string> } {
  const [first = '', ...lines] = text.split('\r\n');
  const [, status] = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first) ?? [];
  if (status === undefined) throw noHttp();
  const headers = new Map<string, string>();
  for (const line of lines) {
    const at = line.indexOf(':');
    if (at > 0) headers.set(line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim());
  }
  return { status: Number(status), headers };
}

function noHttp(): TidingsError {
  return new TidingsError('PROTOCOL_VIOLATION', 'what answers is no HTTP server', {
    hint: 'Check that the address is that of a relay.',
  });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('the reading was ended', { cause: reason });
}
