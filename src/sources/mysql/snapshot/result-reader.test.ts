import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ByteIntake, HEAD_BYTES } from '../protocol/byte-intake.ts';
import { ResultReader } from './result-reader.ts';
import { RowBuffer } from './row-buffer.ts';

const READ_BYTES = 256 * 1024;
const PACKET_BYTES_MAX = 0xff_ffff;

/** A server that has said everything already, and is read in pieces of any size. */
class ScriptedIntake implements ByteIntake {
  readonly buffer: Buffer = Buffer.alloc(HEAD_BYTES + READ_BYTES);
  readonly written: Buffer[] = [];
  #at = 0;
  readonly #bytes: Buffer;
  readonly #pieces: () => number;

  constructor(bytes: Buffer, pieces: () => number) {
    this.#bytes = bytes;
    this.#pieces = pieces;
  }

  read(): Promise<number> {
    const count = Math.min(this.#pieces(), READ_BYTES, this.#bytes.length - this.#at);
    this.#bytes.copy(this.buffer, HEAD_BYTES, this.#at, this.#at + count);
    this.#at += count;
    return Promise.resolve(count);
  }

  write(bytes: Buffer): void {
    this.written.push(Buffer.from(bytes));
  }

  destroy(): void {}
}

/** The packets of some payloads, numbered from 1. */
function packets(payloads: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [];
  let sequence = 1;
  for (const payload of payloads) {
    for (let at = 0; ; at += PACKET_BYTES_MAX) {
      const part = payload.subarray(at, at + PACKET_BYTES_MAX);
      const header = Buffer.alloc(4);
      header.writeUIntLE(part.length, 0, 3);
      header[3] = sequence++ & 0xff;
      parts.push(header, part);
      if (part.length < PACKET_BYTES_MAX) break;
    }
  }
  return Buffer.concat(parts);
}

const EOF = Buffer.from([0xfe, 0, 0, 2, 0]);
const COLUMN = Buffer.concat(
  ['def', 'd', 't', 't', 'v', 'v'].map((text) => Buffer.from([text.length, ...Buffer.from(text)])),
);
const NOT_DONE = Buffer.from([0xff, 0x25, 0x05, ...Buffer.from('#70100Query execution was interrupted')]);

function resultSet(rows: readonly Buffer[], end = EOF): Buffer {
  return packets([Buffer.from([1]), COLUMN, EOF, ...rows, end]);
}

function textRow(value: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header[0] = 0xfe;
  header.writeBigUInt64LE(BigInt(value.length), 1);
  return value.length < 251 ? Buffer.concat([Buffer.from([value.length]), value]) : Buffer.concat([header, value]);
}

function reader(bytes: Buffer, pieces: () => number = () => READ_BYTES): ResultReader {
  return new ResultReader(new ScriptedIntake(bytes, pieces), { answerTimeoutMs: 60_000 });
}

function rowsOf(buffer: RowBuffer): string[] {
  return Array.from({ length: buffer.count }, (_, i) => buffer.bytes.toString('hex', buffer.starts[i], buffer.ends[i]));
}

const ALL = { count: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

describe('a result set', () => {
  test('is the same however the network cuts it', async () => {
    const values = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(values, fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }), async (bytes, pieces) => {
        const rows = bytes.map((value) => textRow(Buffer.from(value)));
        let i = 0;
        const results = reader(resultSet(rows), () => pieces[i++ % pieces.length] ?? 1);
        const buffer = new RowBuffer();
        await results.select('SELECT 1', buffer);
        expect(await results.rows(ALL)).toBe(true);
        expect(rowsOf(buffer)).toEqual(rows.map((row) => row.toString('hex')));
        expect(results.taken).toBe(rows.reduce((sum, row) => sum + row.length + 4, 0));
        expect(results.isIdle).toBe(true);
      }),
    );
  });

  test.for([-2, -1, 0, 1, 2])('has a row of a packet of the largest size, and %d bytes, in one piece', async (more) => {
    const small = textRow(Buffer.from('small'));
    const large = textRow(Buffer.alloc(PACKET_BYTES_MAX - 9 + more, 'x'));
    const huge = textRow(Buffer.alloc(2 * PACKET_BYTES_MAX - 9 + more, 'y'));
    const results = reader(resultSet([small, large, small, huge, small]));
    const buffer = new RowBuffer();
    await results.select('SELECT 1', buffer);
    expect(await results.rows(ALL)).toBe(true);
    const expected = [small, large, small, huge, small];
    expect(buffer.count).toBe(expected.length);
    for (const [i, row] of expected.entries()) {
      expect(buffer.bytes.subarray(buffer.starts[i], buffer.ends[i]).equals(row)).toBe(true);
    }
  });

