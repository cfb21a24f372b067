import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { DumpEditor, DumpWatcher, type EventEdit } from './replication-stream.ts';

/**
 * How a connection ends once its bytes are used up.
 *
 * - `close`: both sides are closed in good order, in the middle of whatever was being sent.
 * - `reset`: both sides get a TCP reset.
 * - `stall`: nothing is passed on any more, and neither side is told when the other goes: a firewall that has lost the connection.
 * - `half-open`: the server is gone, and the client's side stays open and silent.
 */
export type FaultEnd = 'close' | 'reset' | 'stall' | 'half-open';

/** What happens to one connection. Empty: it passes through. */
export interface Faults {
  /** Accept and reset at once. */
  readonly refuse?: boolean;
  /** Bytes from the server that are passed on before the end. */
  readonly afterBytes?: number;
  /** Bytes from the client that are passed on before the end. */
  readonly afterSentBytes?: number;
  /** Where `afterBytes` begins to count and `chunkBytes` to cut: at the first byte, or at the dump's first. @default 'connect' */
  readonly countFrom?: 'connect' | 'dump';
  /** @default 'close' */
  readonly end?: FaultEnd;
  /** Pass on so many bytes at a time, each in a packet of its own as far as TCP lets us. */
  readonly chunkBytes?: number;
  /** Wait so long before each piece, in both directions. */
  readonly delayMs?: number;
  /** Change the dump's events. */
  readonly edit?: EventEdit;
  /** Packets keep the server's numbers, so that an event left out leaves a gap. */
  readonly keepNumbers?: boolean;
}

export interface Upstream {
  readonly host: string;
  readonly port: number;
}

/**
 * A TCP proxy between a client and a real server that does harm on request.
 *
 * Connection n (counted from 0 over the proxy's life) gets the faults that `script` gives it; without a script all pass through.
 */
export class FaultProxy implements AsyncDisposable {
  /** Decides about each new connection. */
  script: (connection: number) => Faults = () => ({});
  readonly connections: ProxiedConnection[] = [];
  #onDump: (() => void)[] = [];
  #upstream: Upstream;
  #server: Server;
  readonly #port: number;

  private constructor(upstream: Upstream, server: Server) {
    this.#upstream = upstream;
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#accept(client));
  }

  static async start(upstream: Upstream): Promise<FaultProxy> {
    return new FaultProxy(upstream, await listen(0));
  }

