import { spread, type Spread } from '../support/statistics.ts';
import type { ReaderName } from './readers.ts';
import type { Latencies } from './reader-process.ts';
import type { Workload, WorkloadName } from './workloads.ts';

/** Everything that was measured of one reader on one workload. */
export interface Measurement {
  readonly workload: WorkloadName;
  readonly reader: ReaderName;
  readonly label: string;
  /** Rows per second of each round. */
  readonly rates: number[];
  /** CPU seconds per million rows of each round; per second of wall time for `latency`. Empty where it is not known. */
  readonly cpu: number[];
  readonly latencies: Latencies[];
}

/** The reader that the others are compared with. */
const YARDSTICK: ReaderName = 'java';

/** Markdown, so that it can be put into bench/README.md as it is. */
export function throughputTable(measurements: readonly Measurement[], workloads: readonly Workload[]): string {
  const rows: string[][] = [
    ['workload', 'reader', 'rows/s', 'min–max', 'CPU s per M rows', 'min–max', 'rows/s ÷ Java', 'CPU ÷ Java'],
  ];
  for (const workload of workloads) {
    const all = measurements.filter((one) => one.workload === workload.name && one.rates.length > 0);
    const yardstick = all.find((one) => one.reader === YARDSTICK);
    for (const one of all) {
      const rate = spread(one.rates);
      const cpu = spread(one.cpu);
      rows.push([
        workload.name,
        one.label,
        rows0(rate.median),
        range(rate, rows0),
        number(cpu.median, 3),
        range(cpu, (value) => number(value, 3)),
        yardstick === undefined ? '–' : `${number(rate.median / spread(yardstick.rates).median, 2)}×`,
        yardstick === undefined ? '–' : `${number(cpu.median / spread(yardstick.cpu).median, 2)}×`,
      ]);
    }
  }
  return markdown(rows, 2);
}

export function latencyTable(measurements: readonly Measurement[]): string {
  const rows: string[][] = [
    ['reader', 'p50 ms', 'min–max', 'p99 ms', 'min–max', 'max ms', 'tx/s reached', 'CPU, % of a core'],
  ];
  const milliseconds = (value: number): string => number(value / 1000, 2);
  for (const one of measurements) {
    if (one.workload !== 'latency' || one.latencies.length === 0) continue;
    const p50 = spread(one.latencies.map((latencies) => latencies.p50));
    const p99 = spread(one.latencies.map((latencies) => latencies.p99));
    rows.push([
      one.label,
      milliseconds(p50.median),
      range(p50, milliseconds),
      milliseconds(p99.median),
      range(p99, milliseconds),
      milliseconds(Math.max(...one.latencies.map((latencies) => latencies.max))),
      rows0(spread(one.rates).median),
      number(spread(one.cpu).median * 100, 0),
    ]);
  }
  return markdown(rows, 1);
}

function rows0(value: number): string {
  if (Number.isNaN(value)) return '–';
  return value >= 1e6 ? `${number(value / 1e6, 2)} M` : `${number(value / 1e3, value < 1e4 ? 1 : 0)} k`;
}

function number(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}

function range({ min, max }: Spread, format: (value: number) => string): string {
  return `${format(min)}–${format(max)}`;
}

/** Columns as wide as their content; all but the first `texts` are aligned to the right. */
function markdown(rows: readonly (readonly string[])[], texts: number): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i < texts ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i < texts ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(rows[0] ?? []), rule, ...rows.slice(1).map(line)].join('\n');
}
