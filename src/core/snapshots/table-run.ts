import { failpoint } from '../failpoint.ts';
import { CHUNK_BYTES, ChunkSize } from './chunk-size.ts';
import type { SnapshotMerger } from './merger.ts';
import type { MovedRows } from './moved-rows.ts';
import { readAgain } from './read-again.ts';
import { readInWindow, type TableReadOptions, type WindowRead } from './window-read.ts';

export interface TableRunOptions extends TableReadOptions {
  /** Are noted while it runs. */
  readonly moved: MovedRows;
  /** So many rows up to this place are in the stream: resolves when that is durable and noted. */
  readonly merged: (next: string | null, rows: number) => Promise<void>;
}

/** A chunk that is on its way. */
interface Coming {
  readonly read: Promise<WindowRead>;
  /** Where the chunk behind it begins, as soon as that is known. */
  readonly next: Promise<string | null>;
}

/** Chunks that are on their way while another one is being merged: one is being sent, another one's read is made ready or brought to its end. */
const AHEAD = 2;

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
    const { key, merger, moved, merged } = this.#options;
    await moved.note(key);
    let cursor = after;
    // Until it is known what rows are like.
    let ahead = 0;
    let coming: Coming[] = [];
    try {
      for (;;) {
        while (coming.length <= ahead) coming.push(this.#come(cursor, coming.at(-1)));
        const first = coming.shift() as Coming;
        // oxlint-disable-next-line no-await-in-loop -- chunks follow one another
        const read = await first.read;
        const { next, columns, bytes } = read.chunk;
        // Rows that are larger than a chunk shall be: one at a time, then.
        ahead = bytes > CHUNK_BYTES ? 0 : AHEAD;
        // oxlint-disable-next-line no-await-in-loop -- each goes into the stream before the next
        const rows = await this.#merge(read);
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
        // oxlint-disable-next-line no-await-in-loop -- before the chunk counts: whoever goes on behind it knows nothing of these rows
        await moved.settle(columns, (again) => readAgain(this.#options, again));
        // What is there by its name now is begun with at its beginning.
        if (moved.isTableDropped) return;
        failpoint('snapshot-merged');
        // oxlint-disable-next-line no-await-in-loop -- never noted before it is durable
        await merged(next, rows);
        if (next === null) return;
        cursor = next;
      }
    } finally {
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
  }: {
    readonly after: () => Promise<string | null>;
    readonly onRows: (next: string | null) => void;
  }): Promise<WindowRead> {
    const { load, clock } = this.#options;
    let beganMs = 0;
    let tookMs = 0;
    const read = await readInWindow(this.#options, {
      after: async () => {
        const place = await after();
        beganMs = clock.nowMs();
        return place;
      },
      onRows: (next) => {
        tookMs = clock.nowMs() - beganMs;
        onRows(next);
      },
      rows: () => Math.min(this.#size.rows, load.rowsMax),
    });
    onRows(read.chunk.next);
    this.#size.learn({ rows: read.looked, bytes: read.chunk.bytes, ms: tookMs });
    return read;
  }

  /** @returns the rows; null: the chunk must be read again */
  async #merge({ window, chunk }: WindowRead): Promise<number | null> {
    failpoint('snapshot-merge');
    const { merger, reader, audience } = this.#options;
    const { merged, rows, incomplete } = await merger.merge(window, chunk, { reader, audience });
    if (!merged) return null;
    await readAgain(this.#options, incomplete);
    return rows;
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
