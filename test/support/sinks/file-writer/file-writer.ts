import { resolve } from 'node:path';
import type { FileSinkOptions } from '../../../../src/sinks/file/config.ts';
import { WritingProcess } from '../../writing-process.ts';
import { completeFiles, readRows } from '../read-files.ts';

const PROCESS = resolve(import.meta.dirname, 'process.ts');

export interface FileWriterOptions {
  readonly upTo: number;
  readonly sink?: Omit<FileSinkOptions, 'path'>;
  readonly failpoints?: string;
  readonly fileKib?: number;
}

/** A process that writes scripted rows with a file sink, and what it has told so far. */
export class FileWriter extends WritingProcess {
  constructor(path: string, { upTo, sink = {}, failpoints, fileKib }: FileWriterOptions) {
    super([PROCESS, path, String(upTo), JSON.stringify(sink)], { failpoints, fileKib });
  }

  /** Rows up to these are durable, each of its partition. */
  get durable(): number[] {
    return this.lines
      .filter((line) => line.startsWith('durable '))
      .map((line) => Number(line.slice('durable '.length)));
  }
}

/** The keys of all rows in complete files, in order. */
export async function writtenKeys(path: string): Promise<number[]> {
  const rows = (await Promise.all(completeFiles(path).map(readRows))).flat();
  return rows.map((row) => Number(row['id'])).toSorted((a, b) => a - b);
}
