import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { TidingsError } from '../../core/errors.ts';
import { closeFile, errorCodeOf, openFile, syncDirectory, syncFile, writeRange } from './disk.ts';

/** Of the files as a whole: which there are and how they belong together. */
const LOG_FORMAT_VERSION = 1;
export const META_NAME = 'stream.json';

/** What is written once, when the log is made. */
export interface StreamMeta {
  readonly name: string;
  readonly createdMs: number;
  readonly partitions: number;
}

/**
 * Null when there is none.
 *
 * @throws TidingsError LOG_VERSION_UNKNOWN, LOG_DAMAGED
 */
export async function readStreamMeta(directory: string): Promise<StreamMeta | null> {
  const path = join(directory, META_NAME);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return null;
    throw error;
  }
  const fields = parse(text);
  const version = fields?.['formatVersion'];
  if (typeof version === 'number' && version > LOG_FORMAT_VERSION) {
    throw new TidingsError(
      'LOG_VERSION_UNKNOWN',
      `the log in ${directory} has format version ${version}, known is ${LOG_FORMAT_VERSION}`,
      {
        details: { directory, version },
      },
    );
  }
  const { name, createdMs, partitions } = fields ?? {};
  if (
    version !== LOG_FORMAT_VERSION ||
    typeof name !== 'string' ||
    typeof createdMs !== 'number' ||
    typeof partitions !== 'number' ||
    !Number.isSafeInteger(createdMs) ||
    !Number.isSafeInteger(partitions) ||
    createdMs < 0 ||
    partitions < 1
  ) {
    throw new TidingsError('LOG_DAMAGED', `${path} does not describe a log`, { details: { directory } });
  }
  return { name, createdMs, partitions };
}

/** Durable when it resolves; a crash leaves the file whole or none. */
export async function writeStreamMeta(directory: string, meta: StreamMeta): Promise<void> {
  const path = join(directory, META_NAME);
  const bytes = Buffer.from(`${JSON.stringify({ formatVersion: LOG_FORMAT_VERSION, ...meta }, null, 2)}\n`);
  const fd = await openFile(`${path}.tmp`, 'w');
  try {
    await writeRange(fd, { bytes, from: 0, to: bytes.length }, 0);
    await syncFile(fd);
  } finally {
    await closeFile(fd);
  }
  await rename(`${path}.tmp`, path);
  await syncDirectory(directory);
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
