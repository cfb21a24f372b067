import { mkdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { TemporaryDirectory } from '../../../test/support/relay/temporary-directory.ts';
import { silentLogger } from '../../core/logger.ts';
import { isTidingsError } from '../../core/errors.ts';
import { Relay } from '../relay.ts';
import { RelayState } from './relay-state.ts';

async function open(directory: string, warnings: string[]): Promise<void> {
  const log = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) };
  const relay = await Relay.open({ directory, streams: {}, log });
  await relay.close();
}

test('a state that was emptied beside logs is damaged, and one that is gone is not made anew without a word', async () => {
  using directory = new TemporaryDirectory();
  const warnings: string[] = [];
  await open(directory.path, warnings);
  // What a relay leaves that was killed while it made its directory.
  const state = directory.in('state.db');
  writeFileSync(state, '');
  await open(directory.path, warnings);
  expect(warnings).toEqual([]);

  mkdirSync(join(directory.in('streams'), 'shop'));
  writeFileSync(state, '');
  await expect(open(directory.path, warnings)).rejects.toMatchObject({
    code: 'STATE_DAMAGED',
    message: expect.stringContaining(state) as string,
  });
  expect(statSync(state).size).toBe(0);
  unlinkSync(state);
  await open(directory.path, warnings);
  expect(warnings).toEqual([expect.stringContaining('no state.db')]);
  await open(directory.path, warnings);
  expect(warnings).toHaveLength(1);
});

test.each([
  ['the name of a column', 'row_count INTEGER', 'sow_count INTEGER'],
  ['a key that is there twice', 'ba', 'ab'],
  ['a checkpoint whose group is another one', 'cc', 'cd'],
])('a state with %s changed is damaged, and not only when it is asked', async (_, found, written) => {
  using directory = new TemporaryDirectory();
  const state = await RelayState.open({ directory: directory.path });
  for (const group of ['ab', 'ba', 'cc']) {
    await state.groups('shop').create({ group, partitions: 2, scn: 100, epochLimit: 3, createdMs: 1 });
  }
  await state.close();
  const path = directory.in('state.db');
  const bytes = readFileSync(path);
  const at = bytes.lastIndexOf(found);
  expect(at).toBeGreaterThan(0);
  bytes.write(written, at, 'latin1');
  writeFileSync(path, bytes);
  const opened = await RelayState.open({ directory: directory.path }).catch((error: unknown) => error);
  if (!isTidingsError(opened)) throw opened;
  expect(opened.code).toBe('STATE_DAMAGED');
});

test('a state that somebody had SQLite analyze is as good as before', async () => {
  using directory = new TemporaryDirectory();
  const state = await RelayState.open({ directory: directory.path });
  await state.groups('shop').create({ group: 'ab', partitions: 2, scn: 100, epochLimit: 3, createdMs: 1 });
  await state.close();
  const database = new DatabaseSync(directory.in('state.db'));
  database.exec('ANALYZE');
  expect(database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").get()).toBeDefined();
  database.close();
  const again = await RelayState.open({ directory: directory.path });
  await again.close();
});
