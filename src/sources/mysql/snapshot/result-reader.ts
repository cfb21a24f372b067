import { TidingsError } from '../../../core/errors.ts';
import { type ByteIntake, HEAD_BYTES } from '../protocol/byte-intake.ts';
import { serverError } from '../../../drivers/mysql/server-errors.ts';
import { RowBuffer } from './row-buffer.ts';

/** What the server may still send when a result set is given up: more of it costs more than a new connection. */
const DRAIN_BYTES_MAX = 2 * 1024 * 1024;
const PACKET_BYTES_MAX = 0xff_ffff;
const COM_QUERY = 3;
/** First byte of a packet. */
const OK = 0;
const EOF = 0xfe;
const ERR = 0xff;
/** An EOF packet is shorter; a row that begins with 0xfe has a length of eight bytes next. */
const EOF_BYTES_MAX = 9;

/** A row of a small result, by column name; every value is text. */
export type TextRow = Readonly<Record<string, string | null>>;

export interface RowLimits {
  /** No more rows than that. */
  readonly count: number;
  /** No row is begun behind the one that passes this sum, and none that is larger by itself is added to others. */
  readonly bytes: number;
}

/**
 * Statements and the result sets that answer them in the text protocol, over a connection that is authenticated. One at a time.
 *
 *     request     length u24 LE, sequence u8 (0), COM_QUERY u8, the statement
 *     answer      packets of the same form: one with the count of columns (or OK, or ERR), one for each column, EOF, one for each row, EOF
 *     ends with   ERR at any place, instead
 *
 * A payload of 2^24 - 1 bytes goes on in the next packet. Rows stay where they were received, in a `RowBuffer`.
 * Source: MySQL, "Client/Server Protocol", COM_QUERY and text result set, without CLIENT_DEPRECATE_EOF.
 */
export class ResultReader {
  readonly #intake: ByteIntake;
  readonly #small = new RowBuffer();
  /** Where the packets of the result set at hand are collected. */
  #buffer: RowBuffer = this.#small;
  /** The next packet's header. */
  #at = 0;
  #sequence = 0;
  /** The packet at hand, without its header. */
  #start = 0;
  #end = 0;
  /** How far the packet at hand is put together, while it is one of several. */
  #joined = -1;
  /** Bytes that the rows of the last `rows` took on the wire. */
  taken = 0;
  #waitingSinceMs: number | null = null;
  readonly #watchdog: NodeJS.Timeout;
  #isIdle = true;
  #isClosed = false;

  /** Longest silence of a server that is to say something. */
  answerTimeoutMs: number;

