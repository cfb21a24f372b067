import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BenchServer, openBenchServer } from '../support/bench-server.ts';
import { Child } from '../support/child.ts';
import { machineLine } from '../support/machine.ts';
import { note } from '../support/progress.ts';
import { ResultTable } from '../support/result-table.ts';
import { binlogEnd, createOrders, digest, fillOrders, freshOrders, ORDERS } from './orders.ts';
import { Replica } from './replica.ts';
import { runSink, type SinkOutcome } from './run-sink.ts';

const PARTS = ['mysql', 'loop', 'replica', 'mapping', 'poison', 'ndjson', 'avro'] as const;
type Part = (typeof PARTS)[number];

interface Options {
  readonly rounds: number;
  readonly rows: number;
  readonly warmRows: number;
  readonly parts: ReadonlySet<Part>;
  readonly apart: boolean;
  readonly profile: string | undefined;
}

const LOOP = fileURLToPath(new URL('./plain-loop.ts', import.meta.url));
/** The tables lie in memory: what is measured is not the disk. */
const SERVER_OPTIONS = ['--innodb-buffer-pool-size=1G', '--log-slave-updates=1'];
const CONNECTIONS = [1, 4];
const REPLICA_THREADS = [0, 4];

/** All that the declarative form has which costs something per row: names, a cast, a condition, a constant and a document. */
const MAPPING = {
  tables: {
    'bench.orders': {
      to: 'copies.mapped',
      where: 'total >= 0',
      columns: {
        id: 'id',
        buyer: 'customer',
        state: 'status',
        amount: { from: 'total', cast: 'varchar(20)' },
        'details.note': 'note',
        'details.at': 'ordered_at',
      },
    },
  },
};

/** `npm run bench -- sinks`: source → log → sink, beside other ways to write the same rows. Resolves to the exit code. */
export async function runSinksBench(args: string[]): Promise<number> {
  const options = parseOptions(args);
  await using source = await openBenchServer('mariadb', undefined, SERVER_OPTIONS);
  await using target = await openBenchServer('mariadb', undefined, SERVER_OPTIONS);
  const machine = machineLine(source.version);
  const bench = new SinksBench({ source, target }, options);
  await bench.run();
  process.stdout.write(`${machine}\n\n${String(bench.results)}`);
  return 0;
}

function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '3' },
      rows: { type: 'string', default: '1000000' },
      warm: { type: 'string', default: '300000' },
      parts: { type: 'string', default: PARTS.join(',') },
      /** The sink in a process of its own. */
      apart: { type: 'boolean', default: false },
      /** A folder for CPU profiles of the last round. */
      profile: { type: 'string' },
    },
  });
  const parts = values.parts.split(',');
  const unknown = parts.find((part) => !PARTS.some((known) => known === part));
  if (unknown !== undefined) throw new Error(`"${unknown}" is none of ${PARTS.join(', ')}`);
  const thousands = (text: string): number => Math.ceil(Number(text) / 1000) * 1000;
  return {
    rounds: Number(values.rounds),
    rows: thousands(values.rows),
    warmRows: thousands(values.warm),
    parts: new Set(parts as Part[]),
    apart: values.apart,
    profile: values.profile,
  };
}

const rowsPerSecond = (value: number): string => `${Math.round(value / 1000)} k rows/s`;
const perMillion = (value: number): string => value.toFixed(2);

class SinksBench {
  readonly results: ResultTable = new ResultTable();
  readonly #source: BenchServer;
  readonly #target: BenchServer;
  readonly #options: Options;
  #folder = '';

  constructor({ source, target }: { readonly source: BenchServer; readonly target: BenchServer }, options: Options) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { rounds, parts } = this.#options;
    const parent = join(import.meta.dirname, '..', '..', '.cache', 'bench');
    await mkdir(parent, { recursive: true });
    this.#folder = await mkdtemp(join(parent, 'sinks-'));
    await createOrders(this.#source.connection);
    await this.#target.connection.query("SET GLOBAL slave_parallel_mode = 'optimistic'");
    try {
      for (let round = 1; round <= rounds; round++) {
        note(`round ${round}`);
        for (const part of PARTS) {
          if (!parts.has(part)) continue;
          note(part);
          await this.#part(part, round === rounds);
        }
      }
    } finally {
      await rm(this.#folder, { recursive: true, force: true });
    }
  }

  async #part(part: Part, isLast: boolean): Promise<void> {
    switch (part) {
      case 'mysql':
        return await this.#mysql(isLast);
      case 'loop':
        for (const connections of CONNECTIONS) await this.#loop(connections);
        return;
      case 'replica':
        for (const threads of REPLICA_THREADS) await this.#replica(threads);
        return;
      case 'mapping':
        return await this.#mapping(isLast);
      case 'poison':
        return await this.#poison(isLast);
      case 'ndjson':
        return await this.#file('ndjson', '≥ 300 k rows/s', isLast);
      case 'avro':
        return await this.#file('avro', '≥ 600 k rows/s', isLast);
    }
  }

