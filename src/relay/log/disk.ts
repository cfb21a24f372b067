import { close, fdatasync, fsync, ftruncate, open, read, write } from 'node:fs';

/**
 * The few calls on files that the log makes, as promises over descriptors. One promise per call, no objects around a descriptor: at
 * thousands of commits per second that is felt.
 *
 * @param flags as the system's `open` has them, or as Node's, in words
 */
export function openFile(path: string, flags: string | number): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, flags, 0o640, (error, fd) => (error === null ? resolve(fd) : reject(error)));
  });
}

export function closeFile(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    close(fd, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}

export function truncateFile(fd: number, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    ftruncate(fd, bytes, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** The file's bytes and its length are durable. */
export function syncFile(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** The names in a directory are durable: a new file may be lost without it, and a removed one may come back. */
export async function syncDirectory(path: string): Promise<void> {
  const fd = await openFile(path, 'r');
  try {
    await new Promise<void>((resolve, reject) => {
      fsync(fd, (error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    await closeFile(fd);
  }
}

export interface FileRange {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
}

/** The system writes no more than about 2 GiB in one call. */
const CALL_BYTES_MAX = 1024 ** 3;

/** Writes bytes `from` to `to` of the buffer to `offset` of the file, all of them. */
export function writeRange(fd: number, { bytes, from, to }: FileRange, offset: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let at = from;
    const next = (): void => {
      if (at === to) resolve();
      else write(fd, bytes, at, Math.min(to - at, CALL_BYTES_MAX), offset + at - from, wrote);
    };
    const wrote = (error: NodeJS.ErrnoException | null, count: number): void => {
      if (error !== null) return reject(error);
      at += count;
      next();
    };
    next();
  });
}

/** Fills bytes `from` to `to` of the buffer from `offset` of the file. @returns how many there were */
export function readRange(fd: number, { bytes, from, to }: FileRange, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let at = from;
    const next = (): void => {
      if (at === to) resolve(at - from);
      else read(fd, bytes, at, Math.min(to - at, CALL_BYTES_MAX), offset + at - from, got);
    };
    const got = (error: NodeJS.ErrnoException | null, count: number): void => {
      if (error !== null) return reject(error);
      if (count === 0) return resolve(at - from);
      at += count;
      next();
    };
    next();
  });
}

export function errorCodeOf(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' ? code : null;
}

/** No file can be opened for now, as the process or the machine has too many open. Nothing was done to the one that was meant. */
export function isOutOfFiles(error: unknown): boolean {
  const code = errorCodeOf(error);
  return code === 'EMFILE' || code === 'ENFILE';
}

/** The disk, the user's quota or a limit on the file's size is used up: the same call may succeed later. */
export function isNoRoom(error: unknown): boolean {
  const code = errorCodeOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
}
