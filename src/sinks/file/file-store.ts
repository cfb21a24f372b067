import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { rm } from 'node:fs/promises';
// oxlint-disable-next-line no-restricted-imports -- for the manifest, which tells people who writes; nobody hands it to a sink
import { pid } from 'node:process';
import { TidingsError } from '../../core/errors.ts';
import { failpoint } from '../../core/failpoint.ts';
import type { SinkCheckpoint, SinkContext } from '../../core/sink.ts';
import { convertSpool } from './convert-spool.ts';
import { onDisk, syncDirectory } from './disk.ts';
import { FileLock } from './file-lock.ts';
import { adoptAbandoned } from './file-recovery.ts';
import type { Manifest, ManifestFile } from './manifest.ts';
import { ManifestLog } from './manifest-log.ts';
import { type Appended, type Extent, OpenFile } from './open-file.ts';
import type { SinkDirectory } from './sink-directory.ts';

export interface FileStoreOptions {
  readonly directory: SinkDirectory;
  readonly extension: string;
  readonly rotate: { readonly bytes: number; readonly afterMs: number };
  readonly openFilesMax: number;
  readonly context: SinkContext;
}

/** Rows of one batch for one file. */
export interface EncodedChunk extends Appended {
  /** Rows may share a file if this is the same. */
  readonly key: string;
  /** Below the sink's directory, with a `/` at its end if it is not empty. */
  readonly folder: string;
  readonly table: string | null;
  readonly header: Buffer;
}

/** A batch that is to be made durable. */
export interface Commit {
  readonly chunks: readonly EncodedChunk[];
  readonly checkpoints: readonly SinkCheckpoint[];
  /** False: it counts only together with the next one. */
  readonly ends: boolean;
}

export type Outcome = { readonly error: unknown } | null;

const SCN_DIGITS = 16;

/**
 * The files of one process, and the manifest that it shares with others. A batch is durable when its rows are in open files, synced, and a record of the manifest
 * names how far each file counts, and the checkpoints. So each row is in one file once: what a crash leaves behind that length was never there.
 *
 * To be called for one thing at a time.
 */
export class FileStore {
  readonly #options: FileStoreOptions;
  readonly #log: ManifestLog;
  readonly #writer: string = randomBytes(6).toString('hex');
  /** Held as long as this process lives. */
  #alive: FileLock | null = null;
  readonly #files: Map<string, OpenFile> = new Map();
  /** Complete files that could not get their name yet. */
  #unpublished: ManifestFile[] = [];
  #sequence = 0;
  /** The names of open files are durable. */
  #namesSynced = true;

