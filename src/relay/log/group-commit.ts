import type { Clock } from '../../base/clock.ts';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import { failpoint } from '../../core/failpoint.ts';
import type { Logger } from '../../core/logger.ts';
import { type CommitGroup, sealGroup } from './append-buffers.ts';
import { AppendFile } from './append-file.ts';
import type { BatchWriter } from './batch-writer.ts';
import type { LogStall } from './change-log.ts';
import { isNoRoom, isOutOfFiles, syncDirectory } from './disk.ts';
import type { IndexKeeper } from './index-keeper.ts';
import type { LogAppender, Milestone, Truncation } from './log-appender.ts';
import type { Segment } from './segment.ts';

const RETRY_MS = 1000;
/** A group waits for more no longer than until it has so many bytes. */
const GROUP_BYTES = 2 * 1024 * 1024;
/** Where a group had so many bytes, more is on its way: the next one waits for it. Each write and sync has its price, however small. */
const BULK_BYTES = 64 * 1024;
const BULK_DELAY_MS = 2;
/** How often a position is written that moves without changes. */
const POSITION_EVERY_MS = 1000;

export interface GroupCommitOptions {
  readonly directory: string;
  readonly writer: BatchWriter;
  readonly appender: LogAppender;
  readonly indexes: IndexKeeper;
  readonly fsync: boolean;
  readonly syncDelayMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Something became durable. `milestone`: and visible. */
  readonly durable: (milestone: Milestone | null) => void;
  /** `stalled` or `failed` has changed. */
  readonly changed: () => void;
}

/** A segment and its file, for writing. */
export interface OpenSegment {
  readonly segment: Segment;
  readonly file: AppendFile;
}

