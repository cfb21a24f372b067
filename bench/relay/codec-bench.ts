import { plainRowBatch } from '../../src/core/plain-rows.ts';
import type { Row, Value } from '../../src/core/change.ts';
import type { RowShape } from '../../src/core/rows/row-shape.ts';
import { emptyWindow } from '../../src/base/text-window.ts';
import { compileKeys, compileRows, type RowRange } from '../../src/formats/log/row-decoder.ts';
import { tableOf } from '../../src/testing/tables.ts';
import { spread } from '../support/statistics.ts';
import { GrowingRowTarget, viewOf } from '../../test/support/row-target.ts';

/**
 * What the row codec costs by itself, without sockets and disks: `node bench/relay/codec-bench.ts`. The rows are those of the decode
 * bench's bulk workload. The figures are wall time of one thread, the median of several rounds once the code is hot.
 */

const ROWS = 4000;
const ROUNDS = 60;

const required = { nullable: false } as const;
const BULK = tableOf(
  'bench.bulk',
  {
    id: { type: 'bigint', ...required },
    warehouse: { type: 'smallint', ...required },
    quantity: { type: 'int', unsigned: true },
    weight: { type: 'double', ...required },
    price: { type: 'decimal', length: 10, scale: 2, ...required },
    title: { type: 'varchar', length: 60, ...required },
    active: { type: 'tinyint', ...required },
    made_on: { type: 'date', ...required },
    ordered_at: { type: 'datetime', length: 0, ...required },
    changed_at: { type: 'timestamp', length: 6, ...required },
    details: { type: 'json', ...required },
    code: { type: 'char', length: 36, ...required },
    body: { type: 'text', length: 65_535, ...required },
  },
  ['id'],
);

const WORDS = Array.from({ length: 1000 }, (_, n) =>
  (n * 2_654_435_761)
    .toString(16)
    .padStart(16, '0')
    .repeat(6)
    .slice(0, 56 + (n % 40)),
);

function bulkRow(id: number): Row {
  const n = id % 1000;
  const second = (time: number): string => new Date(time).toISOString().slice(0, 19).replace('T', ' ');
  return {
    id,
    warehouse: (id % 60_000) - 30_000,
    quantity: n % 20 === 7 ? null : (id * 3999) % 4_294_967_296,
    weight: id / 7,
    price: `${id % 9_999_999}.${String(n % 100).padStart(2, '0')}`,
    title: `${n % 50 === 0 ? 'Größe' : 'Size'} ${n} of ${id - n}`,
    active: n % 2,
    made_on: new Date(1_577_836_800_000 + (id % 2000) * 86_400_000).toISOString().slice(0, 10),
    ordered_at: second(1_609_459_200_000 + id * 31_000),
    changed_at: `${second(1_646_092_800_000 + id * 1000).replace(' ', 'T')}.${String(id % 1_000_000).padStart(6, '0')}Z`,
    details: `{"sku": ${id}, "tags": ["a", "b"], "stock": ${n}}`,
    code: `${id.toString(16).toUpperCase().padStart(8, '0')}-1f2e-11ef-9c3d-0242ac120002`,
    body: `${id - n} ${WORDS[n]}`,
  };
}

/** ns per row, the median of the rounds after the first third. */
function measure(name: string, round: () => void): void {
  const times: number[] = [];
  const cpu: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const cpuBefore = process.cpuUsage();
    const before = process.hrtime.bigint();
    round();
    const wall = Number(process.hrtime.bigint() - before);
    const used = process.cpuUsage(cpuBefore);
    if (i < ROUNDS / 3) continue;
    times.push(wall / ROWS);
    cpu.push(((used.user + used.system) * 1000) / ROWS);
  }
  const total = cpu.reduce((sum, value) => sum + value, 0) / cpu.length;
  const { median, min } = spread(times);
  console.log(
    `${name.padEnd(34)} ${median.toFixed(0).padStart(6)} ns/row (best ${min.toFixed(0)}), ${(total / 1000).toFixed(3)} CPU-s per million rows`,
  );
}

const rows = Array.from({ length: ROWS }, (_, i) => bulkRow(1_234_000 + i));
const target = new GrowingRowTarget({ size: 4 * 2 ** 20 });
const encoded = plainRowBatch({ kind: 'insert', table: BULK, rows });
const shape: RowShape = encoded.shape;
encoded.writeTo(target);
const bytes = target.written();
const view = viewOf(bytes);
/** The rows come in runs of this many, as from a server's rows events of 8 KiB. */
const RUN_ROWS = 36;
const runs: { start: number; end: number }[] = [];
for (let start = 0, end = 0, row = 1; end < bytes.length; row++) {
  end += 8 + view.getUint32(end, true);
  if (row % RUN_ROWS !== 0 && end < bytes.length) continue;
  runs.push({ start, end });
  start = end;
}

function eachRun<Output>(decode: Decoder<Output>, outputOf: () => Output): void {
  const window = emptyWindow();
  for (const { start, end } of runs) decode(bytes, view, { start, end, window, limit: bytes.length }, outputOf());
}

type Decoder<Output> = (bytes: Buffer, view: DataView, range: RowRange, output: Output) => void;
interface Images {
  readonly before: Row[];
  readonly after: Row[];
}

console.log(`${ROWS} rows of 13 columns, ${(bytes.length / ROWS).toFixed(0)} bytes each`);

measure('encode from objects', () => {
  target.at = 0;
  encoded.writeTo(target);
});
const images = (): Images => ({ before: [], after: [] });
for (const json of ['text', 'parsed'] as const) {
  const all = compileRows(shape, { wanted: null, json });
  measure(`decode all columns, JSON ${json}`, () => eachRun(all, images));
}
const wanted = new Set(['id', 'price', 'title']);
const three = compileRows(shape, { wanted: BULK.columns.map(({ name }) => wanted.has(name)), json: 'text' });
measure('decode three columns', () => eachRun(three, images));
const keys = compileKeys(shape, 'text');
if (keys === null) throw new Error('the table has a key');
measure('keys', () => eachRun(keys, (): (Value | readonly Value[])[] => []));
