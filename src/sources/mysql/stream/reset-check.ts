import { TidingsError } from '../../../core/errors.ts';
import type { QueryConnection } from '../../../drivers/mysql/connect.ts';
import { type BinlogPlace, comparePlaces, currentPlace, type Server } from '../server.ts';

/**
 * A binlog that was reset counts its files and its GTIDs from the beginning again. Once it has grown past a position from before,
 * that position looks like one of its own, and what was written in between would be passed over without a word (I4).
 *
 * So a connection to the same server as before checks that the binlog has not become shorter, and that the file it was reading is
 * still the same one (`BinlogFileSeen`).
 *
 * @throws TidingsError BINLOG_RESET
 */
export async function checkNotReset(position: BinlogPlace, queries: QueryConnection, server: Server): Promise<void> {
  const present = await currentPlace(queries, server);
  // Another base name: the server was started with another `log_bin`, which begins a log beside the old one.
  if (baseName(present.file) !== baseName(position.file) || comparePlaces(present, position) >= 0) return;
  throw wasReset(
    `the server writes at ${present.file}:${present.offset}, before the position ${position.file}:${position.offset}`,
    position.file,
  );
}

/** The file that is being read, and when the server began it: in whole seconds since 1970, as its format description says. */
export interface BinlogFileSeen {
  readonly file: string;
  readonly beganAtS: number;
}

/** @throws TidingsError BINLOG_RESET when the same name now stands for another file */
export function checkSameFile(now: BinlogFileSeen, before: BinlogFileSeen | null): void {
  if (before === null || before.file !== now.file || before.beganAtS === now.beganAtS) return;
  throw wasReset(`${now.file} was begun anew since it was read last`, now.file);
}

function wasReset(message: string, file: string): TidingsError {
  return new TidingsError('BINLOG_RESET', `the binlog was reset: ${message}`, { details: { file } });
}

function baseName(file: string): string {
  return file.slice(0, file.lastIndexOf('.'));
}
