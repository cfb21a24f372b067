import { performance } from 'node:perf_hooks';
import type { Row } from '../../src/core/change.ts';
import { plainRowBatch } from '../../src/core/plain-rows.ts';
import type { RowShape } from '../../src/core/rows/row-shape.ts';
import { BatchFilter, type FilterOptions } from '../../src/formats/log/batch-filter.ts';
import { batchLength } from '../../src/formats/log/batch-header.ts';
import { FilterOutput } from '../../src/formats/log/filter-output.ts';
import { tableOf } from '../../src/testing/tables.ts';
import { storedBatch } from '../../test/support/stored-batches.ts';
import { viewOf } from '../../test/support/row-target.ts';
import { spread } from '../support/statistics.ts';

/**
 * What filtering on the server costs per stored row, without any I/O: `node bench/relay/filter-bench.ts`. Rows of the 13 columns of
 * bench/decode, 36 a run, in batches of 1152 rows; every measurement filters 1 M rows after one that does not count.
 */
const PARTITIONS = 64;
const RUNS = 32;
const ROWS_PER_RUN = 36;
const BATCHES = 8;
const ROWS = 1_000_000;
const ROUNDS = 7;

const table = tableOf(
  'bench.bulk',
  {
    id: { type: 'bigint', nullable: false },
    shop: 'smallint',
    customer: { type: 'int', unsigned: true },
    weight: 'double',
    amount: { type: 'decimal', length: 10, scale: 2 },
    email: 'varchar',
    active: 'tinyint',
    born: 'date',
    ordered: { type: 'datetime', length: 0 },
    changed: { type: 'timestamp', length: 6 },
    details: 'json',
    reference: 'char',
    note: 'text',
  },
  ['id'],
);

const STATUSES = ['new', 'paid', 'sent', 'back'];

function row(id: number): Row {
  return {
    id,
    shop: id % 900,
    customer: (id * 7919) % 4_000_000,
    weight: id / 7,
    amount: `${(id * 31) % 100_000}.${String(id % 100).padStart(2, '0')}`,
    email: `customer-${id}@example.org`,
    active: id & 1,
    born: '1984-02-29',
    ordered: '2026-11-20 09:15:02',
    changed: '2026-11-20T09:15:02.123456Z',
    details: `{"tags": ["a", "b"], "n": ${id}}`,
    reference: `${STATUSES[id % 4] ?? ''}-1b4e28ba-2fa1-11d2-883f-0016d3cc`,
    note: 'A remark of some length, as people write them. '.repeat(2).slice(0, 60 + (id % 45)),
  };
}

function batches(): { bytes: Buffer; shape: RowShape } {
  const pieces: Buffer[] = [];
  let shape: RowShape | null = null;
  let id = 0;
  for (let batch = 0; batch < BATCHES; batch++) {
    const entries = Array.from({ length: RUNS }, () => {
      const rows = Array.from({ length: ROWS_PER_RUN }, () => row(id++));
      const rowBatch = plainRowBatch({ kind: 'insert', table, rows });
      shape = rowBatch.shape;
      return rowBatch;
    });
    pieces.push(
      storedBatch({ firstScn: 1 + batch * RUNS * ROWS_PER_RUN, transactions: [{ id: 'bench', entries }] }).bytes,
    );
  }
  if (shape === null) throw new Error('no rows');
  return { bytes: Buffer.concat(pieces), shape };
}

interface Case {
  readonly name: string;
  readonly options: FilterOptions;
  readonly partitions?: readonly number[];
}

const CASES: readonly Case[] = [
  { name: 'tables: all pass', options: { tables: ['bench.*'] } },
  { name: 'tables: none passes', options: { tables: ['other.*'] } },
  { name: 'partitions: 1/4 of random keys', options: {}, partitions: Array.from({ length: 16 }, (_, i) => i * 4) },
  { name: 'partitions: all', options: {}, partitions: Array.from({ length: 64 }, (_, i) => i) },
  { name: 'columns: 3 of 13', options: { columns: { 'bench.bulk': ['id', 'amount', 'changed'] } } },
  {
    name: 'columns: 12 of 13',
    options: { columns: { 'bench.bulk': table.columns.map(({ name }) => name).slice(0, 12) } },
  },
  { name: 'where: an integer, passes half', options: { where: { 'bench.bulk': 'active = 1' } } },
  {
    name: 'where: two of three, 1/8',
    options: { where: { 'bench.bulk': "amount >= 75000 and reference like 'paid-%'" } },
  },
];

function measure(
  { options, partitions }: Case,
  { bytes, shape }: { bytes: Buffer; shape: RowShape },
): {
  nanoseconds: number[];
  written: number;
} {
  const filter = new BatchFilter({
    ...options,
    partitionCount: PARTITIONS,
    shapes: { shape: () => shape, tables: () => [table] },
  });
  const lane = filter.lane({ after: 0, partitions: partitions ?? null });
  const output = new FilterOutput(1024 * 1024);
  const view = viewOf(bytes);
  const nanoseconds: number[] = [];
  let written = 0;
  for (let round = 0; round <= ROUNDS; round++) {
    let rows = 0;
    const begun = performance.now();
    while (rows < ROWS) {
      written = 0;
      for (let start = 0; start < bytes.length; start += batchLength(view, start)) {
        output.clear();
        filter.filter(bytes, view, { start, lane, output });
        written += output.at;
        rows += RUNS * ROWS_PER_RUN;
      }
    }
    if (round > 0) nanoseconds.push(((performance.now() - begun) * 1e6) / rows);
  }
  return { nanoseconds, written };
}

const input = batches();
console.log(`${BATCHES} batches, ${Math.round(input.bytes.length / (BATCHES * RUNS * ROWS_PER_RUN))} bytes a row`);
for (const one of CASES) {
  const { nanoseconds, written } = measure(one, input);
  const { median, min, max } = spread(nanoseconds);
  const share = ((100 * written) / input.bytes.length).toFixed(0).padStart(4);
  console.log(
    `${one.name.padEnd(34)} ${median.toFixed(1).padStart(7)} ns/row (${min.toFixed(1)}–${max.toFixed(1)})  ${share} % of the bytes`,
  );
}
