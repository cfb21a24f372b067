import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { prepareReader } from '../decode/readers.ts';
import { ReaderProcess, type Latencies } from '../decode/reader-process.ts';
import { createTables, probeLatency, type Workload, writeBulk, writeTransactions } from '../decode/workloads.ts';
import { type BenchServer, openBenchServer } from '../support/bench-server.ts';
import { Child } from '../support/child.ts';
import { hottestFunctions } from '../support/cpu-profile.ts';
import { machineLine } from '../support/machine.ts';
import { residentMegabytes } from '../support/process-memory.ts';
import { note, timed } from '../support/progress.ts';
import { spread } from '../support/statistics.ts';
import { measureIsolation } from './isolation.ts';
import { measureLongLogStart } from './long-log.ts';
import { writeLargeTransaction } from './workloads.ts';

const PARTS = [
  'decode',
  'ingest',
  'bulk',
  'tx',
  'catch-up',
  'ndjson',
  'ten',
  'latency',
  'idle',
  'isolation',
  'large',
  'start',
] as const;
type Part = (typeof PARTS)[number];

interface Options {
  readonly rounds: number;
  readonly warmPasses: number;
  readonly rows: number;
  readonly transactions: number;
  readonly rate: number;
  readonly seconds: number;
  readonly largeBytes: number;
  readonly parts: ReadonlySet<Part>;
  readonly data: string;
  readonly profile: string | undefined;
}

/** What was asked for and what came, one line of the report. */
interface Line {
  readonly what: string;
  readonly unit: string;
  readonly aim: string;
  readonly values: number[];
  /** CPU seconds per million rows: relay, then consumers. */
  readonly relayCpu: number[];
  readonly consumerCpu: number[];
}

type Mode = 'all' | 'columns' | 'ndjson' | 'lines' | 'latency';

interface PassMessage {
  readonly event: 'result';
  readonly rows: number;
  readonly seconds: number;
  readonly idSum: number;
  readonly bodyLength: number;
  readonly latenciesUs: Latencies | null;
}

/** `npm run bench -- relay`: source → fsynced log → remote consumers, every process on this machine. Resolves to the exit code. */
export async function runRelayBench(args: string[]): Promise<number> {
  const options = parseOptions(args);
  await using server = await openBenchServer('mariadb', undefined);
  const machine = machineLine(server.version);
  const bench = new RelayBench(server, options);
  await bench.run();
  await server.connection.query('DROP DATABASE IF EXISTS bench');
  bench.print(machine);
  return 0;
}

function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '3' },
      'warm-passes': { type: 'string', default: '3' },
      rows: { type: 'string', default: '1000000' },
      transactions: { type: 'string', default: '300000' },
      rate: { type: 'string', default: '5000' },
      seconds: { type: 'string', default: '8' },
      'large-bytes': { type: 'string', default: String(2 * 1024 ** 3) },
      parts: { type: 'string', default: PARTS.join(',') },
      /** Where the logs lie. */
      data: { type: 'string', default: join(import.meta.dirname, '..', '..', '.cache', 'bench') },
      /** A folder for CPU profiles of relay and consumer in the measured passes. */
      profile: { type: 'string' },
    },
  });
  const parts = values.parts.split(',');
  const unknown = parts.find((part) => !PARTS.some((known) => known === part));
  if (unknown !== undefined) throw new Error(`"${unknown}" is none of ${PARTS.join(', ')}`);
  return {
    rounds: Number(values.rounds),
    warmPasses: Number(values['warm-passes']),
    rows: Math.ceil(Number(values.rows) / 1000) * 1000,
    transactions: Number(values.transactions),
    rate: Number(values.rate),
    seconds: Number(values.seconds),
    largeBytes: Number(values['large-bytes']),
    parts: new Set(parts as Part[]),
    data: values.data,
    profile: values.profile,
  };
}

const STREAM = 'bench';

class RelayBench {
  readonly #server: BenchServer;
  readonly #options: Options;
  readonly #lines: Line[] = [];
  readonly #notes: string[] = [];
  #serverId = 9000;

