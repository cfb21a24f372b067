import { expect, test } from 'vitest';
import type { Journal, JournalChange } from './journal.ts';
import { judge, type TrueChange } from './oracle.ts';

// Whoever judges must be able to condemn: each kind of fault, made on purpose.

const TRUTH: readonly TrueChange[] = [1, 2, 3].map((state) => ({ scn: 100 + state, partition: 4, id: 7, state }));

function seen(state: number, atNs: number, batch: string): JournalChange {
  return { atNs: BigInt(atNs), scn: 100 + state, partition: 4, id: 7, state, batch };
}

function journal(changes: readonly JournalChange[], committed: Readonly<Record<string, number>> = {}): Journal {
  const committedNs = new Map(Object.entries(committed).map(([batch, ns]) => [batch, BigInt(ns)]));
  return { changes, committedNs, starts: 1 };
}

function checkpointAt(atNs: number, scn: number): { atNs: bigint; checkpoints: ReadonlyMap<number, number> } {
  return { atNs: BigInt(atNs), checkpoints: new Map([[4, scn]]) };
}

test('a run in which each change came once, in order, and the checkpoint followed is found right', () => {
  const run = [journal([seen(1, 10, 'a'), seen(2, 20, 'a'), seen(3, 30, 'b')], { a: 25, b: 35 })];
  expect(judge(run, TRUTH, [checkpointAt(26, 102), checkpointAt(40, 103)])).toEqual({
    problems: [],
    changes: 3,
    duplicates: 0,
  });
});

test('a batch that was never acknowledged may come again, in another process too', () => {
  const run = [
    journal([seen(1, 10, 'a'), seen(2, 20, 'a')]),
    journal([seen(1, 30, 'b'), seen(2, 40, 'b'), seen(3, 50, 'b')]),
  ];
  expect(judge(run, TRUTH, [])).toEqual({ problems: [], changes: 3, duplicates: 2 });
});

test('a change that comes again although its batch was acknowledged is a problem', () => {
  const run = [journal([seen(1, 10, 'a'), seen(2, 20, 'a'), seen(3, 30, 'b'), seen(2, 40, 'c')], { a: 25 })];
  expect(judge(run, TRUTH, []).problems).toEqual([expect.stringContaining('batch a had been acknowledged')]);
});

test('a skipped state is a problem, also when it comes later', () => {
  const run = [journal([seen(1, 10, 'a'), seen(3, 20, 'a'), seen(2, 30, 'a')])];
  expect(judge(run, TRUTH, []).problems).toEqual([
    expect.stringContaining('from state 1 to 3'),
    expect.stringContaining('from state 3 to 2'),
  ]);
});

test('a checkpoint that is ahead of what was dealt with by then is a problem', () => {
  const run = [journal([seen(1, 10, 'a'), seen(2, 20, 'a'), seen(3, 30, 'a')])];
  expect(judge(run, TRUTH, [checkpointAt(25, 103)]).problems).toEqual([expect.stringContaining('ahead of SCN 103')]);
});

test('a change that never came is a problem', () => {
  const run = [journal([seen(1, 10, 'a'), seen(2, 20, 'a')])];
  expect(judge(run, TRUTH, []).problems).toEqual([expect.stringContaining('SCN 103 (id 7, state 3) never came')]);
});
