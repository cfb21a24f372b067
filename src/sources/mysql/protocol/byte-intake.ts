import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { driverError } from '../../../drivers/mysql/server-errors.ts';

/** Bytes that one read can bring. */
const READ_BYTES = 256 * 1024;
/** A read that brings so much keeps the thread for a while. */
const BUSY_BYTES = 128 * 1024;
/** Room in front of the read area for what the previous read left over; events beyond it take the growing path of PacketReader. */
export const HEAD_BYTES: number = 1024 * 1024;

/**
 * The socket's side of the replication stream: one fixed buffer, one read at a time, on request.
 *
 * Backpressure (I7): the socket is read only between `read()` and its result. While the consumer works, the kernel's
 * socket buffer fills and the server's dump thread waits.
 */
export interface ByteIntake {
  /** HEAD_BYTES of room, then the area that reads fill. */
  readonly buffer: Buffer;
  /** Resolves with the count of bytes that lie from HEAD_BYTES on; 0 when the server has closed the connection. Rejects when the socket fails. */
  read(): Promise<number>;
  write(bytes: Buffer): void;
  destroy(error?: Error): void;
}

interface Waiter {
  resolve(count: number): void;
  reject(error: Error): void;
}

/** Keeps the state that both kinds of intake share: who waits, and how the connection ended. */
class ReadState {
  #waiter: Waiter | null = null;
  #failure: Error | null = null;
  #ended = false;

  get waiting(): boolean {
    return this.#waiter !== null;
  }

  /** The promise of the next read; settled already when the connection is over. */
  wait(): Promise<number> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.resolve(0);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  deliver(count: number): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.resolve(count);
  }

  fail(error: Error): void {
    this.#failure ??= error;
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.reject(this.#failure);
  }

  end(): void {
    this.#ended = true;
    this.deliver(0);
  }
}

/**
 * A TCP or Unix socket that the kernel reads straight into our buffer (`onread`): no Buffer per chunk, no stream machinery.
 *
 * The MySQL driver needs an ordinary stream until the connection is authenticated, so until `takeOver` every read is also
 * emitted as 'data', copied.
 */
export class SocketIntake implements ByteIntake {
  readonly buffer: Buffer = Buffer.allocUnsafeSlow(HEAD_BYTES + READ_BYTES);
  readonly socket: Socket;
  readonly #state = new ReadState();
  #takenOver = false;
  /** The last read brought so much that more is waiting. */
  #isBusy = false;
  /** The socket is being read. Only the system's calls to change that cost something, so it is not changed back and forth. */
  #isReading = true;

  constructor(target: { readonly host: string; readonly port: number } | { readonly path: string }) {
    this.socket = connectTcp({
      ...target,
      onread: {
        buffer: new Uint8Array(this.buffer.buffer, HEAD_BYTES, READ_BYTES),
        callback: (count) => this.#onRead(count),
      },
    });
    // Acknowledgements and commands are small: Nagle's algorithm would hold them back for 40 ms.
    this.socket.setNoDelay(true);
  }

  /** From now on reads belong to `read()`. The driver's listeners are gone: it must not be used for this connection any more. */
  takeOver(): void {
    this.#takenOver = true;
    this.#isReading = false;
    this.socket.pause();
    adopt(this.socket, this.#state);
  }

  read(): Promise<number> {
    const result = this.#state.wait();
    if (!this.#state.waiting) return result;
    if (this.#isReading) return result;
    this.#isReading = true;
    // libuv reads the same socket up to 32 times before it looks at anything else: readers, timers and the disk's answers would wait
    // for all of that.
    if (this.#isBusy) setImmediate(() => this.socket.resume());
    else this.socket.resume();
    return result;
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  destroy(error?: Error): void {
    if (error !== undefined) this.#state.fail(error);
    this.socket.destroy();
  }

  /** What comes now would overwrite what the consumer still works on. */
  readonly #stopUnlessAsked = (): void => {
    if (this.#state.waiting || !this.#isReading) return;
    this.#isReading = false;
    this.socket.pause();
  };

  /** Returns false to stop reading until the next `resume()`. */
  #onRead(count: number): boolean {
    if (this.#takenOver) {
      this.#isBusy = count >= BUSY_BYTES;
      this.#isReading = !this.#isBusy;
      this.#state.deliver(count);
      // Mostly the consumer asks for more before the event loop comes to look at the socket again.
      if (this.#isReading) setImmediate(this.#stopUnlessAsked);
      return this.#isReading;
    }
    this.socket.emit('data', Buffer.from(this.buffer.subarray(HEAD_BYTES, HEAD_BYTES + count)));
    return !this.#takenOver;
  }
}

/** A TLS socket: the bytes come decrypted in chunks of its own making and are copied into the buffer. */
export class StreamIntake implements ByteIntake {
  readonly buffer: Buffer = Buffer.allocUnsafeSlow(HEAD_BYTES + READ_BYTES);
  readonly #stream: Duplex;
  readonly #state = new ReadState();
  /** What a chunk larger than the read area left over, or what arrived before anyone asked. */
  #rest: Buffer | null = null;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.pause();
    adopt(stream, this.#state);
    stream.on('data', (chunk: Buffer) => {
      this.#rest = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
      stream.pause();
      if (this.#state.waiting) this.#state.deliver(this.#take(this.#rest));
    });
    // Adding the listener made the stream flow; it waits for the first read.
    stream.pause();
  }

  read(): Promise<number> {
    if (this.#rest !== null) return Promise.resolve(this.#take(this.#rest));
    const result = this.#state.wait();
    if (this.#state.waiting) this.#stream.resume();
    return result;
  }

  write(bytes: Buffer): void {
    this.#stream.write(bytes);
  }

  destroy(error?: Error): void {
    if (error !== undefined) this.#state.fail(error);
    this.#stream.destroy();
  }

  #take(chunk: Buffer): number {
    const count = Math.min(chunk.length, READ_BYTES);
    chunk.copy(this.buffer, HEAD_BYTES, 0, count);
    this.#rest = count < chunk.length ? chunk.subarray(count) : null;
    return count;
  }
}

/** Replaces the driver's listeners by ours: from here on nobody else reacts to this socket. */
function adopt(stream: Duplex, state: ReadState): void {
  for (const event of ['data', 'end', 'close', 'error']) stream.removeAllListeners(event);
  stream.on('error', (error: Error) => state.fail(driverError(error, 'the replication connection failed')));
  stream.on('end', () => state.end());
  stream.on('close', () => state.end());
}
