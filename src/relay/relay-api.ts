import type { Transport } from '../client/transport.ts';
import type { StartAt } from '../core/consumer.ts';
import type { RetryDirective, TidingsError } from '../core/errors.ts';
import type { RowKey } from '../core/snapshots/key-list.ts';
import type {
  SnapshotFailure,
  SnapshotLimits,
  SnapshotPart,
  SnapshotSpec,
  SnapshotState,
} from '../core/snapshots/snapshot-state.ts';
import type { LoadPause } from '../core/snapshots/source-load.ts';
import type { Source } from '../core/source.ts';
import type { TableSchema } from '../core/table-schema.ts';
import type { ChangeLog, LogStall } from './log/change-log.ts';

/** What the relay is told of a stream. */
export interface StreamDefinition {
  /** Called at start, and again after a failure that may pass. */
  openSource(resume: SourceResume): Promise<Source>;
  /**
   * Whether position `a` is at or before position `b`; both are texts of this source's positions. Without it the stream cannot be
   * read from a position.
   */
  readonly covers?: (a: string, b: string) => boolean;
  /** Into how many slices groups share it. Fixed when the stream is made. @default 64 */
  readonly partitions?: number;
  readonly retention?: RetentionOptions;
  readonly log?: LogOptions;
  readonly snapshots?: SnapshotOptions;
}

/** Of the rows that exist already. */
export interface SnapshotOptions {
  /** A new stream begins with the rows that exist, and tables that come into its selection later with theirs. @default false */
  readonly initial?: boolean;
  /**
   * When the source no longer has what comes behind the log's end: stop with the remedy, or go on at the source's present end and make the gap
   * good by a snapshot of all tables, each begun by a truncate marker. @default 'stop'
   */
  readonly onGap?: 'stop' | 'snapshot';
  /** For those that the relay makes by itself. */
  readonly limits?: SnapshotLimits;
}

export interface SourceResume {
  /** Where the log ends; null for a new stream, which begins where the source is configured to. */
  readonly position: string | null;
  /** What comes behind the position is given up: the source is to begin at its present end. */
  readonly anew?: boolean;
  /**
   * The definitions that the log knows and that hold at that position: of each table the one that its last rows were written with,
   * unless a schema or truncate entry that names the table came behind them. An entry that names no table may be about any, also in
   * other databases than its own (a statement that the source does not understand): behind it no definition holds.
   */
  readonly tables: readonly TableSchema[];
}

export interface RetentionOptions {
  /** Segments whose latest commit is older go. @default 7 days */
  readonly maxAgeMs?: number;
  /** The oldest segments go while the stream has more bytes. @default 64 GiB */
  readonly maxBytes?: number;
  /** Up to how many bytes more are kept for groups that have not read them. @default 64 GiB */
  readonly groupBytes?: number;
}

export interface LogOptions {
  /** @default 256 MiB */
  readonly segmentBytes?: number;
  /** @default none */
  readonly compression?: 'none' | 'zstd';
  /**
   * How long an fsync may wait for more to come, in ms. 0: at once when the disk is free, but for up to 2 ms while changes come in
   * bulk. @default 0
   */
  readonly syncDelayMs?: number;
  /** False: a power failure may lose the last changes, a crash of the process not. @default true */
  readonly fsync?: boolean;
}

/** A stream that the relay was told of. It is there also while its log cannot be opened, and says why. */
export interface ServedStream {
  readonly name: string;
  /** Into how many slices groups share it. */
  readonly partitions: number;
  readonly opening: Opening;
  status(): StreamStatus;
  /** As `RelayStream.pause`. @throws TidingsError why the log cannot be opened */
  pause(): Promise<void>;
  /** Also opens the log, if it could not be opened before. @throws TidingsError why it still cannot */
  resume(): Promise<void>;
}

/** What became of opening a stream's log. */
export type Opening =
  | { readonly kind: 'opened'; readonly stream: RelayStream }
  | { readonly kind: 'failed'; readonly error: TidingsError };

/** One stream of a running relay, its log open, as the server, the in-process consumers and the command see it. */
export interface RelayStream {
  readonly name: string;
  readonly log: ChangeLog;
  readonly groups: StreamGroups;
  readonly snapshots: StreamSnapshots;
  /** Reads and groups, as a client has them. */
  readonly transport: Transport;
  status(): StreamStatus;
  /** Stops reading the source, until `resume`. Survives a restart of the relay. Resolves when it is durable. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** The SCN to read behind. @throws TidingsError SCN_PURGED, SCN_UNKNOWN */
  seek(start: StartAt | { readonly position: string }): Promise<number>;
}

export interface StreamStatus {
  /** `waiting`: for the source to be reachable again; `stalled`: for the disk; `failed`: for a person. */
  readonly state: 'starting' | 'running' | 'paused' | 'waiting' | 'stalled' | 'failed' | 'closed';
  /** What is wrong, in the last three states but `closed`. */
  readonly error: StreamFailure | null;
  readonly stall: LogStall | null;
  /** When the source last handed something over, also an empty batch of an idle server; ms since 1970 UTC, null: never. */
  readonly heardMs: number | null;
  /** Times the source was opened since the relay started. */
  readonly connections: number;
  /** Since the relay started. */
  readonly changes: number;
  readonly transactions: number;
  readonly sourceBytes: number;
}

