import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { crc32c } from '../../src/base/crc32c.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { plainRowBatch } from '../../src/core/plain-rows.ts';
import type { RowTarget } from '../../src/core/rows/row-target.ts';
import type { ChangeBatch, RowBatch } from '../../src/core/source.ts';
import type { ChangeLog, LogReader } from '../../src/relay/log/change-log.ts';
import { FileLog } from '../../src/relay/log/file-log.ts';
import { tableOf } from '../../src/testing/tables.ts';
import { machineLine } from '../support/machine.ts';
import { readProcessCpu } from '../support/process-cpu.ts';

const MIB = 1024 ** 2;
const BATCH_ROWS = 4000;

/** 13 mixed columns, as the decode bench has them. */
const TABLE = tableOf(
  'bench.rows',
  {
    id: { type: 'bigint', nullable: false },
    account: 'int',
    kind: 'tinyint',
    amount: { type: 'decimal', length: 12, scale: 2 },
    rate: 'double',
    created: { type: 'datetime', length: 6 },
    updated: { type: 'timestamp', length: 0 },
    day: 'date',
    name: { type: 'varchar', length: 64 },
    city: { type: 'varchar', length: 64 },
    note: { type: 'varchar', length: 255 },
    token: { type: 'varbinary', length: 16 },
    state: { type: 'enum', members: ['new', 'paid', 'sent'] },
  },
  ['id'],
);

/** Rows that are encoded already: what is measured is the log, not the encoding. */
class EncodedRows implements RowBatch {
  readonly type = 'rows';
  readonly kind = 'insert';
  readonly table = TABLE;
  readonly statement = null;
  readonly shape: RowBatch['shape'];
  readonly count: number;
  readonly #bytes: Buffer;
  readonly #ends: readonly number[];

  constructor(count: number) {
    const encoder = new Collector();
    const rows = Array.from({ length: count }, (_, id) => ({
      id,
      account: id * 7,
      kind: id % 100,
      amount: '12345.67',
      rate: id / 3,
      created: '2026-11-20 09:15:02.123456',
      updated: '2026-11-20T09:15:02Z',
      day: '2026-11-20',
      name: `customer number ${id}`,
      city: 'Kopenhagen, Danmark',
      note: 'a few words that somebody has written about this order, and which nobody has read since then, as it goes',
      token: new Uint8Array(16).fill(id),
      state: 'paid',
    }));
    const batch = plainRowBatch({ table: TABLE, kind: 'insert', rows });
    batch.writeTo(encoder);
    this.shape = batch.shape;
    this.count = count;
    this.#bytes = encoder.bytes.subarray(0, encoder.at);
    this.#ends = encoder.ends();
  }

  get bytes(): number {
    return this.#bytes.length;
  }

  writeTo(target: RowTarget): void {
    let from = 0;
    for (const end of this.#ends) {
      const size = end - from;
      if (target.end - target.at < size) target.room(size);
      this.#bytes.copy(target.bytes, target.at, from, end);
      target.at += size;
      target.rows++;
      from = end;
    }
  }

  rows(): never {
    throw new Error('not wanted here');
  }

  keys(): null {
    return null;
  }

  changes(): never[] {
    return [];
  }
}

/** A target that takes everything. */
class Collector implements RowTarget {
  bytes: Buffer = Buffer.alloc(16 * MIB);
  view: DataView = new DataView(this.bytes.buffer);
  at = 0;
  end: number = this.bytes.length;
  rows = 0;

  room(size: number): void {
    if (this.end - this.at < size) throw new Error('too many rows');
  }

  grow(offset: number): number {
    return offset;
  }

  ends(): number[] {
    const ends: number[] = [];
    for (let at = 0; at < this.at;) {
      at += 8 + this.view.getUint32(at, true);
      ends.push(at);
    }
    return ends;
  }
}

interface Measured {
  readonly seconds: number;
  readonly cpuSeconds: number | null;
}

async function measured(work: () => Promise<void>): Promise<Measured> {
  const cpu = readProcessCpu(process.pid);
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const after = readProcessCpu(process.pid);
  return { seconds, cpuSeconds: cpu === null || after === null ? null : after.ticksSeconds - cpu.ticksSeconds };
}

function report(
  what: string,
  { rows, bytes }: { rows: number; bytes: number },
  { seconds, cpuSeconds }: Measured,
): void {
  const cpu = cpuSeconds === null ? '' : `, ${((cpuSeconds / rows) * 1e6).toFixed(3)} CPU-s per million rows`;
  const rate = (rows / seconds / 1e6).toFixed(2);
  console.log(
    `${what.padEnd(44)} ${rate.padStart(7)} M rows/s ${(bytes / MIB / seconds).toFixed(0).padStart(6)} MiB/s${cpu}`,
  );
}

