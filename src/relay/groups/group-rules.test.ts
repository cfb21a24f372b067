/* oxlint-disable vitest/no-standalone-expect -- a history checks itself at every step, within the tests below */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GroupState } from './group-state.ts';

// Random histories of a group against what must hold in every one of them. The processes of this test are as bad as real ones: they go
// silent, come back under the same name while the former one still runs, send old heartbeats again, and commit what they lost.

const PARTITIONS = 7;
const NAMES = ['a', 'b', 'c', 'd'];
const SESSION_MS = 10;
const EPOCHS_PER_START = 1000;

/** One process as it sees itself. Is never told that it is out, unless it asks. */
interface Process {
  readonly name: string;
  /** Every epoch that it was told, in order. */
  readonly epochs: number[];
  /** What it works on: was given, and has not let go of. */
  readonly holds: Set<number>;
  revoking: readonly number[];
  /** Heartbeats that it sent, which may come again. */
  readonly sent: { readonly epoch: number; readonly released: readonly number[] }[];
}

class History {
  group: GroupState;
  now = 0;
  /** All that ever ran, the former incarnations too. */
  readonly processes: Process[] = [];
  checkpoints: number[] = Array<number>(PARTITIONS).fill(0);
  #limit = EPOCHS_PER_START;
  #highestTold = 0;

  constructor() {
    this.group = this.#start(0);
  }

  join(name: string): Process {
    const process: Process = { name, epochs: [], holds: new Set(), revoking: [], sent: [] };
    const member = this.group.join(name, SESSION_MS, this.now);
    expect(member.joinEpoch, 'a process that joins is told an epoch above all before').toBeGreaterThan(
      this.#highestTold,
    );
    this.#settle();
    this.processes.push(process);
    this.#tell(process);
    return process;
  }

  heartbeat(process: Process, releases: boolean): void {
    const released = releases ? process.revoking : [];
    const beat = { epoch: process.epochs.at(-1) ?? 0, released };
    // It lets go before it says so.
    for (const partition of released) process.holds.delete(partition);
    process.sent.push(beat);
    if (this.group.heartbeat(process.name, beat, this.now)) {
      this.#settle();
      this.#tell(process);
    }
  }

  repeatHeartbeat(process: Process, at: number): void {
    const beat = process.sent[at % Math.max(process.sent.length, 1)];
    if (beat === undefined) return;
    this.group.heartbeat(process.name, beat, this.now);
    this.#settle();
  }

  commit(process: Process, { scn, epochAt }: { scn: number; epochAt: number }): void {
    const epoch = process.epochs[epochAt % process.epochs.length] ?? 0;
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    this.group.commit(process.name, { epoch, checkpoints: [{ partitions, scn }] }, this.now);
    for (const partition of partitions) {
      const checkpoint = this.group.checkpointOf(partition);
      expect(checkpoint, 'a commit moves no checkpoint back').toBeGreaterThanOrEqual(this.checkpoints[partition] ?? 0);
      this.checkpoints[partition] = checkpoint;
    }
  }