export interface StreamFailure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly retry: RetryDirective;
  /** Identifiers and sizes, as the error has them: `segment` and `offset` of a damaged log. */
  readonly details: TidingsError['details'];
  readonly sinceMs: number;
}

/** The snapshots of one stream. They survive a restart of the relay. */
export interface StreamSnapshots {
  /** In the order in which they were asked for; of those that are over only the last ones. */
  list(): readonly SnapshotStatus[];
  /** Null when there is no such snapshot. */
  get(id: number): SnapshotStatus | null;
  /** Resolves when it is kept; it is carried out behind those before it. @throws TidingsError SNAPSHOT_INVALID, SNAPSHOT_KEYS_INVALID, SNAPSHOT_UNSUPPORTED, CONFIG_INVALID for a pattern */
  start(request: SnapshotRequest): Promise<SnapshotStatus>;
  /** @throws TidingsError SNAPSHOT_UNKNOWN, SNAPSHOT_INVALID when it is over */
  pause(id: number): Promise<void>;
  /** Also one that has failed: what could not be read is tried again. @throws as `pause` when it is over otherwise */
  resume(id: number): Promise<void>;
  /** What it has brought stays. One that has failed is not tried again. @throws as `resume` */
  cancel(id: number): Promise<void>;
}

export interface SnapshotRequest {
  /** Patterns (`shop.orders`, `shop.*`); left out or null: all tables of the stream's selection. */
  readonly tables?: readonly string[] | null;
  /** An SQL expression of the source's dialect; only rows for which it is true. */
  readonly where?: string | null;
  /**
   * Only the rows with these primary keys, of the one table that `tables` names; left out or null: all. The bare value of a single-column key, a
   * tuple in key order of a composite one, as the client has them.
   */
  readonly keys?: readonly RowKey[] | null;
  /** Only this group gets the rows; left out or null: everyone. */
  readonly group?: string | null;
  /** A truncate marker before each table's first row, so that rows that vanished unseen go. @default false */
  readonly truncate?: boolean;
  readonly limits?: SnapshotLimits;
}

export interface SnapshotStatus {
  readonly id: number;
  readonly state: SnapshotState;
  readonly spec: SnapshotSpec;
  /** ms since 1970 UTC */
  readonly createdMs: number;
  readonly endedMs: number | null;
  /** Why all of it has failed. A table that failed says so itself. */
  readonly error: SnapshotFailure | null;
  /** Rows that were read so far, and how many there will be at the end, as the server estimates it; null: not known yet. */
  readonly rows: number;
  readonly estimate: number | null;
  readonly percent: number | null;
  /** While it is carried out. */
  readonly rowsPerSecond: number | null;
  readonly secondsLeft: number | null;
  /** Why a running one does not read: `source`: it is not reached, or another snapshot comes first; its limits otherwise. */
  readonly waitsFor: LoadPause['for'] | 'source' | null;
  /** What more there is to say of that: which replica, and how far behind it is. */
  readonly waitsBecause: string | null;
  readonly tables: readonly SnapshotTableStatus[];
}

export type SnapshotTableStatus = Omit<SnapshotPart, 'after'>;

/** The groups of one stream, for those who look after them. Members use the `Transport`. */
export interface StreamGroups {
  list(): readonly GroupStatus[];
  /** Null when there is no such group. */
  get(group: string): GroupStatus | null;
  /** No changes are sent to its members until `resume`. Survives a restart. @throws TidingsError GROUP_UNKNOWN */
  pause(group: string): Promise<void>;
  resume(group: string): Promise<void>;
  /**
   * Moves the checkpoints of all partitions, or of some; makes the group when there is none. Members' commits from before it are fenced.
   */
  reset(group: string, scn: number, partitions?: readonly number[]): Promise<void>;
  /** Forgets the group and its checkpoints. @throws TidingsError GROUP_UNKNOWN, GROUP_IN_USE while it has members */
  remove(group: string): Promise<void>;
  /** The lowest checkpoint of all groups: what retention should keep. Null without groups. */
  lowestCheckpoint(): number | null;
}

export interface GroupStatus {
  readonly group: string;
  readonly paused: boolean;
  readonly epoch: number;
  readonly members: readonly MemberStatus[];
  readonly partitions: readonly PartitionStatus[];
}

export interface MemberStatus {
  readonly member: string;
  readonly joinedMs: number;
  readonly heardMs: number;
  readonly partitions: readonly number[];
  readonly revoking: readonly number[];
}

export interface PartitionStatus {
  readonly partition: number;
  /** Null: nobody has it. */
  readonly member: string | null;
  readonly checkpoint: number;
  /** When the checkpoint last moved, ms since 1970 UTC; null: never. */
  readonly committedMs: number | null;
}
