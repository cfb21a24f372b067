import { afterEach, describe, expect, test } from 'vitest';
import { TidingsError } from '../../core/errors.ts';
import { setFailpointHandler } from '../../core/failpoint.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import type { MemberAssignment } from './group-state.ts';
import type { GroupStore, NewGroup, StoredCheckpoint, StoredGroup } from './group-store.ts';
import { StreamGroupsService } from './stream-groups.ts';

const PARTITIONS = 4;
const END = 1000;
const A = { group: 'g', member: 'a' };
const B = { group: 'g', member: 'b' };

afterEach(() => setFailpointHandler(null));

/** A disk that is as slow, and as full, as a test wants. */
class MemoryStore implements GroupStore {
  readonly groups = new Map<string, StoredGroup>();
  full = false;
  #held: (() => void)[] | null = null;

  hold(): void {
    this.#held = [];
  }

  /** How many writes wait. */
  get waiting(): number {
    return this.#held?.length ?? 0;
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const write of held) write();
  }

  load(): Promise<readonly StoredGroup[]> {
    return Promise.resolve([...this.groups.values()]);
  }

  create({ group, partitions, scn, epochLimit }: NewGroup): Promise<void> {
    return this.#write(() => {
      const checkpoints = Array.from({ length: partitions }, (_, partition) => ({
        partition,
        scn,
        committedMs: null,
        epoch: 0,
      }));
      this.groups.set(group, { group, paused: false, epochLimit, checkpoints });
    });
  }

  saveCheckpoints(group: string, saved: readonly StoredCheckpoint[]): Promise<void> {
    return this.#update(group, (stored) => {
      const checkpoints = [...stored.checkpoints];
      for (const checkpoint of saved) checkpoints[checkpoint.partition] = checkpoint;
      return { ...stored, checkpoints };
    });
  }

  replaceCheckpoints(group: string, checkpoints: readonly StoredCheckpoint[]): Promise<void> {
    return this.#update(group, (stored) => ({ ...stored, checkpoints }));
  }

  raiseEpochLimit(group: string, epochLimit: number): Promise<void> {
    return this.#update(group, (stored) => ({ ...stored, epochLimit }));
  }

  setPaused(group: string, paused: boolean): Promise<void> {
    return this.#update(group, (stored) => ({ ...stored, paused }));
  }

  remove(group: string): Promise<void> {
    return this.#write(() => this.groups.delete(group));
  }

  scns(group: string): readonly number[] {
    return this.groups.get(group)?.checkpoints.map(({ scn }) => scn) ?? [];
  }

  #update(group: string, change: (stored: StoredGroup) => StoredGroup): Promise<void> {
    return this.#write(() => {
      const stored = this.groups.get(group);
      if (stored === undefined) throw new TidingsError('GROUP_UNKNOWN', group);
      this.groups.set(group, change(stored));
    });
  }

  #write(work: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const write = (): void => {
        try {
          if (this.full) throw new TidingsError('DISK_FULL', 'no room');
          work();
          resolve();
        } catch (error) {
          reject(error);
        }
      };
      if (this.#held === null) write();
      else this.#held.push(write);
    });
  }
}

interface Setting {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly groups: StreamGroupsService;
  /** What the log has: to be changed. */
  readonly visible: { after: number; last: number };
  /** The same groups after a restart of the relay. */
  restart(): Promise<StreamGroupsService>;
}

function setUp(): Setting {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const visible = { after: 0, last: END };
  const open = (stored: readonly StoredGroup[]): StreamGroupsService =>
    new StreamGroupsService(
      {
        stream: 'shop',
        partitions: PARTITIONS,
        store,
        seek: (start) => Promise.resolve(start === 'earliest' ? 0 : start === 'latest' ? END : Number(start)),
        visible: () => visible,
        clock,
        elapsedMs: () => clock.nowMs() - 1_700_000_000_000,
      },
      stored,
    );
  return { clock, store, visible, groups: open([]), restart: async () => open(await store.load()) };
}

