import { constants, zstdCompress, zstdDecompressSync } from 'node:zlib';
import { readFile, rename, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { failpoint } from '../../core/failpoint.ts';
import type { Logger } from '../../core/logger.ts';
import { closeFile, errorCodeOf, openFile, syncDirectory, syncFile, writeRange } from './disk.ts';
import type { Segment } from './segment.ts';
import { decodeIndex, type DecodedIndex, type SegmentIndex } from './segment-index.ts';

const compress = promisify(zstdCompress);
/** Indexes of sealed segments that are kept in memory because somebody was looking for something. */
const CACHED_INDEXES = 8;

/** Reads, writes and removes the index files of one log. */
export class IndexKeeper {
  readonly #directory: string;
  readonly #log: Logger;
  /** What the index of a sealed segment says of the tables: their definitions as of its end. */
  readonly #tables = new Map<Segment, readonly string[]>();
  readonly #cache = new Map<Segment, SegmentIndex>();
  /** Whose index is in memory and in its file. */
  readonly #written = new Set<Segment>();
  #writing: Promise<void> = Promise.resolve();

  constructor(directory: string, log: Logger) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Called when the segment is full, before anything behind it is known. */
  sealed(segment: Segment, tables: readonly string[]): void {
    this.#tables.set(segment, tables);
  }

  /** Writes the segment's index in the background. If that fails, the segment is read again when the log is opened. */
  write(segment: Segment): void {
    const tables = this.#tables.get(segment) ?? [];
    this.#tables.delete(segment);
    this.#writing = this.#writing
      .then(() => this.writeNow(segment, tables))
      .catch((error: unknown) => {
        this.#log.warn({ error, segment: segment.name }, 'the index of a segment could not be written');
      });
  }

  async writeNow(segment: Segment, tables: readonly string[]): Promise<void> {
    const { index } = segment;
    if (index === null || !segment.sealed) return;
    const bytes = index.encode(segment.summary(), await encodeTables(tables));
    const temporary = `${segment.indexPath}.tmp`;
    const fd = await openFile(temporary, 'w');
    try {
      const half = bytes.length >> 1;
      await writeRange(fd, { bytes, from: 0, to: half }, 0);
      failpoint('index-write');
      await writeRange(fd, { bytes, from: half, to: bytes.length }, half);
      await syncFile(fd);
    } catch (error) {
      // On a full disk every byte counts.
      await removeIfThere(temporary);
      throw error;
    } finally {
      await closeFile(fd);
    }
    await rename(temporary, segment.indexPath);
    await syncDirectory(this.#directory);
    this.#written.add(segment);
  }

  /** Lets go of the indexes in memory that have a file, of segments in which nothing can be rolled back any more. */
  release(visibleEnd: number): void {
    for (const segment of this.#written) {
      if (segment.end > visibleEnd) continue;
      segment.index = null;
      this.#written.delete(segment);
    }
  }

  /** Resolves when no index is being written. */
  idle(): Promise<void> {
    return this.#writing;
  }

  /** Null when there is none, or none that can be used. */
  async read(segment: Segment): Promise<DecodedIndex | null> {
    const bytes = await readIfThere(segment.indexPath);
    return bytes === null ? null : decodeIndex(bytes);
  }

  /** The index of a segment, for somebody who looks for something. Without entries when the file cannot be used any more. */
  async indexOf(segment: Segment): Promise<SegmentIndex | null> {
    if (segment.index !== null) return segment.index;
    const cached = this.#cache.get(segment);
    if (cached !== undefined) return cached;
    const decoded = await this.read(segment);
    if (decoded === null) return null;
    this.#cache.set(segment, decoded.index);
    for (const oldest of this.#cache.keys()) {
      if (this.#cache.size <= CACHED_INDEXES) break;
      this.#cache.delete(oldest);
    }
    return decoded.index;
  }

  forget(segment: Segment): void {
    this.#cache.delete(segment);
    this.#written.delete(segment);
    this.#tables.delete(segment);
  }

  /** Removes the index files of the segments, durably. */
  async remove(segments: readonly Segment[]): Promise<void> {
    await this.#writing;
    let removed = 0;
    for (const segment of segments) {
      this.forget(segment);
      // oxlint-disable-next-line no-await-in-loop -- two or three files
      removed += await removeIfThere(segment.indexPath);
    }
    if (removed > 0) await syncDirectory(this.#directory);
  }

  /** Removes segments in the order given, each durably before the next: at no time one is missing between two others. */
  async removeSegments(segments: readonly Segment[]): Promise<void> {
    await this.#writing;
    for (const segment of segments) {
      this.forget(segment);
      // oxlint-disable-next-line no-await-in-loop -- the order is what matters
      await removeIfThere(segment.path);
      // oxlint-disable-next-line no-await-in-loop -- durable before the next file goes
      await syncDirectory(this.#directory);
      // An index without a segment means nothing, and is removed when the log is opened.
      // oxlint-disable-next-line no-await-in-loop -- the index goes last, see above
      await removeIfThere(segment.indexPath);
    }
  }
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

async function removeIfThere(path: string): Promise<number> {
  try {
    await unlink(path);
    return 1;
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** The descriptions of row shapes, one per table, as a JSON array compressed with zstd: databases have thousands of tables. */
async function encodeTables(texts: readonly string[]): Promise<Buffer> {
  return compress(Buffer.from(JSON.stringify(texts)), { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
}

/** @throws when they are none */
export function decodeTables(bytes: Buffer): string[] {
  return JSON.parse(zstdDecompressSync(bytes).toString()) as string[];
}
