import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { plainRowBatch } from '../../src/core/plain-rows.ts';
import type { TransactionPart } from '../../src/core/source.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { FileLog } from '../../src/relay/log/file-log.ts';
import { segmentName } from '../../src/relay/log/segment.ts';
import { SegmentIndex } from '../../src/relay/log/segment-index.ts';
import { tableOf } from '../../src/testing/tables.ts';

const SEGMENT_BYTES = 256 * 1024 * 1024;
const SEGMENTS = 80;
const CHANGES = 1_000_000;
/** How densely an index is filled. */
const INDEX_EVERY_BYTES = 65_536;

/** How long it takes to open a log of 20 GB: its old segments are sparse files, of which nothing is read but the index. One line. */
export async function measureLongLogStart(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'tidings-long-log-'));
  const open = (): Promise<FileLog> =>
    FileLog.open({ directory, name: 'long', partitions: 64, options: {}, log: silentLogger });
  try {
    const short = await open();
    const newest = short.visible.after + 1;
    void short.append({ parts: [onePart()], position: 'end', bytes: 0 });
    await short.close();
    const tables = zstdCompressSync('[]');
    for (let i = 1; i <= SEGMENTS; i++) addSegment(directory, newest - i * CHANGES, tables);
    const startMs = performance.now();
    const long = await open();
    const milliseconds = performance.now() - startMs;
    const { bytes } = long.visible;
    await long.close();
    return `start with a log of ${(bytes / 1e9).toFixed(1)} GB: ${milliseconds.toFixed(0)} ms (at most 2000 ms)`;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function onePart(): TransactionPart {
  const table = tableOf('bench.long', { id: 'int' }, ['id']);
  return {
    transaction: { id: null, committedAtUs: 1, serverId: 1, start: 'start' },
    begins: true,
    restarted: false,
    entries: [plainRowBatch({ table, kind: 'insert', rows: [{ id: 1 }] })],
    end: 'end',
  };
}

function addSegment(directory: string, firstScn: number, tables: Buffer): void {
  const path = join(directory, segmentName(firstScn));
  writeFileSync(path, '');
  truncateSync(path, SEGMENT_BYTES);
  const index = new SegmentIndex();
  for (let at = 0; at < SEGMENT_BYTES; at += INDEX_EVERY_BYTES) index.push(at, firstScn + at, 0);
  const nextScn = firstScn + CHANGES;
  const summary = {
    firstScn,
    nextScn,
    bytes: SEGMENT_BYTES,
    firstCommitUs: 1,
    maxCommitUs: 1,
    complete: { start: SEGMENT_BYTES - 200, end: SEGMENT_BYTES, nextScn },
  };
  writeFileSync(path.replace('.log', '.index'), index.encode(summary, tables));
}
