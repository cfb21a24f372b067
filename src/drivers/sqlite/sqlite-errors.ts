import type { ErrorCode } from '../../core/error-catalog.ts';
import { isTidingsError, TidingsError } from '../../core/errors.ts';

/**
 * SQLite's primary result codes, the low byte of what node:sqlite calls `errcode`: https://sqlite.org/rescode.html
 */
const PERM = 3;
const BUSY = 5;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

const CODES: ReadonlyMap<number, readonly [code: ErrorCode, what: string]> = new Map([
  [FULL, ['DISK_FULL', 'there is no room to write']],
  [IOERR, ['DISK_ERROR', 'the disk failed to read or write']],
  [CORRUPT, ['STATE_DAMAGED', 'the file is damaged:']],
  [NOTADB, ['STATE_DAMAGED', 'the file is no such database:']],
  [READONLY, ['DIRECTORY_UNUSABLE', 'it may not write']],
  [CANTOPEN, ['DIRECTORY_UNUSABLE', 'it cannot open']],
  [PERM, ['DIRECTORY_UNUSABLE', 'it may not open']],
]);

/**
 * What an error of node:sqlite means. One that has no meaning of its own comes back as it is.
 *
 * @param what the file is: `the relay's state`
 * @param starting whoever opens it gives up, and does not go on by itself when there is room
 */
export function explainSqliteError(
  error: unknown,
  {
    path,
    what = "the relay's state",
    starting = false,
  }: { readonly path: string; readonly what?: string; readonly starting?: boolean },
): unknown {
  if (isTidingsError(error) || !(error instanceof Error)) return error;
  const known = CODES.get(primaryCode(error));
  if (known === undefined) return error;
  const [code, happened] = known;
  const hint = starting && code === 'DISK_FULL' ? { hint: 'Make room, then start again.' } : {};
  return new TidingsError(code, `${what}: ${happened} ${path}`, { cause: error, ...hint, details: { path } });
}

/** Another connection, of this or of another process, holds the file. */
export function isSqliteBusy(error: unknown): boolean {
  return error instanceof Error && primaryCode(error) === BUSY;
}

function primaryCode(error: Error): number {
  return 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0;
}