  /** The URL of the server behind, with the proxy's port. */
  url(user = 'root'): string {
    return `mysql://${user}@127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** How many connections were ended by their own faults. */
  get faulted(): number {
    return this.connections.filter(({ faulted }) => faulted).length;
  }

  /** The open connection on which the binlog was asked for last; waits until there is one. */
  async dump(): Promise<ProxiedConnection> {
    for (;;) {
      const dump = this.connections.findLast(({ dumping, over }) => dumping && !over);
      if (dump !== undefined) return dump;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onDump.push(resolve);
      await promise;
    }
  }

  /** New connections go to another server; what is open stays. */
  switchTo(upstream: Upstream): void {
    this.#upstream = upstream;
  }

  /** Ends every open connection. */
  endAll(how: FaultEnd = 'close'): void {
    for (const connection of this.connections) connection.end(how);
  }

  /** Nothing listens on the port any more: connecting is refused by the kernel. */
  async stopListening(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    // A listening socket counts as closed only when its connections are.
    this.endAll('reset');
    await closed;
  }

  async listenAgain(): Promise<void> {
    this.#server = await listen(this.#port);
    this.#server.on('connection', (client) => this.#accept(client));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.connections) connection.destroy();
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  #accept(client: Socket): void {
    const faults = this.script(this.connections.length);
    this.connections.push(
      new ProxiedConnection(client, this.#upstream, {
        faults,
        onDump: () => {
          for (const wake of this.#onDump.splice(0)) wake();
        },
      }),
    );
  }
}

async function listen(port: number): Promise<Server> {
  // Paused: what a client sends waits until there is somebody to send it to.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** One client, its server, and what happens between them. */
export class ProxiedConnection {
  /** Bytes from the server that were passed on. */
  bytesPassed = 0;
  /** The same, from the first byte of the dump on. */
  dumpBytesPassed = 0;
  readonly #client: Socket;
  readonly #server = new Socket({ allowHalfOpen: true });
  readonly #faults: Faults;
  readonly #onDump: () => void;
  readonly #dump = new DumpWatcher();
  readonly #editor: DumpEditor | null;
  #sentBytes = 0;
  #losesAnswerTo: string | null = null;
  #losesNext = false;
  /** Nothing passes any more. */
  #over = false;
  readonly #ended = Promise.withResolvers<void>();

  constructor(client: Socket, upstream: Upstream, { faults, onDump }: { faults: Faults; onDump: () => void }) {
    this.#client = client;
    this.#onDump = onDump;
    this.#faults = faults;
    this.#editor =
      faults.edit === undefined ? null : new DumpEditor(faults.edit, { keepNumbers: faults.keepNumbers ?? false });
    for (const socket of [client, this.#server]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.#gone());
      socket.on('close', () => this.#gone());
      socket.on('end', () => this.#gone());
    }
    if (faults.refuse === true) {
      this.end('reset');
      return;
    }
    this.#server.connect({ host: upstream.host, port: upstream.port }, () => client.resume());
    client.on('data', (chunk) => void this.#upward(chunk));
    this.#server.on('data', (chunk) => void this.#downward(chunk));
  }

  /** The client has asked for the binlog on this connection. */
  get dumping(): boolean {
    return this.#dump.started;
  }

  /** Its own faults have ended it. */
  faulted = false;

  /** The connection no longer passes anything on. */
  get over(): boolean {
    return this.#over;
  }

  /** Resolves when a fault, the proxy or one of the two has ended it. */
  ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** The next time that the client sends this text, the server gets it, and its answer goes astray with the connection. */
  loseAnswerTo(text: string): void {
    this.#losesAnswerTo = text;
  }

  /** Ends it now. */
  end(how: FaultEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended.resolve();
    switch (how) {
      case 'close':
        this.#client.end(() => this.#client.destroy());
        this.#server.end(() => this.#server.destroy());
        return;
      case 'reset':
        this.#client.resetAndDestroy();
        this.#server.resetAndDestroy();
        return;
      case 'stall':
        // Both kept open: without an end there is no FIN, and unread bytes are not acknowledged for ever.
        this.#client.pause();
        this.#server.pause();
        return;
      case 'half-open':
        this.#client.pause();
        this.#server.resetAndDestroy();
    }
  }

  destroy(): void {
    this.#over = true;
    this.#client.destroy();
    this.#server.destroy();
    this.#ended.resolve();
  }

  /** One of the two went away: so does the other, unless the connection stands still by order. */
  #gone(): void {
    if (this.#over) return;
    this.end('close');
  }

  #fault(): void {
    if (this.#over) return;
    this.faulted = true;
    this.end(this.#faults.end ?? 'close');
  }

  async #upward(chunk: Buffer): Promise<void> {
    const { afterSentBytes } = this.#faults;
    const before = this.#dump.started;
    if (this.#losesAnswerTo !== null && chunk.includes(this.#losesAnswerTo)) this.#losesNext = true;
    this.#dump.see(chunk);
    if (this.#dump.started && !before) this.#onDump();
    const room = afterSentBytes === undefined ? Infinity : afterSentBytes - this.#sentBytes;
    const passed = chunk.subarray(0, Math.min(room, chunk.length));
    this.#sentBytes += passed.length;
    await this.#pass(passed, { from: this.#client, to: this.#server });
    if (chunk.length >= room) this.#fault();
  }

  async #downward(chunk: Buffer): Promise<void> {
    if (this.#losesNext) {
      this.#fault();
      return;
    }
    const { afterBytes, countFrom } = this.#faults;
    const dumping = this.dumping;
    const bytes = dumping && this.#editor !== null ? this.#editor.pass(chunk) : chunk;
    const counted = countFrom === 'dump' ? this.dumpBytesPassed : this.bytesPassed;
    const counts = afterBytes !== undefined && (countFrom !== 'dump' || dumping);
    const room = counts ? afterBytes - counted : Infinity;
    const passed = bytes.subarray(0, Math.min(room, bytes.length));
    this.bytesPassed += passed.length;
    if (dumping) this.dumpBytesPassed += passed.length;
    await this.#pass(passed, { from: this.#server, to: this.#client });
    if (bytes.length >= room) this.#fault();
  }

  /** Passes bytes on, and takes no more from their sender until they are gone: backpressure reaches through the proxy. */
  async #pass(bytes: Buffer, { from, to }: { from: Socket; to: Socket }): Promise<void> {
    if (this.#over) return;
    const { countFrom, delayMs = 0 } = this.#faults;
    const chunkBytes = countFrom === 'dump' && !this.dumping ? bytes.length : (this.#faults.chunkBytes ?? bytes.length);
    from.pause();
    for (let at = 0; at < bytes.length && !this.#over; at += chunkBytes) {
      if (delayMs > 0) await sleep(delayMs);
      if (!this.#over) await written(to, bytes.subarray(at, at + chunkBytes));
    }
    if (!this.#over) from.resume();
  }
}

/** Resolves when the kernel has taken the bytes, or the socket is gone. */
function written(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) {
      resolve();
      return;
    }
    socket.write(bytes, () => resolve());
  });
}