  async #mysql(isLast: boolean): Promise<void> {
    await this.#freshTarget();
    const tables = { 'bench.orders': { to: 'copies.orders' } };
    const outcome = await this.#run({ type: 'mysql', url: this.#url, tables }, { isLast });
    await this.#same('copies.orders');
    this.#add('mysql sink, 6 columns', '≥ 100 k rows/s, ≥ 0.8 × the loop', outcome.rowsPerSecond, rowsPerSecond);
    this.#add('mysql sink, CPU seconds of Tidings per million rows', '–', outcome.cpuSeconds, perMillion);
  }

  /** Into a table that holds the rows which warm up, as for the sink. */
  async #loop(connections: number): Promise<void> {
    const { warmRows, rows } = this.#options;
    const { connection } = this.#source;
    await this.#freshTarget();
    await this.#target.connection.query(`CREATE TABLE copies.orders ${ORDERS}`);
    await freshOrders(connection);
    await fillOrders(connection, 0, warmRows);
    await using child = new Child(LOOP, [
      ...['--source', this.#source.url, '--target', this.#target.url],
      ...['--table', 'copies.orders', '--connections', String(connections)],
    ]);
    child.tell('0');
    await child.answer('ready');
    await child.answer('result');
    await fillOrders(connection, warmRows, rows);
    child.tell(String(warmRows));
    await child.answer('ready');
    const { seconds } = await child.answer<{ event: 'result'; seconds: number }>('result');
    await this.#same('copies.orders');
    const what = `mysql2, ready upserts of 1000 rows, ${connections} connection${connections === 1 ? '' : 's'}`;
    this.#add(what, '–', rows / seconds, rowsPerSecond);
  }

  async #replica(threads: number): Promise<void> {
    const { warmRows, rows } = this.#options;
    const { connection } = this.#source;
    const { connection: target } = this.#target;
    const replica = new Replica(target, this.#source);
    await connection.query('FLUSH BINARY LOGS');
    await target.query('DROP DATABASE IF EXISTS bench');
    await target.query('CREATE DATABASE bench');
    const begin = await binlogEnd(connection);
    await freshOrders(connection);
    await fillOrders(connection, 0, warmRows);
    await replica.begin(begin, threads);
    await replica.apply(await binlogEnd(connection));
    await replica.end();
    const warm = await binlogEnd(connection);
    await fillOrders(connection, warmRows, rows);
    await replica.begin(warm, threads);
    const seconds = await replica.apply(await binlogEnd(connection));
    await replica.end();
    await this.#same('bench.orders');
    await target.query('DROP DATABASE bench');
    const what = `MariaDB's own replica, ${threads === 0 ? 'one thread' : `${threads} threads, optimistic`}`;
    this.#add(what, '–', rows / seconds, rowsPerSecond);
  }

  async #mapping(isLast: boolean): Promise<void> {
    await this.#freshTarget();
    const sink = { type: 'mysql', url: this.#url, ...MAPPING };
    const { rowsPerSecond: rate, cpuSeconds } = await this.#run(sink, { isLast });
    this.#add('mysql sink with rename, cast, filter, nested columns', '≥ 0.7 × without', rate, rowsPerSecond);
    this.#add('with the mapping, CPU seconds of Tidings per million rows', '–', cpuSeconds, perMillion);
  }

  /** The target does not take one of the rows. */
  async #poison(isLast: boolean): Promise<void> {
    const { warmRows, rows } = this.#options;
    await this.#freshTarget();
    const poisoned = warmRows + Math.floor(rows / 2) + 1;
    await this.#target.connection.query(
      `CREATE TABLE copies.orders ${ORDERS.replace('NOT NULL,', `NOT NULL, CONSTRAINT poison CHECK (id <> ${poisoned}),`)}`,
    );
    const tables = { 'bench.orders': { to: 'copies.orders' } };
    const outcome = await this.#run({ type: 'mysql', url: this.#url, tables }, { isLast });
    if (outcome.deadLetters !== 1) throw new Error(`${outcome.deadLetters} rows were set aside`);
    this.#add('mysql sink, one of the rows is refused', '≥ 0.95 × without', outcome.rowsPerSecond, rowsPerSecond);
  }

  async #file(format: 'ndjson' | 'avro', aim: string, isLast: boolean): Promise<void> {
    const path = await mkdtemp(join(this.#folder, 'files-'));
    const outcome = await this.#run({ type: 'file', path, format }, { isLast });
    await rm(path, { recursive: true, force: true });
    this.#add(`file sink, ${format}, 6 columns`, aim, outcome.rowsPerSecond, rowsPerSecond);
    this.#add(`${format}, CPU seconds of Tidings per million rows`, '–', outcome.cpuSeconds, perMillion);
  }

  async #run(sink: object, { isLast }: { readonly isLast: boolean }): Promise<SinkOutcome> {
    const { warmRows, rows, apart, profile } = this.#options;
    const { connection, url } = this.#source;
    return await runSink({
      source: connection,
      sourceUrl: url,
      sink,
      folder: this.#folder,
      warmRows,
      rows,
      apart,
      profile: isLast ? profile : undefined,
    });
  }

  get #url(): string {
    return `${this.#target.url}/copies`;
  }

  async #freshTarget(): Promise<void> {
    await this.#target.connection.query('DROP DATABASE IF EXISTS copies');
    await this.#target.connection.query('CREATE DATABASE copies CHARACTER SET utf8mb4');
  }

  /** A copy that is not the same would have been quick for another reason. */
  async #same(table: string): Promise<void> {
    const [there, here] = [
      await digest(this.#source.connection, 'bench.orders'),
      await digest(this.#target.connection, table),
    ];
    if (there !== here) throw new Error(`${table} is not what the source has: ${here} instead of ${there}`);
  }

  #add(what: string, aim: string, value: number, text: (value: number) => string): void {
    this.results.add(what, { aim, value, text });
  }
}
