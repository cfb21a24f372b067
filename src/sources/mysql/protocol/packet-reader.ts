import { LargeMemory } from '../../../base/large-memory.ts';
import { TidingsError } from '../../../core/errors.ts';
import { HEAD_BYTES, type ByteIntake } from './byte-intake.ts';
import { serverError } from '../../../drivers/mysql/server-errors.ts';

/**
 * Cuts the replication stream into binlog events, in place: an event is a range of the intake's buffer.
 *
 *     packet    length u24 LE, sequence u8, payload; a payload of 2^24 - 1 bytes goes on in the next packet
 *     payload   status u8: 0 an event follows, 0xff the server's error, 0xfe the end of the stream
 *
 * What a read leaves incomplete is moved to end right before the read area, so that the next read continues it. An event that
 * would not fit there, or that spans several packets, is collected in memory of its own, which the next such event uses again.
 *
 * An event stays valid until the next `fill()`.
 * Source: MySQL, "Client/Server Protocol", packets and COM_BINLOG_DUMP response.
 */
export class PacketReader {
  /** The current event, after `next()` has returned true: header included, checksum included. */
  bytes: Buffer;
  view: DataView;
  start = 0;
  end = 0;
  /** Bytes of packets taken from the stream so far. */
  bytesRead = 0;

  readonly #intake: ByteIntake;
  readonly #main: Buffer;
  readonly #mainView: DataView;
  readonly #eventBytesMax: number;
  /** What is still to be cut lies between these two in the main buffer. */
  #from = HEAD_BYTES;
  #to = HEAD_BYTES;
  /** The next packet's sequence number; the server counts on from the command's 0. */
  #sequence = 1;
  #large: LargeEvent | null = null;
  readonly #memory: LargeMemory = new LargeMemory();
  /** Of the large event that was handed out since the last `fill`. */
  #inUse: Buffer | null = null;

  constructor(intake: ByteIntake, { eventBytesMax }: { eventBytesMax: number }) {
    this.#intake = intake;
    this.#main = intake.buffer;
    this.#mainView = new DataView(this.#main.buffer, this.#main.byteOffset, this.#main.byteLength);
    this.#eventBytesMax = eventBytesMax;
    this.bytes = this.#main;
    this.view = this.#mainView;
  }

  /** Reads once. Everything handed out before is invalid afterwards. */
  async fill(): Promise<void> {
    this.#endLarge();
    const rest = this.#to - this.#from;
    if (rest > 0) this.#main.copyWithin(HEAD_BYTES - rest, this.#from, this.#to);
    this.#from = HEAD_BYTES - rest;
    this.#to = HEAD_BYTES;
    const count = await this.#intake.read();
    if (count === 0) {
      throw new TidingsError('CONNECTION_LOST', 'the server closed the replication connection');
    }
    this.#to = HEAD_BYTES + count;
    this.bytesRead += count;
  }

