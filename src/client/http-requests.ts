import { isJson } from '../base/is-json.ts';
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { TidingsError } from '../core/errors.ts';
import { answerError, networkError, type Refusal } from './relay-errors.ts';
import { type ResponseBody, streamBody } from './response-body.ts';
import { socketGet } from './socket-get.ts';

/** How the relay proves who it is, and this client who it is: as `node:tls` takes them. */
export interface TlsOptions {
  /** Certificates of the authorities to trust, PEM. @default those of the system */
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  /** This client's certificate and key, PEM, when the relay asks for one. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name that the relay's certificate must be made for. @default the host of the URL */
  readonly servername?: string;
  /** False: take any certificate. Only for trying things out. @default true */
  readonly rejectUnauthorized?: boolean;
}

export interface HttpRequestsOptions {
  readonly url: URL;
  readonly token?: string | undefined;
  readonly tls?: TlsOptions | undefined;
  /** @default JSON.parse */
  readonly parseJson?: (text: string) => unknown;
  /** How long the head of an answer, and each further part of it, may take. */
  readonly timeoutMs: number;
}

interface RequestOptions {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly accept: string;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
}

interface OpenedAnswer {
  readonly status: number;
  readonly type: string;
  readonly location: string | undefined;
  readonly body: ResponseBody;
}

/** Nothing that is answered as JSON comes near it; a stream of garbage ends there (I7). */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const PROBLEM = 'application/problem+json';
const PROBLEM_BYTES_MAX = 64 * 1024;

/** Requests to one relay over connections that are kept. Every failure is a TidingsError that says whether it may pass. */
export class HttpRequests {
  /** The relay's address, for messages: without what a URL may hold of secrets. */
  readonly name: string;
  readonly #options: HttpRequestsOptions;
  readonly #agent: HttpAgent;
  readonly #host: string;
  readonly #prefix: string;
  #closed = false;

