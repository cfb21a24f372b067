import { crc32 } from '../../../base/crc32.ts';
import { TidingsError } from '../../../core/errors.ts';
import { decodeFormatDescriptionEvent, type FormatDescriptionEvent } from '../binlog/format-description-event.ts';
import { EVENT_CHECKSUM_LENGTH, EVENT_HEADER_LENGTH } from '../binlog/event-header.ts';
import { EVENT, eventTypeName } from '../binlog/event-types.ts';
import { corrupt } from '../binlog/frame-errors.ts';
import type { MariadbGtidPosition } from '../gtid/mariadb-gtid.ts';
import type { MysqlGtidSet } from '../gtid/mysql-gtid-set.ts';
import type { BinlogPlace, Server } from '../server.ts';
import type { EventSource } from '../stream/event-source.ts';
import type { ByteIntake } from './byte-intake.ts';
import type { DumpConnection } from './dump-connection.ts';
import { binlogDumpCommand, binlogDumpGtidCommand, registerReplicaCommand } from './dump-commands.ts';
import { PacketReader } from './packet-reader.ts';

/** Where a dump begins. */
export type DumpStart =
  | { readonly kind: 'place'; readonly place: BinlogPlace }
  | { readonly kind: 'mysql-gtids'; readonly executed: MysqlGtidSet }
  | { readonly kind: 'mariadb-gtids'; readonly position: MariadbGtidPosition };

export interface SessionOptions {
  readonly serverId: number;
  readonly heartbeatMs: number;
  readonly eventBytesMax: number;
  /** Ask MariaDB for the SQL statements behind the rows; MySQL sends them when it logs them. */
  readonly annotate: boolean;
  /** The dump ends where the binlog does. Without it the server's thread outlives a closed connection until its next heartbeat. */
  readonly endsWithLog?: boolean;
  /** Closes the session. */
  readonly signal: AbortSignal;
}

/** How long the server may wait for us to read on. */
const WRITE_TIMEOUT_S = 24 * 3600;

/** The replication stream of one connection: events with verified checksums. */
export class BinlogSession implements EventSource {
  bytes: Buffer;
  view: DataView;
  start = 0;
  end = 0;
  /** Of the file being read. */
  format: FormatDescriptionEvent | null = null;

  readonly #intake: ByteIntake;
  readonly #packets: PacketReader;
  /** What the server announced for events before the first FORMAT_DESCRIPTION. */
  #checksums: boolean;
  #waitingSinceMs: number | null = null;
  readonly #watchdog: NodeJS.Timeout;
  readonly #signal: AbortSignal;
  readonly #onAbort = (): void => this.close();

  private constructor(intake: ByteIntake, { checksums, options }: { checksums: boolean; options: SessionOptions }) {
    this.#intake = intake;
    this.#packets = new PacketReader(intake, options);
    this.bytes = this.#packets.bytes;
    this.view = this.#packets.view;
    this.#checksums = checksums;
    // The server speaks at least once a heartbeat period: silence means a dead connection that TCP has not noticed.
    const silenceMaxMs = silenceMax(options.heartbeatMs);
    this.#watchdog = setInterval(
      () => {
        if (this.#waitingSinceMs === null || performance.now() - this.#waitingSinceMs < silenceMaxMs) return;
        intake.destroy(
          new TidingsError(
            'STREAM_STALLED',
            `the server sent nothing for ${silenceMaxMs} ms, though a heartbeat is due every ${options.heartbeatMs} ms`,
            {
              details: { silenceMaxMs },
            },
          ),
        );
      },
      Math.min(silenceMaxMs / 4, 1000),
    );
    this.#watchdog.unref();
    this.#signal = options.signal;
    this.#signal.addEventListener('abort', this.#onAbort);
  }

  /** Sets the session up and starts the dump. Owns the connection from then on. */
  static async start(
    connection: DumpConnection,
    server: Server,
    { from, options }: { from: DumpStart; options: SessionOptions },
  ): Promise<BinlogSession> {
    const { queries } = connection;
    const heartbeatNs = BigInt(options.heartbeatMs) * 1_000_000n;
    await queries.query(`SET @master_heartbeat_period = ${heartbeatNs}, @source_heartbeat_period = ${heartbeatNs}`);
    // A consumer may let the stream wait. The server's default would end the connection after a minute of it, and a transaction
    // that takes longer would begin again for ever.
    await queries.query(`SET SESSION net_write_timeout = ${WRITE_TIMEOUT_S}`);
    // Announces that we understand checksums; the server then sends them as its files have them.
    await queries.query(
      `SET @master_binlog_checksum = '${server.checksum}', @source_binlog_checksum = '${server.checksum}'`,
    );
    if (server.flavour === 'mariadb') {
      // 4: we understand GTID events. Without it the server rewrites them for old replicas.
      await queries.query('SET @mariadb_slave_capability = 4');
      if (from.kind === 'mariadb-gtids') {
        await queries.query(
          `SET @slave_connect_state = '${from.position.toString()}', @slave_gtid_strict_mode = 0, @slave_gtid_ignore_duplicates = 0`,
        );
      }
    }
    const intake = connection.takeOver();
    const session = new BinlogSession(intake, { checksums: server.checksum === 'CRC32', options });
    try {
      intake.write(registerReplicaCommand(options.serverId));
      await session.#expectOk();
      intake.write(dumpCommand(from, options));
    } catch (error) {
      session.close();
      throw error;
    }
    return session;
  }

