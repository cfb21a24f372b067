import { expect, test } from 'vitest';
import { GroupState } from './group-state.ts';

const SESSION_MS = 10_000;

function groupOf(partitions: number): GroupState {
  const group = new GroupState({ checkpoints: Array<number>(partitions).fill(100), epoch: 7, paused: false });
  group.reserveEpochs(1000);
  return group;
}

function join(group: GroupState, name: string, now = 0): void {
  group.join(name, SESSION_MS, now);
  group.settle(now);
}

/** What the member has and keeps. */
function has(group: GroupState, name: string): readonly number[] {
  return group.assignmentOf(name)?.partitions.map(({ partition }) => partition) ?? [];
}

function revoking(group: GroupState, name: string): readonly number[] {
  return group.assignmentOf(name)?.revoking ?? [];
}

function release(group: GroupState, name: string, now = 0): void {
  expect(group.heartbeat(name, { epoch: group.epoch, released: revoking(group, name) }, now)).toBe(true);
  group.settle(now);
}

/** What of `partitions` the member may not commit. */
function fenced(
  group: GroupState,
  name: string,
  { epoch, partitions, scn = 200 }: { epoch: number; partitions: readonly number[]; scn?: number },
): readonly number[] | 'member-unknown' {
  const verdict = group.commit(name, { epoch, checkpoints: [{ partitions, scn }] }, 0);
  return verdict === 'member-unknown' ? verdict : verdict.fenced;
}

test('the first member gets all partitions, each with its checkpoint', () => {
  const group = groupOf(4);
  join(group, 'a');
  expect(group.assignmentOf('a')).toEqual({
    epoch: 9,
    partitions: [0, 1, 2, 3].map((partition) => ({ partition, checkpoint: 100, epoch: 9 })),
    revoking: [],
    paused: false,
  });
});

test('a second member gets its half only when the first has let go of it, under a new epoch and with what was committed meanwhile', () => {
  const group = groupOf(4);
  join(group, 'a');
  join(group, 'b');
  expect(has(group, 'a')).toHaveLength(2);
  expect(has(group, 'b')).toEqual([]);
  const moving = revoking(group, 'a');
  expect(moving).toHaveLength(2);

  expect(fenced(group, 'a', { epoch: group.epoch, partitions: moving, scn: 150 })).toEqual([]);
  const before = group.epoch;
  release(group, 'a');
  expect(revoking(group, 'a')).toEqual([]);
  expect(group.assignmentOf('b')?.partitions).toEqual(
    moving.map((partition) => ({ partition, checkpoint: 150, epoch: before + 1 })),
  );
  expect(fenced(group, 'a', { epoch: group.epoch, partitions: moving })).toEqual(moving);
  expect(fenced(group, 'b', { epoch: group.epoch, partitions: moving })).toEqual([]);
});

test('a member that does not release in time loses the partitions, and stays with the rest', () => {
  const group = groupOf(4);
  join(group, 'a');
  join(group, 'b');
  const moving = revoking(group, 'a');
  for (const name of ['a', 'b']) group.heartbeat(name, { epoch: group.epoch, released: [] }, SESSION_MS - 1);
  group.expire(SESSION_MS - 1);
  expect(revoking(group, 'a')).toEqual(moving);
  expect(group.nextDeadline()).toBe(SESSION_MS);
  group.expire(SESSION_MS);
  group.settle(SESSION_MS);
  expect(has(group, 'b')).toEqual(moving);
  expect(has(group, 'a')).toHaveLength(2);
  expect(fenced(group, 'a', { epoch: group.epoch, partitions: [0, 1, 2, 3] })).toEqual(moving);
});

test('a member that is silent for its session is out, and its partitions go on with the others at once', () => {
  const group = groupOf(4);
  join(group, 'a');
  join(group, 'b');
  release(group, 'a');
  group.heartbeat('b', { epoch: group.epoch, released: [] }, 5000);
  group.expire(SESSION_MS);
  group.settle(SESSION_MS);
  expect(group.assignmentOf('a')).toBeNull();
  expect(has(group, 'b')).toEqual([0, 1, 2, 3]);
  expect(group.heartbeat('a', { epoch: group.epoch, released: [] }, SESSION_MS)).toBe(false);
  expect(fenced(group, 'a', { epoch: group.epoch, partitions: [0] })).toBe('member-unknown');
});

test('a member that joins again under its name gets its partitions at once, and its former incarnation can do nothing', () => {
  const group = groupOf(4);
  join(group, 'a');
  join(group, 'b');
  release(group, 'a');
  const former = group.epoch;
  const had = has(group, 'a');
  join(group, 'a');
  expect(has(group, 'a')).toEqual(had);
  expect(fenced(group, 'a', { epoch: former, partitions: had })).toBe('member-unknown');
  expect(group.heartbeat('a', { epoch: former, released: [] }, 0)).toBe(false);
  expect(fenced(group, 'a', { epoch: group.epoch, partitions: had })).toEqual([]);
});

