import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../../base/clock.ts';
import type { SinkControl, SinkState, SinkStatus } from '../../core/sink-service.ts';
import type { SnapshotState } from '../../core/snapshots/snapshot-state.ts';
import type { RelayStream, ServedStream, StreamStatus } from '../relay-api.ts';
import { type LagMeter, lowestCheckpoint } from './lag.ts';
import { SnapshotRowCounter } from './snapshot-rows.ts';

export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface MetricDescription {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
}

const METRICS = {
  streamState: {
    name: 'tidings_stream_state',
    type: 'gauge',
    help: '1 for the state that the stream is in, 0 for the others.',
    labels: ['stream', 'state'],
  },
  streamChanges: {
    name: 'tidings_stream_changes_total',
    type: 'counter',
    help: 'Changes taken from the source since the relay started.',
    labels: ['stream'],
  },
  streamTransactions: {
    name: 'tidings_stream_transactions_total',
    type: 'counter',
    help: 'Transactions taken from the source since the relay started.',
    labels: ['stream'],
  },
  streamSourceBytes: {
    name: 'tidings_stream_source_bytes_total',
    type: 'counter',
    help: "Bytes of the source's log read since the relay started.",
    labels: ['stream'],
  },
  streamConnections: {
    name: 'tidings_stream_connections_total',
    type: 'counter',
    help: 'Times the source was opened since the relay started; more than one means that it was lost in between.',
    labels: ['stream'],
  },
  streamHeard: {
    name: 'tidings_stream_heard_seconds',
    type: 'gauge',
    help: 'Seconds since the source last handed something over, be it that there is nothing new. Absent before the first time.',
    labels: ['stream'],
  },
  streamLastCommit: {
    name: 'tidings_stream_last_commit_timestamp_seconds',
    type: 'gauge',
    help: 'Latest commit time that is durable in the log, seconds since 1970. Absent while the log is empty.',
    labels: ['stream'],
  },
  streamDurableLag: {
    name: 'tidings_stream_durable_lag_seconds',
    type: 'gauge',
    help: 'How old the latest durable commit was when it was first seen to be durable: what lies between the source and the log.',
    labels: ['stream'],
  },
  streamFirstScn: {
    name: 'tidings_stream_first_scn',
    type: 'gauge',
    help: 'SCN of the first change that is kept. Absent while the log is empty.',
    labels: ['stream'],
  },
  streamLastScn: {
    name: 'tidings_stream_last_scn',
    type: 'gauge',
    help: 'SCN of the last change that readers may see. Absent while the log is empty.',
    labels: ['stream'],
  },
  streamLogBytes: {
    name: 'tidings_stream_log_bytes',
    type: 'gauge',
    help: 'Bytes of the log on disk. Absent while it cannot be opened, as is all that is told of logs, groups and snapshots.',
    labels: ['stream'],
  },
  streamWrittenBytes: {
    name: 'tidings_stream_log_written_bytes_total',
    type: 'counter',
    help: 'Bytes ever written to the log.',
    labels: ['stream'],
  },
  streamStalled: {
    name: 'tidings_stream_stalled',
    type: 'gauge',
    help: '1 while the log cannot be written and the source waits, by reason.',
    labels: ['stream', 'reason'],
  },
  readersOpen: {
    name: 'tidings_readers_open',
    type: 'gauge',
    help: 'Responses with changes that are being sent now.',
    labels: ['stream', 'format'],
  },
  readerBytes: {
    name: 'tidings_reader_bytes_total',
    type: 'counter',
    help: 'Bytes of changes that clients took, before chunk framing and TLS.',
    labels: ['stream', 'format'],
  },
  readersEnded: {
    name: 'tidings_readers_ended_total',
    type: 'counter',
    help: 'Responses with changes that have ended: complete, gone (the client left), stuck (disconnected, as it took nothing), failed.',
    labels: ['stream', 'format', 'reason'],
  },
  groupMembers: {
    name: 'tidings_group_members',
    type: 'gauge',
    help: 'Members of the group now.',
    labels: ['stream', 'group'],
  },
  groupPaused: {
    name: 'tidings_group_paused',
    type: 'gauge',
    help: '1 while the group is paused.',
    labels: ['stream', 'group'],
  },
  groupCheckpoint: {
    name: 'tidings_group_checkpoint_scn',
    type: 'gauge',
    help: "The lowest of its partitions' checkpoints.",
    labels: ['stream', 'group'],
  },
  groupLagChanges: {
    name: 'tidings_group_lag_changes',
    type: 'gauge',
    help: 'Changes of all tables behind the lowest checkpoint: at most so many are still to come.',
    labels: ['stream', 'group'],
  },
  groupLagBytes: {
    name: 'tidings_group_lag_bytes',
    type: 'gauge',
    help: 'Bytes of the log behind the lowest checkpoint.',
    labels: ['stream', 'group'],
  },
  groupLagSeconds: {
    name: 'tidings_group_lag_seconds',
    type: 'gauge',
    help: 'How long ago the oldest change behind the lowest checkpoint was committed.',
    labels: ['stream', 'group'],
  },
  groupCommits: {
    name: 'tidings_group_commits_total',
    type: 'counter',
    help: 'Commits that the members of the group sent over HTTP.',
    labels: ['stream', 'group'],
  },
  groupFenced: {
    name: 'tidings_group_fenced_total',
    type: 'counter',
    help: "Partitions in such commits that were no longer the member's, so that their checkpoint was not moved.",
    labels: ['stream', 'group'],
  },
  snapshots: {
    name: 'tidings_snapshots',
    type: 'gauge',
    help: 'Snapshots by state. Of those that are over the relay keeps only the last ones.',
    labels: ['stream', 'state'],
  },
  snapshotRows: {
    name: 'tidings_snapshot_rows_total',
    type: 'counter',
    help: 'Rows that snapshots have read since the relay started.',
    labels: ['stream'],
  },
  snapshotRowsLeft: {
    name: 'tidings_snapshot_rows_left',
    type: 'gauge',
    help: 'Rows that the snapshots that are not over still have to read, as the server estimates it. Absent before it was asked.',
    labels: ['stream'],
  },
  snapshotSecondsLeft: {
    name: 'tidings_snapshot_seconds_left',
    type: 'gauge',
    help: 'How long the snapshot that is being read will take, by the estimate. Absent while none is.',
    labels: ['stream'],
  },
  sinkState: {
    name: 'tidings_sink_state',
    type: 'gauge',
    help: '1 for the state that the sink is in, 0 for the others.',
    labels: ['sink', 'state'],
  },
  sinkRows: {
    name: 'tidings_sink_rows_total',
    type: 'counter',
    help: 'Rows written to the store since the process started.',
    labels: ['sink'],
  },
  sinkBatches: {
    name: 'tidings_sink_batches_total',
    type: 'counter',
    help: 'Batches in which they were written.',
    labels: ['sink'],
  },
  sinkPending: {
    name: 'tidings_sink_pending_rows',
    type: 'gauge',
    help: 'Rows that are on their way to the store.',
    labels: ['sink'],
  },
  sinkLag: {
    name: 'tidings_sink_lag_seconds',
    type: 'gauge',
    help: 'How long ago the oldest of them was committed; 0 while there is none. What is still to be read is in the lag of the group `sink-<name>`.',
    labels: ['sink'],
  },
  sinkDeadLetters: {
    name: 'tidings_sink_dead_letters',
    type: 'gauge',
    help: 'Changes that are set aside.',
    labels: ['sink'],
  },
  sinkBlockedKeys: {
    name: 'tidings_sink_blocked_keys',
    type: 'gauge',
    help: 'Keys that they block.',
    labels: ['sink'],
  },
  httpRequests: {
    name: 'tidings_http_requests_total',
    type: 'counter',
    help: 'Requests answered, by route and status; `other` is no route of the relay.',
    labels: ['method', 'route', 'status'],
  },
  httpSeconds: {
    name: 'tidings_http_request_duration_seconds',
    type: 'histogram',
    help: "From a request's head to the end of its answer. Responses with changes are not in it: they last as long as their readers want.",
    labels: ['method', 'route'],
  },
} as const satisfies Readonly<Record<string, MetricDescription>>;

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

type MetricName = keyof typeof METRICS;

/** Every metric of our own: docs/reference/metrics.md is generated from this. `process_*` and `nodejs_*` are prom-client's. */
export const METRIC_DESCRIPTIONS: readonly MetricDescription[] = Object.values(METRICS);

export interface ServerMetricsOptions {
  readonly streams: () => Iterable<ServedStream>;
  readonly sinks: () => Iterable<SinkControl>;
  readonly lag: LagMeter;
  readonly clock: Clock;
}

/** A registry of its own, so that a program that holds a relay keeps its own metrics apart. */
export class ServerMetrics {
  readonly registry: Registry = new Registry();
  readonly readersOpen: Gauge;
  readonly readerBytes: Counter;
  readonly readersEnded: Counter;
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