function commit(groups: StreamGroupsService, scn: number, { epoch, member = A }: { epoch: number; member?: typeof A }) {
  return groups.commit(member, { epoch, checkpoints: [{ partitions: [0, 1, 2, 3], scn }] });
}

function checkpoints(groups: StreamGroupsService): readonly (number | undefined)[] | undefined {
  return groups.get('g')?.partitions.map(({ checkpoint }) => checkpoint);
}

/** Lets everything run that waits for nothing. */
async function idle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

test('a new group begins at the end of the stream, or where its first member says, and all of it is stored before the answer', async () => {
  const { groups, store } = setUp();
  store.hold();
  let answered = false;
  const joining = groups.join(A, { from: 300 }).finally(() => {
    answered = true;
  });
  await idle();
  expect(answered).toBe(false);
  expect(store.groups.size).toBe(0);
  store.release();
  const { epoch, partitions, sessionTimeoutMs, heartbeatMs } = await joining;
  expect(partitions).toEqual([0, 1, 2, 3].map((partition) => ({ partition, checkpoint: 300, epoch })));
  expect({ sessionTimeoutMs, heartbeatMs }).toEqual({ sessionTimeoutMs: 10_000, heartbeatMs: 3000 });
  expect(store.scns('g')).toEqual([300, 300, 300, 300]);

  const { partitions: latest } = await groups.join({ group: 'other', member: 'a' });
  expect(latest.map(({ checkpoint }) => checkpoint)).toEqual([END, END, END, END]);
  // `from` is for a group without a checkpoint.
  await groups.leave(A, epoch);
  expect((await groups.join(B, { from: 'earliest' })).partitions[0]?.checkpoint).toBe(300);
});

test('members that find no group at the same time make one', async () => {
  const { groups, store } = setUp();
  const [a, b] = await Promise.all([groups.join(A, { from: 10 }), groups.join(B, { from: 20 })]);
  expect(store.scns('g')).toEqual([10, 10, 10, 10]);
  expect([a.partitions.length, b.partitions.length].toSorted((x, y) => x - y)).toEqual([0, 4]);
  expect(groups.list().map(({ members }) => members.length)).toEqual([2]);
});

test('a commit is answered when it is durable, and not before', async () => {
  const { groups, store } = setUp();
  const { epoch } = await groups.join(A, { from: 'earliest' });
  store.hold();
  let answered = false;
  const committing = commit(groups, 500, { epoch }).finally(() => {
    answered = true;
  });
  await idle();
  expect(store.waiting).toBe(1);
  expect(answered).toBe(false);
  expect(checkpoints(groups)).toEqual([0, 0, 0, 0]);
  expect(groups.lowestCheckpoint()).toBe(0);
  store.release();
  expect(await committing).toEqual({ fenced: [] });
  expect(checkpoints(groups)).toEqual([500, 500, 500, 500]);
  expect(groups.lowestCheckpoint()).toBe(500);
});

test('a commit on a full disk is refused each time, and goes through when there is room', async () => {
  const { groups, store } = setUp();
  const { epoch } = await groups.join(A, { from: 'earliest' });
  store.full = true;
  await expect(commit(groups, 500, { epoch })).rejects.toThrow(code('DISK_FULL'));
  await expect(commit(groups, 500, { epoch })).rejects.toThrow(code('DISK_FULL'));
  expect(groups.lowestCheckpoint()).toBe(0);
  store.full = false;
  expect(await commit(groups, 500, { epoch })).toEqual({ fenced: [] });
  expect(store.scns('g')).toEqual([500, 500, 500, 500]);
});

test('what is durable already is not written again', async () => {
  const { groups, store } = setUp();
  const { epoch } = await groups.join(A, { from: 'earliest' });
  await commit(groups, 500, { epoch });
  store.full = true;
  expect(await commit(groups, 400, { epoch })).toEqual({ fenced: [] });
  expect(store.scns('g')).toEqual([500, 500, 500, 500]);
});

