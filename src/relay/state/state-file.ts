import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';

/** Of a data directory. */
export const STATE_FILE = 'state.db';

/**
 * Notices that the state of a directory with logs is gone: SQLite would make a new one without a word, and every group would begin anew.
 * To be called before the state is opened.
 *
 * @param logs the directory of the streams' logs
 * @throws TidingsError STATE_DAMAGED when it was emptied: a person who wants to go on without it removes it
 */
export async function noteLostState(directory: string, logs: string, log: Logger): Promise<void> {
  const path = join(directory, STATE_FILE);
  const bytes = await sizeOf(path);
  if ((bytes !== null && bytes > 0) || !(await hasEntries(logs))) return;
  if (bytes === 0) {
    throw new TidingsError('STATE_DAMAGED', `the relay's state is empty: ${path}`, { details: { path } });
  }
  log.warn({ directory }, `there are logs, and no ${STATE_FILE}: their groups are not known any more and begin anew`);
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch {
    // Whatever else is wrong with it is told when it is opened.
    return null;
  }
}

async function hasEntries(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length > 0;
  } catch {
    return false;
  }
}
