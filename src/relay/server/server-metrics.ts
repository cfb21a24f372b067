import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../../base/clock.ts';
import type { SinkControl, SinkState, SinkStatus } from '../../core/sink-service.ts';
import type { SnapshotState } from '../../core/snapshots/snapshot-state.ts';
import type { RelayStream, ServedStream, StreamStatus } from '../relay-api.ts';
import { type LagMeter, lowestCheckpoint } from './lag.ts';
import { type MetricName, METRICS } from './metrics.ts';
import { SnapshotRowCounter } from './snapshot-rows.ts';

const STATES: readonly StreamStatus['state'][] = [
  'starting',
  'running',
  'paused',
  'waiting',
  'stalled',
  'failed',
  'closed',
];
const STALLS = ['disk-full', 'disk-error'] as const;
const SNAPSHOT_STATES: readonly SnapshotState[] = ['running', 'paused', 'done', 'failed', 'cancelled'];
const SINK_STATES: readonly SinkState[] = ['starting', 'running', 'waiting', 'paused', 'failed', 'stopped'];
const DURATION_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60];

export interface ServerMetricsOptions {
  readonly streams: () => Iterable<ServedStream>;
  readonly sinks: () => Iterable<SinkControl>;
  readonly lag: LagMeter;
  readonly clock: Clock;
}

/**
 * What the metrics say: some are counted as things happen, the others are read from the relay when somebody asks for the page. A registry of its
 * own, so that a program that holds a relay keeps its own metrics apart.
 */
export class ServerMetrics {
  readonly registry: Registry = new Registry();
  readonly readersOpen: Gauge;
  readonly readerBytes: Counter;
  readonly readersEnded: Counter;
  readonly readersDelayed: Counter;
  readonly groupCommits: Counter;
  readonly groupFenced: Counter;
  readonly httpRequests: Counter;
  readonly httpSeconds: Histogram;
  readonly #options: ServerMetricsOptions;
  /** What is read from the relay when somebody asks. */
  readonly #read: ReadonlyMap<MetricName, Gauge | Counter>;
  readonly #snapshotRows: SnapshotRowCounter;
  /** The page being made: a second one begins when it is done, as both write to the same registry. */
  #making: Promise<unknown> = Promise.resolve();
  readonly #seen: WeakMap<RelayStream, { readonly commitUs: number; readonly lagSeconds: number }> = new WeakMap();

