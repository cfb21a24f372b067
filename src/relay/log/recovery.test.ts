import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import {
  batchesOf,
  type Item,
  LogHarness,
  numberOf,
  openLog,
  readItems,
  segmentNames,
  temporaryDirectory,
} from '../../../test/support/log-harness.ts';
import { silentLogger } from '../../core/logger.ts';
import { batchChecksum } from '../../formats/log/batch-builder.ts';
import { batchLength } from '../../formats/log/batch-header.ts';
import { HEADER } from '../../formats/log/batch-layout.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import { BLOCK_BYTES } from './append-file.ts';
import type { FileLog } from './file-log.ts';
import { SegmentIndex } from './segment-index.ts';
import { segmentName } from './segment.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** A copy of the log as an orderly end would leave its last file: without zeros behind the batches. */
function copyOf(harness: LogHarness): string {
  const directory = copyAsItIs(harness);
  const path = lastSegment(directory);
  writeFileSync(path, batchesOf(path));
  return directory;
}

function copyAsItIs(harness: LogHarness): string {
  const { directory } = harness.copy();
  directories.push(directory);
  return directory;
}

function open(directory: string, warnings: object[] = []): Promise<FileLog> {
  const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
  return openLog(directory, { clock: new ManualClock(), options: { segmentBytes: 3000 }, logger });
}

async function contents(
  directory: string,
  warnings: object[] = [],
): Promise<{ items: Item[]; position: string | null }> {
  const log = await open(directory, warnings);
  try {
    return { items: await itemsOf(log), position: log.position };
  } finally {
    await log.close();
  }
}

async function itemsOf(log: FileLog): Promise<Item[]> {
  const { after } = log.visible;
  return readItems(log, log.openReader(after), after);
}

/** Where the batches of a file begin. */
function batchesIn(path: string): number[] {
  const bytes = readFileSync(path);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts: number[] = [];
  for (let at = 0; at < bytes.length; at += batchLength(view, at)) starts.push(at);
  return starts;
}

function change(path: string, work: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  work(bytes);
  writeFileSync(path, bytes);
}

function flip(path: string, offset: number, bit = 0): void {
  change(path, (bytes) => {
    bytes[offset] = (bytes[offset] as number) ^ (1 << bit);
  });
}

/** A log in which every transaction is a batch of its own, made durable before the next. */
async function logOf(transactions: number, segmentBytes = 1_000_000): Promise<LogHarness> {
  const harness = await LogHarness.open({ options: { segmentBytes } });
  for (let i = 0; i < transactions; i++) {
    await harness.insert(20 + i);
    await harness.log.flush();
  }
  return harness;
}

function lastSegment(directory: string): string {
  return join(directory, segmentNames(directory).at(-1) as string);
}

