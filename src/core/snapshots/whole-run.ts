import { TidingsError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import { CHUNK_BYTES } from './chunk-size.ts';
import type { MergeWindow } from './merge-window.ts';
import type { TableReadOptions } from './window-read.ts';

type WholeReadOptions = Omit<TableReadOptions, 'key'>;

/** A table that is changed all the time cannot be read so. */
const ATTEMPTS_MAX = 10;
const CHUNK_ROWS = 10_000;

/**
 * Reads a table that has no key into the stream: in one consistent read, behind a truncate entry that comes with its first rows. Its rows cannot be
 * told apart, so whatever the stream changes of it before the last of them is in the stream means that all is read once more, behind another
 * truncate entry; and other reads of it wait.
 *
 * @returns the rows
 * @throws TidingsError SNAPSHOT_KEY_MISSING when it does not come to an end, or the source cannot read so; what reading throws
 */
export async function readWithoutKey(options: WholeReadOptions): Promise<number> {
  const { where, merger } = options;
  // The entry in front would take the rows that were not asked for.
  if (where !== null) throw keyMissing(options, 'to read some of its rows by');
  return await merger.alone(options, () => readInAttempts(options));
}

async function readInAttempts(options: WholeReadOptions): Promise<number> {
  const { database, table, merger, signal } = options;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    signal.throwIfAborted();
    // oxlint-disable-next-line no-await-in-loop -- each attempt follows the one before
    const window = await merger.window(database, table, { key: null });
    try {
      // oxlint-disable-next-line no-await-in-loop -- as above
      const rows = await readOnce(window, options);
      if (rows !== null) return rows;
    } finally {
      merger.close(window);
    }
  }
  throw keyMissing(
    options,
    `and is changed all the time: ${ATTEMPTS_MAX} attempts to read all of it were in vain, and consumers may have a part of its rows now`,
  );
}

/** Null: it was changed meanwhile. */
async function readOnce(window: MergeWindow, options: WholeReadOptions): Promise<number | null> {
  const { database, table, where, reader, merger, load, audience, signal } = options;
  if (reader.readWhole === undefined) throw keyMissing(options, 'to read it in chunks by');
  await load.admitted(reader, signal);
  const rowsMax = Math.min(CHUNK_ROWS, load.rowsMax);
  const { since } = window;
  const truncate = { type: 'truncate', database, table, sql: '' } as const;
  let isFirst = true;
  let rows = 0;
  failpoint('snapshot-read');
  for await (const chunk of reader.readWhole({
    database,
    table,
    rows: rowsMax,
    bytes: CHUNK_BYTES,
    where,
    since,
    signal,
  })) {
    load.took(chunk.count);
    failpoint('snapshot-merge');
    const outcome = await merger.merge(window, chunk, {
      reader,
      audience,
      goesOn: true,
      before: isFirst ? [truncate] : [],
    });
    if (!outcome.merged) return null;
    isFirst = false;
    rows += outcome.rows;
    await load.admitted(reader, signal);
  }
  // What changed it behind its last rows comes behind them.
  return rows;
}

function keyMissing({ database, table }: { database: string; table: string }, why: string): TidingsError {
  return new TidingsError('SNAPSHOT_KEY_MISSING', `${database}.${table} has no key ${why}`, {
    details: { table: `${database}.${table}` },
  });
}
