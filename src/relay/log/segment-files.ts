import { closeFile, openFile, readRange, type FileRange } from './disk.ts';
import type { Segment } from './segment.ts';

/** Files that nobody reads at the moment stay open up to this number. */
const IDLE_FILES = 8;

interface OpenFile {
  readonly fd: Promise<number>;
  /** Reads that are under way. */
  users: number;
}

/** The segments' files as readers share them. */
export class SegmentFiles {
  /** In the order of their last use. */
  readonly #files = new Map<Segment, OpenFile>();
  #closed = false;

  /** Fills bytes `from` to `to` of the buffer. @returns how many there were */
  async read(segment: Segment, range: FileRange, offset: number): Promise<number> {
    const file = this.#files.get(segment) ?? { fd: openFile(segment.path, 'r'), users: 0 };
    this.#files.delete(segment);
    this.#files.set(segment, file);
    file.users++;
    try {
      return await readRange(await file.fd, range, offset);
    } catch (error) {
      // The next one tries anew.
      if (this.#files.get(segment) === file) this.#files.delete(segment);
      throw error;
    } finally {
      file.users--;
      if (this.#files.get(segment) !== file) this.#release(file);
      else this.#trim();
    }
  }

  /** The segment is gone, or is written anew. */
  forget(segment: Segment): void {
    const file = this.#files.get(segment);
    if (file === undefined) return;
    this.#files.delete(segment);
    this.#release(file);
  }

  close(): void {
    this.#closed = true;
    this.#trim();
  }

  #trim(): void {
    for (const [segment, file] of this.#files) {
      if (!this.#closed && this.#files.size <= IDLE_FILES) return;
      if (file.users > 0) continue;
      this.#files.delete(segment);
      this.#release(file);
    }
  }

  #release(file: OpenFile): void {
    if (file.users > 0) return;
    file.fd.then(closeFile).catch(() => undefined);
  }
}