test('a commit beyond what readers may see is refused whole', async () => {
  const { groups, store } = setUp();
  const { epoch } = await groups.join(A, { from: 'earliest' });
  await expect(commit(groups, END + 1, { epoch })).rejects.toThrow(code('SCN_UNKNOWN'));
  const request = {
    epoch,
    checkpoints: [
      { partitions: [0], scn: 5 },
      { partitions: [4], scn: 5 },
    ],
  };
  await expect(groups.commit(A, request)).rejects.toThrow(code('GROUP_INVALID'));
  expect(store.scns('g')).toEqual([0, 0, 0, 0]);
});

test('whoever lost a partition cannot commit it, and commits the rest', async () => {
  const { groups } = setUp();
  await groups.join(A, { from: 'earliest' });
  await groups.join(B);
  const { epoch, revoking } = await groups.heartbeat(A, { epoch: groups.get('g')?.epoch ?? 0, released: [] });
  expect(revoking).toHaveLength(2);
  const after = await groups.heartbeat(A, { epoch, released: revoking });
  expect(after.revoking).toEqual([]);
  expect(await commit(groups, 500, { epoch: after.epoch })).toEqual({ fenced: revoking });
  expect(checkpoints(groups)?.filter((scn) => scn === 500)).toHaveLength(2);
});

test('a member that is silent for its session is out by the clock, and the other is told that it has its partitions', async () => {
  const { groups, clock } = setUp();
  const { epoch } = await groups.join(A, { from: 'earliest', sessionTimeoutMs: 5000 });
  await groups.join(B);
  const heard: (MemberAssignment | null)[] = [];
  const lost: (MemberAssignment | null)[] = [];
  groups.onAssignment(B, (assignment) => heard.push(assignment));
  groups.onAssignment(A, (assignment) => lost.push(assignment));
  await clock.whenSleeping();
  clock.advance(5000);
  await idle();
  expect(groups.assignmentOf(A)).toBeNull();
  expect(lost.at(-1)).toBeNull();
  expect(heard.at(-1)?.partitions.map(({ partition }) => partition)).toEqual([0, 1, 2, 3]);
  await expect(groups.heartbeat(A, { epoch, released: [] })).rejects.toThrow(code('GROUP_MEMBER_UNKNOWN'));
  expect(groups.get('g')?.members.map(({ member }) => member)).toEqual(['b']);
});

test('a relay that stood still itself does not throw its members out for it', async () => {
  const { groups, clock } = setUp();
  const { epoch } = await groups.join(A);
  await clock.whenSleeping();
  clock.advance(60_000);
  await idle();
  expect((await groups.heartbeat(A, { epoch, released: [] })).partitions).toHaveLength(4);
  await clock.whenSleeping();
  clock.advance(10_000);
  await idle();
  expect(groups.get('g')?.members).toEqual([]);
});

test('setting the wall clock ends no session', async () => {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const seek = (): Promise<number> => Promise.resolve(0);
  const options = {
    stream: 'shop',
    partitions: PARTITIONS,
    store,
    seek,
    visible: () => ({ after: 0, last: END }),
    clock,
  };
  const groups = new StreamGroupsService({ ...options, elapsedMs: () => 5 }, []);
  const { epoch } = await groups.join(A);
  await clock.whenSleeping();
  clock.advance(3_600_000);
  await idle();
  expect((await groups.heartbeat(A, { epoch, released: [] })).partitions).toHaveLength(4);
  await groups.close();
});

test('a process that joins under the name of another ends it: its listener hears the last, and it can do nothing more', async () => {
  const { groups } = setUp();
  const { epoch } = await groups.join(A, { from: 'earliest' });
  const heard: (MemberAssignment | null)[] = [];
  groups.onAssignment(A, (assignment) => heard.push(assignment));
  const again = await groups.join(A);
  expect(again.partitions).toHaveLength(4);
  expect(heard).toEqual([null]);
  await expect(commit(groups, 500, { epoch })).rejects.toThrow(code('GROUP_MEMBER_UNKNOWN'));
  await expect(groups.heartbeat(A, { epoch, released: [] })).rejects.toThrow(code('GROUP_MEMBER_UNKNOWN'));
  expect(await commit(groups, 500, { epoch: again.epoch })).toEqual({ fenced: [] });
});