describe('the end of the last segment', () => {
  test('a write that was torn at any byte of the last batch costs that batch and nothing else', async () => {
    await using harness = await logOf(3);
    const directory = copyOf(harness);
    const path = lastSegment(directory);
    const whole = readFileSync(path);
    const [, , start = 0] = batchesIn(path);
    for (let size = start; size < whole.length; size++) {
      writeFileSync(path, whole.subarray(0, size));
      const warnings: object[] = [];
      const log = await open(directory, warnings);
      expect(log.position).toBe('p2');
      expect(log.visible.last).toBe(harness.firstScn + 1);
      expect(statSync(path).size).toBe(start);
      expect(warnings).toHaveLength(size === start ? 0 : 1);
      await log.close();
    }
    writeFileSync(path, whole);
    expect(await contents(directory)).toEqual({ items: harness.items, position: 'p3' });
  });

  test('a last batch of zeros, as a file system leaves it, is cut off and told of', async () => {
    await using harness = await logOf(3);
    const directory = copyOf(harness);
    const path = lastSegment(directory);
    const [, , start = 0] = batchesIn(path);
    change(path, (bytes) => bytes.fill(0, start));
    const warnings: object[] = [];
    expect(await contents(directory, warnings)).toEqual({ items: harness.items.slice(0, 2), position: 'p2' });
    expect(warnings).toEqual([expect.objectContaining({ segment: segmentNames(directory).at(-1), offset: start })]);
  });

  test('the zeros that a write in whole blocks leaves behind the last batch are nothing', async () => {
    await using harness = await logOf(3);
    const directory = copyAsItIs(harness);
    const path = lastSegment(directory);
    const { length } = batchesOf(path);
    writeFileSync(path, Buffer.concat([batchesOf(path), Buffer.alloc(BLOCK_BYTES - (length % BLOCK_BYTES))]));
    const warnings: object[] = [];
    const log = await open(directory, warnings);
    expect({ position: log.position, warnings, size: statSync(path).size }).toEqual({
      position: 'p3',
      warnings: [],
      size: length,
    });
    expect(await itemsOf(log)).toEqual(harness.items);
    await log.close();
  });

  test('of a write that never was durable, nothing counts from the first lost page on', async () => {
    await using harness = await logOf(2);
    const size = batchesOf(lastSegment(harness.directory)).length;
    // One group of several batches: a power failure may keep the last of them and lose the first.
    await harness.append({ type: 'rows', table: 0, kind: 'insert', texts: Array.from({ length: 30 }, () => 30_000) });
    await harness.log.flush();
    const directory = copyOf(harness);
    expect(batchesIn(lastSegment(directory)).length).toBeGreaterThan(4);
    change(lastSegment(directory), (bytes) => bytes.fill(0, size, size + 4096));
    expect((await contents(directory)).items).toEqual(harness.items.slice(0, 2));
  });

  test('after an orderly end every changed bit is damage: nothing of it can be the end of a write', async () => {
    await using harness = await logOf(3);
    await harness.log.close();
    const directory = copyOf(harness);
    const path = lastSegment(directory);
    const starts = batchesIn(path);
    expect(starts).toHaveLength(4);
    for (const start of starts.slice(0, 3)) {
      flip(path, start + 70);
      await expect(open(directory)).rejects.toMatchObject({
        code: 'LOG_DAMAGED',
        details: { segment: segmentNames(directory)[0], offset: start },
      });
      flip(path, start + 70);
    }
    expect((await contents(directory)).items).toEqual(harness.items);
  });

  test('a transaction without its end is cut, also when it goes through several segments', async () => {
    await using harness = await LogHarness.open({ options: { segmentBytes: 3000 } });
    await harness.insert();
    await harness.insert();
    for (const [i, begins] of [true, false, false, false, false].entries()) {
      const texts = Array.from({ length: 20 }, () => 100 + i);
      const part = harness.part([{ type: 'rows', table: i % 3, kind: 'insert', texts }], { begins, ends: false });
      await harness.hand([part]);
      await harness.log.flush();
    }
    expect(harness.segments().length).toBeGreaterThan(2);
    const directory = copyOf(harness);
    const log = await open(directory);
    expect(await itemsOf(log)).toEqual(harness.items);
    expect(log.position).toBe('p2');
    // What only the cut transaction told of tables is not known.
    expect(log.tables().map(({ name }) => name)).toEqual(['orders']);
    await log.close();
    expect(segmentNames(directory)).toHaveLength(1);
    expect((await contents(directory)).items).toEqual(harness.items);
  });

  test('the log goes on behind the cut with the same SCNs', async () => {
    await using harness = await logOf(3);
    const directory = copyOf(harness);
    const path = lastSegment(directory);
    truncateSync(path, statSync(path).size - 1);
    await harness.moveTo(directory);
    expect(harness.items).toHaveLength(2);
    await harness.insert(99);
    await harness.log.flush();
    expect(harness.log.visible.last).toBe(harness.firstScn + 2);
    expect(await harness.read()).toEqual(harness.items);
  });
});

