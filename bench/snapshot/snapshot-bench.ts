import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { createTables, probeLatency, type Workload, writeBulk } from '../decode/workloads.ts';
import { type BenchServer, openBenchServer } from '../support/bench-server.ts';
import { Child } from '../support/child.ts';
import { machineLine } from '../support/machine.ts';
import { note, timed } from '../support/progress.ts';
import { ResultTable } from '../support/result-table.ts';
import { findDumpProgram } from './dump-program.ts';
import { peakOfLargeRows, peakOfManyRows } from './peak-memory.ts';
import { cancelSnapshot, runSnapshot, snapshotState, startSnapshot, type StreamAddress } from './run-snapshot.ts';

const PARTS = ['log', 'consumer', 'latency', 'memory'] as const;
type Part = (typeof PARTS)[number];

interface Options {
  readonly rounds: number;
  readonly rows: number;
  readonly rate: number;
  readonly seconds: number;
  readonly largeRows: number;
  readonly manyRows: number;
  readonly parts: ReadonlySet<Part>;
  readonly server: 'mariadb' | 'mysql';
  readonly profile: string | undefined;
}

const RELAY = fileURLToPath(new URL('../relay/relay-process.ts', import.meta.url));
const CONSUMER = fileURLToPath(new URL('../relay/consumer-process.ts', import.meta.url));
const SELECT = fileURLToPath(new URL('./select-process.ts', import.meta.url));
const LOAD = fileURLToPath(new URL('../decode/latency-load.ts', import.meta.url));
const STREAM = 'rows';
/** The table lies in memory: what is measured is not the disk. */
const SERVER_OPTIONS = ['--innodb-buffer-pool-size=2G'];

/** `npm run bench -- snapshot`: the rows of a table into the durable log, beside other ways to read it. Resolves to the exit code. */
export async function runSnapshotBench(args: string[]): Promise<number> {
  const options = parseOptions(args);
  await using server = await openBenchServer(options.server, undefined, SERVER_OPTIONS);
  const machine = machineLine(server.version);
  const bench = new SnapshotBench(server, options);
  await bench.run();
  process.stdout.write(`${machine}\n\n${String(bench.results)}`);
  return 0;
}

function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '3' },
      rows: { type: 'string', default: '2000000' },
      rate: { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '8' },
      'large-rows': { type: 'string', default: '60' },
      many: { type: 'string', default: '5000000' },
      parts: { type: 'string', default: PARTS.join(',') },
      server: { type: 'string', default: 'mariadb' },
      /** A folder for a CPU profile of the relay in the last round. */
      profile: { type: 'string' },
    },
  });
  const parts = values.parts.split(',');
  const unknown = parts.find((part) => !PARTS.some((known) => known === part));
  if (unknown !== undefined) throw new Error(`"${unknown}" is none of ${PARTS.join(', ')}`);
  if (values.server !== 'mariadb' && values.server !== 'mysql') throw new Error('--server is mariadb or mysql');
  return {
    rounds: Number(values.rounds),
    rows: Math.ceil(Number(values.rows) / 1000) * 1000,
    rate: Number(values.rate),
    seconds: Number(values.seconds),
    largeRows: Number(values['large-rows']),
    manyRows: Number(values.many),
    parts: new Set(parts as Part[]),
    server: values.server,
    profile: values.profile,
  };
}

const rowsPerSecond = (value: number): string =>
  value >= 1e6 ? `${(value / 1e6).toFixed(2)} M rows/s` : `${Math.round(value / 1000)} k rows/s`;

class SnapshotBench {
  readonly results: ResultTable = new ResultTable();
  readonly #server: BenchServer;
  readonly #options: Options;