  next(): boolean {
    const packets = this.#packets;
    if (!packets.next()) return false;
    const { bytes, view, start, end } = packets;
    if (end - start < EVENT_HEADER_LENGTH) {
      throw new TidingsError('BINLOG_TRUNCATED', `an event of ${end - start} bytes is shorter than its header`, {
        details: { length: end - start },
      });
    }
    const type = bytes[start + 4] as number;
    const length = view.getUint32(start + 9, true);
    if (length !== end - start) {
      throw corrupt(`an event of type ${type} says it has ${length} bytes, the packet has ${end - start}`, {
        type,
        length,
      });
    }
    this.bytes = bytes;
    this.view = view;
    this.start = start;
    this.end = this.#checkedEnd(type, { bytes, view, start, end });
    return true;
  }

  async fill(): Promise<boolean> {
    this.#waitingSinceMs = performance.now();
    await this.#packets.fill();
    this.#waitingSinceMs = null;
    return true;
  }

  /** Bytes taken from the connection so far. */
  get bytesRead(): number {
    return this.#packets.bytesRead;
  }

  close(): void {
    clearInterval(this.#watchdog);
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#intake.destroy(new TidingsError('CONNECTION_LOST', 'the connection was closed by Tidings'));
  }

  /** Verifies the checksum and returns where the body ends. */
  #checkedEnd(
    type: number,
    { bytes, view, start, end }: { bytes: Buffer; view: DataView; start: number; end: number },
  ): number {
    if (type === EVENT.FORMAT_DESCRIPTION) {
      const format = decodeFormatDescriptionEvent(bytes.subarray(start + EVENT_HEADER_LENGTH, end));
      this.format = format;
      this.#checksums = format.checksum === 'crc32';
      if (this.#checksums) this.#verify(type, { bytes, view, start, end });
      return end - EVENT_CHECKSUM_LENGTH;
    }
    const inFile = type === EVENT.ROTATE && view.getUint32(start + 13, true) !== 0;
    if (!inFile && (type === EVENT.ROTATE || type === EVENT.HEARTBEAT || type === EVENT.HEARTBEAT_V2)) {
      // The server makes these up for the connection, and which checksum setting it applies to them differs by version and by
      // the file it is about to open: they have one exactly when it fits.
      const summed = end - EVENT_CHECKSUM_LENGTH;
      return summed >= start + EVENT_HEADER_LENGTH && crc32(bytes, view, start, summed) === view.getInt32(summed, true)
        ? summed
        : end;
    }
    if (!this.#checksums) return end;
    this.#verify(type, { bytes, view, start, end });
    return end - EVENT_CHECKSUM_LENGTH;
  }

  #verify(
    type: number,
    { bytes, view, start, end }: { bytes: Buffer; view: DataView; start: number; end: number },
  ): void {
    const summed = end - EVENT_CHECKSUM_LENGTH;
    if (summed >= start + EVENT_HEADER_LENGTH && crc32(bytes, view, start, summed) === view.getInt32(summed, true)) {
      return;
    }
    const name = eventTypeName(type, this.format?.flavour ?? 'mysql');
    const nextPosition = view.getUint32(start + 13, true);
    throw new TidingsError(
      'BINLOG_CHECKSUM',
      `the checksum of a ${name} event that ends at offset ${nextPosition} is wrong`,
      {
        details: { event: name, nextPosition },
      },
    );
  }

  /** The answer to COM_REGISTER_SLAVE. */
  async #expectOk(): Promise<void> {
    this.#waitingSinceMs = performance.now();
    await this.#packets.expectOk();
    this.#waitingSinceMs = null;
  }
}

/** How long silence is bearable: ten heartbeats, which may each be late on a busy server; four where ten would take too long. */
function silenceMax(heartbeatMs: number): number {
  return Math.max(heartbeatMs * 4, Math.min(heartbeatMs * 10, 10_000));
}

function dumpCommand(from: DumpStart, { serverId, annotate, endsWithLog = false }: SessionOptions): Buffer {
  switch (from.kind) {
    case 'place':
      return binlogDumpCommand({ ...from.place, serverId, annotate, endsWithLog });
    case 'mysql-gtids':
      return binlogDumpGtidCommand({ gtidSet: from.executed.encode(), serverId });
    case 'mariadb-gtids':
      // File and offset are ignored: @slave_connect_state decides.
      return binlogDumpCommand({ file: '', offset: 4, serverId, annotate, endsWithLog });
  }
}
