import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/**
 * A consumer that asks for a stream from its beginning and then reads nothing: not from the socket, so that the kernel's buffers fill
 * and the relay cannot get rid of a byte more.
 */
export class StoppedReader implements Disposable {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Resolves when the request is on its way. */
  static async start(url: string, stream: string, accept: string): Promise<StoppedReader> {
    const { hostname, port, host } = new URL(url);
    // Paused before it is connected: a flowing socket would read ahead.
    const socket = connect({ host: hostname, port: Number(port) }).pause();
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    const path = `/v1/streams/${stream}/changes?from=earliest&follow=true`;
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAccept: ${accept}\r\n\r\n`);
    return new StoppedReader(socket);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
