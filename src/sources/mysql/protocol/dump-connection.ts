import type { Connection } from 'mysql2';
import { authenticate, nameForTls, QueryConnection, type ServerAddress } from '../../../drivers/mysql/connect.ts';
import { type ByteIntake, SocketIntake, StreamIntake } from './byte-intake.ts';

/** A connection that asks its set-up questions through the driver, then becomes the replication stream. */
export class DumpConnection {
  readonly queries: QueryConnection;
  readonly #connection: Connection;
  readonly #socket: SocketIntake;
  readonly #tls: boolean;

  private constructor(connection: Connection, socket: SocketIntake, address: ServerAddress) {
    this.#connection = connection;
    this.#socket = socket;
    this.#tls = address.tls !== null;
    this.queries = new QueryConnection(connection, address);
  }

  /** The signal ends the attempt, not the connection that it made. */
  static async open(address: ServerAddress, signal?: AbortSignal): Promise<DumpConnection> {
    const socket = new SocketIntake(
      address.socketPath === null ? { host: address.host, port: address.port } : { path: address.socketPath },
    );
    nameForTls(socket.socket, address);
    const abandon = (): void => socket.destroy();
    signal?.addEventListener('abort', abandon);
    try {
      // Query attributes would stand in front of every statement that whoever takes the connection over sends.
      const extra = { stream: () => socket.socket, flags: ['-CLIENT_QUERY_ATTRIBUTES'] };
      return new DumpConnection(await authenticate(address, extra), socket, address);
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abandon);
    }
  }

  /**
   * Ends the driver's part. The server is silent between its last answer and the dump command, so no byte can be left in the
   * driver's hands: it has parsed the last answer to its end before it called back.
   */
  takeOver(): ByteIntake {
    // The driver reports the end of a connection that it believes to own as an error event; nobody is interested any more.
    this.#connection.on('error', () => undefined);
    if (!this.#tls) {
      this.#socket.takeOver();
      return this.#socket;
    }
    // With TLS the driver has wrapped our socket; what it reads is `stream` by now.
    return new StreamIntake((this.#connection as unknown as { readonly stream: import('node:stream').Duplex }).stream);
  }

  close(): void {
    this.queries.close();
    this.#socket.destroy();
  }
}
