import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { openBenchServer, type BenchServer } from '../support/bench-server.ts';
import { hottestFunctions } from '../support/cpu-profile.ts';
import { machineLine } from '../support/machine.ts';
import { note, timed } from '../support/progress.ts';
import { prepareReader, READER_NAMES, type Reader, type ReaderName, type Skipped } from './readers.ts';
import { ReaderProcess, type PassResult, type ReaderCommand } from './reader-process.ts';
import { latencyTable, throughputTable, type Measurement } from './report.ts';
import { createTables, keysOf, probeLatency, writeBulk, writeTransactions } from './workloads.ts';
import type { Workload, WorkloadName } from './workloads.ts';

const WORKLOADS: readonly WorkloadName[] = ['bulk', 'keys', 'tx', 'latency'];
const LATENCY_WARM_SECONDS = 2;

interface DecodeOptions {
  readonly server: 'mariadb' | 'mysql';
  readonly url: string | undefined;
  readonly rounds: number;
  readonly warmPasses: number;
  readonly rows: number;
  readonly transactions: number;
  readonly rate: number;
  readonly seconds: number;
  readonly workloads: ReadonlySet<string>;
  readonly readers: readonly ReaderName[];
  readonly profile: boolean;
}

/** `npm run bench -- decode`: prints how fast readers decode the same binlogs of a live server. Resolves to the exit code. */
export async function runDecodeBench(args: string[]): Promise<number> {
  const options = parseOptions(args);
  const readers: Reader[] = [];
  const skipped: Skipped[] = [];
  for (const name of options.readers) {
    const reader = await prepareReader(name);
    if ('reason' in reader) skipped.push(reader);
    else readers.push(reader);
  }
  await using server = await openBenchServer(options.server, options.url);
  const machine = machineLine(server.version);
  const bench = new DecodeBench(server, options);
  const workloads = await bench.writeWorkloads();
  if (options.profile) {
    await bench.profile(readers, workloads);
    return 0;
  }
  for (let round = 1; round <= options.rounds; round++) {
    for (const workload of workloads) await bench.measureThroughput(readers, workload, round);
    if (options.workloads.has('latency')) await bench.measureLatency(readers, round);
  }
  await server.connection.query('DROP DATABASE bench');
  print(machine, { bench, workloads, skipped, options });
  return bench.failures.some(({ reader }) => reader === 'tidings') ? 1 : 0;
}

function parseOptions(args: string[]): DecodeOptions {
  const { values } = parseArgs({
    args,
    options: {
      server: { type: 'string', default: 'mariadb' },
      url: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      'warm-passes': { type: 'string', default: '3' },
      rows: { type: 'string', default: '1000000' },
      transactions: { type: 'string', default: '300000' },
      rate: { type: 'string', default: '5000' },
      seconds: { type: 'string', default: '5' },
      workloads: { type: 'string', default: WORKLOADS.join(',') },
      readers: { type: 'string', default: READER_NAMES.join(',') },
      profile: { type: 'boolean', default: false },
    },
  });
  if (values.server !== 'mariadb' && values.server !== 'mysql') throw new Error('--server is mariadb or mysql');
  const workloads = oneOf(values.workloads, WORKLOADS);
  return {
    server: values.server,
    url: values.url,
    rounds: Number(values.rounds),
    warmPasses: Number(values['warm-passes']),
    rows: Math.ceil(Number(values.rows) / 1000) * 1000,
    transactions: Number(values.transactions),
    rate: Number(values.rate),
    seconds: Number(values.seconds),
    workloads: new Set(workloads),
    readers: values.profile ? ['tidings'] : oneOf(values.readers, READER_NAMES),
    profile: values.profile,
  };
}

function oneOf<T extends string>(list: string, known: readonly T[]): T[] {
  const wanted = list.split(',');
  const unknown = wanted.find((name) => !known.some((one) => one === name));
  if (unknown !== undefined) throw new Error(`"${unknown}" is none of ${known.join(', ')}`);
  return known.filter((name) => wanted.includes(name));
}

class DecodeBench {
  readonly #server: BenchServer;
  readonly #options: DecodeOptions;
  readonly measurements: Measurement[] = [];
  readonly failures: { readonly reader: ReaderName; readonly line: string }[] = [];
  /** Each reader process its own: a server ends the older of two dumps that share an id. */
  #serverId = 7000;

  constructor(server: BenchServer, options: DecodeOptions) {
    this.#server = server;
    this.#options = options;
  }

  /** Makes the tables and writes the binlog files that are read again and again. */
  async writeWorkloads(): Promise<Workload[]> {
    const { connection } = this.#server;
    const { rows, transactions, workloads: wanted } = this.#options;
    const workloads: Workload[] = [];
    await createTables(connection);
    if (wanted.has('bulk') || wanted.has('keys')) {
      const bulk = await timed(`writing ${rows} rows`, () => writeBulk(connection, rows));
      if (wanted.has('bulk')) workloads.push(bulk);
      if (wanted.has('keys')) workloads.push(keysOf(bulk));
    }
    if (wanted.has('tx')) {
      workloads.push(
        await timed(`writing ${transactions} transactions`, () => writeTransactions(connection, transactions)),
      );
    }
    await connection.query('FLUSH BINARY LOGS');
    return workloads;
  }