  constructor(options: ServerMetricsOptions) {
    this.#options = options;
    this.#snapshotRows = new SnapshotRowCounter(options.clock.nowMs());
    // Looked at ten times a second: the default of a hundred would be most of what an idle relay does.
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 100 });
    this.readersOpen = this.#gauge('readersOpen');
    this.readerBytes = this.#counter('readerBytes');
    this.readersEnded = this.#counter('readersEnded');
    this.readersDelayed = this.#counter('readersDelayed');
    this.groupCommits = this.#counter('groupCommits');
    this.groupFenced = this.#counter('groupFenced');
    this.httpRequests = this.#counter('httpRequests');
    const { name, help, labels } = METRICS.httpSeconds;
    this.httpSeconds = new Histogram({
      name,
      help,
      labelNames: labels,
      buckets: DURATION_BUCKETS,
      registers: [this.registry],
    });
    const own = new Set<MetricName>([
      'readersOpen',
      'readerBytes',
      'readersEnded',
      'readersDelayed',
      'groupCommits',
      'groupFenced',
      'httpRequests',
      'httpSeconds',
    ]);
    const names = (Object.keys(METRICS) as MetricName[]).filter((each) => !own.has(each));
    this.#read = new Map(
      names.map((each) => [each, METRICS[each].type === 'counter' ? this.#counter(each) : this.#gauge(each)]),
    );
  }

  /** The page of `/metrics`. */
  text(): Promise<string> {
    const page = this.#making.then(() => this.#make());
    this.#making = page.catch(() => undefined);
    return page;
  }

  async #make(): Promise<string> {
    for (const metric of this.#read.values()) metric.reset();
    for (const served of this.#options.streams()) {
      this.#readStatus(served);
      const { opening } = served;
      // Of a log that cannot be opened nothing is known.
      if (opening.kind === 'failed') continue;
      const { stream } = opening;
      this.#readLog(stream);
      this.#readSnapshots(stream);
      // oxlint-disable-next-line no-await-in-loop -- a look into a log each: one after the other
      await this.#readGroups(stream);
    }
    for (const sink of this.#options.sinks()) this.#readSink(sink.status());
    return this.registry.metrics();
  }

  #readSink({ name, state, rows, batches, pending, lagMs, parked, parkedKeys }: SinkStatus): void {
    const labels = { sink: name };
    for (const each of SINK_STATES) this.#set('sinkState', { sink: name, state: each }, Number(each === state));
    this.#set('sinkRows', labels, rows);
    this.#set('sinkBatches', labels, batches);
    this.#set('sinkPending', labels, pending);
    this.#set('sinkLag', labels, lagMs / 1000);
    this.#set('sinkDeadLetters', labels, parked);
    this.#set('sinkBlockedKeys', labels, parkedKeys);
  }

  #readStatus(stream: ServedStream): void {
    const { name } = stream;
    const status = stream.status();
    const labels = { stream: name };
    for (const state of STATES) this.#set('streamState', { stream: name, state }, Number(state === status.state));
    for (const reason of STALLS) {
      this.#set('streamStalled', { stream: name, reason }, Number(status.stall?.reason === reason));
    }
    this.#set('streamChanges', labels, status.changes);
    this.#set('streamTransactions', labels, status.transactions);
    this.#set('streamSourceBytes', labels, status.sourceBytes);
    this.#set('streamConnections', labels, status.connections);
    if (status.heardMs !== null) {
      this.#set('streamHeard', labels, Math.max(0, this.#options.clock.nowMs() - status.heardMs) / 1000);
    }
  }

  #readLog(stream: RelayStream): void {
    const { after, last, lastCommitUs, bytes, endOffset } = stream.log.visible;
    const labels = { stream: stream.name };
    this.#set('streamLogBytes', labels, bytes);
    this.#set('streamWrittenBytes', labels, endOffset);
    if (lastCommitUs > 0) {
      this.#set('streamLastCommit', labels, lastCommitUs / 1e6);
      this.#set('streamDurableLag', labels, this.#durableLag(stream, lastCommitUs));
    }
    if (last > after) {
      this.#set('streamFirstScn', labels, after + 1);
      this.#set('streamLastScn', labels, last);
    }
  }

  #readSnapshots(stream: RelayStream): void {
    const labels = { stream: stream.name };
    const snapshots = stream.snapshots.list();
    for (const state of SNAPSHOT_STATES) {
      const those = snapshots.filter((snapshot) => snapshot.state === state);
      this.#set('snapshots', { stream: stream.name, state }, those.length);
    }
    this.#set('snapshotRows', labels, this.#snapshotRows.total(stream, snapshots));
    const open = snapshots.filter(({ state }) => state === 'running' || state === 'paused');
    const known = open.flatMap(({ rows, estimate }) => (estimate === null ? [] : [Math.max(0, estimate - rows)]));
    const left = known.reduce((sum, each) => sum + each, 0);
    if (known.length > 0) this.#set('snapshotRowsLeft', labels, left);
    const seconds = open.flatMap(({ secondsLeft }) => (secondsLeft === null ? [] : [secondsLeft]));
    if (seconds.length > 0) this.#set('snapshotSecondsLeft', labels, Math.max(...seconds));
  }

  async #readGroups(stream: RelayStream): Promise<void> {
    for (const group of stream.groups.list()) {
      const labels = { stream: stream.name, group: group.group };
      // oxlint-disable-next-line no-await-in-loop -- as above
      const lag = await this.#options.lag.of(stream, group);
      this.#set('groupMembers', labels, group.members.length);
      this.#set('groupPaused', labels, Number(group.paused));
      this.#set('groupLagChanges', labels, lag.changes);
      this.#set('groupLagBytes', labels, lag.bytes);
      this.#set('groupLagSeconds', labels, lag.seconds);
      const checkpoint = lowestCheckpoint(group);
      if (checkpoint !== null) this.#set('groupCheckpoint', labels, checkpoint);
    }
  }

  /** An idle stream's last commit grows old without any lag: its age counts when it is new only. */
  #durableLag(stream: RelayStream, commitUs: number): number {
    let seen = this.#seen.get(stream);
    if (seen?.commitUs !== commitUs) {
      seen = { commitUs, lagSeconds: Math.max(0, this.#options.clock.nowMs() / 1000 - commitUs / 1e6) };
      this.#seen.set(stream, seen);
    }
    return seen.lagSeconds;
  }

  #set(metric: MetricName, labels: Record<string, string>, value: number): void {
    const read = this.#read.get(metric);
    // A counter was reset before: what it counts is counted elsewhere.
    if (read instanceof Counter) read.inc(labels, value);
    else read?.set(labels, value);
  }

  #gauge(metric: MetricName): Gauge {
    const { name, help, labels } = METRICS[metric];
    return new Gauge({ name, help, labelNames: labels, registers: [this.registry] });
  }

  #counter(metric: MetricName): Counter {
    const { name, help, labels } = METRICS[metric];
    return new Counter({ name, help, labelNames: labels, registers: [this.registry] });
  }
}