  constructor(server: BenchServer, options: Options) {
    this.#server = server;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { connection } = this.#server;
    const { parts, rows, transactions, rounds } = this.#options;
    const wants = (...some: Part[]): boolean => some.some((part) => parts.has(part));
    await createTables(connection);
    const bulk = wants('decode', 'ingest', 'bulk', 'catch-up', 'ndjson', 'ten')
      ? await timed(`writing ${rows} rows`, () => writeBulk(connection, rows))
      : null;
    const tx = wants('tx')
      ? await timed(`writing ${transactions} transactions`, () => writeTransactions(connection, transactions))
      : null;
    await connection.query('FLUSH BINARY LOGS');
    for (let round = 1; round <= rounds; round++) {
      note(`round ${round}`);
      if (bulk !== null && wants('decode')) await this.#decode(bulk);
      if (bulk !== null && wants('ingest')) await this.#ingest(bulk);
      if (bulk !== null && wants('bulk')) {
        await this.#endToEnd(bulk, 'columns', 'source → log → consumer, 2 of 13 columns', 'rows/s ≥ 1.5 M');
        await this.#endToEnd(bulk, 'all', 'source → log → consumer, all 13 columns', 'rows/s ≥ 1.2 M');
      }
      if (tx !== null) await this.#endToEnd(tx, 'all', 'the same, single-row transactions', 'tx/s ≥ 300 k');
      if (bulk !== null && wants('catch-up', 'ndjson')) await this.#catchUp(bulk);
      if (bulk !== null && wants('ten')) await this.#ten(bulk);
      if (wants('latency')) await this.#latency();
    }
    if (wants('idle')) await this.#idle();
    if (wants('isolation')) {
      const { line } = await measureIsolation({ server: this.#server, serverId: this.#serverId++ });
      this.#notes.push(line);
    }
    if (wants('large')) await this.#large();
    if (wants('start')) this.#notes.push(await measureLongLogStart());
  }

  /** What decoding alone gives, of the same binlog in the same run: the difference is what durability and the wire cost. */
  async #decode(bulk: Workload): Promise<void> {
    const reader = await prepareReader('tidings');
    if ('reason' in reader) throw new Error(reader.reason);
    const { host, port, user, flavor } = this.#server;
    const told = { host, port, user, flavor, table: bulk.table, file: bulk.file, position: bulk.position };
    const args = Object.entries({ ...told, 'until-rows': bulk.rows, mode: 'rows', 'server-id': this.#serverId++ });
    const { command } = reader;
    await using child = new ReaderProcess({
      command: command.command,
      args: [...command.args, ...args.flatMap(([name, value]) => [`--${name}`, String(value)])],
    });
    await child.ready();
    for (let i = 0; i < this.#options.warmPasses; i++) await child.pass();
    const { rows, seconds, cpuSeconds } = await child.pass();
    const line = this.#line('decode bench: source → callback, no log, all 13 columns', 'rows/s', '–');
    line.values.push(rows / seconds);
    line.consumerCpu.push(((cpuSeconds ?? Number.NaN) * 1e6) / rows);
  }

  async #endToEnd(workload: Workload, mode: Mode, what: string, aim: string): Promise<void> {
    const { warmPasses } = this.#options;
    await using relay = await this.#startRelay(workload);
    await using consumer = await this.#startConsumer(workload, mode);
    const line = this.#line(what, workload.name === 'tx' ? 'tx/s' : 'rows/s', aim);
    for (let pass = 0; pass <= warmPasses; pass++) {
      const measured = pass === warmPasses;
      await relay.begin(measured);
      const before = { relay: relay.child.cpu(), consumer: consumer.cpu() };
      consumer.tell(`${STREAM} ${relay.url}${measured ? ' profile' : ''}`);
      relay.go();
      const result = await consumer.answer<PassMessage>('result');
      check(result, workload);
      if (!measured) continue;
      line.values.push(result.rows / result.seconds);
      line.relayCpu.push((relay.child.cpuSince(before.relay) * 1e6) / result.rows);
      line.consumerCpu.push((consumer.cpuSince(before.consumer) * 1e6) / result.rows);
    }
    await this.#profiles(what);
  }

  /** Readers of a log that is there already: one, four at once, and one that takes lines of JSON. */
  async #catchUp(bulk: Workload): Promise<void> {
    await using relay = await this.#startRelay(bulk);
    await relay.begin();
    relay.go();
    const once = async (mode: Mode, count: number, line: Line): Promise<void> => {
      const consumers: Child[] = [];
      try {
        for (let i = 0; i < count; i++) consumers.push(await this.#startConsumer(bulk, mode));
        const pass = async (measured: boolean): Promise<PassMessage[]> => {
          for (const consumer of consumers) consumer.tell(`${STREAM} ${relay.url}${measured ? ' profile' : ''}`);
          return Promise.all(consumers.map((consumer) => consumer.answer<PassMessage>('result')));
        };
        for (let i = 0; i < this.#options.warmPasses; i++) await pass(false);
        const before = relay.child.cpu();
        const consumersBefore = consumers.map((consumer) => consumer.cpu());
        const startMs = performance.now();
        const results = await pass(true);
        const wallSeconds = (performance.now() - startMs) / 1000;
        for (const result of results) check(result, bulk);
        const rows = results.reduce((sum, result) => sum + result.rows, 0);
        // Together: from the first one's request to the last one's last row.
        line.values.push(count === 1 ? rows / (results[0]?.seconds ?? Number.NaN) : rows / wallSeconds);
        line.relayCpu.push((relay.child.cpuSince(before) * 1e6) / rows);
        const used = consumers.reduce((sum, one, i) => sum + one.cpuSince(consumersBefore[i] ?? null), 0);
        line.consumerCpu.push((used * 1e6) / rows);
      } finally {
        for (const consumer of consumers) await consumer[Symbol.asyncDispose]();
      }
    };
    if (this.#options.parts.has('catch-up')) {
      await once('columns', 1, this.#line('catch-up, one client, 2 of 13 columns', 'rows/s', 'rows/s ≥ 2.5 M'));
      await once('all', 1, this.#line('catch-up, one client, all 13 columns', 'rows/s', '–'));
      await once('columns', 4, this.#line('catch-up, four clients together, 2 columns', 'rows/s', 'rows/s ≥ 4 M'));
    }
    if (this.#options.parts.has('ndjson')) {
      await once('lines', 1, this.#line('NDJSON, one client that picks out two values', 'rows/s', 'rows/s ≥ 400 k'));
      await once(
        'ndjson',
        1,
        this.#line('NDJSON, one client with JSON.parse of every line', 'rows/s', 'rows/s ≥ 400 k'),
      );
    }
  }

  /** Source → log with nobody reading it: what the thread that ingests could do at best if it had nothing else to do. */
  async #ingest(bulk: Workload): Promise<void> {
    const line = this.#line('source → log, without a consumer', 'rows/s', '–');
    await this.#ingestBeside(bulk, { consumers: 0, warmPasses: this.#options.warmPasses, source: line, all: line });
  }

  async #ten(bulk: Workload): Promise<void> {
    const source = this.#line('ten consumers at the tail, 2 columns each: the source', 'rows/s', 'rows/s ≥ 800 k');
    const all = this.#line('the same, until the last of the ten has everything', 'rows/s', '–');
    await this.#ingestBeside(bulk, { consumers: 10, warmPasses: 2, source, all });
  }

  async #ingestBeside(
    bulk: Workload,
    { consumers: count, warmPasses, source, all }: { consumers: number; warmPasses: number; source: Line; all: Line },
  ): Promise<void> {
    await using relay = await this.#startRelay(bulk, ['--rows', String(bulk.rows)]);
    const consumers: Child[] = [];
    try {
      for (let i = 0; i < count; i++) consumers.push(await this.#startConsumer(bulk, 'columns'));
      for (let pass = 0; pass <= warmPasses; pass++) {
        const measured = pass === warmPasses;
        await relay.begin(measured);
        for (const consumer of consumers) consumer.tell(`${STREAM} ${relay.url}`);
        await sleep(200);
        const before = relay.child.cpu();
        const consumersBefore = consumers.map((consumer) => consumer.cpu());
        relay.go();
        const ingested = await relay.child.answer<{ readonly event: 'ingested'; readonly seconds: number }>('ingested');
        const results = await Promise.all(consumers.map((consumer) => consumer.answer<PassMessage>('result')));
        for (const result of results) check(result, bulk);
        if (!measured) continue;
        source.values.push(bulk.rows / ingested.seconds);
        if (count > 0) all.values.push(bulk.rows / Math.max(...results.map((result) => result.seconds)));
        all.relayCpu.push((relay.child.cpuSince(before) * 1e6) / bulk.rows);
        if (count === 0) continue;
        const used = consumers.reduce((sum, one, i) => sum + one.cpuSince(consumersBefore[i] ?? null), 0);
        all.consumerCpu.push((used * 1e6) / (bulk.rows * count));
      }
    } finally {
      for (const consumer of consumers) await consumer[Symbol.asyncDispose]();
    }
  }

  async #latency(): Promise<void> {
    const { rate, seconds } = this.#options;
    const p50 = this.#line(`commit → remote consumer at ${rate} tx/s, p50`, 'ms', 'ms ≤ 1');
    const p99 = this.#line(`commit → remote consumer at ${rate} tx/s, p99`, 'ms', 'ms ≤ 3');
    const probe = await probeLatency(this.#server.connection);
    await using relay = await this.#startRelay(probe);
    await using consumer = await this.#startConsumer(probe, 'latency');
    await relay.begin();
    consumer.tell(`${STREAM} ${relay.url}`);
    relay.go();
    await consumer.answer<{ readonly event: 'streaming' }>('streaming');
    const before = relay.child.cpu();
    const startMs = performance.now();
    const [result] = await Promise.all([consumer.answer<PassMessage>('result'), this.#load(rate, seconds)]);
    const wallSeconds = (performance.now() - startMs) / 1000;
    if (result.latenciesUs === null) throw new Error('no latencies came back');
    p50.values.push(result.latenciesUs.p50 / 1000);
    p99.values.push(result.latenciesUs.p99 / 1000);
    note(
      `latency: ${JSON.stringify(result.latenciesUs)}, relay ${percent(relay.child.cpuSince(before) / wallSeconds)}`,
    );
  }

  /** What a relay uses of a core when nothing happens, and at 100 tx/s, with a consumer at the tail. */
  async #idle(): Promise<void> {
    for (const [rate, aim] of [
      [0, 1],
      [100, 3],
    ] as const) {
      const probe = await probeLatency(this.#server.connection);
      await using relay = await this.#startRelay(probe);
      // It never has enough.
      await using consumer = await this.#startConsumer({ ...probe, rows: Number.MAX_SAFE_INTEGER }, 'all');
      await relay.begin();
      consumer.tell(`${STREAM} ${relay.url}`);
      relay.go();
      // A relay that has run for a while: its code is compiled.
      if (rate > 0) await this.#load(this.#options.rate, 4);
      // Within ten seconds V8 looks once through what the start has left, which takes 0.15 s.
      await sleep(rate > 0 ? 0 : 15_000);
      const load = rate > 0 ? this.#load(rate, 10) : sleep(10_000);
      const before = relay.child.cpu();
      const startMs = performance.now();
      await load;
      const share = relay.child.cpuSince(before) / ((performance.now() - startMs) / 1000);
      const line = this.#line(rate === 0 ? 'idle relay' : 'relay at 100 tx/s', '% of a core', `% < ${aim}`);
      line.values.push(share * 100);
    }
  }

  async #large(): Promise<void> {
    const { largeBytes } = this.#options;
    const workload = await timed('writing one large transaction', () =>
      writeLargeTransaction(this.#server.connection, largeBytes),
    );
    await using relay = await this.#startRelay(workload);
    await using consumer = await this.#startConsumer(workload, 'columns');
    await relay.begin();
    consumer.tell(`${STREAM} ${relay.url}`);
    let peak = 0;
    const timer = setInterval(() => (peak = Math.max(peak, residentMegabytes(relay.child.pid))), 50);
    relay.go();
    const result = await consumer.answer<PassMessage>('result');
    clearInterval(timer);
    check(result, workload);
    const what = `relay's peak memory, one transaction of ${(workload.bytes / 1e9).toFixed(1)} GB`;
    this.#line(what, 'MB resident', 'MB ≤ 256').values.push(peak);
  }

  async #startRelay(workload: Workload, more: readonly string[] = []): Promise<RunningRelay> {
    await mkdir(this.#options.data, { recursive: true });
    const data = await mkdtemp(join(this.#options.data, 'relay-'));
    const told = {
      data,
      url: this.#server.url,
      table: workload.table,
      from: `${workload.file}:${workload.position}`,
      'server-id': this.#serverId,
    };
    // One more for each pass.
    this.#serverId += 20;
    const args = Object.entries(told).flatMap(([name, value]) => [`--${name}`, String(value)]);
    if (this.#options.profile !== undefined) args.push('--profile', join(this.#options.profile, 'relay.cpuprofile'));
    args.push(...more);
    const child = new Child(fileURLToPath(new URL('./relay-process.ts', import.meta.url)), args);
    let address: string | null = null;
    return {
      child,
      get url(): string {
        if (address === null) throw new Error('the relay has not begun');
        return address;
      },
      async begin(profiled = false): Promise<void> {
        child.tell(profiled ? `${STREAM} profile` : STREAM);
        ({ url: address } = await child.answer<{ readonly event: 'opened'; readonly url: string }>('opened'));
      },
      go(): void {
        child.tell('go');
      },
      [Symbol.asyncDispose]: async (): Promise<void> => {
        await child[Symbol.asyncDispose]();
        await rm(data, { recursive: true, force: true });
      },
    };
  }

  async #startConsumer(workload: Workload, mode: Mode): Promise<Child> {
    const told = { table: workload.table, mode, 'until-rows': workload.rows };
    const args = Object.entries(told).flatMap(([name, value]) => [`--${name}`, String(value)]);
    if (this.#options.profile !== undefined) args.push('--profile', join(this.#options.profile, `${mode}.cpuprofile`));
    const child = new Child(fileURLToPath(new URL('./consumer-process.ts', import.meta.url)), args);
    await child.answer<{ readonly event: 'ready' }>('ready');
    return child;
  }

  /** Writes at the wanted rate from a process of its own. */
  async #load(rate: number, seconds: number): Promise<void> {
    const script = fileURLToPath(new URL('../decode/latency-load.ts', import.meta.url));
    const told = ['--url', this.#server.url, '--rate', rate, '--seconds', seconds, '--warm-seconds', 3].map(String);
    await promisify(execFile)(process.execPath, [script, ...told]);
  }

  async #profiles(what: string): Promise<void> {
    const { profile } = this.#options;
    if (profile === undefined) return;
    for (const name of ['relay', 'all', 'columns', 'ndjson']) {
      const path = join(profile, `${name}.cpuprofile`);
      try {
        this.#notes.push(`${what}: ${path}\n${hottestFunctions(path, 25).join('\n')}`);
        if (process.env['KEEP_PROFILES'] === undefined) await rm(path);
      } catch {
        // This process was not part of the pass.
      }
    }
  }

  #line(what: string, unit: string, aim: string): Line {
    let line = this.#lines.find((one) => one.what === what);
    if (line === undefined) {
      line = { what, unit, aim, values: [], relayCpu: [], consumerCpu: [] };
      this.#lines.push(line);
    }
    return line;
  }

  print(machine: string): void {
    console.log(`${machine}\n`);
    console.log('| what | median | min–max | at least | relay CPU s per M | consumers CPU s per M |');
    console.log('|---|--:|--:|---|--:|--:|');
    for (const { what, unit, aim, values, relayCpu, consumerCpu } of this.#lines) {
      const { median, min, max } = spread(values);
      const figures = [
        human(median, unit),
        `${human(min, '')}–${human(max, '')}`,
        aim,
        cpu(relayCpu),
        cpu(consumerCpu),
      ];
      console.log(`| ${[what, ...figures].join(' | ')} |`);
    }
    for (const line of this.#notes) console.log(`\n${line}`);
  }
}

interface RunningRelay extends AsyncDisposable {
  readonly child: Child;
  /** The same for every pass. */
  readonly url: string;
  /** A pass begins: a relay with a log of its own. */
  begin(profiled?: boolean): Promise<void>;
  /** The source begins. */
  go(): void;
}

function check(result: PassMessage, workload: Workload): void {
  for (const field of ['rows', 'idSum', 'bodyLength'] as const) {
    if (result[field] === workload[field]) continue;
    throw new Error(`wrong: ${field} is ${result[field]}, the server says ${workload[field]}`);
  }
}

function human(value: number, unit: string): string {
  const text =
    value >= 1e6 ? `${(value / 1e6).toFixed(2)} M` : value >= 1e4 ? `${(value / 1e3).toFixed(0)} k` : value.toFixed(2);
  return unit === '' ? text : `${text} ${unit}`;
}

function cpu(values: readonly number[]): string {
  return values.length === 0 ? '–' : spread(values).median.toFixed(3);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} % of a core`;
}
