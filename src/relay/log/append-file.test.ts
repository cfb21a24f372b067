import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AppendFile, BLOCK_BYTES } from './append-file.ts';

/** File systems differ in what they allow: the usual one, and one in memory where there is one. */
const PLACES = [tmpdir(), ...(existsSync('/dev/shm') ? ['/dev/shm'] : [])];

describe.each(PLACES)('a file in %s', (place) => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(place, 'tidings-append-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function content(end: number): Buffer {
    const bytes = readFileSync(join(directory, 'x.log'));
    const padding = bytes.subarray(end);
    expect(padding.length).toBeLessThan(BLOCK_BYTES);
    expect(padding.every((byte) => byte === 0)).toBe(true);
    return bytes.subarray(0, end);
  }

  test('has what was written to it, whatever was written, cut off and opened again before', async () => {
    const size = fc.oneof(fc.nat(300), fc.nat(3 * BLOCK_BYTES), fc.constantFrom(BLOCK_BYTES, 2 * BLOCK_BYTES, 300_000));
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant('write' as const), sizes: fc.array(size, { maxLength: 4 }) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('truncate' as const),
          share: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const), trim: fc.boolean() }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
        const path = join(directory, 'x.log');
        let file = await AppendFile.open(path, { create: true, durable: true });
        let model = Buffer.alloc(0);
        let seed = 1;
        for (const one of steps) {
          if (one.kind === 'write') {
            const pieces = one.sizes.map((bytes) => Buffer.alloc(bytes + 7, (seed = (seed % 251) + 1)));
            const ranges = pieces.map((bytes) => ({ bytes, from: 3, to: bytes.length - 4 }));
            await file.write(ranges, model.length);
            model = Buffer.concat([model, ...pieces.map((bytes) => bytes.subarray(3, bytes.length - 4))]);
          } else if (one.kind === 'truncate') {
            model = model.subarray(0, Math.floor(model.length * one.share));
            await file.truncate(model.length);
          } else {
            if (one.trim) await file.trim(model.length);
            await file.close();
            if (one.trim) expect(readFileSync(path).length).toBe(model.length);
            file = await AppendFile.open(path, { create: false, durable: true });
          }
          expect(content(model.length).equals(model)).toBe(true);
        }
        await file.trim(model.length);
        await file.sync();
        await file.close();
        expect(readFileSync(path).equals(model)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('takes more than its memory holds at a time', async () => {
    const file = await AppendFile.open(join(directory, 'x.log'), { create: true, durable: false });
    const first = Buffer.alloc(5000, 1);
    const large = Buffer.alloc(20 * 1024 * 1024 + 77);
    for (let i = 0; i < large.length; i += 1000) large[i] = (i / 1000) % 256;
    await file.write([{ bytes: first, from: 0, to: first.length }], 0);
    await file.write(
      [
        { bytes: large, from: 0, to: large.length },
        { bytes: first, from: 0, to: 10 },
      ],
      first.length,
    );
    const expected = Buffer.concat([first, large, first.subarray(0, 10)]);
    expect(content(expected.length).equals(expected)).toBe(true);
    await file.close();
  });

  test('is written again to the same place after a write that failed', async () => {
    const path = join(directory, 'x.log');
    const file = await AppendFile.open(path, { create: true, durable: true });
    const bytes = Buffer.from('abcdefghij'.repeat(1000));
    await file.write([{ bytes, from: 0, to: 5000 }], 0);
    // More than the file before the offset has: as if the disk had not taken it.
    await expect(file.write([{ bytes, from: 0, to: 10 }], 9000)).rejects.toThrow('has only');
    await file.write([{ bytes, from: 5000, to: 9999 }], 5000);
    expect(content(9999).equals(bytes.subarray(0, 9999))).toBe(true);
    await file.close();
  });

  test('goes through the cache where there is no memory to go around it', async () => {
    vi.resetModules();
    vi.stubGlobal('WebAssembly', undefined);
    try {
      const fresh = await import('./append-file.ts');
      const file = await fresh.AppendFile.open(join(directory, 'x.log'), { create: true, durable: true });
      expect(file.needsSync).toBe(true);
      const bytes = Buffer.alloc(5000, 3);
      await file.write([{ bytes, from: 0, to: bytes.length }], 0);
      await file.sync();
      await file.close();
      expect(readFileSync(join(directory, 'x.log')).equals(bytes)).toBe(true);
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
