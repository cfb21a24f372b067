import { expect, test } from 'vitest';
import type { StreamEntry } from '../../../src/core/consumer.ts';
import { table } from '../changes.ts';
import { judgeMembers, type MemberLine } from './moving-members.ts';
import { MovingReader } from './moving-reader.ts';
import type { MovingTruth } from './moving-rows.ts';

// Whoever judges must be able to condemn: each kind of fault, made on purpose.

type Row = { readonly id: number; readonly serial: number; readonly version: number };

const TRUTH: MovingTruth = { items: new Map([['1', '10 v2']]) };

function change(scn: number, kind: 'insert' | 'update' | 'delete' | 'upsert', rows: readonly Row[]): StreamEntry {
  const before = kind === 'insert' || kind === 'upsert' ? null : (rows[0] ?? null);
  const after = kind === 'delete' ? null : (rows.at(-1) ?? null);
  const snapshot = kind === 'upsert' ? { snapshot: true as const } : {};
  const items = table('moving.items', []);
  return { kind, table: items, scn, key: null, before, after, statement: null, committedAtUs: 0, ...snapshot };
}

const v1 = { id: 1, serial: 10, version: 1 };
const v2 = { id: 1, serial: 10, version: 2 };

test.each([
  ['nothing', [change(1, 'upsert', [v1]), change(2, 'update', [v1, v2])], 0, 0],
  ['an older row after a newer one', [change(1, 'update', [v1, v2]), change(2, 'upsert', [v1])], 1, 1],
  ['a row after it was deleted', [change(1, 'delete', [v1]), change(2, 'upsert', [v2])], 1, 0],
  ['a row that is missing', [change(1, 'upsert', [{ ...v2, id: 5 }]), change(2, 'delete', [{ ...v2, id: 5 }])], 0, 1],
  ['a row too many', [change(1, 'upsert', [v2]), change(2, 'insert', [{ id: 6, serial: 11, version: 3 }])], 0, 1],
  ['a row of a snapshot that does not say so', [{ ...change(1, 'upsert', [v2]), snapshot: undefined }], 1, 0],
] as const)('a reader of the whole stream sees %s', (_, entries, wrong, differences) => {
  const reader = new MovingReader();
  for (const entry of entries) reader.take(entry as StreamEntry);
  expect(reader.wrong).toHaveLength(wrong);
  expect(reader.differences(TRUTH)).toHaveLength(differences);
});

function dealt(at: number, scn: number, batch: string, row: string | null): MemberLine {
  const version = Number(row?.split(' v')[1] ?? Number.NaN);
  return { at: String(at), batch, scn, partition: 3, table: 'items', key: '1', row, version, snapshot: false };
}

function committed(at: number, batch: string, fenced: readonly number[] = []): MemberLine {
  return { at: String(at), committed: batch, fenced };
}

test.each([
  ['nothing', [[dealt(1, 1, 'a', '10 v1'), dealt(3, 2, 'b', '10 v2')]], 0, 0],
  [
    'nothing, when what was not committed comes again',
    [[dealt(1, 1, 'a', '10 v2')], [dealt(2, 1, 'b', '10 v2')]],
    0,
    0,
  ],
  [
    'what was committed and comes again',
    [[dealt(1, 1, 'a', '10 v2'), committed(2, 'a')], [dealt(3, 1, 'b', '10 v2')]],
    1,
    0,
  ],
  [
    'nothing, when it was fenced',
    [[dealt(1, 1, 'a', '10 v2'), committed(2, 'a', [3])], [dealt(3, 1, 'b', '10 v2')]],
    0,
    0,
  ],
  ['an older change after a newer one', [[dealt(1, 2, 'a', '10 v2')], [dealt(2, 1, 'b', '10 v1')]], 2, 1],
  ['an older row after a newer one', [[dealt(1, 1, 'a', '10 v3'), dealt(2, 2, 'a', '10 v2')]], 1, 0],
  ['a row that is missing', [[dealt(1, 1, 'a', '10 v2'), dealt(2, 2, 'a', null)]], 0, 1],
] as const)('the judge of a group’s members sees %s', (_, journals, wrong, differences) => {
  const verdict = judgeMembers(journals, TRUTH);
  expect(verdict.wrong).toHaveLength(wrong);
  expect(verdict.differences).toHaveLength(differences);
});