  async measureThroughput(readers: readonly Reader[], workload: Workload, round: number): Promise<void> {
    for (const reader of readers) {
      if (workload.name === 'keys' && !reader.keys) continue;
      await this.#attempt(reader, workload.name, async (measurement) => {
        await using process = new ReaderProcess(this.#command(reader, workload));
        await process.ready();
        for (let i = 0; i < this.#options.warmPasses; i++) await process.pass();
        const result = await process.pass();
        check(result, workload);
        const rate = result.rows / result.seconds;
        measurement.rates.push(rate);
        if (result.cpuSeconds !== null) measurement.cpu.push((result.cpuSeconds * 1e6) / result.rows);
        const cpu = result.cpuSeconds?.toFixed(3) ?? '?';
        note(`round ${round}  ${workload.name}  ${reader.label}: ${Math.round(rate / 1000)} k rows/s, ${cpu} CPU s`);
      });
    }
  }

  async measureLatency(readers: readonly Reader[], round: number): Promise<void> {
    for (const reader of readers) {
      await this.#attempt(reader, 'latency', async (measurement) => {
        const probe = await probeLatency(this.#server.connection);
        await using process = new ReaderProcess(this.#command(reader, probe));
        await process.ready();
        let reached = 0;
        const startMs = performance.now();
        const result = await process.pass({ streaming: async () => void (reached = await this.#load()) });
        const seconds = (performance.now() - startMs) / 1000;
        if (result.latenciesUs === null || result.rows === 0) throw new Error('no latencies came back');
        measurement.rates.push(reached);
        measurement.latencies.push(result.latenciesUs);
        if (result.cpuSeconds !== null) measurement.cpu.push(result.cpuSeconds / seconds);
        const { p50, p99 } = result.latenciesUs;
        note(`round ${round}  latency  ${reader.label}: p50 ${p50} µs, p99 ${p99} µs at ${Math.round(reached)} tx/s`);
      });
    }
  }

  /** A profile of the measured pass on each workload, and where its time went. */
  async profile(readers: readonly Reader[], workloads: readonly Workload[]): Promise<void> {
    const folder = join(import.meta.dirname, '..', '..', '.cache', 'bench');
    await mkdir(folder, { recursive: true });
    for (const workload of workloads) {
      for (const reader of readers) {
        const path = join(folder, `decode-${workload.name}.cpuprofile`);
        const { command, args } = this.#command(reader, workload);
        {
          await using process = new ReaderProcess({ command, args: [...args, '--profile', path] });
          await process.ready();
          for (let i = 0; i < Math.max(1, this.#options.warmPasses); i++) await process.pass();
          check(await process.pass(), workload);
        }
        console.log(`\n${workload.name}: ${path}\n${hottestFunctions(path, 25).join('\n')}`);
      }
    }
  }

  /** A reader that fails or reads something else than what was written is reported; the others go on. */
  async #attempt(reader: Reader, workload: WorkloadName, measure: (into: Measurement) => Promise<void>): Promise<void> {
    const { name, label } = reader;
    let measurement = this.measurements.find((one) => one.workload === workload && one.reader === name);
    if (measurement === undefined) {
      measurement = { workload, reader: name, label, rates: [], cpu: [], latencies: [] };
      this.measurements.push(measurement);
    }
    try {
      await measure(measurement);
    } catch (error) {
      const line = `${workload}  ${label}: ${error instanceof Error ? error.message : String(error)}`;
      this.failures.push({ reader: name, line });
      note(line);
    }
  }

  #command({ command }: Reader, workload: Workload): ReaderCommand {
    const { host, port, user, flavor } = this.#server;
    const mode = workload.name === 'keys' || workload.name === 'latency' ? workload.name : 'rows';
    const workloadArgs = {
      host,
      port,
      user,
      flavor,
      table: workload.table,
      file: workload.file,
      position: workload.position,
      'until-rows': workload.rows,
      mode,
      'server-id': this.#serverId++,
    };
    const args = Object.entries(workloadArgs).flatMap(([name, value]) => [`--${name}`, String(value)]);
    return { command: command.command, args: [...command.args, ...args] };
  }

  /** Writes at the wanted rate from a process of its own; resolves to the rate that was reached. */
  async #load(): Promise<number> {
    const { url } = this.#server;
    const { rate, seconds } = this.#options;
    const script = fileURLToPath(new URL('./latency-load.ts', import.meta.url));
    const args = ['--url', url, '--rate', rate, '--seconds', seconds, '--warm-seconds', LATENCY_WARM_SECONDS].map(
      String,
    );
    const { stdout } = await promisify(execFile)(process.execPath, [script, ...args]);
    return (JSON.parse(stdout) as { rate: number }).rate;
  }
}

function check(result: PassResult, workload: Workload): void {
  for (const field of ['rows', 'idSum', 'bodyLength'] as const) {
    if (result[field] === workload[field]) continue;
    throw new Error(`wrong: ${field} is ${result[field]}, the server says ${workload[field]}`);
  }
}

interface Outcome {
  readonly bench: DecodeBench;
  readonly workloads: readonly Workload[];
  readonly skipped: readonly Skipped[];
  readonly options: DecodeOptions;
}

function print(machine: string, { bench, workloads, skipped, options }: Outcome): void {
  console.log(`${machine}\n`);
  for (const { name, description, bytes } of workloads) {
    console.log(`${name}: ${description}, ${Math.round(bytes / 1e6)} MB of binlog`);
  }
  const { rounds, warmPasses } = options;
  console.log(
    `medians of ${rounds} interleaved rounds, each in a process of its own after ${warmPasses} pass(es) to warm up\n`,
  );
  if (workloads.length > 0) console.log(`${throughputTable(bench.measurements, workloads)}\n`);
  if (options.workloads.has('latency')) {
    console.log(
      `commit → callback at ${options.rate} single-row tx/s for ${options.seconds} s, the clock starts before the INSERT is sent\n`,
    );
    console.log(`${latencyTable(bench.measurements)}\n`);
  }
  for (const { name, reason } of skipped) console.log(`skipped: ${name}, because ${reason}`);
  for (const { line } of bench.failures) console.log(`failed: ${line}`);
}