/**
 * Brings what was appended to the disk, one group after the other: everything that waits is written and synced in one go, in the
 * thread pool, and what comes meanwhile goes with the next group.
 *
 * When the disk is full, or the next segment's file cannot be opened as too many are open, it waits and tries again, with the same bytes
 * at the same place. After any other error nothing is tried again: the system may have dropped the bytes of a sync that failed and report success for the next, so nobody can tell what is on the disk
 * until it is read again. The log has failed then, and opening it again finds out.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  /** Of the segment that is written to. */
  #file: OpenSegment;
  #running: Promise<void> | null = null;
  /** Callers of `flush` that wait. */
  #flushing = 0;
  #delay: NodeJS.Timeout | null = null;
  #lastGroupBytes = 0;
  #positionTimer: NodeJS.Timeout | null = null;
  #positionMs = -Infinity;
  /** Ends the pauses of a full disk. */
  readonly #closing: AbortController = new AbortController();
  stalled: LogStall | null = null;
  failed: TidingsError | null = null;

  constructor(options: GroupCommitOptions, file: OpenSegment) {
    this.#options = options;
    this.#file = file;
  }

  /** To be called after something was appended. Begins to write at once, unless the disk is busy or a delay is wanted. */
  kick(): void {
    if (this.#running !== null || this.failed !== null) return;
    const delayMs = this.#mayWaitMs();
    if (delayMs > 0) this.#delay ??= setTimeout(() => this.#start(), delayMs);
    else this.#start();
  }

  /** Resolves when everything that was appended so far is durable. @throws TidingsError LOG_WRITE_FAILED */
  async flush(): Promise<void> {
    const { writer, appender } = this.#options;
    const { buffers } = appender;
    writer.seal();
    if (writer.hasPosition) writer.sealPosition();
    const target = buffers.end;
    this.#flushing++;
    try {
      // What is rolled back meanwhile is not waited for.
      while (this.failed === null && (appender.hasTruncation || buffers.durable < Math.min(target, buffers.end))) {
        if (this.#running === null) this.#start();
        // oxlint-disable-next-line no-await-in-loop -- one group after the other
        await this.#running;
      }
    } finally {
      this.#flushing--;
    }
    if (this.failed !== null) throw this.failed;
  }

  /**
   * Writes what can be written now, and lets go of the file. A disk that is full is not waited for any more.
   *
   * @param changed something was appended since the log was opened
   */
  async close(changed: boolean): Promise<void> {
    const { writer, fsync, log } = this.#options;
    this.#closing.abort();
    this.#clearTimers();
    try {
      await this.flush();
      if (changed && fsync) {
        // An empty batch says that everything before it was durable when it was written: whatever is wrong there at the next start is
        // damage, and not a write that a crash has torn.
        writer.sealPosition();
        await this.flush();
      }
      const { segment, file } = this.#file;
      await file.trim(segment.size);
    } catch (error) {
      log.warn({ error }, 'the end of the log could not be written: the source hands it over again');
    }
    this.#clearTimers();
    await this.#file.file.close();
  }

  /** How long the next group may wait for more, in ms. */
  #mayWaitMs(): number {
    const { appender, syncDelayMs } = this.#options;
    if (this.#flushing > 0 || appender.buffers.waiting >= GROUP_BYTES) return 0;
    return this.#lastGroupBytes >= BULK_BYTES ? Math.max(syncDelayMs, BULK_DELAY_MS) : syncDelayMs;
  }

  #clearTimers(): void {
    if (this.#delay !== null) clearTimeout(this.#delay);
    if (this.#positionTimer !== null) clearTimeout(this.#positionTimer);
    this.#delay = null;
    this.#positionTimer = null;
  }

  #hasWork(): boolean {
    const { writer, appender } = this.#options;
    const hasPosition = writer.hasPosition && this.#positionTimer === null;
    return appender.buffers.waiting > 0 || appender.hasTruncation || writer.hasTransactions || hasPosition;
  }

  #start(): void {
    if (this.#delay !== null) clearTimeout(this.#delay);
    this.#delay = null;
    if (this.#running !== null || this.failed !== null) return;
    // What is synchronous of it has happened when this returns: the first write is on its way.
    const running = this.#run().finally(() => {
      this.#running = null;
      // Something may have been appended after the last look.
      if (this.failed === null && this.#hasWork()) this.kick();
    });
    this.#running = running;
  }

  async #run(): Promise<void> {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one group after the other is what this is about
      while (await this.#next());
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @returns false when there is nothing more to do now */
  async #next(): Promise<boolean> {
    const { writer, appender } = this.#options;
    const truncation = appender.takeTruncation();
    if (truncation !== null) {
      await this.#untilRoom(
        () => this.#truncate(truncation),
        () => false,
      );
      return true;
    }
    if (writer.hasTransactions) writer.seal();
    this.#sealPosition();
    const { buffers } = appender;
    const group = buffers.nextGroup();
    if (group === null) return false;
    this.#lastGroupBytes = group.pieces.reduce((sum, { from, to }) => sum + to - from, 0);
    failpoint('append');
    const written = await this.#untilRoom(
      () => this.#write(group),
      () => buffers.wasCut(group),
    );
    if (written) {
      buffers.madeDurable(group);
      if (buffers.durable > group.start) {
        group.segment.verified(group.offset, buffers.durable - group.segment.base);
      }
      const milestone = appender.reached(buffers.durable);
      buffers.trim();
      this.#options.durable(milestone);
    }
    return this.#mayWaitMs() === 0;
  }

  /** A position that moves without changes costs a batch: about once a second. */
  #sealPosition(): void {
    const { writer, clock } = this.#options;
    if (!writer.hasPosition) return;
    const now = clock.nowMs();
    // Also when the clock was set back.
    const wait = Math.min(this.#positionMs + POSITION_EVERY_MS - now, POSITION_EVERY_MS);
    if (wait <= 0) {
      this.#positionMs = now;
      writer.sealPosition();
      return;
    }
    this.#positionTimer ??= setTimeout(() => {
      this.#positionTimer = null;
      this.#positionMs = -Infinity;
      this.#start();
    }, wait);
  }

  async #write(group: CommitGroup): Promise<void> {
    const { fsync, appender } = this.#options;
    if (this.#file.segment !== group.segment) await this.#roll(group.segment);
    // Without fsync nothing is known to be durable but what was there before the segment.
    sealGroup(group, fsync ? appender.buffers.durable : group.segment.base);
    const { file } = this.#file;
    const ranges = group.pieces.map(({ buffer, from, to }) => ({ bytes: buffer.bytes, from, to }));
    await file.write(ranges, group.offset);
    failpoint('before-fsync');
    if (fsync && file.needsSync) await file.sync();
    failpoint('after-fsync');
  }

  /** The next segment's file. The one before it is durable, whatever the options say: only a last segment may have a torn end. */
  async #roll(segment: Segment): Promise<void> {
    const { directory, fsync, indexes } = this.#options;
    const former = this.#file;
    await former.file.trim(former.segment.size);
    if (!fsync) await former.file.sync();
    // Not exclusively: an attempt that found the disk full may have left an empty one.
    const file = await AppendFile.open(segment.path, { create: true, durable: fsync });
    try {
      await syncDirectory(directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    segment.created = true;
    this.#file = { segment, file };
    failpoint('segment-roll');
    // No sooner: an index says that the segment has a successor.
    indexes.write(former.segment);
    await former.file.close();
  }

  /**
   * Back to the beginning of a transaction. The order makes every crash in between harmless: without the indexes the segments are
   * read again, and what is left of the transaction is cut then.
   */
  async #truncate({ segment, bytes, removed }: Truncation): Promise<void> {
    const { directory, indexes, fsync } = this.#options;
    await indexes.remove([segment, ...removed]);
    if (this.#file.segment !== segment) {
      const file = await AppendFile.open(segment.path, { create: false, durable: fsync });
      await this.#file.file.close();
      this.#file = { segment, file };
    }
    await indexes.removeSegments(removed.filter(({ created }) => created));
    const { file } = this.#file;
    await file.truncate(bytes);
    // Durable before anything is written there, or the former end might stand behind a new beginning.
    await file.sync();
    await syncDirectory(directory);
  }

  /**
   * Does it again and again while the disk is full, or no file can be opened.
   *
   * @returns false when it was given up as it is no longer wanted
   */
  async #untilRoom(work: () => Promise<void>, isUnwanted: () => boolean): Promise<boolean> {
    const { clock, log, changed } = this.#options;
    for (;;) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- the same work again
        await work();
        if (this.stalled !== null) {
          log.info({ seconds: Math.round((clock.nowMs() - this.stalled.sinceMs) / 1000) }, 'the log goes on');
          this.stalled = null;
          changed();
        }
        return true;
      } catch (error) {
        const isFull = isNoRoom(error);
        if (!isFull && !isOutOfFiles(error)) throw error;
        if (this.stalled === null) {
          const message = error instanceof Error ? error.message : String(error);
          this.stalled = { reason: isFull ? 'disk-full' : 'disk-error', sinceMs: clock.nowMs(), message };
          const what = isFull
            ? 'there is no room for the log: the source waits until there is'
            : 'no file can be opened for the log: the source waits until one can';
          log.warn({ error }, what);
          changed();
        }
        if (this.#closing.signal.aborted) throw error;
        // oxlint-disable-next-line no-await-in-loop -- the pause before the next attempt
        await clock.sleep(RETRY_MS, this.#closing.signal).catch(() => undefined);
        if (isUnwanted()) return false;
      }
    }
  }

  #fail(error: unknown): void {
    const { directory, clock, log, changed } = this.#options;
    const message = error instanceof Error ? error.message : String(error);
    this.failed = isTidingsError(error)
      ? error
      : new TidingsError('LOG_WRITE_FAILED', `the log in ${directory} cannot be written: ${message}`, {
          cause: error,
          details: { directory },
        });
    this.stalled = { reason: 'disk-error', sinceMs: clock.nowMs(), message };
    this.#clearTimers();
    if (!this.#closing.signal.aborted) log.error({ error: this.failed }, 'the log has failed');
    changed();
  }
}
