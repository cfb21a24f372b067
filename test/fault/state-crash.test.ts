import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isTidingsError } from '../../src/core/errors.ts';
import { RelayState } from '../../src/relay/state/relay-state.ts';
import { commitUntilRefused, openElsewhere, startCommitting } from '../support/state-process.ts';

const NOBODY = 65_534;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidings-state-'));
});

afterEach(() => {
  chmodSync(directory, 0o700);
  rmSync(directory, { recursive: true, force: true });
});

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

/** What is on disk, per partition. */
async function stored(): Promise<ReadonlyMap<number, number>> {
  const state = await RelayState.open({ directory });
  const [group] = await state.groups('shop').load();
  await state.close();
  return new Map(group?.checkpoints.map(({ partition, scn }) => [partition, scn]));
}

/** Checkpoints may be ahead of what was heard of the process: its last words may be lost with it. Never behind. */
function expectNothingLost(onDisk: ReadonlyMap<number, number>, acknowledged: ReadonlyMap<number, number>): void {
  for (const [partition, scn] of acknowledged) {
    const found = onDisk.get(partition) ?? -1;
    expect(found, `partition ${partition}: acknowledged ${scn}, on disk ${found}`).toBeGreaterThanOrEqual(scn);
  }
}

test('every checkpoint that was acknowledged is there after the process was killed in the middle of commits', async () => {
  for (let kill = 0; kill < 8; kill++) {
    const child = startCommitting(directory);
    await child.whenAcknowledged(1 + ((kill * 397) % 700));
    child.process.kill('SIGKILL');
    await child.ended;
    // No lock is left behind: it opens at once.
    expectNothingLost(await stored(), child.acknowledged);
  }
});

test('a transaction that was killed before its end leaves no trace of it, and everything acknowledged before', async () => {
  for (const at of [2, 20, 40]) {
    const child = startCommitting(directory, `checkpoint-write:kill@${at}`);
    await child.ended;
    expect(child.process.signalCode).toBe('SIGKILL');
    const onDisk = await stored();
    expectNothingLost(onDisk, child.acknowledged);
    // The making of the group passes the place once; the second time it is the first checkpoints that are being stored.
    expect(Math.max(...onDisk.values()) > 0).toBe(at > 2);
    rmSync(join(directory, 'state.db'));
    rmSync(join(directory, 'state.db-wal'), { force: true });
  }
});

test('a directory is one relay’s at a time: another process and another relay of the same process are refused and told by whom', async () => {
  const child = startCommitting(directory);
  await child.whenAcknowledged(1);
  const startedMs = performance.now();
  await expect(RelayState.open({ directory })).rejects.toThrow(`${directory}: process ${child.process.pid},`);
  expect(performance.now() - startedMs).toBeLessThan(5000);
  expect(openElsewhere(directory)).toBe('DIRECTORY_IN_USE');
  child.process.kill('SIGKILL');
  await child.ended;

  const state = await RelayState.open({ directory });
  await expect(RelayState.open({ directory })).rejects.toThrow(code('DIRECTORY_IN_USE'));
  const other = `${directory}-link`;
  symlinkSync(directory, other);
  await expect(RelayState.open({ directory: other })).rejects.toThrow(code('DIRECTORY_IN_USE'));
  rmSync(other);
  expect(openElsewhere(directory)).toBe('DIRECTORY_IN_USE');
  // The refused ones did not take the lock with them when they went.
  expect(openElsewhere(directory)).toBe('DIRECTORY_IN_USE');
  await state.close();
  expect(openElsewhere(directory)).toBe('opened');
});

test('a lock file that a crash has left refuses nobody', async () => {
  writeFileSync(join(directory, 'relay.lock'), '{"pid":1,"started":"2026-01-01T00:00:00.000Z"}\n');
  const state = await RelayState.open({ directory });
  await state.close();
  expect(existsSync(join(directory, 'relay.lock'))).toBe(false);
});