  reset(partition: number, scn: number): void {
    this.group.reset([partition], scn);
    this.checkpoints[partition] = scn;
    for (const process of this.processes) {
      expect(this.#mayCommit(process, partition), 'what was received before a reset cannot be committed').toBe(false);
    }
    this.#settle();
  }

  /** Also a former incarnation, which must not take anything from the present one. */
  leave(process: Process): void {
    const isPresent = this.members().includes(process);
    const before = this.owners();
    const has = this.group.leave(process.name, process.epochs.at(-1) ?? 0);
    expect(has, 'who leaves is out, and only who is in can leave').toBe(isPresent);
    if (!isPresent) expect(this.owners(), 'who is out takes nothing with it').toEqual(before);
    this.#settle();
  }

  pass(ms: number): void {
    this.now += ms;
    this.group.expire(this.now);
    this.#settle();
  }

  /** The relay is killed and comes back with what is durable. */
  restart(): void {
    this.group = this.#start(this.#limit);
    this.#limit += EPOCHS_PER_START;
    this.group.reserveEpochs(this.#limit);
  }

  check(): void {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const able = this.processes.filter((process) => this.#mayCommit(process, partition));
      expect(able.length, 'at no time two processes may commit a partition').toBeLessThanOrEqual(1);
      if (this.group.members.size > 0) {
        const owner = this.group.ownerOf(partition) ?? 'nobody';
        expect([...this.group.members.keys()], 'no partition is left lying').toContain(owner);
      }
      expect(this.group.checkpointOf(partition), 'a checkpoint moves by commit and reset only').toBe(
        this.checkpoints[partition],
      );
    }
  }

  /** All members that are heard of release what they should, until there is nothing to release. */
  quieten(): void {
    for (let round = 0; round < 3; round++) {
      for (const process of this.members()) this.heartbeat(process, true);
    }
  }

  /** The present incarnations. */
  members(): readonly Process[] {
    return [...this.group.members.values()].map(({ name }) => {
      const process = this.processes.findLast((candidate) => candidate.name === name);
      if (process === undefined) throw new Error(`nobody has joined as ${name}`);
      return process;
    });
  }

  sizes(): readonly number[] {
    return this.members().map(({ name }) => this.group.assignmentOf(name)?.partitions.length ?? 0);
  }

  owners(): readonly (string | null)[] {
    return this.checkpoints.map((_, partition) => this.group.ownerOf(partition));
  }

  #start(epoch: number): GroupState {
    const group = new GroupState({ checkpoints: this.checkpoints, epoch, paused: false });
    group.reserveEpochs(this.#limit);
    return group;
  }

  /** Killed between taking partitions away and giving them to others. */
  killWhileMoving(leaving: Process): void {
    this.group.leave(leaving.name, leaving.epochs.at(-1) ?? 0);
    this.restart();
  }

  #settle(): void {
    this.group.settle(this.now);
    expect(this.group.unsettled).toBe(false);
  }

  #tell(process: Process): void {
    const assignment = this.group.assignmentOf(process.name);
    if (assignment === null) throw new Error('a member has an assignment');
    expect(assignment.epoch, 'epochs do not go back').toBeGreaterThanOrEqual(this.#highestTold);
    this.#highestTold = assignment.epoch;
    process.epochs.push(assignment.epoch);
    process.revoking = assignment.revoking;
    const given = new Set(assignment.partitions.map(({ partition }) => partition));
    for (const partition of given) {
      const others = this.processes.filter((other) => other !== process && other.holds.has(partition));
      for (const other of others) {
        // Whoever still works on it without having let go was fenced: none of the epochs it ever heard of helps it.
        expect(this.#mayCommit(other, partition), 'whoever had a partition before can no longer commit it').toBe(false);
      }
      process.holds.add(partition);
    }
    for (const partition of process.holds) {
      if (!given.has(partition) && !assignment.revoking.includes(partition)) process.holds.delete(partition);
    }
  }

  /** Under any epoch that it was ever told. Asks with a commit that moves nothing and counts for no sign of life. */
  #mayCommit(process: Process, partition: number): boolean {
    const heardAt = this.group.members.get(process.name)?.heardAt ?? this.now;
    return process.epochs.some((epoch) => {
      const verdict = this.group.commit(
        process.name,
        { epoch, checkpoints: [{ partitions: [partition], scn: 0 }] },
        heardAt,
      );
      return verdict !== 'member-unknown' && verdict.accepted.length > 0;
    });
  }
}

const name = fc.constantFrom(...NAMES);
const which = fc.nat({ max: 20 });
const scn = fc.nat({ max: 1000 });

/** What may happen. Each is a function, so that a failing history can be shrunk step by step. */
const step = fc.oneof(
  { weight: 3, arbitrary: name.map((joining) => named(`join ${joining}`, (history) => void history.join(joining))) },
  {
    weight: 2,
    arbitrary: which.map((at) =>
      named(`leave ${at}`, (history) => withProcess(history, at, (process) => history.leave(process))),
    ),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(which, fc.boolean())
      .map(([at, releases]) =>
        named(`heartbeat ${at} ${releases}`, (history) =>
          withProcess(history, at, (process) => history.heartbeat(process, releases)),
        ),
      ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(which, which)
      .map(([at, beat]) =>
        named(`repeat ${at} ${beat}`, (history) =>
          withProcess(history, at, (process) => history.repeatHeartbeat(process, beat)),
        ),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(which, scn, which)
      .map(([at, to, epochAt]) =>
        named(`commit ${at} ${to} ${epochAt}`, (history) =>
          withProcess(history, at, (process) => history.commit(process, { scn: to, epochAt })),
        ),
      ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat({ max: PARTITIONS - 1 }), scn)
      .map(([partition, to]) => named(`reset ${partition} ${to}`, (history) => history.reset(partition, to))),
  },
  { weight: 2, arbitrary: fc.nat({ max: 12 }).map((ms) => named(`pass ${ms}`, (history) => history.pass(ms))) },
  { weight: 1, arbitrary: fc.constant(named('restart', (history) => history.restart())) },
  {
    weight: 1,
    arbitrary: which.map((at) =>
      named(`kill while moving ${at}`, (history) =>
        withProcess(history, at, (process) => history.killWhileMoving(process)),
      ),
    ),
  },
);

interface Step {
  (history: History): void;
  readonly toString: () => string;
}

function named(text: string, run: (history: History) => void): Step {
  return Object.assign(run, { toString: () => text, [fc.toStringMethod]: () => text });
}

function withProcess(history: History, at: number, act: (process: Process) => void): void {
  const process = history.processes[at % Math.max(history.processes.length, 1)];
  if (process !== undefined) act(process);
}

function play(steps: readonly Step[]): History {
  const history = new History();
  for (const run of steps) {
    run(history);
    history.check();
  }
  return history;
}

test('whatever members and relay go through: one committer per partition, none left lying, no checkpoint back, epochs grow', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      play(steps);
    }),
    { numRuns: 500 },
  );
});

test('when all have released what they should, the sizes differ by one at most', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const history = play(steps);
      history.quieten();
      history.check();
      const sizes = history.sizes();
      if (sizes.length === 0) return;
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(PARTITIONS);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
    { numRuns: 300 },
  );
});

test('a member that comes to a quiet group makes just its own share move, one that goes moves nobody else’s', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const history = play(steps);
      history.quieten();
      const before = history.owners();
      const joining = history.join('new');
      history.quieten();
      const joined = history.owners();
      const share = Math.floor(PARTITIONS / history.group.members.size);
      const moved = joined.filter((owner, partition) => owner !== before[partition] && before[partition] !== null);
      if (history.group.members.size > 1) expect(moved).toHaveLength(share);
      expect(new Set(moved)).toEqual(new Set(moved.length === 0 ? [] : ['new']));
      history.leave(joining);
      history.quieten();
      if (history.group.members.size === 0) return;
      const left = history.owners();
      joined.forEach((owner, partition) => {
        if (owner !== 'new') expect(left[partition]).toBe(owner);
      });
    }),
    { numRuns: 300 },
  );
});
