import { type FileHandle, open } from 'node:fs/promises';
import { failpoint, failpointsArmed } from '../../core/failpoint.ts';
import { bytesOf, writeAllAt, writeAt } from './disk.ts';
import type { ManifestFile } from './manifest.ts';

/** What of a file counts. */
export interface Extent {
  readonly bytes: number;
  readonly rows: number;
  readonly firstScn: number;
  readonly lastScn: number;
}

export interface OpenFileOptions {
  readonly id: string;
  readonly writer: string;
  /** Rows may share a file if this is the same. */
  readonly key: string;
  /** Its path once it is complete, below the sink's directory. */
  readonly path: string;
  readonly table: string | null;
  readonly header: Buffer;
  readonly openedMs: number;
}

/** Rows as they are appended. */
export interface Appended {
  /** One behind the other. */
  readonly parts: readonly Buffer[];
  readonly rows: number;
  readonly firstScn: number;
  readonly lastScn: number;
}

const NOTHING: Extent = { bytes: 0, rows: 0, firstScn: 0, lastScn: 0 };

/** A file that rows are appended to, under its temporary name. */
export class OpenFile {
  readonly #options: OpenFileOptions;
  readonly #handle: FileHandle;
  /** What the manifest names of it. */
  recorded: Extent = NOTHING;
  /** What is in it, be it named or not. */
  written: Extent = NOTHING;
  usedMs: number;

  private constructor(options: OpenFileOptions, handle: FileHandle) {
    this.#options = options;
    this.#handle = handle;
    this.usedMs = options.openedMs;
  }

  /** The caller makes its name durable. */
  static async create(temporaryPath: string, options: OpenFileOptions): Promise<OpenFile> {
    return new OpenFile(options, await open(temporaryPath, 'wx', 0o640));
  }

  get id(): string {
    return this.#options.id;
  }

  get key(): string {
    return this.#options.key;
  }

  get openedMs(): number {
    return this.#options.openedMs;
  }

  /** Written behind what is in it; what was written there before, and taken back, is written over. */
  async append({ parts, rows, firstScn, lastScn }: Appended): Promise<void> {
    const { header } = this.#options;
    const { written } = this;
    const isFirst = written.bytes === 0;
    const all = isFirst && header.length > 0 ? [header, ...parts] : parts;
    const bytes = bytesOf(all);
    if (failpointsArmed()) {
      await writeAt(this.#handle, Buffer.concat(all).subarray(0, bytes >> 1), written.bytes);
      failpoint('sink-file-append');
    }
    await writeAllAt(this.#handle, all, written.bytes);
    this.written = {
      bytes: written.bytes + bytes,
      rows: written.rows + rows,
      firstScn: isFirst ? firstScn : Math.min(written.firstScn, firstScn),
      lastScn: Math.max(written.lastScn, lastScn),
    };
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  /** What it is in the manifest once everything that is written counts. */
  entry(complete: boolean): ManifestFile {
    const { id, writer, path, table } = this.#options;
    return { id, writer, path, table, ...this.written, complete };
  }

  /** Leaves in it what the manifest names. */
  async cutOff(): Promise<void> {
    this.written = this.recorded;
    await this.#handle.truncate(this.recorded.bytes);
    await this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