  constructor(intake: ByteIntake, { answerTimeoutMs }: { readonly answerTimeoutMs: number }) {
    this.#intake = intake;
    this.answerTimeoutMs = answerTimeoutMs;
    this.#watchdog = setInterval(
      () => {
        const silentMs = this.#waitingSinceMs === null ? 0 : performance.now() - this.#waitingSinceMs;
        if (silentMs < this.answerTimeoutMs) return;
        this.close(new TidingsError('CONNECTION_LOST', `the server said nothing for ${this.answerTimeoutMs} ms`));
      },
      Math.min(answerTimeoutMs / 4, 1000),
    );
    this.#watchdog.unref();
  }

  /** Nothing is left of an answer: the next statement may be sent. */
  get isIdle(): boolean {
    return this.#isIdle;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(error: TidingsError = closedHere()): void {
    this.#isClosed = true;
    clearInterval(this.#watchdog);
    this.#intake.destroy(error);
  }

  /** A statement with a small answer. @throws TidingsError what the server says; CONNECTION_LOST */
  async query(sql: string): Promise<readonly TextRow[]> {
    const columns = await this.#send(sql, this.#small);
    if (columns === 0) return [];
    const names: string[] = [];
    for (let i = 0; i < columns; i++) {
      // oxlint-disable-next-line no-await-in-loop -- packets follow one another
      await this.#packet();
      names.push(this.#columnName());
    }
    await this.#expectEof();
    const rows: TextRow[] = [];
    // oxlint-disable-next-line no-await-in-loop -- as above
    while (await this.#row()) rows.push(this.#textRow(names));
    return rows;
  }

  /** Sends a SELECT; its rows are then collected in the buffer by `rows`. */
  async select(sql: string, buffer: RowBuffer): Promise<void> {
    buffer.clear();
    const columns = await this.#send(sql, buffer);
    for (let i = 0; i < columns; i++) {
      // oxlint-disable-next-line no-await-in-loop -- packets follow one another
      await this.#packet();
    }
    await this.#expectEof();
  }

  /** The first row is there, or it is known that there is none. What it begins with stays in the buffer. */
  async firstByte(): Promise<void> {
    while (this.#buffer.filled === this.#at) {
      // oxlint-disable-next-line no-await-in-loop -- reads follow one another
      await this.#fill();
    }
  }

  /**
   * Collects rows until the result set ends (true), or a limit is reached (false): then it goes on with `continueIn`, `drain` or not at
   * all.
   */
  async rows({ count, bytes }: RowLimits): Promise<boolean> {
    this.taken = 0;
    let sum = 0;
    for (;;) {
      const buffer = this.#buffer;
      const { view, bytes: packets, filled } = buffer;
      // The usual row lies complete in the buffer.
      let at = this.#at;
      while (filled - at > 4) {
        const header = view.getUint32(at, true);
        const length = header & PACKET_BYTES_MAX;
        if (length > bytes && buffer.count > 0) {
          // It comes alone in the next chunk; in this one the memory of both would be held at once.
          this.#at = at;
          this.taken = sum;
          return false;
        }
        const end = at + 4 + length;
        if (end > filled || length === PACKET_BYTES_MAX) break;
        const first = packets[at + 4] as number;
        if (first >= EOF && (first === ERR || length < EOF_BYTES_MAX)) break;
        if (header >>> 24 !== this.#sequence || length === 0) break;
        this.#sequence = (this.#sequence + 1) & 0xff;
        buffer.addRow(at + 4, end);
        at = end;
        sum += length + 4;
        if (sum > bytes || buffer.count === count) {
          this.#at = at;
          this.taken = sum;
          return false;
        }
      }
      this.#at = at;
      if (filled - at <= 4) {
        // oxlint-disable-next-line no-await-in-loop -- reads follow one another
        await this.#fill();
        continue;
      }
      // Every other packet takes the long way: the end, an error, a row that is not complete or comes in several packets.
      // oxlint-disable-next-line no-await-in-loop -- packets follow one another
      if (!(await this.#row())) {
        this.taken = sum;
        return true;
      }
      this.#buffer.addRow(this.#start, this.#end);
      sum += this.#end - this.#start + 4;
      this.taken = sum;
      if (sum > bytes || this.#buffer.count === count) return false;
    }
  }

  /** The rows that follow go into another buffer, from its beginning. */
  continueIn(buffer: RowBuffer): void {
    const { bytes, filled } = this.#buffer;
    buffer.clear();
    buffer.append(bytes, this.#at, filled);
    this.#buffer = buffer;
    this.#at = 0;
  }

  /** Reads the rest of the result set away; false, and the connection is of no use any more, when that is much. */
  async drain(rowsLeft: number): Promise<boolean> {
    const average = this.#buffer.count === 0 ? 0 : this.#at / this.#buffer.count;
    if (rowsLeft * average > DRAIN_BYTES_MAX) return false;
    this.continueIn(this.#small);
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- packets follow one another
      const ended = await this.rows({ count: 1, bytes: DRAIN_BYTES_MAX });
      if (ended) return true;
      if (this.#small.filled > DRAIN_BYTES_MAX) return false;
      this.#small.count = 0;
    }
  }

  /** Returns the count of columns; 0 when the answer is no result set. */
  async #send(sql: string, buffer: RowBuffer): Promise<number> {
    if (!this.#isIdle) throw new TidingsError('PROTOCOL_VIOLATION', 'a statement before the end of the last answer');
    if (this.#isClosed) throw closedHere();
    this.#isIdle = false;
    this.#buffer = buffer;
    buffer.clear();
    this.#at = 0;
    for (const packet of queryPackets(sql)) this.#intake.write(packet);
    this.#sequence = packetsOf(sql);
    await this.#packet();
    const { bytes } = buffer;
    const first = bytes[this.#start] as number;
    if (first === OK) {
      this.#isIdle = true;
      return 0;
    }
    const [columns] = lengthAt(buffer, this.#start);
    if (first > 0xfc || columns === 0) {
      throw new TidingsError('PROTOCOL_VIOLATION', `an answer starts with ${first}`, { details: { first } });
    }
    return columns;
  }

  /** False at the end of the result set. */
  async #row(): Promise<boolean> {
    await this.#packet();
    if (!this.#isEof()) return true;
    this.#isIdle = true;
    return false;
  }

  async #expectEof(): Promise<void> {
    await this.#packet();
    if (!this.#isEof()) throw new TidingsError('PROTOCOL_VIOLATION', 'the definitions of columns do not end');
  }

  #isEof(): boolean {
    return this.#buffer.bytes[this.#start] === EOF && this.#end - this.#start < EOF_BYTES_MAX;
  }

  /** Waits for the next packet, joined when it is one of several. @throws TidingsError when it says an error */
  async #packet(): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- reads follow one another
    while (!this.#complete()) await this.#fill();
    if (this.#buffer.bytes[this.#start] === ERR && this.#end > this.#start) {
      this.#isIdle = true;
      throw serverError(this.#buffer.bytes.subarray(this.#start, this.#end));
    }
    if (this.#end === this.#start) throw new TidingsError('PROTOCOL_VIOLATION', 'an empty packet');
  }

  #complete(): boolean {
    const buffer = this.#buffer;
    for (;;) {
      // Of a row of several packets: what has come lies from #start to #joined, the next header at #joined.
      const at = this.#joined < 0 ? this.#at : this.#joined;
      if (buffer.filled - at < 4) return false;
      const header = buffer.view.getUint32(at, true);
      const length = header & PACKET_BYTES_MAX;
      if (buffer.filled - at - 4 < length) {
        buffer.reserve(at + 4 + length + 4);
        return false;
      }
      if (header >>> 24 !== this.#sequence) throw wrongSequence(header >>> 24, this.#sequence);
      this.#sequence = (this.#sequence + 1) & 0xff;
      if (this.#joined < 0) {
        this.#start = at + 4;
        this.#joined = this.#start;
      } else {
        buffer.cut(at, at + 4);
      }
      this.#joined += length;
      if (length === PACKET_BYTES_MAX) continue;
      this.#end = this.#joined;
      this.#at = this.#joined;
      this.#joined = -1;
      return true;
    }
  }

  async #fill(): Promise<void> {
    this.#waitingSinceMs = performance.now();
    let count: number;
    try {
      count = await this.#intake.read();
    } catch (error) {
      if (this.#isClosed) throw error;
      this.#isClosed = true;
      throw new TidingsError('CONNECTION_LOST', 'the connection that reads a snapshot failed', { cause: error });
    } finally {
      this.#waitingSinceMs = null;
    }
    if (count === 0) {
      this.close();
      throw new TidingsError('CONNECTION_LOST', 'the server closed the connection that reads a snapshot');
    }
    this.#buffer.append(this.#intake.buffer, HEAD_BYTES, HEAD_BYTES + count);
  }

  /** Of a column definition: catalog, schema, table, original table, then the name, each with its length in front. */
  #columnName(): string {
    const buffer = this.#buffer;
    let at = this.#start;
    for (let i = 0; i < 4; i++) {
      const [length, from] = lengthAt(buffer, at);
      at = from + length;
    }
    const [length, from] = lengthAt(buffer, at);
    return buffer.bytes.toString('utf8', from, from + length);
  }

  #textRow(names: readonly string[]): TextRow {
    const buffer = this.#buffer;
    const row: Record<string, string | null> = Object.create(null) as Record<string, string | null>;
    let at = this.#start;
    for (const name of names) {
      if (buffer.bytes[at] === 0xfb) {
        row[name] = null;
        at++;
        continue;
      }
      const [length, from] = lengthAt(buffer, at);
      at = from + length;
      row[name] = buffer.bytes.toString('utf8', from, at);
    }
    return row;
  }
}

/** A length-encoded number, and where it ends. */
function lengthAt({ bytes, view }: RowBuffer, at: number): readonly [number, number] {
  const first = bytes[at] as number;
  if (first < 0xfb) return [first, at + 1];
  if (first === 0xfc) return [view.getUint16(at + 1, true), at + 3];
  if (first === 0xfd) return [view.getUint32(at, true) >>> 8, at + 4];
  return [Number(view.getBigUint64(at + 1, true)), at + 9];
}

function packetsOf(sql: string): number {
  return (Math.floor((Buffer.byteLength(sql) + 1) / PACKET_BYTES_MAX) + 1) & 0xff;
}

function queryPackets(sql: string): Buffer[] {
  const payload = Buffer.allocUnsafe(1 + Buffer.byteLength(sql));
  payload[0] = COM_QUERY;
  payload.write(sql, 1);
  const packets: Buffer[] = [];
  for (let at = 0, sequence = 0; ; at += PACKET_BYTES_MAX, sequence++) {
    const part = payload.subarray(at, at + PACKET_BYTES_MAX);
    const packet = Buffer.allocUnsafe(4 + part.length);
    packet.writeUInt32LE((part.length | ((sequence & 0xff) << 24)) >>> 0, 0);
    part.copy(packet, 4);
    packets.push(packet);
    if (part.length < PACKET_BYTES_MAX) return packets;
  }
}

function wrongSequence(sequence: number, expected: number): TidingsError {
  return new TidingsError('PROTOCOL_VIOLATION', `packet ${sequence} came where ${expected} was due`, {
    details: { sequence, expected },
  });
}

function closedHere(): TidingsError {
  return new TidingsError('CONNECTION_LOST', 'the connection was closed by Tidings');
}
