import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TidingsError } from '../../core/errors.ts';
import { ownProcessId } from './own-process.ts';

/**
 * Who holds a data directory, in words. The lock itself is SQLite's on `state.db`, which ends with its process however that ends; this file
 * only lets a second relay name the first. It is not `state.db`: closing any other handle of that file would drop the lock, as is the
 * way of POSIX locks.
 */
const FILE = 'relay.lock';

/** To be called with the lock held. */
export function writeLockInfo(directory: string): void {
  try {
    writeFileSync(
      join(directory, FILE),
      `${JSON.stringify({ pid: ownProcessId, started: new Date().toISOString() })}\n`,
    );
  } catch {
    // Without it a second relay is refused all the same, just without the number.
  }
}

export function removeLockInfo(directory: string): void {
  rmSync(join(directory, FILE), { force: true });
}

export function directoryInUse(directory: string, cause: unknown): TidingsError {
  const holder = readLockInfo(directory);
  const who =
    holder === null
      ? ''
      : `: process ${holder.pid === ownProcessId ? 'is this one' : holder.pid}, since ${holder.started}`;
  return new TidingsError('DIRECTORY_IN_USE', `another relay works on the data directory ${directory}${who}`, {
    cause,
    details: { directory, ...(holder === null ? {} : { pid: holder.pid }) },
  });
}

function readLockInfo(directory: string): { readonly pid: number; readonly started: string } | null {
  try {
    const { pid, started } = JSON.parse(readFileSync(join(directory, FILE), 'utf8')) as Record<string, unknown>;
    return typeof pid === 'number' && typeof started === 'string' ? { pid, started: started.slice(0, 40) } : null;
  } catch {
    return null;
  }
}
