import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A dump program on the PATH; null when there is none. */
export async function findDumpProgram(): Promise<string | null> {
  for (const program of ['mariadb-dump', 'mysqldump']) {
    try {
      await promisify(execFile)(program, ['--version']);
      return program;
    } catch {
      // Not this one.
    }
  }
  return null;
}
