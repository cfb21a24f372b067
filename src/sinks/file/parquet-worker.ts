/** The thread that `convertSpool` starts: encoding a row group takes a good part of a second, in which nothing else could be done. */
import { parentPort, workerData } from 'node:worker_threads';
import { errnoOf } from './disk.ts';
import type { ConversionReport, ConversionRequest } from './convert-spool.ts';
import { spoolToParquet } from './parquet-file.ts';

const port = parentPort;
if (port === null) throw new Error('this file is the body of a worker thread');

async function convert(): Promise<ConversionReport> {
  try {
    return { bytes: await spoolToParquet(workerData as ConversionRequest) };
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error), code: errnoOf(error) };
  }
}

port.postMessage(await convert());
