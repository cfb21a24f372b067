import type { Connection } from 'mysql2/promise';
import { compareTables } from './compare.ts';
import { ConsumerProcess } from './consumer-process.ts';
import { Intake } from './intake.ts';
import { killSink } from './kill-sink.ts';
import { killConsumer, killRelay, type Scene } from './kills.ts';
import { LagMeter } from './lag-meter.ts';
import { liveLine } from './live-line.ts';
import { RelayProcess } from './relay-process.ts';
import { Replica } from './replica.ts';
import { showCopyProof, showFigures, showProof } from './report.ts';
import { number, type Screen } from './screen.ts';
import { describePlace, type Place, productOf, startPlaces, urlOf } from './servers.ts';
import { SHOP_TABLE_NAMES, TILL } from './shop.ts';
import { ShopLoad } from './shop-load.ts';
import { stockShop } from './shop-stock.ts';
import { SinkProcess } from './sink-process.ts';
import { type SnapshotEnd, snapshotEnd } from './snapshot-watch.ts';
import { compareCopy, type CopyComparison, readTable } from './table-sum.ts';
import { untilTrue, Watch } from './waiting.ts';

export interface DemoOptions {
  /** Of the load. It goes on for longer if what was killed is not back by then. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly screen: Screen;
}

const STREAM = 'shop';
const GROUP = 'demo';
const CLIENTS = 4;
/** Without a limit it would be over before anything happens. */
const SNAPSHOT_ROWS_PER_SECOND = 6000;

/** Ends as soon as it is told to; whatever was started is gone then. Returns whether the result was proved. */
export async function runDemo({ seconds, signal, screen }: DemoOptions): Promise<boolean> {
  const label = (text: string): string => screen.paint('dim', text.padEnd(9));
  screen.line(
    `\n${screen.paint('bold', 'Tidings demo')}: a relay, its consumers and a sink are killed under load, and the results are proved exact\n`,
  );
  await using cleanup = new AsyncDisposableStack();
  const { source, target } = await startPlaces(signal, cleanup);
  screen.line(`  ${label('server')}${describePlace(source)}`);
  screen.line(`  ${label('second')}${describePlace(target)}`);

  const over = new AbortController();
  cleanup.defer(() => over.abort());
  const watch = new Watch(AbortSignal.any([signal, over.signal]));
  const client = async ({ server, database }: Place): Promise<Connection> => {
    const connection = await server.connection({ database, dateStrings: true });
    cleanup.defer(() => connection.destroy());
    return connection;
  };
  const connections = await Promise.all(Array.from({ length: CLIENTS }, () => client(source)));
  const admin = await client(source);
  const copy = await client(target);
  const stock = await stockShop(admin);
  signal.throwIfAborted();
  screen.line(
    `  ${label('rows')}the shop has ${number(stock.rows)} rows already, ${number(stock.orders.length)} of them orders; the binlog that has them is not read`,
  );

  const relay = cleanup.use(
    await RelayProcess.create({
      stream: STREAM,
      sourceUrl: urlOf(source),
      snapshotRowsPerSecond: SNAPSHOT_ROWS_PER_SECOND,
    }),
  );
  const sink = cleanup.use(
    await SinkProcess.create({
      relayUrl: relay.url,
      stream: STREAM,
      database: source.database,
      targetUrl: urlOf(target),
      copy: target.database,
    }),
  );
  const lag = new LagMeter();
  const intake = new Intake(new Replica(), lag);
  const consumer = (name: string): ConsumerProcess =>
    cleanup.use(
      new ConsumerProcess(name, {
        url: relay.url,
        stream: STREAM,
        group: GROUP,
        tables: SHOP_TABLE_NAMES.map((table) => `${source.database}.${table}`),
        take: (batch, from) => intake.take(batch, from),
        onFailure: (error) => watch.fail(error),
      }),
    );
  const a = consumer('a');
  const b = consumer('b');
  const load = new ShopLoad({ connections, stock, onCommit: (order) => lag.sent(order) });
  const scene = { relay, sink, copy, stocked: stock.rows, intake, lag, load, screen, watch };
  const snapshot = await underLoad(scene, { seconds, admin, a, b, label, product: productOf(target.server) });

  const stoppedMs = performance.now();
  const closing = `[${await load.close(admin)}]`;
  // The last change of all being there, the groups' lag says when the others are, too.
  const done = untilTrue(
    async () => intake.replica.table('customers').rows.has(closing) && (await relay.lagOf(GROUP)) === 0,
    watch.signal,
  );
  await watch.within(done, 'The consumers did not commit everything');
  const drainedMs = performance.now() - stoppedMs;
  const written = untilTrue(async () => {
    await sink.check();
    return (await relay.lagOf(sink.group)) === 0;
  }, watch.signal);
  await watch.within(written, 'The sink did not write everything');
  const copiedMs = performance.now() - stoppedMs;
  showFigures(screen, { intake, lag, load, snapshot, drainedMs, copiedMs });
  const comparisons = await compareTables(admin, intake.replica, { snapshotEnd: snapshot.scn });
  signal.throwIfAborted();
  const isReplayed = showProof(screen, comparisons);
  const copies = await compareCopies(admin, copy);
  signal.throwIfAborted();
  return showCopyProof(screen, copies, { source: source.server, target: target.server }) && isReplayed;
}

async function compareCopies(shop: Connection, copy: Connection): Promise<readonly CopyComparison[]> {
  const comparisons: CopyComparison[] = [];
  for (const table of [...SHOP_TABLE_NAMES, TILL]) {
    const [here, there] = await Promise.all([readTable(shop, table), readTable(copy, table)]);
    comparisons.push(compareCopy(table, { here, there }));
  }
  return comparisons;
}

interface Plan {
  readonly seconds: number;
  readonly admin: Connection;
  readonly a: ConsumerProcess;
  readonly b: ConsumerProcess;
  /** Paints what stands before a line of the heading. */
  readonly label: (text: string) => string;
  /** What the second server is. */
  readonly product: string;
}

/** The load, which nothing waits for, and what happens while it runs: one thing after the other, each not before its time. */
async function underLoad(scene: Scene, plan: Plan): Promise<SnapshotEnd> {
  const { load, watch, screen } = scene;
  const ended = new AbortController();
  const running = load.run(AbortSignal.any([watch.signal, ended.signal])).catch((error: unknown) => watch.fail(error));
  try {
    await startAll(scene, plan);
    return await meanwhile(scene, plan);
  } finally {
    ended.abort();
    await running;
    screen.endLive();
  }
}

/** Relay, consumers and sink; the first consumer brings its group's snapshot about, as the sink does its own. */
async function startAll({ relay, sink, screen, watch }: Scene, { seconds, a, b, label, product }: Plan): Promise<void> {
  const started = Promise.all([relay.start(watch.signal), sink.start(watch.signal)]);
  await watch.within(started, 'Relay and sink did not start');
  a.start();
  b.start();
  for (const each of [relay, sink]) each.endedByItself(watch.signal).catch((error: unknown) => watch.fail(error));
  screen.line(`  ${label('relay')}${relay.url}, the command "tidings run"; have a look while it runs:`);
  screen.line(`  ${label('')}curl -N '${relay.url}/v1/streams/${STREAM}/changes?from=latest&follow=true'`);
  const shared = untilTrue(async () => a.partitions.length > 0 && b.partitions.length > 0, watch.signal);
  await watch.within(shared, 'The consumers did not share the stream');
  screen.line(
    `  ${label('group')}two consumers, a and b, each a process: ${a.partitions.length} and ${b.partitions.length} partitions`,
  );
  screen.line(
    `  ${label('sink')}of type mysql, another "tidings run": keeps the second database, ${product}, in step with the stream`,
  );
  screen.line(
    `  ${label('snapshot')}one for the group, one for the sink: the rows that were there, ${number(SNAPSHOT_ROWS_PER_SECOND)} a second so that there is something to see`,
  );
  screen.line(
    `  ${label('load')}${CLIENTS} clients of a small shop, at work already, for ${seconds} s more; an ALTER TABLE half-way, three kills\n`,
  );
}

async function meanwhile(scene: Scene, { seconds, admin, a, b }: Plan): Promise<SnapshotEnd> {
  const { relay, load, screen, intake, lag, watch } = scene;
  const ticker = setInterval(liveLine({ screen, intake, lag, consumers: [a, b] }), screen.isTerminal ? 500 : 1000);
  const startedMs = performance.now();
  const until = (part: number): Promise<void> => watch.pause(seconds * 1000 * part - (performance.now() - startedMs));
  const snapshot = snapshotEnd({ relay, group: GROUP, screen, watch });
  snapshot.catch((error: unknown) => watch.fail(error));
  try {
    await killRelay(scene);
    await until(1 / 2);
    await load.migrate(admin);
    await until(2 / 3);
    await killConsumer(scene, { victim: b, survivor: a });
    await killSink(scene);
    await until(1);
    return await watch.within(snapshot, 'The snapshot did not come to its end');
  } finally {
    clearInterval(ticker);
    screen.endLive();
    screen.line();
  }
}
