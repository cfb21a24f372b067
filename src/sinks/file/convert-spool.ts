import { Worker } from 'node:worker_threads';
import { loadParquetLibrary } from './parquet-file.ts';

export interface ConversionRequest {
  readonly spoolPath: string;
  /** So many bytes of the spool count. */
  readonly bytes: number;
  /** Of the file to be made. */
  readonly path: string;
}

export type ConversionReport = { readonly bytes: number } | { readonly message: string; readonly code: string | null };

/**
 * Makes a Parquet file of a spool, in a thread of its own; durable when it resolves. Resolves to the file's bytes.
 *
 * @throws TidingsError PACKAGE_MISSING; what the disk says
 */
export async function convertSpool(request: ConversionRequest): Promise<number> {
  await loadParquetLibrary();
  // The compiler rewrites the extensions of imports only; this one is whatever the present file has.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const report = await new Promise<ConversionReport>((resolve, reject) => {
    const worker = new Worker(new URL(`./parquet-worker.${extension}`, import.meta.url), { workerData: request });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread that makes a Parquet file ended at once')));
  });
  if ('bytes' in report) return report.bytes;
  const error = new Error(report.message);
  throw report.code === null ? error : Object.assign(error, { code: report.code });
}
