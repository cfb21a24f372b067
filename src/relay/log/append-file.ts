import { constants } from 'node:fs';
import { alignedMemory } from '../../base/aligned-memory.ts';
import {
  closeFile,
  errorCodeOf,
  type FileRange,
  openFile,
  readRange,
  syncFile,
  truncateFile,
  writeRange,
} from './disk.ts';

/** What a write around the system's cache must begin at and be a multiple of, on every file system that is in use. */
export const BLOCK_BYTES = 4096;
export interface AppendFileOptions {
  readonly create: boolean;
  readonly durable: boolean;
}

interface Mode {
  readonly staging: Staging | null;
  readonly syncsItself: boolean;
}

const CACHED: Mode = { staging: null, syncsItself: false };

/** What one write takes at most; smaller memories do for a log with little to write. */
const STAGING_BYTES: readonly number[] = [128 * 1024, 1024 * 1024, 6 * 1024 * 1024];

/**
 * The end of a segment's file, for writing. Bytes go to the disk without a detour through the system's cache (O_DIRECT) where the file
 * system can do that: the cache would cost a copy and a page of memory for bytes that readers at the end of the log have from ours, and
 * on a virtual machine, whose pages come from its host one by one, several times the rest of the write.
 *
 * Such a write covers whole blocks of 4096 bytes. The last one is filled up with zeros and written again, with what has come behind,
 * by the next write. So a file that is being written has up to 4095 zero bytes behind its last batch; `trim` cuts them off, and
 * whoever finds them after a crash knows them to be nothing (`recovery.ts`). The file's bytes before a write's offset are never changed
 * by it, whatever part of it reaches the disk.
 *
 * One call at a time.
 */
export class AppendFile {
  readonly #path: string;
  #fd: number;
  /** Null: through the system's cache. */
  #staging: Staging | null;
  #syncsItself: boolean;
  /** There may be zeros behind the content: a crash may have left some, too. */
  #isPadded = true;

  /**
   * @param create makes the file, or empties it
   * @param durable what is written is to be durable: with the write, or else with the `sync` that `needsSync` tells of
   * @throws what the system says
   */
  static async open(path: string, { create, durable }: AppendFileOptions): Promise<AppendFile> {
    const { O_RDWR, O_CREAT, O_TRUNC, O_DSYNC } = constants;
    // Not there on systems other than Linux.
    const direct = (constants as { readonly O_DIRECT?: number }).O_DIRECT ?? 0;
    const flags = O_RDWR | (create ? O_CREAT | O_TRUNC : 0);
    const staging = direct === 0 ? null : Staging.take();
    if (staging === null) return new AppendFile(path, await openFile(path, flags), CACHED);
    try {
      // One call for both: a sync of its own would be another way to the thread pool and back for every group.
      const fd = await openFile(path, flags | direct | (durable ? O_DSYNC : 0));
      return new AppendFile(path, fd, { staging, syncsItself: durable });
    } catch (error) {
      staging.give();
      if (errorCodeOf(error) !== 'EINVAL') throw error;
      return new AppendFile(path, await openFile(path, flags), CACHED);
    }
  }

  private constructor(path: string, fd: number, { staging, syncsItself }: Mode) {
    this.#path = path;
    this.#fd = fd;
    this.#staging = staging;
    this.#syncsItself = syncsItself;
  }

  /** A write is not durable yet when it resolves: it needs a `sync`. */
  get needsSync(): boolean {
    return !this.#syncsItself;
  }

