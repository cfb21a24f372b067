import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface SegmentFile {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  /** The SCN that it begins with. */
  readonly firstScn: number;
}

/** The files of a stream's log, oldest first, in a relay's data directory. */
export function segmentsOf(data: string, stream: string): SegmentFile[] {
  const directory = join(data, 'streams', stream);
  return readdirSync(directory)
    .filter((name) => name.endsWith('.log'))
    .toSorted()
    .map((name) => {
      const path = join(directory, name);
      return { name, path, bytes: statSync(path).size, firstScn: Number(name.slice(0, -'.log'.length)) };
    });
}

/** Flips one bit of a file. */
export function flipBit(path: string, offset: number): void {
  const fd = openSync(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    readSync(fd, byte, 0, 1, offset);
    byte[0] = (byte[0] ?? 0) ^ 0x10;
    writeSync(fd, byte, 0, 1, offset);
  } finally {
    closeSync(fd);
  }
}
