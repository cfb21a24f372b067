import type { Clock } from '../../base/clock.ts';
import { failpoint } from '../failpoint.ts';
import type { Key } from '../plain-rows.ts';
import type { SnapshotChunk, SnapshotReader } from '../snapshot.ts';
import type { MergeWindow } from './merge-window.ts';
import type { SnapshotMerger } from './merger.ts';
import { CHUNK_BYTES, ChunkSize } from './chunk-size.ts';
import type { SourceLoad } from './source-load.ts';

export interface TableRunOptions {
  readonly database: string;
  readonly table: string;
  /** Names of the chunk key's columns. */
  readonly key: readonly string[];
  readonly where: string | null;
  /** Who gets its rows; null: everyone. */
  readonly audience: string | null;
  readonly reader: SnapshotReader;
  readonly merger: SnapshotMerger;
  readonly load: SourceLoad;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** So many rows up to this place are in the stream: resolves when that is durable and noted. */
  readonly merged: (next: string | null, rows: number) => Promise<void>;
}

interface Read {
  readonly window: MergeWindow;
  readonly chunk: SnapshotChunk;
}

/** Read again because the stream has changed its rows meanwhile, so many keys at a time. */
const KEYS_AT_ONCE = 1000;

/**
 * Reads one table chunk by chunk into the stream. While a chunk waits for the stream to come to its place, the next one is read.
 *
 * A chunk counts when it is durable in the stream: after a crash the last one may come again, and none is missing (I4).
 */
export class TableRun {
  readonly #options: TableRunOptions;
  readonly #size: ChunkSize = new ChunkSize();

  constructor(options: TableRunOptions) {
    this.#options = options;
  }

  /** @param after where the first chunk begins @throws what reading throws, and what the signal is aborted with */
  async run(after: string | null): Promise<void> {
    const { database, table, key, merger, merged } = this.#options;
    // A row that goes from a key that is still to come to one that was read already is in no chunk. With all of its columns in the stream that
    // is nothing to care about.
    const moves = await merger.window(database, table, { key, onlyMoves: true });
    let cursor = after;
    let reading: Promise<Read> | null = this.#read(cursor, undefined);
    try {
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- chunks follow one another
        const read: Read = await (reading ?? this.#read(cursor, undefined));
        const { next } = read.chunk;
        reading = next === null ? null : this.#readAhead(next);
        // oxlint-disable-next-line no-await-in-loop
        const rows = await this.#merge(read);
        if (rows === null) {
          // What was read behind it may be of another definition of the table as well.
          // oxlint-disable-next-line no-await-in-loop
          await this.#drop(reading);
          reading = null;
          this.#size.halve();
          continue;
        }
        // oxlint-disable-next-line no-await-in-loop -- before the table counts as read
        if (next === null) await this.#readAgain(moves.incomplete(read.chunk.columns));
        failpoint('snapshot-merged');
        // oxlint-disable-next-line no-await-in-loop -- never noted before it is durable
        await merged(next, rows);
        if (next === null) return;
        cursor = next;
      }
    } finally {
      merger.close(moves);
      await this.#drop(reading);
    }
  }

  #readAhead(after: string): Promise<Read> {
    const reading = this.#read(after, undefined);
    // A failure is seen where it is waited for, which may be later.
    reading.catch(() => undefined);
    return reading;
  }

  async #read(after: string | null, keys: readonly Key[] | undefined): Promise<Read> {
    const { database, table, key, where, reader, merger, load, clock, signal } = this.#options;
    await load.admitted(reader, signal);
    signal.throwIfAborted();
    const window = await merger.window(database, table, { key });
    try {
      failpoint('snapshot-read');
      const beganMs = clock.nowMs();
      const chunk = await reader.readChunk({
        database,
        table,
        after,
        rows: Math.min(this.#size.rows, load.rowsMax),
        bytes: CHUNK_BYTES,
        where,
        ...(keys === undefined ? {} : { keys }),
        since: window.since,
        signal,
      });
      load.took(chunk.count);
      if (keys === undefined) {
        this.#size.learn({ rows: chunk.count, bytes: chunk.bytes, ms: clock.nowMs() - beganMs });
      }
      return { window, chunk };
    } catch (error) {
      merger.close(window);
      throw error;
    }
  }

  /** @returns the rows; null: the chunk must be read again */
  async #merge({ window, chunk }: Read): Promise<number | null> {
    const { merger, reader, audience } = this.#options;
    failpoint('snapshot-merge');
    const { merged, rows, incomplete } = await merger.merge(window, chunk, { reader, audience });
    if (!merged) return null;
    await this.#readAgain(incomplete);
    return rows;
  }

  /** Rows of which the stream has brought some columns only. They are read until nobody changes them meanwhile. */
  async #readAgain(keys: readonly Key[]): Promise<void> {
    let left = keys;
    while (left.length > 0) {
      const some = left.slice(0, KEYS_AT_ONCE);
      // oxlint-disable-next-line no-await-in-loop -- chunks follow one another
      const { window, chunk } = await this.#read(null, some);
      const { merger, reader, audience } = this.#options;
      // oxlint-disable-next-line no-await-in-loop
      const { merged, incomplete } = await merger.merge(window, chunk, { reader, audience });
      left = merged ? [...incomplete, ...left.slice(some.length)] : left;
    }
  }

  /** What was read ahead is not used. */
  async #drop(reading: Promise<Read> | null): Promise<void> {
    if (reading === null) return;
    try {
      const { window, chunk } = await reading;
      this.#options.merger.close(window);
      chunk.release();
    } catch {
      // Its failure comes again, where it is waited for, if it was not for being dropped.
    }
  }
}
