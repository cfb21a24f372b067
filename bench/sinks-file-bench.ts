/**
 * How many rows a second the file sink writes, durably, from rows that a mapping has made: `node bench/sinks-file-bench.ts [rows] [directory]`.
 * Two tables, of 6 and of 13 columns; batches of 5000 rows in one lane; each is in the manifest before the next one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Row } from '../src/core/change.ts';
import type { SinkTarget } from '../src/core/sink.ts';
import type { FileSinkOptions } from '../src/sinks/file/config.ts';
import { FileSink } from '../src/sinks/file/file-sink.ts';
import { tableOf } from '../src/testing/tables.ts';
import { sinkBatch, sinkContext, sinkRow } from '../test/support/sinks/rows.ts';

const BATCH_ROWS = 5000;
const rounds = Math.ceil(Number(process.argv[2] ?? 1_000_000) / BATCH_ROWS);
const root = process.argv[3] ?? tmpdir();

const six: SinkTarget = {
  options: {},
  table: tableOf(
    'shop.orders',
    {
      id: { type: 'bigint', nullable: false },
      customer: { type: 'int' },
      status: { type: 'varchar', length: 20 },
      total: { type: 'decimal', length: 10, scale: 2 },
      created: { type: 'datetime', length: 0 },
      updated: { type: 'timestamp', length: 6 },
    },
    ['id'],
  ),
};
const thirteen: SinkTarget = {
  options: {},
  table: tableOf(
    'shop.customers',
    {
      id: { type: 'bigint', nullable: false },
      email: { type: 'varchar', length: 255 },
      name: { type: 'varchar', length: 255 },
      city: { type: 'varchar', length: 80 },
      country: { type: 'char', length: 2 },
      age: { type: 'tinyint' },
      score: { type: 'double' },
      credit: { type: 'decimal', length: 12, scale: 2 },
      born: { type: 'date' },
      created: { type: 'datetime', length: 3 },
      updated: { type: 'timestamp', length: 6 },
      note: { type: 'text', length: 65535 },
      active: { type: 'tinyint' },
    },
    ['id'],
  ),
};

function rowOf(target: SinkTarget, n: number): Row {
  const second = String(n % 60).padStart(2, '0');
  if (target === six) {
    return {
      id: n,
      customer: n % 9973,
      status: n % 3 === 0 ? 'new' : 'paid',
      total: `${n % 5000}.${String(n % 100).padStart(2, '0')}`,
      created: `2026-11-20 09:15:${second}`,
      updated: `2026-11-20T09:15:${second}.${String(n % 1_000_000).padStart(6, '0')}Z`,
    };
  }
  return {
    id: n,
    email: `customer${n}@example.com`,
    name: `Customer Number ${n}`,
    city: n % 2 === 0 ? 'Zürich' : 'Lisbon',
    country: 'CH',
    age: n % 90,
    score: n / 7,
    credit: `${n % 90_000}.${String(n % 100).padStart(2, '0')}`,
    born: `19${String(50 + (n % 50))}-0${1 + (n % 9)}-1${n % 10}`,
    created: `2026-11-20 09:15:${second}.125`,
    updated: `2026-11-20T09:15:${second}.${String(n % 1_000_000).padStart(6, '0')}Z`,
    note: n % 4 === 0 ? null : `A note of some length, the way that people write them, number ${n}.`,
    active: n % 2,
  };
}

const KINDS: readonly (readonly [string, Omit<FileSinkOptions, 'path'>])[] = [
  ['ndjson', { format: 'ndjson' }],
  ['ndjson, zstd', { format: 'ndjson', compression: 'zstd' }],
  ['ndjson, gzip', { format: 'ndjson', compression: 'gzip' }],
  ['ndjson, lines json', { format: 'ndjson', lines: 'json' }],
  ['ndjson, lines canal', { format: 'ndjson', lines: 'canal' }],
  ['avro', { format: 'avro' }],
  ['avro, deflate', { format: 'avro', compression: 'deflate' }],
  ['avro, zstd', { format: 'avro', compression: 'zstd' }],
  ['parquet, snappy', { format: 'parquet' }],
];

for (const [columns, target] of [
  [6, six],
  [13, thirteen],
] as const) {
  const batches = Array.from({ length: 20 }, (_, b) =>
    Array.from({ length: BATCH_ROWS }, (_, i) => rowOf(target, b * BATCH_ROWS + i)),
  );
  for (const [name, options] of KINDS) {
    if (process.argv[4] !== undefined && process.argv[4] !== name) continue;
    const path = mkdtempSync(join(root, 'tidings-bench-'));
    const sink = new FileSink({ path, ...options });
    await sink.open(sinkContext());
    await sink.claim([0]);
    await sink.prepare(target);
    let writeNs = 0n;
    let cpuUs = 0;
    let scn = 0;
    const run = async (count: number): Promise<void> => {
      for (let round = 0; round < count; round++) {
        const rows = (batches[round % batches.length] ?? []).map((after) =>
          sinkRow(target, { kind: 'insert', scn: ++scn, after }),
        );
        const began = process.hrtime.bigint();
        const cpu = process.cpuUsage();
        await sink.write(sinkBatch(rows, [{ partition: 0, serial: false, scn }]));
        writeNs += process.hrtime.bigint() - began;
        const used = process.cpuUsage(cpu);
        cpuUs += used.user + used.system;
      }
    };
    await run(Math.min(rounds, 20));
    writeNs = 0n;
    cpuUs = 0;
    await run(rounds);
    const seconds = Number(writeNs) / 1e9;
    const began = process.hrtime.bigint();
    await sink.close();
    const closing = Number(process.hrtime.bigint() - began) / 1e9;
    const rate = Math.round((rounds * BATCH_ROWS) / seconds / 1000);
    const ofCpu = Math.round((rounds * BATCH_ROWS * 1000) / cpuUs);
    console.log(
      `${String(columns).padStart(2)} columns  ${name.padEnd(20)} ${String(rate).padStart(5)} k rows/s, ${String(ofCpu).padStart(5)} k per s of CPU; closing ${closing.toFixed(2)} s`,
    );
    rmSync(path, { recursive: true });
  }
}
