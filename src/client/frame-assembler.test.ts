import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeStates } from '../../test/support/stream/log-bytes.ts';
import { makeTransactions } from '../../test/support/stream/raw-relay.ts';
import { encodeControl } from '../formats/log/control-frame.ts';
import { FrameAssembler } from './frame-assembler.ts';

function batch(scn: number, rows: number): Buffer {
  return encodeStates(makeTransactions([rows], { after: scn - 1 }), { firstScn: scn, count: rows });
}

/** Everything that can be taken, copied. */
function takeAll(assembler: FrameAssembler): Buffer {
  const taken: Buffer[] = [];
  for (let chunk = assembler.take(); chunk !== null; chunk = assembler.take()) {
    taken.push(Buffer.from(chunk.bytes.subarray(chunk.start, chunk.end)));
    chunk.release();
  }
  return Buffer.concat(taken);
}

test('whatever the pieces in which bytes come and the chunks in which they are taken, the same whole frames come out', () => {
  const frame = fc.oneof(
    fc.integer({ min: 1, max: 200 }).map((rows) => batch(1, rows)),
    fc.constant(encodeControl({ kind: 'progress', scn: 7, time: null })),
  );
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 30 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 10 }),
      fc.integer({ min: 64, max: 3000 }),
      (frames, pieces, takes, bufferBytes) => {
        const bytes = Buffer.concat(frames);
        const assembler = new FrameAssembler({ bufferBytes });
        const taken: Buffer[] = [];
        const held: { bytes: Buffer; start: number; end: number; release(): void; copy: Buffer }[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = pieces[turn % pieces.length] as number;
          assembler.push(bytes.subarray(at, at + size));
          at += size;
          if (takes[turn % takes.length] === true) continue;
          const chunk = assembler.take();
          if (chunk === null) continue;
          const copy = Buffer.from(chunk.bytes.subarray(chunk.start, chunk.end));
          taken.push(copy);
          held.push({ ...chunk, copy });
          // Chunks stay as they are until they are released, whatever comes in meanwhile.
          if (held.length > 2) held.shift()?.release();
          for (const each of held) expect(each.bytes.subarray(each.start, each.end).equals(each.copy)).toBe(true);
        }
        taken.push(takeAll(assembler));
        expect(Buffer.concat(taken).equals(bytes)).toBe(true);
        expect(assembler.insideFrame).toBe(false);
      },
    ),
  );
});

test('a frame that is longer than the buffers comes out whole, and the next ones are in buffers of the usual size again', () => {
  const assembler = new FrameAssembler({ bufferBytes: 1024 });
  const long = batch(1, 5000);
  for (let at = 0; at < long.length; at += 700) assembler.push(long.subarray(at, at + 700));
  const chunk = assembler.take();
  expect(chunk?.bytes.subarray(chunk.start, chunk.end).equals(long)).toBe(true);
  chunk?.release();
  assembler.push(batch(5001, 2));
  const next = assembler.take();
  expect(next?.bytes.length).toBe(1024);
});

test('a length that is a lie costs no more memory than the bytes that came', () => {
  const assembler = new FrameAssembler({ bufferBytes: 1024 });
  const liar = batch(1, 300);
  liar.writeUInt32LE(1_500_000_000, 8);
  const before = process.memoryUsage().arrayBuffers;
  for (let at = 0; at < liar.length; at += 100) assembler.push(liar.subarray(at, at + 100));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  expect(assembler.ready).toBe(false);
  expect(assembler.insideFrame).toBe(true);
});

test('it asks for a pause when a buffer of frames waits, and has room again when they were taken', () => {
  const assembler = new FrameAssembler({ bufferBytes: 2048 });
  let pushed = 0;
  while (assembler.hasRoom) {
    assembler.push(batch(1, 10));
    pushed++;
  }
  expect(pushed).toBeLessThan(30);
  expect(takeAll(assembler).length).toBe(pushed * batch(1, 10).length);
  expect(assembler.hasRoom).toBe(true);
});

test('bytes that are no frame are refused, and so is a length below or beyond what a frame can have', () => {
  const refused = expect.objectContaining({ code: 'PROTOCOL_VIOLATION' });
  expect(() => new FrameAssembler().push(Buffer.from('<html>a proxy says no</html>'))).toThrow(refused);
  const short = batch(1, 1);
  short.writeUInt32LE(10, 8);
  expect(() => new FrameAssembler().push(short)).toThrow(refused);
  expect(() => new FrameAssembler({ frameBytesMax: 100 }).push(batch(1, 50))).toThrow(refused);
});