  /** Writes the ranges one behind the other, all of them, to `offset` of the file, at which it ends so far or has ended before. */
  async write(ranges: readonly FileRange[], offset: number): Promise<void> {
    if (this.#staging === null) return this.#writeThroughCache(ranges, offset);
    try {
      await this.#writeDirectly(this.#staging, ranges, offset);
    } catch (error) {
      // The file system opens files so and cannot write them, or a limit on the file's size has cut a block.
      if (errorCodeOf(error) !== 'EINVAL') throw error;
      await this.#useCache();
      await this.#writeThroughCache(ranges, offset);
    }
  }

  /** What was written, and the file's length, is durable. */
  sync(): Promise<void> {
    return syncFile(this.#fd);
  }

  async truncate(bytes: number): Promise<void> {
    this.#staging?.forget();
    await truncateFile(this.#fd, bytes);
    this.#isPadded = false;
  }

  /** Cuts off the zeros that stand behind the file's content, which ends at `bytes`. */
  async trim(bytes: number): Promise<void> {
    if (this.#isPadded) await this.truncate(bytes);
  }

  async close(): Promise<void> {
    await closeFile(this.#fd);
    this.#staging?.give();
  }

  async #writeThroughCache(ranges: readonly FileRange[], offset: number): Promise<void> {
    let at = offset;
    for (const range of ranges) {
      // oxlint-disable-next-line no-await-in-loop -- in order, so that a crash leaves a beginning
      await writeRange(this.#fd, range, at);
      at += range.to - range.from;
    }
  }

  async #writeDirectly(staging: Staging, ranges: readonly FileRange[], offset: number): Promise<void> {
    await staging.begin(this.#fd, ranges, offset);
    this.#isPadded = true;
    while (staging.fill()) {
      // oxlint-disable-next-line no-await-in-loop -- once, unless there is more than the staging memory holds
      await writeRange(this.#fd, { bytes: staging.bytes, from: 0, to: staging.filled }, staging.start);
    }
    staging.done();
  }

  async #useCache(): Promise<void> {
    const fd = await openFile(this.#path, constants.O_RDWR);
    const former = this.#fd;
    this.#fd = fd;
    this.#staging?.give();
    this.#staging = null;
    this.#syncsItself = false;
    await closeFile(former);
  }
}

/** Kept for the next file: the collector does not see how much memory such an object has, and is in no hurry. */
const SPARE_STAGINGS = 4;

/** Memory in which what is to be written is put together to whole blocks. */
class Staging {
  static readonly #spare: Staging[] = [];
  bytes: Buffer;
  /** Offset in the file of its first byte: the beginning of a block. */
  start = 0;
  /** Bytes in it that are to be written: whole blocks. */
  filled = 0;
  #ranges: readonly FileRange[] = [];
  #range = 0;
  /** Bytes of the range that were taken already. */
  #taken = 0;
  /** Content in `bytes`, from `start` on, without the zeros that fill up the last block. */
  #content = 0;
  /** The file's last, incomplete block is at the beginning of `bytes`, and this is where it ends; -1: it is not known. */
  #tailEnd = -1;

  /** Null when there is no such memory. */
  static take(): Staging | null {
    const spare = Staging.#spare.pop();
    if (spare !== undefined) return spare;
    const bytes = alignedMemory(STAGING_BYTES[0] as number);
    return bytes === null ? null : new Staging(bytes);
  }

  private constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** The file it was for is closed. */
  give(): void {
    this.#ranges = [];
    this.#content = 0;
    this.filled = 0;
    // What a new file, which begins with nothing, has to know of its last block.
    this.#tailEnd = -1;
    if (Staging.#spare.length < SPARE_STAGINGS) Staging.#spare.push(this);
  }

  /** The file has changed otherwise. */
  forget(): void {
    this.#tailEnd = -1;
  }

  /** Has ready what stands before `offset` in its block. */
  async begin(fd: number, ranges: readonly FileRange[], offset: number): Promise<void> {
    const before = offset % BLOCK_BYTES;
    this.start = offset - before;
    this.#ranges = ranges;
    this.#range = 0;
    this.#taken = 0;
    const isKnown = this.#tailEnd === offset;
    this.#tailEnd = -1;
    this.#provide(before + ranges.reduce((sum, { from, to }) => sum + to - from, 0), isKnown ? before : 0);
    this.#content = before;
    if (before === 0 || isKnown) return;
    const got = await readRange(fd, { bytes: this.bytes, from: 0, to: BLOCK_BYTES }, this.start);
    if (got < before) throw new Error(`the file has only ${this.start + got} bytes where ${offset} were written`);
  }

  /** Puts the next bytes into the memory, behind what it keeps of those before; false when there are none. */
  fill(): boolean {
    if (this.filled > 0) this.#keepTail();
    const before = this.#content;
    const { bytes } = this;
    while (this.#content < bytes.length) {
      const range = this.#ranges[this.#range];
      if (range === undefined) break;
      const from = range.from + this.#taken;
      const to = Math.min(range.to, from + bytes.length - this.#content);
      range.bytes.copy(bytes, this.#content, from, to);
      this.#content += to - from;
      this.#taken += to - from;
      if (to < range.to) break;
      this.#range++;
      this.#taken = 0;
    }
    if (this.#content === before) return false;
    this.filled = Math.ceil(this.#content / BLOCK_BYTES) * BLOCK_BYTES;
    bytes.fill(0, this.#content, this.filled);
    return true;
  }

  /** Everything is written. */
  done(): void {
    this.#keepTail();
    this.#tailEnd = this.start + this.#content;
  }

  /** The last block, if it is incomplete, goes to the beginning. */
  #keepTail(): void {
    const tail = this.#content % BLOCK_BYTES;
    const whole = this.#content - tail;
    this.bytes.copyWithin(0, whole, this.#content);
    this.start += whole;
    this.#content = tail;
    this.filled = 0;
  }

  /** Makes the memory large enough where that can be had (otherwise more goes in several writes), and keeps its first bytes. */
  #provide(size: number, keep: number): void {
    this.filled = 0;
    if (size <= this.bytes.length) return;
    const largest = STAGING_BYTES.at(-1) as number;
    const wanted = STAGING_BYTES.find((bytes) => bytes >= size) ?? largest;
    if (wanted <= this.bytes.length) return;
    // After the file before this one, which had the same to write.
    const spare = Staging.#spare.find(({ bytes }) => bytes.length >= wanted);
    const larger = spare?.bytes ?? alignedMemory(wanted);
    if (larger === null) return;
    if (spare !== undefined) spare.bytes = this.bytes;
    this.bytes.copy(larger, 0, 0, keep);
    this.bytes = larger;
  }
}