  constructor(server: BenchServer, options: Options) {
    this.#server = server;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { parts } = this.#options;
    await createTables(this.#server.connection);
    if (PARTS.some((part) => part !== 'memory' && parts.has(part))) await this.#rounds();
    if (parts.has('memory')) await this.#memory();
  }

  async #rounds(): Promise<void> {
    const { connection } = this.#server;
    const { rows, rounds, parts } = this.#options;
    const bulk = await timed(`writing ${rows} rows`, () => writeBulk(connection, rows));
    for (let round = 1; round <= rounds; round++) {
      note(`round ${round}`);
      if (parts.has('log')) {
        await this.#log(bulk, round === rounds);
        await this.#select(bulk);
        await this.#dump(bulk);
      }
      if (parts.has('consumer')) await this.#consumer(bulk);
      if (parts.has('latency')) await this.#latency();
    }
  }

  async #log(bulk: Workload, isLast: boolean): Promise<void> {
    await using relay = await this.#relay('bench.*', isLast);
    // A pass that warms the code up.
    await runSnapshot(relay, bulk.table);
    const cpu = relay.child.cpu();
    const { seconds, rows } = await runSnapshot(relay, bulk.table);
    if (rows !== bulk.rows) throw new Error(`the snapshot has ${rows} rows, the table ${bulk.rows}`);
    this.#add('snapshot into the fsynced log, 13 columns', '≥ 600 k rows/s', rows / seconds, rowsPerSecond);
    const perMillion = relay.child.cpuSince(cpu) / (rows / 1e6);
    this.#add('the same, CPU seconds of the relay per million rows', '–', perMillion, (value) => value.toFixed(3));
  }

  async #select(bulk: Workload): Promise<void> {
    await using child = new Child(SELECT, ['--url', this.#server.url, '--table', bulk.table]);
    let rate = 0;
    for (let pass = 0; pass < 2; pass++) {
      child.tell('go');
      const { rows, seconds, bodyLength } = await child.answer<{
        event: 'result';
        rows: number;
        seconds: number;
        bodyLength: number;
      }>('result');
      if (bodyLength !== bulk.bodyLength) throw new Error('mysql2 has read something else');
      rate = rows / seconds;
    }
    this.#add('mysql2, streaming SELECT of the same table', 'snapshot ≥ 0.8 ×', rate, rowsPerSecond);
  }

  async #dump(bulk: Workload): Promise<void> {
    const { host, port, user, flavor } = this.#server;
    let command: readonly [string, ...string[]];
    try {
      command = await findDumpProgram(flavor);
    } catch (error) {
      note(`no dump program: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    const [program, ...before] = command;
    const [database = '', table = ''] = bulk.table.split('.');
    const args = ['--no-defaults', `--host=${host}`, `--port=${port}`, `--user=${user}`, '--protocol=tcp'];
    const startMs = performance.now();
    const child = spawn(program, [...before, ...args, '--single-transaction', '--quick', database, table], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`the dump failed: ${stderr}`);
    this.#add(
      `${flavor === 'mariadb' ? 'mariadb-dump' : 'mysqldump'} of the same table to nowhere`,
      '–',
      bulk.rows / ((performance.now() - startMs) / 1000),
      rowsPerSecond,
    );
  }

  /** A group that is new, and gets the rows before anything else. */
  async #consumer(bulk: Workload): Promise<void> {
    await using relay = await this.#relay('bench.*', false);
    const args = ['--table', bulk.table, '--mode', 'all', '--until-rows', String(bulk.rows)];
    await using consumer = new Child(CONSUMER, args);
    await consumer.answer('ready');
    consumer.tell(`${STREAM} ${relay.url}`);
    const startMs = performance.now();
    const [{ bodyLength }] = await Promise.all([
      consumer.answer<{ event: 'result'; bodyLength: number }>('result'),
      runSnapshot(relay, bulk.table),
    ]);
    if (bodyLength !== bulk.bodyLength) throw new Error('the consumer got something else');
    const seconds = (performance.now() - startMs) / 1000;
    this.#add('to one remote consumer, all columns as objects', '≥ 400 k rows/s', bulk.rows / seconds, rowsPerSecond);
  }

  async #latency(): Promise<void> {
    const milliseconds = (value: number): string => `${value.toFixed(1)} ms`;
    const { rate } = this.#options;
    const alone = await this.#probe(false);
    const beside = await this.#probe(true);
    this.#add(`live stream at ${rate} tx/s, p99 without a snapshot`, '–', alone, milliseconds);
    this.#add('the same while a snapshot runs', 'at most 100 ms more', beside, milliseconds);
  }

  async #probe(withSnapshot: boolean): Promise<number> {
    const { rate, seconds } = this.#options;
    const probe = await probeLatency(this.#server.connection);
    await using relay = await this.#relay('bench.*', false, `${probe.file}:${probe.position}`);
    await using consumer = new Child(CONSUMER, ['--table', probe.table, '--mode', 'latency', '--until-rows', '0']);
    await consumer.answer('ready');
    consumer.tell(`${STREAM} ${relay.url}`);
    await consumer.answer('streaming');
    const stop = { snapshots: false };
    const snapshots = withSnapshot ? this.#keepSnapshotting(relay, stop) : Promise.resolve();
    const args = [LOAD, '--url', this.#server.url, '--rate', String(rate), '--seconds', String(seconds)];
    const load = promisify(execFile)(process.execPath, args);
    const { latenciesUs } = await consumer.answer<{ event: 'result'; latenciesUs: { p99: number } }>('result');
    await load;
    stop.snapshots = true;
    await snapshots;
    return latenciesUs.p99 / 1000;
  }

  /** One after the other, so that there is one all the time. */
  async #keepSnapshotting(relay: StreamAddress, stop: { readonly snapshots: boolean }): Promise<void> {
    while (!stop.snapshots) {
      const { id } = await startSnapshot(relay, 'bench.bulk');
      while (!stop.snapshots && (await snapshotState(relay, id)).state === 'running') await sleep(50);
      if (stop.snapshots) await cancelSnapshot(relay, id);
    }
  }

  async #memory(): Promise<void> {
    const { largeRows, manyRows } = this.#options;
    const folder = await benchFolder();
    const megabytes = (value: number): string => `${Math.round(value)} MB`;
    const large = await peakOfLargeRows(this.#server, folder, largeRows);
    this.#add(`peak memory, ${largeRows} rows of 16 MB`, '≤ 256 MB', large.megabytes, megabytes);
    const many = await peakOfManyRows(this.#server, folder, manyRows);
    const what = `${(manyRows / 1e6).toFixed(1)} M rows of 3 columns`;
    this.#add(`peak memory, ${what}`, '≤ 256 MB', many.megabytes, megabytes);
    this.#add(`snapshot into the fsynced log, ${what}`, '–', many.rowsPerSecond, rowsPerSecond);
  }

  async #relay(
    tables: string,
    isProfiled: boolean,
    from = 'now',
  ): Promise<AsyncDisposable & StreamAddress & { readonly child: Child }> {
    const data = await mkdtemp(join(await benchFolder(), 'snapshot-'));
    const { profile } = this.#options;
    const isWanted = isProfiled && profile !== undefined;
    const args = ['--data', data, '--url', this.#server.url, '--table', tables, '--from', from, '--server-id', '7001'];
    const child = new Child(RELAY, isWanted ? [...args, '--profile', join(profile, 'snapshot.cpuprofile')] : args);
    child.tell(isWanted ? `${STREAM} profile` : STREAM);
    const { url } = await child.answer<{ event: 'opened'; url: string }>('opened');
    child.tell('go');
    return {
      child,
      url,
      stream: STREAM,
      [Symbol.asyncDispose]: async (): Promise<void> => {
        await child[Symbol.asyncDispose]();
        await rm(data, { recursive: true, force: true });
      },
    };
  }

  #add(what: string, aim: string, value: number, text: (value: number) => string): void {
    this.results.add(what, { aim, value, text });
  }
}

async function benchFolder(): Promise<string> {
  const folder = join(import.meta.dirname, '..', '..', '.cache', 'bench');
  await mkdir(folder, { recursive: true });
  return folder;
}
