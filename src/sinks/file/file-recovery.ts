import { type FileHandle, open, rm } from 'node:fs/promises';
import { TidingsError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { convertSpool } from './convert-spool.ts';
import { errnoOf, onDisk } from './disk.ts';
import { FileLock } from './file-lock.ts';
import type { ManifestFile } from './manifest.ts';
import type { ManifestLog } from './manifest-log.ts';
import type { SinkDirectory } from './sink-directory.ts';

export interface RecoveryOptions {
  readonly directory: SinkDirectory;
  readonly log: ManifestLog;
  readonly logger: Logger;
}

/**
 * Completes the files of processes that have ended without doing it themselves, with what the manifest names of them, and removes everything that it does not
 * name. Whoever has the lock of a process that has ended does it, one at a time.
 *
 * @throws TidingsError SINK_STATE_DAMAGED when something is missing that the manifest names
 */
export async function adoptAbandoned(options: RecoveryOptions): Promise<void> {
  const { directory, log } = options;
  const writers = await log.run(({ manifest }) => Promise.resolve(manifest.writers));
  for (const { id } of writers) {
    const lock = new FileLock(directory.writerLock(id));
    try {
      // oxlint-disable-next-line no-await-in-loop -- one after the other: each may take memory
      if (lock.tryLock()) await adopt(id, options);
    } finally {
      lock.close();
    }
  }
  await removeUnnamed(options);
}

async function adopt(writer: string, { directory, log, logger }: RecoveryOptions): Promise<void> {
  const files = await log.run(({ manifest }) =>
    Promise.resolve(manifest.writer(writer) === null ? null : manifest.files.filter((file) => file.writer === writer)),
  );
  if (files !== null) {
    const waiting = new Set(await directory.openNames());
    for (const file of files) {
      // oxlint-disable no-await-in-loop -- as above
      if (!file.complete) await complete(file, { directory, log });
      else if (!waiting.has(`${file.id}.part`) && !waiting.has(`${file.id}.parquet`)) continue;
      await directory.publish(file);
      // oxlint-enable no-await-in-loop
      logger.info({ file: file.path, rows: file.rows }, 'completed a file that a process has left open');
    }
    await log.run(({ append }) => append({ kind: 'gone', writer }));
  }
  await rm(directory.writerLock(writer), { force: true });
}

async function complete(
  file: ManifestFile,
  { directory, log }: Pick<RecoveryOptions, 'directory' | 'log'>,
): Promise<void> {
  const part = directory.part(file.id);
  await onDisk(part, async () => {
    const handle = await openPart(part, file);
    try {
      await handle.truncate(file.bytes);
      await handle.datasync();
    } finally {
      await handle.close();
    }
  });
  let { bytes } = file;
  if (file.path.endsWith('.parquet')) {
    const converted = directory.converted(file.id);
    bytes = await onDisk(converted, () => convertSpool({ spoolPath: part, bytes: file.bytes, path: converted }));
  }
  await log.run(({ append }) =>
    append({ kind: 'commit', files: [{ ...file, bytes, complete: true }], checkpoints: [] }),
  );
}

async function openPart(part: string, file: ManifestFile): Promise<FileHandle> {
  const handle = await open(part, 'r+').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  });
  const size = (await handle?.stat())?.size ?? 0;
  if (handle !== null && size >= file.bytes) return handle;
  await handle?.close();
  throw new TidingsError(
    'SINK_STATE_DAMAGED',
    `${part} has ${size} bytes, the manifest names ${file.bytes} with ${file.rows} rows`,
    { details: { path: part, bytes: size, named: file.bytes, firstScn: file.firstScn, lastScn: file.lastScn } },
  );
}

/** What processes have left that are not known, or know nothing of it. */
async function removeUnnamed({ directory, log }: RecoveryOptions): Promise<void> {
  // A process makes its lock, and is named, while nobody else may: what is not named now is of one that has ended.
  await log.run(async ({ manifest }) => {
    const names = await directory.openNames();
    const unnamed = names.filter((name) => manifest.writer(name.slice(0, name.indexOf('-'))) === null);
    await Promise.all(unnamed.map((name) => directory.removeOpen(name)));
    const locks = (await directory.writers()).filter((writer) => manifest.writer(writer) === null);
    await Promise.all(locks.map((writer) => rm(directory.writerLock(writer), { force: true })));
  });
}
