import type { Clock } from '../../base/clock.ts';
import { TidingsError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import type { ChunkRequest, SnapshotChunk, SnapshotReader } from '../snapshot.ts';
import { CHUNK_BYTES } from './chunk-size.ts';
import type { MergeWindow } from './merge-window.ts';
import type { SnapshotMerger } from './merger.ts';
import type { SourceLoad } from './source-load.ts';

/** What reading rows of one table into the stream takes, whichever rows they are. */
export interface TableReadOptions {
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
}

export interface WindowRead {
  readonly window: MergeWindow;
  readonly chunk: SnapshotChunk;
  /** Rows of the table that the server has looked at for it. */
  readonly looked: number;
}

/** `rows` is asked when the read is admitted. */
export type WindowRequest = Pick<ChunkRequest, 'after' | 'onRows' | 'keys' | 'among'> & { readonly rows: () => number };

/**
 * Reads a chunk in a window of its own, once the limits allow it. Whoever asks for it merges it, or closes the one and releases the other.
 *
 * @throws TidingsError SNAPSHOT_CURSOR_INVALID when the table has another key now; what reading throws
 */
export async function readInWindow(options: TableReadOptions, request: WindowRequest): Promise<WindowRead> {
  const { database, table, key, where, reader, merger, load, signal } = options;
  await load.admitted(reader, signal);
  signal.throwIfAborted();
  const window = await merger.window(database, table, { key });
  try {
    failpoint('snapshot-read');
    const rows = request.rows();
    const { since } = window;
    const chunk = await reader.readChunk({
      database,
      table,
      where,
      bytes: CHUNK_BYTES,
      ...request,
      rows,
      since,
      signal,
    });
    if (chunk.key.join('\0') !== key.join('\0')) {
      chunk.release();
      throw keyChanged(options);
    }
    // With a condition a chunk is a stretch of the table, of which it has some.
    const looked = where === null || request.keys !== undefined ? chunk.count : rows;
    load.took(looked);
    return { window, chunk, looked };
  } catch (error) {
    merger.close(window);
    throw error;
  }
}

export function keyChanged({ database, table }: Pick<TableReadOptions, 'database' | 'table'>): TidingsError {
  return new TidingsError('SNAPSHOT_CURSOR_INVALID', `the key of ${database}.${table} was changed`, {
    details: { table: `${database}.${table}` },
  });
}