describe('a changed bit', () => {
  test.each(Object.entries(HEADER))(
    'in the field %s of a batch inside the last segment is found at the start',
    async (_, field) => {
      await using harness = await logOf(4);
      const directory = copyOf(harness);
      const path = lastSegment(directory);
      const start = batchesIn(path)[1] as number;
      for (const bit of [0, 7]) {
        flip(path, start + field, bit);
        await expect(open(directory)).rejects.toMatchObject({
          code: 'LOG_DAMAGED',
          details: { segment: segmentNames(directory)[0], offset: start },
        });
        flip(path, start + field, bit);
      }
    },
  );

  test('at any place of a batch inside a sealed segment is found when it is read, and nothing behind it is served', async () => {
    await using harness = await logOf(60, 3000);
    expect(harness.segments().length).toBeGreaterThan(2);
    const directory = copyOf(harness);
    const name = segmentNames(directory)[1] as string;
    const path = join(directory, name);
    const starts = batchesIn(path);
    const [start, end] = [starts[2] as number, starts[3] as number];
    const before = Number(name.slice(0, 16)) + 2 - harness.firstScn;
    for (let offset = start; offset < end; offset += 7) {
      flip(path, offset, offset % 8);
      const log = await open(directory);
      const reader = log.openReader(log.visible.after);
      const items: Item[] = [];
      const read = async (): Promise<void> => {
        for (;;) {
          const chunk = await reader.read();
          if (chunk === null) return;
          items.splice(0, items.length, ...harness.items.slice(0, reader.after - log.visible.after));
          chunk.release();
        }
      };
      const damage = { code: 'LOG_DAMAGED', details: { segment: name, offset: start } };
      await expect(read()).rejects.toMatchObject(damage);
      await expect(read()).rejects.toMatchObject(damage);
      expect(items).toHaveLength(before);
      reader.close();
      // Whoever begins behind it is not concerned.
      const behind = log.openReader(log.visible.last - 1);
      expect(await readItems(log, behind, log.visible.last - 1)).toEqual(harness.items.slice(-1));
      await log.close();
      flip(path, offset, offset % 8);
    }
  });

  test('at any place of a batch leads no search by time or position past it in silence', async () => {
    await using harness = await logOf(60, 3000);
    const directory = copyOf(harness);
    const name = segmentNames(directory)[1] as string;
    const path = join(directory, name);
    const starts = batchesIn(path);
    const [start, end] = [starts[2] as number, starts[3] as number];
    const { log: whole } = harness;
    const some = harness.transactions.filter((_, i) => i % 4 === 0);
    const covers = (position: number) => (text: string) => numberOf(text) <= position;
    const wanted = [
      ...some.map((transaction) => (log: FileLog) => log.seekTime(transaction.committedUs)),
      ...some.map((transaction) => (log: FileLog) => log.seekPosition(covers(transaction.end))),
    ];
    const answers = await Promise.all(wanted.map((search) => search(whole)));
    let refused = 0;
    for (let offset = start; offset < end; offset += 5) {
      flip(path, offset, offset % 8);
      const log = await open(directory);
      for (const [i, search] of wanted.entries()) {
        try {
          expect(await search(log)).toBe(answers[i]);
        } catch (error) {
          expect(error).toMatchObject({ code: 'LOG_DAMAGED', details: { segment: name, offset: start } });
          refused++;
        }
      }
      await log.close();
      flip(path, offset, offset % 8);
    }
    expect(refused).toBeGreaterThan(0);
  });

  test('in an index makes it be made again, byte by byte as it was', async () => {
    await using harness = await logOf(60, 3000);
    await harness.log.close();
    const directory = copyOf(harness);
    const index = join(directory, `${(segmentNames(directory)[1] as string).slice(0, 16)}.index`);
    const whole = readFileSync(index);
    for (let offset = 0; offset < whole.length; offset += 5) {
      flip(index, offset, offset % 8);
      expect((await contents(directory)).items).toEqual(harness.items);
      expect(readFileSync(index).equals(whole)).toBe(true);
    }
  });
});

