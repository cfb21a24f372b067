import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileSink } from '../../src/sinks/file/file-sink.ts';
import { FileWriter, writtenKeys } from '../support/sinks/file-writer/file-writer.ts';
import { sinkContext } from '../support/sinks/rows.ts';

const MIB = 1024 * 1024;
const COUNT = 3000;

let path = '';
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'tidings-sink-disk-'));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

const all = Array.from({ length: COUNT }, (_, i) => i + 1);

/** util-linux has it, which is not everywhere. */
const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;

test.skipIf(!hasPrlimit)(
  'a limit on the size of files stops the sink while it holds: nothing is lost, and it goes on by itself',
  async () => {
    await using writer = new FileWriter(path, { upTo: COUNT, fileKib: 100 });
    await writer.until(({ lines }) => lines.includes('stalled DISK_FULL'));
    execFileSync('prlimit', ['--pid', String(writer.pid), '--fsize=unlimited']);
    await writer.until(({ lines }) => lines.includes('going'));
    expect({ ...(await writer.exit()), errors: writer.errors }).toEqual({ code: 0, signal: null, errors: '' });
    expect(await writtenKeys(path)).toEqual(all);
  },
  60_000,
);

/** A file system of 1 MiB, where the user may make one. */
function mountSmall(where: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', where]).status === 0;
}

const mayMount = ((): boolean => {
  const where = mkdtempSync(join(tmpdir(), 'tidings-mount-'));
  const mounted = mountSmall(where);
  if (mounted) execFileSync('umount', [where]);
  rmSync(where, { recursive: true });
  return mounted;
})();

describe.skipIf(!mayMount)('a full disk', () => {
  beforeEach(() => {
    mountSmall(path);
  });
  afterEach(() => {
    execFileSync('umount', [path]);
  });

  test.each(['ndjson', 'avro', 'parquet'] as const)(
    'stops the sink with files of %s; there is no loss when there is room again, nor when the process was killed meanwhile',
    async (format) => {
      const sink = { format, rotate: { bytes: 20_000, afterMs: 1000 } };
      const ballast = join(path, 'ballast');
      writeFileSync(ballast, Buffer.alloc(0.85 * MIB));
      // Parquet takes little room, and so long to fill what there is.
      const upTo = format === 'parquet' ? 12_000 : 30_000;
      await using writer = new FileWriter(join(path, 'files'), { upTo, sink });
      await writer.until(({ lines }) => lines.includes('stalled DISK_FULL'));
      unlinkSync(ballast);
      await writer.until(({ lines }) => lines.includes('going'));
      // Until it is full again.
      await writer.until(
        ({ lines }) => lines.at(-1) === 'done' || lines.lastIndexOf('stalled DISK_FULL') > lines.lastIndexOf('going'),
      );
      writer.kill();
      await writer.exit();
      execFileSync('mount', ['-o', 'remount,size=64m', path]);
      const last = Math.max(...writer.durable) + 100;
      await using next = new FileWriter(join(path, 'files'), { upTo: last, sink });
      expect({ ...(await next.exit()), errors: next.errors }).toEqual({ code: 0, signal: null, errors: '' });
      expect(await writtenKeys(join(path, 'files'))).toEqual(Array.from({ length: last }, (_, i) => i + 1));
    },
    400_000,
  );

  test('at the start is told as such', async () => {
    expect(() => writeFileSync(join(path, 'ballast'), Buffer.alloc(3 * MIB))).toThrow('ENOSPC');
    const sink = new FileSink({ path });
    await expect(sink.open(sinkContext())).rejects.toMatchObject({ code: 'DISK_FULL' });
    await sink.close();
  });

  test('a directory that may only be read is told as such, with its path', async () => {
    execFileSync('mount', ['-o', 'remount,ro', path]);
    const sink = new FileSink({ path });
    await expect(sink.open(sinkContext())).rejects.toMatchObject({
      code: 'DIRECTORY_UNUSABLE',
      message: expect.stringContaining(path),
    });
    await sink.close();
  });
});

test.skipIf(process.getuid?.() === 0)('a directory without permissions is told as such', async () => {
  const closed = join(path, 'closed');
  mkdirSync(closed);
  chmodSync(closed, 0o500);
  const sink = new FileSink({ path: closed });
  await expect(sink.open(sinkContext())).rejects.toMatchObject({ code: 'DIRECTORY_UNUSABLE' });
  await sink.close();
});
