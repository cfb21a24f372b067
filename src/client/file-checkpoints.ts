import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { NamedCheckpointStore } from '../core/consumer.ts';
import { TidingsError } from '../core/errors.ts';
import type { BoundCheckpointStore } from './checkpoint-stores.ts';
import type { StreamName } from './transport.ts';

/**
 * A plain reader's checkpoint in a file, as one line of JSON: `{"tidings":"checkpoint","stream":…,"created":…,"scn":…}`, and with a `reader` once it
 * has a name.
 *
 * The file is replaced, never changed: written beside it (`path` and `.new`), synced, renamed, and the directory synced, so that there
 * is always a whole one, and a saved checkpoint outlives a power failure. One reader per file. The directory must exist.
 *
 * `load` throws CHECKPOINT_INVALID for a file that is damaged or no checkpoint; reading throws it for the checkpoint of another stream,
 * and SCN_UNKNOWN for one of a stream that was replaced under the same name.
 */
export function fileCheckpoints(path: string): BoundCheckpointStore & NamedCheckpointStore {
  return new FileCheckpoints(path);
}

class FileCheckpoints implements BoundCheckpointStore, NamedCheckpointStore {
  readonly #path: string;
  #name: StreamName | null = null;
  /** The reader's own name. */
  #reader: string | null = null;

  /** @throws TidingsError CONFIG_INVALID */
  constructor(path: string) {
    if (typeof path !== 'string' || path === '') {
      throw new TidingsError('CONFIG_INVALID', 'a checkpoint file needs a path, text that is not empty');
    }
    this.#path = path;
  }

  async load(): Promise<number | null> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw unusable(this.#path, 'cannot be read', error);
    }
    const { stream, createdMs, scn, reader } = parseCheckpoint(text, this.#path);
    this.#name = { stream, createdMs };
    this.#reader = reader;
    return scn;
  }

  async loadName(): Promise<string | null> {
    await this.load();
    return this.#reader;
  }

  bind(name: StreamName): void {
    const known = this.#name;
    if (known !== null && known.stream !== name.stream) {
      throw new TidingsError(
        'CHECKPOINT_INVALID',
        `the checkpoint file ${this.#path} is one of stream ${known.stream}, not of ${name.stream}`,
        { hint: 'Give each stream a file of its own.', details: { path: this.#path, stream: known.stream } },
      );
    }
    if (known !== null && known.createdMs !== name.createdMs) {
      throw new TidingsError(
        'SCN_UNKNOWN',
        `the checkpoint file ${this.#path} is one of a former stream ${name.stream}, made ${isoOf(known.createdMs)}: the stream was made anew ${isoOf(name.createdMs)}`,
        {
          hint: 'Compare or copy the data anew, remove the file, and start from `latest` or `earliest`.',
          details: { path: this.#path, created: name.createdMs, createdBefore: known.createdMs },
        },
      );
    }
    this.#name = name;
  }

  async begin(name: string, scn: number): Promise<void> {
    await this.#write(scn, name);
    this.#reader = name;
  }

  save(scn: number): Promise<void> {
    return this.#write(scn, this.#reader);
  }

  async #write(scn: number, reader: string | null): Promise<void> {
    if (this.#name === null) throw new Error('a checkpoint cannot be saved before it is known of which stream it is');
    const { stream, createdMs } = this.#name;
    const named = reader === null ? {} : { reader };
    const text = `${JSON.stringify({ tidings: 'checkpoint', stream, created: createdMs, scn, ...named })}\n`;
    const fresh = `${this.#path}.new`;
    try {
      const file = await open(fresh, 'w', 0o644);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(fresh, this.#path);
      await syncDirectory(dirname(this.#path));
    } catch (error) {
      throw unusable(this.#path, 'cannot be written', error);
    }
  }
}

/** The rename itself is durable only then. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } catch (error) {
    // Some systems cannot sync a directory, and need not.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'EINVAL' && code !== 'EISDIR') throw error;
  } finally {
    await directory.close();
  }
}

function parseCheckpoint(
  text: string,
  path: string,
): StreamName & { readonly scn: number; readonly reader: string | null } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unusable(path, 'is damaged', error);
  }
  const { tidings, stream, created, scn, reader = null } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const wellFormed =
    tidings === 'checkpoint' &&
    typeof stream === 'string' &&
    typeof created === 'number' &&
    Number.isSafeInteger(scn) &&
    (reader === null || typeof reader === 'string');
  if (!wellFormed) throw unusable(path, 'holds what is no checkpoint', undefined);
  return { stream, createdMs: created, scn: scn as number, reader };
}

function isoOf(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function unusable(path: string, what: string, cause: unknown): TidingsError {
  return new TidingsError('CHECKPOINT_INVALID', `the checkpoint file ${path} ${what}`, { cause, details: { path } });
}
