import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { contentsOf, LogWriter } from '../support/log-writer/log-writer.ts';
import { scriptedItems } from '../support/log-writer/script.ts';
import { SeededRandom, seedOfRun } from '../support/random.ts';

const COUNT = 300;
const KILLS = process.env['TIDINGS_SOAK'] === '1' ? 200 : 5;
const seed = seedOfRun('log-crash');

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidings-log-crash-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Whatever was told to be durable is there, whole transactions only, each once and in order. */
async function check(durable: number): Promise<number> {
  const { items, position } = await contentsOf(directory);
  expect(position).toBeGreaterThanOrEqual(durable);
  expect(items).toEqual(scriptedItems(position));
  return position;
}

async function finish(): Promise<void> {
  await using writer = new LogWriter(directory, { upTo: COUNT });
  expect({ ...(await writer.exit()), errors: writer.errors }).toEqual({ code: 0, signal: null, errors: '' });
  expect((await contentsOf(directory)).items).toEqual(scriptedItems(COUNT));
}

test.each([
  ['append', 1],
  ['append', 9],
  ['append', 40],
  ['before-fsync', 1],
  ['before-fsync', 17],
  ['after-fsync', 1],
  ['after-fsync', 23],
  ['segment-roll', 1],
  ['segment-roll', 3],
  ['index-write', 1],
  ['index-write', 2],
])('killed at %s, passing %i, the log has all that was durable and goes on exactly', async (name, passing) => {
  await using writer = new LogWriter(directory, { upTo: COUNT, failpoints: `${name}:kill@${passing}` });
  expect(await writer.exit()).toEqual({ code: null, signal: 'SIGKILL' });
  await check(writer.durable);
  await finish();
});

test.each(['none', 'zstd'] as const)(
  'killed at random moments, with compression %s, it loses nothing that was durable and repeats nothing',
  async (compression) => {
    const random = new SeededRandom(seed);
    let begun = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      await using writer = new LogWriter(directory, { upTo: 1e6, compression });
      const enough = begun + 1 + random.below(200);
      await writer.until(({ durable }) => durable >= enough);
      writer.kill();
      await writer.exit();
      begun = await check(writer.durable);
    }
  },
  600_000,
);

test('an error that is no full disk ends the log for good: nothing is told to be durable after it', async () => {
  await using writer = new LogWriter(directory, { upTo: COUNT, failpoints: 'before-fsync:throw@5' });
  const { code } = await writer.exit();
  expect(code).not.toBe(0);
  expect(writer.errors).toContain('LOG_WRITE_FAILED');
  expect(writer.lines).toContain('stalled disk-error');
  await check(writer.durable);
  await finish();
});