test('a process that leaves behind its successor of the same name takes nothing from it', async () => {
  const { groups } = setUp();
  const former = await groups.join(A);
  const successor = await groups.join(A);
  const heard: unknown[] = [];
  groups.onAssignment(A, (assignment) => heard.push(assignment));
  await groups.leave(A, former.epoch);
  expect(groups.assignmentOf(A)?.partitions).toHaveLength(PARTITIONS);
  expect(heard).toEqual([]);
  expect(await commit(groups, 500, successor)).toEqual({ fenced: [] });
  await groups.leave(A, successor.epoch);
  expect(heard).toEqual([null]);
});

test('after a restart the groups are there without members, and epochs from before it are worth nothing', async () => {
  const { groups, restart } = setUp();
  const { epoch } = await groups.join(A, { from: 'earliest' });
  await commit(groups, 500, { epoch });
  await groups.pause('g');
  const restarted = await restart();
  expect(restarted.get('g')).toMatchObject({ paused: true, members: [] });
  expect(checkpoints(restarted)).toEqual([500, 500, 500, 500]);
  await expect(commit(restarted, 600, { epoch })).rejects.toThrow(code('GROUP_MEMBER_UNKNOWN'));
  const again = await restarted.join(A, { from: 'earliest' });
  expect(again.epoch).toBeGreaterThan(epoch);
  expect(again.partitions[0]?.checkpoint).toBe(500);
  await expect(commit(restarted, 600, { epoch })).rejects.toThrow(code('GROUP_MEMBER_UNKNOWN'));
});

test('a reset moves checkpoints back, tells the members to begin anew, and fences what they received before', async () => {
  const { groups, store } = setUp();
  const { epoch } = await groups.join(A, { from: 'earliest' });
  await commit(groups, 500, { epoch });
  const heard: (MemberAssignment | null)[] = [];
  groups.onAssignment(A, (assignment) => heard.push(assignment));
  await groups.reset('g', 100, [1, 2]);
  expect(store.scns('g')).toEqual([500, 100, 100, 500]);
  expect(heard).toHaveLength(1);
  const [kept, reset] = heard[0]?.partitions ?? [];
  expect(reset).toMatchObject({ partition: 1, checkpoint: 100 });
  expect(reset?.epoch).toBeGreaterThan(kept?.epoch ?? 0);
  expect(await commit(groups, 600, { epoch })).toEqual({ fenced: [1, 2] });
  expect(store.scns('g')).toEqual([600, 100, 100, 600]);
});

test('a reset is not undone by commits that were on their way, whether they came before it or after', async () => {
  const { groups, store } = setUp();
  const { epoch } = await groups.join(A, { from: 'earliest' });
  store.hold();
  const before = commit(groups, 500, { epoch });
  const resetting = groups.reset('g', 100);
  const during = commit(groups, 700, { epoch });
  await idle();
  // The reset waits for the first commit, the second one for the reset.
  expect(store.waiting).toBe(1);
  store.release();
  expect(await before).toEqual({ fenced: [] });
  await resetting;
  expect(await during).toEqual({ fenced: [0, 1, 2, 3] });
  expect(store.scns('g')).toEqual([100, 100, 100, 100]);
  expect(checkpoints(groups)).toEqual([100, 100, 100, 100]);
});

test('a reset that the disk refuses changes nothing', async () => {
  const { groups, store } = setUp();
  const { epoch } = await groups.join(A, { from: 'earliest' });
  await commit(groups, 500, { epoch });
  store.full = true;
  await expect(groups.reset('g', 100)).rejects.toThrow(code('DISK_FULL'));
  store.full = false;
  expect(await commit(groups, 600, { epoch })).toEqual({ fenced: [] });
});

