import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ByteIntake, HEAD_BYTES } from './byte-intake.ts';
import { PacketReader } from './packet-reader.ts';

const MIB = 1024 * 1024;
const READ_BYTES = 256 * 1024;
const PACKET_BYTES_MAX = 0xff_ffff;

/** A server that has sent everything already: reads bring as many bytes of it as they are told. */
class SentBytes implements ByteIntake {
  readonly buffer: Buffer = Buffer.alloc(HEAD_BYTES + READ_BYTES);
  readonly #bytes: Buffer;
  readonly #counts: readonly number[];
  #at = 0;
  #reads = 0;

  constructor(bytes: Buffer, counts: readonly number[]) {
    this.#bytes = bytes;
    this.#counts = counts;
  }

  read(): Promise<number> {
    const wanted = this.#counts[this.#reads++ % this.#counts.length] ?? READ_BYTES;
    const count = Math.min(wanted, this.#bytes.length - this.#at);
    this.#bytes.copy(this.buffer, HEAD_BYTES, this.#at, this.#at + count);
    this.#at += count;
    return Promise.resolve(count);
  }

  write(): void {}
  destroy(): void {}
}

/** An event of so many bytes: a header with its length, and content by which it is known. */
function eventOf(length: number, seed: number): Buffer {
  const event = Buffer.alloc(length, seed % 251);
  event.writeUInt32LE(length, 9);
  return event;
}

function packetsOf(events: readonly Buffer[]): Buffer {
  const packets: Buffer[] = [];
  let sequence = 1;
  for (const event of events) {
    const payload = Buffer.concat([Buffer.of(0), event]);
    for (let at = 0; ; at += PACKET_BYTES_MAX) {
      const part = payload.subarray(at, at + PACKET_BYTES_MAX);
      const header = Buffer.alloc(4);
      header.writeUInt32LE((part.length | ((sequence++ % 256) << 24)) >>> 0);
      packets.push(header, part);
      if (part.length < PACKET_BYTES_MAX) break;
    }
  }
  return Buffer.concat(packets);
}

async function expectEvents(events: readonly Buffer[], counts: readonly number[]): Promise<Set<ArrayBufferLike>> {
  const reader = new PacketReader(new SentBytes(packetsOf(events), counts), { eventBytesMax: 64 * MIB });
  const memory = new Set<ArrayBufferLike>();
  let index = 0;
  while (index < events.length) {
    await reader.fill();
    const handed: { readonly bytes: Buffer; readonly start: number; readonly end: number; readonly event: Buffer }[] =
      [];
    while (reader.next()) {
      const { bytes, start, end } = reader;
      handed.push({ bytes, start, end, event: events[index++] as Buffer });
      if (end - start > MIB) memory.add(bytes.buffer);
    }
    // Until the next read all of them are as they came.
    for (const { bytes, start, end, event } of handed) {
      expect(bytes.compare(event, 0, event.length, start, end)).toBe(0);
    }
  }
  return memory;
}

test('events come as they were sent, whatever their sizes and wherever reads cut them, and stay until the next read', async () => {
  const size = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 19, max: 2000 }) },
    { weight: 2, arbitrary: fc.integer({ min: MIB - 20, max: 3 * MIB }) },
    { weight: 1, arbitrary: fc.integer({ min: PACKET_BYTES_MAX - 3, max: PACKET_BYTES_MAX + 3 }) },
  );
  const counts = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 10_000, max: READ_BYTES })), {
    minLength: 1,
    maxLength: 20,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 8 }), counts, async (sizes, reads) => {
      // Not too many reads of a few bytes.
      await expectEvents(sizes.map(eventOf), [...reads, ...Array.from({ length: 60 }, () => READ_BYTES)]);
    }),
    { numRuns: 40 },
  );
}, 60_000);

test('one large event after the other is collected in the same memory', async () => {
  const events = Array.from({ length: 12 }, (_, i) => eventOf(5 * MIB + i, i));
  expect((await expectEvents(events, [READ_BYTES])).size).toBe(1);
});