test('a directory in which nothing may be written is refused with the path', async () => {
  if (process.getuid?.() === 0) {
    // root may write everywhere, so that somebody else must try.
    chmodSync(directory, 0o555);
    expect(openElsewhere(directory, { uid: NOBODY })).toBe('DIRECTORY_UNUSABLE');
    // And a file of which it may only read.
    chmodSync(directory, 0o755);
    await (await RelayState.open({ directory })).close();
    chmodSync(directory, 0o555);
    expect(openElsewhere(directory, { uid: NOBODY })).toBe('DIRECTORY_UNUSABLE');
    chmodSync(directory, 0o700);
    chownSync(directory, NOBODY, NOBODY);
    chownSync(join(directory, 'state.db'), NOBODY, NOBODY);
    expect(openElsewhere(directory, { uid: NOBODY })).toBe('opened');
  } else {
    chmodSync(directory, 0o555);
    expect(openElsewhere(directory)).toBe('DIRECTORY_UNUSABLE');
  }
  await expect(RelayState.open({ directory: join(directory, 'none') })).rejects.toThrow(code('DIRECTORY_UNUSABLE'));
});

test('a state that was cut off, overwritten, or is the file of something else is refused and not touched', async () => {
  const path = join(directory, 'state.db');
  const child = startCommitting(directory);
  await child.whenAcknowledged(10);
  child.process.kill('SIGTERM');
  await child.ended;
  await stored();
  const good = join(directory, 'good');
  copyFileSync(path, good);
  const { size } = statSync(good);

  const damages: Readonly<Record<string, () => void>> = {
    'cut off': () => truncateSync(path, Math.floor(size / 2) + 1000),
    'overwritten in the middle': () => {
      const bytes = readFileSync(good);
      bytes.fill(0xa5, 4096, 4096 + 600);
      writeFileSync(path, bytes);
    },
    'no database': () => writeFileSync(path, 'a text of some length, which is no database at all\n'.repeat(100)),
    'of something else': () => {
      rmSync(path);
      const database = new DatabaseSync(path);
      database.exec('CREATE TABLE other (x)');
      database.close();
    },
  };
  const refused: string[] = [];
  const untouched: string[] = [];
  for (const [name, damage] of Object.entries(damages)) {
    copyFileSync(good, path);
    damage();
    const before = readFileSync(path);
    const error: unknown = await RelayState.open({ directory }).catch((thrown: unknown) => thrown);
    if (isTidingsError(error) && error.code === 'STATE_DAMAGED') refused.push(name);
    if (readFileSync(path).equals(before)) untouched.push(name);
  }
  expect(refused).toEqual(Object.keys(damages));
  expect(untouched).toEqual(Object.keys(damages));
  copyFileSync(good, path);
  expect((await stored()).size).toBe(8);
});

test('a state of a newer version is refused, and an empty file is a new state', async () => {
  await (await RelayState.open({ directory })).close();
  const database = new DatabaseSync(join(directory, 'state.db'));
  database.exec('PRAGMA user_version = 999');
  database.close();
  await expect(RelayState.open({ directory })).rejects.toThrow(code('STATE_NEWER'));

  const empty = join(directory, 'empty');
  mkdirSync(empty);
  writeFileSync(join(empty, 'state.db'), '');
  const state = await RelayState.open({ directory: empty });
  expect(await state.groups('shop').load()).toEqual([]);
  await state.close();
});

test('where no more can be written a commit is refused and not acknowledged, and it works again when it can', async () => {
  const { acknowledged, code: refused, retry, held } = commitUntilRefused(directory);
  expect(refused).toBe('DISK_ERROR');
  expect(retry).toBe('backoff');
  expect(Math.min(...acknowledged)).toBeGreaterThan(1);
  expect(held).toEqual(acknowledged);
  const onDisk = await stored();
  expectNothingLost(onDisk, new Map(acknowledged.entries()));
  // What was refused may turn out to have been written; nothing else may.
  for (const [partition, scn] of acknowledged.entries()) expect(onDisk.get(partition)).toBeLessThanOrEqual(scn + 1);
  const state = await RelayState.open({ directory });
  await state.groups('shop').saveCheckpoints('g', [{ partition: 0, scn: 1e6, committedMs: 1, epoch: 1 }]);
  await state.close();
  expect((await stored()).get(0)).toBe(1e6);
});