  /** Moves on to the next complete event; false when the next `fill()` is due. */
  next(): boolean {
    if (this.#large !== null) return this.#continueLarge(this.#large);
    const available = this.#to - this.#from;
    if (available < 4) return false;
    const main = this.#main;
    const from = this.#from;
    const header = this.#mainView.getUint32(from, true);
    const length = header & 0xffffff;
    if (length === 0xffffff || length + 4 > HEAD_BYTES) return this.#startLarge();
    if (available < length + 4) return false;
    this.#checkSequence(header >>> 24);
    this.#from = from + 4 + length;
    if (main[from + 4] !== 0 || length === 0) this.#checkStatus(from + 4, length);
    this.bytes = main;
    this.view = this.#mainView;
    this.start = from + 5;
    this.end = from + 4 + length;
    return true;
  }

  /** Waits for the OK packet that answers a command sent before the dump; the next command starts a sequence of its own. */
  async expectOk(): Promise<void> {
    let length = 0;
    for (;;) {
      const available = this.#to - this.#from;
      if (available >= 4) {
        length = this.#main.readUIntLE(this.#from, 3);
        if (available >= length + 4) break;
      }
      // oxlint-disable-next-line no-await-in-loop -- each read waits for the one before
      await this.fill();
    }
    this.#checkStatus(this.#from + 4, length);
    this.#from += length + 4;
    this.#sequence = 1;
  }

  #checkSequence(sequence: number): void {
    if (sequence !== this.#sequence) {
      throw new TidingsError('PROTOCOL_VIOLATION', `packet ${sequence} came where ${this.#sequence} was due`, {
        details: { sequence, expected: this.#sequence },
      });
    }
    this.#sequence = (sequence + 1) & 0xff;
  }

  #checkStatus(offset: number, length: number): void {
    const status = length > 0 ? this.#main.readUInt8(offset) : 0xfe;
    if (status === 0) return;
    if (status === 0xff) throw serverError(this.#main.subarray(offset, offset + length));
    if (status === 0xfe) throw new TidingsError('CONNECTION_LOST', 'the server ended the replication stream');
    throw new TidingsError('PROTOCOL_VIOLATION', `a replication packet starts with ${status}`, { details: { status } });
  }

  #startLarge(): boolean {
    // Packet header, status byte, and the event's header up to its length field.
    if (this.#to - this.#from < 4 + 1 + 13) return false;
    const from = this.#from;
    this.#checkStatus(from + 4, 1);
    const eventLength = this.#main.readUInt32LE(from + 5 + 9);
    if (eventLength > this.#eventBytesMax) {
      throw new TidingsError(
        'EVENT_TOO_LARGE',
        `an event of ${eventLength} bytes is above the limit of ${this.#eventBytesMax}`,
        {
          details: { eventLength, eventBytesMax: this.#eventBytesMax },
        },
      );
    }
    // Its memory may be that of the one before, which somebody still looks into.
    if (this.#inUse !== null) return false;
    const large = { bytes: this.#memory.take(eventLength), size: eventLength, filled: 0, packet: -1, last: false };
    this.#large = large;
    return this.#continueLarge(large);
  }

  #continueLarge(large: LargeEvent): boolean {
    for (;;) {
      if (large.packet <= 0) {
        if (large.last) return this.#finishLarge(large);
        // The first packet brings the status byte along; a last, empty one is nothing but its header.
        if (this.#to - this.#from < (large.packet < 0 ? 5 : 4)) return false;
        const length = this.#main.readUIntLE(this.#from, 3);
        this.#checkSequence(this.#main.readUInt8(this.#from + 3));
        this.#from += 4;
        large.last = length < 0xffffff;
        // The status byte stands in the first packet only.
        const skip = large.packet < 0 ? 1 : 0;
        this.#from += skip;
        large.packet = length - skip;
        if (large.packet === 0) continue;
      }
      const count = Math.min(large.packet, this.#to - this.#from);
      if (count === 0) return false;
      if (large.filled + count > large.size) throw wrongLength(large.size);
      this.#main.copy(large.bytes, large.filled, this.#from, this.#from + count);
      this.#from += count;
      large.filled += count;
      large.packet -= count;
    }
  }

  #finishLarge(large: LargeEvent): boolean {
    if (large.filled !== large.size) throw wrongLength(large.size);
    this.#large = null;
    this.#inUse = large.bytes;
    this.bytes = large.bytes;
    this.view = new DataView(large.bytes.buffer, large.bytes.byteOffset, large.bytes.byteLength);
    this.start = 0;
    this.end = large.size;
    return true;
  }

  /** Nobody looks into the last large event any more. */
  #endLarge(): void {
    if (this.#inUse === null) {
      this.#memory.unneeded();
      return;
    }
    this.bytes = this.#main;
    this.view = this.#mainView;
    this.#memory.give(this.#inUse);
    this.#inUse = null;
  }
}

interface LargeEvent {
  /** Of at least its size. */
  readonly bytes: Buffer;
  readonly size: number;
  filled: number;
  /** Bytes still to come of the current packet; -1 before the first. */
  packet: number;
  /** The current packet is shorter than the maximum: no other follows. */
  last: boolean;
}

function wrongLength(eventLength: number): TidingsError {
  return new TidingsError('PROTOCOL_VIOLATION', 'an event is not as long as its header says', {
    details: { eventLength },
  });
}
