import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Relay } from '../../src/relay/relay.ts';
import { segmentNames } from '../support/log-harness.ts';
import { contentsOf, LogWriter } from '../support/log-writer/log-writer.ts';
import { scriptedItems } from '../support/log-writer/script.ts';
import { refusal } from '../support/refusal.ts';
import { mayMount, mountSmall, unmount } from '../support/small-disk.ts';

const COUNT = 1200;
const MIB = 1024 * 1024;

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidings-log-disk-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** util-linux has it, which is not everywhere. */
const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;

describe.skipIf(!hasPrlimit)('a limit on the size of files', () => {
  const KIB = 300;

  test('stops the log while it holds: nothing is lost, and it goes on by itself when it is raised', async () => {
    await using writer = new LogWriter(directory, { upTo: COUNT, segmentBytes: 100 * MIB, fileKib: KIB });
    await writer.until(({ lines }) => lines.includes('stalled disk-full'));
    const { durable } = writer;
    expect(durable).toBeGreaterThan(0);
    const path = join(directory, segmentNames(directory)[0] as string);
    expect(statSync(path).size).toBeLessThanOrEqual(KIB * 1024);
    execFileSync('prlimit', ['--pid', String(writer.pid), '--fsize=unlimited']);
    await writer.until(({ lines }) => lines.includes('going'));
    expect({ ...(await writer.exit()), errors: writer.errors }).toEqual({ code: 0, signal: null, errors: '' });
    expect((await contentsOf(directory)).items).toEqual(scriptedItems(COUNT));
  });

  test('leaves a log whole that is killed while it waits', async () => {
    await using writer = new LogWriter(directory, { upTo: COUNT, segmentBytes: 100 * MIB, fileKib: KIB });
    await writer.until(({ lines }) => lines.includes('stalled disk-full'));
    writer.kill();
    await writer.exit();
    const { items, position } = await contentsOf(directory);
    expect(position).toBeGreaterThanOrEqual(writer.durable);
    expect(items).toEqual(scriptedItems(position));
  });
});

test.skipIf(!hasPrlimit)(
  'too many open files hold the log, and it goes on by itself when one can be opened: nothing is lost',
  async () => {
    await using writer = new LogWriter(directory, { upTo: COUNT, segmentBytes: 20_000 });
    await writer.until(({ durable }) => durable > 0);
    const { pid } = writer;
    const files = readdirSync(`/proc/${pid}/fd`).length;
    // Below the numbers that are taken: whatever is closed meanwhile, the next one is too many.
    execFileSync('prlimit', ['--pid', String(pid), `--nofile=${Math.floor(files / 2)}:`]);
    await writer.until(({ lines }) => lines.includes('stalled disk-error'));
    execFileSync('prlimit', ['--pid', String(pid), '--nofile=1024:']);
    await writer.until(({ lines }) => lines.includes('going'));
    expect({ ...(await writer.exit()), errors: writer.errors }).toEqual({ code: 0, signal: null, errors: '' });
    expect((await contentsOf(directory)).items).toEqual(scriptedItems(COUNT));
  },
);

describe.skipIf(!mayMount)('a full disk', () => {
  beforeEach(() => {
    mountSmall(directory);
  });
  afterEach(() => {
    unmount(directory);
  });

  test('stops the log, wherever in a segment or between two it happens, and there is no loss when there is room again', async () => {
    const ballast = join(directory, 'ballast');
    writeFileSync(ballast, Buffer.alloc(1.5 * MIB));
    await using writer = new LogWriter(join(directory, 'log'), { upTo: 800, segmentBytes: 50_000 });
    await writer.until(({ lines }) => lines.includes('stalled disk-full'));
    unlinkSync(ballast);
    await writer.until(({ lines }) => lines.includes('going'));
    // Until it is full again.
    await writer.until(({ lines }) => lines.at(-1) === 'stalled disk-full' || lines.at(-1) === 'done');
    writer.kill();
    await writer.exit();
    execFileSync('mount', ['-o', 'remount,size=64m', directory]);
    const { items, position } = await contentsOf(join(directory, 'log'));
    expect(position).toBeGreaterThanOrEqual(writer.durable);
    expect(items).toEqual(scriptedItems(position));
    await using next = new LogWriter(join(directory, 'log'), { upTo: 800 });
    expect(await next.exit()).toEqual({ code: 0, signal: null });
    expect((await contentsOf(join(directory, 'log'))).items).toEqual(scriptedItems(800));
  });

  test('at the start is told as such', async () => {
    expect(() => writeFileSync(join(directory, 'ballast'), Buffer.alloc(3 * MIB))).toThrow('ENOSPC');
    await expect(contentsOf(join(directory, 'log'))).rejects.toMatchObject({ code: 'DISK_FULL' });
  });

  test('at the start of a relay does not promise that it goes on by itself: it has ended', async () => {
    expect(() => writeFileSync(join(directory, 'ballast'), Buffer.alloc(3 * MIB))).toThrow('ENOSPC');
    const error = await refusal(Relay.open({ directory, streams: {} }));
    expect(error).toMatchObject({ code: 'DISK_FULL', hint: 'Make room, then start again.' });
  });

  test('without room for the index of a segment the log is read all the same, and has its index when there is room again', async () => {
    const log = join(directory, 'log');
    await using writer = new LogWriter(log, { upTo: 60, segmentBytes: 20_000 });
    expect(await writer.exit()).toEqual({ code: 0, signal: null });
    const indexes = readdirSync(log).filter((name) => name.endsWith('.index'));
    expect(indexes.length).toBeGreaterThan(2);
    for (const name of indexes) unlinkSync(join(log, name));
    expect(() => writeFileSync(join(directory, 'ballast'), Buffer.alloc(3 * MIB))).toThrow('ENOSPC');
    expect((await contentsOf(log)).items).toEqual(scriptedItems(60));
    unlinkSync(join(directory, 'ballast'));
    expect((await contentsOf(log)).items).toEqual(scriptedItems(60));
    expect(readdirSync(log).filter((name) => name.endsWith('.index'))).toEqual(indexes);
  });

  test('a directory that may only be read is told as such', async () => {
    execFileSync('mount', ['-o', 'remount,ro', directory]);
    await expect(contentsOf(join(directory, 'log'))).rejects.toMatchObject({ code: 'DIRECTORY_UNUSABLE' });
  });
});

test.skipIf(process.getuid?.() === 0)('a directory without permissions is told as such', async () => {
  chmodSync(directory, 0o500);
  await expect(contentsOf(directory)).rejects.toMatchObject({ code: 'DIRECTORY_UNUSABLE' });
  chmodSync(directory, 0o700);
});
