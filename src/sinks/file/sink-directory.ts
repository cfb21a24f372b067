import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { errnoOf, onDisk, syncDirectory } from './disk.ts';
import type { ManifestFile } from './manifest.ts';

const OWN = '_tidings';

/**
 * Where things lie:
 *
 *     <path>/<folders>/<name>              complete files
 *     <path>/_tidings/<sink>/manifest.log
 *     <path>/_tidings/<sink>/open/         files that rows are appended to, and those that get their name now
 *     <path>/_tidings/<sink>/writers/      a lock for each process that writes, held as long as it lives
 */
export class SinkDirectory {
  readonly path: string;
  readonly own: string;
  readonly #synced: Set<string> = new Set();

  constructor(path: string, sink: string) {
    this.path = path;
    this.own = join(path, OWN, encodeURIComponent(sink).replace(/^\.+/, '%2E'));
  }

  /** @throws TidingsError DIRECTORY_UNUSABLE, DISK_FULL */
  async make(): Promise<void> {
    await onDisk(this.path, async () => {
      await mkdir(this.path, { recursive: true });
      for (const folder of [this.openFolder, this.#writersFolder]) {
        // oxlint-disable-next-line no-await-in-loop -- two of them, once
        await this.#makeFolder(folder);
      }
    });
  }

  get openFolder(): string {
    return join(this.own, 'open');
  }

  get #writersFolder(): string {
    return join(this.own, 'writers');
  }

  get manifestLock(): string {
    return join(this.own, 'manifest.lock');
  }

  writerLock(writer: string): string {
    return join(this.#writersFolder, `${writer}.lock`);
  }

  /** The writers that have a lock, be it held or not. */
  async writers(): Promise<string[]> {
    const names = await readdir(this.#writersFolder);
    return names.filter((name) => name.endsWith('.lock')).map((name) => name.slice(0, -'.lock'.length));
  }

  /** A file that rows are appended to. */
  part(id: string): string {
    return join(this.openFolder, `${id}.part`);
  }

  /** A Parquet file that was made of its spool. */
  converted(id: string): string {
    return join(this.openFolder, `${id}.parquet`);
  }

  /** The names of all files that are not complete, or not yet where they belong. */
  openNames(): Promise<string[]> {
    return onDisk(this.openFolder, () => readdir(this.openFolder));
  }

  removeOpen(name: string): Promise<void> {
    return rm(join(this.openFolder, name), { force: true });
  }

  /** Gives a file its name, durably. Can be done again. */
  async publish({ id, path }: ManifestFile): Promise<void> {
    const target = join(this.path, path);
    const isParquet = path.endsWith('.parquet');
    await onDisk(target, async () => {
      const source = isParquet ? this.converted(id) : this.part(id);
      await this.#makeFolder(dirname(target));
      try {
        await rename(source, target);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error;
        await this.#renameAgain(source, target);
      }
      await syncDirectory(dirname(target));
      if (isParquet) await rm(this.part(id), { force: true });
    });
  }

  /** It has its name already, or somebody has taken away the folder: complete files may be moved, and folders with them. */
  async #renameAgain(source: string, target: string): Promise<void> {
    const isThere = await stat(target).then(
      () => true,
      () => false,
    );
    if (isThere) return;
    this.#synced.clear();
    await this.#makeFolder(dirname(target));
    await rename(source, target);
  }

  /** Makes a folder and those above it, and their names durable. */
  async #makeFolder(folder: string): Promise<void> {
    if (this.#synced.has(folder)) return;
    await mkdir(folder, { recursive: true });
    let above = this.path;
    for (const name of relative(this.path, folder).split(sep)) {
      // oxlint-disable-next-line no-await-in-loop -- each once per process
      if (!this.#synced.has(join(above, name))) await syncDirectory(above);
      above = join(above, name);
      this.#synced.add(above);
    }
  }
}
