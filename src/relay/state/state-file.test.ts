import { mkdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TemporaryDirectory } from '../../../test/support/relay/temporary-directory.ts';
import { silentLogger } from '../../core/logger.ts';
import { Relay } from '../relay.ts';

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
