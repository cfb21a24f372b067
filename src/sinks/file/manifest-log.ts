import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TidingsError } from '../../core/errors.ts';
import { failpoint, failpointsArmed } from '../../core/failpoint.ts';
import { onDisk, readAt, syncDirectory, writeAt } from './disk.ts';
import type { FileLock } from './file-lock.ts';
import { decodeRecords, encodeRecord, Manifest, type ManifestRecord } from './manifest.ts';

export interface ManifestLogOptions {
  readonly directory: string;
  /** Between the processes that share the manifest. */
  readonly lock: FileLock;
  /** Resolves after a moment, or rejects when the sink is to stop. */
  readonly pause: (delayMs: number) => Promise<void>;
}

/** What may be done while nobody else may. */
export interface LockedManifest {
  readonly manifest: Manifest;
  /** Resolves when the record is durable. When it rejects, the record does not count. */
  readonly append: (record: ManifestRecord) => Promise<void>;
}

const LOCK_PAUSE_MS = 5;
/** A log is written anew when it is larger than this, and than four times what it was after the last time. */
const COMPACT_BYTES_MIN = 256 * 1024;

/**
 * The file `manifest.log`: records are appended, each durable before it counts, and from time to time the log is replaced by a shorter one that
 * amounts to the same. Several processes may write to one log, under one lock; each first reads what the others have written.
 *
 * A record whose write failed is cut off again. Until that has succeeded the lock is kept, so that nobody builds on something that was
 * reported as failed. Likewise when the name of a new log could not be made durable.
 */
export class ManifestLog {
  readonly #path: string;
  readonly #lock: FileLock;
  readonly #pause: (delayMs: number) => Promise<void>;
  #handle: FileHandle | null = null;
  #inode = 0;
  #manifest: Manifest = new Manifest();
  #isRead = false;
  /** Bytes that are read, or written by us. */
  #bytes = 0;
  #compactAt = COMPACT_BYTES_MIN;
  /** What must be done before the lock may be let go. */
  #unsettled: (() => Promise<void>) | null = null;
  #locked = false;
  #tail: Promise<unknown> = Promise.resolve();

  constructor({ directory, lock, pause }: ManifestLogOptions) {
    this.#path = join(directory, 'manifest.log');
    this.#lock = lock;
    this.#pause = pause;
  }

  /** As it was when the log was last read; null when it could not be read to its end. */
  get known(): Manifest | null {
    return this.#isRead ? this.#manifest : null;
  }

  /** Runs with the lock, after everybody else's records were read. One at a time. */
  run<T>(work: (locked: LockedManifest) => Promise<T>): Promise<T> {
    const result = this.#tail.then(() => onDisk(this.#path, () => this.#run(work)));
    this.#tail = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#handle?.close();
    this.#handle = null;
    this.#lock.close();
  }

  async #run<T>(work: (locked: LockedManifest) => Promise<T>): Promise<T> {
    // oxlint-disable-next-line no-await-in-loop -- nobody tells when the other process is done
    while (!this.#locked && !this.#lock.tryLock()) await this.#pause(LOCK_PAUSE_MS * (1 + Math.random()));
    this.#locked = true;
    try {
      await this.#catchUp();
      const result = await work({ manifest: this.#manifest, append: (record) => this.#append(record) });
      if (this.#bytes > this.#compactAt) await this.#compact();
      return result;
    } finally {
      if (this.#unsettled === null) {
        this.#lock.unlock();
        this.#locked = false;
      }
    }
  }

  async #catchUp(): Promise<void> {
    this.#isRead = false;
    await this.#readOn();
    this.#isRead = true;
  }

  async #readOn(): Promise<void> {
    await this.#unsettled?.();
    this.#unsettled = null;
    const handle = await this.#current();
    const { size } = await handle.stat();
    if (size === this.#bytes) return;
    const fresh = await readAt(handle, size - this.#bytes, this.#bytes);
    const { records, bytes, isDamaged } = decodeRecords(fresh);
    if (isDamaged) throw this.#damaged();
    for (const record of records) this.#manifest.apply(record);
    this.#bytes += bytes;
    if (bytes === fresh.length) return;
    await handle.truncate(this.#bytes);
    await handle.datasync();
  }

  /** The log may have been replaced by another process. */
  async #current(): Promise<FileHandle> {
    const found = await stat(this.#path).catch(() => null);
    if (this.#handle !== null && found?.ino === this.#inode && found.size >= this.#bytes) return this.#handle;
    await this.#handle?.close();
    this.#handle = null;
    this.#manifest = new Manifest();
    this.#bytes = 0;
    this.#handle = await open(this.#path, found === null ? 'w+' : 'r+', 0o640);
    if (found === null) await syncDirectory(dirname(this.#path));
    this.#inode = (await this.#handle.stat()).ino;
    return this.#handle;
  }

  async #append(record: ManifestRecord): Promise<void> {
    // Nobody replaces it while the lock is held.
    const handle = this.#handle as FileHandle;
    const line = encodeRecord(record);
    try {
      if (failpointsArmed()) {
        await writeAt(handle, line.subarray(0, line.length >> 1), this.#bytes);
        failpoint('sink-file-manifest');
      }
      await writeAt(handle, line, this.#bytes);
      await handle.datasync();
    } catch (error) {
      const bytes = this.#bytes;
      this.#unsettled = async () => {
        await handle.truncate(bytes);
        await handle.datasync();
      };
      throw error;
    }
    this.#bytes += line.length;
    this.#manifest.apply(record);
  }

  /** What cannot be done now is done later: the long log is as good as the short one. */
  async #compact(): Promise<void> {
    const path = `${this.#path}.new`;
    const bytes = Buffer.concat(this.#manifest.records().map(encodeRecord));
    this.#compactAt = Math.max(COMPACT_BYTES_MIN, bytes.length * 4);
    try {
      const handle = await open(path, 'w', 0o640);
      try {
        await writeAt(handle, bytes, 0);
        await handle.sync();
      } finally {
        await handle.close();
      }
      failpoint('sink-file-compact');
      await rename(path, this.#path);
    } catch {
      this.#compactAt = this.#bytes * 2;
      return;
    }
    // Records that are added to the short log count only when its name is durable.
    this.#unsettled = () => syncDirectory(dirname(this.#path));
    try {
      await this.#unsettled();
      this.#unsettled = null;
    } catch {
      // Tried again before anything else is done.
    }
  }

  #damaged(): TidingsError {
    return new TidingsError('SINK_STATE_DAMAGED', `the manifest ${this.#path} is damaged behind byte ${this.#bytes}`, {
      details: { path: this.#path, offset: this.#bytes },
    });
  }
}