test('a reset makes the group when there is none', async () => {
  const { groups } = setUp();
  await groups.reset('g', 42);
  expect((await groups.join(A, { from: 'earliest' })).partitions[0]?.checkpoint).toBe(42);
  await expect(groups.reset('h', END + 1)).rejects.toThrow(code('SCN_UNKNOWN'));
});

test('a reset to where nothing is kept any more is refused, and changes nothing', async () => {
  const { groups, visible } = setUp();
  await groups.reset('g', 42);
  visible.after = 43;
  await expect(groups.reset('g', 42)).rejects.toThrow(code('SCN_PURGED'));
  await expect(groups.reset('h', 42)).rejects.toThrow(code('SCN_PURGED'));
  await groups.reset('g', 43);
  expect(groups.list()).toMatchObject([
    { group: 'g', partitions: Array.from({ length: PARTITIONS }, () => ({ checkpoint: 43 })) },
  ]);
});

test('pausing is stored, and the members hear of it', async () => {
  const { groups, store } = setUp();
  await groups.join(A);
  const heard: (boolean | undefined)[] = [];
  const stop = groups.onAssignment(A, (assignment) => heard.push(assignment?.paused));
  await groups.pause('g');
  expect(store.groups.get('g')?.paused).toBe(true);
  await groups.resume('g');
  stop();
  await groups.pause('g');
  expect(heard).toEqual([true, false]);
  await expect(groups.pause('h')).rejects.toThrow(code('GROUP_UNKNOWN'));
});

test('a group is removed only when it has no members, and is forgotten then', async () => {
  const { groups, store } = setUp();
  const { epoch } = await groups.join(A, { from: 'earliest' });
  await expect(groups.remove('g')).rejects.toThrow(code('GROUP_IN_USE'));
  await groups.leave(A, epoch);
  await groups.leave(A, epoch);
  await groups.remove('g');
  expect(store.groups.size).toBe(0);
  expect(groups.get('g')).toBeNull();
  expect(groups.lowestCheckpoint()).toBeNull();
  await expect(groups.remove('g')).rejects.toThrow(code('GROUP_UNKNOWN'));
});

test('a member that joins while its group is being removed finds a new one', async () => {
  const { groups, store } = setUp();
  await groups.reset('g', 42);
  store.hold();
  const removing = groups.remove('g');
  const joining = groups.join(A, { from: 7 });
  await idle();
  store.release();
  await removing;
  expect((await joining).partitions[0]?.checkpoint).toBe(7);
  expect(groups.get('g')?.members).toHaveLength(1);
});

test('more changes than epochs are reserved at once are possible, and each epoch is reserved before it is given out', async () => {
  const { groups, store } = setUp();
  for (let i = 0; i < 1200; i++) {
    const { epoch, partitions } = await groups.join(A);
    expect(partitions).toHaveLength(4);
    expect(store.groups.get('g')?.epochLimit).toBeGreaterThanOrEqual(epoch);
  }
});

test('a rebalance that fails between taking and giving is made up for', async () => {
  const { groups, clock } = setUp();
  const { epoch } = await groups.join(A);
  await groups.join(B);
  let passed = 0;
  setFailpointHandler((name) => {
    if (name === 'group-rebalance' && ++passed === 1) throw new Error('as a test wants it');
  });
  await expect(groups.leave(A, epoch)).rejects.toThrow('as a test wants it');
  expect(groups.assignmentOf(B)?.partitions).toEqual([]);
  await clock.whenSleeping();
  clock.advance(1000);
  await idle();
  expect(groups.assignmentOf(B)?.partitions).toHaveLength(4);
});

