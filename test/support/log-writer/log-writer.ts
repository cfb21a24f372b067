import { resolve } from 'node:path';
import { silentLogger } from '../../../src/core/logger.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { FileLog } from '../../../src/relay/log/file-log.ts';
import { WritingProcess } from '../writing-process.ts';
import { type Item, numberOf, PARTITIONS, readItems } from '../log-harness.ts';

const PROCESS = resolve(import.meta.dirname, 'process.ts');

export interface LogWriterOptions {
  readonly upTo: number;
  readonly failpoints?: string;
  readonly segmentBytes?: number;
  readonly compression?: 'none' | 'zstd';
  /** The most bytes that a file may have, in KiB, until `raiseLimit`. */
  readonly fileKib?: number;
}

/** A process that writes a log, and what it has told so far. */
export class LogWriter extends WritingProcess {
  constructor(
    directory: string,
    { upTo, failpoints, segmentBytes = 100_000, compression = 'none', fileKib }: LogWriterOptions,
  ) {
    super([PROCESS, directory, String(upTo), String(segmentBytes), compression], { failpoints, fileKib });
  }

  /** The last transaction that it has told to be durable. */
  get durable(): number {
    const line = this.lines.findLast((text) => text.startsWith('durable '));
    return line === undefined ? 0 : Number(line.slice('durable '.length));
  }
}

/** What is in a log, as a relay finds it when it starts. */
export async function contentsOf(directory: string): Promise<{ items: Item[]; position: number; firstScn: number }> {
  const log = await FileLog.open({
    directory,
    name: 'shop',
    partitions: PARTITIONS,
    options: {},
    clock: systemClock,
    log: silentLogger,
  });
  const { after } = log.visible;
  const items = await readItems(log, log.openReader(after), after);
  const { position, createdMs } = log;
  await log.close();
  return { items, position: numberOf(position ?? 'p0'), firstScn: createdMs * 1000 };
}
