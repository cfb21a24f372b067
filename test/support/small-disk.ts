import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Puts a file system of 2 MiB in the place of the directory, where the user may do that. */
export function mountSmall(path: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', path]).status === 0;
}

export function unmount(path: string): void {
  execFileSync('umount', [path]);
}

export const mayMount: boolean = ((): boolean => {
  const path = mkdtempSync(join(tmpdir(), 'tidings-mount-'));
  const mounted = mountSmall(path);
  if (mounted) unmount(path);
  rmSync(path, { recursive: true });
  return mounted;
})();
