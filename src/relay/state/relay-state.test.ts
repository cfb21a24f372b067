import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../core/logger.ts';
import type { StoredCheckpoint } from '../groups/group-store.ts';
import { loadGroups } from '../groups/load-groups.ts';
import { RelayState } from './relay-state.ts';

let directory: string;
let state: RelayState;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tidings-state-'));
  state = await RelayState.open({ directory });
});

afterEach(async () => {
  await state.close();
  rmSync(directory, { recursive: true, force: true });
});

async function reopen(failpoints = ''): Promise<void> {
  await state.close();
  state = await RelayState.open({ directory, failpoints });
}

const NEW = { group: 'g', partitions: 2, scn: 100, epochLimit: 3, createdMs: 1 };
const code = (expected: string): unknown => expect.objectContaining({ code: expected });

function checkpoint(partition: number, scn: number): StoredCheckpoint {
  return { partition, scn, committedMs: 1_700_000_000_123, epoch: 4 };
}

test('what was stored of groups is there after a restart, SCNs up to the highest safe integer', async () => {
  const groups = state.groups('shop');
  await groups.create(NEW);
  await groups.saveCheckpoints('g', [checkpoint(1, Number.MAX_SAFE_INTEGER)]);
  await groups.raiseEpochLimit('g', 1003);
  await groups.setPaused('g', true);
  await state.groups('crm').create({ ...NEW, group: 'other' });
  await reopen();
  expect(await state.groups('shop').load()).toEqual([
    {
      group: 'g',
      paused: true,
      epochLimit: 1003,
      checkpoints: [{ partition: 0, scn: 100, committedMs: null, epoch: 0 }, checkpoint(1, Number.MAX_SAFE_INTEGER)],
    },
  ]);
  await state.groups('shop').remove('g');
  expect(await state.groups('shop').load()).toEqual([]);
  expect((await state.groups('crm').load()).map(({ group }) => group)).toEqual(['other']);
});

test('a stream stays paused over a restart, and one that was told nothing is not', async () => {
  await state.setStreamPaused('shop', true);
  await reopen();
  expect(await state.isStreamPaused('shop')).toBe(true);
  expect(await state.isStreamPaused('crm')).toBe(false);
  await state.setStreamPaused('shop', false);
  expect(await state.isStreamPaused('shop')).toBe(false);
});

test('of what is asked for at the same time, one that cannot be done does not stop the others', async () => {
  const groups = state.groups('shop');
  await groups.create(NEW);
  const [saved, unknown, twice, missing, later] = await Promise.allSettled([
    groups.saveCheckpoints('g', [checkpoint(0, 200)]),
    groups.saveCheckpoints('nobody', [checkpoint(0, 200)]),
    groups.create(NEW),
    groups.saveCheckpoints('g', [checkpoint(0, 900), checkpoint(7, 900)]),
    groups.saveCheckpoints('g', [checkpoint(1, 300)]),
  ]);
  expect(saved.status).toBe('fulfilled');
  expect(unknown).toMatchObject({ status: 'rejected', reason: code('GROUP_UNKNOWN') });
  expect(twice.status).toBe('rejected');
  expect(missing.status).toBe('rejected');
  expect(later.status).toBe('fulfilled');
  const [group] = await groups.load();
  expect(group?.checkpoints.map(({ scn }) => scn)).toEqual([200, 300]);
});

test('what fails inside the transaction is refused and not stored', async () => {
  await state.groups('shop').create(NEW);
  await reopen('checkpoint-write:throw@1');
  await expect(state.groups('shop').saveCheckpoints('g', [checkpoint(0, 200)])).rejects.toThrow('checkpoint-write');
  expect((await state.groups('shop').load())[0]?.checkpoints[0]?.scn).toBe(100);
  await state.groups('shop').saveCheckpoints('g', [checkpoint(0, 200)]);
  expect((await state.groups('shop').load())[0]?.checkpoints[0]?.scn).toBe(200);
});

test('what was asked for before closing is done, what comes after it is refused', async () => {
  const groups = state.groups('shop');
  const creating = groups.create(NEW);
  const closing = state.close();
  await expect(groups.load()).rejects.toThrow(code('RELAY_CLOSING'));
  await creating;
  await closing;
  await reopen();
  expect(await state.groups('shop').load()).toHaveLength(1);
});

test('failpoints that cannot be read are refused', async () => {
  await state.close();
  await expect(RelayState.open({ directory, failpoints: 'nowhere:kill' })).rejects.toThrow(code('CONFIG_INVALID'));
});

test('a group whose stream has another number of partitions than before begins again at its lowest checkpoint', async () => {
  const groups = state.groups('shop');
  await groups.create(NEW);
  await groups.saveCheckpoints('g', [checkpoint(0, 500), checkpoint(1, 300)]);
  const [fitted] = await loadGroups(groups, { partitions: 3, log: silentLogger });
  expect(fitted?.checkpoints.map(({ partition, scn }) => [partition, scn])).toEqual([
    [0, 300],
    [1, 300],
    [2, 300],
  ]);
  expect(await groups.load()).toEqual([fitted]);
});

test('a stream has had rows of the tables that were noted, once each, also after a restart', async () => {
  const [orders, lines] = [
    { database: 'shop', name: 'orders' },
    { database: 'shop', name: 'lines' },
  ];
  await state.tables('shop').add([orders]);
  await state.tables('shop').add([orders, lines]);
  await state.tables('crm').add([{ database: 'crm', name: 'orders' }]);
  await reopen();
  expect(await state.tables('shop').load()).toEqual([lines, orders]);
});