describe('missing files', () => {
  test('a segment that is gone from the middle is named by the changes that it had', async () => {
    await using harness = await logOf(60, 3000);
    const directory = copyOf(harness);
    const names = segmentNames(directory);
    const [, gone = '', next = ''] = names;
    unlinkSync(join(directory, gone));
    await expect(open(directory)).rejects.toMatchObject({
      code: 'LOG_DAMAGED',
      message: expect.stringContaining(
        `the changes from SCN ${Number(gone.slice(0, 16))} to ${Number(next.slice(0, 16)) - 1} are missing`,
      ),
    });
  });

  test('a segment that vanishes while the log is open is named by whoever looks for something in it', async () => {
    await using harness = await logOf(60, 3000);
    await harness.log.close();
    const directory = copyOf(harness);
    const log = await open(directory);
    const name = segmentNames(directory)[0] as string;
    unlinkSync(join(directory, name));
    const gone = { code: 'LOG_DAMAGED', details: { segment: name } };
    await expect(log.seekTime(harness.transactions[1]?.committedUs ?? 0)).rejects.toMatchObject(gone);
    await expect(log.seekPosition((text) => numberOf(text) <= 1)).rejects.toMatchObject(gone);
    await log.close();
  });

  test('a segment that is cut short while the log is open is told as such, wherever that is', async () => {
    await using harness = await logOf(60, 3000);
    await harness.log.close();
    const directory = copyOf(harness);
    const name = segmentNames(directory)[0] as string;
    const path = join(directory, name);
    // Its position is longer than that of the first batch, which the reader's buffer still holds.
    const [start = 0, end = 0] = batchesIn(path).slice(10);
    for (const size of [end - 1, start + 64, start + 63, start + 12, start]) {
      const log = await open(directory);
      const whole = readFileSync(path);
      truncateSync(path, size);
      const reader = log.openReader(log.visible.after);
      (await reader.read())?.release();
      await expect((async () => reader.read())()).rejects.toMatchObject({
        code: 'LOG_DAMAGED',
        message: `${path} is damaged at byte ${start}: the file ends within a batch`,
      });
      reader.close();
      await log.close();
      writeFileSync(path, whole);
    }
  });

  test('segments of one size whose files were exchanged are not taken for each other', async () => {
    await using harness = await logOf(0, 3000);
    for (let i = 0; i < 60; i++) {
      await harness.insert(20);
      await harness.log.flush();
    }
    await harness.log.close();
    const directory = copyOf(harness);
    const sealed = segmentNames(directory).slice(0, -1);
    const sizes = sealed.map((name) => statSync(join(directory, name)).size);
    const at = sizes.findIndex((size, i) => i > 0 && sizes[i + 1] === size);
    const [one, other] = [sealed[at] as string, sealed[at + 1] as string];
    const bytes = readFileSync(join(directory, one));
    writeFileSync(join(directory, one), readFileSync(join(directory, other)));
    writeFileSync(join(directory, other), bytes);
    const log = await open(directory);
    const reader = log.openReader(Number(one.slice(0, 16)) + 1);
    await expect((async () => reader.read())()).rejects.toMatchObject({
      code: 'LOG_DAMAGED',
      details: { segment: one, offset: 0 },
    });
    reader.close();
    await log.close();
  });

  test('a last segment that is gone is noticed', async () => {
    await using harness = await logOf(60, 3000);
    await harness.log.close();
    const directory = copyOf(harness);
    const gone = segmentNames(directory).at(-1) as string;
    unlinkSync(join(directory, gone));
    await expect(open(directory)).rejects.toMatchObject({
      code: 'LOG_DAMAGED',
      details: { firstScn: Number(gone.slice(0, 16)) },
    });
  });

  test('without the oldest segments the log begins later, as after retention', async () => {
    await using harness = await logOf(60, 3000);
    const directory = copyOf(harness);
    const [oldest = '', next = ''] = segmentNames(directory);
    unlinkSync(join(directory, oldest));
    const { items } = await contents(directory);
    expect(items).toEqual(harness.items.slice(Number(next.slice(0, 16)) - harness.firstScn));
    // Its index went with it.
    expect(await readdir(directory)).not.toContain(`${oldest.slice(0, 16)}.index`);
  });

  test('indexes that are gone are made again', async () => {
    await using harness = await logOf(60, 3000);
    await harness.log.close();
    const directory = copyOf(harness);
    const indexes = (await readdir(directory)).filter((name) => name.endsWith('.index'));
    const whole = indexes.map((name) => readFileSync(join(directory, name)));
    for (const name of indexes) unlinkSync(join(directory, name));
    expect((await contents(directory)).items).toEqual(harness.items);
    expect(indexes.map((name) => readFileSync(join(directory, name)))).toEqual(whole);
  });

  test('a log without any segment is not begun again: its SCNs would be given twice', async () => {
    await using harness = await logOf(2);
    const directory = copyOf(harness);
    unlinkSync(lastSegment(directory));
    await expect(open(directory)).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
  });

  test('a log whose making was interrupted is made', async () => {
    const directory = temporaryDirectory();
    directories.push(directory);
    writeFileSync(join(directory, segmentName(17)), '');
    writeFileSync(join(directory, 'stream.json.tmp'), '{');
    const log = await open(directory);
    expect(log.visible.last).toBe(log.createdMs * 1000 - 1);
    await log.close();
    expect((await readdir(directory)).toSorted()).toEqual([segmentName(log.createdMs * 1000), 'stream.json']);
  });
});

