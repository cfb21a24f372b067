import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Folders where distributions put servers and that an ordinary user's PATH may lack. */
const MORE_PROGRAM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec', '/usr/local/mysql/bin'];

/** The path of the first of the programs that is on this machine; null: none is. */
export async function findProgram(names: readonly string[]): Promise<string | null> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...MORE_PROGRAM_FOLDERS].filter(
    (folder) => folder !== '',
  );
  for (const path of names.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    ) {
      return path;
    }
  }
  return null;
}
