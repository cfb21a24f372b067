import { execFileSync } from 'node:child_process';

/** Whether this machine has what `limitFileSize` needs. */
export function canLimitFileSize(): boolean {
  try {
    execFileSync('prlimit', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * From now on no file of the process may grow beyond so many bytes (null: as many as it wants). The kernel refuses what goes beyond, as
 * it does when the disk is full; what is there stays readable.
 */
export function limitFileSize(pid: number, bytes: number | null): void {
  // With the colon only the soft limit changes, so that it can be taken back.
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes ?? 'unlimited'}:`]);
}