test.each([
  ['a group name with a slash', { group: 'a/b', member: 'm' }, {}],
  ['an empty member name', { group: 'g', member: '' }, {}],
  ['a name of 129 characters', { group: 'g', member: 'm'.repeat(129) }, {}],
  ['a session of less than a second', A, { sessionTimeoutMs: 999 }],
  ['a session of more than five minutes', A, { sessionTimeoutMs: 300_001 }],
  ['a session that is no number', A, { sessionTimeoutMs: Number.NaN }],
])('%s is refused', async (_, member, options) => {
  const { groups } = setUp();
  await expect(groups.join(member, options)).rejects.toThrow(code('GROUP_INVALID'));
});

test('a group takes 1024 members and no more, but one that joins again', async () => {
  const { groups } = setUp();
  await Promise.all(Array.from({ length: 1024 }, (_, i) => groups.join({ group: 'g', member: `m${i}` })));
  await expect(groups.join(A)).rejects.toThrow(code('GROUP_INVALID'));
  await groups.join({ group: 'g', member: 'm7' });
  expect(groups.get('g')?.members).toHaveLength(1024);
});

describe('a stream that has as many groups as it can', () => {
  const HOUR_MS = 3_600_000;

  /** 1000 groups: of `g0` something was committed, `g1` has a member, `g2` is paused, `g3` was used last. */
  async function full(): Promise<Setting> {
    const setting = setUp();
    const { groups, clock } = setting;
    for (let i = 0; i < 1000; i++) {
      const member = { group: `g${i}`, member: 'a' };
      const { epoch } = await groups.join(member, { from: 'earliest' });
      if (i === 0) await commit(groups, END, { epoch, member });
      if (i !== 1) await groups.leave(member, epoch);
    }
    await groups.pause('g2');
    clock.advance(HOUR_MS);
    await groups.join({ group: 'g3', member: 'a' });
    await idle();
    return setting;
  }

  /** An hour later, with `g1` heard of all the while. */
  async function anHourLater({ clock, groups }: Setting): Promise<void> {
    for (let i = 0; i < 60; i++) {
      clock.advance(60_000);
      await groups.join({ group: 'g1', member: 'a' }, { sessionTimeoutMs: 300_000 });
      await idle();
    }
  }

  test('has no room for another one for a day, and then for as many as were never at work', async () => {
    const setting = await full();
    const { groups, store } = setting;
    const name = { group: 'new', member: 'a' };
    await expect(groups.join(name)).rejects.toThrow(code('GROUP_INVALID'));
    for (let hour = 0; hour < 23; hour++) await anHourLater(setting);
    await groups.join(name);
    expect(store.groups.size).toBe(1000);
    for (let i = 0; i < 995; i++) await groups.join({ group: `new${i}`, member: 'a' });
    await expect(groups.join({ group: 'one more', member: 'a' })).rejects.toThrow(code('GROUP_INVALID'));
    const kept = groups.list().filter(({ group }) => group.startsWith('g'));
    expect(kept.map(({ group }) => group)).toEqual(['g0', 'g1', 'g2', 'g3']);
  });

  test('counts the day anew when the relay is started again: nobody was heard of meanwhile', async () => {
    const setting = await full();
    const groups = await setting.restart();
    setting.clock.advance(23 * HOUR_MS);
    await expect(groups.join({ group: 'new', member: 'a' })).rejects.toThrow(code('GROUP_INVALID'));
    setting.clock.advance(2 * HOUR_MS);
    await groups.join({ group: 'new', member: 'a' });
    expect(setting.store.groups.has('g0')).toBe(true);
  });

  test('keeps a group that somebody joins while it is to give way', async () => {
    const setting = await full();
    const { groups, store, clock } = setting;
    clock.advance(25 * HOUR_MS);
    await idle();
    store.hold();
    const made = groups.join({ group: 'new', member: 'a' });
    await idle();
    const joined = groups.join({ group: 'g4', member: 'a' });
    while (store.waiting > 0) {
      store.release();
      store.hold();
      await idle();
    }
    store.release();
    await Promise.all([made, joined]);
    expect(groups.get('g4')?.members).toHaveLength(1);
    expect(store.groups.has('g4') && store.groups.has('new')).toBe(true);
  });
});
