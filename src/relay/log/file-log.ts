import { type Clock, systemClock } from '../../base/clock.ts';
import { TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { RowShape } from '../../core/rows/row-shape.ts';
import type { ChangeBatch } from '../../core/source.ts';
import type { TableSchema } from '../../core/table-schema.ts';
import type { LogOptions } from '../relay-api.ts';
import { BatchWriter } from './batch-writer.ts';
import type { ChangeLog, LogRange, LogReader, LogStall } from './change-log.ts';
import { scnPurged } from './damage.ts';
import { FileLogReader, type ReadableLog } from './file-reader.ts';
import { GroupCommit } from './group-commit.ts';
import { LogAppender, type Milestone } from './log-appender.ts';
import { ReadBuffers } from './read-buffers.ts';
import { type RecoveredLog, recoverLog } from './recovery.ts';
import { type RetainOptions, segmentsToDrop } from './retention.ts';
import { LogSearch } from './seek.ts';
import { SegmentFiles } from './segment-files.ts';
import { loadShapes } from './shape-load.ts';

export interface FileLogOptions {
  /** Of this log alone. Made when it is not there. Only one process may have it open: whoever opens it takes care of that. */
  readonly directory: string;
  readonly name: string;
  readonly options: LogOptions;
  /** Into how many slices groups share the log. What it was made with. */
  readonly partitions: number;
  readonly clock?: Clock | undefined;
  readonly log: Logger;
}

const SEGMENT_BYTES = 256 * 1024 * 1024;
/** So much may wait for the disk before the source has to. */
const WAITING_BYTES_MAX = 10 * 1024 * 1024;
/** The source goes on when no more is left: about one group less. */
const GO_ON_BYTES = 7 * 1024 * 1024;

/**
 * A `ChangeLog` in files: segments of batches, append-only, each with a sparse index beside it. docs/formats/relay-log.md describes the
 * files, and what is done to them in which order.
 *
 * Appending goes through four hands: `BatchWriter` makes batches, `LogAppender` gives them their place, `GroupCommit` brings them to
 * the disk, and here they become visible.
 */
export class FileLog implements ChangeLog {
  readonly name: string;
  readonly createdMs: number;
  readonly partitions: number;
  readonly #recovered: RecoveredLog;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #appender: LogAppender;
  readonly #writer: BatchWriter;
  readonly #commit: GroupCommit;
  readonly #files: SegmentFiles = new SegmentFiles();
  readonly #readBuffers: ReadBuffers = new ReadBuffers();
  readonly #waiting: Set<() => void> = new Set();
  readonly #listeners: Set<() => void> = new Set();
  readonly #readable: ReadableLog;
  readonly #openedEnd: number;
  #position: string | null;
  #visible: LogRange;
  /** Of whoever waits to append. */
  #room: PromiseWithResolvers<void> | null = null;
  #retaining: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;
  #closed = false;

  /** @throws TidingsError DIRECTORY_UNUSABLE, DISK_FULL, DISK_ERROR, LOG_DAMAGED, LOG_VERSION_UNKNOWN, CONFIG_INVALID */
  static async open(options: FileLogOptions): Promise<FileLog> {
    const { directory, name, partitions, log, clock = systemClock } = options;
    const { fsync = true } = options.options;
    const recovered = await recoverLog({ directory, name, partitions, fsync, log, nowMs: clock.nowMs() });
    return new FileLog(options, recovered);
  }

  private constructor({ directory, options, log, clock = systemClock }: FileLogOptions, recovered: RecoveredLog) {
    const { meta, segments, indexes, shapes, tables, position, file } = recovered;
    this.name = meta.name;
    this.createdMs = meta.createdMs;
    this.partitions = meta.partitions;
    this.#recovered = recovered;
    this.#clock = clock;
    this.#log = log;
    this.#position = position;
    const { segmentBytes = SEGMENT_BYTES, compression = 'none', syncDelayMs = 0, fsync = true } = options;
    const maxCommitUs = segments.all.reduce((max, segment) => Math.max(max, segment.maxCommitUs), 0);
    this.#appender = new LogAppender({ segments, segmentBytes, maxCommitUs });
    this.#openedEnd = segments.last.end;
    this.#writer = new BatchWriter({
      appender: this.#appender,
      shapes,
      tables,
      compression,
      position,
      sealed: (segment) => indexes.sealed(segment, tables.texts()),
    });
    this.#commit = new GroupCommit(
      {
        directory,
        writer: this.#writer,
        appender: this.#appender,
        indexes,
        fsync,
        syncDelayMs,
        clock,
        log,
        durable: (milestone) => this.#becameDurable(milestone),
        changed: () => this.#changed(),
      },
      { segment: segments.last, file },
    );
    this.#visible = this.#range({ end: segments.last.end, lastScn: segments.last.nextScn - 1, maxCommitUs });
    this.#readable = this.#forReaders();
  }

  get visible(): LogRange {
    return this.#visible;
  }

  get position(): string | null {
    return this.#position;
  }

  /** Why nothing more can be written until it is opened anew; null: nothing is wrong. */
  get failed(): TidingsError | null {
    return this.#commit.failed;
  }

  get stalled(): LogStall | null {
    return this.#commit.stalled;
  }

  tables(): readonly TableSchema[] {
    return this.#recovered.tables.tables();
  }

  append(batch: ChangeBatch): Promise<void> | null {
    if (this.#commit.failed !== null) throw this.#commit.failed;
    if (this.#closing !== null) throw this.#isClosing();
    try {
      this.#writer.append(batch);
    } finally {
      this.#commit.kick();
    }
    if (this.#appender.buffers.waiting <= WAITING_BYTES_MAX && this.stalled === null) return null;
    if (this.#room === null) {
      this.#room = Promise.withResolvers();
      // Whoever does not wait for it hears of a failure with the next call.
      this.#room.promise.catch(() => undefined);
      this.#settleRoom();
    }
    return this.#room === null ? null : this.#room.promise;
  }

  async flush(): Promise<void> {
    await this.#commit.flush();
  }

  openReader(after: number): LogReader {
    const { name } = this;
    if (this.#closed) throw this.#isClosing();
    const { after: first, last } = this.#visible;
    if (after < first) throw scnPurged({ name, scn: after, after: first });
    if (after > last) {
      throw new TidingsError('SCN_UNKNOWN', `${name} has no change with SCN ${after}: its last one is ${last}`, {
        details: { stream: name, scn: after, last },
      });
    }
    return new FileLogReader(this.#readable, after);
  }

  async seekTime(committedUs: number): Promise<number> {
    return this.#search().time(committedUs);
  }

  async seekPosition(covers: (position: string) => boolean): Promise<number> {
    const { after } = this.#visible;
    const found = await this.#search().position(covers);
    if (found !== null) return found;
    // Everything that is kept comes behind the position; so may have been what is no longer kept.
    const isWhole = this.#recovered.segments.first.firstScn === this.createdMs * 1000;
    if (isWhole) return after;
    throw new TidingsError('SCN_PURGED', `the changes of ${this.name} at this position are no longer kept`, {
      details: { stream: this.name, after },
    });
  }

  shape(fingerprint: string): RowShape {
    const { shapes, segments } = this.#recovered;
    const known = shapes.get(fingerprint);
    if (known !== undefined) return known;
    const place = shapes.placeOf(fingerprint);
    const texts = place !== undefined && segments.includes(place.segment) ? loadShapes(place) : [];
    for (const text of texts) shapes.learn(text);
    const loaded = shapes.get(fingerprint);
    if (loaded !== undefined) return loaded;
    throw new TidingsError('LOG_DAMAGED', `the log of ${this.name} does not describe the row shape ${fingerprint}`, {
      details: { stream: this.name, fingerprint },
    });
  }

  onChange(listener: () => void): () => void {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /**
   * Removes the oldest segments, as far as they are neither wanted nor the last ones. Whole segments only: what is kept may be more
   * than what was asked for, by less than one segment.
   */
  retain(options: RetainOptions): Promise<void> {
    const retaining = this.#retaining.then(() => this.#retain(options));
    this.#retaining = retaining.catch(() => undefined);
    return retaining;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#writer.abandon();
    await this.#commit.close(this.#appender.buffers.end !== this.#openedEnd);
    this.#closed = true;
    for (const wake of [...this.#waiting]) wake();
    this.#settleRoom();
    await this.#retaining;
    await this.#recovered.indexes.idle();
    this.#files.close();
    this.#changed();
  }

  async #retain(options: RetainOptions): Promise<void> {
    const { segments, indexes } = this.#recovered;
    if (this.#closing !== null) return;
    const state = { nowMs: this.#clock.nowMs(), visibleEnd: this.#visible.endOffset };
    let count = segmentsToDrop(segments.all, options, state);
    if (count === 0) return;
    for (; count > 0; count--) {
      // Readers must not find it any more when it goes.
      const segment = segments.shift();
      try {
        // oxlint-disable-next-line no-await-in-loop -- oldest first, each durably: what is left has no hole
        await indexes.removeSegments([segment]);
      } catch (error) {
        segments.unshift(segment);
        throw error;
      }
      this.#files.forget(segment);
      const { name: file, firstScn, nextScn, size: bytes } = segment;
      this.#log.info({ segment: file, firstScn, lastScn: nextScn - 1, bytes }, 'a segment is no longer kept');
    }
    const { endOffset: end, last: lastScn, lastCommitUs: maxCommitUs } = this.#visible;
    this.#visible = this.#range({ end, lastScn, maxCommitUs });
    this.#changed();
  }

  #becameDurable(milestone: Milestone | null): void {
    if (milestone !== null) {
      this.#position = milestone.position;
      this.#visible = this.#range(milestone);
      this.#recovered.indexes.release(milestone.end);
      for (const wake of [...this.#waiting]) wake();
    }
    this.#settleRoom();
    if (milestone !== null) this.#changed();
  }

  #changed(): void {
    this.#settleRoom();
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        this.#log.error({ error }, 'a listener of the log failed');
      }
    }
  }

  /** Lets whoever waits append again, when there is room or never will be. */
  #settleRoom(): void {
    const room = this.#room;
    if (room === null) return;
    const { failed, stalled } = this.#commit;
    if (failed !== null) room.reject(failed);
    else if (this.#closed) room.reject(this.#isClosing());
    else if (stalled === null && this.#appender.buffers.waiting <= GO_ON_BYTES) room.resolve();
    else return;
    this.#room = null;
  }

  #range({ end, lastScn, maxCommitUs }: Pick<Milestone, 'end' | 'lastScn' | 'maxCommitUs'>): LogRange {
    const { segments } = this.#recovered;
    const { first } = segments;
    const firstWithCommit = first.firstCommitUs === 0 ? segments.all.find((s) => s.firstCommitUs !== 0) : first;
    return {
      after: first.firstScn - 1,
      last: lastScn,
      lastCommitUs: maxCommitUs,
      // Of an open transaction at the very beginning nothing is visible yet.
      firstCommitUs: maxCommitUs === 0 ? 0 : (firstWithCommit?.firstCommitUs ?? 0),
      bytes: end - first.base,
      endOffset: end,
    };
  }

  #search(): LogSearch {
    const { segments, indexes } = this.#recovered;
    const { endOffset: visibleEnd, last: lastScn } = this.#visible;
    return new LogSearch({ name: this.name, segments, indexes, files: this.#files, visibleEnd, lastScn });
  }

  #forReaders(): ReadableLog {
    const { segments, indexes } = this.#recovered;
    const visible = (): LogRange => this.#visible;
    const closed = (): boolean => this.#closed;
    return {
      name: this.name,
      segments,
      indexes,
      buffers: this.#appender.buffers,
      files: this.#files,
      readBuffers: this.#readBuffers,
      waiting: this.#waiting,
      get visibleEnd(): number {
        return visible().endOffset;
      },
      get lastScn(): number {
        return visible().last;
      },
      get closed(): boolean {
        return closed();
      },
    };
  }

  #isClosing(): TidingsError {
    return new TidingsError('RELAY_CLOSING', `the log of ${this.name} is closed`, { details: { stream: this.name } });
  }
}
