import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { encodeControl } from '../../../src/formats/log/control-frame.ts';
import type { StateChange, StatesTransaction } from './log-bytes.ts';
import { encodeStates } from './log-bytes.ts';

export interface StoredStates {
  readonly bytes: Buffer;
  readonly first: number;
  readonly last: number;
  readonly open: boolean;
}

/** What happens to one answer to a reading. */
export type Fault =
  | { readonly kind: 'cut'; readonly afterBytes: number }
  | { readonly kind: 'stall'; readonly afterBytes: number }
  | { readonly kind: 'flip'; readonly atByte: number }
  /** It begins, and ends with an error frame. */
  | { readonly kind: 'fail'; readonly code: string }
  | { readonly kind: 'answer'; readonly status: number; readonly type: string; readonly body: string };

/**
 * The part of a relay that a plain reader sees, with real bytes and no log behind it: what it sends, and where it fails, is the
 * test's.
 */
export class RawRelay {
  readonly batches: StoredStates[] = [];
  /** Taken from the front, one for each reading; without any more all goes well. */
  readonly faults: Fault[] = [];
  /** As `faults`, one for each time that a reader begins or is dismissed. */
  readonly readerFaults: (Fault & { readonly kind: 'answer' })[] = [];
  /** Readers that begin, with what they want, and that are dismissed: `PUT name {"truncate":false}`. */
  readonly readerCalls: string[] = [];
  /** The queries of the readings. */
  readonly readings: URLSearchParams[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  createdMs = 1_700_000_000_000;
  /** A sign of progress behind every batch that ends a transaction. */
  sendsProgress = false;
  /** The most bytes written at once. */
  pieceBytes = 65_536;
  readonly #isTls: boolean;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #following = new Set<() => void>();

  private constructor(tls: ServerOptions | null) {
    const answer = (request: IncomingMessage, response: ServerResponse): void => this.#answer(request, response);
    this.#isTls = tls !== null;
    this.#server = tls === null ? createServer(answer) : createTlsServer(tls, answer);
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(tls: ServerOptions | null = null): Promise<RawRelay> {
    const relay = new RawRelay(tls);
    await relay.listen(0);
    return relay;
  }

  get url(): string {
    return `http${this.#isTls ? 's' : ''}://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  get last(): number {
    return this.batches.at(-1)?.last ?? 0;
  }

  /** How many bytes each reading begins with. */
  get helloBytes(): number {
    return this.#hello().length;
  }

  append(transactions: readonly StatesTransaction[], options: { open?: boolean } = {}): void {
    const scns = transactions.flatMap(({ changes, schemaScn }) => [
      ...(schemaScn === undefined ? [] : [schemaScn]),
      ...changes.map(({ scn }) => scn),
    ]);
    const [first = this.last + 1] = scns;
    const last = scns.at(-1) ?? first - 1;
    const bytes = encodeStates(transactions, { firstScn: first, count: last - first + 1, ...options });
    this.batches.push({ bytes, first, last, open: options.open === true });
    for (const wake of this.#following) wake();
  }

  /** Ends all connections at once, as a killed process does, and listens no more. */
  async stop(): Promise<void> {
    this.#following.clear();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://relay');
    this.headers.push(request.headers);
    const [, reader] = /\/readers\/([^/]+)$/.exec(url.pathname) ?? [];
    if (reader !== undefined) {
      void this.#answerReader(reader, request, response);
      return;
    }
    if (!url.pathname.endsWith('/changes')) {
      const isStream = url.pathname.startsWith('/v1/streams/');
      const answer = isStream ? { created: new Date(this.createdMs).toISOString() } : [];
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      return;
    }
    this.readings.push(url.searchParams);
    const fault = this.faults.shift() ?? null;
    if (fault?.kind === 'answer') {
      response.writeHead(fault.status, { 'content-type': fault.type }).end(fault.body);
      return;
    }
    response.writeHead(200, { 'content-type': 'application/vnd.tidings.batches' });
    response.flushHeaders();
    if (fault?.kind === 'fail') {
      const failure = encodeControl({ kind: 'error', code: fault.code, message: 'the relay says so', hint: '' });
      response.write(Buffer.concat([this.#hello(), failure]), () => response.destroy());
      return;
    }
    void this.#send(url.searchParams, new FaultyBody(response, fault, this.pieceBytes));
  }

  async #answerReader(reader: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const piece of request.setEncoding('utf8')) body += String(piece);
    this.readerCalls.push(`${request.method} ${reader} ${body}`.trim());
    const fault = this.readerFaults.shift();
    if (fault !== undefined) {
      response.writeHead(fault.status, { 'content-type': fault.type }).end(fault.body);
      return;
    }
    if (request.method === 'DELETE') {
      response.writeHead(204).end();
      return;
    }
    const start = { created: new Date(this.createdMs).toISOString(), after: this.last, snapshot: 1 };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(start));
  }

  async #send(query: URLSearchParams, body: FaultyBody): Promise<void> {
    const from = this.#place(query.get('from') ?? 'earliest');
    await body.write(this.#hello());
    let next = this.batches.findIndex(({ last }) => last > from);
    if (next < 0) next = this.batches.length;
    for (;;) {
      for (; next < this.batches.length; next++) {
        const { bytes, last, open } = this.batches[next] as StoredStates;
        const progress = encodeControl({ kind: 'progress', scn: last, time: null });
        await body.write(this.sendsProgress && !open ? Buffer.concat([bytes, progress]) : bytes);
      }
      if (query.get('follow') !== 'true' || body.over) break;
      const woken = Promise.withResolvers<void>();
      this.#following.add(woken.resolve);
      body.onClose(woken.resolve);
      await woken.promise;
      this.#following.delete(woken.resolve);
    }
    body.end();
  }

  #hello(): Buffer {
    const [first] = this.batches;
    return encodeControl({
      kind: 'hello',
      stream: 'shop',
      created: this.createdMs,
      partitions: 8,
      first: first?.first ?? null,
      last: first === undefined ? null : this.last,
    });
  }

  #place(from: string): number {
    if (from === 'earliest') return 0;
    return from === 'latest' ? this.last : Number(from);
  }
}

/** A body that fails as it is told. */
class FaultyBody {
  over = false;
  readonly #response: ServerResponse;
  readonly #fault: Fault | null;
  readonly #pieceBytes: number;
  #written = 0;

  constructor(response: ServerResponse, fault: Fault | null, pieceBytes: number) {
    this.#response = response;
    this.#fault = fault;
    this.#pieceBytes = pieceBytes;
    response.on('close', () => {
      this.over = true;
    });
  }

  onClose(listener: () => void): void {
    if (this.over) listener();
    else this.#response.on('close', listener);
  }

  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length && !this.over; at += this.#pieceBytes) {
      await this.#writePiece(Buffer.from(bytes.subarray(at, at + this.#pieceBytes)));
    }
  }

  end(): void {
    if (!this.over) this.#response.end();
  }

  async #writePiece(piece: Buffer): Promise<void> {
    const fault = this.#fault;
    let rest = piece;
    if (fault?.kind === 'flip' && fault.atByte >= this.#written && fault.atByte < this.#written + piece.length) {
      const at = fault.atByte - this.#written;
      rest.writeUInt8(rest.readUInt8(at) ^ 1, at);
    }
    if ((fault?.kind === 'cut' || fault?.kind === 'stall') && this.#written + rest.length >= fault.afterBytes) {
      rest = rest.subarray(0, Math.max(0, fault.afterBytes - this.#written));
      this.over = true;
    }
    this.#written += rest.length;
    if (rest.length > 0) {
      const response = this.#response;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          response.off('close', done);
          resolve();
        };
        response.on('close', done);
        response.write(rest, done);
      });
    }
    if (this.over && fault?.kind === 'cut') this.#response.destroy();
  }
}

/** Transactions of the given sizes, behind `after`: the ids go round, so that each has states in order. */
export function makeTransactions(
  sizes: readonly number[],
  { after = 0, ids = 7 }: { after?: number; ids?: number } = {},
): StatesTransaction[] {
  let scn = after;
  return sizes.map((size) => ({
    committedAtUs: (scn + 1) * 1000,
    changes: Array.from({ length: size }, (): StateChange => {
      scn++;
      return { scn, id: scn % ids, state: Math.floor(scn / ids) };
    }),
  }));
}
