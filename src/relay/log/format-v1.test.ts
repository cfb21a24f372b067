import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { batchesOf, LogHarness, openLog, readItems, temporaryDirectory } from '../../../test/support/log-harness.ts';
import { silentLogger } from '../../core/logger.ts';
import { ManualClock } from '../../testing/manual-clock.ts';

/** Committed files of format version 1. Never written again: with TIDINGS_WRITE_FIXTURE=1 they were, when the version was made. */
const FIXTURE = resolve(import.meta.dirname, '../../../test/fixtures/log/v1');
const EXPECTED = join(FIXTURE, 'expected.json');

interface Expected {
  readonly items: readonly string[];
  readonly position: string;
  readonly last: number;
  readonly tables: readonly string[];
}

async function writeFixture(): Promise<void> {
  const directory = temporaryDirectory();
  const harness = await LogHarness.open({ directory, options: { segmentBytes: 2000 } });
  await harness.append(
    { type: 'rows', table: 0, kind: 'insert', texts: [5, 0, 300] },
    { type: 'rows', table: 0, kind: 'update', texts: [7] },
    { type: 'rows', table: 1, kind: 'delete', texts: [1, 2] },
  );
  await harness.append({ type: 'schema', table: 1 }, { type: 'truncate', table: 2 });
  await harness.log.flush();
  // A transaction of three batches.
  for (const [begins, ends] of [
    [true, false],
    [false, false],
    [false, true],
  ] as const) {
    await harness.hand([harness.part([{ type: 'rows', table: 2, kind: 'insert', texts: [60, 70] }], { begins, ends })]);
    await harness.log.flush();
  }
  await harness.idle();
  await harness.log.close();
  const compressed = {
    clock: harness.clock,
    logger: silentLogger,
    options: { segmentBytes: 2000, compression: 'zstd' },
  } as const;
  harness.log = await openLog(directory, compressed);
  await harness.append({ type: 'rows', table: 0, kind: 'insert', texts: Array.from({ length: 30 }, (_, i) => i) });
  const { items, log } = harness;
  await log.flush();
  const { last } = log.visible;
  const tables = log.tables().map(({ name }) => name);
  const expected: Expected = { items, position: log.position ?? '', last, tables };
  await log.close();
  rmSync(FIXTURE, { recursive: true, force: true });
  mkdirSync(FIXTURE, { recursive: true });
  cpSync(directory, FIXTURE, { recursive: true });
  rmSync(directory, { recursive: true });
  writeFileSync(EXPECTED, `${JSON.stringify(expected, null, 2)}\n`);
}

let directory = '';
beforeEach(async () => {
  if (process.env['TIDINGS_WRITE_FIXTURE'] === '1') await writeFixture();
  directory = temporaryDirectory();
  cpSync(FIXTURE, directory, { recursive: true });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('a log of format version 1 opens, reads and goes on', async () => {
  const expected = JSON.parse(readFileSync(EXPECTED, 'utf8')) as Expected;
  const opening = { clock: new ManualClock(), options: {}, logger: silentLogger };
  const log = await openLog(directory, opening);
  const { after } = log.visible;
  expect({
    items: await readItems(log, log.openReader(after), after),
    position: log.position,
    last: log.visible.last,
    tables: log.tables().map(({ name }) => name),
  }).toEqual(expected);
  await log.close();
  await using harness = await LogHarness.open({ directory });
  await harness.insert();
  await harness.log.flush();
  expect(harness.log.visible.last).toBe(expected.last + 1);
});

test('what is written today has the bytes of format version 1', async () => {
  const { createdMs, formatVersion } = JSON.parse(readFileSync(join(FIXTURE, 'stream.json'), 'utf8')) as {
    createdMs: number;
    formatVersion: number;
  };
  expect({ createdMs, formatVersion }).toEqual({ createdMs: 1_700_000_000_000, formatVersion: 1 });
  await using harness = await LogHarness.open({ options: { segmentBytes: 2000 } });
  await harness.append(
    { type: 'rows', table: 0, kind: 'insert', texts: [5, 0, 300] },
    { type: 'rows', table: 0, kind: 'update', texts: [7] },
    { type: 'rows', table: 1, kind: 'delete', texts: [1, 2] },
  );
  await harness.append({ type: 'schema', table: 1 }, { type: 'truncate', table: 2 });
  await harness.log.flush();
  const [first] = harness.segments();
  const written = batchesOf(join(harness.directory, first?.name ?? ''));
  const fixture = readFileSync(join(FIXTURE, first?.name ?? '')).subarray(0, written.length);
  expect(written.equals(fixture)).toBe(true);
});