async function appendBulk(log: ChangeLog, rows: EncodedRows, total: number): Promise<void> {
  for (let i = 0; i < total; i += rows.count) {
    const full = log.append(changeBatch(i, [rows]));
    if (full !== null) await full;
  }
  await log.flush();
}

/** Batches of 200 transactions of one row each: what one read of a busy server's socket yields. */
async function appendSmall(log: ChangeLog, row: EncodedRows, total: number): Promise<void> {
  for (let i = 0; i < total; i += 200) {
    const full = log.append(
      changeBatch(
        i,
        Array.from({ length: 200 }, () => row),
      ),
    );
    if (full !== null) await full;
  }
  await log.flush();
}

function changeBatch(at: number, transactions: readonly EncodedRows[]): ChangeBatch {
  const parts = transactions.map((rows, i) => {
    const position = { toString: (): string => `binlog.000001:${at + i}` };
    const transaction = {
      id: `0-1-${at + i}`,
      committedAtUs: 1_700_000_000_000_000 + at,
      serverId: 1,
      start: position,
    };
    return { transaction, begins: true, restarted: false, entries: [rows], end: position };
  });
  return { parts, position: { toString: () => `binlog.000001:${at + transactions.length}` }, bytes: 0 };
}

async function readAll(reader: LogReader): Promise<number> {
  let bytes = 0;
  for (;;) {
    const read = reader.read();
    const chunk = read instanceof Promise ? await read : read;
    if (chunk === null) return bytes;
    bytes += chunk.end - chunk.start;
    chunk.release();
  }
}

function benchChecksum(): void {
  const bytes = Buffer.alloc(64 * MIB, 'what a batch may hold');
  for (const size of [1024, 16 * 1024, 256 * 1024]) {
    const count = Math.floor(bytes.length / size);
    for (let at = 0; at < count; at++) crc32c(bytes, at * size, at * size + size);
    const start = performance.now();
    for (let at = 0; at < count; at++) crc32c(bytes, at * size, at * size + size);
    const seconds = (performance.now() - start) / 1000;
    console.log(
      `CRC-32C of ${String(size / 1024).padStart(3)} KiB ${((count * size) / 1e9 / seconds).toFixed(2).padStart(34)} GB/s`,
    );
  }
}

/** `npm run bench -- log`: the relay's log by itself, without a source and without consumers. */
export async function runLogBench(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      rows: { type: 'string', default: '2000000' },
      directory: { type: 'string', default: tmpdir() },
      compression: { type: 'string', default: 'none' },
    },
  });
  const total = Number(values.rows);
  const compression = values.compression === 'zstd' ? 'zstd' : 'none';
  console.log(machineLine('no server'));
  benchChecksum();
  const rows = new EncodedRows(BATCH_ROWS);
  console.log(`${total} rows of ${(rows.bytes / rows.count).toFixed(0)} bytes, compression ${compression}`);
  for (const fsync of [true, false]) {
    const directory = await mkdtemp(join(values.directory, 'tidings-log-bench-'));
    try {
      const open = (): Promise<FileLog> =>
        FileLog.open({ directory, name: 'bench', partitions: 64, options: { fsync, compression }, log: silentLogger });
      let log = await open();
      const from = log.visible.last;
      const bulk = await measured(() => appendBulk(log, rows, total));
      const { bytes } = log.visible;
      report(`append, ${BATCH_ROWS} rows a transaction, fsync ${fsync}`, { rows: total, bytes }, bulk);
      const single = new EncodedRows(1);
      const small = await measured(() => appendSmall(log, single, total / 4));
      report(
        `append, 1 row a transaction, fsync ${fsync}`,
        { rows: total / 4, bytes: log.visible.bytes - bytes },
        small,
      );
      await log.close();
      if (!fsync) continue;
      const opening = await measured(async () => {
        log = await open();
      });
      console.log(`open: ${(opening.seconds * 1000).toFixed(0)} ms`);
      for (const what of ['read from files, verified', 'read from files again']) {
        const read = await measured(async () => {
          await readAll(log.openReader(from));
        });
        report(what, { rows: log.visible.last - from, bytes: log.visible.bytes }, read);
      }
      // Each batch is read as soon as it is durable.
      const reader = log.openReader(log.visible.last);
      const follow = await measured(async () => {
        for (let i = 0; i < total / 4; i += rows.count) {
          const full = log.append(changeBatch(i, [rows]));
          if (full !== null) await full;
          await readAll(reader);
        }
        await log.flush();
        await readAll(reader);
      });
      report('append and read at the tail', { rows: total / 4, bytes: (total / 4 / rows.count) * rows.bytes }, follow);
      await log.close();
    } finally {
      await rm(directory, { recursive: true });
    }
  }
  return 0;
}
