import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileSink } from '../../src/sinks/file/file-sink.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';
import { FileWriter, type FileWriterOptions, writtenKeys } from '../support/sinks/file-writer/file-writer.ts';
import { PARTITIONS, rowBehind, scriptedRow } from '../support/sinks/file-writer/script.ts';
import { sinkBatch, sinkContext } from '../support/sinks/rows.ts';

const KILLS = process.env['TIDINGS_SOAK'] === '1' ? 100 : 2;
const COUNT = 400;
const seed = seedOfRun('sink-file-kill');

let path = '';
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'tidings-sink-kill-'));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

type SinkOptions = NonNullable<FileWriterOptions['sink']>;

const rotate = { bytes: 4096, afterMs: 300 };
const KINDS: readonly SinkOptions[] = [
  { format: 'ndjson', compression: 'zstd', rotate, partition: '{table}/date={date}' },
  { format: 'avro', compression: 'deflate', rotate },
  { format: 'parquet', rotate },
];

/** Lets a process write to the end; then every row is there once, and nothing is left open. */
async function finish(sink: SinkOptions, durable: readonly number[]): Promise<void> {
  await using writer = new FileWriter(path, { upTo: COUNT, sink });
  expect({ ...(await writer.exit()), errors: writer.errors, last: writer.lines.at(-1) }).toEqual({
    code: 0,
    signal: null,
    errors: '',
    last: 'done',
  });
  for (const row of durable) {
    const claimed = writer.lines.find((line) => line.startsWith(`claimed ${row % PARTITIONS} `));
    expect(Number(claimed?.split(' ')[2])).toBeGreaterThanOrEqual(row);
  }
  expect(await writtenKeys(path)).toEqual(Array.from({ length: COUNT }, (_, i) => i + 1));
  expect(readdirSync(join(path, '_tidings/files/open'))).toEqual([]);
  expect(readdirSync(join(path, '_tidings/files/writers'))).toEqual([]);
}

describe.each(KINDS)('a process that writes files of $format', (sink) => {
  test.each([
    ['sink-file-append', 1],
    ['sink-file-append', 12],
    ['sink-file-sync', 1],
    ['sink-file-sync', 9],
    ['sink-file-manifest', 1],
    ['sink-file-manifest', 2],
    ['sink-file-manifest', 3],
    ['sink-file-manifest', 15],
    ['sink-file-complete', 1],
    ['sink-file-complete', 3],
  ])('is killed at %s, passing %i: every row is in one file once', async (name, passing) => {
    await using writer = new FileWriter(path, { upTo: COUNT, sink, failpoints: `${name}:kill@${passing}` });
    expect(await writer.exit()).toEqual({ code: null, signal: 'SIGKILL' });
    await finish(sink, writer.durable);
  });

  test('is killed at random moments: every row is in one file once', async () => {
    const random = new SeededRandom(seed);
    const durable: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      await using writer = new FileWriter(path, { upTo: COUNT, sink });
      const enough = 1 + random.below(20);
      await writer.until(({ lines }) => lines.filter((line) => line !== '').length >= enough);
      writer.kill();
      await writer.exit();
      durable.push(...writer.durable);
    }
    await finish(sink, durable);
  }, 600_000);
});

test('killed while the manifest is replaced by a shorter one, nothing of it is lost', async () => {
  const sink: SinkOptions = { format: 'ndjson' };
  const count = 4000;
  await using writer = new FileWriter(path, { upTo: count, sink, failpoints: 'sink-file-compact:kill@1' });
  expect(await writer.exit()).toEqual({ code: null, signal: 'SIGKILL' });
  await using next = new FileWriter(path, { upTo: count, sink });
  expect({ ...(await next.exit()), errors: next.errors }).toEqual({ code: 0, signal: null, errors: '' });
  expect(await writtenKeys(path)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
}, 400_000);

test('what a crash has left of a record and of rows behind it is cut off', async () => {
  await using writer = new FileWriter(path, { upTo: COUNT, failpoints: 'sink-file-manifest:kill@6' });
  await writer.exit();
  const own = join(path, '_tidings/files');
  appendFileSync(join(own, 'manifest.log'), '0123');
  for (const name of readdirSync(join(own, 'open'))) appendFileSync(join(own, 'open', name), '{"half":');
  writeFileSync(join(own, 'open', 'ffffffffffff-1.part'), 'of nobody');
  await finish({}, writer.durable);
});

test('a changed byte inside of the manifest is told, and nothing is written', async () => {
  await using writer = new FileWriter(path, { upTo: COUNT });
  await writer.exit();
  const manifest = join(path, '_tidings/files/manifest.log');
  const bytes = readFileSync(manifest);
  bytes[40] = (bytes[40] ?? 0) ^ 1;
  writeFileSync(manifest, bytes);
  const sink = new FileSink({ path });
  await expect(sink.open(sinkContext())).rejects.toMatchObject({ code: 'SINK_STATE_DAMAGED' });
  await sink.close();
  expect(readFileSync(manifest)).toEqual(bytes);
});

test('a file that lacks what the manifest names is told', async () => {
  await using writer = new FileWriter(path, { upTo: COUNT, failpoints: 'sink-file-sync:kill@9' });
  await writer.exit();
  const open = join(path, '_tidings/files/open');
  for (const name of readdirSync(open)) writeFileSync(join(open, name), '');
  const sink = new FileSink({ path });
  await expect(sink.open(sinkContext())).rejects.toMatchObject({ code: 'SINK_STATE_DAMAGED' });
  await sink.close();
});

test('of two processes on one directory, the one whose partitions were claimed writes no more, and every row is there once', async () => {
  await using first = new FileWriter(path, { upTo: 1e9, sink: { rotate } });
  await first.until(({ durable }) => durable.length > 5);
  const second = new FileSink({ path, rotate });
  await second.open(sinkContext());
  const claimed = await second.claim(Array.from({ length: PARTITIONS }, (_, i) => i));
  await first.until(({ lines }) => lines.includes('refused SINK_FENCED'));
  expect((await first.exit()).code).toBe(3);
  const expected: number[] = [];
  for (const { partition, scn } of claimed.filter(({ serial }) => !serial)) {
    const next = rowBehind(partition, scn);
    for (let row = rowBehind(partition, 0); row <= next; row += PARTITIONS) expected.push(row);
    await second.write(sinkBatch([scriptedRow(next)], [{ partition, serial: false, scn: next }]));
  }
  await second.close();
  expect(claimed.length).toBe(PARTITIONS * 2);
  expect(await writtenKeys(path)).toEqual(expected.toSorted((a, b) => a - b));
}, 60_000);
