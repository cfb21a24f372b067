import { type FileHandle, open } from 'node:fs/promises';
import { isTidingsError, TidingsError } from '../../core/errors.ts';

export function errnoOf(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' ? code : null;
}

const NO_ROOM: ReadonlySet<string | null> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const OF_THE_DISK: ReadonlySet<string | null> = new Set(['EIO', 'ETIMEDOUT', 'ESTALE', 'EMFILE', 'ENFILE']);

/** What a failed call on a file means for the sink. Errors that are explained already come back as they are. */
function diskError(error: unknown, path: string): unknown {
  const code = errnoOf(error);
  if (isTidingsError(error) || code === null) return error;
  const options = { cause: error, details: { path, code } };
  if (NO_ROOM.has(code)) return new TidingsError('DISK_FULL', `there is no room to write ${path}`, options);
  if (OF_THE_DISK.has(code)) {
    return new TidingsError('DISK_ERROR', `the disk failed to read or write ${path} (${code})`, options);
  }
  return new TidingsError('DIRECTORY_UNUSABLE', `the file sink cannot use ${path} (${code})`, {
    ...options,
    hint: 'Check that it exists on a local disk, and that the user whom the process runs as may read and write there.',
  });
}

/** Runs work on a path, with its failures explained. */
export async function onDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(error, path);
  }
}

/** The names in a directory are durable. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes all bytes at `offset`. */
export async function writeAt(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    // oxlint-disable-next-line no-await-in-loop -- a call may write a part of it only
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

/** Writes all of them, one behind the other, from `offset` on. */
export async function writeAllAt(handle: FileHandle, parts: readonly Buffer[], offset: number): Promise<void> {
  const { bytesWritten } = await handle.writev(parts, offset);
  if (bytesWritten === bytesOf(parts)) return;
  await writeAt(handle, Buffer.concat(parts).subarray(bytesWritten), offset + bytesWritten);
}

export function bytesOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/** Reads `length` bytes from `offset` on. @throws Error when there are fewer */
export async function readAt(handle: FileHandle, length: number, offset: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    // oxlint-disable-next-line no-await-in-loop -- a call may read a part of it only
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw new RangeError(`${length - done} bytes are missing`);
    done += bytesRead;
  }
  return bytes;
}
