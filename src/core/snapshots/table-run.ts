import type { Clock } from '../../base/clock.ts';
import { TidingsError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import type { Key } from '../plain-rows.ts';
import type { SnapshotChunk, SnapshotReader } from '../snapshot.ts';
import { CHUNK_BYTES, ChunkSize } from './chunk-size.ts';
import type { MergeOutcome, MergeWindow } from './merge-window.ts';
import type { SnapshotMerger } from './merger.ts';
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

/** A chunk that is on its way. */
interface Coming {
  readonly read: Promise<Read>;
  /** Where the chunk behind it begins, as soon as that is known. */
  readonly next: Promise<string | null>;
}

/** Chunks that are on their way while another one is being merged: one is being sent, another one's read is made ready or brought to its end. */
const AHEAD = 2;
/** Read again because the stream has changed its rows meanwhile, so many keys at a time. */
const KEYS_AT_ONCE = 1000;

/** There is no chunk behind the last one. */
class NoMoreRows extends Error {}

/**
 * Reads one table chunk by chunk into the stream. While a chunk waits for the stream to come to its place, the next ones are read.
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
    // Until it is known what rows are like.
    let ahead = 0;
    let coming: Coming[] = [];
    try {
      for (;;) {
        while (coming.length <= ahead) coming.push(this.#come(cursor, coming.at(-1)));
        const first = coming.shift() as Coming;
        // oxlint-disable-next-line no-await-in-loop -- chunks follow one another
        const { window, chunk } = await first.read;
        const { next, columns } = chunk;
        // Rows that are larger than a chunk shall be: one at a time, then.
        ahead = chunk.bytes > CHUNK_BYTES ? 0 : AHEAD;
        // oxlint-disable-next-line no-await-in-loop -- each goes into the stream before the next
        const rows = await this.#merge({ window, chunk });
        // oxlint-disable-next-line no-await-in-loop -- it was told before the chunk came
        const isAsTold = (await first.next) === next;
        if (rows === null || !isAsTold) {
          // What was read behind it may be of another definition of the table, or of another place.
          // oxlint-disable-next-line no-await-in-loop -- before reading begins anew
          await drop(coming.splice(0), merger);
          if (rows === null) {
            this.#size.halve();
            continue;
          }
        }
        // oxlint-disable-next-line no-await-in-loop -- before the table counts as read
        if (next === null) await this.#readAgain(moves.incomplete(columns));
        failpoint('snapshot-merged');
        // oxlint-disable-next-line no-await-in-loop -- never noted before it is durable
        await merged(next, rows);
        if (next === null) return;
        cursor = next;
      }
    } finally {
      merger.close(moves);
      const left = coming;
      coming = [];
      await drop(left, merger);
    }
  }

  /** Begins to read the chunk behind another one that is on its way, or the one at the cursor. */
  #come(cursor: string | null, before: Coming | undefined): Coming {
    const told = Promise.withResolvers<string | null>();
    const after = async (): Promise<string | null> => {
      if (before === undefined) return cursor;
      const next = await before.next;
      if (next === null) throw new NoMoreRows();
      return next;
    };
    const read = this.#read({ after, onRows: told.resolve });
    // A failure is seen where it is waited for, which may be later; whoever waits for what it would have told sees it as well.
    read.catch(told.reject);
    told.promise.catch(() => undefined);
    return { read, next: told.promise };
  }

  async #read({
    after,
    onRows,
    keys,
  }: {
    readonly after: () => Promise<string | null>;
    readonly onRows?: (next: string | null) => void;
    readonly keys?: readonly Key[];
  }): Promise<Read> {
    const { database, table, key, where, reader, merger, load, clock, signal } = this.#options;
    await load.admitted(reader, signal);
    signal.throwIfAborted();
    const window = await merger.window(database, table, { key });
    try {
      failpoint('snapshot-read');
      const rows = keys === undefined ? Math.min(this.#size.rows, load.rowsMax) : keys.length;
      let beganMs = 0;
      let tookMs = 0;
      const chunk = await reader.readChunk({
        database,
        table,
        after: async () => {
          const place = await after();
          beganMs = clock.nowMs();
          return place;
        },
        onRows: (next) => {
          tookMs = clock.nowMs() - beganMs;
          onRows?.(next);
        },
        rows,
        bytes: CHUNK_BYTES,
        where,
        ...(keys === undefined ? {} : { keys }),
        since: window.since,
        signal,
      });
      onRows?.(chunk.next);
      if (chunk.key.join('\0') !== key.join('\0')) {
        chunk.release();
        throw keyChanged(this.#options);
      }
      // With a condition a chunk is a stretch of the table, of which it has some.
      const looked = where === null || keys !== undefined ? chunk.count : rows;
      load.took(looked);
      if (keys === undefined) this.#size.learn({ rows: looked, bytes: chunk.bytes, ms: tookMs });
      return { window, chunk };
    } catch (error) {
      merger.close(window);
      throw error;
    }
  }

  /** @returns the rows; null: the chunk must be read again */
  async #merge(read: Read): Promise<number | null> {
    failpoint('snapshot-merge');
    const { merged, rows, incomplete } = await this.#toStream(read);
    if (!merged) return null;
    await this.#readAgain(incomplete);
    return rows;
  }

  #toStream({ window, chunk }: Read): Promise<MergeOutcome> {
    const { merger, reader, audience } = this.#options;
    return merger.merge(window, chunk, { reader, audience });
  }

  /** Rows of which the stream has brought some columns only. They are read until nobody changes them meanwhile. */
  async #readAgain(keys: readonly Key[]): Promise<void> {
    let left = keys;
    let after: string | null = null;
    while (left.length > 0) {
      const some = left.slice(0, KEYS_AT_ONCE);
      const place = after;
      // oxlint-disable-next-line no-await-in-loop -- chunks follow one another
      const read = await this.#read({ after: () => Promise.resolve(place), keys: some });
      const { next } = read.chunk;
      // oxlint-disable-next-line no-await-in-loop -- what is left is known only then
      const { merged, incomplete } = await this.#toStream(read);
      if (!merged) continue;
      // Their rows may be too large for one chunk.
      left =
        next === null
          ? [...incomplete, ...left.slice(some.length)]
          : [...some, ...left.slice(some.length), ...incomplete];
      after = next;
    }
  }
}

/** What was read ahead is not used. */
async function drop(coming: readonly Coming[], merger: SnapshotMerger): Promise<void> {
  for (const { read } of coming) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- each waits for the one before it anyway
      const { window, chunk } = await read;
      merger.close(window);
      chunk.release();
    } catch {
      // Its failure comes again, where it is waited for, if it was not for being dropped.
    }
  }
}

function keyChanged({ database, table }: TableRunOptions): TidingsError {
  return new TidingsError('SNAPSHOT_CURSOR_INVALID', `the key of ${database}.${table} was changed`, {
    details: { table: `${database}.${table}` },
  });
}
