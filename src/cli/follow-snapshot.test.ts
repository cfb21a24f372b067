import { describe, expect, test } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { TidingsError } from '../core/errors.ts';
import { type FollowSnapshotOptions, followSnapshot, snapshotExit } from './follow-snapshot.ts';
import type { SnapshotDetails } from './relay-snapshots.ts';
import { progressBar } from './snapshot-report.ts';

const RUNNING: SnapshotDetails = {
  id: 3,
  state: 'running',
  reason: 'request',
  patterns: null,
  where: null,
  keyCount: null,
  group: null,
  truncate: false,
  created: '2026-11-20T09:14:34.123Z',
  ended: null,
  error: null,
  rows: 1_250_000,
  estimate: 5_000_000,
  percent: 25,
  rowsPerSecond: 49_870,
  secondsLeft: 76,
  waitsFor: null,
  waitsBecause: null,
  tableCount: 1,
  tablesLeft: 1,
  tables: [{ database: 'shop', table: 'orders', state: 'reading', rows: 0, estimate: 0, error: null }],
};
const DONE: SnapshotDetails = { ...RUNNING, state: 'done', percent: 100 };

/** Time passes as it is slept. */
class SleptClock implements Clock {
  #nowMs = 0;
  nowMs(): number {
    return this.#nowMs;
  }
  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#nowMs += delayMs;
  }
}

async function follow(
  looks: readonly (SnapshotDetails | Error)[],
  { columns = null, ...given }: Partial<FollowSnapshotOptions> & { readonly columns?: number | null } = {},
): Promise<{ result: SnapshotDetails | null; written: string[]; looked: number }> {
  const written: string[] = [];
  let looked = 0;
  const look = async (): Promise<SnapshotDetails> => {
    const next = looks[Math.min(looked++, looks.length - 1)];
    if (next instanceof Error) throw next;
    if (next === undefined) throw new Error('there is nothing to look at');
    return next;
  };
  const result = await followSnapshot({
    look,
    progress: { columns, write: (text) => void written.push(text) },
    clock: new SleptClock(),
    stop: new AbortController().signal,
    ...given,
  });
  return { result, written, looked };
}

test('on a terminal one line is rewritten, and nothing of it is left', async () => {
  const { result, written } = await follow([RUNNING, { ...RUNNING, percent: 50 }, DONE], { columns: 60 });
  expect(result).toBe(DONE);
  expect(written).toEqual([
    '\r\u001b[K[######..................]  25.0 %  1 250 000 rows, 49 870…',
    '\r\u001b[K[############............]  50.0 %  1 250 000 rows, 49 870…',
    '\r\u001b[K',
  ]);
});

test('elsewhere a line is written every five seconds, however often the relay is asked', async () => {
  const { written, looked } = await follow([...Array.from({ length: 11 }, () => RUNNING), DONE]);
  expect(looked).toBe(12);
  const line = 'snapshot 3: 25.0 %, 1 250 000 rows, 49 870 rows/s, 76 s left, shop.orders\n';
  expect(written).toEqual([line, line, line]);
});

test('a relay that is away for a while is waited for', async () => {
  const away = new TidingsError('CONNECTION_FAILED', 'the relay at http://h cannot be reached');
  const { result, written } = await follow([away, away, RUNNING, DONE], { columns: 100 });
  expect(result).toBe(DONE);
  expect(written[0]).toBe('\r\u001b[Kwaiting for the relay: the relay at http://h cannot be reached');
  expect(written.at(-1)).toBe('\r\u001b[K');
});

test('what waiting does not cure ends it, with the line gone', async () => {
  const gone = new TidingsError('SNAPSHOT_UNKNOWN', 'no snapshot 3');
  const written: string[] = [];
  const following = follow([RUNNING, gone], {
    progress: { columns: 80, write: (text) => void written.push(text) },
  });
  await expect(following).rejects.toBe(gone);
  expect(written.at(-1)).toBe('\r\u001b[K');
});

test('told to stop it ends without a result', async () => {
  const stop = new AbortController();
  const progress = { columns: null, write: () => stop.abort() };
  expect((await follow([RUNNING], { stop: stop.signal, progress })).result).toBeNull();
  const before = AbortSignal.abort();
  expect(await follow([RUNNING], { stop: before })).toMatchObject({ result: null, looked: 0 });
});

test('a paused one is not over', async () => {
  const { result, written } = await follow([{ ...RUNNING, state: 'paused', rowsPerSecond: null }, DONE]);
  expect(result).toBe(DONE);
  expect(written).toEqual(['snapshot 3: 25.0 %, 1 250 000 rows, 76 s left, paused, shop.orders\n']);
});

test.each([
  ['done', 0],
  ['failed', 1],
  ['cancelled', 1],
  ['a state of a newer relay', 1],
])('a snapshot that ends as %s gives the exit code %d', async (state, code) => {
  const { result } = await follow([{ ...RUNNING, state }]);
  expect(result === null ? null : snapshotExit(result)).toBe(code);
});

describe('the bar', () => {
  const bar = (given: Partial<SnapshotDetails>): string => progressBar({ ...RUNNING, ...given }, 200);

  test.each([
    [null, '[........................]       -  '],
    [0, '[........................]   0.0 %  '],
    [99.9, '[#######################.]  99.9 %  '],
    [100, '[########################]   100 %  '],
    [250, '[########################] 250.0 %  '],
    [-5, '[........................]  -5.0 %  '],
  ])('is as full as %s percent', (percent, expected) => {
    expect(bar({ percent }).slice(0, expected.length)).toBe(expected);
  });

  test('says why nothing is read, and what is being read', () => {
    expect(bar({ waitsFor: 'threads', rowsPerSecond: null, secondsLeft: null })).toContain(
      '1 250 000 rows, waits: busy server, shop.orders',
    );
    // Keeping to its rate is no waiting.
    expect(bar({ waitsFor: 'rate' })).toBe(bar({}));
    expect(bar({ rows: 1, waitsFor: 'something new' })).toContain(
      '1 row, 49 870 rows/s, 76 s left, waits: something new',
    );
  });

  test('never has more columns than the terminal, and escapes what a name holds', () => {
    const tables = [{ ...RUNNING.tables[0], table: 'x\u001b[2J\r\n' }] as SnapshotDetails['tables'];
    expect(bar({ tables })).toContain('shop.x\\u{1b}[2J\\r\\n');
    for (let width = 1; width < 100; width++) {
      expect(progressBar({ ...RUNNING, tables }, width).length).toBeLessThanOrEqual(width);
    }
  });
});
