import { crc32 } from 'node:zlib';

/** Packet header: payload length u24 LE, sequence u8. */
const PACKET_HEADER = 4;
const PAYLOAD_MAX = 0xffffff;
const EVENT_HEADER = 19;
const CHECKSUM = 4;

/** One binlog event as it travels: header, body and checksum, without packet header and status byte. */
export interface TravellingEvent {
  /** Counted from 0 since the dump began. */
  readonly index: number;
  readonly type: number;
  readonly bytes: Buffer;
}

/** What travels in an event's place: itself when undefined, nothing for an empty list. */
export type EventEdit = (event: TravellingEvent) => Buffer | readonly Buffer[] | undefined;

/** Cuts a byte stream into packets, over any chunking. */
class PacketCutter {
  #rest: Buffer = Buffer.alloc(0);

  *packets(chunk: Buffer): Generator<{ sequence: number; payload: Buffer }> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= PACKET_HEADER) {
      const length = this.#rest.readUIntLE(0, 3);
      if (this.#rest.length < PACKET_HEADER + length) return;
      const payload = this.#rest.subarray(PACKET_HEADER, PACKET_HEADER + length);
      const sequence = this.#rest.readUInt8(3);
      this.#rest = this.#rest.subarray(PACKET_HEADER + length);
      yield { sequence, payload };
    }
  }
}

const COM_BINLOG_DUMP = 0x12;
const COM_BINLOG_DUMP_GTID = 0x1e;

/** Watches what a client sends for the command that starts a dump. */
export class DumpWatcher {
  readonly #cutter = new PacketCutter();
  /** True once the command has passed: every packet from the server is part of the dump from then on. */
  started = false;

  see(chunk: Buffer): void {
    if (this.started) return;
    for (const { sequence, payload } of this.#cutter.packets(chunk)) {
      const command = sequence === 0 ? payload[0] : undefined;
      if (command === COM_BINLOG_DUMP || command === COM_BINLOG_DUMP_GTID) this.started = true;
    }
  }
}

/**
 * Passes a dump's bytes on with events edited, added or left out. Packets are numbered anew, so that only the edit is to be seen.
 * Edited events must fit into one packet; events of several packets pass through whole and unseen.
 */
export class DumpEditor {
  readonly #cutter = new PacketCutter();
  readonly #edit: EventEdit;
  readonly #keepNumbers: boolean;
  #sequence = 1;
  #index = 0;
  /** Inside an event that spans several packets. */
  #continued = false;

  constructor(edit: EventEdit, { keepNumbers }: { keepNumbers: boolean }) {
    this.#edit = edit;
    this.#keepNumbers = keepNumbers;
  }

  pass(chunk: Buffer): Buffer {
    const out: Buffer[] = [];
    for (const { sequence, payload } of this.#cutter.packets(chunk)) {
      if (this.#keepNumbers) this.#sequence = sequence;
      const isPart = this.#continued || payload.length === PAYLOAD_MAX;
      this.#continued = payload.length === PAYLOAD_MAX;
      // Status 0: an event follows. Anything else is the server's error, or the end.
      if (isPart || payload[0] !== 0) out.push(...this.#packet(payload));
      else {
        for (const event of this.#edited(payload.subarray(1))) {
          out.push(...this.#packet(Buffer.concat([Buffer.of(0), event])));
        }
      }
    }
    return Buffer.concat(out);
  }

  #edited(bytes: Buffer): readonly Buffer[] {
    const edited = this.#edit({ index: this.#index++, type: bytes.readUInt8(4), bytes });
    if (edited === undefined) return [bytes];
    return Buffer.isBuffer(edited) ? [edited] : edited;
  }

  #packet(payload: Buffer): readonly Buffer[] {
    const header = Buffer.alloc(PACKET_HEADER);
    header.writeUIntLE(payload.length, 0, 3);
    header.writeUInt8(this.#sequence, 3);
    this.#sequence = (this.#sequence + 1) & 0xff;
    return [header, payload];
  }
}

/** The event with one bit turned over; `at` counts bytes from its beginning, from its end when negative. The checksum stays. */
export function flipBit(event: Buffer, at: number): Buffer {
  const changed = Buffer.from(event);
  const offset = at < 0 ? event.length + at : at;
  changed.writeUInt8(changed.readUInt8(offset) ^ 1, offset);
  return changed;
}

/** The event under another type, its checksum made to fit. */
export function withType(event: Buffer, type: number): Buffer {
  const changed = Buffer.from(event);
  changed.writeUInt8(type, 4);
  return withChecksum(changed);
}

/** The event without the last bytes of its body, its length and checksum made to fit: as if the server had written it so. */
export function shortened(event: Buffer, bytes: number): Buffer {
  const kept = event.subarray(0, event.length - CHECKSUM - bytes);
  return framed(Buffer.from(kept));
}

/** The first bytes of an event only: its header still tells the length it had. */
export function beheaded(event: Buffer, bytes: number): Buffer {
  return Buffer.from(event.subarray(0, bytes));
}

/** A new event that stands where `like` stands: the same time, server id and end position. */
export function eventLike(like: Buffer, type: number, body: Buffer): Buffer {
  const header = Buffer.from(like.subarray(0, EVENT_HEADER));
  header.writeUInt8(type, 4);
  header.writeUInt16LE(0, 17);
  return framed(Buffer.concat([header, body]));
}

function framed(event: Buffer): Buffer {
  const whole = Buffer.concat([event, Buffer.alloc(CHECKSUM)]);
  whole.writeUInt32LE(whole.length, 9);
  return withChecksum(whole);
}

function withChecksum(event: Buffer): Buffer {
  const summed = event.length - CHECKSUM;
  event.writeUInt32LE(crc32(event.subarray(0, summed)), summed);
  return event;
}