test('a process that joins again while its partitions are moving begins with none to release', () => {
  const group = groupOf(4);
  join(group, 'a');
  join(group, 'b');
  join(group, 'a');
  expect(has(group, 'a')).toHaveLength(2);
  expect(has(group, 'b')).toHaveLength(2);
  expect([...revoking(group, 'a'), ...revoking(group, 'b')]).toEqual([]);
});

test('a further change does not give more time to release', () => {
  const group = groupOf(6);
  join(group, 'a');
  join(group, 'b');
  const first = revoking(group, 'a');
  join(group, 'c', 5000);
  group.heartbeat('a', { epoch: group.epoch, released: [] }, 5000);
  expect(revoking(group, 'a')).toEqual(expect.arrayContaining([...first]));
  group.expire(SESSION_MS);
  expect(revoking(group, 'a').filter((partition) => first.includes(partition))).toEqual([]);
});

test('a partition that is being taken back is not handed back without having been released', () => {
  const group = groupOf(2);
  join(group, 'a');
  join(group, 'b');
  const moving = revoking(group, 'a');
  const epoch = group.epoch;
  group.leave('b', group.epoch);
  group.settle(0);
  expect(revoking(group, 'a')).toEqual(moving);
  release(group, 'a');
  expect(has(group, 'a')).toEqual([0, 1]);
  expect(
    group.assignmentOf('a')?.partitions.find(({ partition }) => moving.includes(partition))?.epoch,
  ).toBeGreaterThan(epoch);
});

test('a heartbeat that comes late does not release what has come back since', () => {
  const group = groupOf(2);
  join(group, 'a');
  join(group, 'b');
  const late = { epoch: group.epoch, released: revoking(group, 'a') };
  release(group, 'a');
  group.leave('b', group.epoch);
  group.settle(0);
  join(group, 'c');
  const again = revoking(group, 'a');
  expect(again).toHaveLength(1);
  group.heartbeat('a', { ...late, released: [0, 1] }, 0);
  group.settle(0);
  expect(revoking(group, 'a')).toEqual(again);
  expect(has(group, 'c')).toEqual([]);
});

test('a checkpoint does not go back, and a commit below it is no error', () => {
  const group = groupOf(1);
  join(group, 'a');
  expect(fenced(group, 'a', { epoch: group.epoch, partitions: [0], scn: 300 })).toEqual([]);
  expect(fenced(group, 'a', { epoch: group.epoch, partitions: [0], scn: 200 })).toEqual([]);
  expect(group.checkpointOf(0)).toBe(300);
});

test('after a reset the owner begins anew, and what it received before can no longer be committed', () => {
  const group = groupOf(2);
  join(group, 'a');
  const received = group.epoch;
  group.takeChanged();
  group.reset([1], 50);
  expect([...group.takeChanged()]).toEqual(['a']);
  expect(group.assignmentOf('a')?.partitions).toEqual([
    { partition: 0, checkpoint: 100, epoch: received },
    { partition: 1, checkpoint: 50, epoch: received + 1 },
  ]);
  expect(fenced(group, 'a', { epoch: received, partitions: [0, 1] })).toEqual([1]);
  expect(group.checkpointOf(1)).toBe(50);
  expect(fenced(group, 'a', { epoch: group.epoch, partitions: [1], scn: 60 })).toEqual([]);
  expect(group.checkpointOf(1)).toBe(60);
});

test('an epoch that was never given out is none of this group', () => {
  const group = groupOf(1);
  join(group, 'a');
  expect(fenced(group, 'a', { epoch: group.epoch + 1, partitions: [0] })).toBe('member-unknown');
  expect(group.heartbeat('a', { epoch: group.epoch + 1, released: [] }, 0)).toBe(false);
});

test('without reserved epochs nothing is given out, and it is made up for when there are some', () => {
  const group = new GroupState({ checkpoints: [1, 1], epoch: 10, paused: false });
  expect(() => group.join('a', SESSION_MS, 0)).toThrow('no epoch is reserved');
  group.reserveEpochs(12);
  join(group, 'a');
  expect(has(group, 'a')).toEqual([]);
  group.reserveEpochs(100);
  expect(group.unsettled).toBe(true);
  group.settle(0);
  expect(has(group, 'a')).toEqual([0, 1]);
});

test('with more members than partitions, some wait', () => {
  const group = groupOf(2);
  for (const name of ['a', 'b', 'c']) join(group, name);
  release(group, 'a');
  expect(['a', 'b', 'c'].map((name) => has(group, name).length).toSorted((x, y) => x - y)).toEqual([0, 1, 1]);
});

test('time in which the relay stood still counts for no deadline', () => {
  const group = groupOf(2);
  join(group, 'a');
  join(group, 'b');
  group.forgive(5000);
  group.expire(SESSION_MS + 4999);
  expect([...group.members.keys()]).toEqual(['a', 'b']);
  expect(revoking(group, 'a')).toHaveLength(1);
  group.expire(SESSION_MS + 5000);
  expect(group.members.size).toBe(0);
});
