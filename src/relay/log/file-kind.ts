import type { Dirent } from 'node:fs';
import { join } from 'node:path';
import { TidingsError } from '../../core/errors.ts';
import { scnOfIndexName, scnOfSegmentName } from './segment.ts';
import { META_NAME } from './stream-meta.ts';

/**
 * What has the name of one of our files and is none: a directory, or a pipe, which would be waited for without end. What the system says of
 * them does not name the file.
 *
 * @throws TidingsError DIRECTORY_UNUSABLE
 */
export function checkKind(entry: Dirent, directory: string): void {
  const { name } = entry;
  if (entry.isFile() || entry.isSymbolicLink()) return;
  if (name !== META_NAME && scnOfSegmentName(name) === null && scnOfIndexName(name) === null) return;
  throw new TidingsError('DIRECTORY_UNUSABLE', `${join(directory, name)} is no file`, {
    hint: 'It has the name of a file of the log: move it away, then resume the stream.',
    details: { directory, name, ...(entry.isDirectory() ? { code: 'EISDIR' } : {}) },
  });
}