  /** @throws TidingsError CONFIG_INVALID */
  constructor(options: HttpRequestsOptions) {
    const { url, tls } = options;
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new TidingsError(
        'CONFIG_INVALID',
        `the relay's URL begins with ${url.protocol} instead of http: or https:`,
      );
    }
    if (url.username !== '' || url.password !== '') {
      throw new TidingsError('CONFIG_INVALID', "the relay's URL holds a user or a password", {
        hint: 'Give the token as the option `token`.',
      });
    }
    if (options.token !== undefined && !/^[\x21-\x7e]+$/.test(options.token)) {
      throw new TidingsError('CONFIG_INVALID', 'the token is empty, or holds characters that no header can', {
        hint: 'Check that no line end or space came along with it.',
      });
    }
    this.#options = options;
    this.name = `the relay at ${url.origin}`;
    this.#host = url.hostname.replace(/^\[|\]$/g, '');
    this.#prefix = url.pathname.replace(/\/+$/, '');
    // Readings are connections of their own for as long as they last: no limit on how many there are.
    const keep = { keepAlive: true, noDelay: true };
    this.#agent = url.protocol === 'https:' ? new HttpsAgent({ ...keep, ...tlsOptions(tls) }) : new HttpAgent(keep);
  }

  /** The answer's JSON; null when it has no body. @throws TidingsError */
  async json(method: RequestOptions['method'], path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> {
    const response = await this.#send({
      method,
      path,
      accept: 'application/json',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
    });
    const text = await this.#text(response, ANSWER_BYTES_MAX, signal);
    if (!isSuccess(response)) {
      const { statusCode: status = 0, headers } = response;
      throw this.#refused({ status, body: text, location: headers.location, method, path });
    }
    if (text === '') return null;
    try {
      return (this.#options.parseJson ?? JSON.parse)(text);
    } catch (error) {
      throw new TidingsError('PROTOCOL_VIOLATION', `${this.name} answered with what is no JSON`, {
        cause: error,
        hint: 'Check that the address is that of a relay.',
      });
    }
  }

  /** The answer to a reading, its head read and its body not. @throws TidingsError */
  async open(path: string, accept: string, signal: AbortSignal): Promise<ResponseBody> {
    this.#checkOpen();
    const { status, type, location, body } = await this.#get(path, accept, signal);
    if (status >= 200 && status < 300) {
      if (type.startsWith(accept)) return body;
      body.destroy();
      throw new TidingsError('PROTOCOL_VIOLATION', `${this.name} answered with ${type || 'no content type'}`, {
        hint: `Check that the address is that of a relay: a reading is answered with ${accept}.`,
      });
    }
    const said = await this.#refusal(body);
    if (type.startsWith(PROBLEM) && !isJson(said)) {
      // The status alone is no answer of a relay: of a member that it does not know, it says so with the same as of a stream.
      throw networkError(new Error('the answer was cut off'), this.name, 'reading');
    }
    throw this.#refused({ status, body: said, location, method: 'GET', path });
  }

  close(): void {
    this.#closed = true;
    this.#agent.destroy();
  }

  #refused(refusal: Omit<Refusal, 'base' | 'name'>): TidingsError {
    return answerError({ ...refusal, base: this.#options.url.origin + this.#prefix, name: this.name });
  }

  #checkOpen(): void {
    if (this.#closed) throw new TidingsError('CONFIG_INVALID', 'the client is closed', { hint: 'Connect anew.' });
  }

  async #send(options: RequestOptions): Promise<IncomingMessage> {
    this.#checkOpen();
    for (let stale = 1; ; stale++) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- attempts follow one another
        return await this.#attempt(options);
      } catch (error) {
        // A kept connection that the relay had closed in the meantime says nothing about the relay: on to the next one, and in the end
        // to a new one. Every request of the protocol may be repeated.
        if (!(error instanceof StaleConnection)) throw error;
        if (stale >= STALE_CONNECTIONS_MAX) throw networkError(error.reason, this.name, 'connecting');
      }
    }
  }

  #attempt({ method, path, accept, body, signal }: RequestOptions): Promise<IncomingMessage> {
    const { url, timeoutMs } = this.#options;
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request = send(
        {
          agent: this.#agent,
          hostname: this.#host,
          port: url.port,
          method,
          path: this.#prefix + path,
          headers: {
            ...this.#headers(accept),
            ...(body === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          },
          ...(signal === undefined ? {} : { signal }),
        },
        (response) => {
          clearTimeout(timer);
          resolve(response);
        },
      );
      const timer = setTimeout(() => request.destroy(stalled(this.name, timeoutMs)), timeoutMs);
      request.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        if (error instanceof TidingsError) reject(error);
        else if (signal?.aborted === true) reject(signal.reason);
        else if (request.reusedSocket && error.code === 'ECONNRESET') reject(new StaleConnection(error));
        else reject(networkError(error, this.name, 'connecting'));
      });
      request.end(body);
    });
  }

  /** Over plain connections by the way with less work per byte. */
  async #get(path: string, accept: string, signal: AbortSignal): Promise<OpenedAnswer> {
    const { url, timeoutMs } = this.#options;
    if (url.protocol === 'https:') {
      const response = await this.#send({ method: 'GET', path, accept, signal });
      const { 'content-type': type = '', location } = response.headers;
      return { status: response.statusCode ?? 0, type, location, body: streamBody(response) };
    }
    try {
      const { status, headers, body } = await socketGet({
        host: this.#host,
        port: Number(url.port || 80),
        path: this.#prefix + path,
        headers: this.#headers(accept),
        signal,
        timeoutMs,
        onTimeout: () => stalled(this.name, timeoutMs),
      });
      return { status, type: headers.get('content-type') ?? '', location: headers.get('location'), body };
    } catch (error) {
      if (error instanceof TidingsError || signal.aborted) throw error;
      throw networkError(error, this.name, 'connecting');
    }
  }

  /** What an answer that is no success says; as much of it as came, if it was cut off. */
  #refusal(body: ResponseBody): Promise<string> {
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const done = (): void => {
        clearTimeout(timer);
        body.destroy();
        resolve(Buffer.concat(chunks).toString());
      };
      const timer = setTimeout(done, this.#options.timeoutMs);
      body.start({
        data: (chunk) => {
          chunks.push(Buffer.from(chunk));
          bytes += chunk.length;
          if (bytes > PROBLEM_BYTES_MAX) done();
          return true;
        },
        end: done,
        fail: done,
      });
    });
  }

  #headers(accept: string): Record<string, string> {
    const { token } = this.#options;
    return { accept, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  }

  #text(response: IncomingMessage, bytesMax: number, signal?: AbortSignal): Promise<string> {
    const { timeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const timer = setTimeout(() => response.destroy(stalled(this.name, timeoutMs)), timeoutMs);
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        timer.refresh();
        if (bytes > bytesMax) response.destroy(new TidingsError('SERVER_ERROR', `${this.name} answered with too much`));
      });
      response.on('end', () => {
        clearTimeout(timer);
        resolve(Buffer.concat(chunks).toString());
      });
      response.on('error', (error) => {
        clearTimeout(timer);
        if (error instanceof TidingsError) reject(error);
        else if (signal?.aborted === true) reject(signal.reason);
        else reject(networkError(error, this.name, 'reading'));
      });
    });
  }
}

/** A kept connection was closed by the other side before the request reached it. */
class StaleConnection extends Error {
  readonly reason: NodeJS.ErrnoException;

  constructor(reason: NodeJS.ErrnoException) {
    super(reason.message);
    this.reason = reason;
  }
}

/** A relay that has just been started again leaves every kept connection behind. */
const STALE_CONNECTIONS_MAX = 32;

export function stalled(name: string, timeoutMs: number): TidingsError {
  return new TidingsError('STREAM_STALLED', `${name} sent nothing for ${timeoutMs} ms`, { details: { timeoutMs } });
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

function tlsOptions(tls: TlsOptions = {}): object {
  const { ca, cert, key, servername, rejectUnauthorized } = tls;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
}
