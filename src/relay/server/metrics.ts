export type MetricType = 'counter' | 'gauge' | 'histogram';

export interface MetricDescription {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
}

/** What the code calls each of them. */
export type MetricName =
  | 'streamState'
  | 'streamChanges'
  | 'streamTransactions'
  | 'streamSourceBytes'
  | 'streamConnections'
  | 'streamHeard'
  | 'streamLastCommit'
  | 'streamDurableLag'
  | 'streamFirstScn'
  | 'streamLastScn'
  | 'streamLogBytes'
  | 'streamWrittenBytes'
  | 'streamStalled'
  | 'readersOpen'
  | 'readerBytes'
  | 'readersEnded'
  | 'readersDelayed'
  | 'groupMembers'
  | 'groupPaused'
  | 'groupCheckpoint'
  | 'groupLagChanges'
  | 'groupLagBytes'
  | 'groupLagSeconds'
  | 'groupCommits'
  | 'groupFenced'
  | 'snapshots'
  | 'snapshotRows'
  | 'snapshotRowsLeft'
  | 'snapshotSecondsLeft'
  | 'sinkState'
  | 'sinkRows'
  | 'sinkBatches'
  | 'sinkPending'
  | 'sinkLag'
  | 'sinkDeadLetters'
  | 'sinkBlockedKeys'
  | 'httpRequests'
  | 'httpSeconds';

/** Which metrics there are: the only place that has their names. */
export const METRICS: Readonly<Record<MetricName, MetricDescription>> = {
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
  readersDelayed: {
    name: 'tidings_readers_delayed_total',
    type: 'counter',
    help: 'Readings that had to wait before they began, as the client had left the same reading again and again right after it began.',
    labels: ['stream', 'format'],
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
};

/** Every metric of our own: docs/reference/metrics.md is generated from this. `process_*` and `nodejs_*` are prom-client's. */
export const METRIC_DESCRIPTIONS: readonly MetricDescription[] = Object.values(METRICS);