describe('what describes the log', () => {
  test.each([
    ['a newer format', { formatVersion: 2 }, 'LOG_VERSION_UNKNOWN'],
    ['another name', { name: 'other' }, 'CONFIG_INVALID'],
    ['another number of partitions', { partitions: 8 }, 'CONFIG_INVALID'],
    ['no partitions', { partitions: null }, 'LOG_DAMAGED'],
    ['less than one partition', { partitions: 0 }, 'LOG_DAMAGED'],
  ])('with %s it is refused', async (_, fields, code) => {
    await using harness = await logOf(1);
    const directory = copyOf(harness);
    const path = join(directory, 'stream.json');
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...fields }));
    await expect(open(directory)).rejects.toMatchObject({ code });
  });

  test('without it, or with half of it, the segments are not touched', async () => {
    await using harness = await logOf(1);
    const directory = copyOf(harness);
    const path = join(directory, 'stream.json');
    truncateSync(path, 10);
    await expect(open(directory)).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
    unlinkSync(path);
    await expect(open(directory)).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
    expect(statSync(lastSegment(directory)).size).toBeGreaterThan(0);
  });

  test('a batch of a newer version is no damage', async () => {
    await using harness = await logOf(1);
    const directory = copyOf(harness);
    change(lastSegment(directory), (bytes) => {
      bytes[HEADER.version] = 2;
      bytes.writeUInt32LE(batchChecksum(bytes, 0, bytes.length), HEADER.crc);
    });
    await expect(open(directory)).rejects.toMatchObject({
      code: 'LOG_VERSION_UNKNOWN',
      details: { segment: segmentNames(directory)[0], offset: 0 },
    });
  });

  test('a file in place of the directory is told as such', async () => {
    const directory = temporaryDirectory();
    directories.push(directory);
    writeFileSync(join(directory, 'shop'), '');
    await expect(open(join(directory, 'shop'))).rejects.toMatchObject({ code: 'DIRECTORY_UNUSABLE' });
    await expect(open(join(directory, 'shop', 'log'))).rejects.toMatchObject({ code: 'DIRECTORY_UNUSABLE' });
  });
});

describe('what is none of our files', () => {
  test('under the name of one it is named, and not waited for', async () => {
    await using harness = await logOf(60, 3000);
    await harness.log.close();
    const directory = copyOf(harness);
    const [first = ''] = segmentNames(directory);
    const index = join(directory, first.replace('.log', '.index'));
    unlinkSync(index);
    execFileSync('mkfifo', [index]);
    const isNoFile = { code: 'DIRECTORY_UNUSABLE', message: `${index} is no file` };
    await expect(open(directory)).rejects.toMatchObject(isNoFile);
    unlinkSync(index);
    mkdirSync(index);
    await expect(open(directory)).rejects.toMatchObject(isNoFile);
  });

  test('under another name it is left alone', async () => {
    await using harness = await logOf(1);
    await harness.log.close();
    const directory = copyOf(harness);
    mkdirSync(join(directory, 'old.tmp'));
    mkdirSync(join(directory, 'lost+found'));
    writeFileSync(join(directory, 'notes.log'), 'not ours');
    const before = await readdir(directory);
    expect((await contents(directory)).items).toEqual(harness.items);
    expect(await readdir(directory)).toEqual(before);
  });
});

test('a log of 20 GB is open within two seconds', async () => {
  const segmentBytes = 256 * 1024 * 1024;
  await using harness = await logOf(100);
  await harness.log.close();
  // Older segments, sparse: nothing of them is read but their index.
  const directory = copyOf(harness);
  const changes = 1_000_000;
  const tables = zstdCompressSync('[]');
  for (let i = 1; i <= 80; i++) {
    const firstScn = harness.firstScn - i * changes;
    const path = join(directory, segmentName(firstScn));
    writeFileSync(path, '');
    truncateSync(path, segmentBytes);
    const index = new SegmentIndex();
    for (let at = 0; at < segmentBytes; at += 65_536) index.push(at, firstScn + at, 0);
    const complete = { start: segmentBytes - 200, end: segmentBytes, nextScn: firstScn + changes };
    const summary = {
      firstScn,
      nextScn: firstScn + changes,
      bytes: segmentBytes,
      firstCommitUs: 1,
      maxCommitUs: 1,
      complete,
    };
    const name = path.replace('.log', '.index');
    writeFileSync(name, index.encode(summary, tables));
  }
  const start = performance.now();
  const log = await open(directory);
  const milliseconds = performance.now() - start;
  expect(log.visible.bytes).toBeGreaterThan(20e9);
  expect(log.visible.after).toBe(harness.firstScn - 80 * changes - 1);
  await log.close();
  expect(milliseconds).toBeLessThan(2000);
});
