import type { RowShape } from '../../core/rows/row-shape.ts';
import type { ChangeBatch } from '../../core/source.ts';
import type { TableSchema } from '../../core/table-schema.ts';

/**
 * The ordered, durable log of one source: written by one appender, read by any number of readers. Files today
 * (`file-log.ts`); the same interface over Kafka later.
 *
 * - What is appended becomes visible when it is durable and its transaction complete, never before (I2, I4).
 * - The log is the source's checkpoint: `position` belongs to the last complete durable transaction.
 * - SCNs begin at the wall clock in µs when the log is made, count one per row change, schema change and truncation, and are never
 *   given to two changes that anybody saw.
 */
export interface ChangeLog {
  readonly name: string;
  /** When the log was made, ms since 1970 UTC. With the name it tells a stream from one that replaced it. */
  readonly createdMs: number;
  /** Into how many slices a group shares it. Fixed when the log is made. */
  readonly partitions: number;
  /** What a reader may see now. */
  readonly visible: LogRange;
  /** Where the source resumes; null when the log is new. */
  readonly position: string | null;
  /** The latest known definition of each table in the log, for a source to start with. */
  tables(): readonly TableSchema[];
  /** Null while appending works; otherwise why it waits. */
  readonly stalled: LogStall | null;

  /**
   * Takes over a batch of the source: its bytes are no longer needed when this returns. Returns a promise when the caller must wait
   * before it appends the next one: the buffers are full. Not durable yet.
   *
   * A transaction that comes again (`restarted`) replaces what was appended of it.
   *
   * @throws TidingsError when the log has failed for good
   */
  append(batch: ChangeBatch): Promise<void> | null;
  /** Resolves when everything appended so far is durable. */
  flush(): Promise<void>;

  /**
   * Begins behind the change with SCN `after`; inside a transaction too.
   *
   * @throws TidingsError SCN_PURGED when changes behind `after` are no longer kept, SCN_UNKNOWN when it lies ahead of the log
   */
  openReader(after: number): LogReader;
  /** The SCN to read behind (`openReader`), so that no transaction committed at or after `committedUs` is missed. */
  seekTime(committedUs: number): Promise<number>;
  /**
   * The SCN to read behind, so that nothing is missed of what follows `position`. `covers(a)` tells whether a position of the log
   * is at or before it; for the positions of one log it is true up to some place and false from there on. It throws POSITION_INVALID for one
   * that cannot be compared.
   *
   * @throws TidingsError POSITION_INVALID when none of the log can be, SCN_PURGED
   */
  seekPosition(covers: (position: string) => boolean): Promise<number>;
  /** A shape that a visible batch refers to. @throws TidingsError LOG_DAMAGED */
  shape(fingerprint: string): RowShape;
  /** Calls back whenever `visible` or `stalled` has changed. Returns how to stop that. */
  onChange(listener: () => void): () => void;
  /** Writes what is left, ends all readers. */
  close(): Promise<void>;
}

export interface LogRange {
  /** The lowest `after` that can be read behind: one below the first change that is kept. */
  readonly after: number;
  /** The SCN of the last visible change; equal to `after` when there is none. */
  readonly last: number;
  /** Latest commit time among the visible transactions, µs since 1970 UTC; 0 when there is none. */
  readonly lastCommitUs: number;
  /** Commit time of the first transaction that is kept; 0 when there is none. */
  readonly firstCommitUs: number;
  /** Bytes on disk. */
  readonly bytes: number;
  /** Bytes ever written: the difference of two readings is what lies between them. */
  readonly endOffset: number;
}

export interface LogStall {
  readonly reason: 'disk-full' | 'disk-error';
  readonly sinceMs: number;
  readonly message: string;
}

/** One reader's place in a log. Not to be used by two at a time. */
export interface LogReader {
  /** The SCN behind which the next read begins. */
  readonly after: number;
  /** The place in bytes, in the terms of `LogRange.endOffset`: what is still to come is the difference. */
  readonly offset: number;
  /**
   * The next visible batches as they are stored, whole and verified, as many as fit into one of the reader's buffers; null when there
   * are no more. The first batch may begin with changes at or before `after`. Synchronous as long as the batches are in memory.
   *
   * @throws TidingsError LOG_DAMAGED naming segment and offset, SCN_PURGED when retention overtook the reader
   */
  read(): LogChunk | null | Promise<LogChunk | null>;
  /** Resolves when there may be more to read. */
  wait(signal: AbortSignal): Promise<void>;
  close(): void;
}

/** Bytes `start` to `end` of the buffer are whole batches. They stay as they are until `release` is called. */
export interface LogChunk {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Gives the buffer back to its reader, which has few of them: hold one at a time, or two while one is being sent. */
  release(): void;
}
