import { access, constants, mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isTidingsError, TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { AppendFile } from './append-file.ts';
import { checkKind } from './file-kind.ts';
import { inSegment, segmentDamaged } from './damage.ts';
import {
  closeFile,
  errorCodeOf,
  isNoRoom,
  isOutOfFiles,
  openFile,
  syncDirectory,
  syncFile,
  truncateFile,
} from './disk.ts';
import { decodeTables, IndexKeeper } from './index-keeper.ts';
import { positionAt } from './batch-read.ts';
import { scnOfIndexName, scnOfSegmentName, Segment, SegmentList } from './segment.ts';
import { FileWindow, scanSegment, wasDurable } from './segment-scan.ts';
import { ShapeBook } from './shape-book.ts';
import { META_NAME, readStreamMeta, type StreamMeta, writeStreamMeta } from './stream-meta.ts';
import { TableBook } from './table-book.ts';

export interface RecoveryOptions {
  readonly directory: string;
  readonly name: string;
  readonly partitions: number;
  readonly fsync: boolean;
  readonly nowMs: number;
  readonly log: Logger;
}

/** A log as it was found, ready to be appended to. */
export interface RecoveredLog {
  readonly meta: StreamMeta;
  readonly segments: SegmentList;
  /** The last segment's. */
  readonly file: AppendFile;
  readonly indexes: IndexKeeper;
  readonly shapes: ShapeBook;
  readonly tables: TableBook;
  readonly position: string | null;
}

/**
 * Opens the files of a log, or makes them. Sealed segments are believed by their size and index; the last one is read and verified,
 * and cut behind its last complete transaction.
 *
 * @throws TidingsError DIRECTORY_UNUSABLE, DISK_FULL, DISK_ERROR, LOG_DAMAGED, LOG_VERSION_UNKNOWN, CONFIG_INVALID
 */
export async function recoverLog(options: RecoveryOptions): Promise<RecoveredLog> {
  try {
    return await new Recovery(options).run();
  } catch (error) {
    throw isTidingsError(error) ? error : unusable(options.directory, error);
  }
}

function unusable(directory: string, cause: unknown): unknown {
  const code = errorCodeOf(cause);
  if (code === null) return cause;
  const message = `the log in ${directory} cannot be opened: ${cause instanceof Error ? cause.message : code}`;
  const options = { cause, details: { directory, code } };
  if (isNoRoom(cause)) return new TidingsError('DISK_FULL', message, options);
  if (code === 'EIO' || isOutOfFiles(cause)) return new TidingsError('DISK_ERROR', message, options);
  if (code === 'EACCES' || code === 'EPERM') {
    const hint =
      'Let the user whom the relay runs as read and write it (`ls -l` shows its rights), then resume the stream.';
    return new TidingsError('DIRECTORY_UNUSABLE', message, { ...options, hint });
  }
  return new TidingsError('DIRECTORY_UNUSABLE', message, options);
}

class Recovery {
  readonly #options: RecoveryOptions;
  readonly #indexes: IndexKeeper;
  readonly #shapes: ShapeBook = new ShapeBook();
  /** What the index of a segment would say of the tables that could not be written. */
  readonly #unwritten = new Map<Segment, readonly string[]>();

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.#indexes = new IndexKeeper(options.directory, options.log);
  }

  async run(): Promise<RecoveredLog> {
    const { directory } = this.#options;
    await mkdir(directory, { recursive: true });
    // Found now, rather than when the first segment is full.
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    const entries = await readdir(directory, { withFileTypes: true });
    for (const entry of entries) checkKind(entry, directory);
    const scns = entries
      .map(({ name }) => scnOfSegmentName(name))
      .filter((scn) => scn !== null)
      .toSorted((a, b) => a - b);
    const found = await readStreamMeta(directory);
    const meta = found ?? (await this.#make(scns));
    this.#check(meta);
    if (found === null) scns.splice(0, scns.length, firstScnOf(meta));
    await this.#tidy(new Set(scns));
    if (scns.length === 0) {
      throw new TidingsError('LOG_DAMAGED', `the log in ${directory} has no segments: they were removed`, {
        hint: `Restore the .log files from a copy. To begin a new stream, with other SCNs, remove ${META_NAME} too.`,
        details: { directory },
      });
    }
    const sealed: Segment[] = [];
    let tablesBefore = NO_TABLES;
    let base = 0;
    for (const [i, firstScn] of scns.slice(0, -1).entries()) {
      const segment = new Segment({ directory, firstScn, base });
      // oxlint-disable-next-line no-await-in-loop -- each begins where the one before it ends
      tablesBefore = await this.#openSealed(segment, tablesBefore);
      base = segment.end;
      sealed.push(segment);
      checkSuccessor(segment, scns[i + 1] as number);
    }
    const last = new Segment({ directory, firstScn: scns.at(-1) as number, base });
    await this.#refuseSealed(last);
    const opened = await this.#openLast(sealed, last, tablesBefore);
    const { segment, tables } = opened;
    const segments = new SegmentList([...sealed, segment]);
    const position = await positionOf(segments);
    const file = await AppendFile.open(segment.path, { create: false, durable: this.#options.fsync });
    return { meta, segments, file, indexes: this.#indexes, shapes: this.#shapes, tables, position };
  }

  /** A new log. The description comes last: with it the log exists. */
  async #make(scns: readonly number[]): Promise<StreamMeta> {
    const { directory, name, partitions, nowMs } = this.#options;
    const meta: StreamMeta = { name, createdMs: nowMs, partitions };
    for (const scn of scns) {
      const segment = new Segment({ directory, firstScn: scn, base: 0 });
      // oxlint-disable-next-line no-await-in-loop -- one at most
      const { size } = await stat(segment.path);
      if (size > 0) {
        throw new TidingsError('LOG_DAMAGED', `${directory} has segments, but no ${META_NAME}`, {
          hint: `Restore ${META_NAME} from a copy.`,
          details: { directory },
        });
      }
      // What a crash left of the making.
      // oxlint-disable-next-line no-await-in-loop -- one segment after the other, newest first
      await unlink(segment.path);
    }
    const segment = new Segment({ directory, firstScn: firstScnOf(meta), base: 0 });
    await closeFile(await openFile(segment.path, 'wx'));
    await syncDirectory(directory);
    await writeStreamMeta(directory, meta);
    return meta;
  }

  #check(meta: StreamMeta): void {
    const { directory, name, partitions } = this.#options;
    if (meta.name !== name) {
      throw new TidingsError(
        'CONFIG_INVALID',
        `${directory} holds the log of stream "${meta.name}", not of "${name}"`,
        {
          hint: 'A stream cannot be renamed: give each its own name and directory.',
          details: { directory, stream: name },
        },
      );
    }
    if (meta.partitions !== partitions) {
      throw new TidingsError(
        'CONFIG_INVALID',
        `stream "${name}" was made with ${meta.partitions} partitions, not ${partitions}`,
        {
          hint: `Set its partitions to ${meta.partitions}: their number cannot change.`,
          details: { stream: name, partitions: meta.partitions },
        },
      );
    }
  }

  /** Removes what a crash left: files that were not renamed yet, indexes of segments that are gone. */
  async #tidy(segments: ReadonlySet<number>): Promise<void> {
    for (const entry of await readdir(this.#options.directory, { withFileTypes: true })) {
      const { name } = entry;
      const indexOf = scnOfIndexName(name);
      const isLeft = (name.endsWith('.tmp') && entry.isFile()) || (indexOf !== null && !segments.has(indexOf));
      // oxlint-disable-next-line no-await-in-loop -- a few files at most
      if (isLeft) await unlink(join(this.#options.directory, name));
    }
  }

  /** @param before the tables as of its beginning @returns as of its end */
  async #openSealed(segment: Segment, before: TableTexts): Promise<TableTexts> {
    const { size } = await stat(segment.path);
    segment.created = true;
    segment.sealed = true;
    const decoded = await this.#indexes.read(segment);
    const isRight = decoded !== null && decoded.summary.firstScn === segment.firstScn && decoded.summary.bytes === size;
    if (isRight && decoded.tables !== null) {
      segment.restore(decoded.summary);
      for (const { fingerprint, offset } of decoded.index.shapes) {
        this.#shapes.addPlace(fingerprint, { segment, offset });
      }
      const block = decoded.tables;
      return () => decodeTables(block);
    }
    this.#options.log.info({ segment: segment.name, bytes: size }, 'the index of a segment is made again');
    const tables = new TableBook();
    this.#learnTables(before, tables);
    const fd = await openFile(segment.path, 'r');
    try {
      const { problem } = await scanSegment({
        segment,
        window: new FileWindow(fd, size),
        shapes: this.#shapes,
        tables,
      });
      if (problem !== null) throw segmentDamaged(segment, segment.size, problem);
    } catch (error) {
      throw inSegment(error, segment, segment.size);
    } finally {
      await closeFile(fd);
    }
    const texts = tables.texts();
    await this.#writeIndex(segment, texts);
    return () => texts;
  }

  /** On a full disk it stays in memory: readers shall have what there is. */
  async #writeIndex(segment: Segment, texts: readonly string[]): Promise<void> {
    try {
      await this.#indexes.writeNow(segment, texts);
    } catch (error) {
      if (!isNoRoom(error)) throw error;
      this.#unwritten.set(segment, texts);
      this.#options.log.warn({ error, segment: segment.name }, 'the index of a segment could not be written');
      return;
    }
    segment.index = null;
    this.#indexes.forget(segment);
  }

  #learnTables(before: TableTexts, tables: TableBook): void {
    const texts = before();
    tables.load(texts);
    for (const text of texts) this.#shapes.learn(text);
  }

  /** Only a segment with a successor has an index: the successor of this one is gone. */
  async #refuseSealed(last: Segment): Promise<void> {
    if (!(await exists(last.indexPath))) return;
    const decoded = await this.#indexes.read(last);
    const from = decoded === null ? '' : ` with SCN ${decoded.summary.nextScn}`;
    throw new TidingsError(
      'LOG_DAMAGED',
      `the segment behind ${last.path} is missing: changes from it on${from} are lost`,
      {
        hint: `Restore it from a copy. Or remove ${last.indexPath}: the source hands over again what came behind, and it gets the same SCNs anew.`,
        details: { segment: last.name, ...(decoded === null ? {} : { firstScn: decoded.summary.nextScn }) },
      },
    );
  }

  async #openLast(
    sealed: Segment[],
    found: Segment,
    tablesBefore: TableTexts,
  ): Promise<{ segment: Segment; tables: TableBook }> {
    const { log, directory } = this.#options;
    let segment = found;
    let before = tablesBefore;
    for (;;) {
      segment.created = true;
      // oxlint-disable-next-line no-await-in-loop -- the last segment; the one before only if a transaction began there
      const opened = await this.#readLast(segment, before);
      const keep = segment.complete?.end ?? 0;
      const previous = sealed.at(-1);
      if (keep > 0 || previous === undefined || (previous.complete?.end ?? 0) === previous.size) {
        if (keep < opened.valid) {
          const details = { segment: segment.name, offset: keep, bytes: opened.valid - keep };
          log.info(details, 'a transaction that is not complete was cut off the end of the log');
        }
        return { segment, tables: opened.tables };
      }
      // Nothing in it belongs to a complete transaction, and the one that was cut began before it.
      log.info(
        { segment: segment.name, bytes: opened.valid },
        'a segment of a transaction that is not complete is removed',
      );
      sealed.pop();
      // oxlint-disable-next-line no-await-in-loop -- without its index it counts as the last one, whatever happens next
      await this.#indexes.remove([previous]);
      // oxlint-disable-next-line no-await-in-loop -- each step rests on the one before it
      await this.#indexes.removeSegments([segment]);
      // oxlint-disable-next-line no-await-in-loop -- each step rests on the one before it
      before = await this.#tablesBefore(sealed.at(-1));
      segment = new Segment({ directory, firstScn: previous.firstScn, base: previous.base });
    }
  }

  async #readLast(segment: Segment, tablesBefore: TableTexts): Promise<{ valid: number; tables: TableBook }> {
    const { log } = this.#options;
    const fd = await openFile(segment.path, 'r+');
    try {
      const { size } = await stat(segment.path);
      const tables = new TableBook();
      this.#learnTables(tablesBefore, tables);
      const window = new FileWindow(fd, size);
      const { problem, mark } = await scanSegment({ segment, window, shapes: this.#shapes, tables });
      const valid = segment.size;
      if (problem !== null) {
        if (await wasDurable(window, valid, segment.nextScn)) throw segmentDamaged(segment, valid, problem);
        const details = { segment: segment.name, offset: valid, bytes: size - valid, problem };
        log.warn(details, 'the end of the log was not written completely and is cut off');
      }
      tables.rollback();
      segment.reset(mark);
      segment.verified(0, segment.size);
      if (segment.size < size) await truncateFile(fd, segment.size);
      // What was read may only have been in the system's memory so far, and is shown to readers now.
      await syncFile(fd);
      return { valid, tables };
    } catch (error) {
      throw inSegment(error, segment, segment.size);
    } finally {
      await closeFile(fd);
    }
  }

  async #tablesBefore(previous: Segment | undefined): Promise<TableTexts> {
    if (previous === undefined) return NO_TABLES;
    const unwritten = this.#unwritten.get(previous);
    if (unwritten !== undefined) return () => unwritten;
    const decoded = await this.#indexes.read(previous);
    if (decoded === null || decoded.tables === null) return NO_TABLES;
    const block = decoded.tables;
    return () => decodeTables(block);
  }
}

/** The descriptions of the row shapes that tell of each table: decompressed only if somebody asks. */
type TableTexts = () => readonly string[];

const NO_TABLES: TableTexts = () => [];

function firstScnOf({ createdMs }: StreamMeta): number {
  return createdMs * 1000;
}

function checkSuccessor(segment: Segment, nextFirstScn: number): void {
  const { nextScn } = segment;
  if (nextScn === nextFirstScn) return;
  const what =
    nextScn < nextFirstScn
      ? `the changes from SCN ${nextScn} to ${nextFirstScn - 1} are missing: a segment behind it is gone`
      : `it goes up to SCN ${nextScn - 1}, and the next segment begins with ${nextFirstScn}`;
  throw segmentDamaged(segment, segment.size, what);
}

async function positionOf(segments: SegmentList): Promise<string | null> {
  for (const segment of segments.all.toReversed()) {
    // oxlint-disable-next-line no-await-in-loop -- the last or the one before it
    if (segment.complete !== null) return positionAt(segment, segment.complete.start);
  }
  return null;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
