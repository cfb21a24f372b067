import type { ChangeKind } from '../core/change.ts';
import type { BootstrapMode, StartAt } from '../core/consumer.ts';
import type { Assignment, CommitRequest, CommitResult, Heartbeat } from '../core/group.ts';

/** A stream, and not another one that had or will have its name. */
export interface StreamName {
  readonly stream: string;
  /** When the stream was made, ms since 1970 UTC. */
  readonly createdMs: number;
}

/**
 * How a consumer reaches one stream: over HTTP, or within the relay's own process. Both hand over the same bytes, so that a consumer
 * behaves alike wherever it runs.
 */
export interface Transport {
  /**
   * Changes for a plain reader.
   *
   * @throws TidingsError SCN_PURGED, SCN_UNKNOWN, STREAM_UNKNOWN, CONFIG_INVALID (a filter that cannot be), CONNECTION_LOST, UNAUTHORIZED
   */
  read(request: ReadRequest, signal: AbortSignal): Promise<FrameReader>;
  /** Which stream it is. @throws as `read` */
  identity(signal?: AbortSignal): Promise<StreamName>;
  /**
   * Has the rows that exist read for one reader alone: whoever reads under its name gets them. Asked again under the same name it answers the same and
   * begins nothing anew. Durable when it resolves.
   *
   * @throws TidingsError SNAPSHOT_UNSUPPORTED, SNAPSHOT_INVALID, CONFIG_INVALID or REQUEST_INVALID for a pattern, and as `read`
   */
  bootstrap(reader: string, request: BootstrapRequest, signal?: AbortSignal): Promise<ReaderStart>;
  /** Nobody will read under this name any more: what is still to be read for it is left. Does not fail when there is nothing. */
  dismiss(reader: string, signal?: AbortSignal): Promise<void>;
  /** Changes of the partitions that the member has, as they come and go. @throws as `read`, and GROUP_MEMBER_UNKNOWN */
  readAsMember(member: MemberName, request: FilterRequest, signal: AbortSignal): Promise<FrameReader>;
  /** @throws TidingsError GROUP_INVALID when the group is paused for good or the request does not fit it */
  join(member: MemberName, options: JoinOptions): Promise<Assignment>;
  /** @throws TidingsError GROUP_MEMBER_UNKNOWN when the member is out: it must join again */
  heartbeat(member: MemberName, beat: Heartbeat): Promise<Assignment>;
  /** Resolves when the checkpoints are durable. @throws TidingsError GROUP_MEMBER_UNKNOWN */
  commit(member: MemberName, request: CommitRequest): Promise<CommitResult>;
  /**
   * Gives all partitions back. Does not fail when the member is out already, and leaves another process alone that has joined under its
   * name since.
   *
   * @param epoch of the assignment that the member knows
   */
  leave(member: MemberName, epoch: number): Promise<void>;
  close(): Promise<void>;
}

export interface MemberName {
  readonly group: string;
  readonly member: string;
}

export interface JoinOptions {
  /** Where the group begins that has no checkpoint yet. @default latest */
  readonly from?: StartAt;
  readonly sessionTimeoutMs?: number;
  /** Whether the group gets the rows that exist, before what comes. @default never */
  readonly bootstrap?: BootstrapMode;
}

export interface FilterRequest {
  readonly tables?: readonly string[];
  readonly ops?: readonly ChangeKind[];
  readonly columns?: Readonly<Record<string, readonly string[]>>;
  readonly where?: Readonly<Record<string, string>>;
}

export interface ReadRequest extends FilterRequest {
  readonly from: StartAt;
  /** Only these slices of the keys. */
  readonly partitions?: readonly number[];
  /** The name under which rows may have been read for this reader alone. */
  readonly reader?: string;
  /** Wait for more at the end, instead of ending there. */
  readonly follow: boolean;
}

export interface BootstrapRequest {
  /** Patterns: rows of other tables are not read. Left out: all tables of the stream. */
  readonly tables?: readonly string[];
  /** Each table begins with a truncate entry: the reader may have rows that are gone. */
  readonly truncate: boolean;
}

/** Where a reader begins whose rows are being read. */
export interface ReaderStart extends StreamName {
  /** All of its rows lie behind this SCN. */
  readonly after: number;
  /** The number of the snapshot that brings them. */
  readonly snapshot: number;
}

/** Whole batches and control frames, in the layout of `formats/log/batch-layout.ts`. */
export interface FrameReader {
  /** Whether others may go first, as it is far behind. @default no */
  canWait?(): boolean;
  /** Null at the end of a reading that does not follow. @throws TidingsError CONNECTION_LOST, and what an error frame says */
  next(): Promise<FrameChunk | null>;
  close(): void;
}

/** Bytes `start` to `end` are whole frames. They stay as they are until `release` is called. */
export interface FrameChunk {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  release(): void;
}
