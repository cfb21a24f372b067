import type { ErrorCode } from '../error-catalog.ts';
import type { KeyList } from './key-list.ts';

/**
 * A snapshot's life: running -> done | failed | cancelled, with paused in between. `failed`: a table could not be read; the others were. It may run
 * again, for that table.
 */
export type SnapshotState = 'running' | 'paused' | 'done' | 'failed' | 'cancelled';

/** `gone`: the table was dropped, or is watched no more. */
export type PartState = 'waiting' | 'reading' | 'done' | 'gone' | 'failed';

/** How much of the source's time a snapshot may take. */
export interface SnapshotLimits {
  /** Tables that are read at a time. @default 2 */
  readonly parallel?: number;
  /** Of all tables together. @default no limit */
  readonly rowsPerSecond?: number;
  /** No chunk is begun while more of the server's connections work (Threads_running). @default no limit */
  readonly threadsRunning?: number;
  /** No chunk is begun while one of the source's replicas is further behind, or not known to be not. @default no limit */
  readonly replicaLagSeconds?: number;
  /** Chunks are begun at these times of the day only, UTC: `22:00-05:30`. @default always */
  readonly hours?: string;
}

/** What was asked for. */
export interface SnapshotSpec {
  /** Patterns (`shop.orders`, `shop.*`); null: every table that the source watches. */
  readonly tables: readonly string[] | null;
  /** Only rows for which this SQL expression is true; null: all. */
  readonly where: string | null;
  /** Only the rows with these primary keys, of the one table that `tables` names. Left out: all. */
  readonly keys?: KeyList;
  /** Only this group gets its rows; null: everyone, unless there is a `reader`. */
  readonly group: string | null;
  /** Only this reader without a group gets its rows. */
  readonly reader?: SnapshotAddressee;
  /** Consumers are told to empty each table before its first row: rows that vanished while nobody watched go with it. */
  readonly truncate: boolean;
  /** Why it was made. */
  readonly reason: 'request' | 'initial' | 'gap' | 'bootstrap';
  readonly limits: SnapshotLimits;
  /** The place where its group reads on is set, if a group needs one: never again then. */
  readonly placed?: boolean;
}

/** A reader without a group that rows are read for. */
export interface SnapshotAddressee {
  /** As it names itself when it reads. */
  readonly name: string;
  /** The SCN that it has to read behind: all of the rows lie there. */
  readonly after: number;
}

export interface SnapshotFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** One table of a snapshot, and how far it is. */
export interface SnapshotPart {
  readonly database: string;
  readonly table: string;
  readonly state: PartState;
  /** Where its next chunk begins: what `SnapshotChunk.next` was, or a place in the list of keys; null: at the beginning. */
  readonly after: string | null;
  /** Rows that were read. */
  readonly rows: number;
  /** How many there will be, as the server estimated it at the start; of a list of keys, as many as there may still be. */
  readonly estimate: number;
  readonly error: SnapshotFailure | null;
}

export interface Snapshot {
  /** Counts up from 1 in each stream. */
  readonly id: number;
  readonly state: SnapshotState;
  readonly spec: SnapshotSpec;
  /** ms since 1970 UTC */
  readonly createdMs: number;
  readonly endedMs: number | null;
  /** Why all of it has failed. A table that failed says so itself. */
  readonly error: SnapshotFailure | null;
  /** Null until the source was asked which tables there are. */
  readonly parts: readonly SnapshotPart[] | null;
}

/** Where snapshots are kept. A promise of a write resolves when it is durable. */
export interface SnapshotStore {
  /** The snapshot itself; its parts only when `parts` says so. */
  save(snapshot: Snapshot, what: { readonly parts: boolean }): Promise<void>;
  savePart(id: number, part: SnapshotPart): Promise<void>;
}

/** `running` and `paused`: it can still bring rows. */
export function isOver({ state }: Snapshot): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}