  test('ends with the row that passes the budget, and goes on in another buffer', async () => {
    const rows = Array.from({ length: 100 }, (_, i) => textRow(Buffer.alloc(i + 1, i)));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 20 }), async (bytes, count) => {
        let pieces = 0;
        const results = reader(resultSet(rows), () => (pieces = (pieces + 37) % 501) + 1);
        let buffer = new RowBuffer();
        await results.select('SELECT 1', buffer);
        const seen: string[] = [];
        for (;;) {
          const ended = await results.rows({ bytes, count });
          const found = rowsOf(buffer);
          expect(found.length).toBeLessThanOrEqual(count);
          // Without its last row the chunk is within the budget; a row that is larger by itself comes alone.
          const sizes = found.map((row) => row.length / 2 + 4);
          expect(sizes.slice(0, -1).reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(bytes);
          if (found.length > 1) expect(Math.max(...sizes) - 4).toBeLessThanOrEqual(bytes);
          seen.push(...found);
          if (ended) break;
          const next = new RowBuffer();
          results.continueIn(next);
          buffer = next;
        }
        expect(seen).toEqual(rows.map((row) => row.toString('hex')));
      }),
      { numRuns: 50 },
    );
  });

  test('that ends with an error of the server is one, whatever came before', async () => {
    const results = reader(resultSet([textRow(Buffer.from('a')), textRow(Buffer.from('b'))], NOT_DONE), () => 3);
    const buffer = new RowBuffer();
    await results.select('SELECT 1', buffer);
    await expect(results.rows(ALL)).rejects.toMatchObject({ code: 'SERVER_ERROR', details: { serverError: 1317 } });
    expect(results.isIdle).toBe(true);
  });

  test('that the server does not end is a lost connection', async () => {
    const whole = resultSet([textRow(Buffer.from('a')), textRow(Buffer.from('b'))]);
    for (let length = 0; length < whole.length; length++) {
      const results = reader(whole.subarray(0, length), () => 5);
      const buffer = new RowBuffer();
      const read = results.select('SELECT 1', buffer).then(() => results.rows(ALL));
      await expect(read).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
      expect(results.isClosed).toBe(true);
    }
  });

  test('of which a packet is missing is refused', async () => {
    const bytes = resultSet([textRow(Buffer.from('a')), textRow(Buffer.from('b')), textRow(Buffer.from('c'))]);
    const end = bytes.length - EOF.length - 4;
    const results = reader(Buffer.concat([bytes.subarray(0, end - 12), bytes.subarray(end - 6)]));
    const buffer = new RowBuffer();
    await results.select('SELECT 1', buffer);
    await expect(results.rows(ALL)).rejects.toMatchObject({ code: 'PROTOCOL_VIOLATION' });
  });

  test('that is not wanted any more is read away when little is left, else it is said that it is much', async () => {
    const rows = Array.from({ length: 1000 }, () => textRow(Buffer.alloc(3000)));
    const little = reader(resultSet(rows.slice(0, 600)));
    const buffer = new RowBuffer();
    await little.select('SELECT 1', buffer);
    expect(await little.rows({ count: 500, bytes: Number.POSITIVE_INFINITY })).toBe(false);
    expect(await little.drain(100)).toBe(true);
    expect(little.isIdle).toBe(true);
    expect(buffer.count).toBe(500);
    const much = reader(resultSet(rows));
    await much.select('SELECT 1', buffer);
    expect(await much.rows({ count: 10, bytes: Number.POSITIVE_INFINITY })).toBe(false);
    expect(await much.drain(990)).toBe(false);
    expect(much.isIdle).toBe(false);
  });

  test('of a question comes as texts by column name', async () => {
    const bytes = packets([Buffer.from([1]), COLUMN, EOF, textRow(Buffer.from('é')), Buffer.from([0xfb]), EOF]);
    expect(await reader(bytes, () => 2).query('SELECT v')).toEqual([{ v: 'é' }, { v: null }]);
  });
});

test('a statement of more than 16 MiB is sent in several packets', async () => {
  const answer = Buffer.from([7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]);
  const intake = new ScriptedIntake(answer, () => 100);
  const sql = `SELECT '${'x'.repeat(PACKET_BYTES_MAX)}'`;
  await new ResultReader(intake, { answerTimeoutMs: 60_000 }).query(sql);
  expect(intake.written.map((packet) => [packet.readUIntLE(0, 3), packet[3]])).toEqual([
    [PACKET_BYTES_MAX, 0],
    [sql.length + 1 - PACKET_BYTES_MAX, 1],
  ]);
  const sent = Buffer.concat(intake.written.map((packet) => packet.subarray(4)));
  expect(sent.toString('latin1', 1) === sql && sent[0] === 3).toBe(true);
});