  private constructor(options: FileStoreOptions) {
    const { directory, context } = options;
    this.#options = options;
    this.#log = new ManifestLog({
      directory: directory.own,
      lock: new FileLock(directory.manifestLock),
      pause: (delayMs) => context.clock.sleep(delayMs),
    });
  }

  /** @throws TidingsError DIRECTORY_UNUSABLE, DISK_FULL, DISK_ERROR, SINK_STATE_DAMAGED */
  static async open(options: FileStoreOptions): Promise<FileStore> {
    await options.directory.make();
    const store = new FileStore(options);
    try {
      await store.#begin();
      return store;
    } catch (error) {
      await store.#letGo();
      throw error;
    }
  }

  /** Without partitions: only tells the checkpoints. */
  async claim(partitions: readonly number[]): Promise<readonly SinkCheckpoint[]> {
    if (partitions.length === 0) return this.#log.run(({ manifest }) => Promise.resolve(manifest.checkpoints));
    // Reading begins again there: what was written of a transaction that did not end comes once more.
    for (const file of this.#files.values()) file.written = file.recorded;
    return this.#log.run(async ({ manifest, append }) => {
      await append({ kind: 'claim', writer: this.#writer, partitions });
      return manifest.checkpoints;
    });
  }

  /** Makes some batches durable, all or none of those that are not refused by themselves. @returns what became of each */
  async commit(commits: readonly Commit[]): Promise<Outcome[]> {
    // What others have done since is found when the record is written.
    const known = this.#log.known ?? (await this.#log.run(({ manifest }) => Promise.resolve(manifest)));
    const fences = commits.map((one) => this.#check(one, known));
    const open = commits.filter((_, index) => fences[index] === 'open');
    const before = this.#extents();
    try {
      const late = await this.#write(open);
      if (late.length > 0) {
        this.#restore(before);
        // Without those that were taken over meanwhile.
        return await this.commit(commits);
      }
    } catch (error) {
      this.#restore(before);
      return commits.map((one, index) => outcomeOf(fences[index], () => (open.includes(one) ? error : null)));
    }
    return fences.map((fence) => outcomeOf(fence, () => null));
  }

  /** Completes what is full, or old, or too much. What cannot be done now is tried again the next time. */
  async rotate(): Promise<void> {
    const { rotate, openFilesMax, context } = this.#options;
    const now = context.clock.nowMs();
    await this.#attempt(() => this.#publishAll());
    const idle = [...this.#files.values()].filter((file) => file.written === file.recorded);
    const due = idle.filter((file) => file.recorded.bytes >= rotate.bytes || now - file.openedMs >= rotate.afterMs);
    const surplus = idle
      .filter((file) => !due.includes(file))
      .toSorted((a, b) => a.usedMs - b.usedMs)
      .slice(0, Math.max(this.#files.size - due.length - openFilesMax, 0));
    for (const file of [...due, ...surplus]) {
      // oxlint-disable-next-line no-await-in-loop -- one conversion in memory at a time
      await this.#attempt(() => this.#complete(file));
    }
  }

  /** Completes what is open. Rows that do not count are cut off. */
  async close(): Promise<void> {
    for (const file of this.#files.values()) {
      // oxlint-disable-next-line no-await-in-loop -- as above
      await this.#attempt(() => this.#complete(file));
    }
    await this.#attempt(() => this.#publishAll());
    if (this.#files.size === 0 && this.#unpublished.length === 0) {
      await this.#attempt(async () => {
        await this.#log.run(({ append }) => append({ kind: 'gone', writer: this.#writer }));
        await rm(this.#options.directory.writerLock(this.#writer), { force: true });
      });
    }
    await this.#letGo();
  }

  async #begin(): Promise<void> {
    const { directory, context } = this.#options;
    await this.#log.run(async ({ manifest, append }) => {
      const { name: sink, stream } = context;
      if (manifest.stream === null) await append({ kind: 'head', version: 1, sink, stream });
      else if (manifest.stream !== stream) {
        throw new TidingsError(
          'SINK_STATE_DAMAGED',
          `the sink's directory ${directory.path} holds the stream ${manifest.stream}, not ${stream}`,
          { details: { path: directory.path, stream }, hint: 'Give the sink a directory of its own, or another name.' },
        );
      }
      this.#alive = new FileLock(directory.writerLock(this.#writer));
      if (!this.#alive.tryLock()) throw new RangeError('the lock of a new writer is held by somebody');
      await append({ kind: 'writer', id: this.#writer, pid, host: hostname() });
    });
    await adoptAbandoned({ directory, log: this.#log, logger: context.log });
  }

  /** Whether a batch may be written. `done`: it is there already. */
  #check({ checkpoints }: Commit, manifest: Manifest): 'open' | 'done' | TidingsError {
    if (manifest.writer(this.#writer) === null) return fenced('it was taken for dead');
    for (const { partition } of checkpoints) {
      const owner = manifest.ownerOf(partition);
      if (owner === this.#writer) continue;
      const who = owner === null ? null : manifest.writer(owner);
      return fenced(
        who === null
          ? `partition ${partition} is not this writer's`
          : `partition ${partition} was taken over by process ${who.pid} on ${who.host}`,
      );
    }
    const isDone = checkpoints.every((one) => (manifest.checkpoint(one)?.scn ?? -1) >= one.scn);
    return isDone && checkpoints.length > 0 ? 'done' : 'open';
  }

  /** @returns those that may not be written any more: then none is */
  async #write(commits: readonly Commit[]): Promise<readonly Commit[]> {
    if (commits.length === 0) return [];
    const touched = new Set<OpenFile>();
    for (const chunk of joined(commits)) {
      // oxlint-disable no-await-in-loop -- one file after the other
      const file = this.#files.get(chunk.key) ?? (await this.#openFile(chunk));
      touched.add(file);
      file.usedMs = this.#options.context.clock.nowMs();
      await onDisk(this.#options.directory.part(file.id), () => file.append(chunk));
      // oxlint-enable no-await-in-loop
    }
    const { openFolder } = this.#options.directory;
    await onDisk(openFolder, async () => {
      await Promise.all([...touched].map((file) => file.sync()));
      if (!this.#namesSynced) await syncDirectory(openFolder);
      this.#namesSynced = true;
    });
    failpoint('sink-file-sync');
    if (!commits.every(({ ends }) => ends)) return [];
    const changed = [...this.#files.values()].filter((file) => file.written !== file.recorded);
    return this.#log.run(async ({ manifest, append }) => {
      const late = commits.filter((one) => this.#check(one, manifest) !== 'open');
      if (late.length > 0) return late;
      const files = changed.map((file) => file.entry(false));
      const checkpoints = commits.flatMap((one) => one.checkpoints);
      if (files.length > 0 || checkpoints.length > 0) await append({ kind: 'commit', files, checkpoints });
      for (const file of changed) file.recorded = file.written;
      return [];
    });
  }

  async #openFile({ key, folder, table, header, firstScn }: EncodedChunk): Promise<OpenFile> {
    const { directory, extension, context } = this.#options;
    const id = `${this.#writer}-${++this.#sequence}`;
    const path = `${folder}${String(firstScn).padStart(SCN_DIGITS, '0')}-${id}.${extension}`;
    const openedMs = context.clock.nowMs();
    this.#namesSynced = false;
    const file = await onDisk(directory.part(id), () =>
      OpenFile.create(directory.part(id), { id, writer: this.#writer, key, path, table, header, openedMs }),
    );
    this.#files.set(key, file);
    return file;
  }

  #extents(): ReadonlyMap<OpenFile, Extent> {
    return new Map([...this.#files.values()].map((file) => [file, file.written]));
  }

  #restore(extents: ReadonlyMap<OpenFile, Extent>): void {
    for (const file of this.#files.values()) file.written = extents.get(file) ?? file.recorded;
  }

  async #complete(file: OpenFile): Promise<void> {
    const { directory, context } = this.#options;
    await onDisk(directory.part(file.id), () => file.cutOff());
    if (file.recorded.rows > 0) {
      let entry = file.entry(true);
      if (entry.path.endsWith('.parquet')) {
        const bytes = await onDisk(directory.converted(file.id), () =>
          convertSpool({
            spoolPath: directory.part(file.id),
            bytes: entry.bytes,
            path: directory.converted(file.id),
          }),
        );
        entry = { ...entry, bytes };
      }
      await this.#log.run(async ({ manifest, append }) => {
        if (manifest.writer(this.#writer) === null) throw fenced('it was taken for dead');
        await append({ kind: 'commit', files: [entry], checkpoints: [] });
      });
      failpoint('sink-file-complete');
      this.#unpublished.push(entry);
      context.log.info({ file: entry.path, rows: entry.rows, bytes: entry.bytes }, 'file complete');
    }
    this.#files.delete(file.key);
    await file.close();
    if (file.recorded.rows === 0) await directory.removeOpen(`${file.id}.part`);
    await this.#publishAll();
  }

  async #publishAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const file of this.#unpublished.splice(0)) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- as they were completed
        await this.#options.directory.publish(file);
      } catch (error) {
        // One that cannot have its name must not hold back the others.
        this.#unpublished.push(file);
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.context.log.warn({ error }, 'a file could not be completed; it is tried again');
    }
  }

  async #letGo(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.close().catch(() => {})));
    await this.#log.close();
    this.#alive?.close();
  }
}

/** What goes into one file is written at once, in the order of the batches. */
function joined(commits: readonly Commit[]): readonly EncodedChunk[] {
  const byKey = new Map<string, EncodedChunk>();
  for (const chunk of commits.flatMap(({ chunks }) => chunks)) {
    const former = byKey.get(chunk.key);
    byKey.set(
      chunk.key,
      former === undefined
        ? chunk
        : {
            ...former,
            parts: [...former.parts, ...chunk.parts],
            rows: former.rows + chunk.rows,
            firstScn: Math.min(former.firstScn, chunk.firstScn),
            lastScn: Math.max(former.lastScn, chunk.lastScn),
          },
    );
  }
  return [...byKey.values()];
}

function outcomeOf(fence: 'open' | 'done' | TidingsError | undefined, open: () => unknown): Outcome {
  if (fence instanceof TidingsError) return { error: fence };
  const error = fence === 'open' ? open() : null;
  return error === null ? null : { error };
}

function fenced(reason: string): TidingsError {
  return new TidingsError('SINK_FENCED', `the file sink may not write any more: ${reason}`);
}
